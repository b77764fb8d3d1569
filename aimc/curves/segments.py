"""Where a function crosses given outputs: roots, turns, and the segments between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import must

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimc.arrays import Array, Codes

    Function = Callable[[Any], Any]

SAMPLES = 4097


def values(name: str, f: Function, x: Array, what: str = "curve") -> Array:
    """f(x) as an array. Raises ArgumentError where f does not take arrays, or changes the shape."""
    try:
        y = np.asarray(f(x), dtype=float)
    except (TypeError, ValueError) as error:
        raise must(what, "take and give an array", f"{name} fails: {error}") from error
    if y.shape != x.shape:
        raise must(what, f"give shape {x.shape} for that shape", f"{name} gives {y.shape}")
    return y


def roots(name: str, f: Function, y: Array, domain: tuple[Any, Any] | None) -> Array:
    """x with f(x) = y for monotonic f, by Chandrupatla's method; NaN where there is none.

    The bracket is the domain, a pair of numbers or of arrays of the shape of y; without one it
    grows from [-1, 1] by twenty doublings.
    """
    from scipy.optimize import elementwise

    def gap(x: Array, y: Array) -> Array:
        return values(name, f, x) - y

    with np.errstate(all="ignore"):
        low, high = (np.full(y.shape, end) for end in domain or (-1.0, 1.0))
        for _ in range(0 if domain else 20):
            closed = np.sign(gap(low, y)) * np.sign(gap(high, y)) <= 0
            if closed.all():
                break
            low, high = np.where(closed, low, 2 * low), np.where(closed, high, 2 * high)
        found = elementwise.find_root(gap, (low, high), args=(y,))
    return np.where(found.success, found.x, np.nan)


def check_inverse(name: str, f: Function, theta: Array, y: Array, span: float) -> None:
    """Raises ArgumentError where f is not strictly monotonic between the thresholds `theta`, of
    outputs `y`, or misses an output by more than a millionth of `span`."""
    if np.any(np.diff(theta) <= 0):
        raise must("curve", "be strictly monotonic", f"{name} is not: its inverse turns back")
    if theta.size < 2:
        return
    x = np.interp(np.linspace(0, theta.size - 1, 4 * theta.size), np.arange(theta.size), theta)
    between = values(name, f, x)
    if not np.all(np.isfinite(between)):
        raise must("curve", "be finite", f"{name} is not, between its thresholds")
    steps = np.diff(between) * (-1 if y[1] < y[0] else 1)
    if np.any(steps <= 0):
        at = x[int(np.argmax(steps <= 0))]
        raise must("curve", "be strictly monotonic", f"{name} is not, near x = {at:.4g}")
    error = float(np.abs(values(name, f, theta) - y).max())
    if error > 1e-6 * span:
        raise must("inverse", "undo f", f"for {name} f(inverse(y)) misses y by {error:.3g}")


def _sampled(name: str, f: Function, first: float, last: float) -> tuple[Array, Array, Array]:
    """x, and f there, over the domain; and the signs of the steps, 0 for those of rounding only."""
    x = np.linspace(first, last, SAMPLES)
    with np.errstate(all="ignore"):
        y = values(name, f, x)
    if not np.isfinite(y).all():
        raise must("curve", "be finite in its domain", f"{name} is not, at x = "
                   f"{x[~np.isfinite(y)][0]:.4g}")  # fmt: skip
    steps = np.diff(y)
    return x, y, np.where(np.abs(steps) > 1e-12 * np.ptp(y), np.sign(steps), 0.0)


def turns(name: str, f: Function, first: float, last: float) -> tuple[float, ...]:
    """Where f changes its direction between `first` and `last`, seen at 4097 samples."""
    from scipy.optimize import minimize_scalar

    x, _, signs = _sampled(name, f, first, last)
    moving = np.flatnonzero(signs)
    found = []
    for a, b in pairwise(moving):
        if signs[a] != signs[b]:
            best = minimize_scalar(
                lambda at, sign=signs[a]: -sign * float(values(name, f, np.array([at]))[0]),
                bounds=(x[a], x[b + 1]),
                method="bounded",
                options={"xatol": 1e-12},
            )
            found.append(float(best.x))
    return tuple(found)


def crossings(name: str, f: Function, ends: Array, y: Array) -> tuple[Array, Codes]:
    """Where f crosses the rising outputs `y`, in the segments between `ends`, domain and turns.

    Gives the crossings (n,), rising, and how many of `y` lie below f in each interval, (n + 1,).
    An output that f passes by less than a millionth of the mean step of `y` before it turns, or
    at an end of the domain, is touched and not crossed. Raises ArgumentError where f turns inside
    a segment.
    """
    at = values(name, f, ends)
    rises = np.diff(at) > 0
    x, _, signs = _sampled(name, f, ends[0], ends[-1])
    segment = np.searchsorted(ends[1:-1], x, side="right")
    inside = segment[1:] == segment[:-1]
    wrong = inside & (signs * np.where(rises[segment[:-1]], 1, -1) < 0)
    if wrong.any():
        near = x[int(np.argmax(wrong))]
        raise must("turns", "be all the turns of f", f"{name} also turns near x = {near:.4g}")

    slack = 1e-6 * (float(np.mean(np.diff(y))) if y.size > 1 else float(np.ptp(at)))
    counts = [int(np.searchsorted(y, at[0] + (slack if rises[0] else -slack)))]
    wanted, low, high, path = [], [], [], []
    for k, up in enumerate(rises):
        # What ends a rise counts only the outputs well below it, what ends a fall all but those.
        count = int(np.searchsorted(y, at[k + 1] + (-slack if up else slack)))
        count = max(count, counts[-1]) if up else min(count, counts[-1])
        passed = range(counts[-1], count) if up else range(counts[-1] - 1, count - 1, -1)
        wanted += [y[j] for j in passed]
        path += [j + 1 if up else j for j in passed]
        low += [ends[k]] * len(passed)
        high += [ends[k + 1]] * len(passed)
        counts.append(count)
    found = roots(name, f, np.array(wanted), (np.array(low), np.array(high)))
    if np.isnan(found).any() or np.any(np.diff(found) <= 0):
        raise must("curve", "cross each output edge once between its turns", f"{name} does not")
    return found, np.array([counts[0], *path], dtype=np.intp)
