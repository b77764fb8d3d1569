"""How results are printed and written."""

from __future__ import annotations

import json as json_format
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from aimc import cards, reproduce
from aimc.cli.options import Cards, Reproduce
from aimc.errors import must
from aimc.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aimc.macro import Hardware


def console() -> Console:
    """stdout; as wide as a table needs where it is no terminal. Brackets and colons are text."""
    width = None if sys.stdout.isatty() else 140
    return Console(width=width, highlight=False, markup=False, emoji=False)


def progress() -> Progress:
    """A progress display on stderr, gone when done; nothing where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def as_json(value: Any) -> str:
    """`value` as indented JSON; a NaN would be no JSON and is an error."""
    return json_format.dumps(value, indent=2, allow_nan=False)


def folder(out: Path) -> None:
    """Makes the folder of `--out`. Raises ArgumentError where it cannot be written."""
    came = ""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            came = f"`{out}` is write-protected"
    except OSError as error:
        file = next((each for each in (out, *out.parents) if each.is_file()), None)
        came = f"`{file}` is a file" if file else f"`{out}` cannot be made: {error.strerror}"
    if came:
        raise must("--out", "be a folder that can be written", came, "Choose another.")


def write_text(path: Path, text: str) -> Path:
    """Writes a file whole or not at all, and makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def count(n: int, noun: str) -> str:
    """So many of them: "1 chip", "2 chips"."""
    return f"{n} {noun}" + ("" if n == 1 else "s")


def columns(*head: str, rows: Iterable[Iterable[Any]]) -> Table:
    """A table without rules."""
    table = Table(*head, box=None, padding=(0, 2, 0, 0), show_header=bool(head))
    for row in rows:
        table.add_row(*row)
    return table


def settings(hardware: Hardware, **others: Any) -> dict[str, Any]:
    """What a record begins with: the card, its digest, other settings, the version."""
    card = {"card": hardware.name, "digest": cards.digest(hardware)}
    return {**card, **others, "version": __version__}


def figures(out: Path, made: Mapping[str, Figure]) -> list[Path]:
    """Writes figures, by name, into a folder."""
    from aimc import plots

    return [plots.save(figure, out / f"{name}.png") for name, figure in made.items()]


def wrote(*files: Path) -> None:
    """Says which files were written, on stderr."""
    typer.echo("wrote " + ", ".join(map(str, dict.fromkeys(files))), err=True)


def reproduced(given: Reproduce) -> None:
    """One reproduced table, written into `out` as JSON and as its figure; all names without one."""
    name, out = given.name, given.out
    if name is None:
        listed = reproduce.names()
        lines = [f"{key:<14}{what}" for key, what in listed.items()]
        typer.echo(as_json(listed) if given.json else "\n".join(lines))
        return
    if out is not None:
        folder(out)
    table = reproduce.run(name, given.seed, given.data)
    record = as_json({"version": __version__, "seed": given.seed, **table.as_dict()})
    typer.echo(record if given.json else str(table))
    if out is None:
        return
    text = write_text(out / f"{name}.json", record + "\n")
    wrote(text, *figures(out, {name: table.draw()}))


def listed(given: Cards) -> None:
    """One card, or all."""
    if given.name is None:
        all_cards(given.json)
    else:
        one_card(given.name, given.json)


def all_cards(json: bool) -> None:
    """The shipped cards: name, size, bits, device and a sentence."""
    read = {name: cards.read(name) for name in cards.names()}
    if json:
        found = {
            name: {
                "about": card.about,
                "rows": card.hardware.rows,
                "cols": card.hardware.cols,
                "bits": card.hardware.adc.bits,
                "device": card.hardware.device.name,
                "digest": cards.digest(card.hardware),
            }
            for name, card in read.items()
        }
        typer.echo(as_json(found))
        return
    rows = (
        (name, f"{h.rows} x {h.cols}", str(h.adc.bits), h.device.name or "inline", card.about)
        for name, card in read.items()
        for h in (card.hardware,)
    )
    console().print(columns("card", "weights", "bits", "device", "what it is", rows=rows))


def one_card(name: str, json: bool) -> None:
    """Every number of one card, with its source."""
    card = cards.read(name)
    if json:
        entries = [
            {"table": e.table, "key": e.key, "value": e.text,
             "source": e.source, "verified": e.verified}
            for e in card.entries
        ]  # fmt: skip
        head = {"name": card.hardware.name, "about": card.about}
        digest = cards.digest(card.hardware)
        typer.echo(as_json({**head, "digest": digest, "numbers": entries}))
        return
    out = console()
    out.print(Text.assemble((card.hardware.name, "bold"), f"  {card.about}\n"))
    doubt = Text("unverified", "yellow")
    rows = ((f"{e.table}.{e.key}".lstrip("."), e.text, "" if e.verified else doubt, e.source)
            for e in card.entries)  # fmt: skip
    out.print(columns("number", "value", "", "source", rows=rows))
    doubtful = sum(not e.verified for e in card.entries)
    out.print(f"\n{len(card.entries)} numbers, {doubtful} of them unverified")
