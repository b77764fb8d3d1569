"""Energy, area and throughput of two LSTMs at 16 nm (Yang et al. 2025, Table 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import optimize

from aimc import cards, cost
from aimc.plots import cost as plots_cost
from aimc.plots.style import BLUE, ORANGE, panels
from aimc.reproduce.table import Row, Table

CARD = "taox-1t1r-128"


@dataclass(frozen=True)
class Column:
    """A column of the table: the network, and what is published of it.

    inputs, hidden, projection: 72 x 128 and 633 x 8064 weights are confirmed by the published
    memory; how 633 divides into inputs and state is inferred. power [mW], area [mm2].
    """

    name: str
    bits: int
    inputs: int
    hidden: int
    projection: int
    memory: float
    area: float
    power: float
    tops: float
    tops_per_watt: float
    tops_per_mm2: float

    @property
    def label(self) -> str:
        return f"{self.name}, {self.bits} bits"

    @property
    def weights(self) -> int:
        """Of the gates; the table counts neither the projection nor the converters' cells."""
        return (self.inputs + (self.projection or self.hidden)) * 4 * self.hidden

    @property
    def time(self) -> float:
        """Of a step [s]: operations over efficiency times power, which have more digits than the
        published throughput.
        """
        return 2 * self.weights / (self.tops_per_watt * 1e12 * self.power * 1e-3)

    @property
    def energy(self) -> float:
        """Of a step, as published [J]."""
        return 2e-12 * self.weights / self.tops_per_watt

    def layer(
        self, bits: int | None = None, cell_tanh: Any = "ramp", tall: bool = True, **usage: float
    ) -> cost.Layer:
        """The network on arrays as tall as its matrices, so that a ramp sees a whole sum.

        usage: others of `cost.Usage`, to see what depends on them.
        """
        return cost.layer(
            "lstm", cards.load(CARD).replace(bits=bits or self.bits), self.inputs, self.hidden,
            projection=self.projection, cell_tanh=cell_tanh, usage=cost.Usage(tall=tall, **usage),
        )  # fmt: skip


_KWS, _NLP = (40, 32, 0, 1.125, 0.003), (129, 2016, 504, 623, 0.71)
COLUMNS = (
    Column("KWS", 5, *_KWS, 3.7, 0.11, 31.0, 39.48),
    Column("KWS", 8, *_KWS, 4.6, 0.02, 4.0, 6.1),
    Column("NLP", 5, *_NLP, 406.5, 19.5, 47.9, 27.6),
    Column("NLP", 8, *_NLP, 766.8, 5.5, 7.2, 7.8),
)


def efficiency(column: Column, bill: cost.Bill) -> float:
    """Operations of the gates for a joule [1e12/J], as the table counts them."""
    return 2e-12 * column.weights / bill.energy


