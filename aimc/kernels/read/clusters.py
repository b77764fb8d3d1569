"""The best division of sorted values into contiguous groups, by dynamic programming."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.jit import inner, jit

Floats = NDArray[np.float64]


@inner
def _cost(w: Floats, first: Floats, second: Floats, i: int, j: int) -> float:
    """Sum of squared distances from their mean of the values i to j - 1."""
    total = first[j] - first[i]
    return second[j] - second[i] - total * total / (w[j] - w[i])


@jit
def contiguous(w: Floats, first: Floats, second: Floats, k: int) -> NDArray[np.int64]:
    """The first index of each of the k groups with the least sum of squared distances from means.

    w, first, second (n + 1,)  running sums, from 0, of the weights, weighted values and weighted
                               squares of n values in rising order, weights above zero; n >= k

    least[j], the least sum for the first j values in q groups, is that over the start i of the last
    group of least[i] in q - 1 groups plus the cost of the values i to j - 1. The best i never falls
    with j (the cost is a Monge array), so that it is searched between those of two neighbours, from
    the middle outwards: n log n for each group.
    """
    n = w.size - 1
    starts = np.zeros((k, n + 1), np.int32)
    least = np.full(n + 1, np.inf)
    for j in range(1, n + 1):
        least[j] = _cost(w, first, second, 0, j)
    stride = 1
    while stride < n + 1:
        stride *= 2
    for q in range(1, k):
        now = np.full(n + 1, np.inf)
        step = stride
        while step >= 1:
            for j in range(step, n + 1, 2 * step):
                if j <= q:
                    continue
                low = starts[q, j - step] if j - step > q else q
                high = j - 1
                if j + step <= n:
                    high = min(high, starts[q, j + step])
                for i in range(low, high + 1):
                    value = least[i] + _cost(w, first, second, i, j)
                    if value < now[j]:
                        now[j] = value
                        starts[q, j] = i
            step //= 2
        least = now
    groups = np.zeros(k, np.int64)
    end = n
    for q in range(k - 1, 0, -1):
        end = starts[q, end]
        groups[q] = end
    return groups
