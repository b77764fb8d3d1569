"""How partial sums are converted before they are added digitally."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aimc.curves.curve import Curve, Levels
from aimc.curves.named import linear


@dataclass(frozen=True)
class PartialSum(Curve):
    """A linear curve with a code that stands for zero, in the middle of its interval, so that rows
    that stand still add nothing to a digital sum; `full` is its converter's resolution.

    With fewer bits that code stays, and so does its output; its interval is the one between levels
    of the full resolution whose middle is closest, half a full step off.
    """

    full: int = 0

    def _levels(self, bits: int) -> Levels:
        if bits >= self.full:
            return super()._levels(bits)
        merged = 2 ** (self.full - bits)
        steps = merged * np.arange(1, 2**bits) - (merged - 1) // 2
        y = self.lo + steps * self.lsb(self.full)
        codes = np.arange(2**bits)
        return Levels(y, y.copy(), codes, (codes - 2 ** (bits - 1)) * self.lsb(bits))


def partial_sum(reach: float, bits: int) -> PartialSum:
    """The curve of partial sums within +-reach, for a converter of so many bits."""
    half = reach / 2**bits
    line = linear(-reach - half, reach - half)
    return PartialSum(line.name, line.f, line.lo, line.hi, line.inverse, full=bits)