def fit(
    columns: Sequence[Column] = COLUMNS, card: cost.CostCard | None = None, **details: Any
) -> cost.CostCard:
    """The card whose three fitted constants come closest to `columns`, all of them at once.

    integrator.power and routing.wire_energy, at least 0, by least squares of the relative
    difference of energy; alu.serves, whole, by that of time. Energy is linear in the first two.
    details: see `Column.layer`.
    """
    card = card or cost.load()
    layers = [c.layer(**details) for c in columns]
    published = np.array([c.energy for c in columns])

    def energies(with_: cost.CostCard) -> np.ndarray:
        return np.array([cost.bill_of(layer, with_).energy for layer in layers]) / published

    units = (("integrator", "power", 1e-6), ("routing", "wire_energy", 1e-10))
    bare = unfitted(card)
    fixed = energies(bare)
    slopes = [energies(bare.replace(e, **{q: unit})) - fixed for e, q, unit in units]
    found, _ = optimize.nnls(np.stack(slopes, axis=1), 1.0 - fixed)
    for (element, quantity, unit), factor in zip(units, found, strict=True):
        card = card.replace(element, **{quantity: float(factor * unit)})

    def missed(serves: int) -> float:
        with_ = card.replace("alu", serves=serves)
        times = [cost.bill_of(layer, with_).latency for layer in layers]
        return sum((t / c.time - 1) ** 2 for t, c in zip(times, columns, strict=True))

    # The largest that makes do with n processors, for each n.
    largest = max(c.hidden for c in columns)
    choices = sorted({-(-largest // n) for n in range(1, largest + 1)})
    return card.replace("alu", serves=min(choices, key=missed))


def unfitted(card: cost.CostCard) -> cost.CostCard:
    """The card without the two energies that are fitted."""
    return card.replace("integrator", power=0.0).replace("routing", wire_energy=0.0)


def differences(card: cost.CostCard, **details: Any) -> dict[str, dict[str, float]]:
    """How far each column is from what is published, relative. details: see `Column.layer`."""
    found = {}
    for c in COLUMNS:
        bill = cost.bill_of(c.layer(**details), card)
        measured = {
            "area": bill.area * 1e6 / c.area, "power": bill.power * 1e3 / c.power,
            "time": bill.latency / c.time, "efficiency": efficiency(c, bill) / c.tops_per_watt,
        }  # fmt: skip
        found[c.label] = {name: ratio - 1 for name, ratio in measured.items()}
    return found


def run(seed: int) -> Table:
    """All four columns from one card; nothing is drawn, `seed` is not used."""
    card = cost.load()
    rows: list[Row] = []
    for c in COLUMNS:
        bill = cost.bill_of(c.layer(), card)
        tops = 2e-12 * c.weights / bill.latency
        area = bill.area * 1e6
        rows += [
            Row(f"{c.label}: memory", c.weights / 8 / 1024, c.memory, "kB"),
            Row(f"{c.label}: area", area, c.area, "mm2"),
            Row(f"{c.label}: power", bill.power * 1e3, c.power, "mW"),
            Row(f"{c.label}: throughput", tops, c.tops, "TOPS"),
            Row(f"{c.label}: throughput (derived: efficiency x power)", tops,
                c.tops_per_watt * c.power * 1e-3, "TOPS"),
            Row(f"{c.label}: efficiency", efficiency(c, bill), c.tops_per_watt, "TOPS/W"),
            Row(f"{c.label}: by area", tops / area, c.tops_per_mm2, "TOPS/mm2"),
        ]  # fmt: skip
    for bits, derived in ((4, 98.0), (3, 66.0)):
        latency = cost.bill_of(COLUMNS[0].layer(bits), card).latency * 1e9
        rows.append(
            Row(f"KWS, {bits} bits: step (derived law, a prediction)", latency, derived, "ns")
        )
    at_five = fit(COLUMNS[::2])
    wires = {"all": card, "5 bits": at_five, "8 bits": fit(COLUMNS[1::2])}
    for network, others in (("KWS", "NLP"), ("NLP", "KWS")):
        wires[network] = with_ = fit([c for c in COLUMNS if c.name == network])
        for c in COLUMNS:
            if c.name == others:
                rows.append(Row(
                    f"{c.label}: energy of a step, fitted to {network} alone",
                    cost.bill_of(c.layer(), with_).energy * 1e9, c.energy * 1e9, "nJ",
                ))  # fmt: skip
    found = {name: with_.of("routing", "wire_energy") * 1e9 for name, with_ in wires.items()}
    rows += [
        Row(f"routing.wire_energy, fitted to {name}", value, None, "pJ/mm")
        for name, value in found.items()
    ]
    for what, with_, columns in (
        ("fitted at 5 bits alone", at_five, COLUMNS[1::2]),
        ("without the two fitted energies", unfitted(card), COLUMNS),
    ):
        for c in columns:
            rows.append(Row(f"{c.label}: efficiency, {what}",
                            efficiency(c, cost.bill_of(c.layer(), with_)), c.tops_per_watt,
                            "TOPS/W"))  # fmt: skip
    return Table(
        "table1",
        "Two LSTMs at 16 nm and 1 GHz, one cost card for all four columns",
        "published, Nat. Commun. 2025, s41467-025-56254-6, Table 1, which prints the throughput of "
        "KWS to one or two digits; rows marked derived are not the paper's numbers. Fitted to "
        "these columns, all at once: integrator.power, routing.wire_energy, alu.serves. Areas "
        "owe nothing to the two energies",
        tuple(rows),
        {"card": CARD, "costs": card.name, "activity": 0.5, "fill": 0.2,
         "cell_tanh": "ramp", "fitted and unverified": card.doubts()},
        notes=(
            "the agreement of all four columns is that of a fit: one network does not tell the "
            "energy of the other",
            "the energy of wires is not identified: parts of the table give "
            f"{min(found.values()):.2g} to {max(found.values()):.2g} pJ/mm",
        ),
        figure=lambda: draw(rows),
    )  # fmt: skip


def draw(rows: Sequence[Row]) -> Figure:
    """Each quantity of the four columns beside what is published, on an axis of its own, and by how
    many percent they differ.
    """
    shown = {
        "memory": "memory [kB]", "area": "area [mm$^2$]", "power": "power [mW]",
        "throughput": "throughput [TOPS]", "efficiency": "efficiency [TOPS/W]",
        "by area": "by area [TOPS/mm$^2$]",
    }  # fmt: skip
    found = {row.what: row for row in rows}
    figure, each = panels((12.4, 3.7), 1, len(shown))
    places = range(len(COLUMNS))
    for axes, (what, label) in zip(each, shown.items(), strict=True):
        own = [found[f"{c.label}: {what}"] for c in COLUMNS]
        published = [r.expected or 0.0 for r in own]
        axes.plot(places, published, "D", ms=8, mfc="none", mew=1.4, color=ORANGE,
                  label="published")  # fmt: skip
        axes.plot(places, [r.measured for r in own], "o", ms=4.5, color=BLUE, label="this card")
        for place, r in zip(places, own, strict=True):
            off, top = round(100 * (r.difference or 0)), max(r.measured, r.expected or 0)
            axes.annotate(f"{off:+d} %", (place, top), (0, 8),
                          textcoords="offset points", ha="center", fontsize=7)  # fmt: skip
        axes.set(yscale="log", ylabel=label, xlim=(-0.6, len(COLUMNS) - 0.4))
        axes.set_xticks(places, [f"{c.name}\n{c.bits} b" for c in COLUMNS], fontsize=8)
        axes.margins(y=0.15)
        plots_cost.plain(axes.yaxis)
    handles, labels = each[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure
