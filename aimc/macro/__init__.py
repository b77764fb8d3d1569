"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from aimc.macro.macro import Curves, Hardware, Macro, Trace, curve_ranges, spread_curves

__all__ = ["Curves", "Hardware", "Macro", "Trace", "curve_ranges", "spread_curves"]
