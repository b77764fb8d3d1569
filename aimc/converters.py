"""Converters to compare the ramp with, behind the same interface.

A linear ramp and a SAR resolve the pre-activation itself against a reference of their own, and a
digital table makes f of it: a read voltage that is off is a gain error of theirs. A flash converter
has the curve in its levels, each written into a memristor of its own.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from aimc.adc import ADC, ALONE, Converter, Site
from aimc.curves import Curve, curve
from aimc.errors import as_count, as_number, must
from aimc.imperfections import Circuit, Columns, ComparatorOffset, Noise, Waveform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.device import Device

    Array = NDArray[np.float64]
    Codes = NDArray[np.intp]


@dataclass(frozen=True)
class TableADC(ADC):
    """A converter that is linear in the pre-activation, with a digital table of f behind it.

    table_bits: resolution before the table, bits after it (None: the same). Its 2^table_bits - 1
    levels lie evenly from the curve's first threshold to its last. The table gives each of the
    intervals between them the code of its middle.
    """

    table_bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        as_count("bits", self.bits, 2)
        if self.table_bits is not None:
            as_count("table_bits", self.table_bits, 2, 16)

    @property
    def resolution(self) -> int:
        """Bits before the table."""
        return self.bits if self.table_bits is None else self.table_bits


@dataclass(frozen=True)
class LinearRampADC(TableADC):
    """A ramp of equal steps from a reference of its own, compared with every column, and a table.

    The ramp is preset to its first level and integrates a constant current on a capacitor as large
    as the array's; every imperfection of a ramp acts on it.
    """

    def program(
        self, function: str | Curve, device: Device, rng: np.random.Generator, site: Site = ALONE
    ) -> LinearRamp:
        """The converter; it has no memristors, so nothing is written."""
        return LinearRamp(self, curve(function), site)


@dataclass(frozen=True)
class SARADC(TableADC):
    """Successive approximation with binary-weighted capacitors, an array a column, and a table
    [McCreary and Gray 1975, IEEE JSSC 10, 371].

    unit_mismatch: standard deviation of one unit capacitor over its mean. One of N units has
    sigma / sqrt(N) [Pelgrom et al. 1989, IEEE JSSC 24, 1433]. Of a ramp's imperfections, leakage
    acts from trial to trial, settling on each step of the capacitors, comparator noise on each
    trial; a comparator's delay is part of the clock period.
    """

    unit_mismatch: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        as_number("unit_mismatch", self.unit_mismatch, minimum=0, maximum=0.3)

    def program(
        self, function: str | Curve, device: Device, rng: np.random.Generator, site: Site = ALONE
    ) -> SAR:
        """The converter of one column, its capacitors drawn; `shared_by` draws each column's."""
        made = SAR(self, curve(function), site)
        return dataclasses.replace(made, columns=made.capacitors(Columns(), (), rng))


@dataclass(frozen=True)
class FlashADC(ADC):
    """A comparator a level, levels set by memristors [Nat. Commun. 2025, s41467-025-65233-w].

    The levels are shared by the columns of a curve; each column has its own comparators, each with
    its own offset and noise, and its code is the number of them that are exceeded. Errors of the
    memristors move one level each, and do not add up. reference: "tracking" where the memristors
    are read with the array's read voltage, "fixed" where with a reference of their own.
    """

    reference: Literal["tracking", "fixed"] = "tracking"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference not in ("tracking", "fixed"):
            raise must("reference", "be 'tracking' or 'fixed'", f"is {self.reference!r}")

    def program(
        self, function: str | Curve, device: Device, rng: np.random.Generator, site: Site = ALONE
    ) -> Flash:
        """Writes the levels for `function` through `device`, with the device's errors.

        Level k is G_k = g_min + (g_max - g_min) (theta_k - theta_1) / (theta_n - theta_1).
        """
        c = curve(function)
        theta = c.thresholds(self.bits)
        span = float(np.ptp(theta)) or 1.0
        scale = (device.g_max - device.g_min) / span
        g = device.write(device.g_min + scale * (theta - theta[0]), rng)
        zero = device.g_min - scale * float(theta[0])
        return Flash(self, c, site, device, g, scale, zero)


