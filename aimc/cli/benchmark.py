"""What the benchmarks of networks share: which chips are measured, with which models."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rich
import typer

import aimc
from aimc import cards, cost, nn
from aimc.cli import results, show
from aimc.cli.options import Options
from aimc.cli.results import keep, say, statistics
from aimc.errors import DataError
from aimc.macro import Hardware
from aimc.tasks.effects import effects, levels, one_at_a_time

FOLDER = "benchmarks/checkpoints"

Chosen = dict[tuple[str, int], Hardware]
Models = dict[tuple[str, int], Any]
Evaluate = Callable[[Any], tuple[float, Any]]


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

    @property
    def label(self) -> dict[str, Any]:
        """What tells it from others, as a row of the record has it."""
        names = ("card", "bits", "training", "effects", "hours")
        return {name: getattr(self, name) for name in names}

    @property
    def title(self) -> str:
        """All of that in words."""
        age = [] if self.hours is None else [f"{self.hours:g} h old"]
        return ", ".join((self.card, f"{self.bits} bits", self.training, self.effects, *age))


class Run:
    """A run of a benchmark: its models, the chips that they are programmed into, and its record.

    shipped: the trained model's file in the checkout, for `--pretrained`.
    """

    def __init__(self, options: Options, shipped: str) -> None:
        self.options, self.chosen = options, options.hardware()
        self.shipped = checkpoint(shipped) if options.pretrained else None
        self.files: list[Path] = []
        self.record: dict[str, Any] = {}
        self.lost = ""
        show.folder(options.out)
        rich.reconfigure(stderr=True)  # the bars of training, too, leave stdout to the results

    def begin(
        self, title: str, name: str, task: Any, start: Any, recipe: Any, fitted: nn.Recipe,
        **fields: Any,
    ) -> None:  # fmt: skip
        """The record, before any work. Raises DataError where files of another run would be lost.

        name: of the float model's file, with which those of the others begin. start: the float
        model as it is now; recipe (None: it is not trained), fitted: how it and those for hardware
        are trained. fields: of the record; its `settings` join those of the options.
        """
        options, self.name, self.task, self.fitted = self.options, name, task, fitted
        digests = {f"{c}, {b} bits": cards.digest(each) for (c, b), each in self.chosen.items()}
        fields["settings"] = {**options.settings, **fields["settings"]}
        self.record = results.record(title, data=task.label, **fields)
        self.record |= {"data digest": task.digest, "hardware": digests}
        self.path = options.out / f"{options.name(name)}.json"
        keep(self.path, results.identity(self.record), options.force)
        said = {"data digest": task.digest, "seed": options.seed}
        self.info = {**said, "recipe": recipe and asdict(recipe)}
        if self.shipped is None:
            keep(options.out / f"{name}.safetensors", self.info, options.force)
        for key, each in self.chosen.items() if options.hardware_aware else ():
            aware = {
                **said, "recipe": asdict(fitted), "hardware": cards.digest(each),
                "digital": list(options.digital),
                "started from": start.info if self.shipped else self.info,
            }  # fmt: skip
            keep(options.out / self._aware_file(name, key), aware, options.force)

    def save(self, model: Any, file: str) -> None:
        """Writes a model that this run has trained."""
        self.files.append(self.options.out / file)
        self.task.save(model, self.files[-1])

    def measure(
        self, model: Any, floating: dict[str, float], evaluate: Evaluate, lower: bool,
        steps: int = 1,
    ) -> tuple[Case, Any]:  # fmt: skip
        """Measures chips of every case, into the record; the last case, and its sum of extras.

        model, floating: the float model, and its value on each split. Others: see `measure`.
        """
        options, chosen = self.options, self.chosen
        models: dict[str, Models] = {"plain": dict.fromkeys(chosen, model)}
        if options.hardware_aware:
            models["hardware-aware"] = self._adapted(model)

        def rows(wanted: list[Case]) -> list[tuple[dict[str, Any], Any]]:
            return measure(wanted, options, evaluate, lower, steps)

        wanted = list(cases(chosen, models, options.hours or [], options.quick))
        found = rows(wanted)
        fitted = models.get("hardware-aware", {})
        infos = {f"{card}, {bits} bits": each.info for (card, bits), each in fitted.items()}
        self.record |= {
            "models": {"float": model.info, **infos},
            "float": floating,
            "rows": [row for row, _ in found],
            "origins": [
                row for row, _ in rows(list(origins(chosen, models)) if options.origins else [])
            ],
        }
        last = wanted[-1]
        chip, inputs = self.chip(last), self.task.typical(last.model)
        self.record["losses"] = [each._asdict() for each in nn.losses(chip, inputs)]
        self.lost = f"first chip of {last.card}, {last.bits} bits, {last.training}, on the data "
        self.lost += f"that calibrated it\n{nn.report(chip, inputs)}"
        return last, found[-1][1]

    def chip(self, case: Case) -> Any:
        """The first chip of a case."""
        rng = np.random.default_rng(self.options.seed)
        return nn.program(case.model, case.hardware, rng, digital=self.options.digital)

    def write(self, shown: Callable[[], None]) -> None:
        """Writes the record, and prints it as JSON or as `shown` does."""
        text = show.as_json(self.record)
        if self.options.json:
            typer.echo(text)
        else:
            shown()
        self.files.append(show.write_text(self.path, text + "\n"))

    def remarks(self) -> list[str]:
        """What a reader of the table must know of this run."""
        told = [self.lost]
        still = {name for (name, _), each in self.chosen.items() if not each.device.on_age}
        if not still or not self.options.hours:
            return told
        return [*told, f"cells of {', '.join(sorted(still))} do not age: hours change nothing"]

    def _adapted(self, model: Any) -> Models:
        """A model for each card and number of bits: of the checkout, where one lies beside the
        shipped float model, or made of `model` and saved.

        Raises DataError where one of the checkout was trained for other hardware.
        """
        options, shipped, found = self.options, self.shipped, {}
        paths: dict[tuple[str, int], Path] = {}
        if shipped and not options.digital:
            paths = {k: shipped.with_name(self._aware_file(shipped.stem, k)) for k in self.chosen}
        for key, path in paths.items():
            if path.is_file():
                found[key] = self.task.load(path)
                if found[key].info.get("hardware") != cards.digest(self.chosen[key]):
                    raise DataError(
                        f"{FOLDER}/{path.name} must be trained for {key[0]} as it is to be "
                        "measured on it, but was trained for other numbers. Leave --pretrained "
                        "out to train for them."
                    )
        for key, each in self.chosen.items():
            if key not in found:
                say(f"training for {key[0]}, {key[1]} bits")
                file = self._aware_file(self.name, key)
                found[key] = self.task.adapt(
                    model, each, options.seed, self.fitted, options.run_file(Path(file).stem),
                    digital=options.digital,
                )  # fmt: skip
                self.save(found[key], file)
        return found

    def _aware_file(self, model: str, key: tuple[str, int]) -> str:
        """Of a model that was trained from `model` for a card and a number of bits."""
        kept = "-digital" if self.options.digital else ""
        return f"{model}-{Path(key[0]).stem}-{key[1]}bit{kept}.safetensors"


def cases(
    chosen: Chosen, models: dict[str, Models], hours: list[float], quick: bool
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
    wanted: Collection[Case], options: Options, evaluate: Evaluate, lower: bool, steps: int = 1
) -> list[tuple[dict[str, Any], Any]]:
    """A row for each case, with the sum of what `evaluate(chip)` gives beside its value.

    Chip k has the run's seed + k in every case; without any effect all would be the same, and one
    is measured. lower: lower values are better, and have no upper end; others are shares of one.
    steps: of an inference, whose energy is that of the first chip on the data it sees; what stays
    digital is left out.
    """
    rows, seed = [], options.seed
    counts = [options.chips if effects(case.hardware) else 1 for case in wanted]
    with show.progress() as bar:
        every = bar.add_task("chips", total=sum(counts))
        for case, count in zip(wanted, counts, strict=True):
            bar.update(every, description=f"{case.card}, {case.bits} bits, {case.effects}")
            values, extra, energy = [], None, {}
            for chip_seed in range(seed, seed + count):
                rng = np.random.default_rng(chip_seed)
                chip = nn.program(case.model, case.hardware, rng, digital=options.digital)
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
                **case.label,
                "digest": cards.digest(case.hardware),
                "seeds": list(range(seed, seed + count)),
                "values": values,
                **energy,
                **statistics(values, lower, (0.0, math.inf if lower else 1.0)),
            }
            rows.append((row, extra))
    return rows


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
