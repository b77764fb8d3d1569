"""The recurrent network that predicts the next character, and its checkpoint."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from aimc.errors import as_count

State = tuple[Tensor, ...]


class CharNet(nn.Module):
    """Embedding, one LSTM whose output is projected, and a linear layer to the symbols' scores.

    Input, state and bias share the rows of the LSTM's array: embedding + projection + 1 of them on
    4 cells columns; projection 0 leaves the projection out. The embedding is a table and stays
    digital. `.info`: how it was trained, kept in the checkpoint.
    """

    form = "aimc character model 1"

    def __init__(self, symbols: str, embedding: int, cells: int, projection: int) -> None:
        super().__init__()
        as_count("projection", projection, minimum=0)
        self.symbols = symbols
        self.sizes = (as_count("embedding", embedding), as_count("cells", cells), projection)
        self.info: dict[str, Any] = {}
        self.embed = nn.Embedding(len(symbols), embedding)
        self.recurrent = nn.LSTM(embedding, cells, batch_first=True, proj_size=projection)
        self.readout = nn.Linear(projection or cells, len(symbols))
        with torch.no_grad():
            self.embed.weight.uniform_(-0.5, 0.5)
            forget = self.recurrent.get_parameter("bias_ih_l0")[cells : 2 * cells]
            forget.fill_(1.0)  # open at first [Jozefowicz 2015]

    @property
    def settings(self) -> dict[str, Any]:
        """What its checkpoint says beside the weights."""
        return {"symbols": self.symbols, "sizes": self.sizes}

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "CharNet":
        """A network of these `settings`."""
        return cls(settings["symbols"], *settings["sizes"])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, with one for the bias, and columns of the LSTM's matrix."""
        embedding, cells, projection = self.sizes
        return embedding + (projection or cells) + 1, 4 * cells

    def forward(self, codes: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """codes (batch, time) -> scores of the next character (batch, time, symbols), state."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LSTM with projections")  # torch: a slower kernel
            outputs, state = self.recurrent(self.embed(codes), state)
        return self.readout(outputs), state  # pyright: ignore[reportReturnType]
