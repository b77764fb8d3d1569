"""Recurrent cells over many time steps, every gate read from an array, without Python in between.

One read is that of `aimc.macro.Macro.trace`, operation for operation, so that in float64 the codes
are the same: drive, one matrix product, the cells' noise, integrate, convert.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from aimc.kernels.base.blas import gemm
from aimc.kernels.base.jit import exact, exact_inner, reduction

Floats = NDArray[np.floating]


class Array(NamedTuple):
    """An array with its drivers and converters; everything floating is of one type.

    scale     (driven,)           what drives each row fully, rows that stand still left out
    v_read, grid, x_max           volts of a full activation; steps a unit, 0: not quantised; limit
    v_bias                        volts on the rows that stand still, the last ones
    matrix    (rows, cols)        currents for 1 V on each row [S]
    variance  (rows, lines)       of each row's conductances in one read [S^2]; lines = 1: the same
                                  for all columns, 0: no noise, cols: of signed columns, 2 cols: of
                                  pairs, plus and minus
    modes     (rows, m * lines)   what wires add to it: sign (v modes)^2, see `noise.forms`
    signs     (m * lines,)        +-1
    drawn                         normal numbers a read: 0, cols or 2 cols
    volts     (cols,)             comparator volts for a current of one [V/A]
    offset    (cols,)             of the comparators [V]
    base      (cols,)             where in `levels` and `outputs` a column's converter begins
    levels    (converters * 2^b)  rising [V]; each converter's last one is not used
    outputs   (converters * 2^b)
    codes                         2^b
    bins                          for each converter, none with two levels; 0: they are not used
    origin, density (cols,)       bin = (u - origin) density, within 0 to bins - 1
    bin_base  (cols,)             where in `edge` a column's converter begins
    edge      (converters * bins) the level within each bin, or the next one above it [V]
    beside    (converters * bins * 2)  the outputs below each edge, and from there on
    """

    scale: Floats
    v_read: float
    grid: float
    x_max: float
    v_bias: float
    matrix: Floats
    variance: Floats
    modes: Floats
    signs: Floats
    drawn: int
    volts: Floats
    offset: Floats
    base: NDArray[np.uint32]
    levels: Floats
    outputs: Floats
    codes: int
    bins: int
    origin: Floats
    density: Floats
    bin_base: NDArray[np.uint32]
    edge: Floats
    beside: Floats


@intrinsic
def _double(typing, bits):
    """The float64 with these 64 bits."""

    def build(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), build


_FACTORIALS = tuple(1.0 / float(np.prod(np.arange(1.0, n + 1))) for n in range(1, 14))
_LOG2E, _LN2 = 1.0 / np.log(2.0), np.log(2.0)
_LN2_HIGH = float(np.float32(_LN2))
_LN2_LOW = 2.0**-60 * float(round((0.693147180559945309417232121458 - _LN2_HIGH) * 2.0**60))


@exact_inner
def _tanh(x):
    """tanh in float64 to 2 units of the last place, without branches.

    (e - 1) / (e + 1) with e = exp(2 |x|) = 2^k exp(r), |r| <= ln 2 / 2, exp(r) - 1 by its series.
    """
    y = 2.0 * min(abs(x), 20.0)
    k = np.rint(y * _LOG2E)
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    p = _FACTORIALS[12]
    p = p * r + _FACTORIALS[11]
    p = p * r + _FACTORIALS[10]
    p = p * r + _FACTORIALS[9]
    p = p * r + _FACTORIALS[8]
    p = p * r + _FACTORIALS[7]
    p = p * r + _FACTORIALS[6]
    p = p * r + _FACTORIALS[5]
    p = p * r + _FACTORIALS[4]
    p = p * r + _FACTORIALS[3]
    p = p * r + _FACTORIALS[2]
    p = p * r + _FACTORIALS[1]
    p = p * r + 1.0
    power = _double((np.int64(k) + 1023) << 52)  # pyright: ignore[reportCallIssue]
    e = power * (p * r) + (power - 1.0)
    t = e / (e + 2.0)
    return -t if x < 0 else t


@exact
def tanh(x, y):
    """y = tanh(x), both (n,) of one type; the same bits as within a cell."""
    for k in range(len(x)):
        y[k] = _tanh(float(x[k]))


@exact_inner
def _quantise(z, at, array, v):
    """v[:, at : at + n], volts of activations z (batch, n) of the rows from `at` on.

    Here and below, whole batches and no slices: what is sliced row by row is not vectorised.
    """
    one = array.matrix.dtype.type
    scale = array.scale
    most, grid, v_read = one(array.x_max), one(array.grid), one(array.v_read)
    step = one(1) / grid
    for b in range(z.shape[0]):
        if grid > 0:
            for k in range(z.shape[1]):
                x = min(max(z[b, k] / scale[at + k], -most), most)
                v[b, at + k] = v_read * (np.rint(x * grid) * step)
        else:
            for k in range(z.shape[1]):
                v[b, at + k] = v_read * min(max(z[b, k] / scale[at + k], -most), most)


@reduction
def _sums(v, variance, spread):
    """spread (batch, 1), the variance of a current, for one variance of each row's cells."""
    for b in range(v.shape[0]):
        total = v.dtype.type(0)
        for k in range(v.shape[1]):
            total += v[b, k] * v[b, k] * variance[k, 0]
        spread[b, 0] = total


