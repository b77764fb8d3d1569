"""What keeps a converter from its ideal, one part each: the equation, and where it comes from.

A converter's `imperfections` is a tuple of these. Each acts where its physics does: on the columns
as they are made, on the ramp's waveform, on the comparators' decisions, or as noise of each read. A
strength of zero changes no code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.parts.fields import quantity
from aimc.parts.registry import Part, registered
from aimc.units import BOLTZMANN

if TYPE_CHECKING:
    from aimc.arrays import Array, Generator
    from aimc.converters.schedule import Schedule
    from aimc.converters.waveform import Waveform


@dataclass(frozen=True)
class Columns:
    """What tells the columns of a chip apart; every field (cols,), or one number for all.

    For the ideal integrator's u, ratio (u + shift) is sampled, and the comparator flips where the
    ramp exceeds that less its offset [V].
    """

    offset: Any = 0.0
    ratio: Any = 1.0
    shift: Any = 0.0

    def sampled(self, u: Array) -> Array:
        """Voltages (..., cols) that are held for the comparators [V]."""
        return self.ratio * (u + self.shift)


@dataclass(frozen=True)
class Circuit:
    """What noise depends on. start_step: what the last pulse before the first level adds to the
    ramp [V]; c_array, c_ramp [F]; steps (k,): the ramp's steps [V]; sigma_steps (k,) and
    sigma_start: read noise of the conductance pulsed in each and before them [S]; g_ramp and
    g_array (cols,): conductance attached to each virtual ground throughout [S]; volts: of the ramp
    for one siemens and period [V/S]."""

    schedule: Schedule
    start_step: float
    c_array: float
    c_ramp: float
    steps: Array
    sigma_steps: Array
    sigma_start: float
    g_ramp: float
    g_array: Any
    volts: float


@dataclass(frozen=True)
class Noise:
    """Standard deviations in one read [V]; parts add in quadrature.

    decision: of each comparison; sample (cols,): of each column's voltage; start: of the whole
    ramp; steps: (k,) of each step, which all later levels keep. Start and steps are shared by the
    columns.
    """

    decision: float = 0.0
    sample: Any = 0.0
    start: float = 0.0
    steps: Any = 0.0

    def __add__(self, other: Noise) -> Noise:
        return Noise(
            math.hypot(self.decision, other.decision),
            np.hypot(self.sample, other.sample),
            math.hypot(self.start, other.start),
            np.hypot(self.steps, other.steps),
        )

    def __bool__(self) -> bool:
        return bool(
            self.decision or np.any(self.sample) or self.start or np.any(self.steps)
        )  # fmt: skip


class Imperfection(Part):
    """One thing that is not ideal. Each subclass overrides what it takes part in."""

    def columns(self, made: Columns, cols: int, c_array: float, rng: Generator) -> Columns:
        """`made` with what this adds to `cols` columns, drawn once a chip."""
        return made

    def waveform(self, ramp: Waveform) -> Waveform:
        """How the ramp's integrator answers, with this."""
        return ramp

    def decide(self, levels: Array, circuit: Circuit) -> Array:
        """Voltages at which the comparators flip, given where they would, (..., k) [V]."""
        return levels

    def noise(self, circuit: Circuit) -> Noise:
        """What this adds to each read."""
        return Noise()

    def edge(self) -> float:
        """Standard deviation of the end of each input pulse [s]."""
        return 0.0

    def supply(self, rng: Generator) -> float:
        """Read voltage over its nominal value, drawn once a chip."""
        return 1.0


@registered("comparator-offset")
class ComparatorOffset(Imperfection):
    """Each column's comparator flips where the ramp exceeds u_j - o_j, o_j ~ N(0, std) [V], fixed
    once made: mismatch of the input pair [Pelgrom et al. 1989, IEEE JSSC 24, 1433]."""

    std: float = quantity("V", "standard deviation of the offset", minimum=0)

    def columns(self, made: Columns, cols: int, c_array: float, rng: Generator) -> Columns:
        return replace(made, offset=made.offset + rng.normal(0.0, self.std, cols))


@registered("comparator-noise")
class ComparatorNoise(Imperfection):
    """Independent Gaussian error of each decision, std [V] at the input: thermal noise of the
    comparator, sampled once a clock period [variances of independent draws add]."""

    std: float = quantity("V", "standard deviation at the input", minimum=0)

    def noise(self, circuit: Circuit) -> Noise:
        return Noise(decision=self.std)


@registered("comparator-delay")
class ComparatorDelay(Imperfection):
    """The comparator shows what stood at its input `delay` [s] before: level_k becomes
    v(t_k - delay), the ramp straight while it is pulsed and still while it rests [by definition of
    a pure delay]."""

    delay: float = quantity("s", "from input to output", minimum=0)

    def decide(self, levels: Array, circuit: Circuit) -> Array:
        count = levels.shape[-1]
        place = np.maximum(np.arange(count) - circuit.schedule.levels_before(self.delay), 0.0)
        low = np.minimum(place.astype(np.int64), max(count - 2, 0))
        share = place - low
        high = np.minimum(low + 1, count - 1)
        return levels[..., low] + share * (levels[..., high] - levels[..., low])


@registered("comparator-hysteresis")
class ComparatorHysteresis(Imperfection):
    """A comparator that stands low flips half the `width` [V] above the other input, and back half
    below; every conversion begins low, so that its levels are half a width late [definition of the
    width]."""

    width: float = quantity("V", "between the two flips", minimum=0)

    def decide(self, levels: Array, circuit: Circuit) -> Array:
        return levels - self.width / 2


