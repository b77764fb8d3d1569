"""A training run at some step: its model, its optimiser, its file; see `aimc.nn.train`."""

from __future__ import annotations

import dataclasses
import json
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from aimc.cards import digest
from aimc.errors import DataError, as_count, must
from aimc.nn import checkpoint as files
from aimc.nn.convert import converted, copied, layers, named, on_arrays
from aimc.nn.training.recipe import Course
from aimc.nn.training.twin import Twin

if TYPE_CHECKING:
    from collections.abc import Collection

    from aimc.macro import Hardware
    from aimc.nn.training.recipe import Recipe, State, Task

Tensor = torch.Tensor
FORMAT = "aimc training run 2"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what AdamW keeps of a parameter


class Run:
    """A training run at some step.

    student: learns, on twins where there is hardware. trained: what the optimiser changes, by name;
    average: its exponential average, which is the result. arrays: parameters that chips hold.
    limits: those of them that are trained, with the largest magnitude that they may have.
    """

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
        self.task, self.digital = task, digital
        self.course = task.course(model, seed)
        if not isinstance(self.course, Course):
            raise must("course", "have steps, batch and forward", f"is {self.course!r}")
        self.step, self.total = 0, recipe.epochs * as_count("course.steps", self.course.steps)
        self.states: list[State | None] = [None, None]
        self.student = copied(model).train()
        self.teacher = copied(teacher or model).eval() if recipe.distill else None
        named(self.student, digital)
        self.twins: list[Twin] = []
        self.ranges: dict[str, Tensor] = {}
        if hardware is not None:
            self.student = converted(self.student, digital)
            self._twin(hardware, digital)
        weights = {n: p for n, p in self.student.named_parameters() if p.requires_grad}
        self.trained = weights | self.ranges
        if not self.trained:
            raise must("model", "have parameters that may be trained", "has none")
        held = {id(p) for layer in on_arrays(self.student, digital) for p in layer.parameters()}
        self.arrays = [p for p in self.student.parameters() if id(p) in held]
        self.limits = [
            (p, max(recipe.weight_limit, float(p.detach().abs().max())))
            for p in self.arrays
            if p.requires_grad
        ]
        self.average = {name: value.detach().clone() for name, value in self.trained.items()}
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(weights.values()), "weight_decay": recipe.decay},
                {"params": list(self.ranges.values()), "weight_decay": 0.0},
            ]
        )

    @cached_property
    def about(self) -> str:
        """All that the weights at a step follow from, as JSON."""
        task, teacher = self.task, self.teacher
        found = {
            "task": task.label,
            "data": [getattr(task, "digest", None), files.hashed(*self._batch(0))],
            "seed": self.seed,
            "recipe": dataclasses.asdict(self.recipe),
            "hardware": None if self.hardware is None else digest(self.hardware),
            "digital": sorted(self.digital),
            "model": files.fingerprint(self.model),
            "trained": sorted(self.trained),
            "teacher": None if teacher is None else files.fingerprint(teacher),
        }
        return json.dumps(found, sort_keys=True)

    def _twin(self, hardware: Hardware, digital: Collection[str]) -> None:
        found = list(layers(self.student, digital))
        if not found:
            raise must("model", "hold a layer that can go on an array", "holds none")
        for name, layer in found:
            for array, matrix in layer.matrices().items():
                span = layer.aimc_ranges.get(array)
                if self.recipe.ranges and span is not None and matrix.curves == ("linear",):
                    log_range = torch.tensor(math.log(span), requires_grad=True)
                    self.ranges[f"{name}:{array}"] = log_range
                twin = Twin(layer, array, hardware, self.ranges.get(f"{name}:{array}"))
                layer.twins[array] = twin
                self.twins.append(twin)

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        match self.course.batch(step):
            case (Tensor() as inputs, Tensor() as classes):
                return inputs, classes
            case other:
                rule = "give inputs and classes, two tensors"
                raise must("course.batch", rule, f"gives {other!r}")

    def _forward(
        self, model: torch.nn.Module, inputs: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        match self.course.forward(model, inputs, state):
            case (Tensor() as scores, (None | tuple()) as after):
                return scores, after
            case other:
                rule = "give scores, a tensor, and a state, a tuple of tensors or None"
                raise must("course.forward", rule, f"gives {other!r}")

    def descend(self) -> float:
        """One step; its loss."""
        recipe, done = self.recipe, self.step / self.total
        rng = np.random.default_rng((self.seed, self.step))
        if self.step % self.course.steps == 0:
            self.states = [None, None]
        inputs, classes = self._batch(self.step)
        undo = self._disturb(rng, done)
        # What the model draws by itself, as dropout does, follows from the seed and the step too.
        with torch.random.fork_rng(devices=[]):
            (own,) = np.random.SeedSequence((self.seed, self.step, 1)).generate_state(1)
            torch.default_generator.manual_seed(int(own))
            scores, state = self._forward(self.student, inputs, self.states[0])
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
            for weight, limit in self.limits:
                weight.clamp_(-limit, limit)
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
        kept = []
        if self.recipe.weight_noise:
            with torch.no_grad():
                for weight in self.arrays:
                    kept.append((weight, weight.clone()))
                    sigma = self.recipe.weight_noise * float(weight.abs().max())
                    weight += torch.from_numpy(rng.normal(0.0, sigma, weight.shape)).to(weight)

        @torch.no_grad()
        def undo() -> None:
            for weight, meant in kept:
                weight.copy_(meant)

        return undo

    def _loss(self, scores: Tensor, classes: Tensor, inputs: Tensor) -> Tensor:
        scores = scores.flatten(0, -2).float()
        smooth = self.recipe.smoothing
        try:
            loss = F.cross_entropy(scores, classes.flatten(), label_smoothing=smooth)
        except IndexError as error:
            rule = f"give classes from 0 to {scores.shape[1] - 1}, as many as the model has scores"
            raise must(
                "task", rule, f"gives {int(classes.min())} to {int(classes.max())}"
            ) from error
        if self.teacher is None:
            return loss
        with torch.no_grad():
            wanted, state = self._forward(self.teacher, inputs, self.states[1])
        self.states[1] = state
        t = self.recipe.temperature
        wanted = F.log_softmax(wanted.flatten(0, -2) / t, dim=1)
        gap = F.kl_div(F.log_softmax(scores / t, 1), wanted, reduction="batchmean", log_target=True)
        return (1 - self.recipe.distill) * loss + self.recipe.distill * t**2 * gap

    def result(self) -> Any:
        """The model with the averaged weights, the last buffers and the learned ranges."""
        model = copied(self.model)
        found = self.average | dict(self.student.named_buffers())
        with torch.no_grad():
            for name, value in (*model.named_parameters(), *model.named_buffers()):
                if name in found:
                    value.copy_(found[name])
        for name in self.ranges:
            layer, _, array = name.rpartition(":")
            module = model.get_submodule(layer)
            span = math.exp(float(self.average[name]))
            module.aimc_ranges = {**module.aimc_ranges, array: span}  # pyright: ignore
        return model.eval()

    def save(self, path: str | Path) -> None:
        """Write the run's state to a file that `restore` reads."""
        tensors = {f"average/{name}": value for name, value in self.average.items()}
        tensors |= {f"buffer/{name}": value for name, value in self.student.named_buffers()}
        for name, value in self.trained.items():
            tensors[f"trained/{name}"] = value
            moments = self.optimiser.state.get(value, {})  # none where it had no gradient yet
            tensors |= {f"{part}/{name}": moments[part] for part in MOMENTS if part in moments}
        for who, state in enumerate(self.states):
            tensors |= {f"state/{who}/{k}": part for k, part in enumerate(state or ())}
        counts = [None if state is None else len(state) for state in self.states]
        about = {"format": FORMAT, "about": self.about, "step": str(self.step)}
        files.write(path, tensors, {**about, "states": json.dumps(counts)})

    def restore(self, path: str | Path) -> None:
        """Continue from a file of `save`; DataError where it is damaged or another run's."""
        tensors, about = files.read(path)
        if about.get("format") != FORMAT or about.get("about") != self.about:
            what = files.differing(self.about, about.get("about"))
            raise DataError(
                f"{path} must be a checkpoint of this very run, but is another's: {what}. Give "
                "another path, or delete it to start anew."
            )
        try:
            self.step = int(about["step"])
            with torch.no_grad():
                for name, value in self.student.named_buffers():
                    value.copy_(files.fits(name, tensors[f"buffer/{name}"], value))
                for name, value in self.trained.items():
                    for kept, part in ((value, "trained"), (self.average[name], "average")):
                        kept.copy_(files.fits(name, tensors[f"{part}/{name}"], kept))
                    if f"{MOMENTS[0]}/{name}" in tensors:
                        moments = {part: tensors[f"{part}/{name}"] for part in MOMENTS}
                        self.optimiser.state[value] = moments
            self.states = [
                None if n is None else tuple(tensors[f"state/{who}/{k}"] for k in range(n))
                for who, n in enumerate(json.loads(about["states"]))
            ]
        except (KeyError, ValueError, RuntimeError) as error:
            raise DataError(f"{path} must be a whole checkpoint, but is not ({error}).") from error
