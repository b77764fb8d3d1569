"""A read as plain arrays, made by asking the parts, for whoever executes it fastest.

`Macro.trace` is the reference: the parts, one after the other. Where each of them answers for what
it does, a read is one product, one noise form and one search a row block; where one cannot, there
is no plan, and the macro itself is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.curves import Curve
from aimc.errors import as_batch
from aimc.kernels.base.blas import in_strips
from aimc.kernels.noise import normals
from aimc.kernels.read import plan as kernel
from aimc.kernels.read.conversion import Levels, levels_of, nothing
from aimc.macro.layout import curve_ranges
from aimc.macro.macro import Macro
from aimc.macro.stack import Stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.kernels.noise.forms import Forms
    from aimc.kernels.noise.shared import SharedForms
    from aimc.parts.mapping import Mapping

    Floats = NDArray[np.floating]
    Kind = type[np.floating[Any]]

MOST_ERROR = 0.01
"""Of a deviation of noise, up to which reads in single precision use forms that columns share."""
GOOD_ERROR = 0.005
"""Such forms are as few as keep to this, where any do."""
_LANES = 256  # random generators side by side
_AT_ONCE = 2**14  # numbers, at least, that the generators draw in a turn
_FEW = 4096  # numbers that are drawn before those generators have begun


@dataclass(frozen=True, eq=False)
class ReadPlan:
    """A macro's read in one floating-point type.

    arrays: as kernels take it. lines: of each stack, row block by row block, the normal numbers
    that its noise takes from the generator in one read, in double precision. error: the largest
    relative error of a deviation of noise, by forms that columns share in single precision.
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
        noise = _noise(stacks, hardware.mapping, dtype)
        if levels is None or noise is None or any(each is None for each in volts):
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
        state = rng.integers(1, 2**32, size=(4, _LANES), dtype=np.uint32)
        words = np.empty((-(-steps * count // _LANES), _LANES), np.uint32)
        flat = np.empty(words.size, np.float32)
        draws = flat[: steps * count].reshape(steps, batch, self.drawn)
        return kernel.Read(self.arrays, draws, state, words, flat)

    def read(self, x: Floats, rng: np.random.Generator | None = None) -> Floats:
        """Outputs (batch, cols) for activations x (batch, driven), by the kernel."""
        arrays = self.arrays
        x = as_batch("x", x, arrays.scale.size)
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
        state = rng.integers(1, 2**32, size=(4, _LANES), dtype=np.uint32)
        words = np.empty((-(-count // _LANES), _LANES), np.uint32)
        normals.words(state, words)
        result = np.empty(words.size, np.float32)
        normals.normals(words.ravel(), result)
        return result[:count].reshape(steps, batch, drawn)


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
    bits, places = macro.hardware.adc.bits, curve_ranges(macro.curves)
    which = np.repeat(np.arange(len(places)), [place.stop - place.start for place in places])
    curves = [macro.curves[place.start] for place in places]
    return levels_of([_table(curve, bits) for curve in curves], which[None], dtype)


def _table(curve: Curve, bits: int) -> tuple[Floats, Floats]:
    return curve.thresholds(bits) - curve.tie(bits), curve.outputs(bits)[curve.codes(bits)]


def _noise(
    stacks: tuple[tuple[Stack, ...], ...], mapping: Mapping, dtype: Kind
) -> tuple[kernel.Noise, float] | None:
    """The noise and its error; None where it is not that of independent pairs, or no form of the
    row voltages."""
    flat = [stack for beside in stacks for stack in beside]
    rows = sum(beside[0].shape[0] for beside in stacks)
    none: Floats = np.empty((rows, 0), dtype)
    no_signs: Floats = np.empty((len(stacks), 0), dtype)
    if not any(stack.noisy for stack in flat):
        return kernel.Noise(none, none, no_signs, 0, _unshared(dtype)), 0.0
    if not all(stack.noisy and _pairs(mapping, stack.crossbar.g.shape[1]) for stack in flat):
        return None
    if dtype is not np.float64 and not stacks[0][0].hardware.wires.ideal:
        shared, error = _shared(stacks, dtype)
        if error <= MOST_ERROR:
            cols = shared.cross.shape[1]
            return kernel.Noise(none, none, no_signs, cols, shared), error
    found = [[stack.crossbar.noise_forms for stack in beside] for beside in stacks]
    forms = [[each for each in beside if each is not None] for beside in found]
    if sum(map(len, forms)) < len(flat):
        return None
    supply = [[stack.supply for stack in beside] for beside in stacks]
    variance = np.block(
        [[each.diagonal * (each.scale * s) ** 2 for each, s in zip(*pair, strict=True)]
         for pair in zip(forms, supply, strict=True)]
    )  # fmt: skip
    lines = variance.shape[1]
    count = max(each.signs.size // each.diagonal.shape[1] for beside in forms for each in beside)
    wide = [_side_by_side(*pair, count) for pair in zip(forms, supply, strict=True)]
    modes, signs = np.concatenate([m for m, _ in wide]), np.stack([s for _, s in wide])
    double = dtype is np.float64
    if not count and np.all(variance == variance[:, :1]):
        variance = variance[:, :1] if double else 2 * variance[:, :1]
    elif not double:
        # One draw a signed column: its variance is that of both lines, and so are its modes.
        plus = [m * lines + j for m in range(count) for j in range(0, lines, 2)]
        order = np.array(plus + [j + 1 for j in plus], np.intp)
        variance = variance[:, 0::2] + variance[:, 1::2]
        modes, signs = modes[:, order], signs[:, order]
    return kernel.Noise(
        variance.astype(dtype), np.ascontiguousarray(modes, dtype), signs.astype(dtype),
        lines if double else lines // 2, _unshared(dtype),
    ), 0.0  # fmt: skip


def _unshared(dtype: Kind) -> kernel.Shared:
    index = np.zeros(1, np.int64)
    flat: Floats = np.empty((0, 0), dtype)
    weights: Floats = np.empty((0, 0, 0), dtype)
    return kernel.Shared(index, index, flat, weights, flat, flat)


def _shared(stacks: tuple[tuple[Stack, ...], ...], dtype: Kind) -> tuple[kernel.Shared, float]:
    """Forms that the signed columns of each array share, and the largest error of a deviation,
    infinite where an array has none."""
    arrays = [
        [(stack.crossbar.arrays[k][1].shared_noise(), stack.supply) for stack in beside]
        for beside in stacks
        for k in range(len(beside[0].crossbar.arrays))
    ]
    forms = [[(form, supply) for form, supply in row if form is not None] for row in arrays]
    if sum(map(len, forms)) < sum(map(len, arrays)):
        return _unshared(dtype), np.inf
    few, error = _enough([form for row in forms for form, _ in row])
    parts: list[list[Any]] = [[], [], [], []]
    for row in forms:
        made: list[list[NDArray[Any]]] = [[], [], [], []]
        for form, supply in row:
            power, weights = (form.scale * supply) ** 2, form.weights[:few]
            more = few - len(weights)
            made[0].append(np.pad(form.diagonal[:, :few] * power, ((0, 0), (0, more))))
            made[1].append(np.pad(weights[:, 0::2] + weights[:, 1::2], ((0, more), (0, 0))))
            made[2].append(form.mean[:, None] * power)
            made[3].append(form.cross[:, 0::2] + form.cross[:, 1::2])
        for part, beside in zip(parts, made, strict=True):
            part.append(np.concatenate(beside, axis=1))
    rows = [len(each) for each in parts[0]]
    widths = [form.cross.shape[1] // 2 for form, _ in forms[0]]
    whole: list[Floats] = [np.concatenate(parts[k]).astype(dtype) for k in (0, 2, 3)]
    diagonal, mean, cross = whole
    return kernel.Shared(
        np.cumsum([0, *rows]), np.cumsum([0, *widths]), diagonal,
        np.stack(parts[1]).astype(dtype), mean, cross,
    ), error  # fmt: skip


def _enough(forms: list[SharedForms]) -> tuple[int, float]:
    """How many diagonals each array takes, a multiple of FEW, and the largest error with them."""
    most = max(form.errors.size for form in forms)
    few, error = 0, np.inf
    while few < most and error > GOOD_ERROR:
        few += kernel.FEW
        error = max(float(form.errors[min(few, form.errors.size) - 1]) for form in forms)
    return few, error


def _pairs(mapping: Mapping, lines: int) -> bool:
    """Whether each signed column is one line less the next, so that noises are independent."""
    signed = np.asarray(mapping.combine(np.eye(lines)))
    pairs = np.kron(np.eye(lines // 2), [[1.0], [-1.0]])
    return signed.shape == pairs.shape and np.array_equal(signed, pairs)


def _side_by_side(
    forms: list[Forms], supply: list[float], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Modes (rows, count * lines) and signs (count * lines,) of arrays beside each other [S], the
    first of every line first; those that an array lacks are zero."""
    rows = len(forms[0].diagonal)
    modes: list[NDArray[np.float64]] = []
    signs: list[NDArray[np.float64]] = []
    for each, factor in zip(forms, supply, strict=True):
        lines = each.diagonal.shape[1]
        has = each.signs.size // lines
        full, sign = np.zeros((rows, count, lines)), np.ones((count, lines))
        full[:, :has] = each.modes.reshape(rows, has, lines) * (each.scale * factor)
        sign[:has] = each.signs.reshape(has, lines)
        modes.append(full)
        signs.append(sign)
    return np.concatenate(modes, axis=2).reshape(rows, -1), np.concatenate(signs, axis=1).ravel()
