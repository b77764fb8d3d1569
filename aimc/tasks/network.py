"""The recurrent network that spots keywords, and its checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from aimc.errors import DataError, as_count, must
from aimc.nn import checkpoint
from aimc.tasks.corpus import CLASSES
from aimc.tasks.features import COEFFICIENTS, Normalise

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
FORMAT = "aimc keyword spotting 1"
Model = TypeVar("Model", bound=nn.Module)


class KeywordNet(nn.Module):
    """One recurrent layer, whose last state a linear layer turns into class scores.

    The state is bounded by +-1 and the linear layer is read once a clip, so both fit arrays as
    they are. `aimc.nn.program` replaces `recurrent` and `readout`; `normalise` stays digital and
    keeps the training split's statistics.

    kind: "lstm", "gru" or "rnn"; hidden: size of the state; `.info`: how it was trained, kept in
    the checkpoint. Raises ArgumentError on another kind or size.
    """

    def __init__(self, kind: str, hidden: int, mean: Tensor, std: Tensor) -> None:
        if kind not in LAYERS:
            raise must("kind", f"be one of {', '.join(LAYERS)}", f"is {kind!r}")
        super().__init__()
        self.kind, self.hidden = kind, as_count("hidden", hidden)
        self.info: dict[str, Any] = {}
        self.normalise = Normalise(mean, std)
        self.recurrent = LAYERS[kind](COEFFICIENTS, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, len(CLASSES))
        if kind == "lstm":
            with torch.no_grad():  # a forget gate that starts open [Jozefowicz 2015]
                self.recurrent.bias_ih_l0[hidden : 2 * hidden] = 1.0

    def forward(self, features: Tensor) -> Tensor:
        """features (batch, frames, 40) of `mfcc` -> logits (batch, 12)."""
        return self.scores(self.normalise(features))

    def scores(self, inputs: Tensor) -> Tensor:
        """inputs (batch, frames, 40) in [-1, 1] -> logits (batch, 12)."""
        states, _ = self.recurrent(inputs)
        return self.readout(states[:, -1])


def save(model: KeywordNet, path: str | Path) -> None:
    """Write the float model to a safetensors file, whole or not at all."""
    settings = {"kind": model.kind, "hidden": model.hidden, "classes": CLASSES}
    checkpoint.write(path, model.state_dict(), describe(model, FORMAT, settings))


def load(path: str | Path) -> KeywordNet:
    """The float model in a checkpoint of `save`, in evaluation mode.

    Raises DataError where the file is missing, damaged or something else.
    """

    def build(settings: dict[str, Any]) -> KeywordNet:
        if tuple(settings["classes"]) != CLASSES:
            raise ValueError("its classes are others")
        mean, std = torch.zeros(COEFFICIENTS), torch.ones(COEFFICIENTS)
        return KeywordNet(settings["kind"], settings["hidden"], mean, std)

    return rebuild(path, FORMAT, build, "KeywordSpotting.save")


def describe(model: Any, form: str, settings: dict[str, Any]) -> dict[str, str]:
    """What a checkpoint says beside the weights: settings, ranges of the layers, `.info`."""
    ranges = {
        name: vars(layer)["aimc_ranges"]
        for name, layer in model.named_children()
        if "aimc_ranges" in vars(layer)
    }
    said = {"settings": settings, "ranges": ranges, "info": model.info}
    return {"format": form, **{name: json.dumps(value) for name, value in said.items()}}


def rebuild(
    path: str | Path, form: str, build: Callable[[dict[str, Any]], Model], writer: str
) -> Model:
    """The model that `build(settings)` makes, with the weights and ranges of a checkpoint.

    Raises DataError where the file is not one of that `form`, as `writer` writes it.
    """
    state, metadata = checkpoint.read(path)
    try:
        if metadata["format"] != form:
            raise ValueError(f"its format is {metadata['format']!r}")
        model = build(json.loads(metadata["settings"]))
        model.load_state_dict(state)
        for name, ranges in json.loads(metadata["ranges"]).items():
            model.get_submodule(name).aimc_ranges = ranges  # pyright: ignore
        info = json.loads(metadata["info"])
        if not isinstance(info, dict):
            raise ValueError(f"its info is {info!r}, not a dict")
        model.info = info  # pyright: ignore
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise DataError(
            f"{path} must be a checkpoint written by `{writer}`, but is not ({error})."
        ) from error
    return model.eval()
