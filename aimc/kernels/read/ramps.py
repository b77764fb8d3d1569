"""Converters of many columns, each with thresholds of its own."""

from __future__ import annotations

from typing import Any

from aimc.kernels.base.jit import jit

FEW = 100  # thresholds up to which comparing with all of them beats searching: at 64 x 512, 6 times


@jit
def convert(u: Any, table: Any, first: Any, step: Any, out: Any) -> None:
    """out = first + step (number of thresholds at or below u).

    u, out       (batch, cols)   pre-activations, and outputs, float32
    table        (levels, cols)  thresholds, rising along the first axis
    first, step  (cols,)         output of code 0, and from code to code
    """
    batch, cols = u.shape
    for b in range(batch):
        for c in range(cols):
            out[b, c] = 0.0
        for k in range(table.shape[0]):
            for c in range(cols):
                out[b, c] += 1.0 if u[b, c] >= table[k, c] else 0.0
        for c in range(cols):
            out[b, c] = first[c] + step[c] * out[b, c]
