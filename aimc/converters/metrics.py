"""What a converter is worth: its errors, its codes, its resolution, the spread over chips.

Every function takes a programmed converter, of one chip or of many at once
(`adc.program(..., chips=10000)`), and keeps the chips as leading axes. Thresholds are
pre-activations with the comparators' offsets left out; errors are counted in the direction of the
codes. Referred to the output they are in steps of the curve, LSB = (hi - lo) / 2^n; referred to
the input in mean steps of the ideal thresholds, LSB_in = (theta_last - theta_first) / (2^n - 2).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from aimc.converters.base import Converter
from aimc.errors import as_a, as_array, as_count, as_number, must
from aimc.kernels.read.crossing import first_crossings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aimc.arrays import Array, Codes, Generator, NDArray
    from aimc.curves import Curve

Fit = Literal["none", "end-point", "best"]
Refer = Literal["output", "input"]

_IDEAL = {"offset": 0.0, "ratio": 1.0, "shift": 0.0}  # of a column
_AT_ONCE = 2**20  # conversions of a block, which bound its memory


def inl(ramp: Converter, fit: Fit = "none", refer: Refer = "output") -> Array:
    """Integral nonlinearity at each threshold [LSB], (..., k).

    fit: the line that is taken off, over the ideal places: none, through the first and the last
    threshold, or of least squares ("best"); IEEE Std 1241 knows the last two. refer: to the output,
    (f(theta) - y_k) / LSB, or to the input, (theta - f^-1(y_k)) / LSB_in.
    """
    ideal, error = _errors(ramp, refer)
    if fit == "none":
        return error
    _rising_codes(ramp)
    if error.shape[-1] < 2:
        return 0.0 * error
    if fit == "end-point":
        share = (ideal - ideal[0]) / (ideal[-1] - ideal[0])
        return error - (error[..., :1] * (1.0 - share) + error[..., -1:] * share)
    if fit == "best":
        away = ideal - ideal.mean()
        slope = (error @ away)[..., None] / (away @ away)
        return error - error.mean(axis=-1, keepdims=True) - slope * away
    raise must("fit", "be none, end-point or best", f"is {fit!r}")


def dnl(ramp: Converter, fit: Fit = "none", refer: Refer = "output") -> Array:
    """Differential nonlinearity of the inner codes [LSB], (..., k - 1): the width of each over what
    it is meant to be, less one, where the output's widths are all alike; referred to the input, the
    width's error in LSB_in."""
    return np.diff(inl(ramp, fit, refer), axis=-1)


def _errors(ramp: Converter, refer: Refer) -> tuple[Array, Array]:
    """Ideal places of the thresholds (k,) and what they are off (..., k), in one LSB [LSB]."""
    curve, bits = as_a("ramp", ramp, Converter).curve, ramp.bits
    if refer == "output":
        return curve.edges(bits) / ramp.lsb, ramp.inl()
    if refer != "input":
        raise must("refer", "be output or input", f"is {refer!r}")
    theta = curve.thresholds(bits)
    lsb = (theta[-1] - theta[0]) / max(1, theta.size - 1) if theta.size > 1 else 1.0
    return theta / lsb, (ramp.thresholds - theta) / lsb


def transfer(ramp: Converter, x: Array) -> Array:
    """What every chip puts out for pre-activations `x` (points,), behind an ideal column, without
    noise, (..., points)."""
    as_a("ramp", ramp, Converter)
    x = as_array("x", x, (None,))
    rows = [ramp.quiet.outputs[block] for block in _blocks(ramp, _volts(ramp, x))]
    return np.concatenate(rows).reshape(*ramp.transitions.shape[:-1], x.size)


def missing_codes(ramp: Converter) -> NDArray[np.int64]:
    """How many codes no voltage gives (...): between levels of which the next is not higher than
    the highest before, so that the ramp never shows them first."""
    as_a("ramp", ramp, Converter)
    return np.sum(np.diff(ramp.transitions, axis=-1) <= 0.0, axis=-1)


def monotone(ramp: Converter) -> NDArray[np.bool_]:
    """Whether the ramp never turns back (...). Codes rise with the voltage even where it does,
    because the first crossing counts; what turns back is the thresholds' order."""
    as_a("ramp", ramp, Converter)
    return np.all(np.diff(ramp.decisions, axis=-1) >= 0.0, axis=-1)


def errors(ramp: Converter) -> tuple[Array, Array]:
    """Root mean square and mean of (output - y) / LSB, (...,) [LSB], over outputs y = f(x) even
    between the ends of the curve: the integrals of each code's interval, exact.

    An ideal converter has an rms of 1/sqrt(12) = 0.289 and a mean of zero.
    """
    curve, outputs = _rising_codes(ramp), ramp.outputs
    x = ramp.transitions / (ramp.site.gain * ramp.common)
    first, last = (curve.hi, curve.lo) if curve.falling else (curve.lo, curve.hi)
    ends = [np.full((*x.shape[:-1], 1), end) for end in (first, last)]
    y = np.concatenate((ends[0], np.clip(curve.f(x), curve.lo, curve.hi), ends[1]), axis=-1)
    low, high = outputs - y[..., :-1], outputs - y[..., 1:]
    square = np.sum(low**3 - high**3, axis=-1) / (3.0 * (last - first))
    mean = np.sum(low**2 - high**2, axis=-1) / (2.0 * (last - first))
    return np.sqrt(square) / ramp.lsb, mean / ramp.lsb


