"""One array of a training twin: what its cells, wires and converters make of a weight and a sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aimc.kernels.read.conversion import Levels, converted, levels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimc.converters.base import Converter
    from aimc.macro import Stack

Tensor = torch.Tensor


@dataclass(frozen=True)
class Conversions:
    """The converters of columns beside each other, for pre-activations as the cells make them.

    which (1, cols): the table of each column. tables: of neighbouring columns, levels as their
    curve has them (k,), as parts make them (1 or cols, k), both rising, and outputs (k + 1,). low,
    high (cols,): the range of each column's curve. variance (cols,): of what is drawn in a read.
    """

    which: Any
    tables: list[tuple[Any, Any, Any]]
    low: Tensor
    high: Tensor
    variance: Tensor

    @classmethod
    def of(cls, ramps: Iterable[tuple[slice, Converter]]) -> Conversions:
        """ramps: ranges of columns and their converters, of one chip or side by side."""
        which: list[Any] = []
        tables: list[tuple[Any, Any, Any]] = []
        count, sides = 0, []
        for place, ramp in ramps:
            quiet, cols = ramp.quiet, place.stop - place.start
            volts = ramp.gain * ramp.common / ramp.retained  # of cells as they stand, not as meant
            gain, offset = (np.reshape(each, (-1, 1)) for each in (quiet.gain, quiet.offset))
            built = (quiet.levels + offset) / (gain * volts)
            which.append(count + np.arange(cols) * (len(built) > 1))
            count += len(built)
            tables.append((ramp.curve.steps(ramp.bits)[0], built, quiet.outputs))
            side = (ramp.curve.lo, ramp.curve.hi, ramp.variance / volts**2)
            sides.append([np.broadcast_to(each, cols) for each in side])
        wide = (np.concatenate(each) for each in zip(*sides, strict=True))
        return cls(np.concatenate(which)[None], tables, *(torch.tensor(w).float() for w in wide))

    def at(self, strength: float) -> Levels:
        """In single precision, with levels `strength` times their errors away from the curve's."""
        found: list[tuple[Any, Any]] = []
        for meant, built, outputs in self.tables:
            found += [(row, outputs) for row in np.sort(meant + strength * (built - meant))]
        return levels_of(found, self.which, np.float32)


def convert(u: Tensor, levels: Levels) -> Tensor:
    """Outputs (batch, cols) for u (batch, cols), single precision; no gradient."""
    y, code = torch.empty_like(u), np.empty(u.shape[1], np.uint32)
    converted(u.detach().contiguous().numpy(), levels, code, y.numpy())
    return y


@dataclass(frozen=True)
class Tile:
    """One array of a matrix: where it lies, and what its wires do to each cell.

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
        cells = device.written(mapping.to_conductance(part, device, w_max), rng)
        g = device.aged(cells, hardware.age, rng).g
        return mapping.to_weight(g * self.share + self.rest, device, w_max)

    @property
    def noise(self) -> np.ndarray:
        """Variance of a weight in one read, average over the columns, (rows,)."""
        sigma = self.macro.crossbar.sigma
        if sigma is None:
            return np.zeros(self.macro.shape[0])
        hardware, cols = self.macro.hardware, self.macro.shape[1]
        unit = self.macro.w_max / hardware.mapping.span(hardware.device)
        return (sigma**2).sum(axis=1) / cols * unit**2
