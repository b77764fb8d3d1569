"""Figures of bills: where energy and area go, the schedule, efficiency over bits, accuracy over
energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from aimc.cost import Bill
from aimc.cost.bill import COMPONENTS
from aimc.cost.checks import one_of, several
from aimc.errors import as_a, as_count, as_flag, as_number, as_text, must
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, by_name, heading, open_axes, panels

_PURPLE, _YELLOW, _AMBER, _SKY = "#CC79A7", "#F0E442", "#E69F00", "#56B4E9"
_COLOURS = (BLUE, ORANGE, GREEN, _PURPLE, _AMBER, _SKY, _YELLOW, GREY, "#000000")
_DIGITAL = "///"
_STYLES = {
    "cells": (BLUE, ""), "drivers": (_SKY, ""), "DACs": (_SKY, "..."),
    "integrators": (GREEN, ""), "sample and hold": (_PURPLE, ""),
    "ramp columns": (_YELLOW, ""), "comparators and counters": (ORANGE, ""),
    "flash levels": (_YELLOW, "..."), "flash comparators": (_AMBER, ""),
    "SAR converters": (GREY, ""), "one-step converters": ("#000000", ""),
    "partial sums": (_YELLOW, _DIGITAL), "look-up units": (_PURPLE, _DIGITAL),
    "element-wise units": (_AMBER, _DIGITAL), "buffers": (_SKY, _DIGITAL),
    "routing": (GREY, _DIGITAL),
}  # fmt: skip
"""Colour and hatching of a component, the same in every figure; digital ones are hatched."""
_PANELS = {"energy": (1e9, "energy [nJ]"), "area": (1e6, "area [mm$^2$]"),
           "latency": (1e9, "latency [ns]")}  # fmt: skip
_MARKERS = "osD^vPX"


class Point(NamedTuple):
    """A measured card: energy of an inference [J], its accuracy, or whatever was measured, and the
    standard deviation over chips; None of a single one."""

    label: str
    bits: int
    energy: float
    value: float
    spread: float | None = None


def parts(bills: Mapping[str, Bill], label: str = "") -> Figure:
    """Energy, area and latency of several bills, component by component, as stacked bars. label:
    of what, printed in the title."""
    by_name("bills", bills, Bill)
    figure, each = panels((9.6, 4.2), 1, 3)
    for axes, what in zip(each, _PANELS, strict=True):
        stack(axes, bills, what)
    handles, labels = each[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    figure.suptitle(heading("", label), fontsize=10)
    return figure


def stack(axes: Axes, bills: Mapping[str, Bill], what: str) -> None:
    """The "energy", "area" or "latency" of several bills as stacked bars of their components."""
    as_a("axes", axes, Axes)
    by_name("bills", bills, Bill)
    one_of("what", what, _PANELS)
    scale, label = _PANELS[what]
    base = np.zeros(len(bills))
    for name in _components(bills.values()):
        height = np.array([getattr(b.part(name), what) * scale for b in bills.values()])
        colour, hatch = _STYLES[name]
        axes.bar(range(len(bills)), height, 0.62, bottom=base, color=colour, hatch=hatch,
                 edgecolor="white", lw=0.5, label=name)  # fmt: skip
        base += height
    labels = [key.replace(" ", "\n").replace("-", "-\n") for key in bills]
    axes.set_xticks(range(len(bills)), labels, fontsize=8)
    axes.set(ylabel=label, ylim=(0, 1.05 * base.max()))
    open_axes(axes)


def timeline(bill: Bill, label: str = "") -> Figure:
    """Which component is busy when, in a step. Phases are numbered, and listed beside.

    Colours tell reads of arrays, conversions and digital phases apart; the component that sets the
    pace is dark. label: of what, printed in the title.
    """
    if not as_a("bill", bill, Bill).phases:
        raise must("bill", "have a schedule", "has none")
    names = [n for n in _components([bill]) if any(n in p.busy for p in bill.phases)]
    end, count = bill.phases[-1].stop * 1e9, len(bill.phases)
    height = max(1.5 + 0.3 * len(names), 0.7 + 0.155 * count)
    figure, (axes, key) = panels((9.6, height), 1, 2, width_ratios=(3.4, 1))
    used: dict[str, str] = {}
    taken = [-np.inf] * 3  # where the last number of each line of numbers stands
    for k, phase in enumerate(bill.phases):
        start, length = phase.start * 1e9, phase.latency * 1e9
        kind, colour = _phase_kind(phase.name)
        used[kind] = colour
        for name in phase.busy:
            pace = name == phase.busy[0]
            axes.barh(names.index(name), length, 0.7, left=start, color=colour,
                      alpha=1.0 if pace else 0.35, lw=0)  # fmt: skip
        axes.axvline(start, color=GREY, lw=0.4, ls=":", zorder=0)
        middle = start + length / 2
        free = [line for line, x in enumerate(taken) if middle - x > 0.026 * end]
        line = free[0] if free else int(np.argmin(taken))
        taken[line] = middle
        axes.text(middle, -0.68 - 0.42 * line, str(k + 1), ha="center", va="bottom", fontsize=7)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="time [ns]", xlim=(0, end), ylim=(len(names) - 0.4, -0.6))
    shades = [Patch(color=colour, label=kind) for kind, colour in used.items()]
    shades.append(Patch(color=GREY, alpha=0.35, label="light: busy with it"))
    figure.legend(handles=shades, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    wide, blank = len(str(count)), "\u2007"  # as wide as a digit
    rows = [
        f"{k + 1:{blank}>{wide}}  {p.name}, {p.latency * 1e9:.4g} ns"
        for k, p in enumerate(bill.phases)
    ]
    key.text(0, 1, "\n".join(rows), va="top", fontsize=7.5, linespacing=1.35)
    key.axis("off")
    figure.suptitle(heading("", label), fontsize=10)
    return figure


def _phase_kind(name: str) -> tuple[str, str]:
    """What a phase does, and its colour."""
    if name.endswith(": read"):
        return "arrays are read", BLUE
    return ("columns are converted", ORANGE) if name.endswith(": convert") else ("digital", GREEN)


def efficiency(bills: Mapping[str, Sequence[Bill]], label: str = "") -> Figure:
    """Operations for a joule and time of a step over the bits, for several converters. label: of
    what, printed in the title."""
    by_name("bills", bills, Sequence)
    figure, (left, right) = panels((8.2, 3.8), 1, 2)
    for k, (name, each) in enumerate(bills.items()):
        bits = [b.bits for b in several("bills", each, Bill, "hold bills of several bits")]
        style = {**_look(k), "ms": 5, "lw": 1.2, "label": name}
        left.plot(bits, [b.tops_per_watt for b in each], **style)
        right.plot(bits, [b.latency * 1e9 for b in each], **style)
    left.set(xlabel="bits", ylabel="operations for energy [TOPS/W]", yscale="log")
    right.set(xlabel="bits", ylabel="step [ns]", yscale="log")
    for axes in (left, right):
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        plain(axes.yaxis)
    right.legend(frameon=False, fontsize=8)
    figure.suptitle(heading("", label), fontsize=10)
    return figure


def points(records: Iterable[Mapping[str, Any]], key: str = "mean") -> list[Point]:
    """Chips in records that `aimc bench` wrote as JSON, by card and training: with all the effects
    that the card has, just programmed.

    records: what `json.load` gives of each file. key: of a row's statistics.
    """
    as_text("key", key)
    found, rule = [], "hold records that `aimc bench` wrote"
    for record in several("records", records, Mapping, rule):
        if not isinstance(record, Mapping) or not isinstance(record.get("rows"), Sequence):
            raise must("records", rule, "holds one without rows")
        fullest: dict[tuple[str, int, str], str] = {}
        for row in record["rows"]:
            if "energy_per_inference" not in row:
                raise must("records", "give energy_per_inference for every card",
                           f"{row['card']} has none", "Run the benchmark again.")  # fmt: skip
            fullest[_case(row)] = row["effects"]  # rows come with more effects, one after the other
        for row in record["rows"]:
            if row["effects"] == fullest[_case(row)] and not row["hours"]:
                name = row["card"]
                name += "" if row["training"] == "plain" else f", {row['training']}"
                energy, spread = row["energy_per_inference"], row.get("std")
                one_of("key", key, row)
                found.append(Point(name, row["bits"], energy, row[key], spread))
    return found


def _case(row: Mapping[str, Any]) -> tuple[str, int, str]:
    return row["card"], row["bits"], row["training"]


def pareto(measured: Sequence[Point], measure: str = "accuracy", rising: bool = True) -> Figure:
    """What was measured over the energy of an inference; a line joins what nothing beats in both.

    rising: whether more is better; not so for bits a character. Bars: standard deviation over
    chips.
    """
    best = front(measured, rising)
    as_text("measure", measure)
    figure, (axes,) = panels((6.4, 4.2))
    for k, name in enumerate(dict.fromkeys(p.label for p in measured)):
        own = sorted((p for p in measured if p.label == name), key=lambda p: p.energy)
        x, y = [p.energy * 1e9 for p in own], [p.value for p in own]
        axes.errorbar(x, y, [p.spread or 0.0 for p in own], ls="", ms=6, capsize=2.5,
                      elinewidth=1, label=name, **_look(k))  # fmt: skip
        for p in own:
            axes.annotate(f"{p.bits} b", (p.energy * 1e9, p.value), (6, 5 if k % 2 else -12),
                          textcoords="offset points", fontsize=8)  # fmt: skip
    axes.step([p.energy * 1e9 for p in best], [p.value for p in best], where="post", color=GREY,
              lw=1, ls="--", zorder=0, label="nothing better for less")  # fmt: skip
    axes.margins(x=0.08, y=0.08)
    axes.set(xlabel="energy of an inference [nJ]", ylabel=measure, xscale="log")
    plain(axes.xaxis)
    axes.legend(frameon=False, fontsize=8)
    return figure


def plain(axis: Axis) -> None:
    """Numbers as they are on a logarithmic axis, on its few ticks, not as powers."""
    as_a("axis", axis, Axis)
    low, high = axis.get_view_interval()
    some = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    subs = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if high / low < 10 else some
    axis.set_major_locator(ticker.LogLocator(subs=subs))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(ticker.NullLocator())


def front(measured: Sequence[Point], rising: bool = True) -> list[Point]:
    """Those that no other equals or beats for less energy, in rising energy."""
    as_flag("rising", rising)
    rule = "hold one or more points"
    if isinstance(measured, Point) or not (measured := several("measured", measured, Point, rule)):
        raise must("measured", rule, f"is {measured!r}")
    for p in measured:
        as_text("measured", p.label)
        as_count("measured", p.bits)
        as_number("measured", p.energy, above=0)
        as_number("measured", p.value)
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


def _look(k: int) -> dict[str, Any]:
    return {"color": _COLOURS[k % len(_COLOURS)], "marker": _MARKERS[k % len(_MARKERS)]}
