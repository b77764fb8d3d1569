"""When a conversion does what: the one timeline of waveforms, delays, leaks and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """Pulses of t_step [s] follow one another, each with a rest of t_rest [s] at whose end the
    comparators decide; those before the first level, `start` of them, without rests between.
    window: the array integrates so long before [s]."""

    t_step: float
    t_rest: float = 0.0
    start: int = 1
    window: float = 0.0

    @property
    def slot(self) -> float:
        """From one decision to the next [s]."""
        return self.t_step + self.t_rest

    @property
    def first(self) -> float:
        """From the first pulse to the first decision [s]."""
        return self.start * self.t_step + self.t_rest

    def decisions(self, count: int) -> NDArray[np.float64]:
        """Times of so many decisions after the first one [s]."""
        return np.asarray(self.slot * np.arange(count), np.float64)

    def levels_before(self, delay: float) -> float:
        """By how many levels a ramp stood lower `delay` [s] before a decision: straight while it is
        pulsed, still while it rests."""
        whole, rest = divmod(delay, self.slot)
        return whole + max(rest - self.t_rest, 0.0) / self.t_step
