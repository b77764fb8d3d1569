"""What one read of an array takes, whether the array is programmed or only described."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aimc.driver import PulseDriver
from aimc.errors import as_count, as_number, must

if TYPE_CHECKING:
    from aimc.adc import Converter as AnyConverter
    from aimc.cost.card import CostCard
    from aimc.macro import Hardware, Macro

Converter = Literal["ramp", "linear ramp", "sar", "one-step"]
CONVERTERS: tuple[Converter, ...] = ("ramp", "linear ramp", "sar", "one-step")
"""ramp: applies the curve itself. The others are linear, and a look-up applies it."""
_SHARED = {"sar": "sar", "one-step": "one_step"}


@dataclass(frozen=True)
class Read:
    """One read of an array with its converters, or of `count` such arrays at the same time.

    rows, cols, lines: rows, columns of weights and columns of cells in use; array: those that the
    array has. pulsed: whether rows carry pulses of one voltage, or a voltage each. window, t_step
    [s]: of the read, and of the ramp; periods: clock periods of the ramp. bits_in, bits: of an
    activation and of a conversion. cells, ramp: energy in the cells of the array and of its ramp
    columns [J]; ramp_cells: how many those are.
    """

    rows: int
    cols: int
    lines: int
    array: tuple[int, int, int]
    pulsed: bool
    window: float
    t_step: float
    periods: int
    bits_in: int
    bits: int
    cells: float
    ramp: float
    ramp_cells: int
    count: int = 1

    def conversion(self, converter: Converter, card: CostCard) -> float:
        """Time until every column is converted [s]."""
        if converter not in _SHARED:
            return self.periods * self.t_step
        if converter == "one-step" and self.bits != card.of("one_step", "bits"):
            only = card.of("one_step", "bits")
            raise must("bits", f"be {only:g}, for which the one-step converter's cost is known",
                       f"are {self.bits}")  # fmt: skip
        turns = math.ceil(self.cols / self.converters(converter, card))
        return turns * card.of(_SHARED[converter], "latency")

    def converters(self, converter: Converter, card: CostCard, whole: bool = False) -> int:
        """Converters of the columns in use, or of the `whole` array: one each, or for several."""
        cols = self.array[1] if whole else self.cols
        if converter not in _SHARED:
            return cols
        return math.ceil(cols / card.of(_SHARED[converter], "shared"))


def programmed(macro: Macro, energy: float) -> Read:
    """A read of a programmed macro whose cells take `energy` [J]."""
    ramps = macro.converters
    return _read(macro.hardware, *macro.shape, macro.crossbar.g.shape[1], energy, ramps)


def described(
    hardware: Hardware,
    rows: int,
    cols: int,
    curves: Sequence[str] = ("linear",),
    *,
    activity: float = 0.5,
    fill: float = 0.2,
    tall: bool = False,
) -> tuple[Read, ...]:
    """Reads of a matrix that is not programmed, array by array, as `aimc.tile` would split it.

    fill: mean |w| / w_max; wires are left out. The default is 0.2, as in the recurrent layer of the
    trained keyword spotter (0.198), whose weights training bounds. Ramps are those of an ideal
    write. tall: arrays have as many rows as the matrix, so that one integrator takes the charge of
    a whole column; otherwise rows beyond the array's make linear partial sums.
    """
    as_count("rows", rows, 1)
    as_count("cols", cols, 1)
    activity = as_number("activity", activity, minimum=0, maximum=1)
    fill = as_number("fill", fill, minimum=0, maximum=1)
    h = hardware.replace(rows=rows) if tall else hardware
    down, across = blocks(rows, h.rows), blocks(cols, h.cols)
    names = [curves[k * len(curves) // cols] for k in range(cols)] if len(down) == 1 else ()
    g = h.mapping.to_conductance(np.array([[fill, -fill]]), h.device, 1.0).mean()
    power = float(g) * h.driver.v_read**2 * activity
    found: dict[Any, Read] = {}
    for high, (start, wide) in itertools.product(down, zip(_starts(across), across, strict=True)):
        own = tuple(dict.fromkeys(names[start : start + wide])) or ("linear",)
        kind = high, wide, own
        if kind in found:
            found[kind] = dataclasses.replace(found[kind], count=found[kind].count + 1)
            continue
        lines = h.mapping.lines(wide)
        energy = power * h.driver.window * high * lines
        found[kind] = _read(h, high, wide, lines, energy, [_ideal_ramp(h, name) for name in own])
    return tuple(found.values())


def held(hardware: Hardware, units: int, ramp: AnyConverter | None = None) -> Read:
    """The conversion of `units` digital values by a tanh ramp of their own, as of a cell state:
    each is driven as a pulse onto an integrator, without weights.
    """
    ramp = ramp or _ideal_ramp(hardware, "tanh")
    one = hardware.replace(rows=1, cols=units)
    read = _read(one, 0, units, units, 0.0, [ramp])
    return dataclasses.replace(read, array=(0, units, units))


def blocks(length: int, most: int) -> list[int]:
    """Lengths of the parts that `aimc.tile` makes of a side."""
    count = math.ceil(length / most)
    edges = [round(k * length / count) for k in range(count + 1)]
    return [b - a for a, b in itertools.pairwise(edges)]


def _starts(lengths: Sequence[int]) -> list[int]:
    return [sum(lengths[:k]) for k in range(len(lengths))]


@functools.lru_cache(maxsize=64)
def _ideal_ramp(h: Hardware, name: str) -> AnyConverter:
    device = dataclasses.replace(h.device, on_write=(), on_read=(), on_age=())
    return h.adc.program(name, device, np.random.default_rng(0))


def _read(
    h: Hardware, rows: int, cols: int, lines: int, energy: float, ramps: Sequence[AnyConverter]
) -> Read:
    bits_in = h.driver.bits or h.adc.bits
    return Read(
        rows, cols, lines, (h.rows, h.cols, h.mapping.lines(h.cols)),
        isinstance(h.driver, PulseDriver), h.driver.window, h.adc.t_step,
        max(ramp.periods for ramp in ramps), bits_in, h.adc.bits, energy,
        h.driver.v_read**2 * h.adc.t_step * sum(ramp.on_conductance for ramp in ramps),
        sum(ramp.cells for ramp in ramps),
    )  # fmt: skip
