"""`aimc bench kws`: one float model, many chips, one honest table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import rich
import typer
from rich.text import Text

from aimc import nn, plots, tasks
from aimc.cli import benchmark, show
from aimc.errors import ArgumentError
from aimc.tasks.features import FRAMES
from aimc.tasks.training import AWARE, QUICK_AWARE

CHECKPOINT = "kws-lstm32.safetensors"


def bench(
    names: list[str],
    bits: list[int],
    chips: int,
    data: Path | None,
    pretrained: bool,
    quick: bool,
    hidden: int | None,
    aware: bool,
    hours: list[float],
    origins: bool,
    seed: int,
    json: bool,
    out: Path,
) -> None:
    """Float accuracy, then `chips` chips of each case; prints, and writes JSON and figures."""
    if pretrained and (quick or hidden is not None):
        option = "--quick" if quick else "--hidden"
        raise ArgumentError(
            f"`--pretrained` evaluates a trained model as it is, so `{option}` has no effect. "
            "Leave one of the two out."
        )
    chosen = benchmark.hardware(names, bits)
    checkpoint = benchmark.checkpoint(CHECKPOINT) if pretrained else None
    show.folder(out)
    rich.reconfigure(stderr=True)  # the bars of training, too, leave stdout to the results

    task = tasks.KeywordSpotting(data)
    benchmark.say(f"data: {task.label}")
    shown = sys.stderr.isatty()
    if checkpoint:
        model = task.load(checkpoint)
    else:
        untrained = task.model("lstm", hidden=hidden or 32, seed=seed)
        model = task.train(untrained, seed=seed, quick=quick, progress=shown)
    measured = {split: _accuracy(task.confusion(model, split)) for split in ("validation", "test")}
    benchmark.say(f"float model: {measured['test']:.2%} of the test clips")

    stem = f"kws-{'synthetic' if data is None else 'recorded'}-{model.kind}{model.hidden}"
    stem += "-pretrained" if pretrained else "-quick" if quick else ""
    stem += f"-{'-'.join(map(str, bits))}bit" if bits else ""
    files: list[Path] = []
    if not pretrained:
        files.append(out / f"{stem}.safetensors")
        task.save(model, files[-1])
    models = {"plain": dict.fromkeys(chosen, model)}
    if aware:
        recipe = QUICK_AWARE if quick or task.synthetic else AWARE
        models["hardware-aware"] = benchmark.adapted(
            chosen,
            CHECKPOINT if pretrained else None,
            task,
            lambda each: task.adapt(model, each, seed=seed, recipe=recipe, progress=shown),
            out / stem,
            files,
        )

    def evaluate(chip: Any) -> tuple[float, np.ndarray]:
        counts = task.confusion(chip)
        return _accuracy(counts), counts

    wanted = list(benchmark.cases(chosen, models, hours, quick))
    results = benchmark.measure(wanted, chips, seed, evaluate, False, (), FRAMES)
    rows = [row for row, _ in results]
    parts: list[dict[str, Any]] = []
    if origins:
        cases = list(benchmark.origins(chosen, models))
        parts = [
            row for row, _ in benchmark.measure(cases, chips, seed, evaluate, False, (), FRAMES)
        ]
    confusion = results[-1][1]
    record = benchmark.record(
        "keyword spotting, 12 classes",
        data=task.label,
        synthetic=data is None,
        test_clips=len(task.labels("test")),
        settings={
            "cards": list(dict.fromkeys(name for name, _ in chosen)), "bits": bits, "chips": chips,
            "seed": seed, "quick": quick, "pretrained": pretrained, "kind": model.kind,
            "hidden": model.hidden, "hardware_aware": aware, "hours": hours,
        },
        models={
            "float": model.info,
            **{f"{name}, {count} bits": adapted.info
               for (name, count), adapted in models.get("hardware-aware", {}).items()},
        },
        float=measured,
        rows=rows,
        origins=parts,
        confusion={"of": {key: rows[-1][key] for key in ("card", "bits", "training", "effects")},
                   "classes": task.classes, "counts": confusion.tolist()},
    )  # fmt: skip
    text = show.as_json(record)
    if json:
        typer.echo(text)
    else:
        _print(record, benchmark.no_ageing(chosen, hours))
    files.append(show.write_text(out / f"{stem}.json", text + "\n"))
    whole = [r for r in rows if r["effects"] == "all effects"] or rows
    accuracy = {
        f"{r['card']}\n{r['bits']} bits\n{r['training']}"
        + ("" if r["hours"] is None else f"\n{r['hours']:g} h"): r["values"]
        for r in whole
    }
    files += _figures(out / stem, task, wanted[-1], seed, accuracy, measured["test"], confusion)
    benchmark.say("wrote " + ", ".join(map(str, files)))


def _accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum())


def _print(record: dict[str, Any], remark: str) -> None:
    out = show.console()
    kind = (
        "SYNTHETIC speech, not comparable with published accuracies" if record["synthetic"] else ""
    )
    out.print(f"Keyword spotting, 12 classes, {record['test_clips']} test clips")
    out.print(Text.assemble(f"data: {record['data']}", (f"  {kind}" if kind else "", "bold")))
    trained_on = record["models"]["float"].get("data", "unknown data")
    if trained_on != record["data"]:
        out.print(f"model: trained on {trained_on}")
    reference = record["float"]["test"]
    out.print(benchmark.table(record["rows"], "accuracy", reference, ".2%", -100, "clip"))
    if record["origins"]:
        out.print("\nwhere the loss comes from")
        out.print(benchmark.table(record["origins"], "accuracy", reference, ".2%", -100, "clip"))
    out.print(
        "loss: points below the float model; interval: of the mean over chips, for these trained "
        "models and clips\n"
        "energy: one clip on the first chip, from the currents of these clips, arithmetic included"
    )
    if remark:
        out.print(remark)


def _figures(
    folder: Path,
    task: tasks.KeywordSpotting,
    last: benchmark.Case,
    seed: int,
    accuracy: dict[str, list[float]],
    float_accuracy: float,
    confusion: np.ndarray,
) -> list[Path]:
    """Accuracy over chips of every case; the rest of the last case."""
    chip = nn.program(last.model, last.hardware, np.random.default_rng(seed))
    macro = nn.macros(chip)[0]
    ramp = macro.ramps[0][1]
    label = f"{last.card}, {last.bits} bits, {task.label}"
    figures = {
        "accuracy.png": plots.accuracy_over_chips(accuracy, float_accuracy, task.label),
        "confusion.png": plots.confusion_matrix(confusion, task.classes, label),
        "conductance-map.png": plots.conductance_map(macro),
        "ramp-levels.png": plots.ramp_levels(ramp),
        "transfer-curve.png": plots.transfer_curve(ramp),
    }
    return [plots.save(figure, folder / file) for file, figure in figures.items()]
