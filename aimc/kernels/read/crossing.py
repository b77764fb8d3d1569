"""The first level of a ramp that exceeds a voltage, for noisy ramps and noisy comparators."""

import math

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.jit import inner, jit

Array = NDArray[np.float64]

_REACH = 8.3  # beyond, a normal deviate falls with probability 5e-17, less than rounding
_PER_LEVEL = 8  # places of the guide for each level


@jit
def first_crossings(
    u: Array, offset: Array, levels: Array, sigma: float, chance: Array, code: NDArray[np.int64]
) -> bool:
    """Steps of a ramp before the comparator flips, one decision a level, in one pass.

    u (n, cols) voltages and offset (cols,) of the comparators [V]; levels (1 or n, k) the ramp in
    each conversion, of any order [V]; sigma [V] of the independent error of each decision; chance
    (n, cols) uniform in [0, 1), not read where sigma is zero; code (n, cols) is written: 0 to k.
    Returns whether every voltage is a number.

    A decision at level L is "below" with probability Phi((u - L) / sigma), so that the ramp passes
    k levels with the product of theirs; one uniform draw a conversion finds the first level at
    which that product falls to it, which has the distribution of k independent decisions.
    """
    count = levels.shape[1]
    highest = np.full(count + 1, math.nan)  # the last is below nothing and ends each search
    reads = u.shape[1] if levels.shape[0] > 1 else u.size
    guide = np.zeros(max(1, min(_PER_LEVEL * count, reads)), np.int32)
    last = guide.size - 1.0
    low, per = 0.0, 1.0
    numbers = True
    for n in range(u.shape[0]):
        if n == 0 or levels.shape[0] > 1:
            low, per = _guided(levels[n], highest, guide)
        for j in range(u.shape[1]):
            voltage = u[n, j] - offset[j]
            numbers &= voltage == voltage
            sure = voltage - _REACH * sigma
            first = np.uint64(guide[_place(sure, low, per, last)])
            while highest[first] <= sure:
                first += np.uint64(1)
            if sigma > 0.0:
                passed = 1.0
                while first < count:
                    z = (levels[n if levels.shape[0] > 1 else 0, first] - voltage) / sigma
                    if z > _REACH:
                        break
                    passed *= 0.5 * math.erfc(z * math.sqrt(0.5))
                    if passed <= chance[n, j]:
                        break
                    first += np.uint64(1)
            code[n, j] = first
    return numbers


@inner
def _guided(levels: Array, highest: Array, guide: NDArray[np.int32]) -> tuple[float, float]:
    """Writes the highest level so far into `highest`, and for each of the equal parts of their span
    the number of levels in the parts before it: where a search in that part begins.

    A voltage's part rises with it as computed, rounding included, so that levels in earlier parts
    lie below the voltage. Returns where the span begins, and parts per volt.
    """
    count = levels.size
    top = -math.inf
    for k in range(count):
        top = max(top, levels[k])
        highest[k] = top
    low, last = highest[0], guide.size - 1.0
    per = last / (highest[count - 1] - low)
    if not 0.0 < per < math.inf:
        per = 1.0
    k = 0
    for part in range(guide.size):
        while k < count and _place(highest[k], low, per, last) < part:
            k += 1
        guide[part] = k
    return low, per


@inner
def _place(voltage: float, low: float, per: float, last: float) -> np.uint64:
    place = (voltage - low) * per
    if not place > 0.0:  # so NaN is the first
        return np.uint64(0)
    return np.uint64(min(place, last))


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
            at = np.searchsorted(ranked, np.float64(wanted))
            if at == choices or (at > 0 and wanted - ranked[at - 1] < ranked[at] - wanted):
                at -= 1
            if abs(wanted) <= abs(wanted - ranked[at]):
                continue  # nothing is better than doing nothing
            rest = order[at]
            for b in range(cells_):
                pattern[c, b, k] = rest % 3 - 1
                rest //= 3
            done += ranked[at]
