"""A crossbar whose cells are not linear: Newton's method around the linear network.

At the voltages u across the cells each cell is replaced by its tangent, a conductance
s = di/du(u) with a current i(u) - s u beside it, and the linear network so made is solved. Its
currents obey Kirchhoff's law exactly; what is left is the difference between tangent and curve,

    miss = i(u') - (i(u) + s (u' - u)),

which is zero to second order: convergence is quadratic. The solution minimises a convex function
(the co-content), so a step that goes too far is shortened along its line, with

    d(co-content)/dt = sum (i(u + t du) - c(t)) du,   c linear between the currents of the wires.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from aimc.arrays import Array, Codes, NDArray
from aimc.errors import NotConverged
from aimc.kernels.base.jit import jit, reduction
from aimc.kernels.wires.iteration import Reads, iterate
from aimc.kernels.wires.sums import total
from aimc.kernels.wires.topology import Topology

Cells = Callable[[Array, Codes], tuple[Array, Array]]
AT_ONCE = 2**20  # cells that are solved together
_STEPS = 100
_STEEP = 1e3  # tangents times wires, in multiples of one
_FINE, _FINEST = 1e-10, 1e-13  # tolerances of the linear network in the last step


class Curve(Protocol):
    """What cells of conductance `g` at 0 V carry [A] at `u` volts, and its slope >= 0 [S]."""

    def evaluate(self, g: Array, u: Array) -> tuple[Array, Array]: ...


class Newton(NamedTuple):
    """A batch of reads of an array of nonlinear cells."""

    row_voltage: Array  # (reads, rows, cols) [V]
    col_voltage: Array  # (reads, rows, cols) [V]
    current: Array  # (reads, cols) [A]
    residual: float  # largest error of the current law over the largest source or column current
    cell_current: Array  # (reads, rows, cols) [A]
    history: tuple[float, ...]  # the residual after each step, the largest of the reads


class _State(NamedTuple):
    """Voltages whose wires obey Kirchhoff's law while they carry `wanted` into the cells."""

    row: Array
    col: Array
    current: Array
    u: Array
    wanted: Array
    i: Array  # what the cells carry at `u`
    slope: Array
    miss: Array  # (reads,) largest |i - wanted| over the largest source or column current
    linear: Array  # (reads,) by how much the wires miss Kirchhoff's law, in the same measure

    @property
    def error(self) -> Array:
        return self.miss + self.linear


@jit
def _beside(i: Array, slope: Array, u: Array, out: Array) -> None:
    """The tangents' currents at 0 V: i - s u."""
    for k in range(len(out)):
        out[k] = i[k] - slope[k] * u[k]


@jit
def _tangent(slope: Array, beside: Array, u: Array, out: Array) -> None:
    """The tangents' currents at `u`."""
    for k in range(len(out)):
        out[k] = slope[k] * u[k] + beside[k]


@reduction
def _along(i: Array, wanted: Array, u: Array, before: Array) -> float:
    """sum (i - wanted) (u - before)"""
    total = 0.0
    for k in range(len(u)):
        total += (i[k] - wanted[k]) * (u[k] - before[k])
    return total


@jit
def _rises(i: Array, wanted: Array, u: Array, before: Array, out: Array) -> None:
    """d(co-content)/dt of each read, times the step."""
    for n in range(len(out)):
        rise = 0.0
        for k in range(i.shape[1]):
            rise += _along(i[n, k], wanted[n, k], u[n, k], before[n, k])
        out[n] = rise


@jit
def _misses(i: Array, wanted: Array, current: Array, worst: Array, out: Array) -> None:
    """Largest |i - wanted| of each read over its largest source or column current."""
    for n in range(len(out)):
        scale, error = 0.0, 0.0
        for j in range(current.shape[1]):
            scale = max(scale, abs(current[n, j]))
            worst[j] = 0.0
        for k in range(i.shape[1]):
            scale = max(scale, abs(total(wanted[n, k])))
            ik, wk = i[n, k], wanted[n, k]
            for j in range(len(worst)):
                worst[j] = max(worst[j], abs(ik[j] - wk[j]))
        for j in range(len(worst)):
            error = max(error, worst[j])
            if worst[j] != worst[j]:
                error = np.inf
        out[n] = error / scale if scale > 0.0 else error


