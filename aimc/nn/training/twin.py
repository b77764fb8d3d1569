"""What arrays do, as torch computes it for training: single precision, gradients straight through.

A `Twin` is what a layer reads in training. Nothing of the hardware is modelled a second time: the
weights are what the mapping and the device make of the layer's present parameters, drawn anew for
every step; activations are rounded as the driver does, levels, outputs and the wires' share are
those of arrays that are programmed now and then. What the wires do to a write error is taken to
first order, read noise is that of the average column, a converter's noise is one draw of each
column's voltage a read, nonlinear cells are taken at their slope at 0 V.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from aimc.curves import curve
from aimc.kernels.read.conversion import Levels, levels_of
from aimc.nn.layers.bridge import activated, straight_through
from aimc.nn.torch_plan import rounded
from aimc.nn.training.tiles import Conversions, Tile, convert

if TYPE_CHECKING:
    from aimc.macro import Hardware
    from aimc.nn.layers.base import AnalogLayer
    from aimc.nn.layers.bridge import Chip, Matrix

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
        self.levels: list[Levels] = []  # of each row block
        self.generator = torch.Generator()

    def draw(
        self, matrices: dict[str, Matrix], strength: float, rng: np.random.Generator, fresh: bool
    ) -> None:
        """Draw the cells for the next step; with `fresh` program whole new arrays first.

        strength: errors are so many times those of the hardware; 0 leaves its rounding alone.
        """
        matrix, hardware = matrices[self.name], self.hardware
        scale = self.layer.scale(matrix, matrices, hardware)
        if fresh:
            self._program(self.layer.written(self.name, matrices, hardware, rng))
        if fresh or strength != self.strength:
            self.levels = [conversions.at(strength) for _, conversions, _ in self.blocks]
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

    def _program(self, chip: Chip) -> None:
        self.curves = chip.curves
        self.bias_rows, self.x_max = chip.bias_rows, chip.x_max
        self.tiles, self.blocks = [], []
        row = 0
        for line in chip.macro.stacks:
            tiles, col = [], 0
            for macro in line:
                tiles.append(Tile.of(macro, row, col))
                col += macro.shape[1]
            conversions = Conversions.of(ramp for macro in line for ramp in macro.ramps)
            noise = torch.from_numpy(np.mean([tile.noise for tile in tiles], axis=0)).float()
            row += line[0].shape[0]
            self.tiles += tiles
            self.blocks.append((tiles[0].rows, conversions, noise))
        steps = [curve(each).steps(self.hardware.adc.bits) for each in self.curves]
        which = np.arange(len(steps)).repeat(chip.macro.shape[1] // len(steps))
        self.digital = levels_of(steps, which[None], np.float32)

    def __call__(self, z: Tensor) -> Tensor:
        """As `Chip`: (batch, rows) -> (batch, cols)."""
        x = z.float() / self.scale
        if self.bias_rows:
            x = torch.cat([x, x.new_full((len(x), self.bias_rows), self.x_max)], dim=1)
        x = self._carried(x)
        if len(self.blocks) == 1:
            return self._activated(self._product(x, 0), self.levels[0]).to(z.dtype)
        parts = []
        for k, (_, conversions, _) in enumerate(self.blocks):
            u = self._product(x, k)
            ideal = u.clamp(conversions.low, conversions.high)
            parts.append(straight_through(ideal, convert(u, self.levels[k])))
        return self._activated(torch.stack(parts).sum(0), self.digital).to(z.dtype)

    def _carried(self, x: Tensor) -> Tensor:
        """Activations as the rows carry them."""
        driver, limited = self.hardware.driver, x.clamp(-self.x_max, self.x_max)
        grid = driver.grid()
        if grid is not None:
            return straight_through(limited, rounded(limited.detach(), grid[1]))
        duration, pulse = driver.pulses(x.detach().double().numpy())
        return straight_through(limited, torch.from_numpy(duration * pulse / driver.v_read).float())

    def _product(self, x: Tensor, block: int) -> Tensor:
        rows, conversions, noise = self.blocks[block]
        x = x[:, rows]
        u = x @ self.w[rows]
        if self.strength and (noise.any() or conversions.variance.any()):
            variance = (x.detach().square() @ noise)[:, None] + conversions.variance
            draws = torch.randn(u.shape, generator=self.generator)
            u = u + self.strength * variance.sqrt() * draws
        return u

    def _activated(self, u: Tensor, levels: Levels) -> Tensor:
        """f(u) as converters put it out, with the slope of f; a learned range moves with R."""
        f = self.curves[0]
        if isinstance(f, str) or f.name != "linear":
            return straight_through(activated(self.curves, u), convert(u, levels))
        stretch = 1.0 if self.log_range is None else self.log_range.exp() / f.hi
        v = u / stretch
        return stretch * straight_through(v.clamp(f.lo, f.hi), convert(v, levels))
