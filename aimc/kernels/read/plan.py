"""A read as plain arrays, and its execution for a batch without Python in between.

One read is that of `aimc.macro.Macro.trace`, operation for operation, so that in float64 the codes
are the same: drive, one matrix product a row block, the cells' noise, integrate, convert, add the
row blocks' results and look their sum up.

Where an index might be below zero, numba counts it from the end, and the loop is not vectorised:
what does not begin at 0 is sliced, or counted by unsigned numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aimc.kernels.base.blas import gemm
from aimc.kernels.base.jit import exact, exact_inner, inner, reduction
from aimc.kernels.noise import normals
from aimc.kernels.read.conversion import Levels, convert

Floats = NDArray[np.floating]

FEW = 3  # shared diagonals are taken so many at a time
STRIP = 2**13  # currents: so many at a time stay in the cache until they are converted


class Noise(NamedTuple):
    """Variances of the currents of one read, as `noise.forms` of the row voltages.

    variance  (rows, lines)       of each row's conductances [S^2]; lines = 1: the same for all
                                  columns, cols: of signed columns, 2 cols: of pairs, plus and
                                  minus, 0: diagonals that the columns of an array share
    drawn                         normal numbers that a row block takes: 0, cols or 2 cols
    edges     (arrays + 1,)       the rows at which arrays with wires begin and end
    across    (blocks + 1,)       the columns at which arrays beside each other begin and end
    mean      (rows, blocks)      times the product with
    cross     (rows, drawn)       makes what wires add [S^2]
    diagonal  (rows, blocks * n)  shared ones, n of each array, a multiple of FEW [S^2]
    weights   (arrays, n, drawn)  of each column
    """

    variance: Floats
    drawn: int
    edges: NDArray[np.int64]
    across: NDArray[np.int64]
    mean: Floats
    cross: Floats
    diagonal: Floats
    weights: Floats


class Plan(NamedTuple):
    """Arrays with their drivers and converters, row blocks (groups) below each other, columns
    beside each other; everything floating is of one type.

    scale     (driven,)           what drives each row fully, rows that stand still left out
    v_read, grid, x_max           volts of a full activation; steps a unit, 0: not quantised; limit
    v_still                       volts on the rows that stand still, the last ones
    edges     (groups + 1,)       the rows at which groups begin and end
    matrix    (rows, cols)        currents for 1 V on each row [S]
    volts     (groups, cols)      comparator volts for a current of one [V/A]
    offset    (groups, cols)      of the comparators [V]
    levels                        the converters
    sums                          what is applied to the groups' sum; of size 0 where one is all
    """

    scale: Floats
    v_read: float
    grid: float
    x_max: float
    v_still: float
    edges: NDArray[np.int64]
    matrix: Floats
    noise: Noise
    volts: Floats
    offset: Floats
    levels: Levels
    sums: Levels


class Read(NamedTuple):
    """A plan with the normal numbers of its reads.

    draws (steps, batch, groups * drawn): of each step; where there is a `state` (4, lanes), the
    generators', of so many steps at a time, drawn into `flat`, whose beginning `draws` is, from
    random `words` (n, lanes).
    """

    plan: Plan
    draws: Floats
    state: normals.Words
    words: normals.Words
    flat: NDArray[np.float32]


class Scratch(NamedTuple):
    """What reads of a batch work in; y (batch, cols) is where the result stands."""

    v: Floats
    power: Floats
    spread: Floats
    shares: Floats
    own: Floats
    mean: Floats
    code: NDArray[np.uint32]
    i: Floats
    y: Floats
    words: NDArray[np.int32]
    reals: Floats


@exact_inner
def normal_numbers(read: Read, step: int) -> Floats:
    """(batch, groups * drawn) of one step; steps come in order."""
    at = step % max(1, len(read.draws)) if read.state.size else step
    if read.state.size and at == 0:
        normals.words(read.state, read.words)
        normals.normals(read.words.ravel(), read.flat)
    return read.draws[at]


@exact_inner
def scratch(plan: Plan, batch: int) -> Scratch:
    """What `execute` works in for so many reads at once."""
    kind = plan.matrix.dtype
    rows, cols = plan.matrix.shape
    y, noise = np.empty((batch, cols), kind), plan.noise
    lines = 1 if noise.variance.shape[1] == 1 else noise.drawn
    return Scratch(
        np.full((batch, rows), plan.v_still, kind),
        np.empty((batch, rows), kind),
        np.empty((batch, lines), kind),
        np.empty((batch, noise.cross.shape[1]), kind),
        np.empty((batch, noise.diagonal.shape[1]), kind),
        np.empty((batch, noise.mean.shape[1]), kind),
        np.empty(cols, np.uint32),
        np.empty((batch, cols), kind) if plan.sums.size else y,
        y,
        np.empty(8, np.int32),
        np.empty(2, kind),
    )


@inner
def _product(a: Floats, b: Floats, out: Floats, work: Scratch) -> None:
    gemm(1.0, a, False, b, False, 0.0, out, (work.words, work.reals))


@exact_inner
def _drive(z: Floats, at: int, plan: Plan, v: Floats) -> None:
    """v[:, at : at + n], volts of activations z (batch, n) of the rows from `at` on."""
    one = plan.matrix.dtype.type
    scale = plan.scale
    most, grid, v_read = one(plan.x_max), one(plan.grid), one(plan.v_read)
    step = one(1) / grid
    for b in range(z.shape[0]):
        rows, full = v[b, at : at + z.shape[1]], scale[at : at + z.shape[1]]
        if grid > 0:
            for k in range(z.shape[1]):
                x = min(max(z[b, k] / full[k], -most), most)
                rows[k] = v_read * (np.rint(x * grid) * step)
        else:
            for k in range(z.shape[1]):
                rows[k] = v_read * min(max(z[b, k] / full[k], -most), most)


@reduction
def _sums(v: Floats, first: int, last: int, variance: Floats, spread: Floats) -> None:
    """spread (batch, 1), the variance of a current, for one variance of each row's cells, of the
    rows from `first` to `last`."""
    for b in range(v.shape[0]):
        total = v.dtype.type(0)
        for k in range(np.uint64(first), np.uint64(last)):
            total += v[b, k] * v[b, k] * variance[k, 0]
        spread[b, 0] = total


@exact_inner
def _squares(v: Floats, first: int, last: int, power: Floats) -> None:
    """power = v^2 of the rows from `first` to `last`."""
    for b in range(v.shape[0]):
        for k in range(np.uint64(first), np.uint64(last)):
            power[b, k] = v[b, k] * v[b, k]


@exact_inner
def _array_products(noise: Noise, a: int, work: Scratch) -> None:
    """work.own (batch, blocks * n), .mean (batch, blocks), .shares (batch, drawn): of array `a`."""
    low, high = noise.edges[a], noise.edges[a + 1]
    here, squares = work.v[:, low:high], work.power[:, low:high]
    if noise.weights.shape[1]:
        _product(squares, noise.diagonal[low:high], work.own, work)
    _product(here, noise.mean[low:high], work.mean, work)
    _product(here, noise.cross[low:high], work.shares, work)


@inner
def _add_array(noise: Noise, a: int, fresh: bool, low: int, high: int, work: Scratch) -> None:
    """work.spread[b] += variances by the products of array `a`, for b from `low` to `high`; fresh:
    they are the first."""
    own, mean, cross, spread = work.own, work.mean, work.shares, work.spread
    weights, across = noise.weights, noise.across
    few = weights.shape[1]
    for b in range(low, high):
        if fresh:
            for j in range(spread.shape[1]):
                spread[b, j] = 0
        for k in range(mean.shape[1]):
            first, last, lift = across[k], across[k + 1], mean[b, k]
            total, product = spread[b, first:last], cross[b, first:last]
            if few == 0:
                for j in range(total.size):
                    total[j] += lift * product[j]
            for p in range(0, few, FEW):
                at = k * few + p
                x, y, z = own[b, at], own[b, at + 1], own[b, at + 2]
                one, two = weights[a, p, first:last], weights[a, p + 1, first:last]
                three = weights[a, p + 2, first:last]
                for j in range(total.size):
                    total[j] += lift * product[j] + x * one[j] + y * two[j] + z * three[j]
                lift = spread.dtype.type(0)


@exact_inner
def _variances(noise: Noise, first: int, last: int, work: Scratch) -> tuple[int, bool]:
    """work.spread (batch, lines) of a row block, but for its last array with wires: which that is,
    and whether nothing came before it."""
    lines = noise.variance.shape[1]
    at, fresh = -1, lines == 0
    if lines == 1:
        _sums(work.v, first, last, noise.variance, work.spread)
        return at, fresh
    _squares(work.v, first, last, work.power)
    if lines:
        _product(work.power[:, first:last], noise.variance[first:last], work.spread, work)
    for a in range(noise.edges.size - 1):
        if noise.edges[a] >= first and noise.edges[a + 1] <= last:
            if at >= 0:
                _add_array(noise, at, fresh, 0, work.v.shape[0], work)
                fresh = False
            _array_products(noise, a, work)
            at = a
    return at, fresh


@exact_inner
def _volts(
    plan: Plan, group: int, low: int, high: int, draws: Floats, spread: Floats, i: Floats
) -> None:
    """i[b] becomes the volts at the comparators, of currents with deviations from the variances
    spread[b] (lines,) times normal numbers draws[b] (groups * drawn), for b from `low` to `high`.
    """
    cols, lines, zero = i.shape[1], spread.shape[1], spread.dtype.type(0)
    volts, offset, drawn = plan.volts, plan.offset, plan.noise.drawn
    for b in range(low, high):
        normal = draws[b, group * drawn : (group + 1) * drawn]
        if drawn == cols and lines == 1:
            std = np.sqrt(max(spread[b, 0], zero))
            for j in range(cols):
                i[b, j] += std * normal[j]
        elif drawn == cols:
            for j in range(cols):
                i[b, j] += np.sqrt(max(spread[b, j], zero)) * normal[j]
        elif drawn:
            for j in range(cols):
                plus, minus = (0, 0) if lines == 1 else (2 * j, 2 * j + 1)
                up, down = np.sqrt(max(spread[b, plus], zero)), np.sqrt(max(spread[b, minus], zero))
                i[b, j] += up * normal[2 * j] - down * normal[2 * j + 1]
        for j in range(cols):
            i[b, j] = i[b, j] * volts[group, j] - offset[group, j]


@exact_inner
def execute(plan: Plan, x: Floats, s: Floats, draws: Floats, work: Scratch) -> None:
    """work.y (batch, cols): one read of activations x (batch, .) and s (batch, .), side by side.

    draws (batch, groups * drawn): normal numbers.
    """
    _drive(x, 0, plan, work.v)
    _drive(s, x.shape[1], plan, work.v)
    i, noise, several = work.i, plan.noise, plan.sums.size > 0
    batch, cols = i.shape
    strip = max(1, STRIP // max(cols, 1))
    for group in range(plan.edges.size - 1):
        first, last = plan.edges[group], plan.edges[group + 1]
        v, matrix = work.v[:, first:last], plan.matrix[first:last]
        _product(v, matrix, i, work)
        array, fresh = _variances(noise, first, last, work) if noise.drawn else (-1, True)
        for low in range(0, batch, strip):
            high = min(low + strip, batch)
            if array >= 0:
                _add_array(noise, array, fresh, low, high, work)
            _volts(plan, group, low, high, draws, work.spread, i)
            convert(i, low, high, group, plan.levels, work.code, work.y, group > 0)
    if several:
        convert(work.y, 0, batch, 0, plan.sums, work.code, work.y, False)


@exact
def read(plan: Plan, draws: Floats, x: Floats, y: Floats) -> None:
    """y (batch, cols) = plan(x) for activations x (batch, driven)."""
    work = scratch(plan, len(x))
    execute(plan, x, x[:, :0], draws, work)
    y[:] = work.y
