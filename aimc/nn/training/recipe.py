"""What training takes: a task's course, and a recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from aimc.errors import as_count, as_flag, as_number, as_path

State = tuple[Tensor, ...]


@runtime_checkable
class Course(Protocol):
    """What a task gives to learn from; `steps` batches are an epoch."""

    steps: int

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and classes of step number `step`; the same whenever it is asked."""
        ...

    def forward(
        self, model: Any, inputs: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Class scores (..., classes), and the state to continue with in the next step, if any.

        The state is None at the beginning of an epoch, and is cut from its past in between.
        """
        ...


@runtime_checkable
class Task(Protocol):
    """What `train` takes: anything that has a course and a name for its data.

    Where it has a `digest` too, a text that other data do not share, a checkpoint of other data is
    always told apart; without it by the label and the first batch.
    """

    @property
    def label(self) -> str: ...

    def course(self, model: Any, seed: int) -> Course: ...


@dataclass(frozen=True)
class Checkpoint:
    """The file that a run is kept in, every so many steps (whole refreshes), and continued from."""

    path: str | Path
    every: int = 100

    def __post_init__(self) -> None:
        as_path("checkpoint", self.path)
        as_count("every", self.every)


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run; the model after the last step is taken, none is chosen.

    rate: peak of the learning rate, which rises over the share `warmup` of the run and falls to
    nothing, along cosines [Smith 2018, arXiv 1708.07120]. decay: of AdamW. smoothing: of the
    labels. averaging: of the weights, exponential, per step. clip: norm of the gradient.
    weight_limit: largest |w| of what goes on arrays and is trained; a smaller one leaves less of
    the conductance range to outliers. A tensor that begins beyond it keeps its own largest |w|.

    With hardware: strength: its errors are met so many times as large, rising from zero over the
    share `rise` of the run. refresh: steps after which wires, ramps and offsets are those of newly
    programmed arrays; cells are drawn for every step. ranges: calibrated spans of linear converters
    are learned too. distill: share of the loss that compares with the teacher's scores at
    `temperature` [Hinton 2015, arXiv 1503.02531].

    Without: weight_noise: sigma of weight errors a step, relative to each tensor's largest weight,
    of what goes on arrays.
    """

    epochs: int = 30
    rate: float = 2e-3
    warmup: float = 0.2
    decay: float = 1e-4
    smoothing: float = 0.0
    averaging: float = 0.99
    clip: float = 1.0
    weight_limit: float = 2.0
    strength: float = 1.0
    rise: float = 0.25
    refresh: int = 10
    ranges: bool = True
    distill: float = 0.0
    temperature: float = 2.0
    weight_noise: float = 0.0

    def __post_init__(self) -> None:
        as_flag("ranges", self.ranges)
        as_count("epochs", self.epochs)
        as_count("refresh", self.refresh)
        for name in ("rate", "clip", "weight_limit", "temperature"):
            as_number(name, getattr(self, name), above=0)
        for name in ("decay", "strength", "weight_noise"):
            as_number(name, getattr(self, name), minimum=0)
        for name in ("warmup", "smoothing", "averaging", "rise", "distill"):
            as_number(name, getattr(self, name), minimum=0, maximum=1)

    def rate_at(self, done: float) -> float:
        """Learning rate when the share `done` of the run is behind."""
        if done < self.warmup:
            low, high, place = 0.04 * self.rate, self.rate, done / self.warmup
        else:
            low, high, place = self.rate, 0.0, (done - self.warmup) / (1 - self.warmup or 1.0)
        return high + (low - high) * (1 + math.cos(math.pi * place)) / 2

    def strength_at(self, done: float) -> float:
        """How many times the hardware's errors are met."""
        return self.strength * (min(1.0, done / self.rise) if self.rise else 1.0)
