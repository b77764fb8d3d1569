"""What a cell sees of its own row and column, while all other lines are held at 0 V.

A cell's current leaves through its column and comes back through its row. What it lifts other
columns by, and these other rows, is left out: of second order in the voltage that wires take.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.jit import jit
from aimc.kernels.wires.lines import Columns, factor_columns, rise
from aimc.kernels.wires.topology import Topology

Floats = NDArray[np.float64]
_LEAST = 1e-6  # ohm that stand for none at the end of a line


@jit
def _own(g: Floats, ends: tuple[float, float, float], weight: Floats, r: Floats, s: Floats) -> None:
    """Of column lines: resistance r to ground at each node, its cell included [ohm]; and s, the sum
    of weight (V / V_own)^2 over the other nodes, for a current into this one. All (rows, cols).

    ends: ohm from node to node, below the last, above the first (< 0: open)
    """
    between, last, end = ends
    rows, cols = g.shape
    beyond = np.empty(cols)
    power = np.zeros(cols)
    for j in range(cols):
        beyond[j] = 0.0 if end < 0.0 else 1.0 / max(end, _LEAST)
    for i in range(rows):
        for j in range(cols):
            r[i, j] = beyond[j]
            s[i, j] = power[j]
            total = g[i, j] + beyond[j]
            share = 1.0 / (1.0 + between * total)
            beyond[j] = total * share
            power[j] = share * share * (weight[i, j] + power[j])
    for j in range(cols):
        beyond[j] = 1.0 / max(last, _LEAST)
        power[j] = 0.0
    for i in range(rows - 1, -1, -1):
        for j in range(cols):
            r[i, j] = 1.0 / (g[i, j] + r[i, j] + beyond[j])
            s[i, j] += power[j]
            total = g[i, j] + beyond[j]
            share = 1.0 / (1.0 + between * total)
            beyond[j] = total * share
            power[j] = share * share * (weight[i, j] + power[j])


@jit
def _factor(of: Columns, end: float) -> None:
    factor_columns(of, end, np.empty_like(of.g[0]))


@jit
def _solve(of: Columns, x: Floats) -> None:
    """Overwrites the injected currents `x` [A] by their voltages [V]."""
    bottom = np.zeros_like(x[0])
    for i in range(of.rows):
        for j in range(x.shape[1]):
            a = x[i, j] + bottom[j]
            x[i, j] = a
            bottom[j] = of.q[i, j] * a
    rise(of, x, bottom)


class Alone(NamedTuple):
    """An array mirrored to drive at the left and sense at the bottom, all (rows, cols).

    share: of a row's source at its nodes, it alone driven. gain: `network.noise_gain`.
    """

    g: Floats
    share: Floats
    gain: Floats
    columns: Columns
    ends: tuple[float, float, float]

    def own(self, weight: Floats) -> Floats:
        """Sum over a column's cells of weight U^2, with U [V] at 1 V on the row of each entry."""
        r, s = np.empty_like(weight), np.empty_like(weight)
        _own(self.g, self.ends, weight, r, s)
        taken = self.g * r
        return self.share**2 * (weight * (1.0 - taken) ** 2 + taken**2 * s)

    def form(self, weight: Floats, x: Floats) -> Floats:
        """Each column's form sum weight U U', with U (cells, rows), times its column of x."""
        volts = self.share * x
        current = weight * (volts - self._lift(self.g * volts))
        return self.share * (current - self.g * self._lift(current))

    def _lift(self, current: Floats) -> Floats:
        _solve(self.columns, current := current.copy())
        return current


def alone(g: Floats, top: Topology) -> Alone:
    """g (rows, cols) [S], mirrored as `top` says, every row driven."""

    def turned(x: Floats) -> Floats:
        """Rows as columns, their sources at the bottom."""
        return np.ascontiguousarray(x[:, ::-1].T)

    def back(x: Floats) -> Floats:
        return np.ascontiguousarray(x.T[:, ::-1])

    def lines(g: Floats, ends: tuple[float, float, float]) -> Columns:
        of = Columns(g, np.empty_like(g), len(g), ends[1], ends[0])
        _factor(of, ends[2])
        return of

    def taken(g: Floats, ends: tuple[float, float, float]) -> Floats:
        r = np.empty_like(g)
        _own(g, ends, g, r, np.empty_like(g))
        return g * r

    def reached(g: Floats, ends: tuple[float, float, float]) -> Floats:
        """Voltages at 1 V on the lines' ends."""
        _solve(lines(g, ends), drop := g.copy())
        return 1.0 - drop

    down = (top.r_col, top.last, top.col_end)
    along = (top.r_row, float(top.first[0]), top.row_end)
    by_column, by_row = taken(g, down), back(taken(turned(g), along))
    share = back(reached(turned(g * (1.0 - by_column)), along))
    gain = reached(g * (1.0 - by_row), down) * (1.0 - by_row)
    return Alone(g, share, gain, lines(g, down), down)
