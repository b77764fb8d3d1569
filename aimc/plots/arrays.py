"""Figures of what was built and measured: functions that give a matplotlib Figure, and `save`.

Nothing here touches pyplot: no global state, no window, no display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aimc.converters import metrics
from aimc.converters.base import Converter
from aimc.cost.checks import several
from aimc.crossbar import Solution
from aimc.errors import as_a, as_array, as_count, as_number, as_text, must
from aimc.macro import Macro
from aimc.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    around,
    heading,
    new_figure,
    open_axes,
    panels,
    several_of,
)  # fmt: skip
from aimc.spice import Conversion
from aimc.units import show


def conductance_map(macro: Macro) -> Figure:
    """The cells of the array as they stand, and how their conductances are distributed."""
    as_a("macro", macro, Macro, "`Hardware.program` gives one.")
    g = macro.crossbar.g * 1e6
    figure = new_figure(7.4, 3.6)
    cells, counts = figure.subplots(1, 2, width_ratios=(1.7, 1))
    image = cells.imshow(g, aspect="auto", cmap="viridis", interpolation="nearest", vmin=0)
    cells.set(xlabel="column of cells", ylabel="row", title=f"{g.shape[0]} x {g.shape[1]} cells")
    figure.colorbar(image, ax=cells, label="conductance [uS]")
    counts.hist(g.ravel(), bins=60, color=BLUE)
    counts.set(xlabel="conductance [uS]", ylabel="cells", yscale="log", title="distribution")
    open_axes(counts)
    name = macro.hardware.name or "unnamed"
    figure.suptitle(heading("", name, macro.condition), fontsize=10)
    return figure


def voltage_map(solution: Solution, read: int = 0, label: str = "") -> Figure:
    """What the wires take: voltages of the row nodes, of the column nodes, and across the cells.

    read: which read of the solution; label: of what, printed in the title. Raises ArgumentError
    where there is no such read.
    """
    as_a("solution", solution, Solution, "`Crossbar.solve` gives one.")
    as_count("read", read, 0, len(solution.v) - 1)
    figure = new_figure(10.6, 3.5)
    panels = {
        "row nodes": solution.row_voltage,
        "column nodes": solution.col_voltage,
        "across the cells": solution.cell_voltage,
    }
    for axes, (title, voltage) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        millivolt = voltage[read] * 1e3
        image = axes.imshow(millivolt, aspect="auto", cmap="viridis", interpolation="nearest")
        axes.set(xlabel="column", ylabel="row", title=title)
        figure.colorbar(image, ax=axes, label="voltage [mV]")
    power = solution.power
    lost = 1.0 - power.cells[read] / power.delivered[read] if power.delivered[read] else 0.0
    text = (
        f"{panels['row nodes'].shape[1]} x {panels['row nodes'].shape[2]} cells, "
        f"{show(float(power.delivered[read]), 'W')} delivered, {lost:.1%} of it lost in the wires"
    )
    figure.suptitle(heading(text, label), fontsize=10)
    return figure


def transfer_curve(ramp: Converter, label: str = "") -> Figure:
    """What the converter puts out over its pre-activation, over the function it is to apply.

    Where each column has levels of its own, or there are many chips, every one is drawn. label:
    whose converter it is, printed in the title.
    """
    x = around(ramp, 2001)
    y = metrics.transfer(ramp, x).reshape(-1, x.size)
    built = f"converter, {ramp.bits} bits"
    built += f", {several_of(ramp, len(y))}" if len(y) > 1 else ""
    figure, (curve, error) = panels((6.4, 4.8), 2, 1, sharex=True, height_ratios=(2.2, 1))
    curve.plot(x, ramp.curve.f(x), color=GREY, lw=1.2, label=f"{ramp.curve.name}, ideal")
    for k, each in enumerate(y):
        curve.step(x, each, color=BLUE, lw=1.2, where="mid", label="" if k else built)
    curve.set(ylabel="output", title=heading(ramp.curve.name, label, ramp.condition))
    curve.legend(frameon=False, loc="upper left")
    error.plot(x, (y - ramp.curve.f(x)).T / ramp.lsb, color=ORANGE, lw=0.8)
    error.axhspan(-0.5, 0.5, color=GREY, alpha=0.18, lw=0, label="quantisation, +-0.5 LSB")
    error.set(xlabel="pre-activation", ylabel="error [LSB]")
    low, high = error.get_ylim()
    error.set_ylim(low, high + 0.35 * (high - low))
    error.legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def ramp_levels(ramp: Converter, label: str = "") -> Figure:
    """The converter's levels as built beside the ideal ones, with INL and DNL; of every column
    that has levels of its own, and of every chip. label: whose, printed in the title."""
    as_a("ramp", ramp, Converter)
    ideal = ramp.curve.thresholds(ramp.bits) * (ramp.gain * ramp.common) * 1e3
    code = np.arange(1, ideal.size + 1)
    figure, (levels, errors) = panels((6.4, 4.8), 2, 1, sharex=True, height_ratios=(1.6, 1))
    levels.plot(code, ideal, color=GREY, lw=1.2, label="ideal")
    built = ramp.levels.reshape(-1, ideal.size)
    many = f", {several_of(ramp, len(built))}" if len(built) > 1 else ""
    first = [f"as programmed{many}", *[""] * (len(built) - 1)]
    levels.plot(code, built.T * 1e3, "o", color=BLUE, ms=3.5, label=first)
    text = f"{ramp.curve.name} at {ramp.bits} bits"
    levels.set(ylabel="level [mV]", title=heading(text, label, ramp.condition))
    levels.legend(frameon=False)
    errors.axhline(0, color=GREY, lw=0.8)
    inl, dnl = (each().reshape(len(built), -1).T for each in (ramp.inl, ramp.dnl))
    errors.plot(code, inl, ".-", color=BLUE, lw=1, label=["INL", *first[1:]])
    errors.plot(code[:-1] + 0.5, dnl, "x", color=ORANGE, ms=4, label=["DNL", *first[1:]])
    errors.set(xlabel="threshold", ylabel="error [LSB]")
    errors.legend(frameon=False, ncols=2)
    return figure


def conversion(result: Conversion, columns: Sequence[int] = (0,), read: int = 0) -> Figure:
    """One conversion as ngspice ran it: rows, samples, ramp over the macro's levels, flips.

    columns: outputs to show; read: which of the inputs. Raises ArgumentError where there are none.
    """
    as_a("result", result, Conversion, "Use netlist(macro, x).run().")
    times, macro = result.schedule, result.macro
    as_count("read", read, 0, len(result.x) - 1)
    if not isinstance(columns, Sized) or not len(columns):
        raise must("columns", "name one output or more", f"is {columns!r}")
    for j in columns:
        as_count("columns", j, 0, macro.shape[1] - 1)
    begin = read * times.period
    inside = (result.time >= begin) & (result.time < begin + times.period - times.edge)
    ns = (result.time[inside] - begin) * 1e9
    colours = (ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
    figure, (rows, ramps, flips) = panels((8.0, 6.6), 3, 1, sharex=True, height_ratios=(1, 2.6, 1))
    for k in range(macro.shape[0]):
        rows.plot(ns, result.waves[f"in{k}"][inside] * 1e3, color=GREY, lw=0.8, alpha=0.7)
    rows.set(
        ylabel="rows [mV]",
        title=heading("one conversion in ngspice", macro.hardware.name, macro.condition),
    )
    shown: set[str] = set()
    for n, j in enumerate(columns):
        ramp = next(ramp for where, ramp in macro.ramps if where.start <= j < where.stop)
        curves = list(dict.fromkeys(each.curve for _, each in macro.ramps))
        wave = result.waves[f"ramp{curves.index(ramp.curve)}"][inside] * 1e3
        if ramp.curve.name not in shown:
            label = f"ramp, {ramp.curve.name}"
            ramps.plot(ns, wave, color=BLUE, lw=1.2, label=f"{label}, ngspice")
            stood = times.strobes[: ramp.levels.size] * 1e9
            ramps.plot(stood, ramp.levels * 1e3, "o", color=BLUE, mfc="none", ms=4,
                       label=f"{label}, aimc")  # fmt: skip
            shown.add(ramp.curve.name)
        colour = colours[n % len(colours)]
        ramps.plot(ns, result.waves[f"hold{j}"][inside] * 1e3, color=colour, lw=1.2,
                   label=f"column {j}: code {result.code[read, j]}")  # fmt: skip
        flips.plot(ns, result.waves[f"flip{j}"][inside], color=colour, lw=1.2)
        if result.thermometer[read, j].any():
            flip = float(times.strobes[result.thermometer[read, j].argmax()]) * 1e9
            for axes in (ramps, flips):
                axes.axvline(flip, color=colour, lw=0.8, ls=":")
    ramps.set(ylabel="sampled, ramp [mV]")
    ramps.legend(frameon=False, fontsize=8, loc="upper left")
    flips.set(xlabel="time [ns]", ylabel="comparator [V]")
    return figure


def confusion_matrix(counts: Any, classes: Sequence[str], label: str = "") -> Figure:
    """Which class was taken for which. counts (classes, classes): rows true, columns predicted.

    label: what was measured, printed in the title. Cells show the percentage of their true class.
    Raises ArgumentError where the shape does not fit.
    """
    rule = "hold names of classes"
    if isinstance(classes, str) or not (classes := several("classes", classes, str, rule)):
        raise must("classes", rule, f"is {classes!r}")
    as_text("label", label, empty=True)
    counts = as_array("counts", counts, (len(classes), len(classes)), minimum=0)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(6.4, 5.6)
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    for (row, col), value in np.ndenumerate(share):
        if value >= 0.5:
            colour = "white" if value > 55 else "black"
            axes.text(col, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right")
    axes.set_yticks(ticks, classes)
    correct = np.trace(counts) / max(counts.sum(), 1)
    title = f"{label}\n{correct:.1%} of {counts.sum():.0f} correct".strip()
    axes.set(xlabel="predicted", ylabel="true", title=title)
    figure.colorbar(image, ax=axes, label="share of the true class [%]")
    return figure


def accuracy_over_chips(
    accuracy: Mapping[str, Sequence[float]], float_accuracy: float, label: str = ""
) -> Figure:
    """Every chip's accuracy, card by card, beside the float model's. Fractions of one.

    label: what the data is, printed in the title. ArgumentError where a card has no chip.
    """
    if not isinstance(accuracy, Mapping) or not accuracy:
        raise must("accuracy", "hold one accuracy or more for each card", f"is {accuracy!r}")
    for values in accuracy.values():
        as_array("accuracy", values, (None,), 0, 1)
    as_number("float_accuracy", float_accuracy, 0, 1)
    as_text("label", label, empty=True)
    figure, (axes,) = panels((max(4.6, 1.7 * len(accuracy) + 1.6), 4.2))
    axes.axhline(100 * float_accuracy, color=GREY, ls="--", lw=1.2, label="float model")
    for place, values in enumerate(accuracy.values()):
        percent = 100 * np.asarray(values, dtype=float)
        spread = np.linspace(-0.16, 0.16, percent.size) if percent.size > 1 else [0.0]
        axes.plot(place + np.asarray(spread), percent, "o", color=BLUE, ms=4.5, alpha=0.75, mew=0,
                  label="one chip" if not place else None)  # fmt: skip
        axes.plot([place - 0.28, place + 0.28], [percent.mean()] * 2, color=ORANGE, lw=2,
                  label="mean" if not place else None)  # fmt: skip
    axes.set_xticks(range(len(accuracy)), list(accuracy))
    axes.set(ylabel="test accuracy [%]", xlim=(-0.6, len(accuracy) - 0.4), title=label)
    low, high = axes.get_ylim()
    spare = max(0.0, 1.0 - (high - low)) / 2  # less than a percent would show rounding
    axes.set_ylim(low - spare, high + spare)
    axes.legend(frameon=False, fontsize=8)
    return figure
