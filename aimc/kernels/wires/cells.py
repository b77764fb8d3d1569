"""Currents of nonlinear cells and their slopes: the element loops of `aimc.parts.ivcurve`.

In every kernel `g` has shape (1 or n, cells) [S], `u` (n, cells) [V]; one row of `g` serves all
rows of `u`. `i` [A] and `slope` [S], both as `u`, are written. All are C-contiguous and finite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aimc.arrays import Array, NDArray
from aimc.kernels.base.jit import jit

_CHUNK = 512  # elements whose intermediate results stay in the first cache


@jit
def sinh(
    g: Array, u: Array, a: float, doublings: NDArray[np.int64], i: Array, slope: Array
) -> None:
    """i = g sinh(a u) / a, slope = g cosh(a u), for |a u| <= 2^(doublings[n] - 1) in row n.

    Taylor series at x = a u / 2^doublings, |x| <= 1/2, then sinh 2x = 2 (sinh x) (1 + c) and
    cosh 2x - 1 = 2 c (c + 2), with c = cosh x - 1: arithmetic only, several elements at a time.
    """
    shared, back = g.shape[0] == 1, 1 / a
    for n in range(u.shape[0]):
        step = a * 0.5 ** doublings[n]
        for start in range(0, u.shape[1], _CHUNK):
            stop = min(start + _CHUNK, u.shape[1])
            voltage, s, c = u[n, start:stop], i[n, start:stop], slope[n, start:stop]
            conductance = g[0 if shared else n, start:stop]
            for k in range(voltage.size):
                x = step * voltage[k]
                y = x * x
                p = 1 / 1307674368000 * y + 1 / 6227020800
                p = ((((p * y + 1 / 39916800) * y + 1 / 362880) * y) + 1 / 5040) * y + 1 / 120
                s[k] = x + x * y * (p * y + 1 / 6)
                q = 1 / 20922789888000 * y + 1 / 87178291200
                q = ((((q * y + 1 / 479001600) * y + 1 / 3628800) * y) + 1 / 40320) * y + 1 / 720
                c[k] = y * (0.5 + y * (1 / 24 + y * q))
            for _ in range(doublings[n]):
                for k in range(voltage.size):
                    s[k] = 2 * s[k] * (1 + c[k])
                    c[k] = 2 * c[k] * (c[k] + 2)
            for k in range(voltage.size):
                s[k] *= conductance[k] * back
                c[k] = conductance[k] + conductance[k] * c[k]


@jit
def cubic(g: Array, k2: Array, k3: Array, u: Array, i: Array, slope: Array) -> int:
    """i = g u (1 + k2 u + k3 u^2) for k2 [1/V] and k3 [1/V^2] as `g`.

    Returns how many elements lie where the curve does not rise on all the way from 0 to u, or
    where the result is too large for a number; what is written there has no meaning.
    """
    shared = g.shape[0] == 1
    bad = 0
    for n in range(u.shape[0]):
        m = 0 if shared else n
        for k in range(u.shape[1]):
            square, linear = (k3[m, k], k2[m, k]) if g[m, k] > 0 else (0.0, 0.0)
            p, r = linear * u[n, k], 3 * square * u[n, k] * u[n, k]
            end = 1 + 2 * p + r
            dips = (p < 0) & (-p < r) & (p * p >= r)
            bad += (not ((end > 0) & (end < 1e200))) | dips
            i[n, k] = g[m, k] * u[n, k] * (1 + p + r / 3)
            slope[n, k] = g[m, k] * end
    return bad


@jit
def hermite(
    g: Array, u: Array, knots: Array, values: Array, slopes: Array, first: NDArray[np.int64],
    i: Array, slope: Array,
) -> None:  # fmt: skip
    """i = g y(u), slope = g y'(u), y the cubic Hermite interpolant, linear beyond its ends.

    knots [V], values [V], slopes [1]: (m,), rising. first (buckets,): the interval of the knots
    in which each of as many equal parts of the knots' range begins. A piece is counted from its
    nearer end, so that the values at the knots are met exactly, and small voltages around a knot
    at 0 V keep their digits.
    """
    shared = g.shape[0] == 1
    low, high, last = knots[0], knots[-1], knots.size - 2
    scale = first.size / (high - low)
    for n in range(u.shape[0]):
        m = 0 if shared else n
        for k in range(u.shape[1]):
            inside = min(max(u[n, k], low), high)
            j = first[min(int((inside - low) * scale), first.size - 1)]
            while j > 0 and inside < knots[j]:
                j -= 1
            while j < last and inside > knots[j + 1]:
                j += 1
            h, x = knots[j + 1] - knots[j], inside - knots[j]
            secant = (values[j + 1] - values[j]) / h
            c3 = slopes[j] + slopes[j + 1] - 2 * secant
            near, c2 = j, 3 * secant - 2 * slopes[j] - slopes[j + 1]
            if 2 * x > h:
                near, c2, x = j + 1, c2 + 3 * c3, inside - knots[j + 1]
            d, t = slopes[near], x / h
            rise = d + t * (2 * c2 + t * 3 * c3)
            y = values[near] + x * (d + t * (c2 + t * c3))
            i[n, k] = g[m, k] * (y + rise * (u[n, k] - inside))
            slope[n, k] = g[m, k] * rise


class Level1(NamedTuple):
    """A transistor: k [A/V^2], its gate's voltage above threshold [V], lambda [1/V]."""

    k: float
    overdrive: float
    clm: float


