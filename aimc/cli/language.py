"""`aimc bench lm`: a character language model in bits per character, float and on chips."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rich
import typer

from aimc import nn, tasks
from aimc.cli import benchmark, show
from aimc.errors import ArgumentError
from aimc.tasks import character_modelling as recipes

CHECKPOINT = "lm-kjv-small.safetensors"
QUICK_CHARACTERS = 10_000
SAMPLE = 300


def bench(
    names: list[str],
    bits: list[int],
    chips: int,
    data: Path | None,
    size: str | None,
    epochs: int | None,
    characters: int | None,
    pretrained: bool,
    quick: bool,
    aware: bool,
    hours: list[float],
    origins: bool,
    digital: bool,
    seed: int,
    json: bool,
    out: Path,
) -> None:
    """Bits per character in floating point, then of `chips` chips of each case."""
    if pretrained and (size is not None or epochs is not None):
        option = "--epochs" if size is None else "--size"
        raise ArgumentError(
            f"`--pretrained` evaluates a trained model as it is, so `{option}` has no effect. "
            "Leave one of the two out."
        )
    chosen = benchmark.hardware(names, bits)
    checkpoint = benchmark.checkpoint(CHECKPOINT) if pretrained else None
    show.folder(out)
    rich.reconfigure(stderr=True)

    task = tasks.CharacterModelling(data)
    benchmark.say(f"data: {task.label}")
    shown = sys.stderr.isatty()
    recipe = recipes.QUICK if quick else recipes.FULL
    if epochs:
        recipe = replace(recipe, epochs=epochs)
    if checkpoint:
        model = task.load(checkpoint)
    else:
        model = task.model(size or "small", seed=seed)
        if epochs == 0:
            model = task.calibrate(model)
        else:
            model = task.train(model, seed=seed, recipe=recipe, progress=shown)
    if characters is None and quick:
        characters = QUICK_CHARACTERS
    measured = {
        split: task.bits_per_character(model, split, characters) for split in ("validation", "test")
    }
    benchmark.say(f"float model: {measured['test']:.3f} bits per character of the test split")

    kind = "kjv" if data is None else data.stem
    stem = f"lm-{kind}-{size or 'small'}" + ("-pretrained" if pretrained else "")
    stem += ("-quick" if quick else "") + (f"-{'-'.join(map(str, bits))}bit" if bits else "")
    files: list[Path] = []
    if not pretrained:
        files.append(out / f"{stem}.safetensors")
        task.save(model, files[-1])
    kept = ("readout",) if digital else ()
    models: dict[str, dict[tuple[str, int], Any]] = {"plain": dict.fromkeys(chosen, model)}
    if aware:
        fitted = recipes.QUICK_AWARE if quick else recipes.AWARE
        models["hardware-aware"] = benchmark.adapted(
            chosen,
            CHECKPOINT if pretrained and not digital else None,
            task,
            lambda each: task.adapt(
                model, each, seed=seed, recipe=fitted, digital=kept, progress=shown
            ),
            out / stem,
            files,
        )

    def evaluate(chip: Any) -> tuple[float, int]:
        return task.bits_per_character(chip, "test", characters), 0

    wanted = list(benchmark.cases(chosen, models, hours, quick))
    rows = [row for row, _ in benchmark.measure(wanted, chips, seed, evaluate, True, kept)]
    parts: list[dict[str, Any]] = []
    if origins:
        cases = list(benchmark.origins(chosen, models))
        parts = [row for row, _ in benchmark.measure(cases, chips, seed, evaluate, True, kept)]
    record = benchmark.record(
        "character language model",
        data=task.label,
        test_characters=min(characters or 2**62, len(task.split("test"))),
        settings={
            "cards": list(dict.fromkeys(name for name, _ in chosen)), "bits": bits, "chips": chips,
            "seed": seed, "quick": quick, "pretrained": pretrained, "sizes": model.sizes,
            "shape": model.shape, "epochs": epochs, "hardware_aware": aware, "hours": hours,
            "digital": list(kept),
        },
        models={
            "float": model.info,
            **{f"{name}, {count} bits": adapted.info
               for (name, count), adapted in models.get("hardware-aware", {}).items()},
        },
        float=measured,
        rows=rows,
        origins=parts,
        sample={} if epochs == 0 else {
            "float": task.sample(model, SAMPLE, seed),
            "chip": task.sample(_chip(wanted[-1], seed, kept), SAMPLE, seed),
        },
    )  # fmt: skip
    text = show.as_json(record)
    if json:
        typer.echo(text)
    else:
        _print(record, benchmark.no_ageing(chosen, hours))
    files.append(show.write_text(out / f"{stem}.json", text + "\n"))
    benchmark.say("wrote " + ", ".join(map(str, files)))


def _chip(case: benchmark.Case, seed: int, digital: tuple[str, ...]) -> Any:
    rng = np.random.default_rng(seed)
    return nn.program(case.model, case.hardware, rng, digital=digital)


def _print(record: dict[str, Any], remark: str) -> None:
    out = show.console()
    rows, cols = record["settings"]["shape"]
    out.print(
        f"Character language model, {rows} x {cols} LSTM weights with the bias, "
        f"{record['test_characters']} test characters"
    )
    out.print(f"data: {record['data']}")
    trained_on = record["models"]["float"].get("data", "nothing: untrained")
    if trained_on != record["data"]:
        out.print(f"model: trained on {trained_on}")
    reference, unit = record["float"]["test"], "bits/char"
    out.print(benchmark.table(record["rows"], unit, reference, ".3f", 1, "character"))
    if record["origins"]:
        out.print("\nwhere the loss comes from")
        out.print(benchmark.table(record["origins"], unit, reference, ".3f", 1, "character"))
    kept = record["settings"]["digital"]
    out.print(
        "loss: bits above the float model; interval: of the mean over chips, for these trained "
        "models and this text\n"
        "energy: one character on the first chip, from the currents of this text, arithmetic "
        f"included; embedding{' and readout' if kept else ''} digital and not billed"
    )
    if remark:
        out.print(remark)
    for who, sample in record["sample"].items():
        out.print(f"\n{who} model writes:\n{sample.strip()}")
