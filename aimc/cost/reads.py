"""What one read of an array takes, whether the array is programmed or only described."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from aimc.converters import SARADC, FlashADC, LinearRampADC
from aimc.converters.base import ADC, Site
from aimc.converters.base import Converter as Made
from aimc.converters.ramp import RampADC
from aimc.cost.card import CostCard
from aimc.curves import Curve
from aimc.curves.partial import partial_sum
from aimc.errors import as_flag, as_number, must
from aimc.macro import Hardware, Macro
from aimc.macro.layout import ranges
from aimc.parts.driver import Driver, PulseDriver, VoltageDriver

Converter = Literal["ramp", "linear ramp", "sar", "flash", "one-step"]
CONVERTERS: tuple[Converter, ...] = ("ramp", "linear ramp", "sar", "flash", "one-step")
CURVED: tuple[Converter, ...] = ("ramp", "flash")
"""Those that apply the curve themselves. The others are linear, and a look-up applies it."""
_OWN: dict[type[ADC], Converter] = {
    RampADC: "ramp", LinearRampADC: "linear ramp", SARADC: "sar", FlashADC: "flash",
}  # fmt: skip
T = TypeVar("T")
_ELEMENTS = {"sar": "sar", "one-step": "one_step"}


@dataclass(frozen=True)
class Read:
    """One read of an array with its converters, or of `count` such arrays at the same time.

    rows, cols, lines: rows, columns of weights and columns of cells in use; array: those that the
    array has. pulsed: whether rows carry pulses of one voltage, or a voltage each. window [s]: of
    the read. bits_in, bits: of an activation and of a conversion's result. cells: energy in the
    cells of the array [J].

    converter: its kind. periods, slot: clock periods of a conversion, and one of them with the rest
    behind it [s]; no periods where converters of the card serve several columns in turn. uses: what
    the card's energy is counted for in a conversion of a column: clock periods, bits squared or
    comparators; parallel: elements that a column has. reference, reference_cells: energy in the
    memristors that make the levels [J], and how many those are.
    """

    rows: int
    cols: int
    lines: int
    array: tuple[int, int, int]
    pulsed: bool
    window: float
    bits_in: int
    bits: int
    cells: float
    converter: Converter
    periods: int
    slot: float
    uses: int
    parallel: int
    reference: float
    reference_cells: int
    count: int = 1

    def conversion(self, card: CostCard) -> float:
        """Time until every column is converted [s]."""
        if self.periods:
            return self.periods * self.slot
        if self.converter == "one-step" and self.bits != card.of("one_step", "bits"):
            only = card.of("one_step", "bits")
            raise must("bits", f"be {only:g}, for which the one-step converter's cost is known",
                       f"are {self.bits}")  # fmt: skip
        turns = math.ceil(self.cols / self.converters(card))
        each = self.bits if self.converter == "sar" else 1
        return turns * each * card.of(_ELEMENTS[self.converter], "latency")

    def converters(self, card: CostCard, whole: bool = False) -> int:
        """Converters of the columns in use, or of the `whole` array: one each, or for several."""
        cols = self.array[1] if whole else self.cols
        if self.periods:
            return cols
        return math.ceil(cols / card.of(_ELEMENTS[self.converter], "shared"))


@dataclass(frozen=True)
class Usage:
    """How the arrays of a described layer are used.

    activity: what a row uses of the energy of a full activation, as in `cost.bill`. fill: mean
    |w| / w_max; the default is 0.2, as in the recurrent layer of the trained keyword spotter
    (0.198), whose weights training bounds. tall: arrays have as many rows as the matrix, so that
    one integrator takes the charge of a whole column; otherwise rows beyond the array's make linear
    partial sums.
    """

    activity: float = 0.5
    fill: float = 0.2
    tall: bool = False

    def __post_init__(self) -> None:
        as_number("activity", self.activity, minimum=0, maximum=1)
        as_number("fill", self.fill, minimum=0, maximum=1)
        as_flag("tall", self.tall)


TYPICAL = Usage()


def own(adc: ADC) -> Converter:
    """The kind of a converter that is simulated. Raises ArgumentError where no cost is known."""
    return _known("adc", adc, _OWN, "Derive it from the one whose circuit it has.")


def with_converter(hardware: Hardware, converter: Converter) -> Hardware:
    """`hardware` with such a converter of as many bits and the same clock; itself where it has one.

    SAR and one-step converters that it has not are those of the card, and change nothing here.
    """
    if converter in (own(hardware.adc), *_ELEMENTS):
        return hardware
    kind = next(kind for kind, name in _OWN.items() if name == converter)
    adc = kind(bits=hardware.adc.bits, t_step=hardware.adc.t_step)
    return dataclasses.replace(hardware, adc=adc)


def programmed(macro: Macro, energy: float) -> Read:
    """A read of a programmed macro whose cells take `energy` [J]."""
    h, arrays = macro.hardware, len(macro.crossbar.arrays)
    h = h.replace(rows=h.rows * arrays)
    return _read(h, *macro.shape, macro.crossbar.g.shape[1], energy, macro.converters)


def described(
    hardware: Hardware,
    rows: int,
    cols: int,
    curves: Sequence[str | Curve],
    converter: Converter,
    usage: Usage,
) -> tuple[Read, ...]:
    """Reads of a matrix that is not programmed, stack by stack, as `Hardware.program` splits it.

    Wires are left out; references are those of an ideal write.
    """
    h = with_converter(hardware.replace(rows=rows) if usage.tall else hardware, converter)
    down, across = blocks(rows, h.rows), blocks(cols, h.cols)
    down = [(sum(down[part]), len(down[part])) for part in ranges(len(down), h.stack or 1)]
    power = usage.activity * _cell_power(h, usage.fill)
    curves = curves if len(down) == 1 else (partial_sum(1.0, h.adc.bits),)
    kinds = Counter(_kinds(across, curves))
    of_the_card = converter in _ELEMENTS and converter != own(h.adc)
    found = []
    for ((high, arrays), tall_ones), ((wide, names), wide_ones) in itertools.product(
        Counter(down).items(), kinds.items()
    ):
        lines = h.mapping.lines(wide)
        energy = power * h.driver.window * high * lines
        made = () if of_the_card else [_ideal(h, name) for name in names]
        stacked = h.replace(rows=h.rows * arrays)
        read = _read(stacked, high, wide, lines, energy, made, converter)
        found.append(dataclasses.replace(read, count=tall_ones * wide_ones))
    return tuple(found)


def held(hardware: Hardware, units: int, made: Made | None = None) -> Read:
    """The conversion of `units` digital values by a tanh converter of their own, as of a cell
    state: each is driven as a pulse onto an integrator, without weights.
    """
    made = made or _ideal(hardware, "tanh")
    site = dataclasses.replace(made.site, v_read=hardware.driver.v_read)
    one = hardware.replace(rows=1, cols=units)
    read = _read(one, 0, units, units, 0.0, [dataclasses.replace(made, site=site)])
    return dataclasses.replace(read, array=(0, units, units))


def blocks(length: int, most: int) -> list[int]:
    """Lengths of the parts that `Hardware.program` makes of a side."""
    return [part.stop - part.start for part in ranges(length, most)]


def _kinds(across: Sequence[int], curves: Sequence[str | Curve]) -> Iterator[Any]:
    """Width of each column block, and the curves that its columns have."""
    cols, start = sum(across), 0
    for wide in across:
        first, last = (k * len(curves) // cols for k in (start, start + wide - 1))
        yield wide, tuple(dict.fromkeys(curves[first : last + 1]))
        start += wide


def _cell_power(h: Hardware, fill: float) -> float:
    """Mean power of a cell at the read voltage [W]."""
    v = h.driver.v_read
    g = h.mapping.to_conductance(np.array([[fill, -fill]]), h.device, 1.0)
    if h.device.iv is None:
        return float(g.mean()) * v**2
    return float(np.mean(h.device.iv.evaluate(g, np.full_like(g, v))[0])) * v


@functools.lru_cache(maxsize=64)
def _ideal(h: Hardware, name: str | Curve) -> Made:
    device = dataclasses.replace(h.device, on_write=(), on_read=(), on_age=())
    return h.adc.program(name, device, np.random.default_rng(0), Site(v_read=h.driver.v_read))


def _pulsed(driver: Driver) -> bool:
    """Whether rows carry pulses. Raises ArgumentError where no cost of the driver is known."""
    hint = ("Derive it from PulseDriver where rows carry pulses of one voltage, or from "
            "VoltageDriver where each row has a DAC.")  # fmt: skip
    return _known("driver", driver, {PulseDriver: True, VoltageDriver: False}, hint)


def _known(name: str, part: object, kinds: Mapping[type, T], hint: str) -> T:
    """What is said of the kind of a part. Raises ArgumentError where it is of none of them."""
    for kind, said in kinds.items():
        if isinstance(part, kind):
            return said
    known = ", ".join(kind.__name__ for kind in kinds)
    came = f"is a {type(part).__name__}"
    raise must(name, f"be one of {known}, whose cost is known", came, hint)


def _read(
    h: Hardware,
    rows: int,
    cols: int,
    lines: int,
    energy: float,
    made: Sequence[Made],
    converter: Converter | None = None,
) -> Read:
    """made: the converters as they stand, each once; none where they are of the card."""
    kind = converter or own(h.adc)
    bits = max((each.bits for each in made), default=h.adc.bits)
    periods = max((each.periods for each in made), default=0)
    resolution = h.adc.resolution if made else bits
    levels = 2**bits - 1
    uses = {"sar": resolution**2, "flash": levels, "one-step": 1}.get(kind, periods)
    return Read(
        rows, cols, lines, (h.rows, h.cols, h.mapping.lines(h.cols)),
        _pulsed(h.driver), h.driver.window, h.driver.bits or h.adc.bits, bits,
        energy, kind, periods, h.adc.slot, uses,
        levels if kind == "flash" else 1, sum(each.cell_energy for each in made),
        sum(each.cells for each in made),
    )  # fmt: skip
