"""Energy, area and latency of one read of some macros."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimc.cost.constants import Constants, load
from aimc.errors import as_number, must
from aimc.macro import Macro
from aimc.units import show


@dataclass(frozen=True)
class Part:
    """A component's share: energy of one read [J], area [m^2], latency [s], and who says so."""

    name: str
    energy: float
    area: float
    latency: float
    source: str


@dataclass(frozen=True)
class Bill:
    """The cost of one read of every macro at the same time, one matrix-vector product each."""

    parts: tuple[Part, ...]

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
        """[s], of the slowest macro: the read window, then the ramp."""
        return sum(part.latency for part in self.parts)

    def table(self) -> str:
        """Component by component, as text."""
        head: tuple[str, ...] = ("component", "energy", "share", "area", "latency")
        total = ("total", *_cells(self.energy, self.energy, self.area, self.latency))
        lines: list[tuple[str, ...]] = [head]
        for p in self.parts:
            lines.append((p.name, *_cells(p.energy, self.energy, p.area, p.latency)))
        lines.append(total)
        widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
        return "\n".join(
            "  ".join(
                f"{text:<{width}}" if not k else f"{text:>{width}}"
                for k, (text, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )

    def __str__(self) -> str:
        return self.table()


def bill(
    macros: Macro | Any, costs: str | Constants = "puma-ramp", *, activity: float = 0.5
) -> Bill:
    """The cost of one read of `macros`: a Macro, a Tiled, or several of them.

    costs: a cost card or its constants. activity in [0, 1]: what a row uses of the energy of a
    full activation, on average; E|x| for pulses, E[x^2] for voltages (|x| uniform: 1/2, 1/3).
    The cells' energy is sum g v_read^2 T activity, wires left out: their resistance lowers it.
    Energy counts the rows and columns in use, area the whole arrays. Raises ArgumentError where
    there is no macro.
    """
    activity = as_number("activity", activity, minimum=0, maximum=1)
    constants = costs if isinstance(costs, Constants) else load(costs)
    every = list(_flat(macros))
    if not every:
        raise must("macros", "hold a macro or more", "holds none")
    bills = [_one(macro, constants, activity) for macro in every]
    slowest = max(bills, key=lambda parts: sum(part.latency for part in parts))
    return Bill(
        tuple(
            Part(
                same[0].name,
                sum(part.energy for part in same),
                sum(part.area for part in same),
                slowest[place].latency,
                same[0].source,
            )
            for place, same in enumerate(zip(*bills, strict=True))
        )
    )


def _flat(macros: Any) -> Iterable[Macro]:
    if isinstance(macros, Macro):
        yield macros
    elif hasattr(macros, "macros"):
        yield from macros.macros
    elif isinstance(macros, Iterable) and not isinstance(macros, str | bytes):
        for item in macros:
            yield from _flat(item)
    else:
        raise must("macros", "be a Macro, a Tiled or several", f"is a {type(macros).__name__}")


def _one(macro: Macro, c: Constants, activity: float) -> list[Part]:
    h = macro.hardware
    rows, cols = macro.shape
    lines = macro.crossbar.g.shape[1]
    array_lines = h.mapping.lines(h.cols)
    square = h.driver.v_read**2
    ramps: Any = macro.converters
    periods = max(ramp.periods for ramp in ramps)
    conversion = periods * h.adc.t_step
    window = h.driver.window
    ramp_cells = sum(ramp.cells for ramp in ramps)
    ramp_energy = sum(
        square
        * h.adc.t_step
        * (ramp.g_steps.sum() + (np.abs(ramp.pulses).sum(-1) * ramp.g_bias).sum())
        for ramp in ramps
    )
    return [
        Part(
            "cells",
            float(macro.crossbar.g.sum()) * square * window * activity,
            h.rows * array_lines * c.cell_area,
            window,
            f"sum g v_read^2 T activity; {c.says('cell_area')}",
        ),
        Part(
            "drivers",
            rows * c.driver_power * window,
            h.rows * c.driver_area,
            0.0,
            c.says("driver_power", "driver_area"),
        ),
        Part(
            "sample and hold",
            lines * c.sample_hold_power * (window + conversion),
            array_lines * c.sample_hold_area,
            0.0,
            c.says("sample_hold_power", "sample_hold_area"),
        ),
        Part(
            "ramp cells",
            float(ramp_energy),
            ramp_cells * c.cell_area,
            0.0,
            f"sum g v_read^2 t_step; {c.says('cell_area')}",
        ),
        Part(
            "converters",
            cols * periods * c.conversion_energy,
            h.cols * c.converter_area,
            conversion,
            c.says("conversion_energy", "converter_area"),
        ),
    ]


def _cells(energy: float, total: float, area: float, latency: float) -> tuple[str, ...]:
    share = f"{energy / total:.1%}" if total else "-"
    return show(energy, "J"), share, f"{area * 1e12:.4g} um2", show(latency, "s")
