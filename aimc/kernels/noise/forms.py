"""Read noise through the wires at the price of a matrix product.

The voltages across cells are linear in the inputs, so that the variance of a column's current is a
quadratic form of them. Wires that take little of the voltage leave it nearly diagonal, and what
they add is smooth: a few modes hold it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.blas import one_thread, product
from aimc.kernels.wires import network
from aimc.kernels.wires.topology import Topology

Floats = NDArray[np.float64]

LARGEST = 2**26  # elements of the fields, 256 MiB; larger arrays solve for each read instead
MOST_MODES = 24
TOLERANCE = 5e-3
"""What the modes that are left out can be of the variance, over its mean for inputs of the same
power. The first order itself leaves out as much: the cells of other columns."""
_AT_ONCE = 2**19  # elements of a chunk: stays in the cache
_SWEEPS = 4  # of the subspace iteration


class Forms(NamedTuple):
    """Variances of column currents [A^2] as forms of the source voltages v [V]:

    scale^2 (sum_k v_k^2 diagonal_kj + sum_m sign_mj (sum_k v_k modes_k,mj)^2).

    diagonal (rows, cols); modes (rows, count * cols), the first of every column first; signs
    (count * cols,), +-1; scale [S].
    """

    diagonal: Floats
    modes: Floats
    signs: Floats
    scale: float


@one_thread()
def forms(g: Floats, sigma: Floats, top: Topology) -> Forms | None:
    """The forms of `network.noise_std`, to TOLERANCE.

    g, sigma  (rows, cols)     conductances and their deviations in one read [S]
    returns   None for more than LARGEST, or where MOST_MODES do not hold what the wires add
    raises    NotConverged
    """
    rows, cols = g.shape
    scale = float(sigma.max()) or 1.0  # so that squares keep in range
    if top.ideal:
        return Forms((sigma / scale) ** 2, np.empty((rows, 0)), np.empty(0), scale)
    if rows * g.size > LARGEST:
        return None
    found = fields(g, (sigma / scale) * network.noise_gain(g, top), top)
    step = max(1, _AT_ONCE // rows**2)
    parts = [_modes(found[j : j + step]) for j in range(0, cols, step)]
    count = max(_needed(values, diagonal) for diagonal, values, _ in parts)
    if count > MOST_MODES:
        return None
    diagonal = np.concatenate([each[0] for each in parts])
    values = np.concatenate([each[1] for each in parts])[:, :count]
    vectors = np.concatenate([each[2] for each in parts])[:, :, :count]
    diagonal -= np.einsum("jkm,jm->jk", vectors**2, values)
    modes = (vectors * np.sqrt(np.abs(values))[:, None]).transpose(1, 2, 0)
    signs = np.where(values < 0, -1.0, 1.0).T
    return Forms(np.ascontiguousarray(diagonal.T), modes.reshape(rows, -1), np.ravel(signs), scale)


def stacked(parts: list[Forms | None]) -> Forms | None:
    """The forms of arrays above each other, whose currents add; None where one has none."""
    found = [each for each in parts if each is not None]
    if len(found) < len(parts):
        return None
    scale, cols = max(each.scale for each in found), found[0].diagonal.shape[1]
    modes = [
        (each.modes * (each.scale / scale)).reshape(len(each.modes), each.signs.size // cols, cols)
        for each in found
    ]
    rows, count = sum(map(len, modes)), sum(each.shape[1] for each in modes)
    together = np.zeros((rows, count, cols))
    row = mode = 0
    for each in modes:
        together[row : row + len(each), mode : mode + each.shape[1]] = each
        row, mode = row + len(each), mode + each.shape[1]
    return Forms(
        np.concatenate([each.diagonal * (each.scale / scale) ** 2 for each in found]),
        together.reshape(rows, -1),
        np.concatenate([each.signs for each in found]),
        scale,
    )


def fields(g: Floats, weight: Floats, top: Topology) -> NDArray[np.float32]:
    """What 1 V on each row adds to each cell's share in its column's noise, (cols, rows of input,
    rows of cells)."""
    rows, cols = g.shape
    result = np.empty((cols, rows, rows), np.float32)
    step = max(1, _AT_ONCE // g.size)
    for k in range(0, rows, step):
        unit = np.eye(rows)[k : k + step]
        at = network.solve(g, unit, top)
        across = (at.row_voltage - at.col_voltage) * weight
        result[:, k : k + step] = across.transpose(2, 0, 1)
    return result


def _modes(fields: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Of some columns: the diagonals (cols, rows) of their forms, and the largest eigenvalues
    (cols, modes) and -vectors (cols, rows, modes) of the rest, by subspace iteration."""
    one = fields.astype(np.float64)
    form = one @ one.transpose(0, 2, 1)
    diagonal = np.einsum("jkk->jk", form).copy()
    np.einsum("jkk->jk", form)[:] = 0.0
    rows = form.shape[-1]
    count = min(rows, MOST_MODES + 8)
    space = np.random.default_rng(0).standard_normal((rows, count))
    for _ in range(_SWEEPS):
        space = np.linalg.qr(form @ space)[0]
    values, turn = np.linalg.eigh(space.transpose(0, 2, 1) @ (form @ space))
    order = np.argsort(-np.abs(values), axis=1)
    turn = np.take_along_axis(turn, order[:, None], axis=2)
    return diagonal, np.take_along_axis(values, order, axis=1), space @ turn


def _needed(values: Floats, diagonal: Floats) -> int:
    """How many modes are above TOLERANCE of the mean diagonal, in any column."""
    above = np.abs(values) > TOLERANCE * diagonal.mean(axis=1, keepdims=True)
    return int(above.sum(axis=1).max(initial=0))


def std(v: Floats, of: Forms) -> Floats:
    """Standard deviation of the sensed currents (batch, cols) [A], for source voltages v (batch,
    rows) [V]."""
    cols = of.diagonal.shape[1]
    result = np.empty((len(v), cols))
    top = float(np.abs(v).max(initial=0.0)) or 1.0
    step = max(64, _AT_ONCE // max(1, of.signs.size))
    for k in range(0, len(v), step):
        part = v[k : k + step] / top
        variance = product(part**2, of.diagonal)
        if of.signs.size:
            share = product(part, of.modes)
            share *= share
            share *= of.signs
            variance += share.reshape(len(part), -1, cols).sum(axis=1)
        result[k : k + step] = np.sqrt(np.maximum(variance, 0.0))
    return result * (top * of.scale)
