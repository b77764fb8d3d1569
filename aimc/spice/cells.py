"""Which subcircuit of the model library stands for a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aimc.errors import SpiceError

if TYPE_CHECKING:
    from aimc.crossbar import Crossbar


@dataclass(frozen=True)
class CellModel:
    """subckt: its name, also that of its file. params(g, i, j): the parameters of one cell."""

    subckt: str
    params: Callable[[float, int, int], dict[str, float | str]]


def _linear(g: float, i: int, j: int) -> dict[str, float | str]:
    return {"g": g}


def cell_of(crossbar: Crossbar) -> CellModel:
    """The cell model of a crossbar: linear, i = g v."""
    if getattr(crossbar, "iv", None) is not None:
        raise SpiceError("Cells with a current-voltage curve have no SPICE model yet.", "missing")
    return CellModel("cell_linear", _linear)
