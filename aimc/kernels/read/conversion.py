"""Levels crossed by voltages, for converters whose levels stand: a lookup or a search."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.jit import exact, exact_inner, inner

Floats = NDArray[np.floating]
Codes = NDArray[np.uint32]
Kind = type[np.floating[Any]]

SINGLE = 2e-6
"""Of the span of a converter's levels: so far below one a voltage counts as on it in single
precision, where the rounding of a product would decide otherwise."""
MOST_BINS = 2**14  # for each converter: the table stays in the cache


class Levels(NamedTuple):
    """Converters side by side, of rows of columns; everything floating is of one type.

    base      (groups, cols)      where in `levels` and `outputs` a column's converter begins
    levels    (converters * n)    rising [V]; infinite where a converter has fewer than n - 1
    outputs   (converters * n)    after so many levels
    size                          n, a power of two; 0: nothing is converted
    bins                          for each converter, none with two levels; 0: they are not used
    origin, density (groups, cols)  bin = (u - origin) density, within 0 to bins - 1
    bin_base  (groups, cols)      where in `edge` a column's converter begins
    edge      (converters * bins) the level within each bin, or the next one above it [V]
    beside    (converters * bins * 2)  the outputs below each edge, and from there on
    """

    base: NDArray[np.uint32]
    levels: Floats
    outputs: Floats
    size: int
    bins: int
    origin: Floats
    density: Floats
    bin_base: NDArray[np.uint32]
    edge: Floats
    beside: Floats


def levels_of(
    tables: list[tuple[NDArray[Any], NDArray[Any]]], which: NDArray[np.intp], kind: Kind
) -> Levels:
    """tables: each converter's levels (k,), rising [V], and outputs (k + 1,); which (groups, cols):
    the converter of each column."""
    size = 1 << max((len(levels) for levels, _ in tables), default=0).bit_length()
    levels: Floats = np.full((len(tables), size), np.inf, kind)
    outputs: Floats = np.empty((len(tables), size), kind)
    slack = SINGLE if kind is np.float32 else 0.0
    for k, (edges, values) in enumerate(tables):
        levels[k, : len(edges)] = edges - slack * (edges[-1] - edges[0])
        outputs[k, : len(values)], outputs[k, len(values) :] = values, values[-1]
    bins, origin, density, edge, beside = _bins(levels, outputs)
    at = which.astype(np.uint32)
    return Levels(
        at * np.uint32(size), levels.ravel(), outputs.ravel(), size, bins, origin[which],
        density[which], at * np.uint32(bins), edge.ravel(), beside.ravel(),
    )  # fmt: skip


def nothing(kind: Kind) -> Levels:
    """No conversion."""
    index = np.empty((0, 0), np.uint32)
    none: Floats = np.empty(0, kind)
    flat: Floats = np.empty((0, 0), kind)
    return Levels(index, none, none, 0, 0, flat, flat, index, none, none)


def _bins(levels: Floats, outputs: Floats) -> tuple[int, Floats, Floats, Floats, Floats]:
    """Bins that hold at most one of each converter's levels (converters, n): their number, where
    they begin, how many a volt, the level within each, and the outputs on either side of it; 0
    where that takes too many.

    Placing is by the kernel's own arithmetic, which never falls with u: no level is misplaced.
    """
    inner = levels[:, :-1]
    real = np.isfinite(inner)
    origin = inner[:, 0]
    span = np.where(real, inner, -np.inf).max(axis=1) - origin
    bins: int = 2 * levels.shape[1]
    none: Floats = np.zeros(0, levels.dtype)
    while bins <= MOST_BINS:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            density = (bins / span).astype(levels.dtype)
            place: Floats = np.clip((inner - origin[:, None]) * density[:, None], 0, bins - 1)
        if not np.isfinite(density).all():
            break
        place[~real] = (bins + np.flatnonzero(~real) % inner.shape[1]).astype(place.dtype)
        bin_of = place.astype(np.int64)
        if (bin_of[:, 1:] > bin_of[:, :-1]).all():
            each = [np.searchsorted(row, np.arange(bins)) for row in bin_of]
            code: NDArray[np.intp] = np.stack(each)
            edge: Floats = np.take_along_axis(levels, code, axis=1)
            after = np.minimum(code + 1, levels.shape[1] - 1)
            sides: list[Floats] = [np.take_along_axis(outputs, at, axis=1) for at in (code, after)]
            return bins, origin, density, edge, np.stack(sides, axis=-1)
        bins *= 2
    return 0, origin, np.zeros_like(origin), none, none


@exact_inner
def convert(
    u: Floats, low: int, high: int, group: int, t: Levels, code: Codes, y: Floats, add: bool
) -> None:
    """y[b] = outputs[number of levels of the column's converter that are at most u[b]], or y += it,
    for b from `low` to `high`.

    u, y (batch, cols), may be one; group: the row of columns in `t`, Levels. code (cols,): scratch.
    """
    if t.bins:
        _place(u, low, high, group, t, code, y, add)
    else:
        _search(u, low, high, group, t, code, y, add)


@exact
def converted(u: Floats, t: Levels, code: Codes, y: Floats) -> None:
    """y (batch, cols) = the outputs for u (batch, cols), by the first row of columns in `t`; code
    (cols,): scratch."""
    convert(u, 0, u.shape[0], 0, t, code, y, False)


@inner
def _put(table: Floats, code: Codes, b: int, y: Floats, add: bool) -> None:
    """y[b] = table[code], or y += it."""
    if add:
        for j in range(y.shape[1]):
            y[b, j] += table[code[j]]
    else:
        for j in range(y.shape[1]):
            y[b, j] = table[code[j]]


@exact_inner
def _search(
    u: Floats, low: int, high: int, group: int, t: Levels, code: Codes, y: Floats, add: bool
) -> None:
    """As `convert`, halving the levels that are left."""
    base, levels, outputs = t.base, t.levels, t.outputs
    for b in range(low, high):
        for j in range(u.shape[1]):
            code[j] = base[group, j]
        step = np.uint32(t.size >> 1)
        while step:
            for j in range(u.shape[1]):
                at = np.uint32(code[j] + step)
                code[j] = at if levels[at - np.uint32(1)] <= u[b, j] else code[j]
            step = np.uint32(step >> np.uint32(1))
        _put(outputs, code, b, y, add)


@exact_inner
def _place(
    u: Floats, low: int, high: int, group: int, t: Levels, code: Codes, y: Floats, add: bool
) -> None:
    """As `convert`, by the bin that a number lies in and the one level that the bin holds."""
    kind, one = u.dtype.type, np.uint32(1)
    zero, last = kind(0), kind(t.bins - 1)
    origin, density, base, edge, beside = t.origin, t.density, t.bin_base, t.edge, t.beside
    for b in range(low, high):
        for j in range(u.shape[1]):
            place = (u[b, j] - origin[group, j]) * density[group, j]
            place = place if place > zero else zero
            code[j] = np.uint32(np.uint32(np.int32(min(place, last))) + base[group, j])
        for j in range(u.shape[1]):
            at = code[j]
            above = one if edge[at] <= u[b, j] else np.uint32(0)
            code[j] = np.uint32(np.uint32(at << one) | above)
        _put(beside, code, b, y, add)
