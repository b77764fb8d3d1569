"""A fully connected layer on one array."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aimc import curves
from aimc.cost import Description, Reads
from aimc.errors import as_count
from aimc.nn.layers.base import AnalogLayer
from aimc.nn.layers.bridge import Matrix

if TYPE_CHECKING:
    from aimc.curves import Curve

Tensor = torch.Tensor


class Linear(AnalogLayer, torch.nn.Linear):
    """torch.nn.Linear on an array: y = f(x W^T + b), (..., in_features) -> (..., out_features).

    curve: what the converter applies, "linear" (f(u) = u within +-y_range), "sigmoid", "tanh" or a
    `aimc.Curve`; the activation costs nothing then. x_scale, y_range: see `AnalogLayer`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        curve: str | Curve = "linear",
        x_scale: float | None = None,
        y_range: float | None = None,
    ) -> None:
        sizes = (as_count("in_features", in_features), as_count("out_features", out_features))
        super().__init__(*sizes, bias)
        self._start(x_scale, y_range)
        curves.curve(curve)
        self.curve = curve

    def settings(self) -> dict[str, object]:
        name = self.curve if isinstance(self.curve, str) else self.curve.name
        return {**super().settings(), "curve": name}

    def matrices(self) -> dict[str, Matrix]:
        bias = None if self.bias is None else self.cast(self.bias)
        weight = self.cast(self.weight)
        return {"weight": Matrix(weight, bias, (("x", self.in_features),), (self.curve,))}

    def describe(self) -> tuple[Description, ...]:
        return (Description("", (Reads("weight", (self.chips["weight"].macro,)),)),)

    def forward(self, input: Tensor) -> Tensor:
        """`input` (..., in_features); raises ArgumentError on other shapes or NaN."""
        x = self.check_x(input, self.in_features)
        y = self.read("weight", self.matrices, x.reshape(-1, self.in_features))
        return y.reshape(*x.shape[:-1], self.out_features).to(input)
