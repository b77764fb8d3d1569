"""Gains and offsets, found from reads alone and trimmed away: each column's, or one for all.

A column's comparator has an offset and its capacitor a mismatch; wires take their share of its
current. Known activations are read through the chip, and what the codes say is compared with what
the weights should have made of them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import optimize, special  # pyright: ignore[reportMissingTypeStubs]

from aimc.converters.base import Converter
from aimc.errors import as_a, as_array, as_batch, as_count, as_number, as_rng, must
from aimc.kernels.base.blas import one_thread, product
from aimc.macro.macro import Macro
from aimc.parts.condition import Condition

if TYPE_CHECKING:
    from aimc.arrays import Array, Generator
    from aimc.converters.imperfections import Columns
    from aimc.macro import Stack


@dataclass(frozen=True)
class Fit:
    """What was found and done. gain, offset (cols,): of each column's pre-activation, before;
    before, after: rms error of the outputs on the same reads [LSB]; reads: how many."""

    gain: Array
    offset: Array
    before: float
    after: float
    reads: int

    def __str__(self) -> str:
        return (
            f"{self.reads} reads: gains {self.gain.mean():.4f} +- {self.gain.std():.4f}, offsets "
            f"{self.offset.mean():+.4f} +- {self.offset.std():.4f}; rms error "
            f"{self.before:.3f} -> {self.after:.3f} LSB"
        )


def columns(
    macro: Macro, w: Any, x: Any, rng: Generator, offset_step: float = 0.0, gain_step: float = 0.0
) -> tuple[Macro, Fit]:
    """`macro` with the gain and offset of every column trimmed, and what was found.

    w (rows, cols): the weights as meant; x (reads, rows): known activations, best spread so that
    codes come from all of the curve. For each column, z = f^-1(y) is fitted by least squares to
    gain (x w) + offset, where a code that saturates says that its z lies at the end of the range or
    beyond. A column that its trim does not bring closer stays. The comparator's reference and the
    capacitor are trimmed in whole steps: offset_step [V] and gain_step [1], zero for any value.
    Raises ArgumentError on wrong shapes, a curve that turns, a macro of several arrays, a column
    with fewer than 4 reads inside its range, or with reads that are too alike to tell its gain from
    its offset.
    """
    stack = as_a("macro", macro, Macro).only
    w = as_array("w", w, macro.shape)
    x = as_batch("x", x, macro.shape[0])
    for name, step in (("offset_step", offset_step), ("gain_step", gain_step)):
        as_number(name, step, minimum=0)
    meant = product(macro.hardware.driver.quantise(x), w)
    code = macro.trace(x, rng).code
    gain, offset = np.empty(macro.shape[1]), np.empty(macro.shape[1])
    for place, converter in stack.ramps:
        if converter.turns:
            raise must("curve", "be monotonic", f"{converter.curve.name} turns")
        theta = converter.curve.thresholds(converter.bits)
        middle = 0.5 * (theta[1:] + theta[:-1])
        for j in range(place.start, place.stop):
            inside = (code[:, j] > 0) & (code[:, j] < theta.size)
            if np.count_nonzero(inside) < 4:
                raise must(
                    "x", "bring four or more codes of each column inside its range",
                    f"brings {np.count_nonzero(inside)} of column {j}",
                )  # fmt: skip
            z = meant[inside, j]
            if np.ptp(z) < np.diff(middle).max(initial=0.0):
                raise must(
                    "x", "spread each column's sums over more than a step",
                    f"spreads those of column {j} over {np.ptp(z):.3g}",
                )  # fmt: skip
            seen = np.concatenate((theta[:1], middle, theta[-1:]))[code[:, j]]
            gain[j], offset[j] = _censored(
                meant[:, j], seen, np.where(inside, 0, np.where(code[:, j] > 0, 1, -1))
            )

    def trimmed(which: Any) -> Macro:
        trims: list[Columns] = []
        for place, converter in stack.ramps:
            made = converter.columns
            a = 1.0 + which[place] * _stepped(gain[place] - 1.0, gain_step)
            b = _stepped(offset[place] * converter.gain * converter.common, offset_step)
            moved = (made.offset + which[place] * b) / a
            trims.append(dataclasses.replace(made, ratio=made.ratio / a, offset=moved))
        return macro.trimmed(trims)

    before = _errors(macro, x, meant)
    better = _errors(trimmed(np.ones(gain.size)), x, meant) < before
    done = trimmed(better)
    first, last = (float(np.sqrt(np.mean(each))) for each in (before, _errors(done, x, meant)))
    return done, Fit(gain, offset, first, last, len(x))


def _censored(z: Array, seen: Array, end: Array) -> tuple[float, float]:
    """Gain and offset of the likeliest line of `seen` on z under Gaussian errors, where +-1 in
    `end` marks what is known to lie at `seen` or beyond [Tobin 1958; concave in the line over sigma
    and in 1 / sigma, Olsen 1978]."""
    inside, scale = end == 0, float(z.std())
    line = np.stack((z / scale, np.ones(z.size)), axis=1)
    fit = np.linalg.lstsq(line[inside], seen[inside])[0]
    sigma = float((seen - line @ fit)[inside].std()) or 1e-6
    if inside.all():
        return float(fit[0]) / scale, float(fit[1])

    def loss(at: Array) -> tuple[float, Array]:
        """Less the logarithm of the likelihood, and its gradient."""
        short = at[2] * seen - line @ at[:2]
        beyond: Array = cast("Any", special).log_ndtr(-end * short)
        tail = end * np.exp(-0.5 * short**2 - beyond) / np.sqrt(2.0 * np.pi)
        value = np.where(inside, 0.5 * short**2 - np.log(at[2]), -beyond).sum()
        by = np.asarray(np.where(inside, short, tail), np.float64)
        last = float(by @ seen) - np.count_nonzero(inside) / at[2]
        return float(value), np.append(-(by @ line), last)

    start = np.array([*fit, 1.0]) / sigma
    bounds = [(None, None), (None, None), (1e-9, None)]
    found = (
        cast("Any", optimize).minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    )
    return float(found[0] / (found[2] * scale)), float(found[1] / found[2])


@one_thread()
def compensated(macro: Macro, rng: Generator, reads: int = 64) -> Macro:
    """`macro` with a digital factor behind the codes of each stack of arrays, which takes off what
    all of its cells have lost in common since they were written.

    Known activations are read as the macro stands and as it was written (which is noted then); the
    pre-activations that their codes stand for are compared by their projection on what was meant
    [global drift compensation: Joshi et al. 2020, Nat. Commun. 11, 2473, there of summed currents].
    The factor holds until the condition changes. Raises ArgumentError for a curve that turns.
    """
    as_a("macro", macro, Macro)
    as_rng(rng)
    as_count("reads", reads)
    stacks = tuple(
        tuple(_compensated(stack, rng, reads) for stack in beside) for beside in macro.stacks
    )
    return dataclasses.replace(macro, stacks=stacks)


def _compensated(stack: Stack, rng: Generator, reads: int) -> Stack:
    first = stack.under(Condition(bits=stack.condition.bits))
    x = rng.uniform(-1.0, 1.0, (reads, stack.shape[0]))
    spans = [np.ptp(ramp.curve.thresholds(ramp.bits)) for _, ramp in stack.ramps]
    largest = float(np.std(product(x, first.w))) or 1.0
    x *= min(1.0, 0.25 * min(spans) / largest)  # within the range
    meant = product(stack.hardware.driver.quantise(x), first.w)
    codes = [each.trace(x, rng).code for each in (first, stack)]
    shares = [_shares(r, meant[:, at], *(code[:, at] for code in codes)) for at, r in stack.ramps]
    factor = _factor(np.sum(shares, axis=0))
    ramps = tuple((at, dataclasses.replace(r, compensation=factor)) for at, r in stack.ramps)
    return dataclasses.replace(stack, ramps=ramps)


@one_thread()
def converter(ramp: Converter) -> Converter:
    """`compensated` for a converter by itself, of digital pre-activations."""
    theta = as_a("ramp", ramp, Converter).curve.thresholds(ramp.bits)
    x: Array = 0.25 * np.linspace(float(theta[0]), float(theta[-1]), 8 * theta.size)[:, None]
    first = ramp.under(Condition(bits=ramp.condition.bits), retained=ramp.retained)
    codes = [each.convert(x * (each.gain * each.common)) for each in (first, ramp)]
    return dataclasses.replace(ramp, compensation=_factor(_shares(ramp, x, *codes)))


def _shares(ramp: Converter, meant: Array, then: Any, now: Any) -> Array:
    """Projections of what codes stood for `then` and `now` on what was meant, (2,)."""
    if ramp.turns:
        raise must("curve", "be monotonic to be compensated", f"{ramp.curve.name} turns")
    z, theta = ramp.curve.solve(ramp.curve.outputs(ramp.bits)), ramp.curve.thresholds(ramp.bits)
    inside = (theta[0] <= meant) & (meant <= theta[-1])
    return np.array([float(np.vdot(meant[inside], z[code[inside]])) for code in (then, now)])


def _factor(shares: Array) -> float:
    had, has = shares
    return float(had / has) if had > 0.0 and has > 0.0 else 1.0


def _stepped(value: Array, step: float) -> Array:
    return value if step == 0.0 else np.rint(value / step) * step


def _errors(macro: Macro, x: Array, meant: Array) -> Array:
    """Mean square error of the outputs of each column [LSB^2]."""
    y = macro.trace(x).y
    errors = np.empty(y.shape)
    for place, converter in macro.ramps:
        curve = converter.curve
        ideal = np.clip(curve.f(meant[:, place]), curve.lo, curve.hi)
        errors[:, place] = (y[:, place] - ideal) / converter.lsb
    return np.mean(errors**2, axis=0)
