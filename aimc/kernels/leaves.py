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

import numpy as np

from aimc.kernels.jit import jit

SIDE = 8  # cells along a leaf
LANES = 32  # leaves worked on at once


def ports(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where a block keeps its left, bottom, right and top ports."""
    edges = np.cumsum([0, height, width, height, width])
    left, bottom, right, top = (np.arange(a, b) for a, b in pairwise(edges))
    return left, bottom, right, top


def _join(height: int, width: int, beside: bool) -> np.ndarray:
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


def _schedule() -> tuple[np.ndarray, np.ndarray]:
    """Orders of the six joins from a cell to a leaf, padded to the longest, and their lengths."""
    orders, height, width = [], 1, 1
    while height < SIDE:
        orders.append(_join(height, width, beside=True))
        width *= 2
        orders.append(_join(height, width, beside=False))
        height *= 2
    table = np.zeros((len(orders), max(map(len, orders))), np.int64)
    for row, order in zip(table, orders, strict=True):
        row[: len(order)] = order
    return table, np.array([len(order) for order in orders])


ORDERS, LENGTHS = _schedule()
_WIDEST = ORDERS.shape[1]
# Scratch: a join's matrix and its multipliers, and the blocks before and after a level of joins.
WORK = LANES * (_WIDEST * _WIDEST + 2 * _WIDEST + 2 * SIDE * SIDE * 18)


@jit
def _pair(one, two, order, size, z, ta, tb, out):
    """Joins blocks `one` and `two` (ports, ports, LANES) into `out`; `z`, `ta`, `tb`: scratch."""
    n = size // 2
    for s in range(size):
        a = order[s]
        for t in range(s + 1):
            b = order[t]
            if a < n and b < n:
                for k in range(LANES):
                    z[s, t, k] = one[a, b, k]
            elif a >= n and b >= n:
                for k in range(LANES):
                    z[s, t, k] = two[a - n, b - n, k]
            else:
                for k in range(LANES):
                    z[s, t, k] = 0.0
    stay = out.shape[0]
    for b in range(size - 1, stay, -2):
        a = b - 1
        za, zb = z[a], z[b]
        # Rows a and b of the pivot's inverse, in the places of scratch that are free.
        for k in range(LANES):
            ab = 1.0 + zb[a, k]
            det = 1.0 / (za[a, k] * zb[b, k] - ab * ab)
            ta[a, k], tb[a, k], tb[b, k] = zb[b, k] * det, -ab * det, za[a, k] * det
        for i in range(a):
            for k in range(LANES):
                ta[i, k] = ta[a, k] * za[i, k] + tb[a, k] * zb[i, k]
                tb[i, k] = tb[b, k] * zb[i, k] + tb[a, k] * za[i, k]
        for i in range(a):
            zi, tai, tbi = z[i], ta[i], tb[i]
            for j in range(i + 1):
                for k in range(LANES):
                    zi[j, k] -= za[j, k] * tai[k] + zb[j, k] * tbi[k]
    for i in range(stay):
        for j in range(i + 1):
            for k in range(LANES):
                out[i, j, k] = z[i, j, k]
                out[j, i, k] = z[i, j, k]


@jit
def _cells(g, first, r_row, last, r_col, places, out):
    """Single cells of up to LANES leaves, `out` (64, 4, 4, LANES), cell = 8 row + column."""
    rows, cols = g.shape
    for lane in range(len(places)):
        for cell in range(SIDE * SIDE):
            i = places[lane, 0] * SIDE + cell // SIDE
            j = places[lane, 1] * SIDE + cell % SIDE
            r, c, conductance = 0.0, 0.0, 0.0
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
            a = (1.0, -1.0, r, -c)
            for p in range(4):
                for q in range(4):
                    out[cell, p, q, lane] = s * a[p] * a[q]
            out[cell, 0, 2, lane] -= 1.0
            out[cell, 2, 0, lane] -= 1.0
            out[cell, 1, 3, lane] -= 1.0
            out[cell, 3, 1, lane] -= 1.0
            out[cell, 2, 2, lane] -= r
            out[cell, 3, 3, lane] -= c


@jit
def leaves(g, first, r_row, last, r_col, places, orders, lengths, work, result):
    """Hybrid matrices `result` (leaves, 32, 32) of the leaves at `places`, bottom row first.

    g        (rows, cols)  conductances, the bottom row first [S]; open cells and wires without
                           resistance fill up the leaves at the right and at the top
    first    (rows,)       ohm left of the first column; `last` ohm below the bottom row
    places   (leaves, 2)   row and column of each leaf
    work     (WORK,)       scratch
    """
    widest = orders.shape[1]
    at = widest * widest * LANES
    z = work[:at].reshape(widest, widest, LANES)
    ta = work[at : at + widest * LANES].reshape(widest, LANES)
    tb = work[at + widest * LANES : at + 2 * widest * LANES].reshape(widest, LANES)
    at += 2 * widest * LANES
    half = (WORK - at) // 2
    for start in range(0, len(places), LANES):
        stop = min(len(places), start + LANES)
        now, then = work[at : at + half], work[at + half : at + 2 * half]
        blocks = now[: SIDE * SIDE * 16 * LANES].reshape(SIDE * SIDE, 4, 4, LANES)
        _cells(g, first, r_row, last, r_col, places[start:stop], blocks)
        wide, high = SIDE, SIDE
        for level in range(len(lengths)):
            beside = level % 2 == 0
            stay = lengths[level] - 2 * ((1 if beside else 2) << (level // 2))
            wide_next, high_next = (wide // 2, high) if beside else (wide, high // 2)
            number = wide_next * high_next
            joined = then[: number * stay * stay * LANES].reshape(number, stay, stay, LANES)
            for n in range(number):
                i, j = n // wide_next, n % wide_next
                if beside:
                    one, two = i * wide + 2 * j, i * wide + 2 * j + 1
                else:
                    one, two = 2 * i * wide + j, (2 * i + 1) * wide + j
                _pair(blocks[one], blocks[two], orders[level], lengths[level], z, ta, tb, joined[n])
            blocks, wide, high = joined, wide_next, high_next
            now, then = then, now
        for k in range(start, stop):
            for p in range(4 * SIDE):
                for q in range(4 * SIDE):
                    result[k, p, q] = blocks[0, p, q, k - start]
