"""What a read of a macro makes on its way from activations to outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aimc.arrays import Array, Codes


@dataclass(frozen=True)
class Trace:
    """What each room handed to the next in one read; first axis is the batch.

    v (batch, rows) mean row voltages [V]; i (batch, cols) signed column currents [A]; u (batch,
    cols) comparator voltages [V]; code (batch, cols); y (batch, cols) outputs in the curve's unit.
    Where partial sums are added digitally, i, u and code are (row blocks, batch, cols).
    """

    v: Array
    i: Array
    u: Array
    code: Codes
    y: Array

    @staticmethod
    def beside(reads: Sequence[Trace]) -> Trace:
        """One trace of reads by the same rows, whose columns stand beside each other."""
        if len(reads) == 1:
            return reads[0]
        wide = {
            name: np.concatenate([getattr(read, name) for read in reads], axis=1)
            for name in ("i", "u", "code", "y")
        }
        return Trace(reads[0].v, **wide)

    @staticmethod
    def above(reads: Sequence[Trace], digital: Callable[[Array], Array]) -> Trace:
        """One trace of reads of row blocks, whose results are added and go through `digital`."""
        total = reads[0].y.copy()
        for read in reads[1:]:
            total += read.y
        i, u, code = (np.stack([getattr(r, name) for r in reads]) for name in ("i", "u", "code"))
        return Trace(np.concatenate([read.v for read in reads], axis=1), i, u, code, digital(total))
