"""Macros and crossbars as SPICE netlists, and ngspice's answers beside the simulator's.

`netlist(macro, x)` writes a circuit from the object that is simulated; `.write(path)` and `.run()`
are its verbs; `compare(trace, result)` tells whether both agree.
"""

from aimc.spice.cells import CellModel
from aimc.spice.compare import Comparison, compare
from aimc.spice.conversion import Conversion
from aimc.spice.dialect import Dialect
from aimc.spice.dialects import DIALECTS
from aimc.spice.export import netlist
from aimc.spice.library import model, models
from aimc.spice.netlist import Netlist
from aimc.spice.operating_point import OperatingPoint
from aimc.spice.reader import read
from aimc.spice.runners import Ngspice, NgspiceShared, Runner

__all__ = [
    "DIALECTS",
    "CellModel",
    "Comparison",
    "Conversion",
    "Dialect",
    "Netlist",
    "Ngspice",
    "NgspiceShared",
    "OperatingPoint",
    "Runner",
    "compare",
    "model",
    "models",
    "netlist",
    "read",
]
