"""What every converter at the end of a column has in common, described and programmed."""

from __future__ import annotations

import copy
import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np

from aimc.converters.imperfections import Circuit, Columns, Imperfection, Noise
from aimc.converters.schedule import Schedule
from aimc.converters.waveform import Waveform
from aimc.curves import Curve, curve
from aimc.errors import as_a, as_array, as_count, as_number, as_real, as_rng, must, said
from aimc.kernels.read.crossing import first_crossings
from aimc.parts.condition import AS_WRITTEN, Condition
from aimc.parts.device import Device, branch
from aimc.parts.fields import count, parts, quantity
from aimc.parts.registry import Part, described

if TYPE_CHECKING:
    from aimc.arrays import Array, Codes, Generator

Lead = tuple[int, ...]
Made = TypeVar("Made", bound="Converter")


@dataclass(frozen=True)
class Site:
    """Where a converter stands.

    gain: volts for a pre-activation of one [V]. v_read: nominal voltage of a pulse [V]. c_array:
    feedback capacitor of the columns' integrators [F]. window: they integrate so long [s]. idle_on:
    whether cells that are not pulsed still hang at the virtual ground, as where idle rows are
    grounded.
    """

    gain: float = 1.0
    v_read: float = 0.2
    c_array: float = 1e-12
    window: float = 0.0
    idle_on: bool = True

    def __post_init__(self) -> None:
        for name in ("gain", "v_read", "c_array"):
            as_number(name, getattr(self, name), above=0)
        as_number("window", self.window, minimum=0)


ALONE = Site()
"""A converter by itself: a pre-activation of one is one volt."""


@described
class ADC(Part, ABC, Generic[Made]):
    """The description of a converter, which is programmed as a `Made`."""

    folder = "adcs"

    bits: int = count("resolution", default=5, maximum=16)
    imperfections: tuple[Imperfection, ...] = parts(Imperfection, "what is not ideal", default=())
    t_step: float = quantity("s", "clock period", default=1e-9, above=0)

    def program(
        self,
        function: str | Curve,
        device: Device,
        rng: Generator,
        site: Site = ALONE,
        chips: int | None = None,
    ) -> Made:
        """A converter that applies `function`, made on this chip through `device`.

        chips: make so many at once, as a leading axis of every result; they are for statistics, see
        `aimc.converters.metrics`, and cannot convert. What belongs to columns or to the whole chip
        (offsets, capacitors at the columns, the read voltage) is drawn where a macro is programmed.
        Raises ArgumentError, for a curve that cannot be programmed too.
        """
        as_a("device", device, Device)
        as_rng(rng)
        as_a("site", site, Site)
        lead = () if chips is None else (as_count("chips", chips),)
        return self.make(curve(function), device, rng, site, lead)

    @abstractmethod
    def make(self, curve: Curve, device: Device, rng: Generator, site: Site, lead: Lead) -> Made:
        """As `program`, its arguments checked; lead: the first axes of every result."""

    def calibrated(self, made: Any, rng: Generator, method: str | None) -> Any:
        """`made`, a converter of this description, calibrated again by `method`, None for its own;
        itself where there is no calibration. Raises ArgumentError for a method that it has not."""
        as_a("made", made, Converter)
        as_rng(rng)
        if method is not None:
            rule = f"be None for {type(self).__name__}, which is not calibrated"
            raise must("method", rule, f"is {method!r}")
        return made

    @property
    def resolution(self) -> int:
        """Bits of what decides; `bits` where no table stands between."""
        return self.bits

    @property
    def slot(self) -> float:
        """From one step of the reference to the next [s]."""
        return self.t_step

    def shares(self) -> int | None:
        """How many neighbouring columns share a converter; None: all of one curve."""
        return None

    def circuit(self, site: Site, g_columns: Any, steps: Array, c_ramp: float) -> Circuit:
        """What noise depends on where the reference has no memristors. g_columns (cols,):
        conductance at the columns' virtual grounds [S]; steps (k,) of the reference [V], on c_ramp
        [F]."""
        return Circuit(
            Schedule(self.t_step, window=site.window), start_step=0.0,
            c_array=site.c_array, c_ramp=c_ramp, steps=steps, sigma_steps=np.zeros(steps.shape),
            sigma_start=0.0, g_ramp=0.0, g_array=g_columns, volts=0.0,
        )  # fmt: skip

    def waveform(self, schedule: Schedule | None = None) -> Waveform:
        """How the integrator of a ramp answers its steps; None: one after the other."""
        wave = Waveform(schedule or Schedule(self.t_step))
        for part in self.imperfections:
            wave = as_a(said(part, "waveform"), part.waveform(wave), Waveform)
        return wave

    def decide(self, levels: Array, circuit: Circuit) -> Array:
        """Voltages at which the comparators flip (..., k), given where the levels stand [V]."""
        for part in self.imperfections:
            made = part.decide(levels, circuit)
            levels = as_array(said(part, "decide"), made, levels.shape, empty=True)
        return levels

    def noise(self, circuit: Circuit) -> Noise:
        """What all imperfections add to each read."""
        parts = self.imperfections
        return sum((as_a(said(p, "noise"), p.noise(circuit), Noise) for p in parts), Noise())

    def edge(self) -> float:
        """Standard deviation of the end of each input pulse [s]."""
        return math.hypot(*(as_number(said(p, "edge"), p.edge(), 0) for p in self.imperfections))

    def supply(self, rng: Generator) -> float:
        """Read voltage over its nominal value, drawn once a chip."""
        factor = 1.0
        for part in self.imperfections:
            factor *= as_number(said(part, "supply"), part.supply(rng), above=0)
        return factor


