"""A read as plain arrays, made by asking the parts, for whoever executes it fastest.

`Macro.trace` is the reference: the parts, one after the other. Where each of them answers for what
it does, a read is one product, one noise form and one search a row block; where one cannot, there
is no plan, and the macro itself is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import as_batch
from aimc.kernels.base.blas import in_strips
from aimc.kernels.noise import normals
from aimc.kernels.read import plan as kernel
from aimc.kernels.read.conversion import Levels, levels_of, nothing
from aimc.macro.layout import curve_ranges
from aimc.macro.macro import Macro
from aimc.macro.noise import noise_of
from aimc.macro.stack import Stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Kind = type[np.floating[Any]]

_LANES = 256  # random generators side by side
_AT_ONCE = 2**14  # numbers, at least, that the generators draw in a turn
_FEW = 4096  # numbers that are drawn before those generators have begun


@dataclass(frozen=True, eq=False)
class ReadPlan:
    """A macro's read in one floating-point type.

    arrays: as kernels take it. lines: of each stack, row block by row block, the normal numbers
    that its noise takes from the generator in one read, in double precision. error: the largest
    relative error of a deviation of noise by its forms, see `kernels.noise.forms`.
    """

    arrays: kernel.Plan
    lines: tuple[int, ...]
    error: float

    @classmethod
    def of(
        cls, macro: Macro, dtype: Kind = np.float64, scale: Floats | None = None, still: int = 0
    ) -> ReadPlan | None:
        """The plan of `macro`; None where a part cannot answer for what it does in a read.

        scale (rows,): what drives each row fully; None: activations are the driver's own. still: so
        many last rows stand at x_max in every read, and `scale` is of the others.
        """
        hardware, stacks = macro.hardware, macro.stacks
        grid = hardware.driver.grid()
        flat = [stack for beside in stacks for stack in beside]
        if grid is None or not all(stack.fixed for stack in flat):
            return None
        volts = [hardware.sense.gain(hardware.driver.window, stack.c_array) for stack in flat]
        levels, gain, offset = _conversions(stacks, dtype)
        if levels is None or any(each is None for each in volts):
            return None
        noise = noise_of(stacks, hardware.mapping, dtype)
        if noise is None:
            return None
        v_read, steps, x_max = grid
        per_volt = np.array(
            [v for v, s in zip(volts, flat, strict=True) for _ in range(s.shape[1])]
        )
        matrix = np.block([[stack.matrix * stack.supply for stack in beside] for beside in stacks])
        if scale is None:
            scale = np.ones(macro.shape[0] - still)
        arrays = kernel.Plan(
            scale.astype(dtype), v_read, steps, x_max, v_read * x_max,
            np.array([0, *(rows.stop for rows in macro.rows)]), matrix.astype(dtype), noise[0],
            (per_volt.reshape(len(stacks), -1) * gain).astype(dtype), offset.astype(dtype), levels,
            nothing(dtype) if len(stacks) == 1 else _sums(macro, dtype),
        )  # fmt: skip
        return cls(arrays, tuple(stack.crossbar.g.shape[1] for stack in flat), noise[1])

    @property
    def drawn(self) -> int:
        """Normal numbers that one read takes."""
        return self.arrays.noise.drawn * (self.arrays.edges.size - 1)

    def reads(self, steps: int, batch: int, rng: np.random.Generator) -> kernel.Read:
        """So many reads, as the kernels of sequences take them; in single precision their normal
        numbers are drawn when they are needed."""
        count = batch * self.drawn
        if self.arrays.matrix.dtype == np.float64 or steps * count <= _FEW:
            none = np.empty((0, 0), np.uint32)
            draws = self.draws(steps, batch, rng)
            return kernel.Read(self.arrays, draws, none, none, np.empty(0, np.float32))
        steps = min(steps, -(-_AT_ONCE // count))
        state, words, flat = _generators(steps * count, rng)
        draws = flat[: steps * count].reshape(steps, batch, self.drawn)
        return kernel.Read(self.arrays, draws, state, words, flat)

    def read(self, x: Floats, rng: np.random.Generator | None = None) -> Floats:
        """Outputs (batch, cols) for activations x (batch, driven), by the kernel. Raises
        ArgumentError on a wrong shape or NaN."""
        return self.run(as_batch("x", x, self.arrays.scale.size), rng)

    def run(self, x: Floats, rng: np.random.Generator | None = None) -> Floats:
        """As `read`, of activations that were checked before."""
        arrays = self.arrays
        if rng is None:
            arrays = arrays._replace(noise=arrays.noise._replace(drawn=0))
            draws = np.empty((1, len(x), 0), arrays.matrix.dtype)
        else:
            draws = self.draws(1, len(x), rng)
        y = np.empty((len(x), arrays.matrix.shape[1]), arrays.matrix.dtype)
        x, normal = np.ascontiguousarray(x, arrays.matrix.dtype), draws[0]

        def some(lo: int, hi: int) -> None:
            kernel.read(arrays, normal[lo:hi], x[lo:hi], y[lo:hi])

        in_strips(some, len(x), arrays.matrix.size)
        return y

    def draws(self, steps: int, batch: int, rng: np.random.Generator) -> Floats:
        """Normal numbers of so many reads (steps, batch, groups * drawn), of the plan's type.

        In double precision they are the macro's own, in its order; in single precision those of
        faster generators that it seeds.
        """
        drawn = self.drawn
        if not drawn or self.arrays.matrix.dtype == np.float64:
            flat = rng.standard_normal((steps, batch * drawn))
            if not drawn or not batch or len(self.lines) == 1:
                return flat.reshape(steps, batch, drawn)
            parts = np.split(flat, np.cumsum(self.lines)[:-1] * batch, axis=1)
            return np.concatenate([part.reshape(steps, batch, -1) for part in parts], axis=2)
        count = steps * batch * drawn
        if count <= _FEW:
            return rng.standard_normal((steps, batch, drawn), np.float32)
        state, words, flat = _generators(count, rng)
        normals.words(state, words)
        normals.normals(words.ravel(), flat)
        return flat[:count].reshape(steps, batch, drawn)


def _generators(
    count: int, rng: np.random.Generator
) -> tuple[normals.Words, normals.Words, NDArray[np.float32]]:
    """Generators' state, seeded by `rng`, with room for the words and so many numbers or more."""
    state = rng.integers(1, 2**32, size=(4, _LANES), dtype=np.uint32)
    words = np.empty((-(-count // _LANES), _LANES), np.uint32)
    return state, words, np.empty(words.size, np.float32)


def _conversions(
    stacks: tuple[tuple[Stack, ...], ...], dtype: Kind
) -> tuple[Levels | None, Floats, Floats]:
    """The levels of all converters, and gain and offset of their columns (groups, cols)."""
    tables: list[Any] = []
    which: list[NDArray[Any]] = []
    gains: list[NDArray[Any]] = []
    offsets: list[NDArray[Any]] = []
    for place, ramp in (pair for beside in stacks for stack in beside for pair in stack.ramps):
        table, cols = ramp.table(), place.stop - place.start
        if table is None:
            return None, np.empty(0), np.empty(0)
        own = table.levels.ndim > 1
        which.append(len(tables) + np.array(range(cols) if own else [0] * cols, np.intp))
        tables += [(edges, table.outputs) for edges in np.atleast_2d(table.levels)]
        gains.append(np.broadcast_to(table.gain, cols))
        offsets.append(np.broadcast_to(table.offset, cols))
    sides = (which, gains, offsets)
    wide: list[NDArray[Any]] = [np.concatenate(each).reshape(len(stacks), -1) for each in sides]
    return levels_of(tables, wide[0].astype(np.intp), dtype), wide[1], wide[2]


def _sums(macro: Macro, dtype: Kind) -> Levels:
    """The curves as tables of digital sums."""
    bits, places = macro.bits, curve_ranges(macro.curves)
    which = np.repeat(np.arange(len(places)), [place.stop - place.start for place in places])
    curves = [macro.curves[place.start] for place in places]
    return levels_of([curve.steps(bits) for curve in curves], which[None], dtype)
