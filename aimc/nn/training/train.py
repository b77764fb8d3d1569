"""Training for the hardware: the network meets the chips' errors while it learns.

`train(model, task, hardware)` descends on twins of the arrays (`nn.training.twin`) that are drawn
anew for every step [Joshi et al. 2020, Nat. Commun. 11, 2473; Rasch et al. 2023, Nat. Commun. 14,
5282]. Every draw depends on the seed and the number of the step alone, so a run that was stopped
continues from its checkpoint to the very weights that it would have reached.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import torch
from rich.console import Console
from rich.progress import Progress

from aimc.errors import as_count, must
from aimc.macro import Hardware
from aimc.nn import checkpoint as files
from aimc.nn.convert import check, layers
from aimc.nn.training.recipe import Checkpoint, Recipe, Task
from aimc.nn.training.run import Run

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    Model = TypeVar("Model", bound=torch.nn.Module)


def train(
    model: Model,
    task: Task,
    hardware: Hardware | None = None,
    *,
    seed: int = 0,
    recipe: Recipe | None = None,
    teacher: torch.nn.Module | None = None,
    checkpoint: str | Path | Checkpoint | None = None,
    digital: Collection[str] = (),
) -> Model:
    """A trained copy of the float `model`, for `hardware`, or without it in floating point alone.

    `model` may be untrained, or trained in floating point and calibrated (`nn.calibrate`), which is
    quicker. The same seed gives the same weights on one machine and number of threads.

    task: see `Task`. teacher: float model whose scores are compared with, where the recipe
    distills; None: `model` as it came. checkpoint: file that the run is kept in, and continued from
    if it is there. digital: modules that stay in floating point, as in `nn.program`; the recipe's
    weight limit and noise leave them alone. Progress is shown where stderr is a terminal.
    Parameters that need no gradient stay as they are; buffers are those after the last step.

    Raises ArgumentError on layers that cannot go on an array, or a file that cannot be written,
    DataError where the file is damaged or belongs to another run: another model, teacher, task,
    data, recipe, seed, hardware or `digital`.
    """
    check(model)
    if not isinstance(task, Task):
        raise must("task", "have a label and a course, see `aimc.nn.Task`", f"is {task!r}")
    if not isinstance(recipe, Recipe | None):
        raise must("recipe", "be an aimc.nn.Recipe or None", f"is {recipe!r}")
    if hardware is not None and not isinstance(hardware, Hardware):
        raise must("hardware", "be a Hardware or None", f"is {hardware!r}")
    if any(layer.chips for _, layer in layers(model)):
        raise must("model", "be in floating point", "is programmed", "Train before programming.")
    recipe = recipe or Recipe()
    if not isinstance(teacher, torch.nn.Module | None):
        raise must("teacher", "be a torch.nn.Module or None", f"is {teacher!r}")
    as_count("seed", seed, minimum=0)
    path, every = None, 1
    if checkpoint is not None:
        kept = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)
        path, every = files.writable(kept.path, "checkpoint"), kept.every
    if hardware is not None:  # programmed arrays are in no checkpoint
        every = math.ceil(every / recipe.refresh) * recipe.refresh
    run = Run(model, task, hardware, seed, recipe, teacher, digital)
    if path is not None and path.exists():
        run.restore(path)
    screen = Console(stderr=True)
    with Progress(console=screen, disable=not screen.is_terminal) as bar:
        shown = bar.add_task("training", total=run.total, completed=run.step)
        while run.step < run.total:
            loss = run.descend()
            bar.update(shown, advance=1, description=f"training, loss {loss:.3f}")
            if path is not None and (run.step % every == 0 or run.step == run.total):
                run.save(path)
    return run.result()
