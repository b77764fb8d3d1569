"""Gains and offsets, found from reads alone and trimmed away: each column's, or one for all.

A column's comparator has an offset and its capacitor a mismatch; wires take their share of its
current. Known activations are read through the chip, and what the codes say is compared with what
the weights should have made of them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

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
    codes come from all of the curve. For each column, z = f^-1(y) of the codes that do not saturate
    is fitted by least squares to gain (x w) + offset, and the comparator's reference and the
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
    trims: list[Columns] = []
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
            line = np.stack((z, np.ones(z.size)), axis=1)
            gain[j], offset[j] = np.linalg.lstsq(line, middle[code[inside, j] - 1])[0]
        made = converter.columns
        a = 1.0 + _stepped(gain[place] - 1.0, gain_step)
        b = _stepped(offset[place] * converter.gain * converter.common, offset_step)
        trimmed = dataclasses.replace(made, ratio=made.ratio / a, offset=(made.offset + b) / a)
        trims.append(trimmed)
    done = macro.trimmed(trims)
    before, after = (_error(each, x, meant) for each in (macro, done))
    return done, Fit(gain, offset, before, after, len(x))


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


def _error(macro: Macro, x: Array, meant: Array) -> float:
    y, total = macro.trace(x).y, 0.0
    for place, converter in macro.ramps:
        curve = converter.curve
        ideal = np.clip(curve.f(meant[:, place]), curve.lo, curve.hi)
        total += float((((y[:, place] - ideal) / converter.lsb) ** 2).sum())
    return float(np.sqrt(total / y.size))
