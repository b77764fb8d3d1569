"""`aimc bench kws`: one float model, many chips, one honest table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import rich
import typer
from rich.text import Text

from aimc import nn, plots, tasks
from aimc.cli import benchmark, results, show
from aimc.cli.options import Options
from aimc.tasks.features import FRAMES
from aimc.tasks.training import AWARE, QUICK_AWARE

CHECKPOINT = "kws-lstm32.safetensors"


def bench(options: Options, hidden: int | None) -> None:
    """Float accuracy, then `chips` chips of each case; prints, and writes JSON and figures."""
    options.alone(quick=options.quick, hidden=hidden)
    chosen = options.hardware()
    checkpoint = benchmark.checkpoint(CHECKPOINT) if options.pretrained else None
    show.folder(options.out)
    rich.reconfigure(stderr=True)  # the bars of training, too, leave stdout to the results

    task = tasks.KeywordSpotting(options.data)
    results.say(f"data: {task.label}")
    seed, quick = options.seed, options.quick
    untrained = task.load(checkpoint) if checkpoint else task.model("lstm", hidden or 32, seed)
    synthetic = options.data is None
    name = f"kws{'-synthetic' if synthetic else ''}-{untrained.kind}{untrained.hidden}"
    name += "-quick" if quick else ""
    recipe, fitted = task.recipe(quick), QUICK_AWARE if quick or synthetic else AWARE
    record = results.record(
        "keyword spotting, 12 classes",
        data=task.label,
        synthetic=synthetic,
        test_clips=len(task.labels("test")),
        settings={**options.settings, "kind": untrained.kind, "hidden": untrained.hidden},
    )
    record |= {"data digest": task.digest, "hardware": options.digests(chosen)}
    path = options.out / f"{options.name(name)}.json"
    said = {"data digest": task.digest, "seed": seed}
    results.keep(path, results.identity(record), options.force)
    info, more = ({**said, "recipe": asdict(each)} for each in (recipe, fitted))
    start = untrained.info if checkpoint else None
    benchmark.keep_models(options, chosen, name, info, more, start)

    files: list[Path] = []
    if checkpoint:
        model = untrained
    else:
        results.say(f"training in floating point, {recipe.epochs} epochs")
        model = task.train(untrained, seed, quick=quick, checkpoint=options.run_file(name))
        files.append(options.out / f"{name}.safetensors")
        task.save(model, files[-1])
    measured = {split: _accuracy(task.confusion(model, split)) for split in ("validation", "test")}
    results.say(f"float model: {measured['test']:.2%} of the test clips")
    models: dict[str, benchmark.Models] = {"plain": dict.fromkeys(chosen, model)}
    if options.hardware_aware:
        models["hardware-aware"] = benchmark.adapted(
            options,
            chosen,
            task,
            name,
            CHECKPOINT if checkpoint and not options.digital else None,
            model,
            fitted,
            files,
        )

    def evaluate(chip: Any) -> tuple[float, np.ndarray]:
        counts = task.confusion(chip)
        return _accuracy(counts), counts

    def measure(cases: list[benchmark.Case]) -> list[tuple[dict[str, Any], Any]]:
        return benchmark.measure(
            cases, options.chips, seed, evaluate, False, options.digital, FRAMES
        )

    wanted = list(benchmark.cases(chosen, models, options.hours, quick))
    found = measure(wanted)
    rows, confusion = [row for row, _ in found], found[-1][1]
    origins = list(benchmark.origins(chosen, models)) if options.origins else []
    last = ("card", "bits", "training", "effects", "hours")
    record |= {
        "models": benchmark.infos(models),
        "float": measured,
        "rows": rows,
        "origins": [row for row, _ in measure(origins)],
        "confusion": {
            "of": {key: rows[-1][key] for key in last},
            "classes": task.classes,
            "counts": confusion.tolist(),
        },
    }
    text = show.as_json(record)
    if options.json:
        typer.echo(text)
    else:
        missing = task.split("test").missing
        remarks = [
            benchmark.no_ageing(chosen, options.hours),
            f"no test clip of {', '.join(missing)}" if missing else "",
        ]
        _print(record, [remark for remark in remarks if remark])
    files.append(show.write_text(path, text + "\n"))
    whole = [r for r in rows if r["effects"] == "all effects"] or rows
    accuracy = {
        f"{r['card']}\n{r['bits']} bits\n{r['training']}"
        + ("" if r["hours"] is None else f"\n{r['hours']:g} h"): r["values"]
        for r in whole
    }
    chip = nn.program(
        wanted[-1].model, wanted[-1].hardware, np.random.default_rng(seed), digital=options.digital
    )
    label = f"{wanted[-1].card}, {wanted[-1].bits} bits, {task.label}"
    figures = _figures(chip, accuracy, measured["test"], confusion, task, label)
    files += [plots.save(figure, path.with_suffix("") / file) for file, figure in figures.items()]
    results.say("wrote " + ", ".join(map(str, files)))


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


def _figures(
    chip: Any,
    accuracy: dict[str, list[float]],
    float_accuracy: float,
    confusion: np.ndarray,
    task: tasks.KeywordSpotting,
    label: str,
) -> dict[str, Any]:
    """Accuracy over chips of every case; the rest of the last case, and of its first `chip`."""
    macro = nn.macros(chip)[0]
    ramp = macro.ramps[0][1]
    return {
        "accuracy.png": plots.accuracy_over_chips(accuracy, float_accuracy, task.label),
        "confusion.png": plots.confusion_matrix(confusion, task.classes, label),
        "conductance-map.png": plots.conductance_map(macro),
        "ramp-levels.png": plots.ramp_levels(ramp),
        "transfer-curve.png": plots.transfer_curve(ramp),
    }
