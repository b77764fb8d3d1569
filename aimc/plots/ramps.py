"""Figures of ramps over many chips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from aimc.converters import metrics
from aimc.converters.ramp import ProgrammedRamp
from aimc.cost.checks import one_of
from aimc.errors import must
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, around, panels

COLOURS = (GREY, ORANGE, BLUE, GREEN)


def inl_over_chips(ramps: Mapping[str, ProgrammedRamp], shown: str | None = None) -> Figure:
    """The ramp of the first chip beside the one that is meant, and how far the thresholds of all
    chips stand from theirs: mean and the middle 90 %. ramps: by calibration, of many chips each;
    shown: of which the ramp is drawn (None: the last).

    Raises ArgumentError without one.
    """
    if not ramps:
        raise must("ramps", "hold one ramp or more", "is empty")
    which = list(ramps)[-1] if shown is None else shown
    one_of("shown", which, ramps)
    heights = (1.7, *(1 for _ in ramps))
    size = (6.4, 3.0 + 1.4 * len(ramps))
    figure, (top, *rows) = panels(size, len(heights), sharex=True, height_ratios=heights)
    last = ramps[which]
    meant = last.goal * (last.gain * last.common) * 1e3
    level = np.arange(1, meant.size + 1)
    first = last.levels.reshape(-1, meant.size)[0] * 1e3
    top.step(level, meant, where="mid", color=GREY, lw=1.2, label="as meant")
    top.plot(level, first, "o", color=BLUE, ms=3.5, label=f"one chip, {which}")
    top.set(ylabel="ramp [mV]", title=f"{last.curve.name} at {last.bits} bits")
    top.legend(frameon=False)
    reach = 0.0
    for axes, (name, ramp), colour in zip(rows, ramps.items(), COLOURS, strict=False):
        inl = ramp.inl().reshape(-1, meant.size)
        low, high = np.quantile(inl, (0.05, 0.95), axis=0)
        axes.fill_between(level, low, high, color=colour, alpha=0.3, lw=0, label="90 % of chips")
        axes.plot(level, inl.mean(axis=0), color=colour, lw=1.2, label="mean")
        worst = np.abs(inl).max(axis=-1).mean()
        axes.set_title(f"{name}: mean worst |INL| {worst:.2f} LSB", fontsize=9, loc="left")
        axes.set(ylabel="INL [LSB]")
        reach = max(reach, float(np.abs([low, high]).max()))
    for axes in rows:
        axes.set_ylim(-1.15 * reach - 1e-3, 1.15 * reach + 1e-3)
    rows[-1].legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    rows[-1].set(xlabel="threshold")
    return figure


def transfer_over_chips(ramp: ProgrammedRamp) -> Figure:
    """What the converter puts out over its pre-activation, on many chips: the mean, and the band in
    which 90 % of them lie, with their error in LSB."""
    x = around(ramp, 1201)
    y = metrics.transfer(ramp, x).reshape(-1, x.size)
    exact = ramp.curve.f(x)
    figure, (curve, error) = panels((6.4, 4.8), 2, 1, sharex=True, height_ratios=(2.2, 1))
    curve.plot(x, exact, color=GREY, lw=1.2, label=f"{ramp.curve.name}, ideal")
    for axes, values in ((curve, y), (error, (y - exact) / ramp.lsb)):
        low, high = np.quantile(values, (0.05, 0.95), axis=0)
        axes.fill_between(x, low, high, color=BLUE, alpha=0.3, lw=0, label="90 % of chips")
    curve.plot(x, y.mean(axis=0), color=BLUE, lw=1.0, label=f"mean of {len(y)} chips")
    curve.set(ylabel="output", title=f"Transfer curve at {ramp.bits} bits")
    curve.legend(frameon=False, loc="best")
    error.plot(x, ((y - exact) / ramp.lsb).mean(axis=0), color=BLUE, lw=0.8)
    for half in (-0.5, 0.5):
        error.axhline(half, color=GREY, lw=0.8, ls=":")
    error.set(xlabel="pre-activation", ylabel="error [LSB]")
    return figure
