"""Which subcircuit of the model library stands for a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aimc.errors import SpiceError

if TYPE_CHECKING:
    from aimc.crossbar import Crossbar

Params = dict[str, float | str]


@dataclass(frozen=True)
class CellModel:
    """A model of the library as a cell. subckt: its name, also that of its file.

    params(g, i, j): the parameters of the cell of conductance g [S] in row i, column j. linear:
    whether i = g v, so that ngspice needs no iteration.
    """

    subckt: str
    params: Callable[[float, int, int], Params]
    linear: bool = False


def _linear(g: float, i: int, j: int) -> Params:
    return {"g": g}


LINEAR = CellModel("cell_linear", _linear, linear=True)
# A third node turns it on: the transistors of an idle row are off.
GATED = CellModel("cell_gated", _linear)


def cell_of(crossbar: Crossbar) -> CellModel:
    """The cell model of a crossbar: linear, i = g v, behind a switch where idle rows are gated."""
    if getattr(crossbar, "iv", None) is not None:
        raise SpiceError("Cells with a current-voltage curve have no SPICE model yet.", "missing")
    return GATED if crossbar.wires.idle == "gated" else LINEAR
