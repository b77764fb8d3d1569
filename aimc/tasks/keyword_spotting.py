"""Keyword spotting: twelve classes, one second of sound, speakers never trained on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aimc import nn
from aimc.errors import as_count, as_flag, as_number, as_path, must
from aimc.tasks import speech_commands, synthetic
from aimc.tasks.corpus import CLASSES, SPLITS, Split, noise_part
from aimc.tasks.download import download
from aimc.tasks.features import mfcc
from aimc.tasks.network import KeywordNet
from aimc.tasks.trainable import Trainable, seeded
from aimc.tasks.training import AWARE, FEW_VARIANTS, FULL, QUICK, VARIANTS, Lessons

CALIBRATION = 512  # training clips that set the ranges of converters


class KeywordSpotting(Trainable[KeywordNet]):
    """The task: data, features, models, training and accuracy.

    data: a folder in the layout of Google Speech Commands; None takes keywords spoken by a
    synthesiser, made on first use and cached (`$AIMC_CACHE`, or the user's cache folder).
    seed: of the synthetic clips. It does not change a folder.

    Raises DataError on a bad folder, MissingExtra where a package of `aimc[speech]` is missing.
    """

    classes, aware, network = CLASSES, AWARE, KeywordNet
    download = staticmethod(download)

    def __init__(self, data: str | Path | None = None, seed: int = 0) -> None:
        as_count("seed", seed, minimum=0)
        folder = None if data is None else as_path("data", data)
        self.corpus = synthetic.load(seed) if folder is None else speech_commands.load(folder)
        self.source = self.corpus
        self.synthetic = self.corpus.name == synthetic.NAME
        self.variants = FEW_VARIANTS if self.synthetic else VARIANTS
        self._features: dict[str, Tensor] = {}
        self._lessons: dict[Any, Lessons] = {}

    def split(self, name: str) -> Split:
        """The clips of "train", "validation" or "test"."""
        if name not in SPLITS:
            raise must("split", f"be one of {', '.join(SPLITS)}", f"is {name!r}")
        return self.corpus.splits[name]

    def features(self, split: str = "test") -> Tensor:
        """MFCCs of a split, shape (clips, 51, 40), float32; a model normalises them itself."""
        clips = self.split(split)
        if split not in self._features:
            self._features[split] = mfcc(torch.from_numpy(clips.waves))
        return self._features[split]

    def labels(self, split: str = "test") -> Tensor:
        """Class of each of a split's clips, shape (clips,)."""
        return torch.from_numpy(self.split(split).labels)

    def model(self, kind: str = "lstm", hidden: int = 32, seed: int = 0) -> KeywordNet:
        """An untrained network of that kind ("lstm", "gru", "rnn"), normalised for this data."""
        features = self.features("train").flatten(0, 1)
        with seeded(seed):
            return KeywordNet(kind, hidden, features.mean(0), features.std(0))

    def course(self, model: KeywordNet, seed: int = 0) -> Lessons:
        """What `aimc.nn.train` takes: augmented training clips for a model of this data."""
        self.check(model)
        as_count("seed", seed, minimum=0)
        statistics = (value.numpy().tobytes() for value in model.normalise.state_dict().values())
        key = (seed, *statistics)
        if key not in self._lessons:
            parts = noise_part(self.corpus.noise, "train")
            noise = [torch.from_numpy(part).float() / 32768 for part in parts]
            lessons = Lessons(self.split("train"), noise, model.normalise, seed, self.variants)
            self._lessons = {key: lessons}
        return self._lessons[key]

    def recipe(
        self,
        quick: bool | None = None,
        epochs: int | None = None,
        weight_noise: float | None = None,
    ) -> nn.Recipe:
        """How a float model is trained.

        quick: the short recipe, `training.QUICK`; None takes it for synthetic clips alone, which
        are learnt sooner. epochs, weight_noise: None takes the recipe's. Raises ArgumentError where
        a value is out of range.
        """
        recipe = QUICK if (self.synthetic if quick is None else as_flag("quick", quick)) else FULL
        if epochs is not None:
            recipe = replace(recipe, epochs=as_count("epochs", epochs))
        if weight_noise is not None:
            recipe = replace(recipe, weight_noise=as_number("weight_noise", weight_noise, 0))
        return recipe

    def train(
        self,
        model: KeywordNet,
        seed: int = 0,
        epochs: int | None = None,
        quick: bool | None = None,
        weight_noise: float | None = None,
        checkpoint: str | Path | nn.Checkpoint | None = None,
    ) -> KeywordNet:
        """A trained copy of `model`, calibrated for chips; the same for a seed and thread count.

        epochs, quick, weight_noise: see `recipe`. checkpoint: as in `nn.train`.
        """
        self.check(model)
        recipe = self.recipe(quick, epochs, weight_noise)
        trained = nn.train(model, self, seed=seed, recipe=recipe, checkpoint=checkpoint)
        return self.calibrate(self.note(trained, seed, recipe))

    def validation(self, model: KeywordNet) -> dict[str, float]:
        """How good a model is on the validation split."""
        return {"validation accuracy": self.accuracy(model, "validation")}

    def typical(self, model: KeywordNet) -> Tensor:
        """Features of random training clips, (clips, 51, 40)."""
        pick = torch.randperm(len(self.split("train")), generator=torch.Generator().manual_seed(0))
        return self.features("train")[pick[:CALIBRATION]]

    def shares(
        self, model: Callable[[Tensor], Tensor], split: str = "test", batch: int = 512
    ) -> Tensor:
        """How `model`, float or programmed, divides each clip among the classes, (clips, 12).

        The class of the highest score gets the clip. Where k scores are the highest, as happens
        behind converters of few bits, each of their classes gets a k-th of it.
        """
        if not callable(model):
            raise must("model", "be a function of features", f"is {model!r}")
        parts = self.features(split).split(as_count("batch", batch))
        if isinstance(model, torch.nn.Module):
            model.eval()
        with torch.no_grad():
            scores = torch.cat([model(x) for x in parts])
        highest = (scores == scores.amax(1, keepdim=True)).double()
        return highest / highest.sum(1, keepdim=True).clamp(min=1.0)

    def accuracy(self, model: Callable[[Tensor], Tensor], split: str = "test") -> float:
        """The share of a split's clips that `model` puts into the right class, ties by `shares`."""
        right = self.shares(model, split).gather(1, self.labels(split)[:, None])
        return float(right.mean())

    def confusion(
        self, model: Callable[[Tensor], Tensor], split: str = "test"
    ) -> NDArray[np.float64]:
        """Clips by true class (rows) and given class (columns), (12, 12); ties as in `shares`."""
        counts = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.float64)
        return counts.index_add_(0, self.labels(split), self.shares(model, split)).numpy()
