"""What arrays do, as torch computes it for training: single precision, gradients straight through.

A `Twin` stands where a layer has its `Chip`. Nothing of the hardware is modelled a second time: the
weights are what the mapping and the device make of the layer's present parameters, drawn anew for
every step; converters, offsets and the wires' share are those of arrays that are programmed now and
then. What the wires do to a write error is taken to first order, read noise is that of the average
column, a converter's noise is one draw of each column's voltage a read, nonlinear cells are taken
at their slope at 0 V.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aimc.curves import Curve, curve, linear
from aimc.nn.layers.bridge import Chip, _apply, straight_through
from aimc.nn.training.tiles import Converters, Tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimc.macro import Hardware
    from aimc.nn.layers.base import AnalogLayer
    from aimc.nn.layers.bridge import Matrix

Tensor = torch.Tensor


class Twin:
    """The arrays of one matrix of a layer, for training; see the module.

    log_range: of a linear conversion that is learned, the logarithm of half its span.
    """

    def __init__(
        self, layer: AnalogLayer, name: str, hardware: Hardware, log_range: Tensor | None = None
    ) -> None:
        self.layer, self.name, self.hardware, self.log_range = layer, name, hardware, log_range
        self.strength = 1.0
        self.generator = torch.Generator()

    def draw(
        self, matrices: dict[str, Matrix], strength: float, rng: np.random.Generator, fresh: bool
    ) -> None:
        """Draw the cells for the next step; with `fresh` program whole new arrays first.

        strength: errors are so many times those of the hardware; 0 leaves its rounding alone.
        """
        matrix, hardware = matrices[self.name], self.hardware
        scale = self.layer._scale(matrix, matrices, hardware)
        if fresh:
            self._program(matrix, scale, matrices, rng)
        self.strength = strength
        self.generator.manual_seed(int(rng.integers(2**62)))
        self.scale = torch.from_numpy(scale).float()
        w = matrix.weight.float().T * self.scale[:, None]
        if matrix.bias is not None:
            one = matrix.bias.float() / (self.x_max * self.bias_rows)
            w = torch.cat([w, one.expand(self.bias_rows, -1)])
        if hardware.mapping.w_max is not None:
            w = w.clamp(-hardware.mapping.w_max, hardware.mapping.w_max)
        if strength:
            meant = w.detach().double().numpy()
            cells = np.empty_like(meant)
            for tile in self.tiles:
                cells[tile.rows, tile.cols] = tile.weights(meant, rng)
            w = w + strength * torch.from_numpy(cells - meant).float()
        self.w = w

    def _program(
        self, matrix: Matrix, scale: np.ndarray, matrices: dict[str, Matrix], rng: Any
    ) -> None:
        curves = matrix.curves
        if curves == ("linear",):
            span = self.layer.linear_range(self.name, matrices, self.hardware)
            curves = (linear(-span, span),)
        self.curves = curves
        chip = Chip.write(matrix, scale, curves, self.hardware, rng)
        self.bias_rows, self.x_max = chip.bias_rows, chip.x_max
        self.tiles, self.blocks = [], []
        row = 0
        for line in chip.macro.stacks:
            tiles, col = [], 0
            for macro in line:
                tiles.append(Tile.of(macro, row, col))
                col += macro.shape[1]
            converters = Converters.of([ramp for tile in tiles for ramp in tile.ramps])
            noise = torch.from_numpy(np.mean([tile.noise for tile in tiles], axis=0)).float()
            drawn = torch.from_numpy(np.concatenate([tile.drawn for tile in tiles])).float()
            row += line[0].shape[0]
            self.tiles += tiles
            self.blocks.append((tiles[0].rows, converters, noise, drawn))
        bits, count = self.hardware.adc.bits, matrix.weight.shape[0] // len(curves)
        functions = [curve(c) for c in curves]
        self.digital = Converters.of([(count, f, bits, f.thresholds(bits), 0.0) for f in functions])

    def __call__(self, matrix: Callable[[], Matrix], z: Tensor) -> Tensor:
        """As `Chip`: (batch, rows) -> (batch, cols)."""
        x = z.float() / self.scale
        if self.bias_rows:
            x = torch.cat([x, x.new_full((len(x), self.bias_rows), self.x_max)], dim=1)
        duration, pulse = self.hardware.driver.pulses(x.detach().double().numpy())
        carried = torch.from_numpy(duration * pulse / self.hardware.driver.v_read).float()
        x = straight_through(x.clamp(-self.x_max, self.x_max), carried)
        if len(self.blocks) == 1:
            y = self._convert(self._product(x, 0), self.blocks[0][1], self.strength)
        else:
            parts = []
            for k, (_, converters, *_) in enumerate(self.blocks):
                u = self._product(x, k)
                low, high = converters.ideal[0], converters.ideal[-1]
                ideal = torch.minimum(torch.maximum(u, low), high)
                parts.append(straight_through(ideal, converters(u.detach(), self.strength)))
            y = self._convert(torch.stack(parts).sum(0), self.digital, 0.0)
        return y.to(z.dtype)

    def _product(self, x: Tensor, block: int) -> Tensor:
        rows, _, noise, drawn = self.blocks[block]
        x = x[:, rows]
        u = x @ self.w[rows]
        if self.strength and (noise.any() or drawn.any()):
            variance = (x.detach().square() @ noise)[:, None] + drawn
            draws = torch.randn(u.shape, generator=self.generator)
            u = u + self.strength * variance.sqrt() * draws
        return u

    def _convert(self, u: Tensor, converters: Converters, strength: float) -> Tensor:
        """f(u) as the converters put it out, with the slope of f; a learned range moves with R."""
        if self.log_range is not None:
            span = float(curve(self.curves[0]).hi)
            stretch = self.log_range.exp() / span
            v = u / stretch
            return stretch * straight_through(
                v.clamp(-span, span), converters(v.detach(), strength)
            )
        if len(self.curves) == 1:
            f = self.curves[0]
            if isinstance(f, Curve) and f.name == "linear":
                return straight_through(u.clamp(f.lo, f.hi), converters(u.detach(), strength))
            return straight_through(_apply(f, u), converters(u.detach(), strength))
        parts = u.chunk(len(self.curves), dim=1)
        ideal = torch.cat([_apply(f, p) for f, p in zip(self.curves, parts, strict=True)], dim=1)
        return straight_through(ideal, converters(u.detach(), strength))
