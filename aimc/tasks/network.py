"""The recurrent network that spots keywords, and its checkpoint."""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aimc.errors import DataError, as_count, must
from aimc.tasks.corpus import CLASSES
from aimc.tasks.features import COEFFICIENTS, Normalise

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
FORMAT = "aimc keyword spotting 1"


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
    from safetensors.torch import save_file

    ranges = {
        name: layer.aimc_ranges
        for name, layer in model.named_children()
        if hasattr(layer, "aimc_ranges")
    }
    settings = {"kind": model.kind, "hidden": model.hidden, "classes": CLASSES}
    metadata = {"format": FORMAT, "settings": json.dumps(settings)}
    metadata |= {"ranges": json.dumps(ranges), "info": json.dumps(model.info)}
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / target.name
        save_file(model.state_dict(), part, metadata)
        part.chmod(0o644)  # safetensors writes for the owner alone
        part.replace(target)


def load(path: str | Path) -> KeywordNet:
    """The float model in a checkpoint of `save`, in evaluation mode.

    Raises DataError where the file is missing, damaged or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path} must be a checkpoint in safetensors, but cannot be read ({error})."
        ) from error
    try:
        if metadata["format"] != FORMAT:
            raise ValueError(f"its format is {metadata['format']!r}")
        settings = json.loads(metadata["settings"])
        if tuple(settings["classes"]) != CLASSES:
            raise ValueError("its classes are others")
        mean, std = torch.zeros(COEFFICIENTS), torch.ones(COEFFICIENTS)
        model = KeywordNet(settings["kind"], settings["hidden"], mean, std)
        model.load_state_dict(state)
        for name, ranges in json.loads(metadata["ranges"]).items():
            model.get_submodule(name).aimc_ranges = ranges  # pyright: ignore
        model.info = json.loads(metadata["info"])
        if not isinstance(model.info, dict):
            raise ValueError(f"its info is {model.info!r}, not a dict")
        for name, value in model.state_dict().items():
            if not value.isfinite().all():
                raise ValueError(f"its {name} is not finite")
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise DataError(
            f"{path} must be a checkpoint written by `KeywordSpotting.save`, but is not ({error})."
        ) from error
    return model.eval()
