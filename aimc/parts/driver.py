"""Activations to row voltages.

A row carries a digital activation x in [-x_max, x_max] as a voltage or as the length of a pulse;
the sign is the polarity of the read voltage. What the array integrates over the read window is the
window's mean voltage, which `drive` returns for both kinds: exact for linear cells whose idle rows
are held at 0 V.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import as_real
from aimc.parts.fields import count, quantity
from aimc.parts.registry import Part, described, registered

if TYPE_CHECKING:
    from aimc.arrays import Array


@described
class Driver(Part, ABC):
    """How a row carries an activation.

    With b bits the activation is rounded to n 2^-b, |n| <= 2^b - 1, half to even. The outputs of a
    b-bit converter between -1 and 1 (tanh), (2 k + 1 - 2^b) 2^-b, are carried without a second
    rounding; those between 0 and 1 (sigmoid), (k + 1/2) 2^-b, lie halfway between two steps.
    """

    v_read: float = quantity("V", "amplitude of a full activation", above=0)
    bits: int | None = count("of the magnitude; None: not quantised", default=None, maximum=16)

    @property
    def x_max(self) -> float:
        """The largest activation that a row can carry; larger ones saturate."""
        return 1.0 if self.bits is None else 1.0 - 2.0**-self.bits

    def quantise(self, x: Array) -> Array:
        """Activations as the rows carry them: rounded to the driver's grid, saturated."""
        x = np.clip(as_real("x", x), -self.x_max, self.x_max)
        return x if self.bits is None else np.rint(x * 2.0**self.bits) * 2.0**-self.bits

    def drive(self, x: Array) -> Array:
        """Mean row voltage over the read window [V], shape of `x`."""
        return self.v_read * self.quantise(x)

    def grid(self) -> tuple[float, float, float] | None:
        """(v_read [V], steps, x_max) where the mean row voltage is v_read times the activation,
        rounded half to even to whole multiples of 1 / steps (0: not rounded), within +-x_max.

        None, as here, where that is not all: reads then ask `pulses` each time.
        """
        return None

    def _grid(self, known: type[Driver]) -> tuple[float, float, float] | None:
        """The grid of a driver that rounds and drives as `known` does, in every method."""
        for name in ("quantise", "drive", "pulses", "lengths", "x_max"):
            if getattr(type(self), name) is not getattr(known, name):
                return None
        return self.v_read, 0.0 if self.bits is None else 2.0**self.bits, self.x_max

    @abstractmethod
    def pulses(self, x: Array) -> tuple[Array, Array]:
        """Length of each row's pulse, a share of the window in [0, 1], and its voltage [V].

        Both have the shape of `x`; their product is `drive(x)`. All pulses begin together.
        """

    @abstractmethod
    def lengths(self, v: Array, supply: float = 1.0) -> Array:
        """Length of each row's pulse, a share of the window, from its mean voltage `v` [V].

        supply: read voltage over its nominal value. Nothing is rounded, so that pulses whose ends
        are late keep their length; zero where `v` is.
        """

    @property
    @abstractmethod
    def window(self) -> float:
        """Length of the read window in which a full activation (x = 1) fits [s]."""


@registered("voltage")
class VoltageDriver(Driver):
    """A DAC a row: the row stands at x v_read for the integration time t_int."""

    t_int: float = quantity("s", "integration time", default=100e-9, above=0)

    def grid(self) -> tuple[float, float, float] | None:
        return self._grid(VoltageDriver)

    def pulses(self, x: Array) -> tuple[Array, Array]:
        v = self.drive(x)
        return self.lengths(v), v

    def lengths(self, v: Array, supply: float = 1.0) -> Array:
        return (v != 0.0).astype(float)

    @property
    def window(self) -> float:
        return self.t_int


@registered("pulse")
class PulseDriver(Driver):
    """A counter a row: +-v_read for |x| 2^bits clock periods of t_step.

    Without bits the pulse length is continuous and the window is one t_step.
    """

    t_step: float = quantity("s", "clock period", default=1e-9, above=0)

    def grid(self) -> tuple[float, float, float] | None:
        return self._grid(PulseDriver)

    def pulses(self, x: Array) -> tuple[Array, Array]:
        x = self.quantise(x)
        return np.abs(x), np.copysign(self.v_read, x)

    def lengths(self, v: Array, supply: float = 1.0) -> Array:
        return np.abs(v) / (self.v_read * supply)

    @property
    def window(self) -> float:
        return self.t_step * (1 if self.bits is None else 2**self.bits)
