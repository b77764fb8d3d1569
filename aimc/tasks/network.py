"""The recurrent network that spots keywords, and its checkpoint."""

from typing import Any

import torch
from torch import Tensor, nn

from aimc.errors import as_count, must
from aimc.tasks.corpus import CLASSES
from aimc.tasks.features import COEFFICIENTS, Normalise

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class KeywordNet(nn.Module):
    """One recurrent layer, whose last state a linear layer turns into class scores.

    The state is bounded by +-1 and the linear layer is read once a clip, so both fit arrays as
    they are. `aimc.nn.program` replaces `recurrent` and `readout`; `normalise` stays digital and
    keeps the training split's statistics.

    kind: "lstm", "gru" or "rnn"; hidden: size of the state; `.info`: how it was trained, kept in
    the checkpoint. Raises ArgumentError on another kind or size.
    """

    form = "aimc keyword spotting 1"

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

    @property
    def settings(self) -> dict[str, Any]:
        """What its checkpoint says beside the weights."""
        return {"kind": self.kind, "hidden": self.hidden, "classes": CLASSES}

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "KeywordNet":
        """A network of these `settings`; ValueError where the classes are others."""
        if tuple(settings["classes"]) != CLASSES:
            raise ValueError("its classes are others")
        mean, std = torch.zeros(COEFFICIENTS), torch.ones(COEFFICIENTS)
        return cls(settings["kind"], settings["hidden"], mean, std)

    def forward(self, features: Tensor) -> Tensor:
        """features (batch, frames, 40) of `mfcc` -> logits (batch, 12)."""
        return self.scores(self.normalise(features))

    def scores(self, inputs: Tensor) -> Tensor:
        """inputs (batch, frames, 40) in [-1, 1] -> logits (batch, 12)."""
        states, _ = self.recurrent(inputs)
        return self.readout(states[:, -1])
