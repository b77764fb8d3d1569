"""How an array's blocks are joined: who with whom, in which order, and where in memory.

The array is halved until single leaves are left. Blocks of up to 4 x 8 leaves (`Part`) are made by
one thread each, leaves and all, within memory that stays in its cache; joins above them (`Join`)
follow level by level. Ports come in runs of SIDE, one side of a leaf each: a port array holds runs.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np

from aimc.arrays import NDArray
from aimc.kernels.wires.leaves import SIDE

Runs = NDArray[np.int64]
_NONE = np.zeros(0, np.int64)
_LEAF = (4 * SIDE) ** 2  # numbers in a leaf's matrix
PART = 32  # leaves of a part at most


class Block(NamedTuple):
    """A block of leaves: where its ports are in its matrix, and how it is made."""

    left: Runs
    bottom: Runs
    right: Runs
    top: Runs
    leaves: tuple[tuple[int, int], ...]  # (row, column) of each, in the order of making
    parts: tuple[Block, Block] | None
    shared: tuple[Runs, Runs]
    stay: tuple[Runs, Runs]

    @property
    def runs(self) -> int:
        return len(self.left) + len(self.bottom) + len(self.right) + len(self.top)

    @property
    def numbers(self) -> int:
        """Of its matrix."""
        return (SIDE * self.runs) ** 2


class Join(NamedTuple):
    """One join: where its blocks lie, where its result goes, and the block itself."""

    block: Block
    first: int
    second: int
    result: int


class Steps(NamedTuple):
    """How a part is made within its thread's memory; the last join's result goes to the arena.

    leaves (leaves, 2): row and column of each. table (joins, 10): first, second, result, runs of
    their matrices, then starts in `starts` of the shared runs of both and of the staying runs of
    both, and the end.
    """

    leaves: Runs
    table: Runs
    starts: Runs


class Part(NamedTuple):
    """A block of leaves that one thread makes."""

    block: Block
    steps: Steps
    work: int  # where the joins' scratch begins
    result: int


class Plan(NamedTuple):
    """The whole array: parts, then levels of joins, then the last join."""

    root: Block
    parts: tuple[Part, ...]
    levels: tuple[tuple[Join, ...], ...]
    last: Join | None  # None: the root is a leaf
    arena: int  # numbers that hold the parts' and the levels' results
    part: int  # numbers that a thread works in while making a part
    joined: int  # and while joining


def join_size(k: int, n: int, m: int) -> int:
    """Numbers that a join of k shared ports, with n and m that stay, works in."""
    return 4 * k * k + k * max(2 * n + 3 * m, 32)


def _block(i: int, j: int, h: int, w: int, high: int, wide: int, right: bool, top: bool) -> Block:
    if h == 1 and w == 1:
        left, bottom, end, up = (np.array([side]) for side in range(4))
        return Block(left, bottom, end, up, ((i, j),), None, (_NONE, _NONE), (_NONE, _NONE))
    edges = (high, wide, right, top)
    keep_right, keep_top = right or j + w < wide, top or i + h < high
    if w >= h:
        p = _block(i, j, h, w - w // 2, *edges)
        q = _block(i, j + w - w // 2, h, w // 2, *edges)
        shared = (p.right, q.left)
        p_stay = [p.left, p.bottom, _NONE, p.top]
        q_stay = [_NONE, q.bottom, q.right, q.top]
    else:
        p = _block(i, j, h - h // 2, w, *edges)
        q = _block(i + h - h // 2, j, h // 2, w, *edges)
        shared = (p.top, q.bottom)
        p_stay = [p.left, p.bottom, p.right, _NONE]
        q_stay = [q.left, _NONE, q.right, q.top]
    for stay in (p_stay, q_stay):
        stay[2] = stay[2] if keep_right else _NONE
        stay[3] = stay[3] if keep_top else _NONE
    # Each block's own order is kept, so that reading its matrix runs along memory.
    stay_p, stay_q = np.sort(np.concatenate(p_stay)), np.sort(np.concatenate(q_stay))
    sides = (
        np.concatenate([np.searchsorted(stay_p, a), np.searchsorted(stay_q, b) + len(stay_p)])
        for a, b in zip(p_stay, q_stay, strict=True)
    )
    left, bottom, end, up = (side.astype(np.int64) for side in sides)
    return Block(left, bottom, end, up, p.leaves + q.leaves, (p, q), shared, (stay_p, stay_q))


def _part(block: Block, result: int) -> tuple[Part, int]:
    """The joins inside a block, and the numbers they need.

    Leaves lie first; then two stacks, for results at even and at odd depths: a join's parts are the
    last two of one, its result the next of the other.
    """
    table: list[list[int]] = []
    index: list[Runs] = []
    leaf = count()
    tops = [0, 0]
    heights = [0, 0]
    entries: list[tuple[Block, tuple[int, int], tuple[int, int], tuple[int, int]]] = []

    def make(node: Block, depth: int) -> tuple[int, int]:
        """Where a block's matrix lies: stack (-1: leaf), offset."""
        if node.parts is None:
            return -1, next(leaf) * _LEAF
        p, q = make(node.parts[0], depth + 1), make(node.parts[1], depth + 1)
        for child, part in ((p, node.parts[0]), (q, node.parts[1])):
            if child[0] >= 0:
                tops[child[0]] -= part.numbers
        stack = depth % 2
        place = (stack, tops[stack])
        tops[stack] += node.numbers
        heights[stack] = max(heights[stack], tops[stack])
        entries.append((node, p, q, place))
        return place

    make(block, 0)
    base = (len(block.leaves) * _LEAF, len(block.leaves) * _LEAF + heights[0])
    work, at = 0, 0

    def offset(place: tuple[int, int]) -> int:
        return place[1] + (base[place[0]] if place[0] >= 0 else 0)

    for node, p, q, place in entries:
        assert node.parts is not None
        first, second = node.parts
        runs = [node.shared[0], node.shared[1], node.stay[0], node.stay[1]]
        starts = [at + sum(len(r) for r in runs[:k]) for k in range(5)]
        index += runs
        at = starts[-1]
        table.append([offset(p), offset(q), offset(place), first.runs, second.runs, *starts])
        k, n, m = (SIDE * len(r) for r in (runs[0], runs[2], runs[3]))
        work = max(work, join_size(k, n, m))
    places = np.array(block.leaves, np.int64)
    joins = np.array(table, np.int64).reshape(-1, 10)
    steps = Steps(places, joins, SIDE * np.concatenate([*index, _NONE]))
    total = base[1] + heights[1]
    return Part(block, steps, total, result), total + work


