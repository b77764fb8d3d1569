"""A function as a converter applies it: thresholds, codes and the outputs that codes stand for."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.curves import segments
from aimc.errors import as_array, as_count, as_number, must

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimc.arrays import Array, ArrayLike, Codes

MAX_BITS = 16


@dataclass(frozen=True)
class Placement:
    """Thresholds of a curve's own, made by `Curve.placed`: rising pre-activations, and the output
    of each of the 2^bits codes."""

    bits: int
    thresholds: tuple[float, ...]
    outputs: tuple[float, ...]

    def __post_init__(self) -> None:
        x = _rising(self.thresholds)
        y = as_array("outputs", self.outputs, (2 ** as_count("bits", self.bits, 1, MAX_BITS),))
        object.__setattr__(self, "thresholds", tuple(x.tolist()))
        object.__setattr__(self, "outputs", tuple(y.tolist()))


@dataclass(frozen=True)
class Curve:
    """y = f(x), of which a converter resolves the outputs between lo and hi.

    f and inverse take and give arrays. Without an inverse, thresholds are found by root finding.
    Any strictly rising or falling callable will do: `Curve("cube", lambda x: x**3, -1, 1)`.

    A curve that turns has a domain, the x between which it is resolved, and turns: the rising x at
    which f changes its direction, found by sampling f at 4097 points where they are not given.
    Between its turns it is monotonic, and at each crossing of an output edge the code, the value
    of an up/down counter, goes up or down by one.

    placement: thresholds of its own instead of those uniform in the output; see `placed`.
    """

    name: str
    f: Callable[[Any], Any]
    lo: float
    hi: float
    inverse: Callable[[Any], Any] | None = None
    domain: tuple[float, float] | None = None
    turns: tuple[float, ...] | None = None
    placement: Placement | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise must("name", "be a text", f"is {self.name!r}")
        for name in ("f", "inverse"):
            given = getattr(self, name)
            if not callable(given) and (name == "f" or given is not None):
                raise must(name, "be a function of an array", f"is {given!r}")
        if not isinstance(self.placement, Placement | None):
            raise must("placement", "be one that `placed` made", f"is {self.placement!r}")
        lo = as_number("lo", self.lo)
        hi = as_number("hi", self.hi, above=lo)
        domain, turns = self.domain, self.turns
        if turns is not None:
            turns = tuple(as_array("turns", turns, (None,), empty=True).tolist())
        if domain is not None:
            if np.shape(domain) != (2,):
                raise must("domain", "be two numbers", f"is {domain!r}")
            first, last = as_array("domain", domain, (2,)).tolist()
            domain = first, last
            if turns is None:
                turns = segments.turns(self.name, self.f, first, last) if first < last else ()
            if np.any(np.diff([first, *turns, last]) <= 0):
                name = "turns" if turns else "domain"
                raise must(name, f"rise within the domain {domain}", f"is {turns or domain}")
        elif turns:
            raise must("domain", "be the x-range of a curve that turns", "is None")
        if turns and self.inverse is not None:
            raise must("inverse", "be None for a curve that turns", f"is {self.inverse!r}")
        for name, value in (("lo", lo), ("hi", hi), ("domain", domain), ("turns", turns or ())):
            object.__setattr__(self, name, value)
        if self.placement is not None:
            codes = int(_counter(self, np.array(self.placement.thresholds)).max()) + 1
            if codes != len(self.placement.outputs):
                rule = f"lead through {len(self.placement.outputs)} codes"
                raise must("placement", rule, f"leads through {codes}")

    def lsb(self, bits: int) -> float:
        """Output step of one code, (hi - lo) / 2^bits; the mean step where thresholds are placed.

        Raises ArgumentError for more bits than the thresholds are placed for.
        """
        if self.placement is None:
            return (self.hi - self.lo) / 2 ** as_count("bits", bits, 1, MAX_BITS)
        return float(np.ptp(self.outputs(bits))) / (2**bits - 1)

    def thresholds(self, bits: int) -> Array:
        """Ideal thresholds, rising pre-activations (n,): each x at which an output edge is crossed.

        n = 2^bits - 1, theta_k = f^-1(y_k), for a monotonic curve. Raises ArgumentError where the
        curve does not reach an edge, is not strictly monotonic between the first and the last, or
        turns elsewhere than at its turns.
        """
        return self._levels(bits).thresholds

    def edges(self, bits: int) -> Array:
        """The output at each threshold, in the order of rising x, (n,)."""
        return self._levels(bits).edges

    def codes(self, bits: int) -> Codes:
        """The code of each interval between thresholds, 0 to 2^bits - 1, (n + 1,).

        For a monotonic curve, rising or falling, these are 0, 1, 2 and so on. For one that turns
        it is the value of a counter that goes up where the output rises, and down where it falls.
        """
        return self._levels(bits).codes

    def outputs(self, bits: int) -> Array:
        """The output that each code stands for, (2^bits,): the middle of its interval.

        Codes of a falling curve count its outputs down.
        """
        return self._levels(bits).outputs

    def directions(self, bits: int) -> Codes:
        """At each threshold +1 where the output rises through it, -1 where it falls, (n,)."""
        steps = np.diff(self.codes(bits))
        return -steps if self.falling else steps

    def quantise(self, x: ArrayLike, bits: int) -> Array:
        """What an ideal converter puts out for pre-activations `x`, of the shape of `x`."""
        levels, outputs = self.steps(bits)
        return outputs[levels.searchsorted(_array("x", x), "right")]

    def steps(self, bits: int) -> tuple[Array, Array]:
        """Levels (n,), rising, and outputs (n + 1,): an ideal converter puts out the output after
        as many of the levels as are at most the pre-activation, ties counted as crossed."""
        return self.thresholds(bits) - self.tie(bits), self.outputs(bits)[self.codes(bits)]

    def tie(self, bits: int) -> float:
        """How far below a threshold a pre-activation still counts as on it, and so as crossed:
        1e-12 of full scale, from the lowest of the thresholds and zero to the highest."""
        return 1e-12 * (float(np.ptp(np.append(self.thresholds(bits), 0.0))) or 1.0)

    def placed(self, thresholds: ArrayLike, outputs: ArrayLike | None = None) -> Curve:
        """The same function with thresholds of its own: rising pre-activations `thresholds` (n,).

        It has as many bits b as there are codes: n = 2^b - 1 for a monotonic curve; the thresholds
        of one that turns must lead its counter through 2^b values, of which the least becomes 0.
        outputs (2^b,): what each code stands for. By default the middle between the outputs of f
        at the thresholds around the code, their mean where the code comes back in several segments,
        and in the outermost codes the middle between that output and lo or hi. Where f lies beyond
        lo or hi at a threshold, these move out to it.

        Asked for fewer bits, it gives the thresholds at which the code's upper bits change, every
        2^(b - bits)-th for a monotonic curve, and the mean of the outputs that are merged; asked
        for more it raises ArgumentError, as it does here for thresholds that do not rise, are not
        finite, leave the domain, or lie where f is not finite or not monotonic.
        """
        x = _rising(thresholds)
        if self.domain and not self.domain[0] < x[0] <= x[-1] < self.domain[1]:
            raise must(
                "thresholds", f"lie within the domain {self.domain}", f"spans {x[0]:g} to {x[-1]:g}"
            )
        codes = _counter(self, x)
        values = int(codes.max()) + 1
        bits = (values - 1).bit_length()
        if values != 2**bits or bits > MAX_BITS:
            rule = f"lead through 2^b codes, b up to {MAX_BITS}"
            raise must("thresholds", rule, f"lead through {values}")
        y = segments.values(self.name, self.f, x)
        if not np.isfinite(y).all():
            at = x[~np.isfinite(y)][0]
            raise must("curve", "be finite", f"{self.name} is not, at the threshold {at:.6g}")
        if not self.turns and np.any(np.diff(y) * (-1 if self.falling else 1) < 0):
            raise must("curve", "be monotonic", f"{self.name} turns between the thresholds")
        lo, hi = min(self.lo, float(y.min())), max(self.hi, float(y.max()))
        if outputs is None:
            outer = (hi, lo) if self.falling else (lo, hi)
            between = np.maximum(codes[1:], codes[:-1]) - 1
            edges = np.bincount(between, y) / np.bincount(between)
            ends = np.concatenate(([outer[0]], edges, [outer[1]]))
            out = (ends[1:] + ends[:-1]) / 2
        else:
            out = as_array("outputs", outputs, (values,))
        placement = Placement(bits, tuple(x), tuple(out))
        return dataclasses.replace(self, lo=lo, hi=hi, placement=placement)

    @functools.cached_property
    def falling(self) -> bool:
        """Whether y falls with x all the way."""
        if self.turns:
            return False
        x = self.solve(np.array([0.75, 0.25]) * self.lo + np.array([0.25, 0.75]) * self.hi)
        return bool(x[1] < x[0])

    def _levels(self, bits: int) -> Levels:
        return _levels(self, as_count("bits", bits, 1, MAX_BITS))

    def _ends(self) -> Array:
        """Where segments end, of a curve that turns: its domain and its turns, rising."""
        if self.domain is None:
            raise must("domain", "be the x-range of a curve that turns", "is None")
        return np.array([self.domain[0], *(self.turns or ()), self.domain[1]])

    def solve(self, y: Array) -> Array:
        """x with f(x) = y of a monotonic curve. Raises ArgumentError where there is none."""
        y = _array("y", y)
        if self.inverse is not None:
            with np.errstate(all="ignore"):
                x = segments.values(self.name, self.inverse, y, "inverse")
        else:
            x = segments.roots(self.name, self.f, y, self.domain)
        bad = ~np.isfinite(x)
        if bad.any():
            rule = f"reach every output from {self.lo:g} to {self.hi:g}"
            raise must("curve", rule, f"{self.name} has no finite x for y = {y[bad][0]:g}")
        return x

    def crossings(self, y: Array) -> tuple[Array, Codes]:
        """Where a curve that turns crosses the outputs `y` (rising), and the counter's values.

        Pre-activations (n,), rising, and (n + 1,) how many of `y` lie below the output in each
        interval. Raises ArgumentError where one is never crossed.
        """
        y, ends = as_array("y", y, (None,)), self._ends()
        x, counts = segments.crossings(self.name, self.f, ends, y)
        missed = [*y[: counts.min()], *y[counts.max() :]]
        if missed:
            rule = f"cross every output edge from {y[0]:g} to {y[-1]:g}"
            raise must("curve", rule, f"{self.name} does not cross {missed[-1]:g} between x = "
                       f"{ends[0]:g} and {ends[-1]:g}")  # fmt: skip
        return x, counts


def _array(name: str, value: ArrayLike) -> Array:
    """`value` as an array of its own shape."""
    try:
        ndim = np.ndim(value)
    except ValueError:
        ndim = 0  # rows of unequal length, which `as_array` refuses
    return as_array(name, value, (None,) * ndim, empty=True)


def _rising(thresholds: ArrayLike) -> Array:
    x = as_array("thresholds", thresholds, (None,))
    if np.any(np.diff(x) <= 0):
        at = int(np.argmax(np.diff(x) <= 0))
        raise must("thresholds", "rise", f"has {x[at]:.6g} before {x[at + 1]:.6g}")
    return x


@dataclass(frozen=True, eq=False)
class Levels:
    """thresholds, edges (n,), codes (n + 1,), outputs (2^bits,); read-only."""

    thresholds: Array
    edges: Array
    codes: Codes
    outputs: Array

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            getattr(self, field.name).flags.writeable = False


@functools.lru_cache(maxsize=256)
def _levels(curve: Curve, bits: int) -> Levels:
    if curve.placement is not None:
        return _placed(curve, curve.placement, bits)
    lsb = curve.lsb(bits)
    y = curve.lo + np.arange(1, 2**bits) * lsb
    outputs = curve.lo + (np.arange(2**bits) + 0.5) * lsb
    if curve.turns:
        x, codes = curve.crossings(y)
        return Levels(x, y[np.maximum(codes[1:], codes[:-1]) - 1], codes, outputs)
    if curve.falling:
        y, outputs = y[::-1].copy(), outputs[::-1].copy()
    x = curve.solve(y)
    segments.check_inverse(curve.name, curve.f, x, y, curve.hi - curve.lo)
    return Levels(x, y, np.arange(2**bits), outputs)


def _placed(curve: Curve, placement: Placement, bits: int) -> Levels:
    shift = placement.bits - bits
    if shift < 0:
        raise must(
            "bits", f"be at most {placement.bits}, for which {curve.name} has thresholds placed",
            f"is {bits}", "Place them anew for more.",
        )  # fmt: skip
    x = np.array(placement.thresholds)
    codes = _counter(curve, x) >> shift
    kept = np.diff(codes) != 0
    x = x[kept]
    outputs = np.array(placement.outputs).reshape(2**bits, -1).mean(axis=1)
    codes = codes[np.concatenate(([True], kept))]
    return Levels(x, segments.values(curve.name, curve.f, x), codes, outputs)


def _counter(curve: Curve, x: Array) -> Codes:
    """The codes of the intervals between thresholds `x`, (n + 1,), the least of them 0."""
    if not curve.turns:
        return np.arange(x.size + 1)
    ends = curve._ends()
    rises = np.diff(segments.values(curve.name, curve.f, ends)) > 0
    steps = np.where(rises[np.searchsorted(ends[1:-1], x, side="right")], 1, -1)
    codes = np.concatenate(([0], np.cumsum(steps)))
    return codes - codes.min()
