"""Figures of ramps over many chips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from aimc.converters import metrics
from aimc.converters.base import Converter
from aimc.cost.checks import one_of
from aimc.errors import must
from aimc.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    around,
    by_name,
    heading,
    panels,
    several_of,
)  # fmt: skip

COLOURS = (GREY, ORANGE, BLUE, GREEN)


def inl_over_chips(
    ramps: Mapping[str, Converter], shown: str | None = None, label: str = ""
) -> Figure:
    """The levels of the first chip beside those that are meant, and how far the thresholds of all
    chips stand from theirs: mean and the middle 90 %. ramps: converters of one curve and
    resolution, by calibration, of many chips each, or of columns with levels of their own; shown:
    of which the levels are drawn (None: the last); label: whose, printed in the title.

    Raises ArgumentError without one, and where their curves or resolutions differ.
    """
    by_name("ramps", ramps, Converter)
    if len(kinds := {(ramp.curve.name, ramp.bits) for ramp in ramps.values()}) > 1:
        raise must("ramps", "be of one curve and resolution", f"are of {sorted(kinds)}")
    which = list(ramps)[-1] if shown is None else shown
    one_of("shown", which, ramps)
    heights = (1.7, *(1 for _ in ramps))
    size = (6.4, 3.0 + 1.4 * len(ramps))
    figure, (top, *rows) = panels(size, len(heights), sharex=True, height_ratios=heights)
    last = ramps[which]
    meant = last.curve.thresholds(last.bits) * (last.gain * last.common) * 1e3
    level = np.arange(1, meant.size + 1)
    first = last.levels.reshape(-1, meant.size)[0] * 1e3
    top.step(level, meant, where="mid", color=GREY, lw=1.2, label="as meant")
    top.plot(level, first, "o", color=BLUE, ms=3.5, label=f"{several_of(last, 1)}, {which}")
    text = f"{last.curve.name} at {last.bits} bits"
    top.set(ylabel="level [mV]", title=heading(text, label, last.condition))
    top.legend(frameon=False)
    reach = 0.0
    for k, (axes, (name, ramp)) in enumerate(zip(rows, ramps.items(), strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        inl = ramp.inl().reshape(-1, meant.size)
        low, high = np.quantile(inl, (0.05, 0.95), axis=0)
        axes.fill_between(level, low, high, color=colour, alpha=0.3, lw=0, label="middle 90 %")
        mean = f"mean of {several_of(ramp, len(inl))}"
        axes.plot(level, inl.mean(axis=0), color=colour, lw=1.2, label=mean)
        worst = np.abs(inl).max(axis=-1).mean()
        title = f"{heading('', name, ramp.condition)}: mean worst |INL| {worst:.2f} LSB"
        axes.set_title(title, fontsize=9, loc="left")
        axes.set(ylabel="INL [LSB]")
        reach = max(reach, float(np.abs([low, high]).max()))
    for axes in rows:
        axes.set_ylim(-1.15 * reach - 1e-3, 1.15 * reach + 1e-3)
    rows[-1].legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    rows[-1].set(xlabel="threshold")
    return figure


def transfer_over_chips(ramp: Converter, label: str = "") -> Figure:
    """What the converter puts out over its pre-activation, on many chips or columns: the mean, and
    the band in which 90 % of them lie, with their error in LSB. label: whose, in the title."""
    x = around(ramp, 1201)
    y = metrics.transfer(ramp, x).reshape(-1, x.size)
    exact = ramp.curve.f(x)
    figure, (curve, error) = panels((6.4, 4.8), 2, 1, sharex=True, height_ratios=(2.2, 1))
    curve.plot(x, exact, color=GREY, lw=1.2, label=f"{ramp.curve.name}, ideal")
    for axes, values in ((curve, y), (error, (y - exact) / ramp.lsb)):
        low, high = np.quantile(values, (0.05, 0.95), axis=0)
        axes.fill_between(x, low, high, color=BLUE, alpha=0.3, lw=0, label="middle 90 %")
    curve.plot(x, y.mean(axis=0), color=BLUE, lw=1.0, label=f"mean of {several_of(ramp, len(y))}")
    text = f"{ramp.curve.name} at {ramp.bits} bits"
    curve.set(ylabel="output", title=heading(text, label, ramp.condition))
    curve.legend(frameon=False, loc="best")
    error.plot(x, ((y - exact) / ramp.lsb).mean(axis=0), color=BLUE, lw=0.8)
    for half in (-0.5, 0.5):
        error.axhline(half, color=GREY, lw=0.8, ls=":")
    error.set(xlabel="pre-activation", ylabel="error [LSB]")
    return figure