class Table(NamedTuple):
    """A conversion as one search: y = outputs[number of levels that gain u - offset reaches].

    levels (k,), or (cols, k) where each column has its own: rising [V], ties counted as crossed.
    outputs (k + 1,): in the curve's unit. gain, offset [V]: (cols,), or one number for all.
    """

    levels: Array
    outputs: Array
    gain: Any
    offset: Any


def digital(curve: Curve, bits: int, z: Array) -> Array:
    """The curve applied to digital numbers z, on the converter's own codes and outputs."""
    return curve.quantise(z, bits)


@dataclass(frozen=True, eq=False)
class Converter(ABC):
    """A converter as it was made, shared by some columns.

    adc: its description; curve: what it applies; site: where it stands. columns: what tells its
    columns apart; g_columns (cols,): conductance at their virtual grounds [S]. number: which of the
    macro's converters it is. condition: that it is read under. retained: current of the array for
    the same activations, as its cells have aged and warmed up, over what was meant. draws: what
    draws its cells' ageing, None where nothing was drawn yet. compensation: digital factor of the
    pre-activations that its codes stand for, measured under this condition, see `macro.trim`.
    """

    adc: Any
    curve: Curve
    site: Site
    columns: Columns = field(default_factory=Columns, kw_only=True)
    g_columns: Any = field(default=0.0, kw_only=True)
    number: int = field(default=0, kw_only=True)
    condition: Condition = field(default=AS_WRITTEN, kw_only=True)
    retained: float = field(default=1.0, kw_only=True)
    draws: Generator | None = field(default=None, kw_only=True)
    compensation: float = field(default=1.0, kw_only=True)

    apart: ClassVar[bool] = False
    """Whether each column has levels of its own, the first axis of `decisions`."""

    @cached_property
    def decisions(self) -> Array:
        """Voltages at which the comparators flip, one after the other, (..., k) [V]."""
        raise NotImplementedError

    @cached_property
    def levels(self) -> Array:
        """Voltages that the converter compares with, (..., k) [V]."""
        return self.decisions

    @cached_property
    def noise(self) -> Noise:
        """What is drawn anew in each read."""
        return self.adc.noise(self._circuit)

    @cached_property
    def _circuit(self) -> Circuit:
        """What its noise depends on; of what has no ramp."""
        return self.adc.circuit(self.site, self.g_columns, np.zeros(0), math.inf)

    @property
    def c_fb(self) -> float:
        """Feedback capacitor of its ramp's integrator [F]; NaN where it has none."""
        return float("nan")

    @property
    def cells(self) -> int:
        """Memristors that it has."""
        return 0

    @property
    def cell_energy(self) -> float:
        """What its memristors take in one conversion, at their read voltage [J]."""
        return 0.0

    @property
    @abstractmethod
    def periods(self) -> int:
        """Clock periods of a conversion."""

    @property
    def bits(self) -> int:
        """The resolution that it is read with."""
        return self.condition.bits or self.adc.bits

    @property
    def supply(self) -> float:
        """Read voltage over its nominal value."""
        v_read = self.condition.v_read
        return 1.0 if v_read is None else v_read / self.site.v_read

    @property
    def gain(self) -> float:
        """Volts for a pre-activation of one, as meant [V]."""
        return self.site.gain

    @property
    def offset(self) -> Any:
        """The comparators' offsets [V]."""
        return self.columns.offset

    @cached_property
    def thresholds(self) -> Array:
        """Thresholds as built, as pre-activations, comparators' offsets left out, (..., k)."""
        return self.decisions / (self.site.gain * self.common)

    @cached_property
    def common(self) -> float:
        """Volts of the array for a pre-activation of one over those that are meant."""
        return self.retained

    @cached_property
    def crossings(self) -> Array:
        """The highest level so far at each decision, less the tie, (..., k) [V], rising: the code
        of a column that shows u is the number of them that do not exceed u."""
        return np.maximum.accumulate(self.decisions - self._tie, axis=-1)

    @cached_property
    def _tie(self) -> float:
        """How far below a level a voltage still counts as on it, see `Curve.tie` [V]."""
        return self.curve.tie(self.bits) * self.site.gain * self.common

    @property
    def transitions(self) -> Array:
        """The crossings at which the output changes, (..., k) [V], rising."""
        return self.crossings

    @property
    def turns(self) -> bool:
        """Whether the outputs do not simply rise, or fall, with the voltage."""
        codes = np.asarray(self.curve.codes(self.bits))
        return not np.array_equal(codes, np.arange(codes.size))

    @property
    def lsb(self) -> float:
        """Output step of one code, in the curve's unit."""
        return self.curve.lsb(self.bits)

    @cached_property
    def outputs(self) -> Array:
        """The output of each code, (2^bits,): the middle of its interval, or f of `compensation`
        times the pre-activation of that. Raises ArgumentError for a curve that turns, then."""
        y = self.curve.outputs(self.bits)
        if self.compensation == 1.0:
            return y
        if self.turns:
            raise must("curve", "be monotonic to be compensated", f"{self.curve.name} turns")
        return self.curve.f(self.compensation * self.curve.solve(y))

    @cached_property
    def _counter(self) -> Codes | None:
        """The counter's value after each number of crossings; None where it counts straight up."""
        codes = np.asarray(self.curve.codes(self.bits), np.intp)
        return None if np.array_equal(codes, np.arange(codes.size)) else codes

    def counted(self, crossings: Codes) -> Codes:
        """Codes after so many crossings, each 0 to the number of `decisions`."""
        return crossings if self._counter is None else self._counter[crossings]

    def convert(self, u: Any, rng: Generator | None = None) -> Codes:
        """Codes of sampled voltages `u` (..., cols) [V]: the steps made before the first level that
        exceeds what the comparator sees. First crossing, not nearest level; for a curve that
        turns, the counter's value after them. With `rng` the converter's noise is drawn. Raises
        ArgumentError where `u` holds NaN or no numbers.
        """
        return self._codes("u", as_real("u", u), rng, self.columns.offset)

    def __call__(self, x: Any, rng: Generator | None = None) -> Array:
        """Outputs for pre-activations `x` (..., cols), behind an ideal column: f as built."""
        volts = as_real("x", x) * (self.site.gain * self.common)
        return self.outputs[self._codes("x", volts, rng)]

    def _codes(self, name: str, seen: Array, rng: Generator | None, offset: Any = 0.0) -> Codes:
        """Codes of what the comparators see, less their offsets."""
        own, cols = self.decisions.shape[:-1], seen.shape[-1] if seen.ndim else 1
        if own and not self.apart:
            raise must("ramp", "be of one chip to convert", f"is of {own} chips")
        for known in (np.size(offset), *own):
            if known not in (1, cols):
                raise must(name, f"have {known} columns", f"has shape {seen.shape}")
        if np.isnan(seen).any():
            raise must(name, "be a number", "holds NaN")
        if rng is not None:
            as_rng(rng)
        noise = Noise() if rng is None else self.noise
        if rng is not None and np.any(noise.sample):
            seen = seen + noise.sample * rng.standard_normal(seen.shape)
        return self.counted(self._count(seen, offset, noise, rng))

    def _count(self, seen: Array, offset: Any, noise: Noise, rng: Any) -> Codes:
        """Crossings in each conversion; `rng` draws the noise of the ramp and of decisions."""
        cols = max(1, seen.shape[-1]) if seen.ndim else 1
        flat, offsets = np.ascontiguousarray(seen).reshape(-1, cols), np.empty(cols)
        levels, chance = np.ascontiguousarray(self.decisions - self._tie)[None], np.empty((1, 1))
        if noise.start or np.any(noise.steps):
            sigma = np.broadcast_to(noise.steps, (levels.shape[-1] - 1,))
            sigma = np.concatenate(([noise.start], sigma))
            levels = levels + np.cumsum(sigma * rng.standard_normal((len(flat), sigma.size)), 1)
        if noise.decision:
            chance = rng.random(flat.shape)
        offsets[:], code = offset, np.empty(flat.shape, np.int64)
        first_crossings(flat, offsets, levels, noise.decision, chance, code)
        return code.reshape(seen.shape)

    @property
    def quiet(self) -> Table:
        """The conversion of a column's own voltage u as one search, nothing drawn in a read."""
        made, after = self.columns, self.outputs[self.curve.codes(self.bits)]
        return Table(self.transitions, after, made.ratio, made.offset - made.ratio * made.shift)

    def table(self) -> Table | None:
        """`quiet`; None where anything is drawn in a read."""
        return None if self.noise or self.adc.edge() else self.quiet

    @property
    def variance(self) -> Any:
        """Of what is drawn in a read, at an average level: one, or (cols,) [V^2]."""
        return self.noise.decision**2 + np.square(self.noise.sample) + self._wander

    @property
    def _wander(self) -> float:
        """Of levels that keep what is drawn in each step before them, on average [V^2]."""
        count = self.decisions.shape[-1]
        steps = np.broadcast_to(np.square(self.noise.steps), count - 1)
        return self.noise.start**2 + float(np.cumsum(steps).sum()) / count

    def decode(self, code: Any) -> Array:
        """Outputs of codes, in the curve's unit. Raises ArgumentError outside 0 to 2^bits - 1."""
        as_real("code", code)
        code = np.asarray(code)
        if not np.issubdtype(code.dtype, np.integer):
            raise must("code", "be whole numbers", f"has dtype {code.dtype}")
        if code.size and (code.min() < 0 or code.max() >= self.outputs.size):
            raise must(
                "code",
                f"lie in 0 to {self.outputs.size - 1}",
                f"spans {code.min()} to {code.max()}",
            )
        return self.outputs[code]

    def inl(self) -> Array:
        """Integral nonlinearity at each threshold, output-referred [LSB], (..., k).

        INL_k = (f(theta_k as built) - f(theta_k as meant)) / LSB, counted in the direction of the
        codes, against the ideal curve; no line or end points fitted, as `metrics` does.
        """
        edges, directions = self.curve.edges(self.bits), self.curve.directions(self.bits)
        sign = directions if self._counter is not None else -1.0 if self.curve.falling else 1.0
        return sign * (self.curve.f(self.thresholds) - edges) / self.lsb

    def dnl(self) -> Array:
        """Differential nonlinearity of the inner codes, output-referred [LSB], (..., k - 1).

        DNL_k = width_k / LSB - 1, the difference of neighbouring INL.
        """
        return np.diff(self.inl(), axis=-1)

    def shared_by(self, cols: int, rng: Generator, g_columns: Any = 0.0) -> Self:
        """This converter at `cols` columns of a chip, whose comparators and capacitors are drawn.

        g_columns (cols,): conductance at each column's virtual ground [S].
        """
        as_count("cols", cols)
        as_rng(rng)
        made = Columns()
        for part in self.adc.imperfections:
            drawn = part.columns(made, cols, self.site.c_array, rng)
            made = as_a(said(part, "columns"), drawn, Columns)
        return dataclasses.replace(self, columns=made, g_columns=g_columns)

    def under(
        self, condition: Condition, rng: Generator | None = None, retained: float | None = None
    ) -> Self:
        """This converter, as it was written, under `condition` instead of the one it is under.

        rng: draws its cells' ageing; None: as it was drawn before. retained: what the array before
        it conducts over what was meant; None: what `Device.retained` says of cells like its own,
        one where it has none. Raises ArgumentError for bits that it cannot be read with, and for a
        temperature that neither its cells nor `retained` follow.
        """
        as_a("condition", condition, Condition)
        if condition.bits is not None:
            self._resolve(condition.bits)
        if retained is not None:
            as_number("retained", retained, above=0)
        elif condition.temperature is not None and not self.cells:
            rule = f"be None for {type(self.adc).__name__}, which has no cells that follow it"
            raise must("temperature", rule, f"is {condition.temperature!r} K")
        drawn = copy.deepcopy(self.draws) if rng is None else as_rng(rng)
        draws = self.draws
        if rng is not None:
            draws = copy.deepcopy(rng) if condition.age else branch(rng, 2 + self.number)
        own, cells = self._cells_under(condition, drawn)
        return dataclasses.replace(
            self, condition=condition, retained=own if retained is None else retained, draws=draws,
            compensation=1.0, **cells,
        )  # fmt: skip

    def _resolve(self, bits: int) -> None:
        """Raises ArgumentError for bits that it cannot be read with."""
        if bits != self.adc.bits:
            kind = type(self.adc).__name__
            hint = "Only a ramp of cells, RampADC, can be read with fewer bits than it has."
            raise must("bits", f"be {self.adc.bits} or None for {kind}", f"is {bits}", hint)

    def _cells_under(self, condition: Condition, rng: Any) -> tuple[float, dict[str, Any]]:
        """What cells like its own retain, and the fields that hold its cells."""
        return 1.0, {}

    def recalibrated(self, rng: Generator, method: str | None = None) -> Self:
        """Calibrated again at its age, at the nominal read voltage and temperature and with all of
        its bits, by the method of its description or another; itself without calibration."""
        as_rng(rng)
        at = self.condition
        if at.temperature is None and self.supply == 1.0 and self.bits == self.adc.bits:
            return self.adc.calibrated(self, rng, method)
        nominal = Condition(at.age, stored_at=at.stored_at)
        retained = self.retained if at.temperature is None else None
        done = self.adc.calibrated(self.under(nominal, retained=retained), rng, method)
        return done.under(at, retained=self.retained)
