"""Signed weights to conductances and back.

A mapping turns `w (rows, cols)` into target conductances `g (rows, lines)` within the device's
range, and tells how the currents of the `lines` columns combine into signed results. The scale is
g_span / w_max: the conductance [S] that stands for a weight of one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import as_number, as_real
from aimc.parts.fields import quantity
from aimc.parts.registry import Part, described, registered

if TYPE_CHECKING:
    from aimc.arrays import Array
    from aimc.parts.device import Device


@described
class Mapping(Part, ABC):
    """How a signed weight becomes conductances.

    Weights beyond w_max are clipped; None takes max |w| of the matrix at hand, so that none are.
    """

    w_max: float | None = quantity("1", "weight that takes the whole range", default=None, above=0)

    def scale(self, w: Array) -> float:
        """The w_max that `w` is mapped with; 1 for a matrix of zeros."""
        if self.w_max is not None:
            return self.w_max
        return float(np.abs(as_real("w", w)).max(initial=0.0)) or 1.0

    @abstractmethod
    def lines(self, cols: int) -> int:
        """Columns of cells for `cols` columns of weights."""

    @abstractmethod
    def span(self, device: Device) -> float:
        """Conductance difference that stands for w_max [S]."""

    def steps(self, w: Array, device: Device, w_max: float) -> Array:
        """Signed conductances [S] that weights `w`, clipped to w_max, ask for, of its shape."""
        share = as_real("w", w) / as_number("w_max", w_max, above=0)
        return np.clip(share, -1.0, 1.0) * self.span(device)

    @abstractmethod
    def to_conductance(self, w: Array, device: Device, w_max: float) -> Array:
        """Target conductances (rows, lines(cols)) [S] of weights (rows, cols), clipped to w_max."""

    @abstractmethod
    def combine(self, i: Array) -> Array:
        """Signed results (..., cols) from column currents (..., lines(cols))."""

    def to_weight(self, g: Array, device: Device, w_max: float) -> Array:
        """Weights (rows, cols) that conductances (rows, lines(cols)) [S] amount to."""
        return self.combine(g) * (w_max / self.span(device))


@registered("differential-pair")
class DifferentialPair(Mapping):
    """w = (g_plus - g_minus) w_max / (g_max - g_min), the idle one of the pair at g_min.

    The pair's columns are neighbours, plus then minus, so both see nearly the same wires.
    """

    def lines(self, cols: int) -> int:
        return 2 * cols

    def span(self, device: Device) -> float:
        return device.g_max - device.g_min

    def to_conductance(self, w: Array, device: Device, w_max: float) -> Array:
        step = self.steps(w, device, w_max)
        g = np.empty((w.shape[0], 2 * w.shape[1]))
        g[:, 0::2] = device.g_min + np.maximum(step, 0.0)
        g[:, 1::2] = device.g_min + np.maximum(-step, 0.0)
        return g

    def combine(self, i: Array) -> Array:
        return i[..., 0::2] - i[..., 1::2]


@registered("offset-column")
class OffsetColumn(Mapping):
    """w = (g - g_mid) 2 w_max / (g_max - g_min), with one last column of g_mid to subtract.

    g_mid = (g_max + g_min) / 2. Half the cells of a differential pair and half its signal.
    """

    def lines(self, cols: int) -> int:
        return cols + 1

    def span(self, device: Device) -> float:
        return (device.g_max - device.g_min) / 2

    def to_conductance(self, w: Array, device: Device, w_max: float) -> Array:
        g = np.full((w.shape[0], w.shape[1] + 1), (device.g_max + device.g_min) / 2)
        g[:, :-1] += self.steps(w, device, w_max)
        return g

    def combine(self, i: Array) -> Array:
        return i[..., :-1] - i[..., -1:]
