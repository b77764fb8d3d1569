"""Read noise through the wires at the price of two matrix products.

The voltages across cells are linear in the inputs, so that the variance of a column's current is a
quadratic form of them. Wires that take little of the voltage leave it nearly diagonal; the rest is
that the inputs' mean lifts a column in proportion to its current: one product with a matrix like
the transfer. Where all cells are alike, a few diagonals serve all columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.blas import one_thread, product
from aimc.kernels.noise.alone import alone
from aimc.kernels.wires import network
from aimc.kernels.wires.topology import Topology

Floats = NDArray[np.float64]

MOST_ERROR = 0.05
"""Of a deviation, in the worst column for the worst input, beyond which forms are not used; the rms
is less than half of it. The first order itself leaves out as much: the cells of other columns."""
_TURNS = 3  # of the alternating least squares, which hardly move from the second on
_FAINT = 1e-6  # of a column's largest variance, below which an input tells nothing of it
_TRIED = 8  # inputs of each kind that measure the error, and columns whose gain does
_STIFF = 1e-6  # holds a part that these inputs do not show


class Forms(NamedTuple):
    """Variances of column currents [A^2] for source voltages v [V], of column j

    scale^2 (sum_k diagonal_kj v_k^2 + (sum_k mean_k v_k) (sum_k cross_kj v_k)).

    diagonal (rows, cols); mean (rows,); cross (rows, cols), or (rows, 0) where no wire has
    resistance; scale [S]. Those of a sum or difference of columns add up. error: the largest
    relative error of a standard deviation, in any column, for dense inputs of one sign and of both
    and for inputs of which one in ten is not 0, measured against `network.noise_std`; inputs of one
    block of rows can miss more. Where cells without noise carry the input, it is relative to a
    quarter of what the column has in the mean for inputs of the same power.
    """

    diagonal: Floats
    mean: Floats
    cross: Floats
    scale: float
    error: float

    def pairs(self) -> Forms:
        """Of columns 0 and 1, 2 and 3, and so on, together."""
        diagonal, cross = (x[:, 0::2] + x[:, 1::2] for x in (self.diagonal, self.cross))
        return self._replace(diagonal=diagonal, cross=cross)


@one_thread()
def forms(g: Floats, sigma: Floats, top: Topology) -> Forms:
    """The forms of `network.noise_std`; whether their `error` is small enough is for the caller to
    say.

    g, sigma  (rows, cols)     conductances and their deviations in one read [S]
    raises    NotConverged
    """
    rows, cols = g.shape
    scale = float(sigma.max()) or 1.0  # so that squares keep in range
    if top.ideal:
        return Forms((sigma / scale) ** 2, np.zeros(rows), np.empty((rows, 0)), scale, 0.0)
    mirror = (top.rows, top.cols)
    of = alone(np.ascontiguousarray(g[mirror]), top)
    weight = np.ascontiguousarray((sigma / scale)[mirror] * of.gain) ** 2
    own = of.own(weight)

    def between(x: Floats) -> Floats:
        return of.form(weight, x) - own * x

    mean, cross = _apart(between, rows, cols)
    gain, v = np.ascontiguousarray(of.gain[mirror]), _inputs(rows)
    exact = network.noise_std(g, v, sigma, gain, top, tol=1e-4)
    mean, own, cross = mean[top.rows], own[mirror], cross[mirror]
    # What other lines carry back scales the rows' own parts and those between them: least squares
    # of every other input. One row alone has its own part only, and so is never below zero.
    both = mean[:, None] * cross
    wanted = (exact[::2] / scale) ** 2
    wanted = np.maximum(wanted, _FAINT * wanted.max(axis=0) + np.finfo(float).tiny)
    one = v[::2] ** 2 @ own / wanted
    two = ((v[::2] @ mean)[:, None] * (v[::2] @ cross) - v[::2] ** 2 @ both) / wanted
    a, b, c = (np.sum(x, axis=0) for x in (one * one, one * two, two * two))
    p, q = (np.sum(x, axis=0) + _STIFF for x in (one, two))
    a, c = a + _STIFF, c + _STIFF
    det = a * c - b * b
    if not (np.isfinite(det) & (det > 0.0)).all():
        return Forms(own, mean, cross, scale, np.inf)
    first, second = (c * p - b * q) / det, (a * q - b * p) / det
    found = Forms(first * own - second * both, mean, second * cross, scale, 0.0)
    some = slice(None, None, max(1, cols // _TRIED))
    missed = gain[:, some] / network.noise_gain(g, top, columns=some) - 1.0
    return found._replace(error=_gap(found, v, exact) + float(np.abs(missed).max()))


def factored(of: Forms, most: int) -> tuple[Floats, Floats, Floats]:
    """Diagonals (rows, n) and their weights (n, cols) that all columns share, n at most `most`, and
    the error with the first 1, 2, ... of them (n,)."""
    left, values, right = np.linalg.svd(of.diagonal, full_matrices=False)
    few, v = min(most, values.size), _inputs(len(of.diagonal))
    left, right = left[:, :few], values[:few, None] * right[:few]
    exact, errors = std(v, of), np.empty(few)
    for n in range(1, few + 1):
        own = left[:, :n] @ right[:n]
        errors[n - 1] = of.error + _gap(of._replace(diagonal=own), v, exact)
    return left, right, errors


def std(v: Floats, of: Forms) -> Floats:
    """Standard deviation of the sensed currents (batch, cols) [A], for v (batch, rows) [V]."""
    top = float(np.abs(v).max(initial=0.0)) or 1.0
    v = v / top
    variance = product(v * v, of.diagonal)
    if of.cross.size:
        variance += product(v, of.mean[:, None]) * product(v, of.cross)
    return np.sqrt(np.maximum(variance, 0.0)) * (top * of.scale)


def _gap(of: Forms, v: Floats, exact: Floats) -> float:
    """The largest error of a standard deviation, see `Forms`."""
    mean = of.scale * np.sqrt((v * v).sum(axis=1)[:, None] * np.abs(of.diagonal).mean(axis=0))
    least = np.maximum(exact, 0.25 * mean)
    return float((np.abs(std(v, of) - exact) / np.where(least > 0.0, least, 1.0)).max())


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
