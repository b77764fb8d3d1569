"""The linear network of a crossbar: cells between row and column wires, all with resistance.

Cell `(i, j)` joins row node `(i, j)` to column node `(i, j)` with conductance `g[i, j]`.
Neighbouring nodes of a row are `r_row` apart, those of a column `r_col`. The source drives a row's
first node through `r_source`; a column's last node reaches virtual ground through `r_sense`. Any of
the four may be zero.

Every function takes the wires as one `top`, which also says which rows float (`solve` and `reads`
take another set for each read), and arrays that its caller has checked: finite, g >= 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from aimc.arrays import Array, NDArray
from aimc.errors import NotConverged
from aimc.kernels.base import blas
from aimc.kernels.base.threads import spread
from aimc.kernels.wires import closing, reduction
from aimc.kernels.wires.iteration import Reads, Solved, iterate
from aimc.kernels.wires.leaves import Wires
from aimc.kernels.wires.topology import Topology

_SPAN = 1e100  # conductance times resistance up to which no product overflows


def transfer(g: Array, top: Topology) -> Array:
    """The matrix with which `v @ transfer` are the sensed currents, exactly.

    g        (rows, cols)  conductances [S], >= 0; 0 is an open cell
    returns  (rows, cols)  [S]; rows of floating lines are 0; `g` itself if no wire has resistance
    raises   NotConverged
    """
    with blas.one_thread():
        return _transfer(g, top).astype(np.float64, copy=False)


def _transfer(g: Array, top: Topology, dtype: DTypeLike = np.float64) -> NDArray[np.floating]:
    driven = top.driven
    if top.ideal:
        return np.where(driven[top.rows, None], g, 0.0).astype(dtype, copy=False)
    g, wires = _bottom_up(g, top)
    if driven.all() and top.row_end < 0.0 and top.col_end < 0.0:
        result, miss = reduction.left_to_bottom(g, wires, dtype)
    else:
        result, _, miss = closing.close(g, driven[::-1], top, wires)
    _check(g, result, top, miss, 1e-8 if np.dtype(dtype) == np.float64 else 1e-3)
    result = result[::-1].astype(dtype, copy=False)
    return np.ascontiguousarray(result[top.rows, top.cols])


def _bottom_up(g: Array, top: Topology) -> tuple[Array, Wires]:
    """The mirrored array as elimination takes it, the bottom row first."""
    first = np.ascontiguousarray(np.where(top.driven, top.first, 0.0)[::-1])
    wires = Wires(first, top.r_row, top.last, top.r_col)
    return np.ascontiguousarray(g[top.rows, top.cols][::-1]), wires


def admittances(g: Array, top: Topology) -> Array:
    """Current into the source of one row a volt on another, all others at 0 V, exactly.

    g        (rows, cols)  conductances [S], >= 0
    top      driven from one end: a row with two sources has no one current
    returns  (rows, rows)  [S], symmetric
    raises   NotConverged
    """
    with blas.one_thread():
        flipped, wires = _bottom_up(g, top)
        theta, y, miss = closing.close(flipped, np.ones(len(g), bool), top, wires)
        _check(flipped, theta, top, miss, 1e-8)
    return np.ascontiguousarray(y[::-1, ::-1][top.rows, top.rows])


def _check(
    g: Array, result: NDArray[np.floating], top: Topology, miss: float, limit: float
) -> None:
    """Every inverse on the way must hold, and the array be passive: no current comes from nowhere,
    and none exceeds what the cells would carry without wires.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        slack = limit * g.max() if top.span * g.max() < _SPAN else np.nan
        active = max(
            -float(result.min()),
            float((result.sum(axis=0) - g.sum(axis=0)).max()),
            float((result.sum(axis=1) - g.sum(axis=1)).max()),
        )
    if not miss <= limit or not active <= slack * max(g.shape):
        residual = miss if not miss <= limit else active / (float(g.max()) or 1.0)
        residual = residual if residual > limit else float("inf")
        raise NotConverged(
            f"The transfer matrix of {len(g)} x {g.shape[1]} cells must be right to {limit:g}, but "
            f"is to {residual:.1e}. Its conductances and resistances span too many decades.",
            residual=residual,
        )


