"""What a keyword network learns from: balanced classes, augmented clips."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor

from aimc.errors import DataError
from aimc.nn import Recipe
from aimc.tasks.augment import augment, blank, cut, uniform
from aimc.tasks.corpus import CLASSES, LENGTH, SILENCE, Split
from aimc.tasks.features import CHUNK, Normalise, mfcc
from aimc.tasks.network import KeywordNet

BATCH = 128
FULL = Recipe(
    epochs=120, rate=8e-3, smoothing=0.1, averaging=0.998, weight_limit=2.0, weight_noise=0.04
)
QUICK = Recipe(epochs=40, rate=8e-3, smoothing=0.1, averaging=0.998, weight_limit=2.0)
AWARE = Recipe(epochs=30, rate=4e-3, smoothing=0.1, averaging=0.99, weight_limit=2.0)
QUICK_AWARE = replace(AWARE, epochs=10)
VARIANTS, FEW_VARIANTS = 30, 6  # epochs' worth of augmented features; later epochs use them again


class Lessons:
    """Random variants of a split's clips, each class equally often; see `aimc.nn.Course`.

    An epoch's features are made when it begins, and kept, brought to [-1, 1] by `normalise`. Every
    draw depends on the seed and the number of the epoch or step alone. Raises DataError where a
    class has no clip.
    """

    def __init__(
        self,
        split: Split,
        noise: list[Tensor],
        normalise: Normalise,
        seed: int,
        variants: int = VARIANTS,
    ) -> None:
        if split.missing:
            raise DataError(
                "Training must have clips of every class, but has none of "
                f"{', '.join(split.missing)}. Evaluating a trained model needs none."
            )
        self.split, self.noise, self.normalise = split, noise, normalise
        self.seed, self.variants = seed, variants
        self.per_class = math.ceil(len(split) / len(CLASSES))
        self.size = min(BATCH, self.per_class * len(CLASSES))
        self.steps = self.per_class * len(CLASSES) // self.size
        self._pool: dict[int, tuple[Tensor, Tensor]] = {}

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs (clips, 51, 40), a few frames of each clip blanked, and classes (clips,)."""
        epoch, place = divmod(step, self.steps)
        variant = epoch % self.variants
        if variant not in self._pool:
            mfccs, labels = draw(self.split, self.noise, self.per_class, self._random(0, variant))
            self._pool[variant] = self.normalise(mfccs).half(), labels
        features, labels = self._pool[variant]
        order = torch.randperm(len(labels), generator=self._random(1, epoch))
        index = order[place * self.size : (place + 1) * self.size]
        return blank(features[index].float(), self._random(2, step)), labels[index]

    def forward(self, model: KeywordNet, inputs: Tensor, state: object) -> tuple[Tensor, None]:
        """Scores (clips, 12); clips have no state to keep."""
        return model.scores(inputs), None

    def _random(self, *key: int) -> Generator:
        (seed,) = np.random.SeedSequence((self.seed, *key)).generate_state(1, np.uint64)
        return Generator().manual_seed(int(seed >> np.uint64(1)))


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
