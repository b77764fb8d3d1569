"""A cell in series with its select transistor (1T1R): one current, two voltages that add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import NotConverged, must
from aimc.kernels.wires import cells
from aimc.parts.fields import part, quantity
from aimc.parts.ivcurve import IVCurve, aligned
from aimc.parts.registry import registered

if TYPE_CHECKING:
    from aimc.arrays import Array, ArrayLike

    Law = float | tuple[float, ...]

_LIMIT = 200


@registered("series-transistor")
class SeriesTransistor(IVCurve):
    """A cell behind an on-resistance r_on: w + r_on i(w) = u, with w the cell's own voltage.

    `cell` is the cell's curve, or None for a linear one, i = g u / (1 + g r_on). The slope at 0 V
    is g / (1 + g r_on): `g` is the cell's conductance, without the transistor.
    """

    cell: IVCurve | None = part(IVCurve, "of the cell; None: linear", optional=True)
    r_on: float = quantity("ohm", "of the transistor", minimum=0)

    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        """As IVCurve; a nonlinear cell's share is found to 1e-14. Raises NotConverged beyond."""
        g, u, shape = aligned(g, u)
        share, r_on = 1 / (1 + g * self.r_on), float(self.r_on)
        if self.cell is None:
            slope = np.broadcast_to(g * share, u.shape).copy()
            return (slope * u).reshape(shape), slope.reshape(shape)
        _, i, slope = _divide(self.cell, g, u, share * u, cells.resistor_step, r_on)
        slope /= 1 + r_on * slope
        return i.reshape(shape), slope.reshape(shape)


@registered("transistor")
class Transistor(IVCurve):
    """A cell behind an NMOS at its column side: i(w) = i_t(u - w), with w the cell's own voltage.

    i_t = k ((v_gate - v_th) u_t - u_t^2 / 2) (1 + clm |u_t|), and for u_t > v_gate - v_th, in
    saturation, k (v_gate - v_th)^2 / 2 (1 + clm u_t): level 1 of SPICE [Shichman and Hodges, IEEE
    J. Solid-State Circuits 3, 285 (1968)]. clm is above zero, so that the current rises
    even in saturation. With u_t < 0 drain and source change places: the source is
    then at the cell, further below the gate, and the same law continues, without saturation; the
    curve is therefore not odd. `cell` is the cell's curve, or None for a linear one.
    """

    cell: IVCurve | None = part(IVCurve, "of the cell; None: linear", optional=True)
    k: float = quantity("A/V^2", "mu C_ox W / L", above=0)
    v_gate: float = quantity("V", "gate against column")
    v_th: float = quantity("V", "threshold")
    clm: float = quantity("1/V", "channel-length modulation lambda", default=0.01, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.v_gate <= self.v_th:
            hint = "A transistor that is off is a cell of g = 0."
            raise must("v_gate", f"be above v_th = {self.v_th:g} V", f"is {self.v_gate:g} V", hint)

    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        """As IVCurve; the cell's share is found to 1e-14. Raises NotConverged beyond."""
        g, u, shape = aligned(g, u)
        law = cells.Level1(float(self.k), float(self.v_gate - self.v_th), float(self.clm))
        on = law.k * law.overdrive
        w, i, slope = _divide(self.cell, g, u, u * (on / (g + on)), cells.transistor_step, law)
        cells.transistor_slope(u.ravel(), slope.ravel(), law, w.ravel())
        return i.reshape(shape), slope.reshape(shape)


def _divide(
    cell: IVCurve | None, g: Array, u: Array, w: Array, step: Callable[..., int], law: Law
) -> tuple[Array, Array, Array]:
    """The cell's share w of the voltages u, and its current and slope there.

    `w` is the share of a linear cell, where Newton's method begins: a curve that bends one way is
    then approached from one side, and `cell` is asked for no larger a voltage than it has there or
    in the end. `step` is a kernel that takes `law` and improves all shares.
    """
    w, low, high = np.array(w), np.minimum(u, 0.0), np.maximum(u, 0.0)
    flat = (w.reshape(-1), low.reshape(-1), high.reshape(-1))
    left = 0
    for n in range(_LIMIT):
        i, slope = _currents(cell, g, w)
        left = step(n, u.reshape(-1), i.reshape(-1), slope.reshape(-1), law, *flat)
        if not left:
            return w, *_currents(cell, g, w)
    gap = float(np.max(high - low))
    raise NotConverged(f"The voltages of {left} cells are uncertain by up to {gap:g} V.", gap)


def _currents(cell: IVCurve | None, g: Array, w: Array) -> tuple[Array, Array]:
    """Current and slope of `aligned` cells, each row by itself."""
    if cell is None:
        return g * w, np.broadcast_to(g, w.shape).copy()
    i, slope = cell.evaluate(g if len(g) == 1 else g[:, None], w[:, None])
    return i.reshape(w.shape), slope.reshape(w.shape)
