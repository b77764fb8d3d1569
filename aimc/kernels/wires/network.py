"""The linear network of a crossbar: cells between row and column wires, all with resistance.

Cell `(i, j)` joins row node `(i, j)` to column node `(i, j)` with conductance `g[i, j]`.
Neighbouring nodes of a row are `r_row` apart, those of a column `r_col`. The source drives a row's
first node through `r_source`; a column's last node reaches virtual ground through `r_sense`. Any of
the four may be zero.

Every function takes the topology by the same names:

    r_row, r_col, r_source, r_sense   resistances [ohm], >= 0
    drive    "left", "right" or "both": the end of the rows at which their source sits
    sense    "bottom" (the last row), "top" or "both" (the currents of both ends are summed)
    active   (rows,) bool: rows whose source is connected; the others float. None: all are.
             `solve` and `reads` also take (reads, rows)
    gate     (rows,) or (reads, rows) bool: rows whose cells are connected; the others' transistors
             are off. None: all are
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aimc.errors import ArgumentError, NotConverged, as_array, as_number
from aimc.kernels.base import blas
from aimc.kernels.base.threads import spread
from aimc.kernels.wires import closing, reduction
from aimc.kernels.wires.iteration import Solved, iterate
from aimc.kernels.wires.topology import Topology, topology

Floats = NDArray[np.float64]
_SPAN = 1e100  # conductance times resistance up to which no product overflows


def transfer(
    g: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
    active: ArrayLike | None = None,
) -> Floats:
    """The matrix with which `v @ transfer` are the sensed currents, exactly.

    g        (rows, cols)  conductances [S], >= 0; 0 is an open cell
    returns  (rows, cols)  [S]; rows of floating lines are 0; `g` itself if no wire has resistance
    raises   ArgumentError, NotConverged
    """
    g = as_array("g", g, (None, None), minimum=0.0)
    top = _fixed(g.shape, r_row, r_col, r_source, r_sense, drive, sense, active)
    with blas.one_thread():
        return _transfer(g, top).astype(np.float64, copy=False)


def _fixed(shape: Any, *wires: Any) -> Topology:
    """The wires of an array whose floating rows are the same in every read."""
    top = topology(shape, *wires)
    if top.first.ndim != 1:
        raise ArgumentError(
            f"`active` must have shape ({shape[0]},), but has shape {top.first.shape}. One "
            "transfer matrix holds for one set of floating rows."
        )
    return top


def _transfer(g: Floats, top: Topology, dtype: type = np.float64) -> NDArray[np.floating]:
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


def _bottom_up(g: Floats, top: Topology) -> tuple[Floats, reduction.Wires]:
    """The mirrored array as elimination takes it, the bottom row first."""
    first = np.ascontiguousarray(np.where(top.driven, top.first, 0.0)[::-1])
    wires = reduction.Wires(first, top.r_row, top.last, top.r_col)
    return np.ascontiguousarray(g[top.rows, top.cols][::-1]), wires


def admittances(
    g: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
) -> Floats:
    """Current into the source of one row a volt on another, all others at 0 V, exactly.

    g        (rows, cols)  conductances [S], >= 0
    drive    "left" or "right": a row with two sources has no one current
    returns  (rows, rows)  [S], symmetric
    raises   ArgumentError
    """
    g = as_array("g", g, (None, None), minimum=0.0)
    top = _fixed(g.shape, r_row, r_col, r_source, r_sense, drive, sense, None)
    if drive == "both":
        raise ArgumentError("`drive` must be left or right, but is 'both'.")
    with blas.one_thread():
        flipped, wires = _bottom_up(g, top)
        theta, y, miss = closing.close(flipped, np.ones(len(g), bool), top, wires)
        _check(flipped, theta, top, miss, 1e-8)
    return np.ascontiguousarray(y[::-1, ::-1][top.rows, top.rows])


def _check(
    g: Floats, result: NDArray[np.floating], top: Topology, miss: float, limit: float
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


def transfers(
    g: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
    active: ArrayLike | None = None,
    dtype: type = np.float64,
) -> NDArray[np.floating]:
    """`transfer` of many arrays, one a thread: g (arrays, rows, cols) [S] -> the same shape [S].

    dtype    float64, or float32: the joins of blocks above 8 x 8 cells then run in single precision
    raises   ArgumentError, NotConverged
    """
    g = as_array("g", g, (None, None, None), minimum=0.0)
    if np.dtype(dtype) not in (np.float64, np.float32):
        raise ArgumentError(f"`dtype` must be float64 or float32, but is {dtype!r}.")
    top = _fixed(g.shape[1:], r_row, r_col, r_source, r_sense, drive, sense, active)
    result = np.empty(g.shape, dtype)

    def work(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            result[k] = _transfer(g[k], top, dtype)

    with blas.one_thread():
        spread(work, len(g), cost=100.0 * g.size)
    return result


def solve(
    g: ArrayLike,
    v: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
    active: ArrayLike | None = None,
    gate: ArrayLike | None = None,
) -> Solved:
    """Every node voltage for a batch of inputs.

    g        (rows, cols)   conductances [S], >= 0
    v        (batch, rows)  source voltages [V]; those of floating rows are ignored. A floating row
                            without any closed cell is at 0 V by convention
    raises   ArgumentError, NotConverged
    """
    g = as_array("g", g, (None, None), minimum=0.0)
    top = topology(g.shape, r_row, r_col, r_source, r_sense, drive, sense, active)
    return iterate(g[None], v, top, tol=1e-15, fields=True, gate=gate)


def reads(
    g: ArrayLike,
    v: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
    active: ArrayLike | None = None,
    gate: ArrayLike | None = None,
    tol: float = 1e-9,
    guess: ArrayLike | None = None,
) -> tuple[Floats, float]:
    """Sensed currents without a transfer matrix: for single reads, or noise in every read.

    g        (batch, rows, cols) or (rows, cols)  conductances [S], >= 0
    v        (batch, rows)                        source voltages [V]
    tol      energy norm of the residual over that of the drive, at which to stop
    guess    (batch, rows, cols) or (rows, cols)  column voltages to start from [V], e.g. of `solve`
    returns  current (batch, cols) [A], residual: see `Solved`
    raises   ArgumentError, NotConverged
    """
    g = as_array("g", g, (None, None) if np.ndim(g) == 2 else (None, None, None), minimum=0.0)
    g = g if g.ndim == 3 else g[None]
    as_number("tol", tol, minimum=0.0)
    top = topology(g.shape[1:], r_row, r_col, r_source, r_sense, drive, sense, active)
    solved = iterate(g, v, top, tol, fields=False, guess=guess, gate=gate)
    return solved.current, solved.residual


_FIELDS = 32  # solutions with all their voltages that are held at once


def noise_gain(
    g: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
    active: ArrayLike | None = None,
    tol: float = 1e-4,
) -> Floats:
    """How much of a cell's excess current reaches the sense terminal of its own column.

    To first order a change dg of the conductances changes the current of column j by
    sum dg_kl U_kl A_kl, with U the voltages across the cells and A those across them when 1 V is
    applied to the sense terminal of column j alone (Tellegen). This is A in column j itself; the
    cells of other columns add little.

    g        (rows, cols)  conductances [S], >= 0
    returns  (rows, cols)  [1]; 1 if no wire has resistance
    raises   ArgumentError, NotConverged
    """
    g = as_array("g", g, (None, None), minimum=0.0)
    top = topology(g.shape, r_row, r_col, r_source, r_sense, drive, sense, active)
    rows, cols = g.shape
    result = np.empty((rows, cols))
    for j in range(0, cols, _FIELDS):
        unit = np.eye(cols)[j : j + _FIELDS]
        at = iterate(g[None], np.zeros((len(unit), rows)), top, tol, fields=True, e=unit)
        for k in range(len(unit)):
            result[:, j + k] = at.col_voltage[k, :, j + k] - at.row_voltage[k, :, j + k]
    return result


def noise_std(
    g: ArrayLike,
    v: ArrayLike,
    sigma: ArrayLike,
    gain: ArrayLike,
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
    active: ArrayLike | None = None,
    tol: float = 1e-3,
) -> Floats:
    """Standard deviation of the sensed currents under independent read noise, to first order.

        sigma_j^2 = sum_i (sigma_ij A_ij U_ij(v))^2

    g        (rows, cols)   conductances without the noise [S], >= 0
    v        (batch, rows)  source voltages [V]
    sigma    (rows, cols)   standard deviation of each cell's conductance [S]
    gain     (rows, cols)   `noise_gain` of the same array
    tol      of the voltages U across the cells; see `reads`
    returns  (batch, cols)  [A]
    raises   ArgumentError, NotConverged
    """
    g = as_array("g", g, (None, None), minimum=0.0)
    sigma = as_array("sigma", sigma, g.shape, minimum=0.0)
    weight = sigma * as_array("gain", gain, g.shape)
    top = topology(g.shape, r_row, r_col, r_source, r_sense, drive, sense, active)
    v = as_array("v", v, (None, len(g)))
    result = np.empty((len(v), g.shape[1]))
    for lo in range(0, len(v), _FIELDS):
        here = slice(lo, lo + _FIELDS)
        at = iterate(g[None], v[here], top, tol, fields=True)
        noise = weight * (at.row_voltage - at.col_voltage)
        result[here] = np.sqrt(np.einsum("nij,nij->nj", noise, noise))
    return result
