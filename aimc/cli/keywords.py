"""`aimc bench kws`: one float model, many chips, one honest table."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import rich
import typer
from rich.table import Table
from rich.text import Text
from scipy import stats

import aimc
from aimc import cards, cost, nn, plots, tasks
from aimc.cli import show
from aimc.errors import ArgumentError, DataError
from aimc.macro import Hardware
from aimc.tasks.features import FRAMES
from aimc.units import show as quantity

CHECKPOINT = "benchmarks/checkpoints/kws-lstm32.safetensors"


def bench(
    names: list[str],
    bits: int | None,
    chips: int,
    data: Path | None,
    pretrained: bool,
    quick: bool,
    hidden: int | None,
    seed: int,
    json: bool,
    out: Path,
) -> None:
    """Float accuracy, then `chips` chips of each card; prints, and writes JSON and figures."""
    if pretrained and (quick or hidden is not None):
        option = "--quick" if quick else "--hidden"
        raise ArgumentError(
            f"`--pretrained` evaluates a trained model as it is, so `{option}` has no effect. "
            "Leave one of the two out."
        )
    hardware = {name: cards.load(name) for name in dict.fromkeys(names)}
    if bits is not None:
        hardware = {name: each.replace(bits=bits) for name, each in hardware.items()}
    checkpoint = _checkpoint() if pretrained else None
    show.folder(out)
    rich.reconfigure(stderr=True)  # the bars of training, too, leave stdout to the results

    task = tasks.KeywordSpotting(data)
    _say(f"data: {task.label}")
    if checkpoint:
        model = task.load(checkpoint)
    else:
        untrained = task.model("lstm", hidden=hidden or 32, seed=seed)
        model = task.train(untrained, seed=seed, quick=quick, progress=sys.stderr.isatty())
    measured = {split: _accuracy(task.confusion(model, split)) for split in ("validation", "test")}
    _say(f"float model: {measured['test']:.2%} of the test clips")

    results, confusion = {}, np.zeros((len(task.classes),) * 2, np.int64)
    with show.progress() as bar:
        every = bar.add_task("chips", total=chips * len(hardware))
        for name, each in hardware.items():
            bar.update(every, description=name)
            accuracies, confusion, energy = [], np.zeros_like(confusion), {}
            for chip_seed in range(seed, seed + chips):
                chip = nn.program(model, each, np.random.default_rng(chip_seed))
                if chip_seed == seed:
                    with cost.watch(chip) as seen:
                        counts = task.confusion(chip)
                    energy = cost.bill(chip, trace=seen, steps=FRAMES).record()
                else:
                    counts = task.confusion(chip)
                accuracies.append(_accuracy(counts))
                confusion += counts
                bar.advance(every)
            results[name] = {
                "digest": cards.digest(each),
                "bits": each.adc.bits,
                "seeds": list(range(seed, seed + chips)),
                "accuracy": accuracies,
                **energy,
                **statistics(accuracies),
            }

    record = {
        "benchmark": "keyword spotting, 12 classes",
        "data": task.label,
        "synthetic": data is None,
        "test_clips": len(task.labels("test")),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": aimc.__version__,
        "settings": {
            "cards": list(hardware), "bits": bits, "chips": chips, "seed": seed, "quick": quick,
            "pretrained": pretrained, "kind": model.kind, "hidden": model.hidden,
        },
        "model": model.info,
        "float": measured,
        "cards": results,
        "machine": _machine(),
    }  # fmt: skip
    text = show.as_json(record)
    stem = f"kws-{'synthetic' if data is None else 'recorded'}-{model.kind}{model.hidden}"
    stem += "-pretrained" if pretrained else "-quick" if quick else ""
    stem += f"-{bits}bit" if bits else ""
    if json:
        typer.echo(text)
    else:
        _print(record)
    files = [show.write_text(out / f"{stem}.json", text + "\n")]
    if not pretrained:
        files.append(out / f"{stem}.safetensors")
        task.save(model, files[-1])
    files += _figures(out / stem, task, hardware, results, measured["test"], confusion, model)
    _say("wrote " + ", ".join(map(str, files)))


def statistics(accuracy: list[float]) -> dict[str, Any]:
    """Mean, sample standard deviation, 95 % t-interval of the mean, worst and best of the chips.

    Spread and interval are None for a single chip.
    """
    values = np.asarray(accuracy)
    n, mean = values.size, float(values.mean())
    summary = {"mean": mean, "worst": float(values.min()), "best": float(values.max())}
    if n < 2:
        return {**summary, "std": None, "interval_95": None}
    std = float(values.std(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * std / np.sqrt(n)
    return {**summary, "std": std, "interval_95": [mean - half, mean + half]}


def _accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum())


def _checkpoint() -> Path:
    path = Path(aimc.__file__).parents[1] / CHECKPOINT
    if not path.is_file():
        raise DataError(
            f"--pretrained needs {CHECKPOINT} of the checkout, but there is none beside the "
            "installed package. Run from a checkout (pip install -e .), or leave the option out "
            "to train."
        )
    return path


def _print(record: dict[str, Any]) -> None:
    out = show.console()
    kind = (
        "SYNTHETIC speech, not comparable with published accuracies" if record["synthetic"] else ""
    )
    out.print(f"Keyword spotting, 12 classes, {record['test_clips']} test clips")
    out.print(Text.assemble(f"data: {record['data']}", (f"  {kind}" if kind else "", "bold")))
    trained_on = record["model"].get("data", "unknown data")
    if trained_on != record["data"]:
        out.print(f"model: trained on {trained_on}")
    columns = (
        "",
        "bits",
        "chips",
        "accuracy",
        "std",
        "95 % interval",
        "worst",
        "best",
        "energy/clip",
    )
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    table.add_row("float", "", "", f"{record['float']['test']:.2%}")
    for name, r in record["cards"].items():
        low, high = r["interval_95"] or (None, None)
        table.add_row(
            name, str(r["bits"]), str(len(r["accuracy"])), f"{r['mean']:.2%}",
            "" if r["std"] is None else f"{r['std']:.2%}",
            "" if low is None else f"{low:.2%} to {high:.2%}",
            f"{r['worst']:.2%}", f"{r['best']:.2%}", quantity(r["energy_per_inference"], "J", 3),
        )  # fmt: skip
    out.print(table)
    out.print(
        "interval: of the mean over chips, for this one trained model and these clips\n"
        "energy: one clip on the first chip, from the currents of these clips, arithmetic included"
    )


def _figures(
    folder: Path,
    task: tasks.KeywordSpotting,
    hardware: dict[str, Hardware],
    results: dict[str, Any],
    float_accuracy: float,
    confusion: np.ndarray,
    model: Any,
) -> list[Path]:
    """Accuracy over chips of every card; the rest of the last card."""
    name, last = list(hardware.items())[-1]
    chip = nn.program(model, last, np.random.default_rng(results[name]["seeds"][0]))
    macro = nn.macros(chip)[0]
    ramp = macro.ramps[0][1]
    accuracy = {key: result["accuracy"] for key, result in results.items()}
    figures = {
        "accuracy.png": plots.accuracy_over_chips(accuracy, float_accuracy, task.label),
        "confusion.png": plots.confusion_matrix(confusion, task.classes, f"{name}, {task.label}"),
        "conductance-map.png": plots.conductance_map(macro),
        "ramp-levels.png": plots.ramp_levels(ramp),
        "transfer-curve.png": plots.transfer_curve(ramp),
    }
    return [plots.save(figure, folder / file) for file, figure in figures.items()]


def _machine() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": metadata.version("torch"),
    }


def _say(text: str) -> None:
    typer.echo(text, err=True)
