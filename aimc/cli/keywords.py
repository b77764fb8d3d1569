"""`aimc bench kws`: one float model, many chips, one honest table."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.text import Text

from aimc import nn, plots, tasks
from aimc.cli import benchmark, results, show
from aimc.cli.options import Speech
from aimc.tasks.features import FRAMES
from aimc.tasks.training import AWARE, QUICK_AWARE

CHECKPOINT = "kws-lstm32.safetensors"


def bench(options: Speech) -> None:
    """Float accuracy, then `chips` chips of each case; prints, and writes JSON and figures."""
    options.alone(quick=options.quick, hidden=options.hidden)
    run = benchmark.Run(options, CHECKPOINT)
    task = tasks.KeywordSpotting(options.data)
    results.say(f"data: {task.label}")
    seed, quick, synthetic = options.seed, options.quick, options.data is None
    model = (
        task.load(run.shipped) if run.shipped else task.model("lstm", options.hidden or 32, seed)
    )
    name = f"kws{'-synthetic' if synthetic else ''}-{model.kind}{model.hidden}"
    name += "-quick" if quick else ""
    recipe = task.recipe(quick)
    run.begin(
        "keyword spotting, 12 classes", name, task, model, recipe,
        QUICK_AWARE if quick or synthetic else AWARE,
        synthetic=synthetic, test_clips=len(task.labels("test")),
        settings={"kind": model.kind, "hidden": model.hidden},
    )  # fmt: skip
    if not run.shipped:
        results.say(f"training in floating point, {recipe.epochs} epochs")
        model = task.train(model, seed, quick=quick, checkpoint=options.run_file(name))
        run.save(model, f"{name}.safetensors")
    measured = {split: _accuracy(task.confusion(model, split)) for split in ("validation", "test")}
    results.say(f"float model: {measured['test']:.2%} of the test clips")

    def evaluate(chip: Any) -> tuple[float, np.ndarray]:
        counts = task.confusion(chip)
        return _accuracy(counts), counts

    last, confusion = run.measure(model, measured, evaluate, False, FRAMES)
    rows = run.record["rows"]
    run.record["confusion"] = {
        "of": last.label,
        "classes": task.classes,
        "counts": confusion.tolist(),
    }
    missing = task.split("test").missing
    remarks = [*run.remarks(), *([f"no test clip of {', '.join(missing)}"] if missing else [])]
    run.write(lambda: _print(run.record, remarks))
    whole = [r for r in rows if r["effects"] == "all effects"] or rows
    accuracy = {
        f"{r['card']}\n{r['bits']} bits\n{r['training']}"
        + ("" if r["hours"] is None else f"\n{r['hours']:g} h"): r["values"]
        for r in whole
    }
    label = ", ".join((last.title, task.label))
    macro = nn.macros(run.chip(last))[0]
    ramp = macro.ramps[0][1]
    show.wrote(*run.files, *show.figures(run.path.with_suffix(""), {
        "accuracy": plots.accuracy_over_chips(accuracy, measured["test"], task.label),
        "confusion": plots.confusion_matrix(confusion, task.classes, label),
        "conductance-map": plots.conductance_map(macro),
        "ramp-levels": plots.ramp_levels(ramp, last.card),
        "transfer-curve": plots.transfer_curve(ramp, last.card),
    }))  # fmt: skip


def _accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum())


def _print(record: dict[str, Any], remarks: list[str]) -> None:
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
    out.print(results.table(record["rows"], "accuracy", reference, ".2%", -100, "clip"))
    if record["origins"]:
        out.print("\nwhere the loss comes from")
        out.print(results.table(record["origins"], "accuracy", reference, ".2%", -100, "clip"))
    out.print(
        "loss: points below the float model; interval: of the mean over chips, for these trained "
        "models and clips\n"
        "ties: a clip whose k highest scores are equal is a k-th in each of their classes\n"
        "energy: one clip on the first chip, from the currents of these clips, arithmetic included"
        + ("; readout digital and not billed" if record["settings"]["digital"] else "")
    )
    for remark in remarks:
        out.print(remark)
