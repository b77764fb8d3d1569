"""The noise of a read as forms of the row voltages, for plans of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.kernels.read import plan as kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.kernels.noise.forms import Forms
    from aimc.kernels.noise.shared import SharedForms
    from aimc.macro.stack import Stack
    from aimc.parts.mapping import Mapping

    Floats = NDArray[np.floating]
    Kind = type[np.floating[Any]]

MOST_ERROR = 0.01
"""Of a deviation of noise, up to which reads in single precision use forms that columns share."""
GOOD_ERROR = 0.005
"""Such forms are as few as keep to this, where any do."""


def noise_of(
    stacks: tuple[tuple[Stack, ...], ...], mapping: Mapping, dtype: Kind
) -> tuple[kernel.Noise, float] | None:
    """The noise and its error; None where it is not that of independent pairs, or no form of the
    row voltages."""
    flat = [stack for beside in stacks for stack in beside]
    rows = sum(beside[0].shape[0] for beside in stacks)
    none: Floats = np.empty((rows, 0), dtype)
    no_signs: Floats = np.empty((len(stacks), 0), dtype)
    if not any(stack.noisy for stack in flat):
        return kernel.Noise(none, none, no_signs, 0, _unshared(dtype)), 0.0
    if not all(stack.noisy and _pairs(mapping, stack.crossbar.g.shape[1]) for stack in flat):
        return None
    if dtype is not np.float64 and not stacks[0][0].hardware.wires.ideal:
        shared, error = _shared(stacks, dtype)
        if error <= MOST_ERROR:
            cols = shared.cross.shape[1]
            return kernel.Noise(none, none, no_signs, cols, shared), error
    found = [[stack.crossbar.noise_forms for stack in beside] for beside in stacks]
    forms = [[each for each in beside if each is not None] for beside in found]
    if sum(map(len, forms)) < len(flat):
        return None
    supply = [[stack.supply for stack in beside] for beside in stacks]
    variance = np.block(
        [[each.diagonal * (each.scale * s) ** 2 for each, s in zip(*pair, strict=True)]
         for pair in zip(forms, supply, strict=True)]
    )  # fmt: skip
    lines = variance.shape[1]
    count = max(each.signs.size // each.diagonal.shape[1] for beside in forms for each in beside)
    wide = [_side_by_side(*pair, count) for pair in zip(forms, supply, strict=True)]
    modes, signs = np.concatenate([m for m, _ in wide]), np.stack([s for _, s in wide])
    double = dtype is np.float64
    if not count and np.all(variance == variance[:, :1]):
        variance = variance[:, :1] if double else 2 * variance[:, :1]
    elif not double:
        # One draw a signed column: its variance is that of both lines, and so are its modes.
        plus = [m * lines + j for m in range(count) for j in range(0, lines, 2)]
        order = np.array(plus + [j + 1 for j in plus], np.intp)
        variance = variance[:, 0::2] + variance[:, 1::2]
        modes, signs = modes[:, order], signs[:, order]
    return kernel.Noise(
        variance.astype(dtype), np.ascontiguousarray(modes, dtype), signs.astype(dtype),
        lines if double else lines // 2, _unshared(dtype),
    ), 0.0  # fmt: skip


def _unshared(dtype: Kind) -> kernel.Shared:
    index = np.zeros(1, np.int64)
    flat: Floats = np.empty((0, 0), dtype)
    weights: Floats = np.empty((0, 0, 0), dtype)
    return kernel.Shared(index, index, flat, weights, flat, flat)


def _shared(stacks: tuple[tuple[Stack, ...], ...], dtype: Kind) -> tuple[kernel.Shared, float]:
    """Forms that the signed columns of each array share, and the largest error of a deviation,
    infinite where an array has none."""
    arrays = [
        [(stack.crossbar.arrays[k][1].shared_noise(), stack.supply) for stack in beside]
        for beside in stacks
        for k in range(len(beside[0].crossbar.arrays))
    ]
    forms = [[(form, supply) for form, supply in row if form is not None] for row in arrays]
    if sum(map(len, forms)) < sum(map(len, arrays)):
        return _unshared(dtype), np.inf
    few, error = _enough([form for row in forms for form, _ in row])
    parts: list[list[Any]] = [[], [], [], []]
    for row in forms:
        made: list[list[NDArray[Any]]] = [[], [], [], []]
        for form, supply in row:
            power, weights = (form.scale * supply) ** 2, form.weights[:few]
            more = few - len(weights)
            made[0].append(np.pad(form.diagonal[:, :few] * power, ((0, 0), (0, more))))
            made[1].append(np.pad(weights[:, 0::2] + weights[:, 1::2], ((0, more), (0, 0))))
            made[2].append(form.mean[:, None] * power)
            made[3].append(form.cross[:, 0::2] + form.cross[:, 1::2])
        for part, beside in zip(parts, made, strict=True):
            part.append(np.concatenate(beside, axis=1))
    rows = [len(each) for each in parts[0]]
    widths = [form.cross.shape[1] // 2 for form, _ in forms[0]]
    whole: list[Floats] = [np.concatenate(parts[k]).astype(dtype) for k in (0, 2, 3)]
    diagonal, mean, cross = whole
    return kernel.Shared(
        np.cumsum([0, *rows]), np.cumsum([0, *widths]), diagonal,
        np.stack(parts[1]).astype(dtype), mean, cross,
    ), error  # fmt: skip


def _enough(forms: list[SharedForms]) -> tuple[int, float]:
    """How many diagonals each array takes, a multiple of FEW, and the largest error with them."""
    most = max(form.errors.size for form in forms)
    few, error = 0, np.inf
    while few < most and error > GOOD_ERROR:
        few += kernel.FEW
        error = max(float(form.errors[min(few, form.errors.size) - 1]) for form in forms)
    return few, error


def _pairs(mapping: Mapping, lines: int) -> bool:
    """Whether each signed column is one line less the next, so that noises are independent."""
    signed = np.asarray(mapping.combine(np.eye(lines)))
    pairs = np.kron(np.eye(lines // 2), [[1.0], [-1.0]])
    return signed.shape == pairs.shape and np.array_equal(signed, pairs)


def _side_by_side(
    forms: list[Forms], supply: list[float], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Modes (rows, count * lines) and signs (count * lines,) of arrays beside each other [S], the
    first of every line first; those that an array lacks are zero."""
    rows = len(forms[0].diagonal)
    modes: list[NDArray[np.float64]] = []
    signs: list[NDArray[np.float64]] = []
    for each, factor in zip(forms, supply, strict=True):
        lines = each.diagonal.shape[1]
        has = each.signs.size // lines
        full, sign = np.zeros((rows, count, lines)), np.ones((count, lines))
        full[:, :has] = each.modes.reshape(rows, has, lines) * (each.scale * factor)
        sign[:has] = each.signs.reshape(has, lines)
        modes.append(full)
        signs.append(sign)
    return np.concatenate(modes, axis=2).reshape(rows, -1), np.concatenate(signs, axis=1).ravel()