@jit
def level1(v: float, law: Level1) -> tuple[float, float]:
    """Drain current [A] and its slope [S] of an NMOS at the drain-source voltage `v` [V].

    Level 1 of SPICE, i = k e (overdrive - e/2) (1 + clm |v|), e = min(v, overdrive), with the gate
    held `overdrive` above threshold from the terminal that is the source while v > 0.
    """
    k, overdrive, clm = law
    e = min(v, overdrive)
    base, grow = k * e * (overdrive - e / 2), 1 + clm * abs(v)
    return base * grow, k * (overdrive - e) * grow + abs(base) * clm


@jit
def _safe_newton(
    w: float, f: float, df: float, n: int, low: float, high: float
) -> tuple[float, float, float]:
    """The next iterate from `w` and the bounds of the solution, which close in around it.

    f rises with slope `df`. A step so small that the next would be of rounding's size is the last,
    and its end both bounds: the result of a cell depends on no other cell's. From the twelfth
    iteration on every other one halves the bounds instead.
    """
    new = w - f / df
    if f == 0 or abs(new - w) <= 1e-12 * abs(w):
        return new, new, new
    low, high = (low, w) if f > 0 else (w, high)
    if not low < new < high or (n > 12 and n % 2 == 1):
        new = low + (high - low) / 2
        if new in (low, high):
            return new, new, new
    return new, low, high


@jit
def resistor_step(
    n: int, u: Array, i: Array, slope: Array, r: float, w: Array, low: Array, high: Array
) -> int:
    """Newton iteration `n` of w + r i(w) = u in `w` [V], in place; how many cells are left.

    `i`, `slope`: the cell's at `w`. `low`, `high`: bounds of the solution, equal where it is found.
    All of shape (cells,).
    """
    left = 0
    for m in range(u.size):
        if low[m] < high[m]:
            f, df = w[m] + r * i[m] - u[m], 1 + r * slope[m]
            w[m], low[m], high[m] = _safe_newton(w[m], f, df, n, low[m], high[m])
            left += low[m] < high[m]
    return left


@jit
def transistor_step(
    n: int, u: Array, i: Array, slope: Array, law: Level1, w: Array, low: Array, high: Array
) -> int:
    """As `resistor_step`, of i(w) = level1(u - w)."""
    left = 0
    for m in range(u.size):
        if low[m] < high[m]:
            drain, rise = level1(u[m] - w[m], law)
            f, df = i[m] - drain, slope[m] + rise
            w[m], low[m], high[m] = _safe_newton(w[m], f, df, n, low[m], high[m])
            left += low[m] < high[m]
    return left


@jit
def transistor_slope(u: Array, slope: Array, law: Level1, w: Array) -> None:
    """`slope` of the cell at `w` becomes that of cell and transistor in series, in place."""
    for m in range(u.size):
        rise = level1(u[m] - w[m], law)[1]
        slope[m] *= rise / (slope[m] + rise)


def buckets(knots: Array) -> NDArray[np.int64]:
    """`first` of `hermite`: four buckets an interval."""
    edges = np.linspace(float(knots[0]), float(knots[-1]), 4 * (knots.size - 1), endpoint=False)
    return np.clip(np.searchsorted(knots, edges, side="right") - 1, 0, knots.size - 2)
