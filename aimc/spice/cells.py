"""Which subcircuit of the model library stands for a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import SpiceError
from aimc.ivcurve import Cubic, Sinh
from aimc.transistor import SeriesTransistor, Transistor

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
    """The cell model of a crossbar: that of its current-voltage curve, linear without one.

    Raises SpiceError (reason "missing") for a curve that no model of the library has.
    """
    iv = crossbar.iv
    if iv is None:
        return GATED if crossbar.wires.idle == "gated" else LINEAR
    if isinstance(iv, Sinh):
        return CellModel("cell_sinh", lambda g, i, j: {"g": g, "a": iv.a})
    if isinstance(iv, Cubic):
        return CellModel("cell_cubic", lambda g, i, j: _cubic(iv, g))
    if isinstance(iv, SeriesTransistor) and iv.cell is None:
        if iv.r_on == 0:
            return LINEAR
        return CellModel("cell_series", lambda g, i, j: {"g": g, "r_on": iv.r_on}, linear=True)
    if isinstance(iv, Transistor) and iv.cell is None:
        law: Params = {"k": iv.k, "v_gate": iv.v_gate, "v_th": iv.v_th, "clm": iv.clm}
        return CellModel("cell_transistor", lambda g, i, j: {"g": g, **law})
    raise SpiceError(
        f"The library has no model of cells with {iv!r}. Give one: netlist(..., "
        "cell=spice.CellModel(name, params)).",
        "missing",
    )


def _cubic(iv: Cubic, g: float) -> Params:
    """n2 and n3 of i = g u + n2 u^2 + n3 u^3, read off the curve itself at +-h."""
    h = 1e-3
    up, down = (float(np.asarray(iv.evaluate([g], [u])[0]).item()) for u in (h, -h))
    return {"g": g, "n2": (up + down) / (2 * h**2), "n3": ((up - down) / (2 * h) - g) / h**2}
