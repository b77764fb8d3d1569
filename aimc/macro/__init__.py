"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from aimc.macro.layout import Curves, curve_ranges, spread_curves
from aimc.macro.macro import Hardware, Macro, Stack, Trace

__all__ = ["Curves", "Hardware", "Macro", "Stack", "Trace", "curve_ranges", "spread_curves"]
