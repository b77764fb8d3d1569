"""Energy, area and latency of reads and of whole steps, component by component."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from aimc.cost.checks import one_of
from aimc.units import show

COMPONENTS = {
    "cells": "cell",
    "drivers": "driver",
    "DACs": "dac",
    "integrators": "integrator",
    "sample and hold": "sample_hold",
    "ramp columns": "cell",
    "comparators and counters": "converter",
    "flash levels": "cell",
    "flash comparators": "converter",
    "SAR converters": "sar",
    "one-step converters": "one_step",
    "partial sums": "adder",
    "look-up units": "look_up",
    "element-wise units": "alu",
    "buffers": "buffer",
    "routing": "routing",
}
"""Each component of a bill, and the element of the card that it is made of."""


@dataclass(frozen=True)
class Phase:
    """What happens from start to stop [s], and the components that are busy with it.

    The first of them sets how long it takes. times: how often it comes in an inference.
    """

    name: str
    start: float
    stop: float
    busy: tuple[str, ...]
    times: float = 1

    @property
    def latency(self) -> float:
        """[s]"""
        return self.stop - self.start


@dataclass(frozen=True)
class Part:
    """A component's share: energy [J], area [m^2], latency [s], and who says so.

    doubts: which of the card's numbers behind it are fitted, or stand on no publication.
    """

    name: str
    energy: float
    area: float
    latency: float
    source: str
    doubts: str = ""


@dataclass(frozen=True)
class Bill:
    """What one inference costs, or one read.

    parts add up to the totals. phases: the schedule, of one step where a sequence has several. ops:
    multiplications and additions of the products on arrays. bits: of the converters.
    """

    name: str
    parts: tuple[Part, ...]
    phases: tuple[Phase, ...]
    ops: int
    bits: int

    @property
    def energy(self) -> float:
        """[J]"""
        return sum(part.energy for part in self.parts)

    @property
    def area(self) -> float:
        """[m^2]"""
        return sum(part.area for part in self.parts)

    @property
    def latency(self) -> float:
        """[s], from the first phase to the end of the last, of every step."""
        return sum(part.latency for part in self.parts)

    @property
    def power(self) -> float:
        """Mean while it runs [W]."""
        return self.energy / self.latency

    @property
    def energy_per_op(self) -> float:
        """[J]"""
        return self.energy / self.ops

    @property
    def tops(self) -> float:
        """Tera-operations a second."""
        return self.ops / self.latency * 1e-12

    @property
    def tops_per_watt(self) -> float:
        """Tera-operations a joule."""
        return self.ops / self.energy * 1e-12

    @property
    def tops_per_mm2(self) -> float:
        """Tera-operations a second and square millimetre."""
        return self.tops / (self.area * 1e6)

    def part(self, name: str) -> Part:
        """The component of that name; nothing but zeros where the bill has none.

        Raises ArgumentError where no bill has such a component.
        """
        one_of("name", name, COMPONENTS)
        for part in self.parts:
            if part.name == name:
                return part
        return Part(name, 0.0, 0.0, 0.0, "")

    def table(self) -> str:
        """Component by component, then the totals, as text."""
        rows: list[tuple[str, ...]] = [
            ("component", "energy", "share", "per op", "area", "latency", "not published as such"),
            *((p.name, *self._cells(p.energy, p.area, p.latency), p.doubts) for p in self.parts),
            ("total", *self._cells(self.energy, self.area, self.latency), ""),
        ]
        return as_table(rows, left=(0, 6))

    def _cells(self, energy: float, area: float, latency: float) -> tuple[str, ...]:
        share = f"{energy / self.energy:.1%}" if self.energy else "-"
        per_op = show(energy / self.ops, "J") if self.ops else "-"
        return show(energy, "J"), share, per_op, f"{area * 1e12:.4g} um2", show(latency, "s")

    def __str__(self) -> str:
        return self.table()

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain numbers [SI], for JSON."""
        totals = ("energy", "area", "latency", "power", "energy_per_op",
                  "tops", "tops_per_watt", "tops_per_mm2")  # fmt: skip
        return {
            "name": self.name, "bits": self.bits, "ops": self.ops,
            **{key: getattr(self, key) for key in totals},
            "parts": [asdict(part) for part in self.parts],
            "phases": [asdict(phase) for phase in self.phases],
        }  # fmt: skip

    def record(self) -> dict[str, Any]:
        """What a benchmark writes beside its accuracy, and `plots_cost.pareto` reads [SI]."""
        by_component = {part.name: part.energy for part in self.parts if part.energy}
        return {"energy_per_inference": self.energy, "latency_per_inference": self.latency,
                "energy_by_component": by_component}  # fmt: skip

    def csv(self) -> str:
        """The components as comma-separated values [SI], a line each."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        head = ("component", "energy [J]", "area [m^2]", "latency [s]", "source", "doubts")
        writer.writerows((head, *map(astuple, self.parts)))
        return text.getvalue()


def as_table(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Lines of cells in columns, those in `left` to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            f"{text:<{width}}" if k in left else f"{text:>{width}}"
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
