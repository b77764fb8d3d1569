"""The first level of a ramp that exceeds a voltage, for noisy ramps and noisy comparators."""

import math

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.jit import jit

Array = NDArray[np.float64]

_REACH = 8.3  # beyond, a normal deviate falls with probability 5e-17, less than rounding


@jit
def first_crossings(u: Array, levels: Array, sigma: float, chance: Array, code: Array) -> None:
    """Steps of a ramp before the comparator flips, one decision a level, in one pass.

    u (n, cols) voltages [V]; levels (1 or n, k) the ramp in each conversion, of any order [V];
    sigma [V] of the independent error of each decision; chance (n, cols) uniform in [0, 1), not
    read where sigma is zero; code (n, cols) int64 is written: 0 to k.

    A decision at level L is "below" with probability Phi((u - L) / sigma), so that the ramp passes
    k levels with the product of theirs; one uniform draw a conversion finds the first level at
    which that product falls to it, which has the distribution of k independent decisions.
    """
    count = levels.shape[1]
    highest = np.empty(count)
    for n in range(u.shape[0]):
        m = n if levels.shape[0] > 1 else 0
        if n == 0 or m:
            top = -math.inf
            for k in range(count):
                top = max(top, levels[m, k])
                highest[k] = top
        for j in range(u.shape[1]):
            voltage = u[n, j]
            first = np.searchsorted(highest, voltage - _REACH * sigma, side="right")
            if sigma > 0.0:
                passed = 1.0
                while first < count:
                    z = (levels[m, first] - voltage) / sigma
                    passed *= 0.5 * math.erfc(z * math.sqrt(0.5))
                    if passed <= chance[n, j]:
                        break
                    first += 1
            code[n, j] = first


@jit
def corrections(error: Array, cells: Array, limit: Array, pattern: NDArray[np.int64]) -> None:
    """Which bias cells to pulse at which level so that a ramp's error stays smallest.

    error (chips, k): levels as built less levels as meant [S]. cells (chips, b): what one pulse of
    each bias cell adds [S]. limit (b,): most pulses of each before the first level. pattern (chips,
    b, k) int64 is written: signed pulses before each level. Before the first, any number up to the
    limit, largest cell first; later each cell once or not at all, up or down, the best of all
    3^b choices given what was done before: no choice of a later level can mend an earlier one, and
    each is free to undo what came before it, as far as the cells reach.
    """
    chips, count = error.shape
    cells_ = cells.shape[1]
    choices = 3**cells_
    sums = np.empty(choices)
    for c in range(chips):
        for choice in range(choices):
            rest, total = choice, 0.0
            for b in range(cells_):
                total += (rest % 3 - 1) * cells[c, b]
                rest //= 3
            sums[choice] = total
        order = np.argsort(sums)
        ranked = sums[order]
        done = 0.0
        wanted = -error[c, 0]
        for b in np.argsort(-cells[c]):
            if cells[c, b] > 0.0:
                pulses = max(-limit[b], min(limit[b], round(wanted / cells[c, b])))
                pattern[c, b, 0] = int(pulses)
                wanted -= pulses * cells[c, b]
                done += pulses * cells[c, b]
        for k in range(1, count):
            wanted = -error[c, k] - done
            at = np.searchsorted(ranked, wanted)
            if at == choices or (at > 0 and wanted - ranked[at - 1] < ranked[at] - wanted):
                at -= 1
            if abs(wanted) <= abs(wanted - ranked[at]):
                continue  # nothing is better than doing nothing
            rest = order[at]
            for b in range(cells_):
                pattern[c, b, k] = rest % 3 - 1
                rest //= 3
            done += ranked[at]