def _circuit(adc: ADC, site: Site, g_columns: Any, steps: Array, c_ramp: float) -> Circuit:
    """What noise depends on, of a reference without memristors."""
    return Circuit(
        t_step=adc.t_step, t_rest=0.0, window=site.window, start=1, c_array=site.c_array,
        c_ramp=c_ramp, steps=steps, sigma_steps=np.zeros(steps.shape), sigma_start=0.0, g_ramp=0.0,
        g_array=g_columns, volts=0.0,
    )  # fmt: skip


def _late(adc: ADC, circuit: Circuit, decisions: int) -> Array:
    """By how much decisions one clock period apart move, (decisions,) [V]."""
    late = np.zeros(decisions)
    for part in adc.imperfections:
        late = part.decide(late, circuit)
    return late


def _noise(adc: ADC, circuit: Circuit) -> Noise:
    return sum((part.noise(circuit) for part in adc.imperfections), Noise())


def _waveform(adc: ADC) -> Waveform:
    wave = Waveform(adc.t_step)
    for part in adc.imperfections:
        wave = part.waveform(wave)
    return wave


@dataclass(frozen=True, eq=False)
class TableConverter(Converter):
    """A linear converter with its table, as made. `decisions` (..., m) are of all its levels,
    `levels` and `thresholds` (..., k) of those at which the table changes the curve's codes."""

    @property
    def common(self) -> float:
        """The array's volts over those that are meant: they follow the supply, the levels do
        not."""
        return self.supply

    @cached_property
    def grid(self) -> Array:
        """The levels as meant, as pre-activations, (2^table_bits - 1,)."""
        theta = self.curve.thresholds(self.adc.bits)
        return np.linspace(theta[0], theta[-1], 2**self.adc.resolution - 1)

    @property
    def step(self) -> float:
        """From one level to the next, as meant [V]."""
        return float(self.grid[1] - self.grid[0]) * self.site.gain

    @cached_property
    def _middles(self) -> Array:
        half = (self.grid[1] - self.grid[0]) / 2
        return np.append(self.grid - half, self.grid[-1] + half)

    @cached_property
    def _counter(self) -> Codes:
        """The table: the code of each interval between levels, (2^table_bits,)."""
        theta = self.curve.thresholds(self.adc.bits)
        codes = np.asarray(self.curve.codes(self.adc.bits), np.intp)
        return codes[np.searchsorted(theta, self._middles, side="right")]

    @cached_property
    def _changes(self) -> Codes:
        """The level at which the table passes each of the curve's thresholds."""
        theta = self.curve.thresholds(self.adc.bits)
        return np.searchsorted(self._middles, theta, side="left") - 1

    @property
    def levels(self) -> Array:
        return self.decisions[..., self._changes]

    @cached_property
    def thresholds(self) -> Array:
        return self.levels / (self.site.gain * self.common)

    @property
    def memory(self) -> int:
        """Bits of the table."""
        return 2**self.adc.resolution * self.adc.bits

    def __str__(self) -> str:
        worst = np.abs(self.inl()).max(initial=0.0)
        return (
            f"{self.curve.name} at {self.bits} bits: {type(self).__name__} of "
            f"{self.adc.resolution} bits and a table, max |INL| {worst:.2f} LSB"
        )


@dataclass(frozen=True, eq=False)
class LinearRamp(TableConverter):
    """A linear ramp as made."""

    @property
    def periods(self) -> int:
        return 2**self.adc.resolution

    @cached_property
    def decisions(self) -> Array:
        steps, c = np.full(self.grid.size - 1, self.step), self.site.c_array
        current = steps * c / self.adc.t_step
        rise = _waveform(self.adc).levels(np.zeros(1), current, np.zeros(()), c)
        levels = self.grid[0] * self.site.gain + rise
        for part in self.adc.imperfections:
            levels = part.decide(levels, self._circuit)
        return levels

    @cached_property
    def noise(self) -> Noise:
        return _noise(self.adc, self._circuit)

    @cached_property
    def _circuit(self) -> Circuit:
        steps = np.full(self.grid.size - 1, self.step)
        return _circuit(self.adc, self.site, self.g_columns, steps, self.site.c_array)


@dataclass(frozen=True)
class Capacitors(Columns):
    """Columns with a capacitor array each. weights (cols, bits): each capacitor's share of its
    array, the most significant first."""

    weights: Any = 0.0


