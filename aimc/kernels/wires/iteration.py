"""Reads without a transfer matrix: checks, mirrors, threads; the arithmetic is in `pcg`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aimc.errors import ArgumentError, NotConverged, as_array
from aimc.kernels.base.threads import scratch, spread
from aimc.kernels.wires import pcg
from aimc.kernels.wires.topology import Topology, as_mask

Floats = NDArray[np.float64]
_FINE = 1e-8  # tolerance from which on the sensed currents must be right, too
_LOST = 1e-8  # error of the current law over the largest sensed current


class Solved(NamedTuple):
    """All voltages and sensed currents of a batch of reads."""

    row_voltage: Floats  # (batch, rows, cols) [V]
    col_voltage: Floats  # (batch, rows, cols) [V]
    current: Floats  # (batch, cols) [A]
    residual: float  # largest error of the current law over the largest source or column current


def iterate(
    g: Floats,
    v: ArrayLike,
    top: Topology,
    tol: float,
    fields: bool,
    guess: ArrayLike | None = None,
    e: Floats | None = None,
    source: Floats | None = None,
    gate: ArrayLike | None = None,
    within: float | None = None,
) -> Solved:
    """Solves a batch of reads to `tol`, each on its own; arguments as in `network`, and

    g       (1 or reads, rows, cols)  conductances, checked [S]
    fields  whether all voltages are wanted; otherwise their arrays are empty
    e       (reads, cols)             voltages of the sense terminals [V]
    source  (reads, rows, cols)       currents through the cells besides g u [A]
    within  the residual to accept; None: 100 tol, which typical circuits meet ten-thousandfold
    """
    rows, cols = g.shape[1:]
    v = as_array("v", v, (None, rows))
    batch = len(v)
    mirror = (slice(None), top.rows, top.cols)
    start = np.zeros((0, rows, cols))
    if guess is not None:
        start = as_array("guess", guess, (None,) * (np.ndim(guess) - 2) + (rows, cols))
        start = np.ascontiguousarray((start if start.ndim == 3 else start[None])[mirror])
        if len(start) not in (1, batch):
            raise ArgumentError(f"`guess` must hold 1 or {batch} arrays, but holds {len(start)}.")
    e = np.zeros((batch, cols)) if e is None else np.ascontiguousarray(e[:, top.cols])
    g = np.ascontiguousarray(g[mirror])
    first = np.ascontiguousarray(np.atleast_2d(top.first))
    v = np.ascontiguousarray(v[:, top.rows])
    if first.max() == np.inf:
        v = np.where(top.driven, v, 0.0)
    if gate is not None:
        on = np.atleast_2d(as_mask("gate", gate, rows))[:, top.rows]
        g = g * on[:, :, None]
    for name, given in (("active", first), ("g", g)):
        if len(given) not in (1, batch):
            raise ArgumentError(
                f"`{name}` must hold 1 or {batch} arrays, one a read, but holds {len(given)}."
            )
    s = np.zeros((0, rows, cols)) if source is None else np.ascontiguousarray(source[mirror])
    current, residual = np.empty((batch, cols)), np.zeros(batch)
    row = np.empty((batch if fields else 0, rows, cols))
    col = np.empty_like(row)
    limit = 100 + 10 * (rows + cols)

    lost = np.empty(batch)
    # Linear: voltages far from one would overflow or vanish in the squares of the arithmetic.
    scale = float(max(np.abs(v).max(), np.abs(e).max()))
    scale = scale if source is None and scale > 0.0 and not 1e-100 < scale < 1e100 else 1.0
    if scale != 1.0:
        v, e, start = v / scale, e / scale, start / scale

    def solve(tol: float) -> float:
        def work(lo: int, hi: int) -> None:
            memory = scratch(pcg.size(rows, cols))
            pcg.reads(
                g, v, first, e, s, start, top.ladder, tol, limit, lo, hi, memory, current, row, col,
                residual, lost,
            )  # fmt: skip

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
