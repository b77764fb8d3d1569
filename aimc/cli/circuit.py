"""`aimc netlist` and `aimc check`: the circuit as SPICE text, and ngspice's answer beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import typer

from aimc import cards, spice
from aimc.cli import array, show
from aimc.curves import curve as named_curve
from aimc.macro import Macro


def _programmed(
    card: str, rows: int, cols: int, curve: str, batch: int, seed: int
) -> tuple[Macro, np.ndarray]:
    """A macro of random weights, and inputs (batch, rows) for it."""
    hardware = cards.load(card).replace(rows=rows, cols=cols)
    function = named_curve(curve)
    rng = np.random.default_rng(seed)
    w, x = array.drawn(rng, rows, cols, batch, curve)
    return hardware.program(w, rng, function), x


def write(
    card: str, output: Path, rows: int, cols: int, curve: str, batch: int, dialect: str,
    analysis: str, gain: float | None, seed: int, json: bool,
) -> None:  # fmt: skip
    """Writes a deck, its measure deck and its models; prints their names."""
    macro, x = _programmed(card, rows, cols, curve, batch, seed)
    netlist = spice.netlist(macro, x, dialect=dialect, analysis=analysis, gain=gain, seed=seed)
    files = [str(path) for path in netlist.write(output)]
    if json:
        settings = _settings(macro, rows, cols, curve, batch, seed)
        typer.echo(show.as_json({**settings, "dialect": netlist.dialect.name, "files": files}))
        return
    typer.echo("\n".join(files))
    if not netlist.dialect.ran:
        typer.echo(f"written for {netlist.dialect.name}: syntax only, not run", err=True)


def check(
    card: str, rows: int, cols: int, curve: str, batch: int, gain: float | None, seed: int,
    json: bool, out: Path | None,
) -> None:  # fmt: skip
    """Runs both decks, prints both tables, and leaves with status 1 where they differ."""
    if out is not None:
        show.folder(out)
    macro, x = _programmed(card, rows, cols, curve, batch, seed)
    v = macro.hardware.driver.drive(x)
    netlist = spice.netlist(macro, x, gain=gain, seed=seed)
    standing = spice.netlist(macro, x, analysis="op", seed=seed)
    at_rest = spice.compare(macro.crossbar.solve(v), standing.run())
    found = netlist.run()
    converted = spice.compare(macro.trace(x), found)
    agrees = at_rest.agrees and converted.agrees
    record = show.as_json({
        **_settings(macro, rows, cols, curve, batch, seed),
        "operating_point": at_rest.as_dict(), "conversion": converted.as_dict(), "agrees": agrees,
    })  # fmt: skip
    if json:
        typer.echo(record)
    else:
        typer.echo(f"operating point, {batch} inputs\n{at_rest}\n")
        typer.echo(f"conversion, {batch} inputs\n{converted}")
    if out is not None:
        from aimc import plots

        figure = plots.conversion(found, columns=range(min(cols, 3)))
        files = [*show.figures(out, {"conversion": figure}), *netlist.write(out / "macro.cir")]
        files += standing.write(out / "array.cir")
        show.wrote(*files, show.write_text(out / "check.json", record + "\n"))
    if not agrees:
        raise typer.Exit(1)


def _settings(
    macro: Macro, rows: int, cols: int, curve: str, batch: int, seed: int
) -> dict[str, Any]:
    return show.settings(macro.hardware, rows=rows, cols=cols, curve=curve, batch=batch, seed=seed)
