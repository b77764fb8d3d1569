"""Pulses of several lengths on one array: the network changes whenever a row falls silent.

All pulses of a read begin together. Between two ends the network is constant, so the mean current
is a sum over time slices, exact whatever the silent rows do: held at ground, left floating, or cut
off by their cells' transistors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from aimc.arrays import Array, ArrayLike, Codes, NDArray
from aimc.errors import as_array, must
from aimc.kernels.base.jit import jit
from aimc.kernels.base.threads import spread
from aimc.kernels.wires.sums import dot

Read = Callable[[Array, NDArray[np.bool_], Codes], Array]
AT_ONCE = 4096  # slices that are read together


class Slices(NamedTuple):
    """Time slices of a batch of reads, read after read."""

    read: Codes  # (slices,) which read
    share: Array  # (slices,) of the window
    on: NDArray[np.bool_]  # (slices, rows) rows whose pulse lasts


def as_pulses(duration: ArrayLike, v: ArrayLike, rows: int) -> tuple[Array, Array]:
    """Checked pulses: duration (reads, rows), a share of the window in [0, 1]; v of that shape."""
    duration = as_array("duration", duration, (None, rows), minimum=0.0, maximum=1.0)
    v = as_array("v", v, (None, rows))
    if v.shape != duration.shape:
        raise must("duration", f"have the shape of `v`, {v.shape}", f"has shape {duration.shape}")
    return duration, v


def slices(duration: Array) -> Slices:
    """The slices in which at least one row has a pulse."""
    ends = np.sort(duration, axis=1)
    widths = np.diff(ends, axis=1, prepend=0.0)
    read, place = np.nonzero(widths > 0.0)
    on = duration[read] >= ends[read, place][:, None]
    return Slices(read, widths[read, place], on)


def mean_current(duration: Array, v: Array, cols: int, read: Read) -> Array:
    """Currents over the window (reads, cols) [A], by `read` of the slices.

    read  takes voltages (slices, rows) [V], the rows that are on, and of which read each slice is;
          gives currents (slices, cols) [A]
    """
    parts = slices(duration)
    result = np.zeros((len(v), cols))
    for lo in range(0, len(parts.read), AT_ONCE):
        here = slice(lo, lo + AT_ONCE)
        which, on = parts.read[here], parts.on[here]
        current = read(np.where(on, v[which], 0.0), on, which)
        np.add.at(result, which, parts.share[here, None] * current)
    return result


def floating(duration: Array, v: Array, y: Array) -> Array:
    """Mean voltages that the rows take when silent ones float: `result @ transfer` is the current.

    A floating row draws no current: 0 = Y_FF v_F + Y_FA v_A, with Y the rows' admittances. Rows
    fall silent one after another, so in that order all Y_FF are leading parts of one matrix, and
    one Cholesky factor serves every slice.

    duration, v  (reads, rows)  share of the window, and voltage [V] during the pulse
    y            (rows, rows)   current into row i a volt on row j, all others at 0 V [S]
    returns      (reads, rows)  [V]
    """
    order = np.argsort(duration, axis=1, kind="stable")
    result = np.zeros_like(v)
    rows = len(y)

    def work(lo: int, hi: int) -> None:
        _floating(duration, v, y, order, np.empty((2, rows, rows)), lo, hi, result)

    spread(work, len(v), cost=len(v) * rows * rows * 8.0)
    return result


@jit
def _floating(
    duration: Array, v: Array, y: Array, order: Codes, work: Array, lo: int, hi: int,
    result: Array,
) -> None:  # fmt: skip
    rows = len(y)
    p = work[0]
    f = work[1]
    wide = np.empty(rows)
    x = np.empty(rows)
    for n in range(lo, hi):
        turn = order[n]
        longest = duration[n, turn[rows - 1]]
        for i in range(rows):
            yi = y[turn[i]]
            pi = p[i]
            for j in range(rows):
                pi[j] = yi[turn[j]]
            wide[i] = v[n, turn[i]]
        silent = 0
        factored = 0
        past = 0.0
        while past < longest:
            while duration[n, turn[silent]] <= past:
                silent += 1
            end = duration[n, turn[silent]]
            # Factors of the rows that have fallen silent since.
            for i in range(factored, silent):
                fi = f[i]
                pi = p[i]
                for j in range(i):
                    fi[j] = (pi[j] - dot(fi[:j], f[j, :j])) / f[j, j]
                left = pi[i] - dot(fi[:i], fi[:i])
                # A row without closed cells carries nothing: at 0 V by convention.
                fi[i] = np.sqrt(left) if left > 1e-13 * pi[i] else np.inf
            factored = silent
            for i in range(silent):
                pi = p[i]
                fi = f[i]
                x[i] = (-dot(pi[silent:], wide[silent:]) - dot(fi[:i], x[:i])) / fi[i]
            for i in range(silent - 1, -1, -1):
                fi = f[i]
                x[i] /= fi[i]
                for j in range(i):
                    x[j] -= fi[j] * x[i]
            for i in range(silent):
                result[n, turn[i]] += (end - past) * x[i]
            for i in range(silent, rows):
                result[n, turn[i]] += (end - past) * wide[i]
            past = end
