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

from aimc.kernels.noise import forms
from aimc.kernels.wires import network
from aimc.kernels.wires.topology import Topology

Floats = NDArray[np.float64]

_LEAST = 1e-3  # of the first, singular values of the diagonals that are kept
_TURNS = 3  # of the alternating least squares, which hardly move from the second on
_TRIED = 8  # inputs of each kind that measure the error


class SharedForms(NamedTuple):
    """Variances of column currents [A^2] for source voltages v [V], of column j

    scale^2 (sum_p weights_pj sum_k diagonal_kp v_k^2 + (sum_k mean_k v_k) (sum_k cross_kj v_k)).

    diagonal (rows, few); weights (few, cols); mean (rows,); cross (rows, cols), or (rows, 0) where
    no wire has resistance; scale [S]. The variance of a sum or difference of columns has the sum of
    their weights and of their crosses. error: the largest relative error of a standard deviation,
    in any column, for dense inputs of one sign and of both and for inputs of which one in ten is
    not 0, measured against `network.noise_std`; inputs of one block of rows can miss more.
    """

    diagonal: Floats
    weights: Floats
    mean: Floats
    cross: Floats
    scale: float
    error: float


def shared_forms(g: Floats, sigma: Floats, top: Topology) -> SharedForms | None:
    """The shared forms of `network.noise_std`; whether its `error` is small enough is for the
    caller to say.

    g, sigma  (rows, cols)     conductances and their deviations in one read [S]
    returns   None for more than `forms.LARGEST`
    raises    NotConverged
    """
    rows, cols = g.shape
    scale = float(sigma.max()) or 1.0
    gain = network.noise_gain(g, top)
    own, mean, cross = (sigma / scale) ** 2, np.zeros(rows), np.zeros((rows, 0))
    if not top.ideal:
        if rows * g.size > forms.LARGEST:
            return None
        fields = forms.fields(g, (sigma / scale) * gain, top)
        own = np.einsum("jki,jki->kj", fields, fields).astype(float)

        def between(x: Floats) -> Floats:
            at = fields @ (fields.transpose(0, 2, 1) @ x.T[:, :, None].astype(np.float32))
            return at[:, :, 0].T - own * x

        mean, cross = _apart(between, rows, cols)
        own = own - mean[:, None] * cross
    left, values, right = np.linalg.svd(own, full_matrices=False)
    few = max(1, int((values > _LEAST * values[0]).sum()))
    weights = values[:few, None] * right[:few]
    found = SharedForms(left[:, :few], weights, mean, cross, scale, np.inf)
    v = _inputs(rows)
    exact = network.noise_std(g, v, sigma, gain, top, tol=1e-4)
    gap = np.abs(std(v, found) - exact) / np.where(exact > 0.0, exact, 1.0)
    return found._replace(error=float(gap.max()))


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
