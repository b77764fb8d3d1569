"""A memristor technology: its range, and what happens to a cell on writing, on reading, with age.

An `Effect` takes conductances and gives conductances. A new one is one frozen class here and one
line in the card table (`aimc.cards`). All conductances are in siemens, all times in seconds.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import as_array, as_number, as_rng, must
from aimc.parts.ivcurve import IVCurve
from aimc.units import BOLTZMANN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aimc.parts.condition import Condition

    Array = NDArray[np.float64]


_SPREAD = 1001  # cells


class Effect(ABC):
    """Conductances in, conductances out.

    `g` has any shape [S]; `g_max` is the device's upper end [S], which published statistics are
    normalised to; `t` is the time since programming [s]. The result has the shape of `g`; `g` is
    left as it was; the same generator state gives the same result.
    """

    @abstractmethod
    def __call__(self, g: Array, rng: np.random.Generator, g_max: float, t: float) -> Array: ...


class Noise(Effect):
    """An effect that adds an independent, zero-mean Gaussian error to every cell."""

    @abstractmethod
    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        """Standard deviation of the error at conductance `g` [S]."""

    def __call__(self, g: Array, rng: np.random.Generator, g_max: float, t: float) -> Array:
        return g + self.sigma(g, g_max, t) * rng.standard_normal(g.shape)


@dataclass(frozen=True)
class WriteError(Noise):
    """Gaussian programming error of one standard deviation for every target, sigma [S]."""

    std: float

    def __post_init__(self) -> None:
        as_number("std", self.std, minimum=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        return np.full_like(g, self.std)


@dataclass(frozen=True)
class WriteVerify(Effect):
    """Write-verify that stops inside a window: error uniform in +-tolerance [S].

    Measured so on Pt/TaOx/Ta cells with a 5 uS window: standard deviation 5/sqrt(3) uS, not
    Gaussian [Nat. Commun. 2025, s41467-025-65233-w, source data].
    """

    tolerance: float

    def __post_init__(self) -> None:
        as_number("tolerance", self.tolerance, minimum=0)

    def __call__(self, g: Array, rng: np.random.Generator, g_max: float, t: float) -> Array:
        return g + rng.uniform(-self.tolerance, self.tolerance, g.shape)


@dataclass(frozen=True)
class PolynomialWriteError(Noise):
    """Gaussian programming error whose sigma is a polynomial of the target.

    sigma = (g_max / g_ref) max(0, sum_k c_k r^k), r = g / g_max, with the coefficients c_k [S]
    as published for a device of range g_ref [S]. Beyond r = 1 the polynomial is held at r = 1.
    """

    coefficients: tuple[float, ...]
    g_ref: float

    def __post_init__(self) -> None:
        _check_coefficients("coefficients", self.coefficients)
        as_number("g_ref", self.g_ref, above=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        return _polynomial(self.coefficients, g, g_max) * (g_max / self.g_ref)


@dataclass(frozen=True)
class StuckAt(Effect):
    """A random fraction of the cells holds conductance `g` [S] whatever was written."""

    fraction: float
    g: float = 0.0

    def __post_init__(self) -> None:
        as_number("fraction", self.fraction, minimum=0, maximum=1)
        as_number("g", self.g, minimum=0)

    def __call__(self, g: Array, rng: np.random.Generator, g_max: float, t: float) -> Array:
        return np.where(rng.random(g.shape) < self.fraction, self.g, g)


@dataclass(frozen=True)
class ReadNoise(Noise):
    """White noise of each read: sigma^2 = std^2 + (relative g)^2, std in [S]."""

    std: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        as_number("std", self.std, minimum=0)
        as_number("relative", self.relative, minimum=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        return np.hypot(self.std, self.relative * g)


@dataclass(frozen=True)
class FlickerReadNoise(Noise):
    """1/f noise of a read at time t after programming, as published for PCM.

    sigma = |g| Q sqrt(ln((t + t_read) / (2 t_read))), Q = min(q / max(r^p, 1e-3), q_max),
    r = g / g_max [Joshi et al. 2020; Nandakumar et al. 2019; constants of aihwkit's PCM model].
    The logarithm is held at zero for t < t_read.
    """

    q: float = 0.0088
    power: float = 0.65
    q_max: float = 0.2
    t_read: float = 250e-9

    def __post_init__(self) -> None:
        as_number("t_read", self.t_read, above=0)
        for name in ("q", "power", "q_max"):
            as_number(name, getattr(self, name), minimum=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        r = np.abs(g) / g_max
        q = np.minimum(self.q / np.maximum(r**self.power, 1e-3), self.q_max)
        growth = max(0.0, np.log((t + self.t_read) / (2 * self.t_read)))
        return np.abs(g) * q * np.sqrt(growth)


@dataclass(frozen=True)
class Drift(Effect):
    """Power-law drift, g(t) = g (t / t_0)^(-nu), nu ~ N(nu, nu_std) a cell [Joshi 2020, eq. 3].

    `t` up to t_0 [s] changes nothing. `nu` may depend on the conductance: nu = clip(nu +
    nu_slope ln r, *nu_limits), and nu_std likewise, r = g / g_max, as published for PCM.
    """

    nu: float
    nu_std: float = 0.0
    t_0: float = 1.0
    nu_slope: float = 0.0
    nu_limits: tuple[float, float] = (0.0, float("inf"))
    nu_std_slope: float = 0.0
    nu_std_limits: tuple[float, float] = (0.0, float("inf"))

    def __post_init__(self) -> None:
        as_number("t_0", self.t_0, above=0)
        for name in ("nu", "nu_std", "nu_slope", "nu_std_slope"):
            as_number(name, getattr(self, name))
        for name in ("nu_limits", "nu_std_limits"):
            low, high = getattr(self, name)
            if not low <= high:
                raise must(name, "rise", f"is ({low}, {high})")

    def __call__(self, g: Array, rng: np.random.Generator, g_max: float, t: float) -> Array:
        z = rng.standard_normal(g.shape)
        if t <= self.t_0:
            return g.copy()
        log_r = np.log(np.maximum(g / g_max, 1e-12))
        mean = np.clip(self.nu + self.nu_slope * log_r, *self.nu_limits)
        std = np.clip(self.nu_std + self.nu_std_slope * log_r, *self.nu_std_limits)
        return g * (t / self.t_0) ** -(mean + std * z)


@dataclass(frozen=True)
class Relaxation(Noise):
    """Spread that grows after programming, from measured standard deviations at a few times.

    `coefficients[m]` are those of PolynomialWriteError at `times[m]` [s]; the first time is when
    programming ends. The added sigma^2 is sigma(t)^2 - sigma(times[0])^2, never negative, with
    sigma linear in ln t between the times. A `t` beyond the last raises ArgumentError: nothing
    was measured there.
    """

    times: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    g_ref: float

    def __post_init__(self) -> None:
        if len(self.times) < 2 or np.any(np.diff(self.times) <= 0) or self.times[0] <= 0:
            raise must("times", "be two or more rising times above zero", f"is {self.times}")
        if len(self.coefficients) != len(self.times):
            raise must(
                "coefficients", f"have {len(self.times)} rows", f"has {len(self.coefficients)}"
            )
        for row in self.coefficients:
            _check_coefficients("coefficients", row)
        as_number("g_ref", self.g_ref, above=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        if t > self.times[-1]:
            raise must("t", f"be at most {self.times[-1]:g} s for this device", f"is {t:g} s")
        table = [_polynomial(row, g, g_max) * (g_max / self.g_ref) for row in self.coefficients]
        place = float(
            np.interp(np.log(max(t, self.times[0])), np.log(self.times), range(len(table)))
        )
        low = min(int(place), len(table) - 2)
        now = table[low] + (place - low) * (table[low + 1] - table[low])
        return np.sqrt(np.maximum(now**2 - table[0] ** 2, 0.0))


@dataclass(frozen=True)
class TemperatureCoefficient:
    """g(T) = g (1 + alpha (T - t_ref)), alpha [1/K] linear from `off` at g = 0 to `on` at g_max.

    First order in T: metallic filaments conduct less when warm (on < 0), semiconducting gaps more
    (off > 0).
    """

    off: float
    on: float
    t_ref: float = 300.0

    def __post_init__(self) -> None:
        as_number("off", self.off)
        as_number("on", self.on)
        as_number("t_ref", self.t_ref, above=0)

    def __call__(self, g: Array, g_max: float, temperature: float) -> Array:
        alpha = self.off + (self.on - self.off) * np.minimum(g / g_max, 1.0)
        return np.maximum(g * (1.0 + alpha * (temperature - self.t_ref)), 0.0)


@dataclass(frozen=True)
class Arrhenius:
    """How much sooner cells age when they are stored warm: t at a temperature T is as long as
    t exp(E_a / k (1 / T_ref - 1 / T)) at T_ref [Arrhenius' law of a process with one barrier].

    activation_energy E_a [J]; t_ref: temperature that the device's ageing is given for [K].
    """

    activation_energy: float
    t_ref: float = 300.0

    def __post_init__(self) -> None:
        as_number("activation_energy", self.activation_energy, minimum=0)
        as_number("t_ref", self.t_ref, above=0)

    def equivalent(self, t: float, temperature: float) -> float:
        """As long as `t` [s] at `temperature` [K], at the reference temperature [s]."""
        as_number("t", t, minimum=0)
        as_number("temperature", temperature, above=0)
        barrier = self.activation_energy / BOLTZMANN
        return t * math.exp(min(barrier * (1.0 / self.t_ref - 1.0 / temperature), 700.0))


@dataclass(frozen=True)
class Device:
    """A memristor technology.

    g_min, g_max: the range that can be targeted [S]. The effects act in the order given: on_write
    once at programming, on_age once at the age of the chip, on_read anew at every read. iv: how
    the current of a cell follows its voltage, None for linear cells; a conductance is the slope at
    0 V of the cell itself. temperature: how it follows the temperature, None where it does not.
    retention: how its ageing does, None where that is not known.
    """

    g_max: float
    g_min: float = 0.0
    on_write: tuple[Effect, ...] = ()
    on_age: tuple[Effect, ...] = ()
    on_read: tuple[Noise, ...] = ()
    iv: IVCurve | None = None
    temperature: TemperatureCoefficient | None = None
    retention: Arrhenius | None = None
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        as_number("g_max", self.g_max, above=0)
        as_number("g_min", self.g_min, minimum=0)
        if self.g_min >= self.g_max:
            raise must("g_min", f"be below g_max = {self.g_max:g} S", f"is {self.g_min:g} S")
        for name, kind in (("on_write", Effect), ("on_age", Effect), ("on_read", Noise)):
            if not isinstance(getattr(self, name), tuple):
                raise must(name, f"be a tuple of {kind.__name__}s", f"is {getattr(self, name)!r}")
            for effect in getattr(self, name):
                if not isinstance(effect, kind):
                    raise must(name, f"hold {kind.__name__}s", f"holds {effect!r}")
        if self.iv is not None and not isinstance(self.iv, IVCurve):
            raise must("iv", "be an IVCurve, or None for linear cells", f"is {self.iv!r}")
        if self.temperature is not None and not isinstance(
            self.temperature, TemperatureCoefficient
        ):
            rule = "be a TemperatureCoefficient, or None"
            raise must("temperature", rule, f"is {self.temperature!r}")
        if self.retention is not None and not isinstance(self.retention, Arrhenius):
            raise must("retention", "be an Arrhenius, or None", f"is {self.retention!r}")

    @property
    def on_off(self) -> float:
        """g_max / g_min; infinite where g_min is zero."""
        return self.g_max / self.g_min if self.g_min else float("inf")

    def write(self, g_target: Any, rng: np.random.Generator) -> Array:
        """Conductances as the cells hold them after programming [S], never negative.

        g_target: any shape [S], within [g_min, g_max]; ArgumentError otherwise.
        """
        slack = 1e-9 * self.g_max
        g_target = as_array(
            "g_target",
            g_target,
            (None,) * np.ndim(g_target),
            self.g_min - slack,
            self.g_max + slack,
            empty=True,
        )
        return self._apply(self.on_write, np.maximum(g_target, 0.0), rng, 0.0)

    def rewrite(self, g_target: Any, rng: np.random.Generator) -> Array:
        """`write` for cells that are known to be sound: stuck cells are drawn once, not again."""
        errors = tuple(effect for effect in self.on_write if not isinstance(effect, StuckAt))
        return dataclasses.replace(self, on_write=errors).write(g_target, rng)

    def age(self, g: Any, t: float, rng: np.random.Generator) -> Array:
        """Conductances `g` [S] at time `t` [s] after programming; zero leaves them as they are.

        The same `rng` state at two times gives the same cells' drift exponents.
        """
        as_number("t", t, minimum=0)
        g = as_array("g", g, (None,) * np.ndim(g), minimum=0, empty=True)
        return self._apply(self.on_age, g, rng, t) if t else g.copy()

    def equivalent_age(self, condition: Condition) -> float:
        """The age [s], at the temperature that its ageing is given for, which the condition's makes
        where the chip was stored. Raises ArgumentError for a device whose retention is not known.
        """
        if condition.stored_at is None:
            return condition.age
        if self.retention is None:
            raise must(
                "stored_at", "be None for a device without retention",
                f"is {condition.stored_at!r} K", "Give the device an Arrhenius(activation_energy).",
            )  # fmt: skip
        return self.retention.equivalent(condition.age, condition.stored_at)

    def heated(self, g: Any, temperature: float | None) -> Array:
        """Conductances `g` [S] at `temperature` [K]; unchanged for None, or a device without a
        coefficient."""
        g = as_array("g", g, (None,) * np.ndim(g), minimum=0, empty=True)
        if temperature is not None:
            as_number("temperature", temperature, above=0)
            if self.temperature is not None:
                return self.temperature(g, self.g_max, temperature)
        return g.copy()

    def retained(self, condition: Condition) -> float:
        """What cells spread evenly over the range conduct under `condition`, over what they did
        when written: what an array and a ramp beside it have in common."""
        cells = np.linspace(self.g_min, self.g_max, _SPREAD)
        g = self.age(cells, self.equivalent_age(condition), np.random.default_rng(0))
        return float(self.heated(g, condition.temperature).sum() / cells.sum())

    def read(self, g: Any, rng: np.random.Generator, t: float = 0.0) -> Array:
        """Conductances `g` [S] as one read at age `t` [s] sees them."""
        g = as_array("g", g, (None,) * np.ndim(g), minimum=0, empty=True)
        return self._apply(self.on_read, g, rng, t)

    def read_sigma(self, g: Array, t: float = 0.0) -> Array:
        """Standard deviation of one read of `g` at age `t` [S]; the parts add in quadrature."""
        variance = np.zeros_like(g)
        for effect in self.on_read:
            variance += effect.sigma(g, self.g_max, t) ** 2
        return np.sqrt(variance)

    def _apply(
        self, effects: Sequence[Effect], g: Array, rng: np.random.Generator, t: float
    ) -> Array:
        as_rng(rng)
        for effect in effects:
            g = np.maximum(effect(g, rng, self.g_max, t), 0.0)
        return g


def branch(rng: np.random.Generator, key: int) -> np.random.Generator:
    """A generator of its own for each `key` above zero, by the state of `rng`, which stays."""
    seed = copy.deepcopy(rng).integers(1, 2**63, size=4)
    return np.random.default_rng([key, *seed.tolist()])


@dataclass(frozen=True, eq=False)
class Written:
    """Cells as each was last written: g [S] and when, in seconds after the first of them, both of
    one shape."""

    g: Array
    when: Array

    @classmethod
    def at(cls, t: float, g: Array) -> Written:
        """All at once, after t [s]."""
        return cls(g, np.full(g.shape, float(t)))

    def under(self, device: Device, condition: Condition, rng: Any) -> Array:
        """Conductances [S] under `condition`, each cell as old as its last writing makes it.

        What is written again draws its ageing anew, and changes no other cell's.
        """
        t = device.equivalent_age(condition)
        first = copy.deepcopy(rng)
        g = np.where(self.when > 0.0, self.g, device.age(self.g, t, rng))
        for when in np.unique(self.when[(self.when > 0.0) & (self.when < t)]):
            own = branch(first, int(when.view(np.uint64)))
            g = np.where(self.when == when, device.age(self.g, t - when, own), g)
        return device.heated(g, condition.temperature)

    def rewritten(self, there: Any, g: Array, t: float) -> Written:
        """With the cells `there` written to `g` after t [s]."""
        return Written(np.where(there, g, self.g), np.where(there, float(t), self.when))


def _polynomial(coefficients: Sequence[float], g: Array, g_max: float) -> Array:
    r = np.minimum(g / g_max, 1.0)
    return np.maximum(np.polynomial.polynomial.polyval(r, np.asarray(coefficients)), 0.0)


def _check_coefficients(name: str, value: Sequence[float]) -> None:
    if not value or not np.all(np.isfinite(value)):
        raise must(name, "be one or more finite numbers", f"is {value}")
