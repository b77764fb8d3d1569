"""Character language model: what comes next, in bits per character."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from aimc import nn
from aimc.errors import DataError, as_count, as_number, as_path, must
from aimc.tasks import texts
from aimc.tasks.charnet import CharNet, State
from aimc.tasks.trainable import Trainable, seeded

SIZES = {"small": (24, 128, 96), "full": (128, 2016, 504)}
"""Embedding, cells, projection. full: the 633 x 8064 of Nat. Commun. 2025, s41467-025-56254-6."""

STREAMS, LENGTH = 64, 64  # parallel texts, and steps through which a gradient goes back
FULL = nn.Recipe(epochs=6, rate=8e-3, averaging=0.998, weight_limit=0.8, weight_noise=0.03)
QUICK = replace(FULL, epochs=1)
AWARE = nn.Recipe(
    epochs=3, rate=4e-3, averaging=0.995, weight_limit=0.8, refresh=20, distill=0.5, temperature=1.0
)
QUICK_AWARE = replace(AWARE, epochs=1)


class CharacterModelling(Trainable[CharNet]):
    """The task: text, models, training and bits per character.

    data: see `texts.load`. Raises DataError on a bad file or folder, MissingExtra where the
    embedded text (`aimc[text]`) is not installed.
    """

    aware, network = AWARE, CharNet

    def __init__(self, data: str | Path | None = None) -> None:
        self.source = self.text = texts.load(None if data is None else as_path("data", data))

    def split(self, name: str) -> NDArray[np.uint8]:
        """The characters of "train", "validation" or "test", as places in `text.symbols`."""
        if name not in texts.SPLITS:
            raise must("split", f"be one of {', '.join(texts.SPLITS)}", f"is {name!r}")
        return self.text.splits[name]

    def model(self, size: str | tuple[int, int, int] = "small", seed: int = 0) -> CharNet:
        """An untrained network; size: "small", "full", or (embedding, cells, projection)."""
        sizes = SIZES.get(size) if isinstance(size, str) else size
        if not isinstance(sizes, tuple | list) or len(sizes) != 3:
            raise must(
                "size", f"be one of {', '.join(SIZES)}", f"is {size!r}",
                "Three numbers will do: embedding, cells, projection.",
            )  # fmt: skip
        with seeded(seed):
            return CharNet("".join(self.text.symbols), *sizes)

    def course(self, model: CharNet, seed: int = 0) -> "Passages":
        """What `aimc.nn.train` takes: parallel streams of the training text."""
        self.check(model)
        return Passages(self.split("train"), as_count("seed", seed, minimum=0))

    def train(
        self,
        model: CharNet,
        seed: int = 0,
        recipe: nn.Recipe | None = None,
        checkpoint: str | Path | nn.Checkpoint | None = None,
    ) -> CharNet:
        """A trained copy of `model`, calibrated for chips; the same for a seed and thread count.

        recipe: None takes `FULL`.
        """
        self.check(model)
        recipe = FULL if recipe is None else recipe
        trained = nn.train(model, self, seed=seed, recipe=recipe, checkpoint=checkpoint)
        return self.calibrate(self.note(trained, seed, recipe))

    def typical(self, model: CharNet) -> Tensor:
        """The first batch of training text, (streams, time)."""
        return self.course(model).batch(0)[0]

    def bits_per_character(
        self, model: Any, split: str = "test", characters: int | None = None, streams: int = STREAMS
    ) -> float:
        """Cross entropy of the predictions of `model`, float or programmed, over ln 2.

        The split's first `characters` (None: all) are read as `streams` texts side by side, each
        from a state of zeros on; what does not fill them is left out.
        """
        codes = self.split(split)
        codes = codes[: as_count("characters", characters)] if characters is not None else codes
        streams = min(as_count("streams", streams), max(1, len(codes) // LENGTH))
        if len(codes) <= streams:
            raise must("characters", "be two or more", f"leave {len(codes)}")
        table = torch.from_numpy(_table(codes, streams))
        self.check(model)
        model.eval()
        total, state = 0.0, None
        with torch.no_grad():
            for start in range(0, table.shape[1] - 1, LENGTH):
                part = table[:, start : start + LENGTH + 1].long()
                scores, state = model(part[:, :-1], state)
                total += float(
                    F.cross_entropy(scores.flatten(0, 1), part[:, 1:].flatten(), reduction="sum")
                )
        return total / (streams * (table.shape[1] - 1)) / math.log(2)

    def sample(
        self,
        model: Any,
        length: int = 300,
        seed: int = 0,
        prompt: str = "",
        temperature: float = 1.0,
    ) -> str:
        """`length` characters that `model`, float or programmed, writes after `prompt`.

        Without a prompt it reads the first line or so of the test split.
        """
        as_number("temperature", temperature, above=0)
        as_count("length", length)
        as_count("seed", seed, minimum=0)
        if not isinstance(prompt, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise must("prompt", "be a text", f"is {prompt!r}")
        self.check(model)
        generator = torch.Generator().manual_seed(seed)
        start = self.text.encode(prompt) if prompt else self.split("test")[:80]
        codes = torch.from_numpy(start).long()[None]
        written: list[int] = []
        model.eval()
        with torch.no_grad():
            scores, state = model(codes)
            for _ in range(length):
                chances = (scores[0, -1].float() / temperature).softmax(0)
                written.append(int(torch.multinomial(chances, 1, generator=generator)))
                scores, state = model(torch.tensor([written[-1:]]), state)
        return self.text.decode(np.array(written))

    def check(self, model: Any) -> None:
        """ArgumentError where `model` is none of this task's, DataError where it knows another
        text."""
        super().check(model)
        symbols = "".join(self.text.symbols)
        if model.symbols != symbols:
            raise DataError(
                f"The model must know the symbols of {self.text.name}, {symbols!r}, but knows "
                f"{model.symbols!r}. It was trained on another text."
            )

    def validation(self, model: CharNet) -> dict[str, float]:
        """How good a model is on the validation split."""
        return {"validation bits per character": self.bits_per_character(model, "validation")}


class Passages:
    """`STREAMS` texts side by side, `LENGTH` characters a step; see `aimc.nn.Course`.

    Every epoch begins at a random character of the first `LENGTH`, so that the cuts fall elsewhere.
    """

    def __init__(self, codes: NDArray[np.uint8], seed: int) -> None:
        self.codes, self.seed = codes, seed
        self.streams = max(1, min(STREAMS, len(codes) // (4 * LENGTH)))
        self.steps = (len(codes) - LENGTH) // self.streams // LENGTH - 1

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Characters and those that follow them, both (streams, time)."""
        epoch, place = divmod(step, self.steps)
        start = int(np.random.default_rng((self.seed, epoch)).integers(LENGTH))
        table = _table(self.codes[start : start + len(self.codes) - LENGTH], self.streams)
        part = torch.from_numpy(table[:, place * LENGTH : (place + 1) * LENGTH + 1]).long()
        return part[:, :-1], part[:, 1:]

    def forward(
        self, model: CharNet, inputs: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Scores (streams, time, symbols) and the state after the last character."""
        return model(inputs, state)


def _table(codes: NDArray[np.uint8], streams: int) -> NDArray[np.uint8]:
    """`codes` as `streams` rows of text that follow each other; the rest is left out."""
    span = len(codes) // streams
    return codes[: streams * span].reshape(streams, span)
