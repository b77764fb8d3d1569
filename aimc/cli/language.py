"""`aimc bench lm`: a character language model in bits per character, float and on chips."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import rich
import typer

from aimc import nn, tasks
from aimc.cli import benchmark, results, show
from aimc.cli.options import Options
from aimc.tasks import character_modelling as recipes

CHECKPOINT = "lm-kjv-small.safetensors"
QUICK_CHARACTERS = 10_000
SAMPLE = 300


def bench(options: Options, size: str | None, epochs: int | None, characters: int | None) -> None:
    """Bits per character in floating point, then of `chips` chips of each case."""
    options.alone(size=size, epochs=epochs)
    chosen = options.hardware()
    checkpoint = benchmark.checkpoint(CHECKPOINT) if options.pretrained else None
    show.folder(options.out)
    rich.reconfigure(stderr=True)

    task = tasks.CharacterModelling(options.data)
    results.say(f"data: {task.label}")
    seed, quick = options.seed, options.quick
    recipe = recipes.QUICK if quick else recipes.FULL
    if epochs:
        recipe = replace(recipe, epochs=epochs)
    fitted = recipes.QUICK_AWARE if quick else recipes.AWARE
    if characters is None and quick:
        characters = QUICK_CHARACTERS
    untrained = task.load(checkpoint) if checkpoint else task.model(size or "small", seed)
    name = f"lm-{'kjv' if options.data is None else options.data.stem}-{size or 'small'}"
    name += ("-quick" if quick else "") + ("-untrained" if epochs == 0 else "")
    record = results.record(
        "character language model",
        data=task.label,
        test_characters=min(characters or 2**62, len(task.split("test"))),
        settings={
            **options.settings, "sizes": list(untrained.sizes), "shape": list(untrained.shape),
            "epochs": epochs, "characters": characters,
        },
    )  # fmt: skip
    record |= {"data digest": task.digest, "hardware": options.digests(chosen)}
    path = options.out / f"{options.name(name)}.json"
    results.keep(path, results.identity(record), options.force)
    said = {"data digest": task.digest, "seed": seed}
    info = {**said, "recipe": None if epochs == 0 else asdict(recipe)}
    start = untrained.info if checkpoint else None
    benchmark.keep_models(options, chosen, name, info, {**said, "recipe": asdict(fitted)}, start)

    files: list[Path] = []
    if checkpoint:
        model = untrained
    else:
        if epochs == 0:
            model = task.calibrate(untrained)
            model.info = info
        else:
            results.say(f"training in floating point, {recipe.epochs} epochs")
            model = task.train(untrained, seed, recipe, options.run_file(name))
        files.append(options.out / f"{name}.safetensors")
        task.save(model, files[-1])
    measured = {
        split: task.bits_per_character(model, split, characters) for split in ("validation", "test")
    }
    results.say(
        f"float model: {measured['test']:.3f} bits per character, "
        f"{record['test_characters']} characters of the test split"
    )
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

    def evaluate(chip: Any) -> tuple[float, int]:
        return task.bits_per_character(chip, "test", characters), 0

    def measure(cases: list[benchmark.Case]) -> list[dict[str, Any]]:
        found = benchmark.measure(cases, options.chips, seed, evaluate, True, options.digital)
        return [row for row, _ in found]

    wanted = list(benchmark.cases(chosen, models, options.hours, quick))
    record |= {
        "models": benchmark.infos(models),
        "float": measured,
        "rows": measure(wanted),
        "origins": measure(list(benchmark.origins(chosen, models)) if options.origins else []),
        "sample": {},
    }
    if epochs != 0:
        rng = np.random.default_rng(seed)
        chip = nn.program(wanted[-1].model, wanted[-1].hardware, rng, digital=options.digital)
        record["sample"] = {
            "float": task.sample(model, SAMPLE, seed),
            "chip": task.sample(chip, SAMPLE, seed),
        }
    text = show.as_json(record)
    if options.json:
        typer.echo(text)
    else:
        _print(record, benchmark.no_ageing(chosen, options.hours))
    files.append(show.write_text(path, text + "\n"))
    results.say("wrote " + ", ".join(map(str, files)))


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
    out.print(results.table(record["rows"], unit, reference, ".3f", 1, "character"))
    if record["origins"]:
        out.print("\nwhere the loss comes from")
        out.print(results.table(record["origins"], unit, reference, ".3f", 1, "character"))
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
