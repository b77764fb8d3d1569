"""`aimc netlist` and `aimc check`: the circuit as SPICE text, and ngspice's answer beside ours."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import typer

from aimc import cards, spice
from aimc.cli import array, show
from aimc.cli.options import Check, Netlist
from aimc.converters.imperfections import FiniteGain
from aimc.converters.ramp import RampADC
from aimc.curves import curve as named_curve
from aimc.macro import Macro


def _programmed(given: Netlist | Check) -> tuple[Macro, np.ndarray]:
    """A macro of random weights, and inputs (batch, rows) for it. Its own amplifiers have the gain
    that is asked for, so that circuit and macro are one."""
    hardware = cards.load(given.card).replace(rows=given.rows, cols=given.cols)
    adc = hardware.adc
    if given.gain is not None and isinstance(adc, RampADC):
        flaws = (*adc.imperfections, FiniteGain(given.gain))
        rest = adc.t_rest or adc.t_step / 4  # the deck's own, where a ramp does not lag
        hardware = hardware.replace(adc=dataclasses.replace(adc, imperfections=flaws, t_rest=rest))
    function = named_curve(given.curve)
    rng = np.random.default_rng(given.seed)
    w, x = array.drawn(rng, given.rows, given.cols, given.batch, given.curve)
    return hardware.program(w, rng, function), x


def write(given: Netlist) -> None:
    """Writes a deck, its measure deck and its models; prints their names."""
    macro, x = _programmed(given)
    netlist = spice.netlist(
        macro, x, dialect=given.dialect, analysis=given.analysis, gain=given.gain, seed=given.seed
    )
    files = [str(path) for path in netlist.write(given.output)]
    if given.json:
        settings = _settings(macro, given)
        typer.echo(show.as_json({**settings, "dialect": netlist.dialect.name, "files": files}))
        return
    typer.echo("\n".join(files))
    if not netlist.dialect.ran:
        typer.echo(f"written for {netlist.dialect.name}: syntax only, not run", err=True)


def check(given: Check) -> None:
    """Runs both decks, prints both tables, and leaves with status 1 where they differ."""
    if given.out is not None:
        show.folder(given.out)
    macro, x = _programmed(given)
    v = macro.hardware.driver.drive(x)
    netlist = spice.netlist(macro, x, seed=given.seed)
    standing = spice.netlist(macro, x, analysis="op", seed=given.seed)
    at_rest = spice.compare(macro.crossbar.solve(v), standing.run())
    found = netlist.run()
    converted = spice.compare(macro.trace(x), found)
    agrees = at_rest.agrees and converted.agrees
    record = show.as_json({
        **_settings(macro, given),
        "operating_point": at_rest.as_dict(), "conversion": converted.as_dict(), "agrees": agrees,
    })  # fmt: skip
    if given.json:
        typer.echo(record)
    else:
        gain = "ideal amplifiers" if given.gain is None else f"amplifiers of gain {given.gain:g}"
        typer.echo(f"{macro.hardware.name or 'unnamed'}, {macro.condition}, {gain}\n")
        inputs = show.count(given.batch, "input")
        typer.echo(f"operating point, {inputs}\n{at_rest}\n")
        typer.echo(f"conversion, {inputs}\n{converted}")
    if (out := given.out) is not None:
        from aimc import plots

        figure = plots.conversion(found, columns=range(min(given.cols, 3)))
        files = [*show.figures(out, {"conversion": figure}), *netlist.write(out / "macro.cir")]
        files += standing.write(out / "array.cir")
        show.wrote(*files, show.write_text(out / "check.json", record + "\n"))
    if not agrees:
        raise typer.Exit(1)


def _settings(macro: Macro, given: Netlist | Check) -> dict[str, Any]:
    names = ("rows", "cols", "curve", "batch", "seed", "gain")
    return show.settings(macro.hardware, **{name: getattr(given, name) for name in names})
