"""`aimc cost`: the bill of a network that is described, its schedule, and other converters."""

from __future__ import annotations

from typing import Any, cast

import typer

from aimc import cards, cost
from aimc.cli import show
from aimc.cli.options import Cost
from aimc.cost.bill import as_table
from aimc.cost.reads import CONVERTERS, CURVED, Converter, own
from aimc.cost.stages import Kind
from aimc.errors import ArgumentError
from aimc.plots import cost as plots_cost
from aimc.units import show as quantity

BITS = range(2, 9)
_SETTINGS = ("model", "inputs", "hidden", "projection", "steps", "tall", "cell_tanh", "activity",
             "processors")  # fmt: skip


def bill(given: Cost) -> None:
    """Prints the bill, the schedule and the comparison; CSV, JSON and figures into `out`."""
    hardware = cards.load(given.card)
    if given.bits is not None:
        hardware = hardware.replace(bits=given.bits)
    constants, out = cost.load(given.costs), given.out
    if out is not None:
        show.folder(out)
    mine = own(hardware.adc)
    sizes = [given.inputs, given.hidden, *([given.projection] if given.projection else [])]
    title = f"{hardware.name}, {given.model} of {' x '.join(map(str, sizes))}"
    at_bits = f"{title}, {hardware.adc.bits} bits"

    def bills(with_bits: int) -> dict[str, cost.Bill]:
        h = hardware.replace(bits=with_bits)

        def layers(converter: Converter) -> cost.Layer:
            return cost.layer(
                cast("Kind", given.model), h, given.inputs, given.hidden,
                projection=given.projection, converter=converter,
                cell_tanh=cast("Any", given.cell_tanh),
                usage=cost.Usage(activity=given.activity, tall=given.tall),
            )  # fmt: skip

        known = constants.of("one_step", "bits") == with_bits
        kinds = CONVERTERS if known else CONVERTERS[:-1]
        kinds = sorted(kinds, key=lambda kind: kind != mine)  # the card's own first
        options = {"processors": given.processors, "steps": given.steps}
        return cost.compare(layers, constants, kinds, **options)

    found = bills(hardware.adc.bits)
    record = show.settings(
        hardware, **{name: getattr(given, name) for name in _SETTINGS}, costs=constants.name,
        converter=mine, fitted_or_unverified=constants.doubts(),
        bills={name: each.as_dict() for name, each in found.items()},
    )  # fmt: skip
    if given.json:
        typer.echo(show.as_json(record))
    else:
        typer.echo(f"{at_bits}, {show.count(given.steps, 'step')}\n")
        typer.echo(_text(mine, found, constants, given.model))
    if out is None:
        return
    swept = _swept(bills)
    record["over_bits"] = {
        name: {str(b.bits): b.as_dict() for b in each} for name, each in swept.items()
    }
    figures = {
        "parts": plots_cost.parts(found, at_bits),
        "timeline": plots_cost.timeline(found[mine], f"{at_bits}, {mine}"),
        "efficiency": plots_cost.efficiency(swept, title),
    }
    files = show.figures(out, figures)
    files.append(show.write_text(out / "cost.json", show.as_json(record) + "\n"))
    show.wrote(*files, show.write_text(out / "cost.csv", found[mine].csv()))


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


def _text(mine: str, found: dict[str, cost.Bill], constants: cost.CostCard, model: str) -> str:
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
    for phase in found[mine].phases:
        cycles = f"{phase.latency * constants.frequency:.4g}"
        schedule.append((phase.name, quantity(phase.start, "s"), cycles, ", ".join(phase.busy)))
    tables = found[mine].table(), as_table(schedule, left=(0, 3)), as_table(lines)
    return "\n\n".join((*tables, "\n".join(_notes(mine, found[mine], constants, model))))


def _notes(mine: str, bill: cost.Bill, constants: cost.CostCard, model: str) -> list[str]:
    """Who applies the functions, as the bill's own schedule has it, and what is left out."""
    names = {phase.name for phase in bill.phases}
    notes = []
    if mine not in CURVED and model != "linear":
        notes.append(f"{mine}: linear, so that look-ups apply the functions")
    elif any(name.endswith(": look up") for name in names):
        notes.append(
            f"{mine}: rows fill several arrays, whose partial sums are linear, so that look-ups "
            "apply the functions; --tall: one array"
        )
    elif model != "linear":
        notes.append(f"{mine}: applies the functions of a product itself")
    if model == "lstm":
        ramp = "tanh(c): convert" in names
        how = "a ramp of its own" if ramp else "look-ups; --cell-tanh ramp: by a ramp"
        notes.append(f"tanh of the cell state: by {how}")
    left = "digital layers beside this one are not billed"
    return [*notes, f"cost card: {constants.name}; {left}"]