@lru_cache(32)
def plan(high: int, wide: int, right: bool, top: bool) -> Plan:
    """How to join high x wide leaves; `right`, `top`: whether the array keeps its ports there."""
    root = _block(0, 0, high, wide, high, wide, right, top)
    if root.parts is None:
        part, numbers = _part(root, 0)
        return Plan(root, (part,), (), None, root.numbers, numbers, 0)
    # Blocks of each depth that lie above the parts, then the parts.
    levels: list[list[Block]] = []
    parts: list[Block] = []
    now = list(root.parts)
    while now:
        levels.append([b for b in now if len(b.leaves) > PART])
        parts += [b for b in now if len(b.leaves) <= PART]
        now = [half for b in levels[-1] for half in b.parts or ()]
    # Parts lie first; then levels, which come and go in two regions by turns.
    places: dict[int, int] = {}
    at = 0
    for block in parts:
        places[id(block)] = at
        at += block.numbers
    for parity in (0, 1):
        start = at
        for level in levels[parity::2]:
            here = start
            for block in level:
                places[id(block)] = here
                here += block.numbers
            at = max(at, here)

    def joining(block: Block, result: int) -> Join:
        assert block.parts is not None
        return Join(block, places[id(block.parts[0])], places[id(block.parts[1])], result)

    made, numbers = zip(*(_part(block, places[id(block)]) for block in parts), strict=True)
    joins = [tuple(joining(b, places[id(b)]) for b in level) for level in reversed(levels) if level]
    sizes = [
        join_size(*(SIDE * len(runs) for runs in (b.shared[0], *b.stay)))
        for b in [root, *(b for level in levels for b in level)]
    ]
    return Plan(root, made, tuple(joins), joining(root, -1), at, max(numbers), max(sizes))
