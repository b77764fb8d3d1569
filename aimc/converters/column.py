"""The column of cells that makes a ramp: its charges, its levels, its noise, as it stands."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.converters.base import Converter
from aimc.converters.design import bias_design
from aimc.converters.imperfections import Circuit
from aimc.converters.schedule import Schedule
from aimc.crossbar import Crossbar
from aimc.errors import as_count
from aimc.parts.device import Cells
from aimc.parts.effects import limited

if TYPE_CHECKING:
    from aimc.arrays import Array, Codes, Generator, NDArray
    from aimc.converters.waveform import Waveform
    from aimc.parts.condition import Condition
    from aimc.parts.device import Device


@dataclass(frozen=True)
class Report:
    """What a calibration did. before, after (...,): worst |INL| of each chip [LSB]; writes (...,):
    cells written again; reads: reads of cells; memory: bits that say when bias cells are pulsed."""

    method: str
    before: Array
    after: Array
    writes: Array
    reads: int
    memory: int

    def __str__(self) -> str:
        return (
            f"{self.method}: mean worst |INL| {np.mean(self.before):.3f} -> "
            f"{np.mean(self.after):.3f} LSB, {np.mean(self.writes):.3g} writes, "
            f"{self.reads} reads, {self.memory} bits of memory"
        )


@dataclass(frozen=True, eq=False)
class ProgrammedRamp(Converter):
    """A ramp column as its cells stand; of many chips where the arrays have a leading axis.

    g_steps (..., cells) [S]: the ramp's cells in the order of their steps, `counts` of them pulsed
    together in each; g_bias (..., bias_cells) [S]. pulses (..., bias_cells, k): clock periods that
    each bias cell is on before each level, negative where against the ramp. scale: conductance for
    a pre-activation step of one [S]. report: of its last calibration. written: ramp and bias cells
    as they were written, None: as they stand; dead: which of either are. Read with fewer bits,
    2^(n - bits) of the steps are pulsed at once: the ramp stands at every so-many-th of its levels
    and takes less time.
    """

    device: Device
    g_steps: Array
    counts: NDArray[np.int64]
    g_bias: Array
    pulses: NDArray[np.int64]
    scale: float
    report: Report | None = None
    written: tuple[Cells, Cells] | None = field(default=None, kw_only=True)
    dead: tuple[Any, Any] = field(default=(False, False), kw_only=True)

    @property
    def age(self) -> float:
        """Since it was programmed, see `Device.equivalent_age` [s]."""
        return self.device.equivalent_age(self.condition)

    @cached_property
    def goal(self) -> Array:
        """Thresholds as meant, (k,), at the resolution that was programmed."""
        return self.curve.thresholds(self.adc.bits)

    @property
    def cells(self) -> int:
        """Cells of one column, spares included."""
        return self.g_steps.shape[-1] + self.g_bias.shape[-1] + self.adc.spare_cells

    @property
    def periods(self) -> int:
        """Clock periods of a conversion: one a level, at least the counter's 2^bits. The ramp is
        brought to its start while the array integrates, on an integrator of its own."""
        return max(2**self.bits, self._kept.size)

    @property
    def cell_energy(self) -> float:
        """sum v i(v) t_step over the pulses of one conversion, to the last level that is read
        [J]."""
        steps, bias = self.pulsed
        last = self._kept[-1]
        on = np.abs(self.pulses[..., : last + 1]).sum(axis=-1) * bias
        total = float(steps[..., : self.counts[:last].sum()].sum() + on.sum())
        return total * self.site.v_read**2 * self.supply * self.adc.t_step

    @property
    def c_fb(self) -> float:
        """Feedback capacitor of the ramp's integrator [F], which makes its volts the array's."""
        return self.site.v_read * self.adc.t_step * self.scale / self.site.gain

    @cached_property
    def bias_plan(self) -> tuple[Array, NDArray[np.int64]]:
        """Targets [S] and signed pulses (bias_cells,) with which the bias cells were written."""
        start = float(self.goal[0] * self.scale)
        return bias_design(self.adc.calibration, start, self.g_bias.shape[-1], self.device)

    @cached_property
    def pulsed(self) -> tuple[Array, Array]:
        """Mean conductance of each ramp cell and bias cell while it is pulsed [S], over the nominal
        read voltage: current-voltage curve, wires and supply included.

        A pulsed cell has the whole read voltage across it and its column, all other rows stand at
        0 V. The column is read through its wires as a crossbar of one column of its own.
        """
        g = np.concatenate((self.g_steps, self.g_bias), axis=-1)
        if self.adc.wires is not None:
            v = self.site.v_read * self.supply
            flat = g.reshape(-1, g.shape[-1])
            seen = [
                Crossbar(
                    np.ascontiguousarray(each[:, None]), self.adc.wires, iv=self.device.iv
                ).read(np.diag(np.full(each.size, v)))[:, 0]
                for each in flat
            ]
            g = np.reshape(seen, g.shape) / self.site.v_read
        else:
            g = self.device.pulsed(g, self.site.v_read, self.supply)
        edge = self.g_steps.shape[-1]
        return g[..., :edge], g[..., edge:]

    @cached_property
    def common(self) -> float:
        """The array's volts over those that are meant: what its cells share with the ramp's, so
        that it cancels."""
        return self.large_signal * self.retained

    @cached_property
    def large_signal(self) -> float:
        """By what factor pulsed cells carry more than their small-signal conductance at the nominal
        read voltage."""
        if self.device.iv is None:
            return self.supply
        v = self.site.v_read * self.supply
        current = self.device.iv.evaluate(self.g_steps, np.full_like(self.g_steps, v))[0]
        total = self.g_steps.sum()
        return float(current.sum() / (total * self.site.v_read)) if total else self.supply

    @cached_property
    def _kept(self) -> Codes:
        """Which of the programmed levels the resolution that is read takes."""
        if self.bits == self.adc.bits:
            return np.arange(self.goal.size)
        gaps = np.abs(self.goal - self.curve.thresholds(self.bits)[:, None])
        return gaps.argmin(axis=1)

    def _merged(self, steps: Array) -> tuple[Array, Array]:
        """Sums of what belongs to each programmed step (..., k - 1): of those that the resolution
        takes before its first level (...,), and of those of each of its steps."""
        kept, padded = self._kept, np.concatenate((steps, np.zeros((*steps.shape[:-1], 1))), -1)
        sums = np.add.reduceat(padded, kept, axis=-1)[..., :-1]
        return padded[..., : kept[0]].sum(axis=-1), sums

    def _stepped(self, cells: Array, bias: Array, pulses: NDArray[Any]) -> tuple[Array, Array]:
        """Sums over the cells pulsed in each step, ramp cells (..., cells) and bias cells with the
        weight of their pulses, merged as the resolution asks."""
        begins = np.concatenate(([0], np.cumsum(self.counts)))[:-1].astype(np.int64)
        steps = np.add.reduceat(cells, begins, axis=-1) if begins.size else cells[..., :0]
        return self._merged(steps + np.einsum("...b,...bk->...k", bias, pulses[..., 1:]))

    @cached_property
    def _charges(self) -> tuple[Array, Array]:
        """Conductance times sign pulsed in each period, before the first level and after [S]."""
        steps, bias = self.pulsed
        skipped, after = self._stepped(steps, bias, self.pulses)
        count = self.pulses[..., 0]
        # All end together, so that the longest begins first.
        periods = np.arange(int(np.abs(count).max(initial=1)))[::-1, None]
        on = np.sign(count)[..., None, :] * (np.abs(count)[..., None, :] > periods)
        start = np.einsum("...b,...pb->...p", bias, on)
        if self._kept[0]:
            start = np.concatenate((start, skipped[..., None]), axis=-1)
        return start, after

    @property
    def programmed(self) -> Array:
        """Thresholds that the cells alone make, (..., k), less what they share with the array."""
        start, steps = self._charges
        charge = np.concatenate((start.sum(axis=-1, keepdims=True), steps), axis=-1)
        return np.cumsum(charge, axis=-1) / (self.scale * self.common)

    @cached_property
    def levels(self) -> Array:
        """Voltages at which the ramp stands, one after the other, (..., k) [V]."""
        start, steps = (each * self.site.v_read for each in self._charges)
        return self.waveform.levels(start, steps, self._attached, self.c_fb)

    @cached_property
    def decisions(self) -> Array:
        return self.adc.decide(self.levels, self._circuit)

    @property
    def schedule(self) -> Schedule:
        """When its pulses come and its comparators decide."""
        start = self._charges[0].shape[-1]
        return Schedule(self.adc.t_step, self.adc.t_rest, start, self.site.window)

    @cached_property
    def waveform(self) -> Waveform:
        """How the ramp's integrator answers its pulses."""
        return self.adc.waveform(self.schedule)

    @property
    def _attached(self) -> Array:
        """Conductance at the virtual ground throughout (...,) [S]."""
        g = self.g_steps.sum(axis=-1) + self.g_bias.sum(axis=-1)
        return g if self.site.idle_on else 0.0 * g

    @cached_property
    def _circuit(self) -> Circuit:
        volts = self.site.v_read * self.adc.t_step / self.c_fb
        _, steps = self._charges
        cells, bias = (
            self.device.read_sigma(each.g, self.age, each.dead) ** 2 for each in self.now
        )
        last = (self.pulsed[1] * np.sign(self.pulses[..., 0])).sum(axis=-1)
        skipped, variance = self._stepped(cells, bias, self.pulses**2)
        first = skipped + (bias * self.pulses[..., 0] ** 2).sum(axis=-1)
        return Circuit(
            self.schedule,
            start_step=float(np.mean(last)) * volts,
            c_array=self.site.c_array, c_ramp=self.c_fb,
            steps=steps * volts, sigma_steps=np.sqrt(variance),
            sigma_start=float(np.sqrt(np.mean(first))), g_ramp=float(np.mean(self._attached)),
            g_array=self.g_columns, volts=volts,
        )  # fmt: skip

    @property
    def now(self) -> tuple[Cells, Cells]:
        """Ramp and bias cells as they stand, taken as written now."""
        pairs = zip((self.g_steps, self.g_bias), self.dead, strict=True)
        steps, bias = (Cells(g, self.age, dead) for g, dead in pairs)
        return steps, bias

    def averaged(self, g: Array, rng: Generator, reads: int, dead: Any) -> Array:
        """Conductances [S] as so many reads of each cell, averaged, see them."""
        if not self.device.on_read:
            return g
        sigma = self.device.read_sigma(g, self.age, dead) / math.sqrt(reads)
        return limited(g, sigma * rng.standard_normal(g.shape))

    def measured(self, rng: Generator, reads: int) -> ProgrammedRamp:
        """The ramp as so many reads of each cell, averaged, see it."""
        g_steps, g_bias = (self.averaged(each.g, rng, reads, each.dead) for each in self.now)
        return dataclasses.replace(self, g_steps=g_steps, g_bias=g_bias)

    def rewritten(self, steps: Any = False, bias: Any = False, **cells: Any) -> ProgrammedRamp:
        """With other `g_steps`, `g_bias` or `pulses`; steps, bias: which cells are written now. The
        dead ones stay as they are."""
        done = dataclasses.replace(self, **cells)
        new = [
            np.where(was.dead, was.g, each.g) for was, each in zip(self.now, done.now, strict=True)
        ]
        parts = zip(self._past, self.now, (steps, bias), new, strict=True)
        written = tuple(
            past.rewritten(there & ~now.dead, g, self.age) for past, now, there, g in parts
        )
        return dataclasses.replace(done, g_steps=new[0], g_bias=new[1], written=written)

    @property
    def _past(self) -> tuple[Cells, Cells]:
        return self.now if self.written is None else self.written

    def _resolve(self, bits: int) -> None:
        as_count("bits", bits, 1, self.adc.bits)

    def _cells_under(self, condition: Condition, rng: Any) -> tuple[float, dict[str, Any]]:
        steps, bias = (each.under(self.device, condition, rng) for each in self._past)
        dead = steps.dead, bias.dead
        cells = {"g_steps": steps.g, "g_bias": bias.g, "written": self._past, "dead": dead}
        return self.device.retained(condition), cells

    def __str__(self) -> str:
        return (
            f"{self.curve.name} at {self.bits} bits: {self.g_steps.shape[-1]} ramp and "
            f"{self.g_bias.shape[-1]} bias cells, "
            f"max |INL| {np.abs(self.inl()).max(initial=0.0):.2f} LSB"
        )
