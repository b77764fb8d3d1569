"""What the benchmarks of networks share: which chips are measured, statistics, tables, records."""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
from collections.abc import Callable, Collection, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.table import Table
from scipy import stats

import aimc
from aimc import cards, cost, nn
from aimc.cli import show
from aimc.errors import DataError
from aimc.macro import Hardware
from aimc.tasks.effects import effects, levels, one_at_a_time
from aimc.units import show as quantity

FOLDER = "benchmarks/checkpoints"


@dataclasses.dataclass(frozen=True)
class Case:
    """Hardware to be measured with one model; effects: which of the card's it has."""

    card: str
    bits: int
    training: str
    effects: str
    hours: float | None
    hardware: Hardware
    model: Any


def hardware(names: list[str], bits: list[int]) -> dict[tuple[str, int], Hardware]:
    """Each card with each number of bits, in and out; its own where none is given."""
    loaded = {name: cards.load(name) for name in dict.fromkeys(names)}
    if not bits:
        return {(name, each.adc.bits): each for name, each in loaded.items()}
    return {
        (name, b): each.replace(bits=b)
        for name, each in loaded.items()
        for b in dict.fromkeys(bits)
    }


def cases(
    chosen: dict[tuple[str, int], Hardware],
    models: dict[str, dict[tuple[str, int], Any]],
    hours: list[float],
    quick: bool,
) -> Iterator[Case]:
    """models: by kind of training, for each card and bits."""
    for (name, bits), each in chosen.items():
        for training, trained in models.items():
            model = trained[name, bits]
            for level, some in levels(each).items():
                if quick and level == "device noise":
                    continue
                if level != "all effects" or not hours:
                    yield Case(name, bits, training, level, None, some, model)
            for hour in hours:
                aged = each.replace(age=3600 * hour)
                yield Case(name, bits, training, "all effects", hour, aged, model)


def origins(
    chosen: dict[tuple[str, int], Hardware], models: dict[str, dict[tuple[str, int], Any]]
) -> Iterator[Case]:
    """One effect on, and one off, at a time; of the last kind of training."""
    training, trained = list(models.items())[-1]
    for (name, bits), each in chosen.items():
        for what, some in one_at_a_time(each).items():
            yield Case(name, bits, training, what, None, some, trained[name, bits])


def measure(
    wanted: Collection[Case],
    chips: int,
    seed: int,
    evaluate: Callable[[Any], tuple[float, Any]],
    lower: bool,
    digital: Collection[str] = (),
    steps: int = 1,
) -> list[tuple[dict[str, Any], Any]]:
    """A row for each case, with the sum of what `evaluate(chip)` gives beside its value.

    Chip k has the seed `seed` + k in every case; without any effect all would be the same, and one
    is measured. lower: lower values are better. steps: of an inference, whose energy is that of the
    first chip on the data it sees; what stays digital is left out.
    """
    rows = []
    counts = [chips if effects(case.hardware) else 1 for case in wanted]
    with show.progress() as bar:
        every = bar.add_task("chips", total=sum(counts))
        for case, count in zip(wanted, counts, strict=True):
            bar.update(every, description=f"{case.card}, {case.bits} bits, {case.effects}")
            values, extra, energy = [], None, {}
            for chip_seed in range(seed, seed + count):
                rng = np.random.default_rng(chip_seed)
                chip = nn.program(case.model, case.hardware, rng, digital=digital)
                if energy:
                    value, more = evaluate(chip)
                else:
                    with cost.watch(chip) as seen:
                        value, more = evaluate(chip)
                    energy = cost.bill(chip, trace=seen, steps=steps).record()
                values.append(value)
                extra = more if extra is None else extra + more
                bar.advance(every)
            row = {
                "card": case.card,
                "bits": case.bits,
                "training": case.training,
                "effects": case.effects,
                "hours": case.hours,
                "digest": cards.digest(case.hardware),
                "seeds": list(range(seed, seed + count)),
                "values": values,
                **energy,
                **statistics(values, lower),
            }
            rows.append((row, extra))
    return rows


def statistics(values: list[float], lower: bool = False) -> dict[str, Any]:
    """Mean, sample standard deviation, 95 % t-interval of the mean, worst and best of the chips.

    Spread and interval are None for a single chip. lower: lower values are better.
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
    return {**summary, "std": std, "interval_95": [mean - half, mean + half]}


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
    shown = Table(*head, box=None, padding=(0, 2, 0, 0))
    skip = ["", *([""] if trained else []), *([""] if aged else [])]
    shown.add_row("float", *skip, "", "", format(reference, text))
    places = 2 if abs(unit) > 1 else 3
    for r in rows:
        low, high = r["interval_95"] or (None, None)
        hours = "" if r["hours"] is None else f"{r['hours']:g}"
        shown.add_row(
            r["card"], str(r["bits"]), *([r["training"]] if trained else []), r["effects"],
            *([hours] if aged else []), str(len(r["values"])), format(r["mean"], text),
            f"{round(unit * (r['mean'] - reference), places) + 0.0:.{places}f}",
            "" if r["std"] is None else format(r["std"], text),
            "" if low is None else f"{format(low, text)} to {format(high, text)}",
            format(r["worst"], text), format(r["best"], text),
            quantity(r["energy_per_inference"], "J", 3),
        )  # fmt: skip
    return shown


def no_ageing(chosen: dict[tuple[str, int], Hardware], hours: list[float]) -> str:
    """A remark where hours were asked for and the cells of a card do not age."""
    still = sorted({name for (name, _), each in chosen.items() if not each.device.on_age})
    return (
        f"cells of {', '.join(still)} do not age: hours change nothing" if hours and still else ""
    )


def checkpoint(file: str) -> Path:
    """A trained model of the checkout; DataError where there is none."""
    path = Path(aimc.__file__).parents[1] / FOLDER / file
    if not path.is_file():
        raise DataError(
            f"--pretrained needs {FOLDER}/{file} of the checkout, but there is none beside the "
            "installed package. Run from a checkout (pip install -e .), or leave the option out "
            "to train."
        )
    return path


def adapted(
    chosen: dict[tuple[str, int], Hardware],
    shipped: str | None,
    task: Any,
    adapt: Callable[[Hardware], Any],
    stem: Path,
    files: list[Path],
) -> dict[tuple[str, int], Any]:
    """A model for each card and number of bits: from the checkout, or made by `adapt` and saved.

    shipped: the float model's file in the checkout, beside which those for hardware lie; None
    takes none of them. stem: how the saved files begin; they are added to `files`.
    """
    found = {}
    for (name, bits), each in chosen.items():
        ending = f"-{Path(name).stem}-{bits}bit.safetensors"
        path = None
        if shipped:
            path = checkpoint(shipped).with_name(f"{Path(shipped).stem}{ending}")
        if path and path.is_file():
            found[name, bits] = task.load(path)
            continue
        say(f"training for {name}, {bits} bits")
        found[name, bits] = adapt(each)
        files.append(stem.with_name(f"{stem.name}-aware{ending}"))
        task.save(found[name, bits], files[-1])
    return found


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


def say(text: str) -> None:
    """A line on stderr, so that stdout is left to the results."""
    if text:
        typer.echo(text, err=True)