@exact_inner
def _add_modes(shares, signs, spread):
    """spread (batch, lines) += sign share^2, of shares (batch, m * lines); none below zero."""
    lines = spread.shape[1]
    for b in range(spread.shape[0]):
        for at in range(0, signs.size, lines):
            for j in range(lines):
                share = shares[b, at + j]
                spread[b, j] += share * share * signs[at + j]
        for j in range(lines):
            spread[b, j] = max(spread[b, j], spread.dtype.type(0))


@exact_inner
def _noise(array, v, draws, power, spread, shares, y, words, reals):
    """y += what the cells' noise adds to currents, from volts v and normal numbers `draws`."""
    one = array.matrix.dtype.type
    cols, lines = y.shape[1], array.variance.shape[1]
    if lines == 1:
        _sums(v, array.variance, spread)
    else:
        for b in range(v.shape[0]):
            for k in range(v.shape[1]):
                power[b, k] = v[b, k] * v[b, k]
        gemm(one(1), power, False, array.variance, False, one(0), spread, words, reals)
        if array.signs.size:
            gemm(one(1), v, False, array.modes, False, one(0), shares, words, reals)
            _add_modes(shares, array.signs, spread)
    for b in range(y.shape[0]):
        if array.drawn == cols and lines == 1:
            std = np.sqrt(spread[b, 0])
            for j in range(cols):
                y[b, j] += std * draws[b, j]
        elif array.drawn == cols:
            for j in range(cols):
                y[b, j] += np.sqrt(spread[b, j]) * draws[b, j]
        else:
            for j in range(cols):
                plus, minus = (0, 0) if lines == 1 else (2 * j, 2 * j + 1)
                y[b, j] += (
                    np.sqrt(spread[b, plus]) * draws[b, 2 * j]
                    - np.sqrt(spread[b, minus]) * draws[b, 2 * j + 1]
                )


@exact_inner
def _search(u, base, levels, outputs, codes, code, y):
    """y = outputs[code], code: number of levels that are at most u, all (batch, cols); y may be u.

    base: where each column's converter begins in `levels` and `outputs`. code (cols,): scratch.
    """
    for b in range(u.shape[0]):
        for j in range(u.shape[1]):
            code[j] = base[j]
        step = np.uint32(codes >> 1)
        while step:
            for j in range(u.shape[1]):
                at = np.uint32(code[j] + step)
                code[j] = at if levels[at - np.uint32(1)] <= u[b, j] else code[j]
            step = np.uint32(step >> np.uint32(1))
        for j in range(u.shape[1]):
            y[b, j] = outputs[code[j]]


@exact_inner
def _look_up(u, origin, density, bin_base, bins, edge, beside, code):
    """As `_search`, in place, by the bin that a number lies in and the one level that it holds."""
    kind, one = u.dtype.type, np.uint32(1)
    zero, last = kind(0), kind(bins - 1)
    for b in range(u.shape[0]):
        for j in range(u.shape[1]):
            place = (u[b, j] - origin[j]) * density[j]
            place = place if place > zero else zero
            code[j] = np.uint32(np.uint32(np.int32(min(place, last))) + bin_base[j])
        for j in range(u.shape[1]):
            at = code[j]
            above = one if edge[at] <= u[b, j] else np.uint32(0)
            code[j] = np.uint32(np.uint32(at << one) | above)
        for j in range(u.shape[1]):
            u[b, j] = beside[code[j]]


@exact_inner
def _read(array, x, s, draws, v, power, spread, shares, code, y, words, reals):
    """y (batch, cols): one read of activations x (batch, .) and s (batch, .), side by side.

    draws (batch, drawn) normal numbers. v, power (batch, rows), spread (batch, lines), shares
    (batch, m * lines), code (cols,), words, reals: scratch.
    """
    one = array.matrix.dtype.type
    _quantise(x, 0, array, v)
    _quantise(s, x.shape[1], array, v)
    gemm(one(1), v, False, array.matrix, False, one(0), y, words, reals)
    if array.drawn:
        _noise(array, v, draws, power, spread, shares, y, words, reals)
    volts, offset = array.volts, array.offset
    for b in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[b, j] = y[b, j] * volts[j] - offset[j]
    if array.bins:
        _look_up(
            y,
            array.origin,
            array.density,
            array.bin_base,
            array.bins,
            array.edge,
            array.beside,
            code,
        )
    else:
        _search(y, array.base, array.levels, array.outputs, array.codes, code, y)


