"""One conversion after the other, as a transient: the whole macro, from row drivers to codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import SpiceError
from aimc.spice.netlist import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.arrays import Array, Codes, NDArray
    from aimc.macro import Macro
    from aimc.spice.raw import Plot
    from aimc.spice.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Conversion:
    """What the simulator found, names as those of a Trace.

    v (batch, rows) mean row voltages [V]; i (batch, cols) signed column currents, mean over the
    window [A]; u (batch, cols) sampled voltages [V]; levels (ramps, batch, k) [V], one ramp for
    each of `macro.ramps`, k the levels of the longest and NaN beyond those of the others;
    thermometer (batch, cols, k), whether the comparator stands high at each level; code, y (batch,
    cols). time (points,) [s] and waves, the voltages (points,) by name: in0.., hold0.., ramp0..,
    flip0...
    """

    macro: Macro
    x: Array
    schedule: Schedule
    v: Array
    i: Array
    u: Array
    levels: Array
    thermometer: NDArray[np.bool_]
    code: Codes
    y: Array
    time: Array
    waves: dict[str, Array]


@dataclass(frozen=True, eq=False)
class ConversionPlan(Plan):
    """The macro, its inputs x (batch, rows), and when what happens."""

    macro: Macro
    x: Array
    times: Schedule

    def result(self, plots: list[Plot]) -> Conversion:
        macro, times = self.macro, self.times
        if len(plots) != 1:
            raise SpiceError(f"The answer must be one transient, but has {len(plots)}.", "failed")
        (plot,) = plots
        time = plot["time"]
        starts = times.period * np.arange(len(self.x))
        if time[-1] < starts[-1] + times.strobes[-1]:
            raise SpiceError(f"The transient must reach its end, but ends at {time[-1]:g} s.",
                             "convergence")  # fmt: skip
        rows, cols = macro.shape
        lines = macro.crossbar.g.shape[1]

        def at(names: Sequence[str], moments: NDArray[np.floating]) -> Array:
            return np.stack([np.interp(moments, time, plot[name]) for name in names], axis=1)

        def mean(names: Sequence[str]) -> Array:
            """Over each read window: exact, for what is straight between two points."""
            window = np.array([times.start, times.start + times.window + times.edge])
            return np.array(
                [[_integral(time, plot[name], *(s + window)) for name in names] for s in starts]
            ) / times.window  # fmt: skip

        strobes = (starts[:, None] + times.strobes).ravel()
        shape = (len(starts), times.thresholds)
        u = at([f"v(hold{j})" for j in range(cols)], starts + times.sampled)
        columns = macro.converters
        stood = at([f"v(ramp{r})" for r in range(len(columns))], strobes).T
        stood = stood.reshape(len(columns), *shape)
        flips = at([f"v(flip{j})" for j in range(cols)], strobes) > 0.5
        thermometer = flips.reshape(*shape, cols).transpose(0, 2, 1)
        code, y, levels = np.empty(u.shape, np.int64), np.empty(u.shape), []
        for place, ramp in macro.ramps:
            own = np.arange(times.thresholds) < ramp.levels.size
            levels.append(np.where(own, stood[ramp.number], np.nan))
            code[:, place] = ramp.counted(first_flip(thermometer[:, place, own]))
            y[:, place] = ramp.decode(code[:, place])
        i = macro.hardware.mapping.combine(mean([f"i(vs{k})" for k in range(lines)]))
        volts = {name[2:-1]: v for name, v in plot.vectors.items() if name.startswith("v(")}
        return Conversion(
            macro, self.x, times,
            v=mean([f"v(in{k})" for k in range(rows)]), i=i, u=u,
            levels=np.stack(levels), thermometer=thermometer, code=code, y=y, time=time,
            waves=volts,
        )  # fmt: skip


def first_flip(thermometer: NDArray[np.bool_]) -> Codes:
    """The crossings (...) in thermometers (..., levels): the levels before the first high one."""
    high = thermometer.any(axis=-1)
    return np.where(high, thermometer.argmax(axis=-1), thermometer.shape[-1])


def _integral(time: Array, value: Array, begin: float, end: float) -> float:
    inside = time[(time > begin) & (time < end)]
    t = np.concatenate(([begin], inside, [end]))
    return float(np.trapezoid(np.interp(t, time, value), t))
