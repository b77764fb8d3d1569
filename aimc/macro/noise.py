"""The noise of a read as forms of the row voltages, for plans of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.kernels.noise.forms import Forms, factored
from aimc.kernels.read import plan as kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from aimc.macro.stack import Stack
    from aimc.parts.mapping import Mapping

    Floats = NDArray[np.floating]
    Kind = type[np.floating[Any]]

GOOD_ERROR = 0.005
"""Of a deviation of noise: in single precision, columns whose cells are alike share as few
diagonals as keep to it, where any do."""
_MOST = 12  # such diagonals; beyond, each column's own costs less


def noise_of(
    stacks: tuple[tuple[Stack, ...], ...], mapping: Mapping, dtype: Kind
) -> tuple[kernel.Noise, float] | None:
    """The noise and its error; None where it is not that of independent pairs, or no form of the
    row voltages.

    In double precision every line has its noise, as the macro draws it; in single precision, every
    signed column.
    """
    flat = [stack for beside in stacks for stack in beside]
    if not any(stack.noisy for stack in flat):
        return nothing(sum(beside[0].shape[0] for beside in stacks), dtype), 0.0
    if not all(stack.noisy and _pairs(mapping, stack.crossbar.g.shape[1]) for stack in flat):
        return None
    arrays: list[list[Forms]] = []
    for beside in stacks:
        for k in range(len(beside[0].crossbar.arrays)):
            row = [(s.crossbar.arrays[k][1].noise_forms(), s.supply) for s in beside]
            found = [form._replace(scale=form.scale * s) for form, s in row if form is not None]
            if len(found) < len(row):
                return None
            arrays.append(found)
    double = dtype is np.float64
    lines = sum(form.diagonal.shape[1] for form in arrays[0])
    if not double:
        arrays = [[form.pairs() for form in row] for row in arrays]
    error = max(form.error for row in arrays for form in row)
    wired = any(form.cross.size for row in arrays for form in row)
    shared = _shared(arrays) if wired and not double else None
    if shared is not None:
        diagonal, weights, error = shared
        variance = np.empty((len(diagonal), 0))
    else:
        diagonal, weights = np.empty((0, 0)), np.empty((len(arrays), 0, 0))
        variance = _whole(arrays, lambda form: form.diagonal * form.scale**2)
        if not wired and np.all(variance == variance[:, :1]):
            variance = variance[:, :1]
    edges, across, mean, cross = [0], [0], np.empty((0, 0)), np.empty((0, 0))
    if wired:
        edges = np.cumsum([0, *(len(row[0].diagonal) for row in arrays)])
        across = np.cumsum([0, *(form.diagonal.shape[1] for form in arrays[0])])
        mean = _whole(arrays, lambda form: form.mean[:, None] * form.scale**2)
        cross = _whole(arrays, lambda form: form.cross)
    return kernel.Noise(
        variance.astype(dtype), lines if double else lines // 2,
        np.asarray(edges, np.int64), np.asarray(across, np.int64),
        mean.astype(dtype), cross.astype(dtype), diagonal.astype(dtype), weights.astype(dtype),
    ), error  # fmt: skip


def nothing(rows: int, dtype: Kind) -> kernel.Noise:
    """No noise."""
    index = np.zeros(1, np.int64)
    flat: Floats = np.empty((0, 0), dtype)
    return kernel.Noise(
        np.empty((rows, 0), dtype), 0, index, index, flat, flat, flat, np.empty((0, 0, 0), dtype)
    )


def _whole(arrays: list[list[Forms]], part: Callable[[Forms], Floats]) -> Floats:
    """`part` of the forms, side by side and above each other."""
    return np.block([[part(form) for form in row] for row in arrays])


def _shared(arrays: list[list[Forms]]) -> tuple[Floats, Floats, float] | None:
    """Diagonals (rows, blocks * n) and weights (arrays, n, cols) that the columns of each array
    share, and the largest error of a deviation; None where too many would be needed."""
    found = [[factored(form, _MOST) for form in row] for row in arrays]
    own = max(form.error for row in arrays for form in row)
    for few in range(kernel.FEW, _MOST + 1, kernel.FEW):
        error = max(float(e[min(few, e.size) - 1]) for row in found for _, _, e in row)
        if error <= max(GOOD_ERROR, 1.25 * own):
            break
    else:
        return None
    diagonals: list[list[Floats]] = []
    weights: list[Floats] = []
    for row, forms in zip(found, arrays, strict=True):
        parts = [
            (d[:, :few] * f.scale**2, w[:few]) for (d, w, _), f in zip(row, forms, strict=True)
        ]
        more = [few - len(w) for _, w in parts]
        pads = list(zip(parts, more, strict=True))
        diagonals.append([np.pad(d, ((0, 0), (0, m))) for (d, _), m in pads])
        weights.append(np.concatenate([np.pad(w, ((0, m), (0, 0))) for (_, w), m in pads], axis=1))
    return np.block(diagonals), np.stack(weights), error


def _pairs(mapping: Mapping, lines: int) -> bool:
    """Whether each signed column is one line less the next, so that noises are independent."""
    signed = np.asarray(mapping.combine(np.eye(lines)))
    pairs = np.kron(np.eye(lines // 2), [[1.0], [-1.0]])
    return signed.shape == pairs.shape and np.array_equal(signed, pairs)
