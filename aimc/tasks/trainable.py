"""What the benchmarks' tasks share: models made ready for hardware, and what is noted of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from aimc import nn
from aimc.cards import digest
from aimc.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from aimc.macro import Hardware


Net = TypeVar("Net", bound=Any)


class Trainable(ABC, Generic[Net]):
    """A task whose float models `nn.train` trains. aware: the recipe for hardware."""

    aware: ClassVar[nn.Recipe]

    @property
    @abstractmethod
    def label(self) -> str:
        """The data, in words."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 [hex] of the data."""

    @abstractmethod
    def course(self, model: Net, seed: int = 0) -> nn.Course:
        """What `aimc.nn.train` takes."""

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
        recipe = recipe or self.aware
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