def solve(
    curve: Curve,
    g: Array,
    v: Array,
    top: Topology,
    gate: NDArray[np.bool_] | None = None,
    tol: float = 1e-12,
) -> Newton:
    """Every node voltage for a batch of inputs.

    g        (rows, cols) or (reads, rows, cols)  conductances at 0 V [S], >= 0
    v        (reads, rows)                        source voltages [V]
    tol      residual at which to stop; see `Newton`
    top, gate  as in `network.reads`
    raises   NotConverged with the residual reached
    """
    rows, cols = g.shape[-2:]
    on = None if gate is None else np.broadcast_to(np.atleast_2d(gate), v.shape)
    parts: list[Newton] = []
    step = max(1, AT_ONCE // (rows * cols))
    for lo in range(0, len(v), step):
        here = slice(lo, lo + step)
        first = top.first if top.first.ndim == 1 or len(top.first) == 1 else top.first[here]
        part = None if on is None else on[here, :, None]
        cells = _cells(curve, g if g.ndim == 2 else g[here], part)
        parts.append(_solve(cells, v[here], cols, top._replace(first=first), tol))
    joined = [np.concatenate([part[k] for part in parts]) for k in (0, 1, 2, 4)]
    longest = max(len(part.history) for part in parts)
    history = tuple(
        max(part.history[min(k, len(part.history) - 1)] for part in parts) for k in range(longest)
    )
    return Newton(
        joined[0], joined[1], joined[2], max(part.residual for part in parts), joined[3], history
    )


def _cells(curve: Curve, g: Array, on: NDArray[np.bool_] | None) -> Cells:
    """Currents and slopes of the cells of some reads; those of rows that are off are zero."""

    def cells(u: Array, which: Codes) -> tuple[Array, Array]:
        i, slope = curve.evaluate(g if g.ndim == 2 else g[which], u)
        if on is not None:
            i, slope = i * on[which], slope * on[which]
        return np.ascontiguousarray(i), np.ascontiguousarray(slope)

    return cells


def _solve(cells: Cells, v: Array, cols: int, top: Topology, tol: float) -> Newton:
    reads, rows = v.shape
    every = np.arange(reads, dtype=np.intp)
    driven = np.broadcast_to(np.atleast_2d(top.driven), (reads, rows))[:, top.rows]
    u = np.repeat(np.where(driven, v, 0.0)[:, :, None], cols, axis=2)
    i, slope = cells(u, every)
    wires = top.r_row * cols + top.r_col * rows + top.last + np.min(top.first)
    # Far up an exponential the tangents would short the wires; the line search climbs there.
    while slope.max() * wires > _STEEP and np.abs(u).max() > 1e-6:
        u *= 0.5
        i, slope = cells(u, every)
    finer = 1e-4
    now = _linear(cells, v, top, every, (u, i, slope), None, finer)
    history = [float(now.error.max())]

    def done() -> bool:
        # A small residual of a coarse solution may still hide an error that all cells share.
        return history[-1] <= tol and finer <= _FINE

    while not done() and len(history) < _STEPS and np.isfinite(history[-1]):
        todo = every
        if finer <= _FINE and now.error.min() <= tol:
            todo = np.flatnonzero(~(now.error <= tol))
        before = now if len(todo) == reads else _State(*(part[todo] for part in now))
        finer = float(np.clip(0.01 * before.miss.max() ** 2, _FINEST, 1e-4))
        at = before.u, before.i, before.slope
        after = _linear(cells, v[todo], _some(top, todo), todo, at, before.col, finer)
        after = _shorten(before, after, cells, todo)
        if len(todo) == reads:
            now = after
        else:
            for whole, part in zip(now, after, strict=True):
                whole[todo] = part
        history.append(float(now.error.max()))
    if not done():
        raise NotConverged(
            f"The network of {rows} x {cols} nonlinear cells must obey the current law to {tol:g}, "
            f"but does to {history[-1]:.1e} after {len(history)} steps. Check that the cells' "
            "curves rise and the voltages are physical.",
            residual=history[-1],
        )
    return Newton(now.row, now.col, now.current, history[-1], now.i, tuple(history))


def _some(top: Topology, which: Codes) -> Topology:
    alone = top.first.ndim == 1 or len(top.first) == 1
    return top if alone else top._replace(first=top.first[which])


def _state(
    cells: Cells, which: Codes, row: Array, col: Array, u: Array, current: Array, linear: Array,
    wanted: Array,
) -> _State:  # fmt: skip
    i, slope = cells(u, which)
    miss = np.empty(len(u))
    _misses(i, wanted, current, np.empty_like(u[0, 0]), miss)
    return _State(row, col, current, u, wanted, i, slope, miss, linear)


def _linear(
    cells: Cells, v: Array, top: Topology, which: Codes,
    at: tuple[Array, Array, Array], guess: Array | None, tol: float,
) -> _State:  # fmt: skip
    """The network of the cells' tangents at voltages, currents and slopes `at`."""
    u, i, slope = at
    beside = np.empty_like(u)
    _beside(i.ravel(), slope.ravel(), u.ravel(), beside.ravel())
    try:
        reads = Reads(v, guess, source=beside)
        solved = iterate(slope, reads, top, tol, True, within=np.inf)
    except NotConverged as error:
        raise NotConverged(
            f"The tangents of {u.shape[1]} x {u.shape[2]} nonlinear cells must form a network that "
            f"can be solved, but {error.residual:.1e} of the current is missing. Check that the "
            "cells' curves (`iv`) rise everywhere and the voltages are physical.",
            residual=error.residual,
        ) from error
    current = np.ascontiguousarray(solved.current)
    row, col = np.ascontiguousarray(solved.row_voltage), np.ascontiguousarray(solved.col_voltage)
    u, wanted = row - col, np.empty_like(row)
    _tangent(slope.ravel(), beside.ravel(), u.ravel(), wanted.ravel())
    linear = np.full(len(u), solved.residual)
    return _state(cells, which, row, col, u, current, linear, wanted)


def _shorten(before: _State, after: _State, cells: Cells, which: Codes) -> _State:
    """`after`, or a point on the way there where the co-content no longer rises."""

    def rise(at: _State, i: Array, wanted: Array) -> Array:
        result = np.empty(len(i))
        _rises(i, wanted, at.u, before.u, result)
        return result

    full, t = after, np.ones(len(which))
    fall = -rise(full, before.i, before.wanted)
    end = rise(full, full.i, full.wanted)
    for _ in range(30):
        # A step that mends a coarser solution of the wires is taken whole, even uphill.
        far = (fall > 0.0) & ~(end <= 0.5 * fall) & ~(after.miss <= 0.5 * before.miss)
        far &= ~(after.miss <= 10.0 * before.linear)
        if not far.any():
            break
        # Secant of the slope along the line, which may have overflowed at its end.
        secant = np.nan_to_num(t * fall / np.where(far, fall + end / t, 1.0), nan=0.1)
        t = np.where(far, np.clip(secant, 0.1 * t, 0.7 * t), t)
        share = t[:, None, None]
        row = before.row + share * (full.row - before.row)
        col = before.col + share * (full.col - before.col)
        after = _state(
            cells, which, row, col, row - col,
            before.current + t[:, None] * (full.current - before.current),
            before.linear + t * (full.linear - before.linear),
            before.wanted + share * (full.wanted - before.wanted),
        )  # fmt: skip
        end = rise(full, after.i, after.wanted)
    return after
