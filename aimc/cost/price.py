"""Layers and a card to a bill: which component is used how often, for how long."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aimc.cost.bill import COMPONENTS, Bill, Part, Phase
from aimc.cost.card import CostCard
from aimc.cost.reads import Converter, Read
from aimc.cost.stages import ElementWise, Layer, LookUp, Product

ALUS = 4  # of an element-wise processor: an LSTM's three products and one sum, one unit a cycle
_CONVERTERS: dict[Converter, tuple[str, ...]] = {
    "ramp": ("comparators and counters", "ramp columns"),
    "linear ramp": ("comparators and counters",),
    "sar": ("SAR converters",),
    "flash": ("flash comparators", "flash levels"),
    "one-step": ("one-step converters",),
}
"""The components of each kind of converter: what decides, and the memristors of its levels."""
_FORMULAS = {
    "cells": "sum v i T, from the currents",
    "ramp columns": "sum v i t_step, from the column's cells",
    "flash levels": "sum v i t_step, from the levels' cells",
}


class Account:
    """Adds up what stages use, and the time they take. data: whether moving and keeping count."""

    def __init__(self, card: CostCard, data: bool) -> None:
        self.card = card
        self.data = data
        self.energy = dict.fromkeys(COMPONENTS, 0.0)
        self.area = dict.fromkeys(COMPONENTS, 0.0)
        self.latency = dict.fromkeys(COMPONENTS, 0.0)
        self.phases: list[Phase] = []
        self.now = 0.0
        self.bits_moved = 0.0  # over the chip, weighted by how often
        self.ops = 0.0

    def phase(self, name: str, latency: float, times: float, *busy: str) -> None:
        """Lasts `latency` [s]; the first of `busy` sets the pace."""
        if latency > 0:
            self.phases.append(Phase(name, self.now, self.now + latency, busy, times))
            self.now += latency
            self.latency[busy[0]] += times * latency

    def use(self, component: str, energy: float, area: float) -> None:
        """A component takes so much energy [J], and stands on so much area [m^2]."""
        self.energy[component] += energy
        self.area[component] += area

    def buffer(self, times: float, touched: float, moved: float = 0, kept: float = 0) -> None:
        """Bits that are read or written, moved over the chip, and kept."""
        if self.data:
            energy, area = (self.card.of("buffer", what) for what in ("energy", "area"))
            self.use("buffers", times * touched * energy, kept * area)
            self.bits_moved += times * moved

    def product(self, stage: Product, times: float) -> None:
        """A product: rows driven and currents integrated, then the columns converted."""
        c = self.card
        for read in stage.reads:
            self._array(read, times)
        slowest = max(stage.reads, key=lambda read: read.window + read.conversion(c))
        drivers = "drivers" if slowest.pulsed else "DACs"
        first = ("cells", drivers) if slowest.rows else ("integrators",)
        self.phase(f"{stage.name}: read", slowest.window, times,
                   *dict.fromkeys((*first, "integrators")))  # fmt: skip
        self.phase(f"{stage.name}: convert", slowest.conversion(c), times,
                   *_CONVERTERS[slowest.converter], "integrators", "sample and hold")  # fmt: skip
        if stage.splits > 1:
            sums = (stage.splits - 1) * stage.outputs
            self.use("partial sums", times * sums * c.of("adder", "energy"),
                     stage.outputs * c.of("adder", "area"))  # fmt: skip
            self.phase(f"{stage.name}: add", (stage.splits - 1) * c.period, times, "partial sums")
        bits_in, bits = slowest.bits_in, slowest.bits
        moved = stage.inputs * bits_in + stage.outputs * stage.splits * bits
        self.buffer(times, moved, moved, stage.inputs * bits_in + stage.outputs * bits)

    def _array(self, read: Read, times: float) -> None:
        c, count, n = self.card, read.count, read.count * times
        rows, cols, lines = read.array
        on = read.window + read.conversion(c)
        self.use("cells", n * read.cells, count * rows * lines * c.of("cell", "area"))
        driver, bits = ("drivers", 1) if read.pulsed else ("DACs", read.bits_in)
        element = COMPONENTS[driver]
        self.use(driver, n * read.rows * bits * c.of(element, "power") * read.window,
                 count * rows * bits * c.of(element, "area"))  # fmt: skip
        self.use("integrators", n * read.cols * c.of("integrator", "power") * on,
                 count * cols * c.of("integrator", "area"))  # fmt: skip
        self.use("sample and hold", n * read.lines * c.of("sample_hold", "power") * on,
                 count * lines * c.of("sample_hold", "area"))  # fmt: skip
        deciding, *levels = _CONVERTERS[read.converter]
        element = COMPONENTS[deciding]
        stand = read.converters(c, whole=True) * read.parallel
        self.use(deciding, n * read.cols * read.uses * c.of(element, "energy"),
                 count * stand * c.of(element, "area"))  # fmt: skip
        for component in levels:
            self.use(component, n * read.reference,
                     count * read.reference_cells * c.of("cell", "area"))  # fmt: skip
        self.ops += n * 2 * read.rows * read.cols

    def look_up(
        self, name: str, count: int, bits: int, processors: int, times: float, moved: int = 2
    ) -> None:
        """A function of `count` values, `cycles` periods each, by so many units. moved: words that
        travel for each value; a product's results have travelled already.
        """
        c = self.card
        cycles = c.of("look_up", "cycles")
        self.energy["look-up units"] += times * count * cycles * c.of("look_up", "energy")
        area = processors * c.of("look_up", "area")
        self.area["look-up units"] = max(self.area["look-up units"], area)
        turns = math.ceil(count / processors)
        self.phase(name, turns * cycles * c.period, times, "look-up units", "buffers")
        self.buffer(times, 2 * count * bits, moved * count * bits)

    def element_wise(
        self, stage: ElementWise, bits: int, processors: int | None, times: float
    ) -> None:
        """Products and sums, `ALUS` operations of a processor in a period."""
        c = self.card
        n = processors or math.ceil(stage.units / c.of("alu", "serves"))
        done = stage.units * stage.ops
        self.energy["element-wise units"] += times * done * c.of("alu", "energy")
        area = n * ALUS * c.of("alu", "area")
        self.area["element-wise units"] = max(self.area["element-wise units"], area)
        turns = math.ceil(done / (ALUS * n))
        self.phase(stage.name, turns * c.period, times, "element-wise units", "buffers")
        self.buffer(times, (stage.ops + 2) * stage.units * bits)

    def settle(self, name: str, bits: int) -> Bill:
        """The bill. What is moved travels once over the side of the chip, sqrt(area)."""
        reach = math.sqrt(sum(self.area.values()))
        wire = self.card.of("routing", "wire_energy")
        self.energy["routing"] = self.bits_moved * reach * wire
        parts = []
        for component, element in COMPONENTS.items():
            energy, area = self.energy[component], self.area[component]
            latency = self.latency[component]
            if energy or area or latency:
                source = self.card.elements[element].says()
                if component in _FORMULAS:
                    source = f"energy: {_FORMULAS[component]}; {source}"
                doubts = self.card.elements[element].doubts()
                parts.append(Part(component, energy, area, latency, source, doubts))
        return Bill(name, tuple(parts), tuple(self.phases), round(self.ops), bits)


def price(
    layers: Sequence[Layer],
    card: CostCard,
    *,
    processors: int | None = None,
    steps: int = 1,
    data: bool = True,
    name: str = "",
) -> Bill:
    """The bill of layers that run one after the other.

    processors: look-up units, and element-wise ones (None: as the card says). steps: of a sequence,
    in each of which layers without `times` run once. data: whether buffers and routing are billed.
    """
    account, bits = Account(card, data), 0
    look_ups = processors or int(card.of("look_up", "processors"))
    for layer in layers:
        times = steps if layer.times is None else layer.times
        bits = next((s.reads[0].bits for s in layer.stages if isinstance(s, Product)), bits)
        for stage in layer.stages:
            if isinstance(stage, Product):
                account.product(stage, times)
                if stage.looked:
                    label = f"{stage.name}: look up"
                    account.look_up(label, stage.looked, bits, look_ups, times, moved=1)
            elif isinstance(stage, LookUp):
                account.look_up(stage.name, stage.count, bits, look_ups, times)
            else:
                account.element_wise(stage, bits, processors, times)
    return account.settle(name, bits)
