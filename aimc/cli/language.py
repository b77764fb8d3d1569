"""`aimc bench lm`: a character language model in bits per character, float and on chips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aimc import tasks
from aimc.cli import benchmark, results, show
from aimc.cli.options import Text
from aimc.tasks import character_modelling as recipes

CHECKPOINT = "lm-kjv-small.safetensors"
QUICK_CHARACTERS = 10_000
SAMPLE = 300


def bench(options: Text) -> None:
    """Bits per character in floating point, then of `chips` chips of each case."""
    size, epochs, characters = options.size, options.epochs, options.characters
    options.alone(size=size, epochs=epochs)
    run = benchmark.Run(options, CHECKPOINT)
    task = tasks.CharacterModelling(options.data)
    results.say(f"data: {task.label}")
    seed, quick = options.seed, options.quick
    recipe = recipes.QUICK if quick else recipes.FULL
    if epochs:
        recipe = replace(recipe, epochs=epochs)
    if characters is None and quick:
        characters = QUICK_CHARACTERS
    model = task.load(run.shipped) if run.shipped else task.model(size or "small", seed)
    name = f"lm-{'kjv' if options.data is None else options.data.stem}-{size or 'small'}"
    name += ("-quick" if quick else "") + ("-untrained" if epochs == 0 else "")
    run.begin(
        "character language model", name, task, model, None if epochs == 0 else recipe,
        recipes.QUICK_AWARE if quick else recipes.AWARE,
        test_characters=min(characters or 2**62, len(task.split("test"))),
        settings={"sizes": list(model.sizes), "shape": list(model.shape), "epochs": epochs,
                  "characters": characters},
    )  # fmt: skip
    if not run.shipped:
        if epochs == 0:
            model = task.calibrate(model)
            model.info = run.info
        else:
            results.say(f"training in floating point, {recipe.epochs} epochs")
            model = task.train(model, seed, recipe, options.run_file(name))
        run.save(model, f"{name}.safetensors")
    measured = {
        split: task.bits_per_character(model, split, characters) for split in ("validation", "test")
    }
    results.say(
        f"float model: {measured['test']:.3f} bits per character, "
        f"{run.record['test_characters']} characters of the test split"
    )

    def evaluate(chip: Any) -> tuple[float, int]:
        return task.bits_per_character(chip, "test", characters), 0

    last, _ = run.measure(model, measured, evaluate, True)
    writers = {} if epochs == 0 else {"float": model, "chip": run.chip(last)}
    run.record["sample"] = {who: task.sample(it, SAMPLE, seed) for who, it in writers.items()}
    run.write(lambda: _print(run.record, run.remarks()))
    show.wrote(*run.files)


def _print(record: dict[str, Any], remarks: list[str]) -> None:
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
    for remark in remarks:
        out.print(remark)
    for who, sample in record["sample"].items():
        out.print(f"\n{who} model writes:\n{sample.strip()}")
