"""Training for the hardware: the network meets the chips' errors while it learns.

`train(model, task, hardware)` descends on twins of the arrays (`aimc.nn.twin`) that are drawn anew
for every step [Joshi et al. 2020, Nat. Commun. 11, 2473; Rasch et al. 2023, Nat. Commun. 14, 5282].
Every draw depends on the seed and the number of the step alone, so a run that was stopped continues
from its checkpoint to the very weights that it would have reached.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch.nn import functional as F

from aimc.cards import digest
from aimc.errors import DataError, as_count, must
from aimc.macro import Hardware
from aimc.nn import checkpoint as files
from aimc.nn.convert import (
    _within,
)
from aimc.nn.convert import (
    check as _check_model,
)
from aimc.nn.convert import (
    converted as _converted,
)
from aimc.nn.convert import (
    layers as _layers,
)
from aimc.nn.recipe import Recipe, State, Task
from aimc.nn.twin import Twin

if TYPE_CHECKING:
    from collections.abc import Collection

    Model = TypeVar("Model", bound=torch.nn.Module)

Tensor = torch.Tensor
FORMAT = "aimc training run 1"


def train(
    model: Model,
    task: Task,
    hardware: Hardware | None = None,
    *,
    seed: int = 0,
    recipe: Recipe | None = None,
    teacher: torch.nn.Module | None = None,
    checkpoint: str | Path | None = None,
    save_every: int = 100,
    digital: Collection[str] = (),
    progress: bool = True,
) -> Model:
    """A trained copy of the float `model`, for `hardware`, or without it in floating point alone.

    `model` may be untrained, or trained in floating point and calibrated (`nn.calibrate`), which is
    quicker. The same seed gives the same weights on one machine and number of threads.

    task: see `Task`. teacher: float model whose scores are compared with, where the recipe
    distills; None: `model` as it came. checkpoint: file that the run is kept in, every `save_every`
    steps (whole refreshes), and continued from if it is there. digital: modules that stay in
    floating point, as in `nn.program`. Raises ArgumentError on layers that cannot go on an array,
    DataError where the file belongs to another run or is damaged.
    """
    _check_model(model)
    if hardware is not None and not isinstance(hardware, Hardware):
        raise must("hardware", "be a Hardware or None", f"is {hardware!r}")
    if any(layer.chips for _, layer in _layers(model)):
        raise must("model", "be in floating point", "is programmed", "Train before programming.")
    recipe = recipe or Recipe()
    as_count("seed", seed, minimum=0)
    every = as_count("save_every", save_every)
    if hardware is not None:  # programmed arrays are in no checkpoint
        every = math.ceil(every / recipe.refresh) * recipe.refresh
    run = _Run(model, task, hardware, seed, recipe, teacher, digital)
    if checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), disable=not progress) as bar:
        shown = bar.add_task("training", total=run.total, completed=run.step)
        while run.step < run.total:
            loss = run.descend()
            bar.update(shown, advance=1, description=f"training, loss {loss:.3f}")
            if checkpoint is not None and (run.step % every == 0 or run.step == run.total):
                run.save(checkpoint)
    return run.result()


class _Run:
    """A training run at some step."""

    def __init__(
        self,
        model: torch.nn.Module,
        task: Task,
        hardware: Hardware | None,
        seed: int,
        recipe: Recipe,
        teacher: torch.nn.Module | None,
        digital: Collection[str],
    ) -> None:
        self.model, self.hardware, self.seed, self.recipe = model, hardware, seed, recipe
        self.course = task.course(model, seed)
        self.step, self.total = 0, recipe.epochs * self.course.steps
        self.states: list[State | None] = [None, None]
        self.student = copy.deepcopy(model).train()
        self.teacher = copy.deepcopy(teacher or model).eval() if recipe.distill else None
        self.twins: list[Twin] = []
        self.ranges: dict[str, Tensor] = {}
        if hardware is not None:
            self.student = _converted(self.student, digital)
            self._twin(hardware, digital)
        self.trained = dict(self.student.named_parameters()) | self.ranges
        self.average = {name: value.detach().clone() for name, value in self.trained.items()}
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(self.student.parameters()), "weight_decay": recipe.decay},
                {"params": list(self.ranges.values()), "weight_decay": 0.0},
            ]
        )
        self.about = json.dumps(
            {
                "task": task.label,
                "seed": seed,
                "recipe": dataclasses.asdict(recipe),
                "hardware": None if hardware is None else digest(hardware),
                "model": {name: list(value.shape) for name, value in self.trained.items()},
            },
            sort_keys=True,
        )

    def _twin(self, hardware: Hardware, digital: Collection[str]) -> None:
        layers = [(n, layer) for n, layer in _layers(self.student) if not _within(n, digital)]
        if not layers:
            raise must("model", "hold a layer that can go on an array", "holds none")
        for name, layer in layers:
            for array, matrix in layer.matrices().items():
                span = layer.aimc_ranges.get(array)
                if self.recipe.ranges and span is not None and matrix.curves == ("linear",):
                    log_range = torch.tensor(math.log(span), requires_grad=True)
                    self.ranges[f"{name}:{array}"] = log_range
                twin = Twin(layer, array, hardware, self.ranges.get(f"{name}:{array}"))
                layer.chips[array] = twin  # pyright: ignore[reportArgumentType]
                self.twins.append(twin)

    def descend(self) -> float:
        """One step; its loss."""
        recipe, done = self.recipe, self.step / self.total
        rng = np.random.default_rng((self.seed, self.step))
        if self.step % self.course.steps == 0:
            self.states = [None, None]
        inputs, classes = self.course.batch(self.step)
        undo = self._disturb(rng, done)
        scores, state = self.course.forward(self.student, inputs, self.states[0])
        loss = self._loss(scores, classes, inputs)
        if not torch.isfinite(loss):
            raise must("model", "have a finite loss", f"has {loss.item()} at step {self.step}")
        self.states[0] = None if state is None else tuple(part.detach() for part in state)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.trained.values()), recipe.clip)
        undo()
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(done)
        self.optimiser.step()
        self.step += 1
        keep = min(recipe.averaging, self.step / (self.step + 9))
        with torch.no_grad():
            for weight in self.student.parameters():
                weight.clamp_(-recipe.weight_limit, recipe.weight_limit)
            for name, value in self.trained.items():
                self.average[name].lerp_(value, 1 - keep)
        return loss.item()

    def _disturb(self, rng: np.random.Generator, done: float) -> Any:
        """Puts errors into the student; returns what takes them out again."""
        if self.hardware is not None:
            for name, span in self.ranges.items():
                layer, _, array = name.rpartition(":")
                self.student.get_submodule(layer).aimc_ranges[array] = math.exp(span.item())  # pyright: ignore
            fresh = self.step % self.recipe.refresh == 0
            for twin in self.twins:
                twin.draw(twin.layer.matrices(), self.recipe.strength_at(done), rng, fresh)
            return lambda: None
        errors = []
        if self.recipe.weight_noise:
            with torch.no_grad():
                for weight in self.student.parameters():
                    sigma = self.recipe.weight_noise * float(weight.abs().max())
                    errors.append(torch.from_numpy(rng.normal(0.0, sigma, weight.shape)).to(weight))
                    weight += errors[-1]

        @torch.no_grad()
        def undo() -> None:
            for weight, error in zip(self.student.parameters(), errors, strict=False):
                weight -= error

        return undo

    def _loss(self, scores: Tensor, classes: Tensor, inputs: Tensor) -> Tensor:
        scores = scores.flatten(0, -2).float()
        smooth = self.recipe.smoothing
        loss = F.cross_entropy(scores, classes.flatten(), label_smoothing=smooth)
        if self.teacher is None:
            return loss
        with torch.no_grad():
            wanted, state = self.course.forward(self.teacher, inputs, self.states[1])
        self.states[1] = state
        t = self.recipe.temperature
        wanted = F.log_softmax(wanted.flatten(0, -2) / t, dim=1)
        gap = F.kl_div(F.log_softmax(scores / t, 1), wanted, reduction="batchmean", log_target=True)
        return (1 - self.recipe.distill) * loss + self.recipe.distill * t**2 * gap

    def result(self) -> Any:
        """The model with the averaged weights and the learned ranges."""
        model = copy.deepcopy(self.model)
        state = model.state_dict()
        state.update({name: self.average[name] for name in state if name in self.average})
        model.load_state_dict(state)
        for name in self.ranges:
            layer, _, array = name.rpartition(":")
            module = model.get_submodule(layer)
            span = math.exp(float(self.average[name]))
            module.aimc_ranges = {**module.aimc_ranges, array: span}  # pyright: ignore
        return model.eval()

    def save(self, path: str | Path) -> None:
        tensors = {f"average/{name}": value for name, value in self.average.items()}
        for name, value in self.trained.items():
            moments = self.optimiser.state[value]
            tensors |= {
                f"trained/{name}": value,
                f"first/{name}": moments["exp_avg"],
                f"second/{name}": moments["exp_avg_sq"],
            }
        for who, state in enumerate(self.states):
            tensors |= {f"state/{who}/{k}": part for k, part in enumerate(state or ())}
        counts = [None if state is None else len(state) for state in self.states]
        about = {"format": FORMAT, "about": self.about, "step": str(self.step)}
        files.write(path, tensors, {**about, "states": json.dumps(counts)})

    def restore(self, path: str | Path) -> None:
        tensors, about = files.read(path)
        if about.get("format") != FORMAT or about.get("about") != self.about:
            raise DataError(
                f"{path} must be a checkpoint of this very run, but is another's: model, task, "
                "seed, recipe or hardware differ. Give another path, or delete it to start anew."
            )
        try:
            self.step = int(about["step"])
            with torch.no_grad():
                for name, value in self.trained.items():
                    value.copy_(tensors[f"trained/{name}"])
                    self.average[name].copy_(tensors[f"average/{name}"])
                    self.optimiser.state[value] = {
                        "step": torch.tensor(float(self.step)),
                        "exp_avg": tensors[f"first/{name}"],
                        "exp_avg_sq": tensors[f"second/{name}"],
                    }
            self.states = [
                None if n is None else tuple(tensors[f"state/{who}/{k}"] for k in range(n))
                for who, n in enumerate(json.loads(about["states"]))
            ]
        except (KeyError, ValueError, RuntimeError) as error:
            raise DataError(f"{path} must be a whole checkpoint, but is not ({error}).") from error
