"""What a benchmark gives: statistics over chips, the table, the record, files that are not lost."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.table import Table
from scipy import stats

import aimc
from aimc.cli import show
from aimc.errors import DataError
from aimc.nn import checkpoint
from aimc.units import show as quantity


def statistics(
    values: list[float], lower: bool = False, limits: tuple[float, float] = (-math.inf, math.inf)
) -> dict[str, Any]:
    """Mean, sample standard deviation, 95 % t-interval of the mean, worst and best of the chips.

    Spread and interval are None for a single chip. lower: lower values are better. limits: beyond
    which no value can lie, so that the interval ends there.
    """
    found = np.asarray(values)
    n, mean = found.size, float(found.mean())
    ends = [float(found.min()), float(found.max())]
    worst, best = reversed(ends) if lower else ends
    summary = {"mean": mean, "worst": worst, "best": best}
    if n < 2:
        return {**summary, "std": None, "interval_95": None}
    std = float(found.std(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * std / np.sqrt(n)
    interval = [max(limits[0], mean - half), min(limits[1], mean + half)]
    return {**summary, "std": std, "interval_95": interval}


def table(
    rows: list[dict[str, Any]], name: str, reference: float, text: str, unit: float, per: str
) -> Table:
    """Rows beside the float model's value; `text` formats a value, `unit` scales the loss; `per`
    names an inference."""
    aged = any(row["hours"] is not None for row in rows)
    trained = any(row["training"] != "plain" for row in rows)
    head = ("card", "bits", *(["training"] if trained else []), "effects",
            *(["hours"] if aged else []), "chips", name, "loss", "std", "95 % interval", "worst",
            "best", f"energy/{per}")  # fmt: skip
    skip = ["", *([""] if trained else []), *([""] if aged else [])]
    places = 2 if abs(unit) > 1 else 3

    def cells(r: dict[str, Any]) -> Iterator[str]:
        yield from (r["card"], str(r["bits"]), *([r["training"]] if trained else []), r["effects"])
        if aged:
            yield "" if r["hours"] is None else f"{r['hours']:g}"
        yield from (str(len(r["values"])), format(r["mean"], text))
        yield f"{round(unit * (r['mean'] - reference), places) + 0.0:.{places}f}"
        yield "" if r["std"] is None else format(r["std"], text)
        yield " to ".join(format(end, text) for end in r["interval_95"] or ())
        yield from (format(r["worst"], text), format(r["best"], text))
        yield quantity(r["energy_per_inference"], "J", 3)

    floating = ("float", *skip, "", "", format(reference, text))
    return show.columns(*head, rows=(floating, *map(cells, rows)))


def record(benchmark: str, **fields: Any) -> dict[str, Any]:
    """A benchmark's record: what was measured, when, where, and with which versions."""
    return {
        "benchmark": benchmark,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": aimc.__version__,
        **fields,
        "machine": {
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": metadata.version("torch"),
        },
    }


def keep(path: Path, here: dict[str, Any], force: bool) -> None:
    """DataError where the file `path` is of another run than the one that `here` describes.

    here: as the record of a run (.json) or a model's `.info` (.safetensors) has it, see `identity`.
    force: replace it.
    """
    if force or not path.exists():
        return
    there = _described(path)
    here = json.loads(json.dumps(here))
    differing = [name for name in here if not _same(here[name], there.get(name))]
    if differing:
        raise DataError(
            f"{path} must be of this very run to be replaced, but is of another: "
            f"{', '.join(differing)} {'differs' if len(differing) == 1 else 'differ'}. "
            "Give another `--out`, or `--force` to replace it."
        )


def identity(record: dict[str, Any]) -> dict[str, Any]:
    """What a record's numbers follow from, by name."""
    names = ("benchmark", "data", "data digest", "hardware")
    return {**{name: record.get(name) for name in names}, **record.get("settings", {})}


def _same(here: Any, there: Any) -> bool:
    """Whether all that `here` says stands in `there`."""
    if isinstance(here, dict) and isinstance(there, dict):
        return all(_same(value, there.get(name)) for name, value in here.items())
    return here == there


def _described(path: Path) -> dict[str, Any]:
    """`identity` of a record, or `.info` of a model; nothing where the file is neither."""
    try:
        if path.suffix == ".json":
            return identity(json.loads(path.read_text(encoding="utf-8")))
        return json.loads(checkpoint.read(path)[1]["info"])
    except (OSError, ValueError, KeyError, AttributeError, DataError):
        return {}


def say(text: str) -> None:
    """A line on stderr, so that stdout is left to the results."""
    if text:
        typer.echo(text, err=True)
