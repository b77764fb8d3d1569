"""The transfer matrix by joining blocks: each step eliminates the ports that two blocks share.

The leaves are blocks of 8 x 8 cells; pairs of blocks are joined until one is left, whose
left-to-bottom part is the transfer matrix. With `D` minus the shared (right or top) part of the
first block, `A` the shared (left or bottom) part of the second, X_P and X_Q their couplings to the
ports that stay, and F = (I + A D)^-1,

    K = [K_P + X_P' F A X_P,          -X_P' F X_Q]
        [      .            K_Q - X_Q' D F X_Q   ]

No step divides by a resistance. Order of the hybrid ports: see `leaves`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels import blas
from aimc.kernels.jit import jit
from aimc.kernels.leaves import LENGTHS, ORDERS, SIDE, leaves, ports
from aimc.kernels.threads import spread

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Wires = tuple[Floats, float, float, float]


class Block(NamedTuple):
    """A block of leaves in the plan: where its ports are in its matrix, and how to make it."""

    left: Index
    bottom: Index
    right: Index
    top: Index
    leaf: int  # >= 0: a leaf, else a join of `parts`
    parts: tuple[Block, Block] | None
    shared: tuple[Index, Index]
    stay: tuple[Index, Index]


_NONE = np.zeros(0, np.int64)


@lru_cache(32)
def plan(high: int, wide: int, right: bool, top: bool) -> Block:
    """How to join high x wide leaves; `right`, `top`: whether the array keeps its ports there."""

    def block(i: int, j: int, h: int, w: int) -> Block:
        if h == 1 and w == 1:
            none = (_NONE, _NONE)
            left, bottom, end, up = ports(SIDE, SIDE)
            return Block(left, bottom, end, up, i * wide + j, None, none, none)
        keep_right, keep_top = right or j + w < wide, top or i + h < high
        beside = w >= h
        if beside:
            p, q = block(i, j, h, w - w // 2), block(i, j + w - w // 2, h, w // 2)
            shared = (p.right, q.left)
            p_stay = [p.left, p.bottom, _NONE, p.top if keep_top else _NONE]
            q_stay = [
                _NONE,
                q.bottom,
                q.right if keep_right else _NONE,
                q.top if keep_top else _NONE,
            ]
        else:
            p, q = block(i, j, h - h // 2, w), block(i + h - h // 2, j, h // 2, w)
            shared = (p.top, q.bottom)
            p_stay = [p.left, p.bottom, p.right if keep_right else _NONE, _NONE]
            q_stay = [q.left, _NONE, q.right if keep_right else _NONE, q.top if keep_top else _NONE]
        # Each block's own order is kept, so that reading its matrix runs along memory.
        stay_p, stay_q = np.sort(np.concatenate(p_stay)), np.sort(np.concatenate(q_stay))
        sides = [
            np.concatenate(
                [np.searchsorted(stay_p, a), np.searchsorted(stay_q, b) + len(stay_p)]
            ).astype(np.int64)
            for a, b in zip(p_stay, q_stay, strict=True)
        ]
        left, bottom, end, up = sides
        return Block(left, bottom, end, up, -1, (p, q), shared, (stay_p, stay_q))

    return block(0, 0, high, wide)


@jit
def _gather(k, rows, cols, sign, out):
    for i in range(len(rows)):
        source, target = k[rows[i]], out[i]
        for j in range(len(cols)):
            target[j] = sign * source[cols[j]]


@jit
def _symmetric(x, y, sign, c, words, reals):
    """c += sign x' y, known to be symmetric: panels from the diagonal down, then their mirror."""
    n = c.shape[0]
    step = n if n < 96 else (n + 3) // 4
    for a in range(0, n, step):
        b = min(n, a + step)
        blas.gemm(sign, x[:, a:], True, y[:, a:b], False, 1.0, c[a:, a:b], words, reals)
    for i in range(step, n):
        for j in range((i // step) * step):
            c[j, i] = c[i, j]


@jit
def join(kp, kq, shared_p, shared_q, stay_p, stay_q, out):
    """Joins the blocks `kp` and `kq` into `out`; False where they cannot be joined."""
    k, n, m = len(shared_p), len(stay_p), len(stay_q)
    words, reals, work = np.empty(k + 8, np.int32), np.empty(2), np.empty(32 * k)
    d, a, f, e = np.empty((k, k)), np.empty((k, k)), np.zeros((k, k)), np.empty((k, k))
    xp, xq = np.empty((k, n)), np.empty((k, m))
    yp, yq = np.empty((k, n)), np.empty((k, m))
    _gather(kp, shared_p, shared_p, -1.0, d)
    _gather(kq, shared_q, shared_q, 1.0, a)
    _gather(kp, shared_p, stay_p, 1.0, xp)
    _gather(kq, shared_q, stay_q, 1.0, xq)
    for i in range(k):
        f[i, i] = 1.0
    blas.gemm(1.0, a, False, d, False, 1.0, f, words, reals)
    done = blas.invert(f, words, work)
    _gather(kp, stay_p, stay_p, 1.0, out[:n, :n])
    _gather(kq, stay_q, stay_q, 1.0, out[n:, n:])
    blas.gemm(1.0, f, False, a, False, 0.0, e, words, reals)
    blas.gemm(1.0, e, False, xp, False, 0.0, yp, words, reals)
    _symmetric(xp, yp, 1.0, out[:n, :n], words, reals)
    blas.gemm(1.0, d, False, f, False, 0.0, e, words, reals)
    blas.gemm(1.0, e, False, xq, False, 0.0, yq, words, reals)
    _symmetric(xq, yq, -1.0, out[n:, n:], words, reals)
    blas.gemm(1.0, f, False, xq, False, 0.0, yq, words, reals)
    blas.gemm(-1.0, yq, True, xp, False, 0.0, out[n:, :n], words, reals)
    for i in range(m):
        for j in range(n):
            out[j, n + i] = out[n + i, j]
    return done


@jit
def _join_root(kp, kq, shared_p, shared_q, left, bottom, far, beside, out):
    """The left-to-bottom part `out` of a join; `far`: the second block's bottom (left)."""
    k, n, m = len(shared_p), len(left), len(far)
    words, reals, work = np.empty(k + 8, np.int32), np.empty(2), np.empty(32 * k)
    d, a, f = np.empty((k, k)), np.empty((k, k)), np.zeros((k, k))
    x_left, x_bottom, x_far = np.empty((k, n)), np.empty((k, len(bottom))), np.empty((k, m))
    y, z = np.empty((k, n)), np.empty((k, len(bottom)))
    _gather(kp, shared_p, shared_p, -1.0, d)
    _gather(kq, shared_q, shared_q, 1.0, a)
    _gather(kp, shared_p, left, 1.0, x_left)
    _gather(kp, shared_p, bottom, 1.0, x_bottom)
    _gather(kq, shared_q, far, 1.0, x_far)
    for i in range(k):
        f[i, i] = 1.0
    blas.gemm(1.0, a, False, d, False, 1.0, f, words, reals)
    done = blas.invert(f, words, work)
    blas.gemm(1.0, f, True, x_left, False, 0.0, y, words, reals)
    blas.gemm(1.0, a, False, x_bottom, False, 0.0, z, words, reals)
    here = out[: len(bottom), :n]
    _gather(kp, bottom, left, 1.0, here)
    blas.gemm(1.0, z, True, y, False, 1.0, here, words, reals)
    if beside:
        blas.gemm(-1.0, x_far, True, y, False, 0.0, out[len(bottom) :], words, reals)
    else:
        z = np.empty((k, m))
        blas.gemm(1.0, f, False, x_far, False, 0.0, z, words, reals)
        blas.gemm(-1.0, x_bottom, True, z, False, 0.0, out[:, n:], words, reals)
    return done


def _make(block: Block, cells: Floats) -> Floats:
    if block.parts is None:
        return cells[block.leaf]
    p, q = (_make(part, cells) for part in block.parts)
    size = len(block.stay[0]) + len(block.stay[1])
    out = np.empty((size, size))
    join(p, q, *block.shared, *block.stay, out)
    return out


def _root(block: Block, cells: Floats) -> Floats:
    """Only the left-to-bottom part (bottom, left) of the last join."""
    if block.parts is None:
        return cells[block.leaf][SIDE : 2 * SIDE, :SIDE]
    first, second = block.parts
    made: list[Floats] = [cells[0], cells[0]]

    def work(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            made[k] = _make((first, second)[k], cells)

    spread(work, 2, cost=20.0 * SIDE * SIDE * len(cells))
    p, q = made
    beside = block.shared[0] is first.right
    out = np.empty((len(block.bottom), len(block.left)))
    far = second.bottom if beside else second.left
    _join_root(p, q, *block.shared, first.left, first.bottom, far, beside, out)
    return out


def hybrid(g: Floats, wires: Wires, right: bool, top: bool) -> tuple[Floats, Block]:
    """The matrix of the whole array with the ports asked for, and where they are in it."""
    block, cells = _start(g, wires, right, top)
    return _make(block, cells), block


def left_to_bottom(g: Floats, wires: Wires) -> Floats:
    """Sensed current (cols,) a volt at each row (rows,): the transfer matrix (rows, cols) [S].

    g      (rows, cols)  conductances [S], the bottom row first
    wires  (first, r_row, last, r_col): source resistances (rows,), along a row, to ground, along a
           column [ohm]
    """
    block, cells = _start(g, wires, False, False)
    rows, cols = g.shape
    return -_root(block, cells)[:cols, :rows].T


def _start(g: Floats, wires: Wires, right: bool, top: bool) -> tuple[Block, Floats]:
    rows, cols = g.shape
    high, wide = -(-rows // SIDE), -(-cols // SIDE)
    padded = np.zeros((high * SIDE, wide * SIDE))
    padded[:rows, :cols] = g
    source = np.zeros(high * SIDE)
    first, r_row, last, r_col = wires
    source[:rows] = first
    cells = np.empty((high * wide, 4 * SIDE, 4 * SIDE))

    def work(lo: int, hi: int) -> None:
        ladder = (source, r_row, last, r_col, (rows, cols))
        leaves(padded, *ladder, ORDERS, LENGTHS, lo, hi, cells)

    spread(work, high * wide, cost=20.0 * g.size)
    return plan(high, wide, right, top), cells
