"""Read noise of a whole array by a few forms that its columns share, at less than one product more.

Of what a column's variance is as a form of the inputs, each cell's own share differs little from
column to column, so a few diagonals hold it; the rest is that the inputs' mean lifts the column in
proportion to its current: one product with a matrix like the transfer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.blas import one_thread
from aimc.kernels.noise.alone import alone
from aimc.kernels.wires import network
from aimc.kernels.wires.topology import Topology

Floats = NDArray[np.float64]

_MOST = 12  # diagonals
_TURNS = 3  # of the alternating least squares, which hardly move from the second on
_FAINT = 1e-6  # of a column's largest variance, below which an input tells nothing of it
_TRIED = 8  # inputs of each kind that measure the error, and columns whose gain does
_STIFF = 1e-6  # holds a part that these inputs do not show


class SharedForms(NamedTuple):
    """Variances of column currents [A^2] for source voltages v [V], of column j

    scale^2 (sum_p weights_pj sum_k diagonal_kp v_k^2 + (sum_k mean_k v_k) (sum_k cross_kj v_k)).

    diagonal (rows, few); weights (few, cols); mean (rows,); cross (rows, cols), or (rows, 0) where
    no wire has resistance; scale [S]. The variance of a sum or difference of columns has the sum of
    their weights and of their crosses. errors (few,): with the first 1, 2, ... diagonals, the
    largest relative error of a standard deviation, in any column, for dense inputs of one sign and
    of both and for inputs of which one in ten is not 0, measured against `network.noise_std`;
    inputs of one block of rows can miss more.
    """

    diagonal: Floats
    weights: Floats
    mean: Floats
    cross: Floats
    scale: float
    errors: Floats


@one_thread()
def shared_forms(g: Floats, sigma: Floats, top: Topology) -> SharedForms:
    """The shared forms of `network.noise_std`; whether its `error` is small enough is for the
    caller to say.

    g, sigma  (rows, cols)     conductances and their deviations in one read [S]
    raises    NotConverged
    """
    rows, cols = g.shape
    scale = float(sigma.max()) or 1.0
    v = _inputs(rows)
    if top.ideal:
        own = (sigma / scale) ** 2
        exact = scale * np.sqrt(v**2 @ own)
        return _found(own, np.zeros_like(g[:, 0]), np.empty_like(g[:, :0]), scale, v, exact)
    mirror = (top.rows, top.cols)
    of = alone(np.ascontiguousarray(g[mirror]), top)
    weight = np.ascontiguousarray((sigma / scale)[mirror] * of.gain) ** 2
    own = of.own(weight)

    def between(x: Floats) -> Floats:
        return of.form(weight, x) - own * x

    mean, cross = _apart(between, rows, cols)
    own = own - mean[:, None] * cross
    gain = np.ascontiguousarray(of.gain[mirror])
    exact = network.noise_std(g, v, sigma, gain, top, tol=1e-4)
    mean, own, cross = mean[top.rows], own[mirror], cross[mirror]
    # What other lines carry back scales both parts: least squares of every other input.
    wanted = (exact[::2] / scale) ** 2
    wanted = np.maximum(wanted, _FAINT * wanted.max(axis=0) + np.finfo(float).tiny)
    one = v[::2] ** 2 @ own / wanted
    two = (v[::2] @ mean)[:, None] * (v[::2] @ cross) / wanted
    a, b, c = (np.sum(x, axis=0) for x in (one * one, one * two, two * two))
    p, q = (np.sum(x, axis=0) + _STIFF for x in (one, two))
    a, c = a + _STIFF, c + _STIFF
    det = a * c - b * b
    if not (np.isfinite(det) & (det > 0.0)).all():
        return SharedForms(own[:, :1], own[:1], mean, cross, scale, np.full(1, np.inf))
    own, cross = own * ((c * p - b * q) / det), cross * ((a * q - b * p) / det)
    found = _found(own, mean, cross, scale, v, exact)
    some = slice(None, None, max(1, cols // _TRIED))
    missed = gain[:, some] / network.noise_gain(g, top, columns=some) - 1.0
    return found._replace(errors=found.errors + np.abs(missed).max())


def _found(
    own: Floats, mean: Floats, cross: Floats, scale: float, v: Floats, exact: Floats
) -> SharedForms:
    """With the diagonals `own` (rows, cols) by few, and their errors for inputs v."""
    left, values, right = np.linalg.svd(own, full_matrices=False)
    few = min(_MOST, values.size)
    diagonal, weights = left[:, :few], values[:few, None] * right[:few]
    found = SharedForms(diagonal, weights, mean, cross, scale, np.empty(few))
    for n in range(1, few + 1):
        some = found._replace(diagonal=diagonal[:, :n], weights=weights[:n])
        gap = np.abs(std(v, some) - exact) / np.where(exact > 0.0, exact, 1.0)
        found.errors[n - 1] = gap.max()
    return found


def _apart(between: Callable[[Floats], Floats], rows: int, cols: int) -> tuple[Floats, Floats]:
    """The r (rows,) and c (rows, cols) of which (r c_j' + c_j r') / 2 is closest to what each
    column's form E_j has beside its diagonal; `between` gives all E_j x_j of x (rows, cols)."""
    r, c = np.full(rows, 1.0 / np.sqrt(rows)), np.zeros((rows, cols))
    for _ in range(_TURNS):
        against = between(np.repeat(r[:, None], cols, axis=1))
        for _ in range(4):  # the diagonal, which is free, as the pair makes it
            full = against + r[:, None] ** 2 * c
            c = 2.0 * full - r[:, None] * (r @ full)
        power = (c * c).sum(axis=0).sum() or 1.0
        down = (c * (r @ c)).sum(axis=1)
        r = (2.0 * (between(c) + r[:, None] * c * c).sum(axis=1) - down) / power
        r /= np.linalg.norm(r) or 1.0
    return r, c


def _inputs(rows: int) -> Floats:
    """Dense inputs of both signs and of one, and sparse ones, which no average helps."""
    draw = np.random.default_rng(0).uniform
    sparse = draw(0.0, 1.0, (_TRIED, rows)) * (draw(0.0, 1.0, (_TRIED, rows)) < 0.1)
    dense = draw(0.0, 1.0, (_TRIED, rows))
    return np.concatenate([draw(-1.0, 1.0, (_TRIED, rows)), dense, sparse])


def std(v: Floats, of: SharedForms) -> Floats:
    """Standard deviation of the sensed currents (batch, cols) [A], for v (batch, rows) [V]."""
    variance = (v * v @ of.diagonal) @ of.weights
    if of.cross.size:
        variance += (v @ of.mean)[:, None] * (v @ of.cross)
    return of.scale * np.sqrt(np.maximum(variance, 0.0))
