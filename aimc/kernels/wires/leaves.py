"""Blocks of 8 x 8 cells as hybrid matrices, many at a time.

A block meets its neighbours at its ports: left and bottom are given as voltages, right and top as
currents (into the block); answers are the currents into left and bottom and minus the voltages of
right and top. With these signs the matrix `K` of a block is symmetric, holds no `1 / r`, and exists
for wires without resistance:

    K = s a a' + K0,   a = (1, -1, r, -c),   s = g / (1 + g (r + c))

for one cell with `r` to its left and `c` below it, ports (left, bottom, right, top), where K0 is -1
between left and right and between bottom and top, -r at right and -c at top. A port `a` of the
current kind is joined to a port `b` of the voltage kind by eliminating both with the pivot
[[K_aa, 1 + K_ab], [1 + K_ab, K_bb]].
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from aimc.arrays import Array, NDArray
from aimc.kernels.base import simd
from aimc.kernels.base.jit import inner
from aimc.kernels.base.simd import LANES, STEP

Index = NDArray[np.int64]
SIDE = 8  # cells along a leaf


class Wires(NamedTuple):
    """Resistances [ohm] of an array whose bottom row comes first."""

    first: Array  # (rows,) from the source to the first node
    r_row: float
    last: float
    r_col: float


class Schedule(NamedTuple):
    """The six joins from a cell to a leaf: where the lower triangle of each one's matrix comes
    from, row by row, and its size.

    Numbers of the first block's matrix count up from 0, those of the second's down from -2; -1 is
    zero. Shorter joins are padded.
    """

    sources: Index
    sizes: Index


class _Scratch(NamedTuple):
    """Of a join: z (size, size, LANES), t (pairs, size, LANES), pivot (8, LANES), the last four
    rows zero."""

    z: Array
    t: Array
    pivot: Array


def ports(height: int, width: int) -> tuple[Index, Index, Index, Index]:
    """Where a block keeps its left, bottom, right and top ports."""
    edges = np.cumsum([0, height, width, height, width])
    left, bottom, right, top = (np.arange(a, b, dtype=np.int64) for a, b in pairwise(edges))
    return left, bottom, right, top


def _join(height: int, width: int, beside: bool) -> Index:
    """Order of the ports of two equal blocks before joining: those that stay, then pairs.

    Ports of the second block, which is right of the first or above it, count on from the first.
    """
    one = ports(height, width)
    two = tuple(p + 2 * (height + width) for p in one)
    if beside:
        pairs = zip(one[2], two[0], strict=True)
        stay = (one[0], one[1], two[1], two[2], one[3], two[3])
    else:
        pairs = zip(one[3], two[1], strict=True)
        stay = (one[0], two[0], one[1], one[2], two[2], two[3])
    return np.concatenate([*stay, np.array(list(pairs)).ravel()]).astype(np.int64)


def _schedule() -> Schedule:
    orders: list[Index] = []
    height, width = 1, 1
    while height < SIDE:
        orders.append(_join(height, width, beside=True))
        width *= 2
        orders.append(_join(height, width, beside=False))
        height *= 2
    sizes = np.array([len(order) for order in orders])
    table = np.full((len(orders), sizes.max() * (sizes.max() + 1) // 2), -1, np.int64)
    for row, order in zip(table, orders, strict=True):
        n = len(order) // 2
        first, second = np.tril_indices(len(order))
        high, low = np.maximum(order[first], order[second]), np.minimum(order[first], order[second])
        place = np.where(high < n, high * n + low, -2 - ((high - n) * n + low - n))
        row[: len(place)] = np.where((high < n) | (low >= n), place, -1)
    return Schedule(table, sizes)


SCHEDULE = _schedule()
_WIDEST = int(SCHEDULE.sizes.max())
# Scratch: a join's matrix and multipliers, and the blocks before and after a level of joins.
WORK = LANES * (_WIDEST * _WIDEST + 2 * SIDE * _WIDEST + 8 + 2 * SIDE * SIDE * 18)


_Pair = tuple[int, int]  # an address and the way to its next [bytes]


@inner
def _two_rows(out: _Pair, source: _Pair, x: _Pair, y: _Pair, count: int, width: int) -> None:
    """`simd` for two lines of `width` neighbouring numbers."""
    here, out_line = out
    there, line = source
    factor, x_step = x
    row, y_step = y
    j = 0
    while j + 4 <= width:
        at = j * STEP
        simd.block((here + at, out_line), (there + at, line), x, (row + at, y_step), count)
        j += 4
    while j < width:
        for i in range(2):
            at = j * STEP
            to = (here + i * out_line + at, 0)
            of = (there + i * line + at, 0)
            simd.one(to, of, (factor + i * STEP, x_step), (row + at, y_step), count)
        j += 1


@inner
def _pair(
    one: Array, two: Array, sources: Index, size: int, stay: int, scratch: _Scratch, out: Array
) -> None:
    """Joins blocks `one` and `two` (ports, ports, LANES) into `out`, each lower triangle only.

    Pairs are eliminated from the last: rows of a pair take up what the earlier ones left of them,
    then what stays takes up all pairs in one sum.
    """
    z, t, pivot = scratch
    at_one = one.ctypes.data
    at_two = two.ctypes.data
    line = size * STEP
    at_z = z.ctypes.data
    at_t = t.ctypes.data
    at_pivot = pivot.ctypes.data
    zero = at_pivot + 4 * STEP
    e = 0
    for i in range(size):
        for j in range(i + 1):
            place = sources[e]
            source = at_one + place * STEP
            if place == -1:
                source = zero
            elif place < 0:
                source = at_two + (-2 - place) * STEP
            simd.one((at_z + i * line + j * STEP, 0), (source, 0), (0, 0), (0, 0), 0)
            e += 1
    for b in range(size - 1, stay, -2):
        a = b - 1
        done = size - 1 - b
        later = at_z + (b + 1) * line
        used = at_t + (b + 1 - stay) * line
        here = (at_z + a * line, line)
        _two_rows(here, here, (used + a * STEP, line), (later, line), done, b + 1)
        for k in range(LANES):
            ab = 1.0 + z[b, a, k]
            det = 1.0 / (z[a, a, k] * z[b, b, k] - ab * ab)
            pivot[0, k] = -z[b, b, k] * det
            pivot[1, k] = ab * det
            pivot[2, k] = ab * det
            pivot[3, k] = -z[a, a, k] * det
        for i in range(2):
            to = at_t + (a + i - stay) * line
            factor = (at_pivot + 2 * i * STEP, STEP)
            for j in range(0, a // 4 * 4, 4):
                at = j * STEP
                simd.four((to + at, 0), (zero, 0), factor, (at_z + a * line + at, line), 2)
            for j in range(a // 4 * 4, a):
                at = j * STEP
                simd.one((to + at, 0), (zero, 0), factor, (at_z + a * line + at, line), 2)
    at_out = out.ctypes.data
    line_out = out.shape[0] * STEP
    pairs = at_z + stay * line
    for i in range(0, stay, 2):
        _two_rows(
            (at_out + i * line_out, line_out), (at_z + i * line, line), (at_t + i * STEP, line),
            (pairs, line), size - stay, i + 2,
        )  # fmt: skip


@inner
def _cells(g: Array, wires: Wires, places: Index, out: Array) -> None:
    """Single cells of up to LANES leaves, `out` (64, 4, 4, LANES), cell = 8 row + column."""
    first, r_row, last, r_col = wires
    rows, cols = g.shape
    for lane in range(len(places)):
        for cell in range(SIDE * SIDE):
            i = places[lane, 0] * SIDE + cell // SIDE
            j = places[lane, 1] * SIDE + cell % SIDE
            r = 0.0
            c = 0.0
            conductance = 0.0
            if i < rows and j < cols:
                conductance = g[i, j]
            if j == 0 and i < rows:
                r = first[i]
            elif j < cols:
                r = r_row
            if i == 0:
                c = last
            elif i < rows:
                c = r_col
            s = conductance / (1.0 + conductance * (r + c))
            k = out[cell]
            k[0, 0, lane] = s
            k[1, 0, lane] = -s
            k[1, 1, lane] = s
            k[2, 0, lane] = s * r - 1.0
            k[2, 1, lane] = -s * r
            k[2, 2, lane] = s * r * r - r
            k[3, 0, lane] = -s * c
            k[3, 1, lane] = s * c - 1.0
            k[3, 2, lane] = -s * r * c
            k[3, 3, lane] = s * c * c - c


@inner
def leaves(
    g: Array, wires: Wires, places: Index, schedule: Schedule, work: Array,
    result: NDArray[np.floating],
) -> None:  # fmt: skip
    """Hybrid matrices `result` (leaves, 32, 32) of the leaves at `places`, bottom row first.

    g        (rows, cols)  conductances, the bottom row first [S]; open cells and wires without
                           resistance fill up the leaves at the right and at the top
    places   (leaves, 2)   row and column of each leaf
    work     (WORK,)       scratch
    """
    sources, sizes = schedule
    widest = sizes[-1]
    at = widest * widest * LANES
    z = work[:at]
    t = work[at : at + 2 * SIDE * widest * LANES]
    at += 2 * SIDE * widest * LANES
    pivot = work[at : at + 8 * LANES].reshape(8, LANES)
    at += 8 * LANES
    half = (len(work) - at) // 2
    # Lanes without a leaf keep harmless numbers.
    for k in range(at - 8 * LANES, at + half):
        work[k] = 0.0
    for start in range(0, len(places), LANES):
        stop = min(len(places), start + LANES)
        now = work[at : at + half]
        then = work[at + half : at + 2 * half]
        blocks = now[: SIDE * SIDE * 16 * LANES].reshape(SIDE * SIDE, 4, 4, LANES)
        _cells(g, wires, places[start:stop], blocks)
        wide = SIDE
        high = SIDE
        for level in range(len(sizes)):
            beside = level % 2 == 0
            size = sizes[level]
            stay = size - 2 * ((1 if beside else 2) << (level // 2))
            wide_next, high_next = (wide // 2, high) if beside else (wide, high // 2)
            number = wide_next * high_next
            joined = then[: number * stay * stay * LANES].reshape(number, stay, stay, LANES)
            matrix = z[: size * size * LANES].reshape(size, size, LANES)
            shares = t[: (size - stay) * size * LANES].reshape(size - stay, size, LANES)
            scratch = _Scratch(matrix, shares, pivot)
            for n in range(number):
                i = n // wide_next
                j = n % wide_next
                if beside:
                    one = i * wide + 2 * j
                    two = i * wide + 2 * j + 1
                else:
                    one = 2 * i * wide + j
                    two = (2 * i + 1) * wide + j
                _pair(blocks[one], blocks[two], sources[level], size, stay, scratch, joined[n])
            blocks = joined
            wide = wide_next
            high = high_next
            now, then = then, now
        for k in range(start, stop):
            for p in range(4 * SIDE):
                for q in range(p + 1):
                    value = blocks[0, p, q, k - start]
                    result[k, p, q] = value
                    result[k, q, p] = value
