"""Figures of bills: where energy and area go, the schedule, efficiency over bits, accuracy over
energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from aimc.cost.bill import COMPONENTS
from aimc.errors import must
from aimc.plots import BLUE, GREEN, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from aimc.cost import Bill

_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", GREY, "#000000")
_MARKERS = "osD^vPX"


class Point(NamedTuple):
    """A measured card: energy of an inference [J], and its accuracy, or whatever was measured."""

    label: str
    bits: int
    energy: float
    value: float


def parts(bills: Mapping[str, Bill]) -> Figure:
    """Energy, area and latency of several bills, component by component, as stacked bars."""
    _some(bills)
    panels = (("energy", 1e9, "energy [nJ]"), ("area", 1e6, "area [mm2]"),
              ("latency", 1e9, "latency [ns]"))  # fmt: skip
    names = _components(bills.values())
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    for axes, (what, scale, label) in zip(figure.subplots(1, 3), panels, strict=True):
        base = np.zeros(len(bills))
        for name in names:
            height = np.array([getattr(b.part(name), what) * scale for b in bills.values()])
            colour, hatch = _style(name)
            axes.bar(range(len(bills)), height, 0.62, bottom=base, color=colour, hatch=hatch,
                     edgecolor="white", lw=0.5, label=name)  # fmt: skip
            base += height
        axes.set_xticks(range(len(bills)), [key.replace(" ", "\n") for key in bills], fontsize=8)
        axes.set(ylabel=label, ylim=(0, 1.05 * base.max()))
        _open(axes)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    return figure


def timeline(bill: Bill) -> Figure:
    """Which component is busy when, in a step; the phases are named above."""
    if not bill.phases:
        raise must("bill", "have a schedule", "has none")
    names = [n for n in _components([bill]) if any(n in p.busy for p in bill.phases)]
    figure = Figure(figsize=(9.6, 1.5 + 0.34 * len(names) + 0.1 * len(bill.phases)),
                    layout="constrained")  # fmt: skip
    axes = figure.subplots()
    for k, phase in enumerate(bill.phases):
        start, length = phase.start * 1e9, phase.latency * 1e9
        for name in phase.busy:
            pace = name == phase.busy[0]
            axes.barh(names.index(name), length, 0.7, left=start, color=_COLOURS[k % 9],
                      alpha=1.0 if pace else 0.4, lw=0)  # fmt: skip
        axes.axvline(start, color=GREY, lw=0.6, ls=":")
        axes.text(start + length / 2, -0.65, f"{phase.name}, {length:.4g} ns", rotation=30,
                  ha="left", va="bottom", fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="time [ns]", xlim=(0, bill.phases[-1].stop * 1e9),
             ylim=(len(names) - 0.4, -0.6))  # fmt: skip
    _open(axes)
    return figure


def efficiency(bills: Mapping[str, Sequence[Bill]]) -> Figure:
    """Operations for a joule and time of a step over the bits, for several converters."""
    _some(bills)
    figure = Figure(figsize=(8.2, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, (name, each) in enumerate(bills.items()):
        bits = [b.bits for b in each]
        style = {"color": _COLOURS[k], "marker": _MARKERS[k], "ms": 5, "lw": 1.2, "label": name}
        left.plot(bits, [b.tops_per_watt for b in each], **style)
        right.plot(bits, [b.latency * 1e9 for b in each], **style)
    left.set(xlabel="bits", ylabel="TOPS/W", yscale="log")
    right.set(xlabel="bits", ylabel="step [ns]", yscale="log")
    right.legend(frameon=False, fontsize=8)
    _open(left, right)
    return figure


def points(records: Iterable[Mapping[str, Any]], key: str = "mean") -> list[Point]:
    """Chips with all effects in records that `aimc bench` wrote as JSON, by card and training."""
    found = []
    for record in records:
        for row in record["rows"]:
            name = row["card"]
            if "energy_per_inference" not in row:
                raise must("records", "give energy_per_inference for every card",
                           f"{name} has none", "Run the benchmark again.")  # fmt: skip
            if row["effects"] == "all effects" and not row["hours"]:
                name += "" if row["training"] == "plain" else f", {row['training']}"
                found.append(Point(name, row["bits"], row["energy_per_inference"], row[key]))
    return found


def pareto(measured: Sequence[Point], measure: str = "accuracy", rising: bool = True) -> Figure:
    """What was measured over the energy of an inference; a line joins what nothing beats in both.

    rising: whether more is better; not so for bits a character.
    """
    _some(measured)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(dict.fromkeys(p.label for p in measured)):
        own = sorted((p for p in measured if p.label == name), key=lambda p: p.energy)
        x, y = [p.energy * 1e9 for p in own], [p.value for p in own]
        axes.plot(x, y, _MARKERS[k % 7], color=_COLOURS[k % 9], ms=6, label=name)
        for p in own:
            axes.annotate(f"{p.bits} b", (p.energy * 1e9, p.value), (4, 6 if k % 2 else -12),
                          textcoords="offset points", fontsize=8)  # fmt: skip
    best = front(measured, rising)
    axes.step([p.energy * 1e9 for p in best], [p.value for p in best], where="post", color=GREY,
              lw=1, ls="--", zorder=0, label="nothing better for less")  # fmt: skip
    axes.margins(x=0.08, y=0.08)
    axes.set(xlabel="energy of an inference [nJ]", ylabel=measure, xscale="log")
    axes.legend(frameon=False, fontsize=8)
    _open(axes)
    return figure


def front(measured: Sequence[Point], rising: bool = True) -> list[Point]:
    """Those that no other equals or beats for less energy, in rising energy."""
    best: list[Point] = []
    sign = 1.0 if rising else -1.0
    for p in sorted(measured, key=lambda p: (p.energy, -sign * p.value)):
        if not best or sign * p.value > sign * best[-1].value:
            best.append(p)
    return best


def _components(bills: Iterable[Bill]) -> list[str]:
    """The components that a bill has, from the cells to the wires of the chip."""
    present = {part.name for bill in bills for part in bill.parts}
    return [name for name in COMPONENTS if name in present]


def _style(name: str) -> tuple[str, str]:
    """Colour and hatching of a component, the same in every figure; digital ones are hatched."""
    k = list(COMPONENTS).index(name)
    return _COLOURS[k % 9], "" if k < 9 else "///"


def _some(given: Any) -> None:
    if not len(given):
        raise must("bills", "hold one or more", "is empty")


def _open(*axes: Axes) -> None:
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
