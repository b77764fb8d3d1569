"""What the benchmarks' tasks share: models made ready for hardware, and what is noted of them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch

from aimc import nn
from aimc.cards import digest
from aimc.errors import DataError, as_count, must
from aimc.macro import Hardware
from aimc.nn import checkpoint as files
from aimc.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from aimc.tasks.corpus import Corpus
    from aimc.tasks.texts import Text

Net = TypeVar("Net", bound=Any)


class Trainable(ABC, Generic[Net]):
    """A task whose float models `nn.train` trains. aware: the recipe for hardware; network: the
    class of its models, which has the `form` of their checkpoints, and `settings` and `of`."""

    aware: ClassVar[nn.Recipe]
    network: ClassVar[type[Any]]

    source: Corpus | Text

    @property
    def label(self) -> str:
        """The data: "Speech Commands, N clips", "King James Bible, N characters, 42 symbols"."""
        return self.source.label

    @property
    def digest(self) -> str:
        """SHA-256 [hex] of the data."""
        return self.source.digest

    @abstractmethod
    def course(self, model: Net, seed: int = 0) -> nn.Course:
        """What `aimc.nn.train` takes."""

    @abstractmethod
    def typical(self, model: Net) -> torch.Tensor:
        """Training data that `model` takes, by which it is calibrated."""

    def calibrate(self, model: Net) -> Net:
        """Note in `model` its ranges on `typical` data, by `aimc.nn.calibrate`; returns it."""
        self.check(model)
        return nn.calibrate(model, self.typical(model))

    @abstractmethod
    def validation(self, model: Net) -> dict[str, float]:
        """How good a model is on the validation split, by the name of the measure."""

    def adapt(
        self,
        model: Net,
        hardware: Hardware,
        seed: int = 0,
        recipe: nn.Recipe | None = None,
        checkpoint: str | Path | nn.Checkpoint | None = None,
        digital: Collection[str] = (),
    ) -> Net:
        """The float `model`, trained, made ready for `hardware` by `nn.train`; a float model.

        recipe: None takes the task's, `aware`. digital: modules that stay in floating point, as in
        `nn.program`.
        """
        self.check(model)
        if not isinstance(hardware, Hardware):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise must("hardware", "be a Hardware", f"is {hardware!r}")
        recipe = self.aware if recipe is None else recipe
        adapted = nn.train(
            model, self, hardware, seed=seed, recipe=recipe, checkpoint=checkpoint, digital=digital
        )  # fmt: skip
        notes = {
            "hardware": digest(hardware),
            "bits": hardware.adc.bits,
            "digital": list(digital),
            "started from": model.info,
        }
        return self.note(adapted, seed, recipe, **notes)

    def note(self, model: Net, seed: int, recipe: nn.Recipe, **notes: Any) -> Net:
        """Write into `model.info` how it was trained, and how good it is; returns it."""
        model.info = {
            "data": self.label,
            "data digest": self.digest,
            "seed": seed,
            "recipe": asdict(recipe),
            **self.validation(model),
            "version": __version__,
            **notes,
        }
        return model

    def check(self, model: Any) -> None:
        """ArgumentError where `model` is none of this task's."""
        if not isinstance(model, self.network):
            raise must("model", f"be a {self.network.__name__}", f"is a {type(model).__name__}")

    def save(self, model: Net, path: str | Path, **notes: Any) -> None:
        """Write a float model to a safetensors file, whole or not at all; `notes` join what it says
        of its training. Raises ArgumentError where they are none that JSON has."""
        self.check(model)
        model.info = {**model.info, **notes}
        said = {"settings": model.settings, "info": model.info}
        try:
            text = {name: json.dumps(value) for name, value in said.items()}
        except TypeError as error:
            raise must("notes", "be what JSON has", f"are not: {error}") from error
        files.save(model, path, {"format": self.network.form, **text})

    @classmethod
    def load(cls, path: str | Path) -> Net:
        """The float model in a checkpoint of `save`, in evaluation mode.

        Raises DataError where the file is missing, damaged or something else.
        """
        state, said = files.read(path)
        try:
            if said["format"] != cls.network.form:
                raise ValueError(f"its format is {said['format']!r}")
            model = cls.network.of(json.loads(said["settings"]))
            files.fill(model, state, said["ranges"])
            model.info = json.loads(said["info"])
            if not isinstance(model.info, dict):
                raise ValueError(f"its info is {model.info!r}, not a dict")
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            rule = f"must be a checkpoint written by `{cls.__name__}.save`"
            raise DataError(f"{path} {rule}, but is not ({error}).") from error
        return model.eval()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's random numbers are those of `seed` within, and what they were behind it."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(as_count("seed", seed, minimum=0))
        yield
