"""One array of a training twin: what its cells, wires and converters make of a weight and a sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aimc.errors import must
from aimc.kernels.read.ramps import FEW, convert

if TYPE_CHECKING:
    from aimc.curves import Curve
    from aimc.macro import Stack

Tensor = torch.Tensor


@dataclass(frozen=True)
class Converters:
    """One ramp a column: y = first + step (number of thresholds below u), single precision.

    ideal, built (2^bits - 1, cols): thresholds as meant, and as cells and comparators make them.
    """

    ideal: Tensor
    built: Tensor
    first: Tensor
    step: Tensor

    @classmethod
    def of(cls, ramps: list[tuple[int, Curve, int, Any, Any]]) -> Converters:
        """ramps: for neighbouring columns their count, curve, bits, thresholds (k,) or (k, count),
        and offsets."""
        parts: list[list[np.ndarray]] = [[], [], [], []]
        for count, function, bits, thresholds, offset in ramps:
            y = function.outputs(bits)
            if not np.allclose(np.diff(y), y[1] - y[0]):
                raise must("curve", "rise or fall all along", f"{function.name} does not")
            each = thresholds[:, None] if np.ndim(thresholds) == 1 else thresholds
            built = np.maximum.accumulate(each) + np.broadcast_to(offset, count)
            parts[0].append(np.tile(function.thresholds(bits)[:, None], count))
            parts[1].append(built)
            parts[2].append(np.full(count, y[0]))
            parts[3].append(np.full(count, y[1] - y[0]))
        return cls(*(torch.from_numpy(np.concatenate(part, axis=-1)).float() for part in parts))

    def __call__(self, u: Tensor, strength: float) -> Tensor:
        """Outputs (batch, cols) for u (batch, cols), thresholds `strength` away from ideal."""
        table = torch.lerp(self.ideal, self.built, strength)
        if len(table) > FEW:
            across = table.T.contiguous(), u.T.contiguous()
            code = torch.searchsorted(*across, right=True, out_int32=True)
            return torch.addcmul(self.first, self.step, code.T.float())
        y = torch.empty_like(u)
        convert(*(part.numpy() for part in (u.contiguous(), table, self.first, self.step, y)))
        return y


@dataclass(frozen=True)
class Tile:
    """One array of a matrix: where it lies, what its wires do to each cell, its converters.

    The wires make share g + rest of a conductance g, exact for the cells of `macro`.
    """

    macro: Stack
    rows: slice
    cols: slice
    share: Any
    rest: Any

    @classmethod
    def of(cls, macro: Stack, row: int, col: int) -> Tile:
        rows, cols = macro.shape
        crossbar, share, rest = macro.crossbar, 1.0, 0.0
        if not crossbar.wires.ideal:
            g = np.maximum(crossbar.g, 1e-3 * macro.hardware.device.g_max)
            share = np.where(crossbar.g < g, 1.0, crossbar.transfer / g)
            rest = crossbar.transfer - share * crossbar.g
        return cls(macro, slice(row, row + rows), slice(col, col + cols), share, rest)

    def weights(self, w: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """`w` (rows, cols) as freshly written cells and these wires make it."""
        hardware, part = self.macro.hardware, w[self.rows, self.cols]
        device, mapping = hardware.device, hardware.mapping
        w_max = mapping.scale(part)
        g = device.write(mapping.to_conductance(part, device, w_max), rng)
        g = device.age(g, hardware.age, rng)
        return mapping.to_weight(g * self.share + self.rest, device, w_max)

    @property
    def ramps(self) -> list[tuple[int, Curve, int, Any, Any]]:
        """As `Converters.of` takes them; each column's capacitor, charge and comparator count."""
        found = []
        for place, ramp in self.macro.ramps:
            columns, volts = ramp.columns, ramp.gain * ramp.common
            thresholds = ramp.thresholds[:, None] / np.atleast_1d(columns.ratio)
            offset = (columns.offset / columns.ratio - columns.shift) / volts
            found.append((place.stop - place.start, ramp.curve, ramp.bits, thresholds, offset))
        return found

    @property
    def drawn(self) -> np.ndarray:
        """Variance of a pre-activation in one read that the converters add, (cols,)."""
        found = []
        for place, ramp in self.macro.ramps:
            noise, cols = ramp.noise, place.stop - place.start
            steps = np.cumsum(np.broadcast_to(np.square(noise.steps), len(ramp.thresholds) - 1))
            level = noise.start**2 + steps.sum() / len(ramp.thresholds)  # of the average one
            variance = noise.decision**2 + np.square(noise.sample) + level
            found.append(np.broadcast_to(variance / (ramp.gain * ramp.common) ** 2, cols))
        return np.concatenate(found)

    @property
    def noise(self) -> np.ndarray:
        """Variance of a weight in one read, average over the columns, (rows,)."""
        sigma = self.macro.crossbar.sigma
        if sigma is None:
            return np.zeros(self.macro.shape[0])
        hardware, cols = self.macro.hardware, self.macro.shape[1]
        unit = self.macro.w_max / hardware.mapping.span(hardware.device)
        return (sigma**2).sum(axis=1) / cols * unit**2
