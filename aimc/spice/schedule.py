"""When things happen in one conversion: reset, read window, sample, bias cells, ramp steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import must

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.arrays import Array
    from aimc.converters.ramp import ProgrammedRamp
    from aimc.macro import Macro

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Schedule:
    """Times from the start of a conversion [s], which the next one follows after `period`.

    Between 0 and `reset` the integrators are discharged; inputs are on in the `window` from
    `start`; at `hold` the array's voltages are sampled; bias cells are pulsed after `bias`, all at
    once, so that the longest ends a rest before `first`, and steps from `first` on, a `slot` each:
    a pulse of t_step, then a rest in which the ramp stands and the comparators are looked at.
    `edge`: rise and fall time of every pulse.
    """

    t_step: float
    edge: float
    reset: float
    start: float
    window: float
    hold: float
    bias: float
    first: float
    slot: float
    thresholds: int

    @property
    def period(self) -> float:
        """From one conversion to the next."""
        return self.first + self.thresholds * self.slot

    @property
    def strobes(self) -> Array:
        """When the ramp stands at each of its levels, (2^bits - 1,)."""
        k = np.arange(self.thresholds)
        return np.asarray(self.first - self.edge + self.slot * k, np.float64)

    @property
    def sampled(self) -> float:
        """When the sampled voltages are read."""
        return self.bias - self.edge


def schedule(macro: Macro, ramps: Sequence[ProgrammedRamp], delay: float) -> Schedule:
    """The schedule of a macro and its ramps.

    The rest after each pulse is the ramp's own; without one, a quarter of a period and room for
    the comparators' delay. Raises ArgumentError where the ramp's levels depend on a rest that is
    too short for pulses with edges.
    """
    adc, driver = macro.hardware.adc, macro.hardware.driver
    t = adc.t_step
    waveform = ramps[0].waveform
    moves = math.isfinite(waveform.gain) or waveform.tau > 0
    # An edge keeps the area of its pulse, which is its charge for linear cells only, and what
    # leaks or lags in half an edge is lost.
    edge = min(t, driver.window) / (10000 if moves or macro.crossbar.iv is not None else 100)
    rest = ramps[0].adc.t_rest
    if rest < 4 * edge + 2 * delay:
        if moves:
            raise must(
                "t_rest", f"be at least {4 * edge + 2 * delay:g} s where a ramp leaks or lags",
                f"is {rest:g} s", "Use hardware.replace(t_rest=...): pulses need room for edges.",
            )  # fmt: skip
        rest = t / 4 + 2 * delay
    reset = 4 * t
    start = reset + t
    hold = start + driver.window + t
    bias = hold + t
    longest = t * max(int(np.abs(ramp.pulses[:, 0]).max()) for ramp in ramps)
    return Schedule(
        t_step=t, edge=edge, reset=reset, start=start, window=driver.window, hold=hold, bias=bias,
        first=float(bias + longest + rest), slot=t + rest,
        thresholds=max(ramp.goal.size for ramp in ramps),
    )  # fmt: skip


def inputs(macro: Macro, x: Array, times: Schedule) -> list[Points]:
    """The voltage of each row over all conversions, as (time, voltage) points.

    A pulse of length T and edges e stands at its height for T - e, so that its area is that of a
    pulse without edges; one that is shorter than an edge is lower instead.
    """
    driver = macro.hardware.driver
    rows: list[Points] = [[(0.0, 0.0)] for _ in range(x.shape[1])]
    shares, heights = driver.pulses(x)
    heights = heights * macro.supply
    for n, (lengths, volts) in enumerate(zip(shares * times.window, heights, strict=True)):
        begin = n * times.period + times.start
        for points, length, height in zip(
            rows, map(float, lengths), map(float, volts), strict=True
        ):
            if length > 0 and height != 0:
                if length < times.edge:
                    length, height = times.edge, height * (length / times.edge)
                points += trapezoid(begin, length, times.edge, height)
    return rows


def activity(points: Points, edge: float) -> Points:
    """1 V while a row is pulsed, as (time, voltage) points; its edges lie outside the pulse."""
    found: Points = [(0.0, 0.0)]
    zeros = [time for time, volts in points[1:] if volts == 0]
    for begin, end in zip(zeros[::2], zeros[1::2], strict=True):
        found += [(begin - edge, 0.0), (begin, 1.0), (end, 1.0), (end + edge, 0.0)]
    return found


def trapezoid(begin: float, length: float, edge: float, height: float) -> Points:
    """A pulse of area length x height."""
    top = [(begin + edge, height)]
    if length > edge:
        top.append((begin + length, height))
    return [(begin, 0.0), *top, (begin + length + edge, 0.0)]
