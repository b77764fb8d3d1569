"""Reads without a transfer matrix: checks, mirrors, threads; the arithmetic is in `pcg`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from aimc.arrays import Array, NDArray
from aimc.errors import NotConverged
from aimc.kernels.base.threads import scratch, spread
from aimc.kernels.wires import pcg
from aimc.kernels.wires.topology import Topology

_FINE = 1e-8  # tolerance from which on the sensed currents must be right, too
_LOST = 1e-8  # error of the current law over the largest sensed current


class Reads(NamedTuple):
    """What a batch of reads applies to the array, and where its solution starts.

    v       (batch, rows)                   source voltages [V]; those of floating rows are ignored
    guess   (1 or batch, rows, cols)        column voltages to start from [V]
    e       (batch, cols)                   voltages of the sense terminals [V]
    source  (batch, rows, cols)             currents through the cells besides g u [A]
    gate    (rows,) or (1 or batch, rows)   rows whose cells are connected
    """

    v: Array
    guess: Array | None = None
    e: Array | None = None
    source: Array | None = None
    gate: NDArray[np.bool_] | None = None


class Solved(NamedTuple):
    """All voltages and sensed currents of a batch of reads."""

    row_voltage: Array  # (batch, rows, cols) [V]
    col_voltage: Array  # (batch, rows, cols) [V]
    current: Array  # (batch, cols) [A]
    residual: float  # largest error of the current law over the largest source or column current


def iterate(
    g: Array,
    of: Reads,
    top: Topology,
    tol: float,
    fields: bool,
    within: float | None = None,
) -> Solved:
    """Solves a batch of reads to `tol`, each on its own.

    g       (1 or batch, rows, cols)  conductances [S]
    fields  whether all voltages are wanted; otherwise their arrays are empty
    within  the residual to accept; None: 100 tol, which typical circuits meet ten-thousandfold
    """
    rows, cols = g.shape[1:]
    batch = len(of.v)
    mirror = (slice(None), top.rows, top.cols)
    start = np.zeros((0, rows, cols))
    if of.guess is not None:
        start = np.ascontiguousarray(of.guess[mirror])
    e = np.zeros((batch, cols)) if of.e is None else np.ascontiguousarray(of.e[:, top.cols])
    g = np.ascontiguousarray(g[mirror])
    first = np.ascontiguousarray(np.atleast_2d(top.first))
    v = np.ascontiguousarray(of.v[:, top.rows])
    if first.max() == np.inf:
        v = np.where(top.driven, v, 0.0)
    if of.gate is not None:
        g = g * np.atleast_2d(of.gate)[:, top.rows, None]
    s = np.zeros((0, rows, cols))
    if of.source is not None:
        s = np.ascontiguousarray(of.source[mirror])
    current, residual, lost = np.empty((batch, cols)), np.zeros(batch), np.empty(batch)
    row = np.empty((batch if fields else 0, rows, cols))
    col = np.empty_like(row)
    found = pcg.Found(current, row, col, residual, lost)
    limit = 100 + 10 * (rows + cols)
    # Linear: voltages far from one would overflow or vanish in the squares of the arithmetic.
    scale = float(max(np.abs(v).max(), np.abs(e).max()))
    scale = scale if of.source is None and scale > 0.0 and not 1e-100 < scale < 1e100 else 1.0
    if scale != 1.0:
        v, e, start = v / scale, e / scale, start / scale
    problem = pcg.Problem(g, v, first, e, s, start, top.ladder)

    def solve(tol: float) -> float:
        def work(lo: int, hi: int) -> None:
            memory = scratch(pcg.size(rows, cols))
            pcg.reads(problem, tol, limit, lo, hi, memory, found)

        spread(work, batch, cost=batch * rows * cols)
        return float(residual.max())

    worst = solve(float(tol))
    # Where sneak currents dwarf the sensed ones, an error that is small beside them is not enough.
    fine = within is None and tol <= _FINE
    if fine and math.isfinite(worst) and not lost.max() <= _LOST:
        worst = solve(1e-15)
    # The stop is by an estimate; the residual is measured.
    accepted = max(100.0 * tol, 1e-9) if within is None else within
    good = worst <= accepted and math.isfinite(worst) and math.isfinite(current.sum())
    if not good or (fine and not lost.max() <= _LOST):
        raise NotConverged(
            f"The network of {rows} x {cols} cells must be solved to a tolerance of {tol:g}, but "
            f"its largest error is {worst:.1e} of the largest current, {lost.max():.1e} of the "
            "largest sensed one. Check that conductances, resistances and voltages are physical.",
            residual=worst,
        )
    if scale != 1.0:
        row, col, current = row * scale, col * scale, current * scale
    return Solved(row[mirror], col[mirror], current[:, top.cols], worst)