def transfers(g: Array, top: Topology, dtype: DTypeLike = np.float64) -> NDArray[np.floating]:
    """`transfer` of many arrays, one a thread: g (arrays, rows, cols) [S] -> the same shape [S].

    dtype    float64, or float32: the joins of blocks above 8 x 8 cells then run in single precision
    raises   NotConverged
    """
    result = np.empty(g.shape, dtype)

    def work(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            result[k] = _transfer(g[k], top, dtype)

    with blas.one_thread():
        spread(work, len(g), cost=100.0 * g.size)
    return result


def solve(g: Array, v: Array, top: Topology, gate: NDArray[np.bool_] | None = None) -> Solved:
    """Every node voltage for a batch of inputs.

    g        (rows, cols)   conductances [S], >= 0
    v        (batch, rows)  source voltages [V]; those of floating rows are ignored. A floating row
                            without any closed cell is at 0 V by convention
    raises   NotConverged
    """
    return iterate(g[None], Reads(v, gate=gate), top, tol=1e-15, fields=True)


def reads(
    g: Array,
    v: Array,
    top: Topology,
    gate: NDArray[np.bool_] | None = None,
    tol: float = 1e-9,
    guess: Array | None = None,
) -> tuple[Array, float]:
    """Sensed currents without a transfer matrix: for single reads, or noise in every read.

    g        (batch, rows, cols) or (rows, cols)  conductances [S], >= 0
    v        (batch, rows)                        source voltages [V]
    gate     (rows,) or (batch, rows)             rows whose cells are connected; None: all
    tol      energy norm of the residual over that of the drive, at which to stop
    guess    (1 or batch, rows, cols)             column voltages to start from [V], e.g. of `solve`
    returns  current (batch, cols) [A], residual: see `Solved`
    raises   NotConverged
    """
    solved = iterate(
        g if g.ndim == 3 else g[None], Reads(v, guess, gate=gate), top, tol, fields=False
    )
    return solved.current, solved.residual


_FIELDS = 32  # solutions with all their voltages that are held at once


def noise_gain(g: Array, top: Topology, tol: float = 1e-4, columns: slice = slice(None)) -> Array:
    """How much of a cell's excess current reaches the sense terminal of its own column.

    To first order a change dg of the conductances changes the current of column j by
    sum dg_kl U_kl A_kl, with U the voltages across the cells and A those across them when 1 V is
    applied to the sense terminal of column j alone (Tellegen). This is A in column j itself; the
    cells of other columns add little.

    g        (rows, cols)  conductances [S], >= 0
    columns                those that are asked for
    returns  (rows, those) [1]; 1 if no wire has resistance
    raises   NotConverged
    """
    rows, cols = g.shape
    which = range(cols)[columns]
    result = np.empty((rows, len(which)))
    for lo in range(0, len(which), _FIELDS):
        here = which[lo : lo + _FIELDS]
        unit = np.eye(cols)[here]
        at = iterate(g[None], Reads(np.zeros((len(unit), rows)), e=unit), top, tol, fields=True)
        for k, j in enumerate(here):
            result[:, lo + k] = at.col_voltage[k, :, j] - at.row_voltage[k, :, j]
    return result


def noise_std(
    g: Array, v: Array, sigma: Array, gain: Array, top: Topology, tol: float = 1e-3
) -> Array:
    """Standard deviation of the sensed currents under independent read noise, to first order.

        sigma_j^2 = sum_i (sigma_ij A_ij U_ij(v))^2

    g        (rows, cols)   conductances without the noise [S], >= 0
    v        (batch, rows)  source voltages [V]
    sigma    (rows, cols)   standard deviation of each cell's conductance [S]
    gain     (rows, cols)   `noise_gain` of the same array
    tol      of the voltages U across the cells; see `reads`
    returns  (batch, cols)  [A]
    raises   NotConverged
    """
    weight = sigma * gain
    result = np.empty((len(v), g.shape[1]))
    for lo in range(0, len(v), _FIELDS):
        here = slice(lo, lo + _FIELDS)
        at = iterate(g[None], Reads(v[here]), top, tol, fields=True)
        noise = weight * (at.row_voltage - at.col_voltage)
        result[here] = np.sqrt(np.einsum("nij,nij->nj", noise, noise))
    return result
