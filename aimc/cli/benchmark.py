"""What the benchmarks of networks share: which chips are measured, with which models."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import aimc
from aimc import cards, cost, nn
from aimc.cli import show
from aimc.cli.options import Chosen, Options
from aimc.cli.results import keep, say, statistics
from aimc.errors import DataError
from aimc.macro import Hardware
from aimc.tasks.effects import effects, levels, one_at_a_time

FOLDER = "benchmarks/checkpoints"

Models = dict[tuple[str, int], Any]


@dataclass(frozen=True)
class Case:
    """Hardware to be measured with one model; effects: which of the card's it has."""

    card: str
    bits: int
    training: str
    effects: str
    hours: float | None
    hardware: Hardware
    model: Any


def cases(
    chosen: Chosen,
    models: dict[str, Models],
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


def origins(chosen: Chosen, models: dict[str, Models]) -> Iterator[Case]:
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
    is measured. lower: lower values are better, and have no upper end; others are shares of one.
    steps: of an inference, whose energy is that of the first chip on the data it sees; what stays
    digital is left out.
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
                if not sys.stderr.isatty():
                    what = f"{case.card}, {case.bits} bits, {case.training}, {case.effects}"
                    at = "" if case.hours is None else f", {case.hours:g} h"
                    say(f"{what}{at}: chip {len(values)} of {count}, {value:.4f}")
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
                **statistics(values, lower, (0.0, math.inf if lower else 1.0)),
            }
            rows.append((row, extra))
    return rows


def no_ageing(chosen: Chosen, hours: list[float]) -> str:
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
    options: Options,
    chosen: Chosen,
    task: Any,
    name: str,
    shipped: str | None,
    model: Any,
    recipe: nn.Recipe,
    written: list[Path],
) -> Models:
    """A model for each card and number of bits: from the checkout, or made of the float `model` by
    `task.adapt` and saved.

    name: of the float model's file, with which those of the others begin; saved ones are added to
    `written`. shipped: the float model's file in the checkout, beside which those for hardware lie;
    None takes none of them. Raises DataError where a model of the checkout was trained for other
    hardware.
    """
    found: Models = {}
    for key, each in chosen.items() if shipped else ():
        file = aware_file(Path(str(shipped)).stem, key, options)
        path = checkpoint(str(shipped)).with_name(file)
        if not path.is_file():
            continue
        found[key] = task.load(path)
        if found[key].info.get("hardware") != cards.digest(each):
            raise DataError(
                f"{FOLDER}/{file} must be trained for {key[0]} as it is to be measured on it, but "
                "was trained for other numbers. Leave --pretrained out to train for them."
            )
    for key, each in chosen.items():
        if key not in found:
            say(f"training for {key[0]}, {key[1]} bits")
            file = aware_file(name, key, options)
            found[key] = task.adapt(
                model, each, options.seed, recipe, options.run_file(Path(file).stem),
                digital=options.digital,
            )  # fmt: skip
            written.append(options.out / file)
            task.save(found[key], written[-1])
    return found


def infos(models: dict[str, Models]) -> dict[str, Any]:
    """How the float model and those for hardware were trained."""
    fitted = models.get("hardware-aware", {})
    floating = next(iter(models["plain"].values()))
    each = {f"{card}, {bits} bits": model.info for (card, bits), model in fitted.items()}
    return {"float": floating.info, **each}


def aware_file(model: str, key: tuple[str, int], options: Options) -> str:
    """Of a model that was trained from `model` for a card and a number of bits."""
    kept = "-digital" if options.digital else ""
    return f"{model}-{Path(key[0]).stem}-{key[1]}bit{kept}.safetensors"


def keep_models(
    options: Options,
    chosen: Chosen,
    model: str,
    info: dict[str, Any],
    fitted: dict[str, Any],
    start: dict[str, Any] | None = None,
) -> None:
    """DataError where a file that this run would write holds a model of another.

    info, fitted: what the float model and those for hardware will say of their training. start:
    what the float model of the checkout says, where it is taken.
    """
    if start is None:
        keep(options.out / f"{model}.safetensors", info, options.force)
    for key, each in chosen.items() if options.hardware_aware else ():
        said = {
            **fitted,
            "hardware": cards.digest(each),
            "digital": list(options.digital),
            "started from": info if start is None else start,
        }
        keep(options.out / aware_file(model, key, options), said, options.force)
