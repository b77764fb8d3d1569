"""How the blocks of an array are joined in `aimc.nn.transfers`, all of one size in one batch."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Tensor = torch.Tensor
Index = NDArray[np.int64]
LANES = 2  # shared ports up to which a join is done elementwise, the batch as last axis
_NONE = np.zeros(0, np.int64)


class Join(NamedTuple):
    """Where the parts of a join lie in the numbers of its two blocks, and their rows and columns.

    p, q: of the first and the second block. d, a: shared ports. x: from those to the columns of the
    result, w: to its rows. out: the result; what lies between the blocks is still to be found.
    """

    d: Tensor
    a: Tensor
    xp: Tensor
    xq: Tensor
    wp: Tensor
    wq: Tensor
    out: Tensor
    shared: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    whole: bool  # rows and columns are the same ports, so that the result is symmetric


class Block(NamedTuple):
    """Blocks of one size that are made together.

    ports: where left, bottom, right and top are in their matrices. cells: of single cells, their
    places in the array. parts: what is joined; twice the same where halves are made together.
    numbers: held at once while they are made, for each array.
    """

    ports: tuple[Index, ...]
    cells: Tensor | None
    parts: tuple[Block, Block] | None
    join: Join | None
    size: int  # numbers of their matrices, for each array
    numbers: int

    @property
    def lanes(self) -> bool:
        """Matrices as (ports, ports, blocks x arrays), else as (arrays x blocks, ports, ports)."""
        return self.join is None or self.join.shared <= LANES


def fill(count: int) -> int:
    """`count`, or the next product of 5, 6, 7 or 8 and a power of two."""
    step = 1
    while count > 8 * step:
        step *= 2
    return -(-count // step) * step


@lru_cache(16)
def plan(rows: int, cols: int, right: bool, top: bool, device: torch.device) -> Block:
    """The whole array, bottom row first; right, top: whether its ports there are needed."""
    cells = np.arange(rows * cols, dtype=np.int64).reshape(rows, cols, 1)
    return _block(cells, right, top, device, last=not (right or top))


def _block(cells: Index, right: bool, top: bool, device: torch.device, last: bool) -> Block:
    """How blocks with these cells (height, width, blocks) are made.

    right, top: whether their ports there are needed. last: only from left to bottom.
    """
    high, wide, blocks = cells.shape
    if high == wide == 1:
        cell = torch.from_numpy(cells.ravel()).to(device)
        sides = tuple(np.array([side]) for side in range(4))
        return Block(sides, cell, None, None, 16 * blocks, 48 * blocks)
    beside = wide >= high
    axis, length, k = (1, wide, high) if beside else (0, high, wide)
    lanes = k <= LANES
    first = (True, top) if beside else (right, True)
    if length % 2 == 0:
        # Halves follow each other where the blocks are the last axis, and alternate elsewhere.
        halves = np.stack(np.split(cells, 2, axis), axis=2 if lanes else 3)
        p = q = _block(halves.reshape(*halves.shape[:2], -1), *first, device, False)
        held, parts = p.numbers, p.size
    else:
        one, two = np.split(cells, [length - 1], axis)
        p, q = _block(one, *first, device, False), _block(two, right, top, device, False)
        held, parts = max(p.numbers, p.size + q.numbers), 2 * (p.size + q.size)
    shared = (p.ports[2], q.ports[0]) if beside else (p.ports[3], q.ports[1])
    if beside:
        stay = ((*p.ports[:2], _NONE, p.ports[3]), (_NONE, *q.ports[1:]))
    else:
        stay = ((*p.ports[:3], _NONE), (q.ports[0], _NONE, *q.ports[2:]))
    stay = [(*s[:2], s[2] if right else _NONE, s[3] if top else _NONE) for s in stay]
    # Each block's own order is kept, so that reading its matrix runs along memory.
    rows = cols = [np.sort(np.concatenate(s)) for s in stay]
    ports = tuple(
        np.concatenate([np.searchsorted(rows[0], a), np.searchsorted(rows[1], b) + len(rows[0])])
        for a, b in zip(*stay, strict=True)
    )
    if last:
        rows, cols = ([s[side] for s in stay] for side in (1, 0))
        ports = (np.arange(high), np.arange(wide), _NONE, _NONE)
    n_p, n_q = (sum(map(len, block.ports)) for block in (p, q))

    def place(child: int, rows: Index, cols: Index) -> Index:
        at = rows[:, None] * (n_q if child else n_p) + cols
        if p is q and lanes:
            return 2 * at + child
        return at + child * n_p**2

    out = np.zeros((len(rows[0]) + len(rows[1]), len(cols[0]) + len(cols[1])), np.int64)
    out[: len(rows[0]), : len(cols[0])] = place(0, rows[0], cols[0])
    out[len(rows[0]) :, len(cols[0]) :] = place(1, rows[1], cols[1])
    index = (
        *(place(child, shared[child], shared[child]) for child in (0, 1)),
        *(place(child, shared[child], cols[child]) for child in (0, 1)),
        *(place(child, shared[child], rows[child]) for child in (0, 1)),
        out,
    )
    join = Join(
        *(torch.from_numpy(i.ravel()).to(device) for i in index),
        shared=k,
        rows=(len(rows[0]), len(rows[1])),
        cols=(len(cols[0]), len(cols[1])),
        whole=not last,
    )
    widest = max(map(len, rows)) * max(map(len, cols))
    work = 8 * k * k + 5 * k * sum(map(len, cols)) + widest + 2 * out.size
    converted = parts if p.lanes and not lanes else 0
    held = max(held, parts + converted + work * blocks)
    return Block(ports, None, (p, q), join, out.size * blocks, held)