@dataclass(frozen=True, eq=False)
class SAR(TableConverter):
    """A successive approximation as made; `decisions` are (cols, m) once columns share it."""

    columns: Capacitors = field(default_factory=Capacitors, kw_only=True)

    @property
    def periods(self) -> int:
        """One to sample, one a bit."""
        return self.adc.resolution + 1

    def capacitors(
        self, columns: Columns, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Capacitors:
        """`columns` with capacitors drawn, of so many arrays: 2^(n-1) units to one, and one that
        is never switched."""
        units = 2.0 ** np.append(np.arange(self.adc.resolution)[::-1], 0)
        c = units * (
            1.0
            + self.adc.unit_mismatch / np.sqrt(units) * rng.standard_normal((*shape, units.size))
        )
        weights = c[..., :-1] / c.sum(axis=-1, keepdims=True)
        return Capacitors(columns.offset, columns.ratio, columns.shift, weights)

    def shared_by(self, cols: int, rng: np.random.Generator, g_columns: Any = 0.0) -> Self:
        made = super().shared_by(cols, rng, g_columns)
        drawn = self.capacitors(made.columns, (cols,), rng)
        return dataclasses.replace(made, columns=drawn)

    @cached_property
    def _scaled(self) -> tuple[float, Array, float, Array]:
        """Voltage of no capacitor [V]; of each bit's (..., bits) [V]; what is left of a step at the
        decision; by how much each trial is late (bits,) [V]."""
        low = self.grid[0] * self.site.gain - self.step
        volts = np.asarray(self.columns.weights) * (self.step * 2**self.adc.resolution)
        tau = _waveform(self.adc).tau
        left = math.exp(-self.adc.t_step / tau) if tau else 0.0
        return low, volts, left, _late(self.adc, self._circuit, self.adc.resolution)

    @cached_property
    def decisions(self) -> Array:
        """Where the code passes each value, (..., m) [V], never falling: two voltages part at the
        first trial that they answer differently, where the higher one keeps the bit. A bit whose
        capacitor is too large leaves codes out."""
        low, volts, left, late = self._scaled
        bits, lead = volts.shape[-1], volts.shape[:-1]
        base, held = np.full((*lead, 1), low), np.full((*lead, 1), low)
        floor, roof = np.full((*lead, 1), -np.inf), np.full((*lead, 1), np.inf)
        flips = np.empty((*lead, 2**bits - 1))
        for bit in range(bits):
            trial = base + volts[..., bit : bit + 1]
            held = trial + (held - trial) * left
            flip = np.clip(held + late[bit], floor, roof)
            half = 2 ** (bits - 1 - bit)
            flips[..., half - 1 :: 2 * half] = flip
            base, held = _woven(base, trial), _woven(held, held)
            floor, roof = _woven(floor, flip), _woven(flip, roof)
        return flips

    @cached_property
    def noise(self) -> Noise:
        return _noise(self.adc, self._circuit)

    @property
    def _circuit(self) -> Circuit:
        return _circuit(self.adc, self.site, self.g_columns, np.zeros(0), math.inf)

    def _codes(self, seen: Array, rng: np.random.Generator | None) -> Codes:
        """Codes by trials, all of the batch at once. Noise of the columns' voltages is drawn once,
        that of the comparator in each trial."""
        low, volts, left, late = self._scaled
        noise = Noise() if rng is None else self.noise
        if rng is not None and np.any(noise.sample):
            seen = seen + noise.sample * rng.standard_normal(seen.shape)
        count = np.zeros(seen.shape, np.intp)
        base, held = np.full(seen.shape, low), np.full(seen.shape, low)
        for bit in range(volts.shape[-1]):
            trial = base + volts[..., bit]
            held = trial + (held - trial) * left
            flip = held + late[bit]
            if rng is not None and noise.decision:
                flip = flip + noise.decision * rng.standard_normal(seen.shape)
            kept = seen >= flip
            base = np.where(kept, trial, base)
            count = 2 * count + kept
        return self._counter[count]


def _woven(even: Array, odd: Array) -> Array:
    """Entries of both in turn along the last axis."""
    return np.stack((even, odd), axis=-1).reshape(*even.shape[:-1], -1)


@dataclass(frozen=True)
class Comparators(Columns):
    """Columns with a comparator a level each. late (cols, k): each one's offset [V]."""

    late: Any = 0.0


@dataclass(frozen=True, eq=False)
class Flash(Converter):
    """A flash converter as made.

    g (k,): conductance that makes each level [S]; scale: siemens for a pre-activation of one; zero:
    conductance of a pre-activation of zero, where it is subtracted [S]. t: age [s].
    """

    device: Device
    g: Array
    scale: float
    zero: float
    columns: Comparators = field(default_factory=Comparators, kw_only=True)
    t: float = field(default=0.0, kw_only=True)

    @property
    def periods(self) -> int:
        return 1

    @property
    def cells(self) -> int:
        return self.g.size

    def shared_by(self, cols: int, rng: np.random.Generator, g_columns: Any = 0.0) -> Self:
        made = super().shared_by(cols, rng, g_columns)
        late = np.zeros((cols, self.g.size))
        for part in self.adc.imperfections:
            if isinstance(part, ComparatorOffset):
                late = late + rng.normal(0.0, part.std, late.shape)
        own = Comparators(0.0, made.columns.ratio, made.columns.shift, late)
        return dataclasses.replace(made, columns=own)

    def _over(self, g: Array, supply: float) -> tuple[Array, float]:
        """Mean conductance of cells [S] read at `supply` times the nominal voltage, over that
        voltage, and the factor they share: their sum over that of `g`."""
        if self.device.iv is None:
            return g * supply, supply
        v = self.site.v_read
        seen = self.device.iv.evaluate(g, np.full_like(g, v * supply))[0] / v
        return seen, float(seen.sum() / g.sum()) if g.sum() else supply

    @cached_property
    def common(self) -> float:
        """The array's volts over those that are meant: its cells are taken to share what these
        cells do at the array's read voltage."""
        return self._over(self.g, self.supply)[1]

    @cached_property
    def shared(self) -> Array:
        """The levels that the memristors make, (k,) [V]."""
        supply = self.supply if self.adc.reference == "tracking" else 1.0
        seen, factor = self._over(self.g, supply)
        return (seen - self.zero * factor) * (self.site.gain / self.scale)

    @cached_property
    def levels(self) -> Array:
        """Voltages that the comparators compare with, in their order, (..., k) [V]."""
        return self.shared + self.columns.late + _late(self.adc, self._circuit, 1)

    @cached_property
    def decisions(self) -> Array:
        """The levels in rising order, at which the number of those exceeded changes."""
        return np.sort(self.levels, axis=-1)

    @cached_property
    def noise(self) -> Noise:
        return _noise(self.adc, self._circuit)

    @cached_property
    def _circuit(self) -> Circuit:
        none = np.zeros(self.g.size)
        circuit = _circuit(self.adc, self.site, self.g_columns, none, math.inf)
        sigma = self.device.read_sigma(self.g, self.t)
        return dataclasses.replace(
            circuit, sigma_steps=sigma, volts=self.site.gain / self.scale
        )  # fmt: skip

    def _codes(self, seen: Array, rng: np.random.Generator | None) -> Codes:
        """Comparators exceeded. A read draws each column's voltage, each level's memristor for all
        columns, and each comparator."""
        noise = Noise() if rng is None else self.noise
        reads = np.broadcast_to(noise.steps, self.g.shape)
        if rng is not None and np.any(noise.sample):
            seen = seen + noise.sample * rng.standard_normal(seen.shape)
        count = np.zeros(seen.shape, np.intp)
        for k, sigma in enumerate(reads):
            level = self.levels[..., k]
            if rng is not None and sigma:
                level = level + sigma * rng.standard_normal((*seen.shape[:-1], 1)[: seen.ndim])
            if rng is not None and noise.decision:
                level = level + noise.decision * rng.standard_normal(seen.shape)
            count += seen >= level
        return count if self._counter is None else self._counter[count]

    def aged(self, t: float, rng: np.random.Generator) -> Flash:
        """The converter `t` seconds after programming: its cells drift as the array's do."""
        return dataclasses.replace(self, g=self.device.age(self.g, t, rng), t=float(t))

    def heated(self, temperature: float) -> Flash:
        """The converter at `temperature` [K]."""
        return dataclasses.replace(self, g=self.device.heated(self.g, temperature))

    def __str__(self) -> str:
        worst = np.abs(self.inl()).max(initial=0.0)
        return (
            f"{self.curve.name} at {self.bits} bits: {self.cells} comparators, levels in "
            f"memristors, max |INL| {worst:.2f} LSB"
        )
