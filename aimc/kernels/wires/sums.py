"""Sums whose terms may be added in any order, several at a time."""

from __future__ import annotations

import numpy as np

from aimc.arrays import NDArray
from aimc.kernels.base.jit import reduction


@reduction
def total(a: NDArray[np.float64]) -> float:
    """Sum of a (n,)."""
    result = 0.0
    for j in range(len(a)):
        result += a[j]
    return result


@reduction
def dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Sum of a b, each (n,)."""
    result = 0.0
    for j in range(len(a)):
        result += a[j] * b[j]
    return result
