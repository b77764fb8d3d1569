"""Each column's gain and offset, found from reads alone and trimmed away.

A column's comparator has an offset and its capacitor a mismatch; wires take their share of its
current. Known activations are read through the chip, and what the codes say is compared with what
the weights should have made of them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import as_array, as_batch, as_number, must

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.macro import Macro

    Array = NDArray[np.float64]


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
    macro: Macro,
    w: Any,
    x: Any,
    rng: np.random.Generator,
    offset_step: float = 0.0,
    gain_step: float = 0.0,
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
    stack = macro.only
    w = as_array("w", w, macro.shape)
    x = as_batch("x", x, macro.shape[0])
    for name, step in (("offset_step", offset_step), ("gain_step", gain_step)):
        as_number(name, step, minimum=0)
    meant = macro.hardware.driver.quantise(x) @ w
    code = macro.trace(x, rng).code
    gain, offset = np.empty(macro.shape[1]), np.empty(macro.shape[1])
    trims = []
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


def _stepped(value: Array, step: float) -> Array:
    return value if step == 0.0 else np.rint(value / step) * step


def _error(macro: Macro, x: Array, meant: Array) -> float:
    y, total = macro.trace(x).y, 0.0
    for place, converter in macro.ramps:
        curve = converter.curve
        ideal = np.clip(curve.f(meant[:, place]), curve.lo, curve.hi)
        total += float((((y[:, place] - ideal) / converter.lsb) ** 2).sum())
    return float(np.sqrt(total / y.size))
