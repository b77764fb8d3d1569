"""Figures of arrays, ramps and costs."""

from aimc.plots.arrays import (
    accuracy_over_chips,
    conductance_map,
    confusion_matrix,
    conversion,
    ramp_levels,
    transfer_curve,
    voltage_map,
)
from aimc.plots.style import save

__all__ = [
    "accuracy_over_chips",
    "conductance_map",
    "confusion_matrix",
    "conversion",
    "ramp_levels",
    "save",
    "transfer_curve",
    "voltage_map",
]
