"""How a keyword network is trained: balanced classes, augmented clips, averaged weights."""

import copy
import math
from dataclasses import dataclass

import torch
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from aimc.tasks.augment import augment, blank, cut, uniform
from aimc.tasks.corpus import CLASSES, LENGTH, SILENCE, Split
from aimc.tasks.features import CHUNK, mfcc
from aimc.tasks.network import KeywordNet


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run; the model after the last epoch is taken, none is chosen."""

    epochs: int = 120
    variants: int = 30  # epochs' worth of augmented features; epochs beyond it use them again
    batch: int = 128
    rate: float = 8e-3  # peak learning rate, one cycle [Smith 2018, arXiv 1708.07120]
    decay: float = 1e-4
    smoothing: float = 0.1  # of the labels
    averaging: float = 0.998  # of the weights, exponential, per step
    clip: float = 1.0  # norm of the gradient
    weight_limit: float = 2.0  # |w|; an outlier would take the conductance range of all others
    weight_noise: float = 0.04  # sigma of fresh weight errors a step, relative to the largest |w|


QUICK = Recipe(epochs=40, variants=6, weight_noise=0.0)


def train(
    model: KeywordNet,
    split: Split,
    noise: list[Tensor],
    seed: int,
    recipe: Recipe,
    progress: bool,
) -> KeywordNet:
    """A trained copy of `model`; the same for a seed, a recipe and a number of threads."""
    model = copy.deepcopy(model).train()
    average = copy.deepcopy(model)
    generator = Generator().manual_seed(seed)
    per_class = math.ceil(len(split) / len(CLASSES))
    steps = recipe.epochs * (per_class * len(CLASSES) // recipe.batch)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=max(2, steps), pct_start=0.2
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), disable=not progress) as bar:
        listen = bar.add_task("augmenting", total=min(recipe.variants, recipe.epochs))
        pool = []
        for _ in range(min(recipe.variants, recipe.epochs)):
            features, labels = draw(split, noise, per_class, generator)
            pool.append((model.normalise(features).half(), labels))
            bar.advance(listen)
        learn = bar.add_task("training", total=recipe.epochs)
        step = 0
        for epoch in range(recipe.epochs):
            inputs, labels = pool[epoch % len(pool)]
            order = torch.randperm(len(labels), generator=generator)
            for index in order[: len(order) // recipe.batch * recipe.batch].split(recipe.batch):
                batch = blank(inputs[index].float(), generator)
                _descend(model, optimiser, batch, labels[index], recipe, generator)
                schedule.step()
                step += 1
                _average(average, model, min(recipe.averaging, step / (step + 9)))
            bar.advance(learn)
    return average.eval()


def draw(
    split: Split, noise: list[Tensor], per_class: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """MFCCs (per_class * 12, 51, 40) and labels of random variants, each class equally often.

    A class with more clips than that gives a random choice; silence is cut anew from `noise`.
    """
    features, labels = [], []
    for label in range(len(CLASSES)):
        if label == SILENCE:
            gain = uniform((per_class, 1), 0, 1, generator)
            waves = cut(noise, per_class, LENGTH, generator) * gain
            features.append(mfcc(waves))
        else:
            clips = torch.from_numpy((split.labels == label).nonzero()[0])
            rounds = -(-per_class // len(clips))
            order = [torch.randperm(len(clips), generator=generator) for _ in range(rounds)]
            for index in clips[torch.cat(order)[:per_class]].split(CHUNK):
                waves = torch.from_numpy(split.waves[index.numpy()]).float() / 32768
                features.append(mfcc(augment(waves, noise, generator)))
        labels.append(torch.full((per_class,), label))
    return torch.cat(features), torch.cat(labels)


def _descend(
    model: KeywordNet,
    optimiser: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    recipe: Recipe,
    generator: Generator,
) -> None:
    errors = []
    if recipe.weight_noise:
        with torch.no_grad():
            for weight in model.parameters():
                sigma = recipe.weight_noise * weight.abs().max()
                errors.append(sigma * torch.randn(weight.shape, generator=generator))
                weight += errors[-1]
    loss = F.cross_entropy(model.scores(inputs), labels, label_smoothing=recipe.smoothing)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    with torch.no_grad():
        for weight, error in zip(model.parameters(), errors, strict=False):
            weight -= error
    optimiser.step()
    with torch.no_grad():
        for weight in model.parameters():
            weight.clamp_(-recipe.weight_limit, recipe.weight_limit)


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)
