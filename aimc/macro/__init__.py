"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from aimc.macro.layout import Curves, curve_ranges, spread_curves
from aimc.macro.macro import Hardware, Macro
from aimc.macro.stack import Stack
from aimc.macro.trace import Trace
from aimc.parts.condition import Condition

__all__ = [
    "Condition",
    "Curves",
    "Hardware",
    "Macro",
    "Stack",
    "Trace",
    "curve_ranges",
    "spread_curves",
]