@registered("finite-gain")
class FiniteGain(Imperfection):
    """Amplifiers of DC gain A: the array's charge makes A / (1 + A) of its voltage; the ramp's
    cells hang at its virtual ground and leak besides, see `Waveform` [charge balance at a node
    that stands at -v / A]. The array's cells do not: the mirrors that subtract one column of a pair
    from the other stand between them and the integrator, and copy their current and its noise."""

    gain: float = quantity("1", "at DC", above=1)

    def columns(self, made: Columns, cols: int, c_array: float, rng: Generator) -> Columns:
        return replace(made, ratio=made.ratio / (1.0 + 1.0 / self.gain))

    def waveform(self, ramp: Waveform) -> Waveform:
        return replace(ramp, gain=1.0 / (1.0 / ramp.gain + 1.0 / self.gain))


@registered("settling")
class Settling(Imperfection):
    """The ramp reaches the comparators through a lag of `tau` [s]: what remains of a step after a
    time t falls as e^(-t / tau) [response of one pole]. An amplifier of unity-gain frequency f and
    feedback factor b has tau = 1 / (2 pi f b)."""

    tau: float = quantity("s", "time constant", minimum=0)

    def waveform(self, ramp: Waveform) -> Waveform:
        return replace(ramp, tau=ramp.tau + self.tau)


@registered("capacitor-mismatch")
class CapacitorMismatch(Imperfection):
    """Each column's feedback capacitor is C (1 + e_j) where the ramp's is as meant,
    e_j ~ N(0, std): a gain error 1 / (1 + e_j) [Pelgrom et al. 1989, IEEE JSSC 24, 1433]."""

    std: float = quantity("1", "relative standard deviation", minimum=0, maximum=0.3)

    def columns(self, made: Columns, cols: int, c_array: float, rng: Generator) -> Columns:
        return replace(made, ratio=made.ratio / (1.0 + rng.normal(0.0, self.std, cols)))


@registered("thermal-noise")
class ThermalNoise(Imperfection):
    """Johnson noise at `temperature` [K]: kT/C of each reset capacitor, and of the conductances at
    each virtual ground a charge of variance 2 k T G t [Nyquist 1928, Phys. Rev. 32, 110, for
    a white current of spectral density 4 k T G]."""

    temperature: float = quantity("K", "of the circuit", default=300.0, minimum=0)

    def noise(self, circuit: Circuit) -> Noise:
        kt, times = BOLTZMANN * self.temperature, circuit.schedule
        charge = 2.0 * kt * circuit.g_ramp
        return Noise(
            sample=np.sqrt(
                kt / circuit.c_array
                + 2.0 * kt * np.asarray(circuit.g_array) * times.window / circuit.c_array**2
            ),
            start=math.sqrt(kt / circuit.c_ramp + charge * times.first / circuit.c_ramp**2),
            steps=np.full(circuit.steps.shape, math.sqrt(charge * times.slot) / circuit.c_ramp),
        )


@registered("charge-injection")
class ChargeInjection(Imperfection):
    """The sampling switch leaves a charge on each column's capacitor: u moves by q_j / C_array,
    q_j ~ N(charge, std) [C] [Wegmann, Vittoz and Rahali 1987, IEEE JSSC 22, 1091]."""

    charge: float = quantity("C", "mean")
    std: float = quantity("C", "spread from column to column", default=0.0, minimum=0)

    def columns(self, made: Columns, cols: int, c_array: float, rng: Generator) -> Columns:
        q = self.charge + (rng.normal(0.0, self.std, cols) if self.std else 0.0)
        return replace(made, shift=made.shift + q / c_array)


@registered("leakage")
class Leakage(Imperfection):
    """The held voltage droops while the ramp runs, by current t / C_array, current [A] positive
    where it falls; the ramp stands at its start when it is sampled [i = C dv/dt]."""

    current: float = quantity("A", "positive where the voltage falls")

    def decide(self, levels: Array, circuit: Circuit) -> Array:
        times = circuit.schedule.decisions(levels.shape[-1])
        return levels + self.current * times / circuit.c_array


@registered("clock-jitter")
class ClockJitter(Imperfection):
    """Each pulse is t + d long, d ~ N(0, std) [s], anew in every read: a step of the ramp changes
    by its share d / t_step, which all later levels keep and all columns share; the pulses before
    the first level end at one edge, all d late; an input pulse ends d late, which all columns of
    its row share [charge of a current that lasts d longer]."""

    std: float = quantity("s", "standard deviation of a pulse", minimum=0)

    def noise(self, circuit: Circuit) -> Noise:
        share = self.std / circuit.schedule.t_step
        return Noise(start=abs(circuit.start_step) * share, steps=np.abs(circuit.steps) * share)

    def edge(self) -> float:
        return self.std


@registered("read-voltage-error")
class ReadVoltageError(Imperfection):
    """The chip's read voltage is V_read (1 + e), e ~ N(0, std), in array and ramp alike [Ohm's law:
    both currents are in proportion to it, as far as the cells are linear]."""

    std: float = quantity("1", "relative standard deviation", minimum=0, maximum=0.3)

    def supply(self, rng: Generator) -> float:
        return 1.0 + rng.normal(0.0, self.std)


@registered("ramp-read-noise")
class RampReadNoise(Imperfection):
    """The ramp's cells have the read noise of the device, anew in every read; a cell's error is
    kept by all later levels and shared by all columns [charge of each pulsed cell, Q = g V t]."""

    def noise(self, circuit: Circuit) -> Noise:
        return Noise(
            start=circuit.sigma_start * circuit.volts, steps=circuit.sigma_steps * circuit.volts
        )
