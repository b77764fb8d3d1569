"""`aimc cost`: the bill of a network that is described, its schedule, and other converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import typer

import aimc
from aimc import cards, cost, plots, plots_cost
from aimc.cli import show
from aimc.cost.bill import as_table
from aimc.cost.reads import CONVERTERS, Converter
from aimc.cost.stages import Kind
from aimc.errors import ArgumentError
from aimc.units import show as quantity

BITS = range(2, 9)


def bill(
    card: str, model: str, inputs: int, hidden: int, projection: int, steps: int, tall: bool,
    activity: float, processors: int | None, costs: str, bits: int | None, json: bool,
    out: Path | None,
) -> None:  # fmt: skip
    """Prints the bill, the schedule and the comparison; CSV, JSON and figures into `out`."""
    hardware = cards.load(card)
    if bits is not None:
        hardware = hardware.replace(bits=bits)
    constants = cost.load(costs)
    if out is not None:
        show.folder(out)

    def bills(with_bits: int) -> dict[str, cost.Bill]:
        h = hardware.replace(bits=with_bits)

        def layers(converter: Converter) -> cost.Layer:
            return cost.layer(
                cast("Kind", model), h, inputs, hidden, projection=projection,
                converter=converter, tall=tall, activity=activity,
            )  # fmt: skip

        known = constants.of("one_step", "bits") == with_bits
        kinds = CONVERTERS if known else CONVERTERS[:-1]
        return cost.compare(layers, constants, kinds, processors=processors, steps=steps)

    found = bills(hardware.adc.bits)
    mine = found["ramp"]
    record = {
        "card": hardware.name, "digest": cards.digest(hardware), "costs": constants.name,
        "model": model, "inputs": inputs, "hidden": hidden, "projection": projection,
        "steps": steps, "tall": tall, "activity": activity, "processors": processors,
        "version": aimc.__version__, "fitted_or_unverified": constants.doubts(),
        "bills": {name: each.as_dict() for name, each in found.items()},
    }  # fmt: skip
    if json:
        typer.echo(show.as_json(record))
    else:
        typer.echo(_text(mine, found, constants))
    if out is None:
        return
    swept = _swept(bills)
    record["over_bits"] = {
        name: {str(b.bits): b.as_dict() for b in each} for name, each in swept.items()
    }
    figures = {
        "parts.png": plots_cost.parts(found),
        "timeline.png": plots_cost.timeline(mine),
        "efficiency.png": plots_cost.efficiency(swept),
    }
    files = [plots.save(figure, out / name) for name, figure in figures.items()]
    files.append(show.write_text(out / "cost.json", show.as_json(record) + "\n"))
    files.append(show.write_text(out / "cost.csv", mine.csv()))
    typer.echo("wrote " + ", ".join(map(str, files)), err=True)


def _swept(bills: Any) -> dict[str, list[cost.Bill]]:
    """The bills over bits, as far as the ramp can be programmed with the device's range."""
    swept: dict[str, list[cost.Bill]] = {}
    for bits in BITS:
        try:
            found = bills(bits)
        except ArgumentError as error:
            typer.echo(f"no bill at {bits} bits: {error}", err=True)
            continue
        for name, each in found.items():
            swept.setdefault(name, []).append(each)
    return swept


def _text(mine: cost.Bill, found: dict[str, cost.Bill], constants: cost.CostCard) -> str:
    lines: list[tuple[str, ...]] = [
        ("", "energy", "area", "latency", "power", "TOPS", "TOPS/W", "TOPS/mm2")
    ]
    for name, each in found.items():
        area = f"{each.area * 1e6:.4g} mm2"
        rates = (each.tops, each.tops_per_watt, each.tops_per_mm2)
        lines.append((
            name, quantity(each.energy, "J"), area, quantity(each.latency, "s"),
            quantity(each.power, "W"), *(f"{rate:.4g}" for rate in rates),
        ))  # fmt: skip
    schedule = [("phase", "start", "cycles", "busy")]
    for phase in mine.phases:
        cycles = f"{phase.latency * constants.frequency:.4g}"
        schedule.append((phase.name, quantity(phase.start, "s"), cycles, ", ".join(phase.busy)))
    note = "ramp: applies the curve; the others leave it to look-ups"
    tables = mine.table(), as_table(schedule, left=(0, 3)), as_table(lines)
    return "\n\n".join((*tables, f"{note}. Cost card: {constants.name}"))
