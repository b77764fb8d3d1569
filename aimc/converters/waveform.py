"""How the integrator of a ramp answers its pulses, solved exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from aimc.arrays import Array
    from aimc.converters.schedule import Schedule


@dataclass(frozen=True)
class Waveform:
    """How a ramp's integrator answers its pulses. gain: its amplifier's; tau: lag behind it [s]."""

    schedule: Schedule
    gain: float = math.inf
    tau: float = 0.0

    def levels(self, start: Array, steps: Array, total: Array, c: float) -> Array:
        """The ramp at each decision (..., 1 + steps) [V].

        start (..., periods) and steps (..., k): mean current of each clock period [A], those before
        the first level without rests between; total (...): conductance at the virtual ground while
        nothing is pulsed [S]; c: feedback capacitor [F]. With a gain A the virtual ground follows
        the output by -v / A, so that the cells leak, c (1 + 1/A) dv/dt = i - total v / A. The ramp
        follows the integrator through a lag, tau dy/dt = v - y. Both solved exactly.
        """
        t_step, t_rest = self.schedule.t_step, self.schedule.t_rest
        if math.isinf(self.gain) and self.tau == 0.0:
            first = start.sum(axis=-1, keepdims=True)
            charges = np.concatenate((first, steps), axis=-1) * t_step
            return np.cumsum(charges, axis=-1) / c
        v = y = np.zeros(np.broadcast_shapes(start.shape[:-1], steps.shape[:-1]))
        for period in range(start.shape[-1]):
            v, y = self._advance(v, y, start[..., period], total, c, t_step)
        v, y = self._advance(v, y, np.zeros(()), total, c, t_rest)
        levels = [y]
        for k in range(steps.shape[-1]):
            v, y = self._advance(v, y, steps[..., k], total, c, t_step)
            v, y = self._advance(v, y, np.zeros(()), total, c, t_rest)
            levels.append(y)
        return np.stack(levels, axis=-1)

    def _advance(
        self, v: Array, y: Array, i: Array, total: Array, c: float, t: float
    ) -> tuple[Array, Array]:
        if t == 0.0:
            return v, y
        if math.isinf(self.gain):
            slope = i / c
            after = v + slope * t
            if self.tau == 0.0:
                return after, after
            lag = slope * self.tau
            return after, after - lag + (y - v + lag) * math.exp(-t / self.tau)
        rate = total / (c * (1.0 + self.gain))
        drive = i / (c * (1.0 + 1.0 / self.gain))
        decayed = np.exp(-rate * t)
        after = v * decayed + drive * t * _mean_decay(rate * t)
        if self.tau == 0.0:
            return after, after
        decay = math.exp(-t / self.tau)
        # y = sum of what the lag makes of v's start, which decays, and of v's growth
        share = _between(rate, 1.0 / self.tau, t) / self.tau
        grown = drive * (1.0 - decay - share) / np.maximum(rate, 1e-300)
        if np.any(rate * self.tau < 1e-9):
            lag = drive * self.tau
            grown = np.where(rate * self.tau < 1e-9, drive * t - lag + lag * decay, grown)
        return after, y * decay + v * share + grown


def _mean_decay(x: Array) -> Array:
    """(1 - e^-x) / x, one at x = 0."""
    return np.where(x > 0, -np.expm1(-x) / np.where(x > 0, x, 1.0), 1.0)


def _between(a: Array, b: float, t: float) -> Array:
    """Integral of e^(-a s) e^(-b (t - s)) over s from 0 to t."""
    x = np.minimum(a, b) * t
    gap = np.abs(a - b) * t
    return t * np.exp(-x) * _mean_decay(gap)
