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

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from aimc.arrays import NDArray
from aimc.kernels.base import blas
from aimc.kernels.base.jit import inner, jit
from aimc.kernels.base.threads import scratch, spread
from aimc.kernels.wires.leaves import SCHEDULE, SIDE, WORK, Schedule, Wires, leaves
from aimc.kernels.wires.plan import Block, Join, Plan, Steps, plan

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Index = NDArray[np.int64]


@jit
def gather(k: Floats, rows: Index, cols: Index, sign: float, out: Floats) -> None:
    """out = sign k[rows][:, cols]; both index arrays hold the starts of runs of SIDE ports."""
    for a in range(len(rows)):
        for i in range(SIDE):
            source = k[rows[a] + i]
            target = out[a * SIDE + i]
            for b in range(len(cols)):
                start = cols[b]
                for j in range(SIDE):
                    target[b * SIDE + j] = sign * source[start + j]


@inner
def _symmetric(x: Floats, y: Floats, sign: float, c: Floats, scratch: blas.Scratch) -> None:
    """c += sign x' y, known to be symmetric: panels from the diagonal down, then their mirror."""
    n = c.shape[0]
    step = n if n < 96 else (n // 4 + SIDE - 1) // SIDE * SIDE
    for a in range(0, n, step):
        b = min(n, a + step)
        blas.gemm(sign, x[:, a:], True, y[:, a:b], False, 1.0, c[a:, a:b], scratch)
    for i in range(step, n, SIDE):
        for j in range(0, (i // step) * step, SIDE):
            for p in range(j, j + SIDE):
                for q in range(i, i + SIDE):
                    c[p, q] = c[q, p]


@jit
def join(
    kp: Floats, kq: Floats, shared_p: Index, shared_q: Index, stay_p: Index, stay_q: Index,
    work: Floats, out: Floats,
) -> float:  # fmt: skip
    """Joins the blocks `kp` and `kq` into `out`; gives the error of F (I + A D) 1 = 1.

    Index arrays hold the starts of runs of SIDE ports; work: scratch of `plan.join_size(k, n, m)`.
    """
    k = SIDE * len(shared_p)
    n = SIDE * len(stay_p)
    m = SIDE * len(stay_q)
    words = np.empty(k + 8, np.int32)
    scratch = (words, np.empty(2, kp.dtype))
    square = k * k
    at = 4 * k * k
    d = work[:square].reshape(k, k)
    a = work[square : 2 * square].reshape(k, k)
    f = work[2 * square : 3 * square].reshape(k, k)
    e = work[3 * square : at].reshape(k, k)
    xp = work[at : at + k * n]
    yp = work[at + k * n : at + 2 * k * n]
    xp = xp.reshape(k, n)
    yp = yp.reshape(k, n)
    at += 2 * k * n
    xq = work[at : at + k * m].reshape(k, m)
    yq = work[at + k * m : at + 2 * k * m].reshape(k, m)
    zq = work[at + 2 * k * m : at + 3 * k * m].reshape(k, m)
    gather(kp, shared_p, shared_p, -1.0, d)
    gather(kq, shared_q, shared_q, 1.0, a)
    blas.gemm(1.0, a, False, d, False, 0.0, f, scratch)
    sums = np.empty(k)
    for i in range(k):
        f[i, i] += 1.0
        sums[i] = 0.0
        for j in range(k):
            sums[i] += f[i, j]
    miss = np.inf
    if blas.invert(f, words, work[4 * square :]):
        miss = 0.0
        for i in range(k):
            one = 0.0
            for j in range(k):
                one += f[i, j] * sums[j]
            miss = max(miss, abs(one - 1.0))
    gather(kp, shared_p, stay_p, 1.0, xp)
    gather(kq, shared_q, stay_q, 1.0, xq)
    gather(kp, stay_p, stay_p, 1.0, out[:n, :n])
    gather(kq, stay_q, stay_q, 1.0, out[n:, n:])
    blas.gemm(1.0, f, False, a, False, 0.0, e, scratch)
    blas.gemm(1.0, e, False, xp, False, 0.0, yp, scratch)
    _symmetric(xp, yp, 1.0, out[:n, :n], scratch)
    blas.gemm(1.0, f, False, xq, False, 0.0, yq, scratch)
    blas.gemm(-1.0, yq, True, xp, False, 0.0, out[n:, :n], scratch)
    blas.gemm(1.0, d, False, yq, False, 0.0, zq, scratch)
    _symmetric(xq, zq, -1.0, out[n:, n:], scratch)
    for i in range(n, n + m, SIDE):
        for j in range(0, n, SIDE):
            for p in range(j, j + SIDE):
                for q in range(i, i + SIDE):
                    out[p, q] = out[q, p]
    return miss


@jit
def _make(
    g: Doubles, wires: Wires, steps: Steps, schedule: Schedule, memory: Floats,
    work: Floats, cells_work: Doubles, result: Floats,
) -> float:  # fmt: skip
    """Makes a part: its leaves into `memory`, its joins there as the table says, the last into
    `result`; `work`, `cells_work`: scratch. Gives the largest error of its joins.
    """
    places, table, index = steps
    n = len(places)
    ports = 4 * SIDE
    cells = memory[: n * ports * ports].reshape(n, ports, ports)
    leaves(g, wires, places, schedule, cells_work, cells)
    if len(table) == 0:
        for i in range(ports):
            for j in range(ports):
                result[i, j] = cells[0, i, j]
    miss = 0.0
    for t in range(len(table)):
        p = table[t, 3] * SIDE
        q = table[t, 4] * SIDE
        kp = memory[table[t, 0] : table[t, 0] + p * p].reshape(p, p)
        kq = memory[table[t, 1] : table[t, 1] + q * q].reshape(q, q)
        a = table[t, 5]
        b = table[t, 6]
        c = table[t, 7]
        d = table[t, 8]
        e = table[t, 9]
        size = (e - c) * SIDE
        out = result
        if t < len(table) - 1:
            out = memory[table[t, 2] : table[t, 2] + size * size].reshape(size, size)
        error = join(kp, kq, index[a:b], index[b:c], index[c:d], index[d:e], work, out)
        miss = max(miss, error)
    return miss


@jit
def invert(a: Floats) -> bool:
    """Overwrites the square contiguous `a` by its inverse; False where it is singular."""
    return blas.invert(a, np.empty(len(a) + 4, np.int32), np.empty(32 * len(a), a.dtype))


class _Made(NamedTuple):
    """The two blocks of the last join, or the only leaf, and the largest error so far."""

    plan: Plan
    first: Floats
    second: Floats
    miss: float


def _halves(g: Doubles, wires: Wires, right: bool, top: bool, dtype: DTypeLike) -> _Made:
    """Everything but the last join; valid until this thread makes another."""
    rows, cols = g.shape
    todo = plan(-(-rows // SIDE), -(-cols // SIDE), right, top)
    arena = scratch(todo.arena, dtype, "arena")
    misses = [0.0]

    def matrix(at: int, block: Block) -> Floats:
        return arena[at : at + block.numbers].reshape(SIDE * block.runs, -1)

    def parts(lo: int, hi: int) -> None:
        memory = scratch(todo.part, dtype, "part")
        work = scratch(WORK)
        for part in todo.parts[lo:hi]:
            miss = _make(
                g, wires, part.steps, SCHEDULE, memory, memory[part.work :], work,
                matrix(part.result, part.block),
            )  # fmt: skip
            misses.append(miss)

    spread(parts, len(todo.parts), cost=20.0 * g.size)
    for level in todo.levels:

        def joins(lo: int, hi: int, level: tuple[Join, ...] = level) -> None:
            memory = scratch(todo.joined, dtype, "part")
            for each in level[lo:hi]:
                assert each.block.parts is not None
                p, q = each.block.parts
                miss = join(
                    matrix(each.first, p), matrix(each.second, q), *starts(each.block), memory,
                    matrix(each.result, each.block),
                )  # fmt: skip
                misses.append(miss)

        spread(joins, len(level), cost=20.0 * g.size)
    if todo.last is None:
        only = matrix(0, todo.root)
        return _Made(todo, only, only, 0.0)
    p, q = todo.root.parts or (todo.root, todo.root)
    first, second = matrix(todo.last.first, p), matrix(todo.last.second, q)
    return _Made(todo, first, second, float(np.max(misses)))


def ports(runs: Index) -> NDArray[np.int64]:
    """The ports of runs, one by one."""
    return (SIDE * runs[:, None] + np.arange(SIDE)).ravel()


def starts(block: Block) -> tuple[Index, Index, Index, Index]:
    """First ports of the runs that a join takes: shared of both, staying of both."""
    p, q, stay_p, stay_q = (SIDE * runs for runs in (*block.shared, *block.stay))
    return p, q, stay_p, stay_q


def hybrid(g: Doubles, wires: Wires, right: bool, top: bool) -> tuple[Floats, Block, float]:
    """The matrix of the whole array with the ports asked for, where they are in it, its error."""
    made = _halves(g, wires, right, top, np.float64)
    root = made.plan.root
    if made.plan.last is None:
        return made.first.copy(), root, made.miss
    result = np.empty((SIDE * root.runs, SIDE * root.runs))
    work = scratch(made.plan.joined, place="part")
    miss = join(made.first, made.second, *starts(root), work, result)
    return result, root, max(miss, made.miss)


def left_to_bottom(g: Doubles, wires: Wires, dtype: DTypeLike = np.float64) -> tuple[Floats, float]:
    """Sensed current (cols,) a volt at each row (rows,): the transfer matrix (rows, cols) [S].

    Also gives the largest error of the joins' inverses, relative to one.

    g      (rows, cols)  conductances [S], the bottom row first
    dtype  float64 or float32: of the joins above the leaves, and of the result
    """
    rows, cols = g.shape
    made = _halves(g, wires, False, False, dtype)
    root, kp, kq = made.plan.root, made.first, made.second
    if root.parts is None:
        return -kp[SIDE : SIDE + cols, :rows].T, 0.0
    p, q = root.parts
    beside = root.shared[0] is p.right
    shared_p, shared_q, _, _ = starts(root)
    left, bottom, far = SIDE * p.left, SIDE * p.bottom, SIDE * (q.bottom if beside else q.left)

    def part(k: Floats, of: NDArray[np.int64], to: Index) -> Floats:
        result = np.empty((SIDE * len(of), SIDE * len(to)), dtype)
        gather(k, of, to, 1.0, result)
        return result

    # With F' X_left = (I + D A)^-1 X_left =: Y the bottom of the first block answers with
    # K_P + X_bottom' A Y, that of the second with -X_far' Y; D is minus the first block's part.
    a = part(kq, shared_q, shared_q)
    coupled = part(kp, shared_p, shared_p) @ -a
    coupled[np.diag_indices(len(a))] += 1.0
    x_left, x_bottom = part(kp, shared_p, left), part(kp, shared_p, bottom)
    x_far = part(kq, shared_q, far)
    out = np.empty((SIDE * len(root.bottom), SIDE * len(root.left)), dtype)
    n, b = x_left.shape[1], x_bottom.shape[1]
    sums = coupled.sum(axis=1)
    inverse = coupled if invert(coupled) else np.full_like(coupled, np.nan)
    miss = float(np.abs(inverse @ sums - 1.0).max())

    def own(lo: int, hi: int) -> None:
        here = slice(SIDE * lo, SIDE * hi)
        y = inverse @ x_left[:, here]
        gather(kp, bottom, left[lo:hi], 1.0, out[:b, here])
        out[:b, here] += x_bottom.T @ (a @ y)
        if beside:
            np.matmul(-x_far.T, y, out=out[b:, here])

    spread(own, len(left), cost=float(n * len(a)))
    if not beside:
        out[:, n:] = -(inverse @ x_bottom).T @ x_far
    return -out[:cols, :rows].T, max(miss, made.miss)