def enob(
    ramp: Converter, points: int = 4096, cycles: int = 127, rng: Generator | None = None
) -> Array:
    """Effective number of bits of the linearised converter, (...,).

    A sine is sent through the inverse of the curve, so that an ideal converter puts the sine out
    again. A least-squares sine of the same frequency, with its mean, is taken off; what is left is
    distortion and, with `rng` and one chip, the converter's noise, ENOB = (SNDR - 1.76 dB) /
    6.02 dB [IEEE Std 1241]. The sine spans the curve less half an LSB at either end; `cycles` whole
    periods have no factor with `points`.
    """
    as_count("points", points, 16)
    if np.gcd(as_count("cycles", cycles, 1, points // 2 - 1), points) != 1:
        raise must("cycles", "have no factor in common with points", f"is {cycles} of {points}")
    curve = _rising_codes(ramp)
    phase = 2.0 * np.pi * cycles * np.arange(points) / points
    amplitude = (curve.hi - curve.lo - ramp.lsb) / 2.0
    y = (curve.lo + curve.hi) / 2.0 + amplitude * np.sin(phase)
    waves = np.stack((np.sin(phase), np.cos(phase)), axis=-1) * np.sqrt(2.0 / points)
    found = []
    for codes in _measured(ramp, _volts(ramp, curve.solve(y)), rng):
        out = ramp.outputs[codes]
        rest = out - out.mean(axis=-1, keepdims=True)
        shares = rest @ waves
        rest -= shares @ waves.T
        found.append(np.sum(shares**2, axis=-1) / np.sum(rest**2, axis=-1))
    sndr = 10.0 * np.log10(np.concatenate(found))
    return ((sndr - 1.76) / 6.02).reshape(ramp.transitions.shape[:-1])


def code_density(ramp: Converter, samples: int = 256, rng: Generator | None = None) -> Array:
    """DNL_k = H_k / H_ideal - 1 of the inner codes [LSB], (..., 2^n - 2): a histogram test.

    Outputs even between the ends of the curve, `samples` for each code, are sent through its
    inverse and converted, and H counts the codes [IEEE Std 1241]. It sees what such a test sees: a
    code that a ramp turns back over is missing, DNL = -1, by however much. Resolution is
    1 / samples LSB. With `rng`, of one chip, by `convert` of an ideal column with noise.
    """
    curve, codes = _rising_codes(ramp), ramp.outputs.size
    total = as_count("samples", samples) * codes
    y = curve.lo + (curve.hi - curve.lo) * (np.arange(total) + 0.5) / total
    volts = _volts(ramp, curve.solve(y))
    blocks = _measured(ramp, volts, rng)
    counts = [np.bincount(row, minlength=codes) for block in blocks for row in block]
    density = np.stack(counts)[:, 1:-1].astype(np.float64) / samples - 1.0
    return density.reshape(*ramp.transitions.shape[:-1], codes - 2)


def transition_noise(ramp: Converter) -> Array:
    """Standard deviation of each threshold from read to read, referred to the input [V], (k,).

    That of one decision, of one sample, of the ramp's start and of all steps up to the threshold,
    in quadrature; the largest column's sample. Levels are taken to be further apart than their
    noise: where they are not, the first of several crossings counts and codes fall.
    """
    noise, count = as_a("ramp", ramp, Converter).noise, ramp.decisions.shape[-1]
    steps = np.broadcast_to(np.asarray(noise.steps, float) ** 2, (max(0, count - 1),))
    walk = np.concatenate(([noise.start**2], steps)).cumsum()[:count]
    return np.sqrt(noise.decision**2 + float(np.max(noise.sample)) ** 2 + walk)


def share_below(ramp: Converter, limit: float = 1.0) -> float:
    """Share of the chips whose worst |INL| and worst |DNL| are both below `limit` [LSB]."""
    as_a("ramp", ramp, Converter)
    as_number("limit", limit, above=0)
    worst = np.maximum(
        np.abs(ramp.inl()).max(axis=-1, initial=0.0), np.abs(ramp.dnl()).max(axis=-1, initial=0.0)
    )
    return float(np.mean(worst < limit))


def _rising_codes(ramp: Converter) -> Curve:
    """The converter's curve. Raises ArgumentError where it turns, so that it has no inverse."""
    if as_a("ramp", ramp, Converter).turns:
        raise must("curve", "be monotonic here", f"{ramp.curve.name} turns")
    return ramp.curve


def _volts(ramp: Converter, x: Array) -> Array:
    """What an ideal column shows for pre-activations `x` [V]."""
    return x * (ramp.site.gain * ramp.common)


def _measured(ramp: Converter, volts: Array, rng: Generator | None) -> Iterable[Codes]:
    """Codes at `volts` (points,) of every chip, in blocks (n, points); with `rng` of one, noisy."""
    if rng is None:
        return _blocks(ramp, volts)
    if ramp.decisions.ndim > 1:
        rule = "be of one chip and column to be measured with noise"
        raise must("ramp", rule, f"is of {ramp.decisions.shape[:-1]}")
    alone = dataclasses.replace(ramp, columns=dataclasses.replace(ramp.columns, **_IDEAL))
    return [alone.convert(volts[:, None], rng).T]


def _blocks(ramp: Converter, volts: Array) -> Iterator[NDArray[np.int64]]:
    """Crossings at `volts` (points,) of every chip, some chips (n, points) at a time."""
    levels = ramp.transitions.reshape(-1, ramp.transitions.shape[-1])
    size, nothing = max(1, _AT_ONCE // volts.size), np.zeros(volts.size)
    for begin in range(0, len(levels), size):
        some = np.ascontiguousarray(levels[begin : begin + size])
        code = np.empty((len(some), volts.size), np.int64)
        seen = volts[None].repeat(len(some), 0)
        first_crossings(seen, nothing, some, 0.0, np.empty((1, 1)), code)
        yield code
