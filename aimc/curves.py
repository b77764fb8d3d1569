"""The functions that a converter can apply: strictly monotonic, with their inverse."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from aimc.errors import as_number, must

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """y = f(x), of which a converter resolves the outputs between lo and hi.

    f and inverse take and give arrays. Without an inverse, thresholds are found by root finding.
    Any strictly rising or falling callable will do: `Curve("cube", lambda x: x**3, -1, 1)`.
    """

    name: str
    f: Callable[[Any], Any]
    lo: float
    hi: float
    inverse: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        for name in ("f", "inverse"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise must(name, "be a function of an array", f"is {getattr(self, name)!r}")
        as_number("lo", self.lo)
        as_number("hi", self.hi, above=self.lo)

    def lsb(self, bits: int) -> float:
        """Output step of one code, (hi - lo) / 2^bits."""
        return (self.hi - self.lo) / 2**bits

    def edges(self, bits: int) -> Array:
        """Outputs between neighbouring codes, in the order of rising x, (2^bits - 1,)."""
        y = self.lo + np.arange(1, 2**bits) * self.lsb(bits)
        return y[::-1].copy() if self.falling else y

    def outputs(self, bits: int) -> Array:
        """The output of each code: the middle of its interval, (2^bits,)."""
        y = self.lo + (np.arange(2**bits) + 0.5) * self.lsb(bits)
        return y[::-1].copy() if self.falling else y

    def codes(self, bits: int) -> NDArray[np.int64]:
        """The counter's value between thresholds."""
        return np.arange(2**bits)

    def directions(self, bits: int) -> Array:
        return np.full(2**bits - 1, -1.0 if self.falling else 1.0)

    def thresholds(self, bits: int) -> Array:
        """Ideal thresholds theta_k = f^-1(y_k), rising, (2^bits - 1,).

        Raises ArgumentError where f is not strictly monotonic between the first and the last, or
        does not reach an output.
        """
        return _thresholds(self, bits)

    @functools.cached_property
    def falling(self) -> bool:
        """Whether y falls with x."""
        x = self._solve(np.array([0.75, 0.25]) * self.lo + np.array([0.25, 0.75]) * self.hi)
        return bool(x[1] < x[0])

    def _solve(self, y: Array) -> Array:
        if self.inverse is not None:
            with np.errstate(all="ignore"):
                x = np.asarray(self.inverse(y), dtype=float)
        else:
            x = _roots(self.name, self.f, y)
        bad = ~np.isfinite(x)
        if bad.any():
            raise must(
                "curve", f"reach every output from {self.lo:g} to {self.hi:g}",
                f"{self.name} has no finite x for y = {y[bad][0]:g}",
            )  # fmt: skip
        return x


@functools.lru_cache(maxsize=256)
def _thresholds(curve: Curve, bits: int) -> Array:
    theta = curve._solve(curve.edges(bits))
    if np.any(np.diff(theta) <= 0):
        raise must("curve", "be strictly monotonic", f"{curve.name} is not: its inverse turns back")
    if theta.size > 1:
        x = np.interp(np.linspace(0, theta.size - 1, 4 * theta.size), np.arange(theta.size), theta)
        y = _values(curve.name, curve.f, x)
        if not np.all(np.isfinite(y)):
            raise must("curve", "be finite", f"{curve.name} is not, between its thresholds")
        steps = np.diff(y) * (-1 if curve.falling else 1)
        if np.any(steps <= 0):
            at = x[int(np.argmax(steps <= 0))]
            raise must("curve", "be strictly monotonic", f"{curve.name} is not, near x = {at:.4g}")
        error = float(np.abs(curve.f(theta) - curve.edges(bits)).max())
        if error > 1e-6 * (curve.hi - curve.lo):
            raise must(
                "inverse", "undo f", f"for {curve.name} f(inverse(y)) misses y by {error:.3g}"
            )
    theta.flags.writeable = False
    return theta


def _values(name: str, f: Callable[[Any], Any], x: Array) -> Array:
    try:
        y = np.asarray(f(x), dtype=float)
    except (TypeError, ValueError) as error:
        raise must("curve", "take and give an array", f"{name} fails: {error}") from error
    if y.shape != x.shape:
        raise must("curve", f"give shape {x.shape} for that shape", f"{name} gives {y.shape}")
    return y


def _roots(name: str, f: Callable[[Any], Any], y: Array) -> Array:
    """x with f(x) = y for monotonic f: a growing bracket, then Chandrupatla's method."""
    from scipy.optimize import elementwise

    def gap(x: Array, y: Array) -> Array:
        return _values(name, f, x) - y

    with np.errstate(all="ignore"):
        low, high = np.full(y.shape, -1.0), np.full(y.shape, 1.0)
        for _ in range(20):
            closed = np.sign(gap(low, y)) * np.sign(gap(high, y)) <= 0
            if closed.all():
                break
            low, high = np.where(closed, low, 2 * low), np.where(closed, high, 2 * high)
        found = elementwise.find_root(gap, (low, high), args=(y,))
    return np.where(found.success, found.x, np.nan)


def linear(lo: float = -1.0, hi: float = 1.0) -> Curve:
    """y = x, resolved between lo and hi."""
    return Curve("linear", _identity, lo, hi, _identity)


def _identity(x: Any) -> Any:
    return x


CURVES = {
    "linear": linear(),
    "sigmoid": Curve("sigmoid", special.expit, 0.0, 1.0, special.logit),
    "tanh": Curve("tanh", np.tanh, -1.0, 1.0, np.arctanh),
}


def curve(function: str | Curve) -> Curve:
    """The curve of that name, or the curve itself. ArgumentError for anything else."""
    if isinstance(function, Curve):
        return function
    if isinstance(function, str) and function in CURVES:
        return CURVES[function]
    raise must(
        "curve", f"be one of {', '.join(CURVES)} or a Curve", f"is {function!r}",
        "Any strictly monotonic function: aimc.Curve(name, f, lo, hi).",
    )  # fmt: skip
