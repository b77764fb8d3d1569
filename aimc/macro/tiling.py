"""A matrix larger than one array: several macros and a digital sum.

Columns may be split freely. Where rows are split, a curve of a sum is not the sum of curves: each
part is converted linearly, the parts are added digitally, and the curve is applied to the sum.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.converters.base import digital
from aimc.curves import Curve, linear
from aimc.errors import as_array, as_batch, as_number
from aimc.macro import Curves, Hardware, Macro, curve_ranges, spread_curves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tiled:
    """A grid of macros that acts as one. tiles[a][b] holds row block a and column block b."""

    tiles: tuple[tuple[Macro, ...], ...]
    curves: tuple[Curve, ...]

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Array:
        """Outputs (batch, cols) for activations x (batch, rows), as `Macro` gives them."""
        x = as_batch("x", x, self.shape[0])
        blocks, start = [], 0
        for row in self.tiles:
            stop = start + row[0].shape[0]
            blocks.append(np.concatenate([tile(x[:, start:stop], rng) for tile in row], axis=1))
            start = stop
        if len(blocks) == 1:
            return blocks[0]
        total = np.sum(blocks, axis=0)
        bits = self.tiles[0][0].hardware.adc.bits
        for place in curve_ranges(self.curves):
            total[:, place] = digital(self.curves[place.start], bits, total[:, place])
        return total

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of weights."""
        return sum(row[0].shape[0] for row in self.tiles), len(self.curves)

    @property
    def macros(self) -> tuple[Macro, ...]:
        """All macros, row block by row block."""
        return tuple(tile for row in self.tiles for tile in row)

    @property
    def w(self) -> Array:
        """Weights (rows, cols) as the cells hold them."""
        return np.block([[tile.w for tile in row] for row in self.tiles])

    @property
    def x_max(self) -> float:
        """The largest activation that the drivers carry."""
        return self.tiles[0][0].x_max

    @property
    def lsb(self) -> float:
        """Output step of one code; the largest where the columns have several curves."""
        bits = self.tiles[0][0].hardware.adc.bits
        return max(c.lsb(bits) for c in self.curves)

    def aged(self, t: float, rng: np.random.Generator, temperature: float | None = None) -> Tiled:
        """All macros `t` seconds after programming, stored at `temperature`, see `Macro.aged`."""
        tiles = tuple(tuple(tile.aged(t, rng, temperature) for tile in row) for row in self.tiles)
        return Tiled(tiles, self.curves)

    def __str__(self) -> str:
        grid = f"{len(self.tiles)} x {len(self.tiles[0])} arrays"
        return f"{self.shape[0]} x {self.shape[1]} weights on {grid}\n{self.tiles[0][0]}"


def tile(
    hardware: Hardware,
    w: Any,
    rng: np.random.Generator,
    curve: Curves = "linear",
    partial_range: float | None = None,
) -> Macro | Tiled:
    """`hardware.program` for a matrix of any size; a Macro where one array holds it.

    w (rows, cols). Blocks are as equal as the array allows. Where rows are split, each block is
    converted linearly over +-partial_range (None: four standard deviations of the block's
    largest column for inputs uniform in +-1), and the curve is applied to the digital sum with
    the converter's own bits. Each array has its own w_max. Raises ArgumentError as `program`.
    """
    w = as_array("w", w)
    rows, cols = _blocks(w.shape[0], hardware.rows), _blocks(w.shape[1], hardware.cols)
    if len(rows) == len(cols) == 1:
        return hardware.program(w, rng, curve)
    curves = spread_curves(curve, w.shape[1])
    if partial_range is not None:
        as_number("partial_range", partial_range, above=0)
    tiles = []
    for r in rows:
        row = []
        for c in cols:
            part = w[r, c]
            if len(rows) == 1:
                row.append(hardware.program(part, rng, curves[c]))
                continue
            reach = partial_range or 4 * float(np.sqrt((part**2).sum(0).max() / 3)) or 1.0
            row.append(hardware.program(part, rng, linear(-reach, reach)))
        tiles.append(tuple(row))
    return Tiled(tuple(tiles), curves)


def _blocks(length: int, most: int) -> list[slice]:
    count = math.ceil(length / most)
    edges = [round(k * length / count) for k in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