_Y = 5  # where in the scratch the result of a read stands


@exact_inner
def _scratch(array, batch):
    """What `_read` works in, and where its result stands."""
    kind = array.matrix.dtype
    rows, cols = array.matrix.shape
    v = np.full((batch, rows), array.v_bias, kind)
    return (
        v,
        np.empty((batch, rows), kind),
        np.empty((batch, array.variance.shape[1]), kind),
        np.empty((batch, array.modes.shape[1]), kind),
        np.empty(cols, np.uint32),
        np.empty((batch, cols), kind),
        np.empty(8, np.int32),
        np.empty(2, kind),
    )


@exact
def read(array, draws, x, y):
    """y (batch, cols) = array(x) for activations x (batch, driven); draws (batch, drawn)."""
    work = _scratch(array, len(x))
    _read(array, x, x[:, :0], draws, *work)
    y[:] = work[_Y]


@exact
def rnn(array, draws, x, h, out):
    """h' = array(x, h).

    x (steps, batch, features); h (batch, hidden): the first state, overwritten by the last; out
    (steps, batch, hidden). draws (steps, batch, drawn).
    """
    work = _scratch(array, x.shape[1])
    for t in range(len(x)):
        _read(array, x[t], h, draws[t], *work)
        h[:] = work[_Y]
        out[t] = h


@exact
def lstm(array, draws, projection, projection_draws, x, h, c, out, cells, gain, levels, outputs):
    """c' = f c + i g, h' = o tanh(c') with i, f, g, o = array(x, h); h' = projection(h').

    As `rnn`; c (batch, hidden), cells (steps, batch, hidden) as h and out. projection: its matrix
    is empty where h' is not projected. levels, outputs: of the ramp that converts c', empty: tanh.
    """
    batch, size = c.shape
    kind = c.dtype.type
    work, state = _scratch(array, batch), np.empty_like(c)
    projected = projection.matrix.size > 0
    more, none = _scratch(projection, batch), x[0, :, :0]
    gate, first, code = work[_Y], np.zeros(size, np.uint32), np.empty(size, np.uint32)
    for t in range(len(x)):
        _read(array, x[t], h, draws[t], *work)
        for b in range(batch):
            for j in range(size):
                c[b, j] = gate[b, size + j] * c[b, j] + gate[b, j] * gate[b, 2 * size + j]
        if len(outputs):
            for b in range(batch):
                for j in range(size):
                    state[b, j] = c[b, j] * kind(gain)
            _search(state, first, levels, outputs, len(outputs), code, state)
            for b in range(batch):
                for j in range(size):
                    state[b, j] = gate[b, 3 * size + j] * state[b, j]
        else:
            for b in range(batch):
                for j in range(size):
                    state[b, j] = gate[b, 3 * size + j] * kind(_tanh(float(c[b, j])))
        if projected:
            _read(projection, none, state, projection_draws[t], *more)
            h[:] = more[_Y]
        else:
            h[:] = state
        out[t] = h
        cells[t] = c


@exact
def gru(gates, draws, new, new_draws, x, h, out):
    """h' = n + z (h - n) with r, z = gates(x, h) and n = new(x, r h); as `rnn`."""
    batch, size = h.shape
    work, more, reset = _scratch(gates, batch), _scratch(new, batch), np.empty_like(h)
    for t in range(len(x)):
        _read(gates, x[t], h, draws[t], *work)
        for b in range(batch):
            for j in range(size):
                reset[b, j] = work[_Y][b, j] * h[b, j]
        _read(new, x[t], reset, new_draws[t], *more)
        for b in range(batch):
            gate, n, state = work[_Y][b], more[_Y][b], h[b]
            for j in range(size):
                state[j] = n[j] + gate[size + j] * (state[j] - n[j])
        out[t] = h


@exact
def gru_after(gates, draws, new_x, x_draws, new_h, h_draws, x, h, out):
    """As `gru`, with n = tanh(new_x(x) + r new_h(h))."""
    batch, size = h.shape
    kind = h.dtype.type
    work = _scratch(gates, batch)
    from_x, from_h, none = _scratch(new_x, batch), _scratch(new_h, batch), x[0, :, :0]
    for t in range(len(x)):
        _read(gates, x[t], h, draws[t], *work)
        _read(new_x, x[t], none, x_draws[t], *from_x)
        _read(new_h, none, h, h_draws[t], *from_h)
        for b in range(batch):
            gate, a, r, state = work[_Y][b], from_x[_Y][b], from_h[_Y][b], h[b]
            for j in range(size):
                n = kind(_tanh(float(a[j] + gate[j] * r[j])))
                state[j] = n + gate[size + j] * (state[j] - n)
        out[t] = h
