"""What happens to cells on writing, on reading and with age.

An `Effect` takes conductances and gives conductances; a new one is one class. All conductances are
in siemens, all times in seconds.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import must
from aimc.parts.fields import quantities, quantity
from aimc.parts.registry import Part, registered

if TYPE_CHECKING:
    from aimc.arrays import Array, Generator, NDArray


_ANY = (0.0, math.inf)


class Effect(Part, ABC):
    """Conductances in, conductances out.

    `g` has any shape [S]; `g_max` is the device's upper end [S], which published statistics are
    normalised to; `t` is the time since programming [s]. The result has the shape of `g`; `g` is
    left as it was; the same generator state gives the same result.
    """

    @abstractmethod
    def __call__(self, g: Array, rng: Generator, g_max: float, t: float) -> Array: ...


class Noise(Effect):
    """An effect that adds an independent, zero-mean Gaussian error to every cell."""

    @abstractmethod
    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        """Standard deviation of the error at conductance `g` [S]."""

    def __call__(self, g: Array, rng: Generator, g_max: float, t: float) -> Array:
        return g + self.sigma(g, g_max, t) * rng.standard_normal(g.shape)


@registered("write-error")
class WriteError(Noise):
    """Gaussian programming error of one standard deviation for every target."""

    std: float = quantity("S", "standard deviation", minimum=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        return np.full_like(g, self.std)


@registered("write-verify")
class WriteVerify(Effect):
    """Write-verify that stops inside a window: error uniform in +-tolerance [S].

    Measured so on Pt/TaOx/Ta cells with a 5 uS window: standard deviation 5/sqrt(3) uS, not
    Gaussian [Nat. Commun. 2025, s41467-025-65233-w, source data].
    """

    tolerance: float = quantity("S", "half the window", minimum=0)

    def __call__(self, g: Array, rng: Generator, g_max: float, t: float) -> Array:
        return g + rng.uniform(-self.tolerance, self.tolerance, g.shape)


@registered("polynomial-write-error")
class PolynomialWriteError(Noise):
    """Gaussian programming error whose sigma is a polynomial of the target.

    sigma = (g_max / g_ref) max(0, sum_k c_k r^k), r = g / g_max, with the coefficients c_k [S]
    as published for a device of range g_ref [S]. Beyond r = 1 the polynomial is held at r = 1.
    """

    coefficients: tuple[float, ...] = quantities("S", "of the polynomial in g / g_max")
    g_ref: float = quantity("S", "range of the device that they are published for", above=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        return _polynomial(self.coefficients, g, g_max) * (g_max / self.g_ref)


def limited(g: Array, error: Array) -> Array:
    """Conductances `g` read with `error` [S], held within +-g: no cell reads below zero, an open
    one reads zero, and the mean of a symmetric error stays zero."""
    return g + np.clip(error, -g, g)


@registered("stuck-at")
class StuckAt(Effect):
    """A random fraction of the cells holds conductance `g` whatever was written. These are dead:
    no other effect of a device, no temperature and no later writing changes what they conduct."""

    fraction: float = quantity("1", "share of the cells", minimum=0, maximum=1)
    g: float = quantity("S", "what they hold", default=0.0, minimum=0)

    def hits(self, shape: tuple[int, ...], rng: Generator) -> NDArray[np.bool_]:
        """Which of the cells of that shape are stuck."""
        return rng.random(shape) < self.fraction

    def __call__(self, g: Array, rng: Generator, g_max: float, t: float) -> Array:
        return np.where(self.hits(g.shape, rng), self.g, g)


@registered("read-noise")
class ReadNoise(Noise):
    """White noise of each read: sigma^2 = std^2 + (relative g)^2."""

    std: float = quantity("S", "the same for every cell", default=0.0, minimum=0)
    relative: float = quantity("1", "share of the conductance", default=0.0, minimum=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        return np.hypot(self.std, self.relative * g)


@registered("flicker-read-noise")
class FlickerReadNoise(Noise):
    """1/f noise of a read at time t after programming, as published for PCM.

    sigma = |g| Q sqrt(ln((t + t_read) / (2 t_read))), Q = min(q / max(r^p, 1e-3), q_max),
    r = g / g_max [Joshi et al. 2020; Nandakumar et al. 2019; constants of aihwkit's PCM model].
    The logarithm is held at zero for t < t_read.
    """

    q: float = quantity("1", "relative noise at g_max", default=0.0088, minimum=0)
    power: float = quantity("1", "exponent of g / g_max", default=0.65, minimum=0)
    q_max: float = quantity("1", "largest relative noise", default=0.2, minimum=0)
    t_read: float = quantity("s", "duration of a read", default=250e-9, above=0)

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        r = np.abs(g) / g_max
        q = np.minimum(self.q / np.maximum(r**self.power, 1e-3), self.q_max)
        growth = max(0.0, np.log((t + self.t_read) / (2 * self.t_read)))
        return np.abs(g) * q * np.sqrt(growth)


@registered("drift")
class Drift(Effect):
    """Power-law drift, g(t) = g (t / t_0)^(-nu), nu ~ N(nu, nu_std) a cell [Joshi 2020, eq. 3].

    `t` up to t_0 changes nothing. `nu` may depend on the conductance: nu = clip(nu +
    nu_slope ln r, *nu_limits), and nu_std likewise, r = g / g_max, as published for PCM.
    """

    nu: float = quantity("1", "mean exponent at g_max")
    nu_std: float = quantity("1", "its spread from cell to cell", default=0.0)
    t_0: float = quantity("s", "when the conductance was as written", default=1.0, above=0)
    nu_slope: float = quantity("1", "change of nu with ln(g / g_max)", default=0.0)
    nu_limits: tuple[float, float] = quantities(
        "1", "least and largest nu", default=_ANY, minimum=-math.inf, maximum=math.inf
    )
    nu_std_slope: float = quantity("1", "change of nu_std with ln(g / g_max)", default=0.0)
    nu_std_limits: tuple[float, float] = quantities(
        "1", "least and largest nu_std", default=_ANY, minimum=-math.inf, maximum=math.inf
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("nu_limits", "nu_std_limits"):
            limits = getattr(self, name)
            if len(limits) != 2 or limits[0] > limits[1]:
                raise must(name, "rise from the least to the largest", f"is {limits}")

    def __call__(self, g: Array, rng: Generator, g_max: float, t: float) -> Array:
        z = rng.standard_normal(g.shape)
        if t <= self.t_0:
            return g.copy()
        log_r = np.log(np.maximum(g / g_max, 1e-12))
        mean = np.clip(self.nu + self.nu_slope * log_r, *self.nu_limits)
        std = np.clip(self.nu_std + self.nu_std_slope * log_r, *self.nu_std_limits)
        return g * (t / self.t_0) ** -(mean + std * z)


@registered("relaxation")
class Relaxation(Noise):
    """Spread that grows after programming, from measured standard deviations at a few times.

    `coefficients[m]` are those of PolynomialWriteError at `times[m]`; the first time is when
    programming ends. The added sigma^2 is sigma(t)^2 - sigma(times[0])^2, never negative, with
    sigma linear in ln t between the times. A `t` beyond the last raises ArgumentError: nothing
    was measured there.
    """

    times: tuple[float, ...] = quantities("s", "since programming, rising")
    coefficients: tuple[tuple[float, ...], ...] = quantities("S", "of each time", depth=2)
    g_ref: float = quantity("S", "range of the device that they are published for", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.times) < 2 or np.any(np.diff(self.times) <= 0) or self.times[0] <= 0:
            raise must("times", "be two or more rising times above zero", f"is {self.times}")
        if len(self.coefficients) != len(self.times):
            raise must(
                "coefficients", f"have {len(self.times)} rows", f"has {len(self.coefficients)}"
            )

    def sigma(self, g: Array, g_max: float, t: float) -> Array:
        if t > self.times[-1]:
            raise must("t", f"be at most {self.times[-1]:g} s for this device", f"is {t:g} s")
        table = [_polynomial(row, g, g_max) * (g_max / self.g_ref) for row in self.coefficients]
        at = np.log(max(t, self.times[0]))
        knots = np.log(self.times), np.arange(len(table))
        place = float(np.interp(at, *knots))  # pyright: ignore[reportUnknownArgumentType]
        low = min(int(place), len(table) - 2)
        now = table[low] + (place - low) * (table[low + 1] - table[low])
        return np.sqrt(np.maximum(now**2 - table[0] ** 2, 0.0))


def _polynomial(coefficients: tuple[float, ...], g: Array, g_max: float) -> Array:
    r = np.minimum(g / g_max, 1.0)
    return np.maximum(np.polynomial.polynomial.polyval(r, np.asarray(coefficients)), 0.0)
