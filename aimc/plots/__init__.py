"""Figures of arrays, ramps and costs."""

from aimc.plots.arrays import accuracy_over_chips as accuracy_over_chips
from aimc.plots.arrays import conductance_map as conductance_map
from aimc.plots.arrays import confusion_matrix as confusion_matrix
from aimc.plots.arrays import conversion as conversion
from aimc.plots.arrays import ramp_levels as ramp_levels
from aimc.plots.arrays import transfer_curve as transfer_curve
from aimc.plots.arrays import voltage_map as voltage_map
from aimc.plots.style import save as save
