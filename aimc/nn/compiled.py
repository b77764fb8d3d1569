"""A chip as numbers that one product and one search need, for kernels and for torch.

Nothing is computed here that the macro does not give: its matrix, its noise, its ramps' levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aimc.kernels.noise import normals
from aimc.kernels.read import sequence
from aimc.kernels.read.sequence import Array
from aimc.macro import Macro
from aimc.parts.mapping import DifferentialPair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.converters.base import Converter
    from aimc.kernels.noise.forms import Forms
    from aimc.nn.layers.bridge import Chip

Tensor = torch.Tensor

_LANES = 256  # random generators side by side
_MOST_BINS = 2**14  # for each converter: the table stays in the cache


@dataclass(frozen=True, eq=False)
class Compiled:
    """One or more macros side by side, all driven by the same rows.

    array: as kernels take it. lines: normal numbers that each macro's noise takes from the
    generator in one read, in double precision.
    """

    array: Array
    lines: tuple[int, ...]

    @classmethod
    def of(cls, chip: Chip, dtype: type) -> Compiled | None:
        """None where a read is more than one product, first-order noise and one search, or where
        something else stands in the macro's place and wants to see its reads."""
        if not isinstance(chip.macro, Macro) or len(chip.macro.stacks) > 1:
            return None
        macros = chip.macro.macros
        if not all(_plain(macro) for macro in macros):
            return None
        noise = _forms(macros, dtype)
        if noise is None:
            return None
        variance, modes, signs = noise
        driver = macros[0].hardware.driver
        ramps = [pair for macro in macros for pair in macro.ramps]
        codes = ramps[0][1].outputs.size
        width = [place.stop - place.start for place, _ in ramps]
        levels = np.stack([crossings(r) for _, r in ramps]).astype(dtype)
        outputs = np.stack([r.outputs for _, r in ramps]).astype(dtype)
        offset = [np.broadcast_to(r.offset, n) for n, (_, r) in zip(width, ramps, strict=True)]
        volts = [
            np.broadcast_to(m.hardware.sense.integrate(np.ones(1), driver.window, m.c_array), n)
            for m in macros
            for n in [m.shape[1]]
        ]
        cols = sum(width)
        bins, origin, density, edge, beside = _bins(levels, outputs)
        ramp = np.repeat(np.arange(len(ramps), dtype=np.uint32), width)
        currents = [m.hardware.mapping.combine(m.crossbar.transfer) for m in macros]
        array = Array(
            scale=chip.scale.astype(dtype),
            v_read=driver.v_read,
            grid=0.0 if driver.bits is None else 2.0**driver.bits,
            x_max=driver.x_max,
            v_bias=float(driver.drive(np.array(chip.x_max))),
            matrix=np.concatenate(currents, axis=1).astype(dtype),
            variance=variance.astype(dtype),
            modes=np.ascontiguousarray(modes, dtype),
            signs=signs.astype(dtype),
            drawn=0 if not variance.size else 2 * cols if dtype is np.float64 else cols,
            volts=np.concatenate(volts).astype(dtype),
            offset=np.concatenate(offset).astype(dtype),
            base=ramp * np.uint32(codes),
            levels=levels.ravel(),
            outputs=outputs.ravel(),
            codes=codes,
            bins=bins,
            origin=origin[ramp],
            density=density[ramp],
            bin_base=ramp * np.uint32(bins),
            edge=edge,
            beside=beside,
        )
        return cls(array, tuple(2 * m.shape[1] for m in macros))

    def read(self, z: Tensor, rng: np.random.Generator) -> Tensor:
        """Outputs (batch, cols) for activations z (batch, rows) of the array's type, any device."""
        draws = self.draws(1, len(z), rng)[0]
        if z.device.type != "cpu":
            return self.buffers(z.device)(z, torch.from_numpy(draws).to(z.device))
        y = np.empty((len(z), self.array.matrix.shape[1]), self.array.matrix.dtype)
        sequence.read(self.array, draws, np.ascontiguousarray(z.detach().numpy()), y)
        return torch.from_numpy(y)

    def buffers(self, device: torch.device) -> Buffers:
        """The array as tensors on `device`, sent there once."""
        key = str(device)
        if key not in self._sent:
            self._sent[key] = Buffers.of(self.array, device)
        return self._sent[key]

    @cached_property
    def _sent(self) -> dict[str, Buffers]:
        return {}

    def draws(self, steps: int, batch: int, rng: np.random.Generator) -> NDArray[Any]:
        """Normal numbers of so many reads (steps, batch, drawn), of the array's type.

        In double precision they are the macro's own, in its order; in single precision those of
        faster generators that it seeds.
        """
        drawn = self.array.drawn
        if not drawn or self.array.matrix.dtype == np.float64:
            flat = rng.standard_normal((steps, batch * drawn))
            parts = np.split(flat, np.cumsum(self.lines)[:-1] * batch, axis=1) if drawn else [flat]
            parts = [part.reshape(steps, batch, -1) for part in parts] if batch else parts
            return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        count = steps * batch * drawn
        state = rng.integers(1, 2**32, size=(4, _LANES), dtype=np.uint32)
        words = np.empty((-(-count // _LANES), _LANES), np.uint32)
        normals.words(state, words)
        result = np.empty(words.size, np.float32)
        normals.normals(words.ravel(), result)
        return result[:count].reshape(steps, batch, drawn)


@dataclass(frozen=True, eq=False)
class Buffers:
    """An array as tensors of one type on one device: a read is one product and one search.

    levels, outputs: of each column, (cols, 2^bits - 1) and (cols, 2^bits). The other fields are
    those of `Array`.
    """

    array: Array
    scale: Tensor
    matrix: Tensor
    variance: Tensor
    modes: Tensor
    signs: Tensor
    volts: Tensor
    offset: Tensor
    levels: Tensor
    outputs: Tensor

    @classmethod
    def of(cls, array: Array, device: torch.device) -> Buffers:
        def send(value: NDArray[Any]) -> Tensor:
            return torch.from_numpy(value).to(device)

        codes = array.base.astype(np.int64)[:, None] + np.arange(array.codes)
        levels, outputs = array.levels[codes[:, :-1]], array.outputs[codes]
        noise = (array.variance, array.modes, array.signs)
        rest = (array.volts, array.offset, levels, outputs)
        return cls(array, *map(send, (array.scale, array.matrix, *noise, *rest)))

    def __call__(self, z: Tensor, draws: Tensor) -> Tensor:
        """Outputs (batch, cols) for activations z (batch, driven); draws (batch, drawn)."""
        array, most = self.array, self.array.x_max
        q = torch.clamp(z / self.scale, -most, most)
        q = torch.round(q * array.grid) * (1 / array.grid) if array.grid else q
        still = q.new_full((len(q), len(self.matrix) - q.shape[1]), array.v_bias)
        v = torch.cat([q * array.v_read, still], dim=1)
        i = v @ self.matrix
        if array.drawn:
            spread = v**2 @ self.variance
            if len(self.signs):
                shares = (v @ self.modes) ** 2 * self.signs
                shares = shares.reshape(len(v), -1, spread.shape[1]).sum(dim=1)
                spread = torch.clamp(spread + shares, min=0)
            noise = torch.sqrt(spread)
            if array.drawn == i.shape[1]:
                i = i + noise * draws
            else:
                noise = noise * draws
                i = i + (noise[:, 0::2] - noise[:, 1::2])
        u = (i * self.volts - self.offset).T.contiguous()
        code = torch.searchsorted(self.levels, u, right=True)
        return torch.gather(self.outputs, 1, code).T


def crossings(converter: Converter) -> NDArray[np.float64]:
    """Voltages at which the codes begin (2^bits,) [V], and one that is never reached.

    The code is the first crossing, so a level below an earlier one is not seen.
    """
    return np.append(converter.crossings, np.inf)


def _bins(levels: NDArray[Any], outputs: NDArray[Any]) -> tuple[int, *tuple[NDArray[Any], ...]]:
    """Bins that hold at most one of each converter's levels (converters, 2^b): their number, where
    they begin, how many a volt, the level within each, and the outputs on either side of it; 0
    where that takes too many.

    Placing is by the kernel's own arithmetic, which never falls with u: no level is misplaced.
    """
    inner = levels[:, :-1]
    origin, span = inner[:, 0], np.ptp(inner, axis=1)
    bins = 2 * levels.shape[1]
    while bins <= _MOST_BINS:
        with np.errstate(divide="ignore", over="ignore"):
            density = (bins / span).astype(levels.dtype)
        if not np.isfinite(density).all():
            break
        place = np.clip((inner - origin[:, None]) * density[:, None], 0, bins - 1).astype(np.int64)
        if (np.diff(place, axis=1) > 0).all():
            code = np.stack([np.searchsorted(row, np.arange(bins)) for row in place])
            edge = np.take_along_axis(levels, code, axis=1)
            after = np.minimum(code + 1, levels.shape[1] - 1)
            sides = [np.take_along_axis(outputs, at, axis=1) for at in (code, after)]
            return bins, origin, density, edge.ravel(), np.stack(sides, axis=-1).ravel()
        bins *= 2
    none = np.zeros(0, levels.dtype)
    return 0, origin, np.zeros_like(origin), none, none


def steady(converter: Converter) -> bool:
    """Whether a converter is rising levels and its comparators' offsets, the same in every read."""
    columns = converter.columns
    return (
        converter.crossings.size == 2**converter.bits - 1
        and not converter.noise
        and converter.counts_up
        and converter.adc.edge() == 0.0
        and bool(np.all(np.equal(columns.ratio, 1.0)) and np.all(np.equal(columns.shift, 0.0)))
    )


def _plain(macro: Macro) -> bool:
    """Whether a read is a product and a search; noise left out."""
    return (
        macro.crossbar.linear
        and macro.supply == 1.0
        and macro.hardware.wires.noise == "first-order"
        and all(steady(ramp) for _, ramp in macro.ramps)
    )


def _forms(
    macros: tuple[Macro, ...], dtype: type
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """`variance`, `modes` and `signs` of an `Array`; None where the noise is not that of
    independent pairs, or no form of the row voltages."""
    rows = macros[0].shape[0]
    sigma = [m.crossbar.sigma for m in macros]
    if all(s is None or not s.any() for s in sigma):
        return np.empty((rows, 0)), np.empty((rows, 0)), np.empty(0)
    if any(s is None or not s.any() for s in sigma) or not all(
        isinstance(m.hardware.mapping, DifferentialPair) for m in macros
    ):
        return None
    found = [m.crossbar.noise_forms for m in macros]
    if any(each is None for each in found):
        return None
    forms = [each for each in found if each is not None]
    variance = np.concatenate([each.diagonal * each.scale**2 for each in forms], axis=1)
    count = max(each.signs.size // each.diagonal.shape[1] for each in forms)
    modes, signs = _side_by_side(forms, count)
    double = dtype is np.float64
    if not count and np.all(variance == variance[:, :1]):
        return variance[:, :1] if double else 2 * variance[:, :1], modes[:, :0], signs[:0]
    if double:
        return variance, modes, signs
    # One draw a signed column: its variance is that of both lines, and so are its modes.
    order = np.arange(signs.size).reshape(count, variance.shape[1])
    order = np.concatenate((order[:, 0::2], order[:, 1::2])).ravel()
    return variance[:, 0::2] + variance[:, 1::2], modes[:, order], signs[order]


def _side_by_side(
    forms: list[Forms], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Modes (rows, count * lines) and signs (count * lines,) of arrays beside each other [S], the
    first of every line first; those that an array lacks are zero."""
    rows = len(forms[0].diagonal)
    modes, signs = [], []
    for each in forms:
        lines = each.diagonal.shape[1]
        has = each.signs.size // lines
        full = np.zeros((rows, count, lines))
        full[:, :has] = each.modes.reshape(rows, has, lines) * each.scale
        sign = np.ones((count, lines))
        sign[:has] = each.signs.reshape(has, lines)
        modes.append(full)
        signs.append(sign)
    return np.concatenate(modes, axis=2).reshape(rows, -1), np.concatenate(signs, axis=1).ravel()
