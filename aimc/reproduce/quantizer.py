"""Uniform and adaptive quantisation of recorded pre-activations (ReADC, Fig. 5a and b).

Nat. Commun. 2025, s41467-025-65233-w: a converter whose thresholds can be programmed is given those
of Lloyd and Max for the values that occur.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aimc.curves import Curve, linear, lloyd_max
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, panels
from aimc.reproduce.readc import read
from aimc.reproduce.table import Row, Table

Array = NDArray[np.float64]

BITS = 4


def run(seed: int, data: Path) -> Table:
    """Mean square errors at 4 bits on the recorded values; nothing is drawn, `seed` is not used."""
    x = read(data, "quantizer_input.csv", 1)[:, 0]
    theirs = read(data, "quantizer_output.csv", 2)
    low, high = float(x.min()), float(x.max())
    step = (high - low) / (2**BITS - 1)
    inside = linear(low, high)
    # As the authors place them: the outermost of the uniform outputs are the extreme values.
    uniform = linear(low - step / 2, high + step / 2)
    adaptive, rounds = lloyd_iteration(inside, BITS, x)
    best = lloyd_max(inside, BITS, x)

    def error(y: Array) -> float:
        return float(np.mean((y - x) ** 2))

    what = "mean square error"
    rows = (
        Row(f"{what}, uniform, the authors' output", error(theirs[:, 0]), 7.12, "", "D"),
        Row(f"{what}, uniform, ours", error(uniform.quantise(x, BITS)), 7.12, "", "D"),
        Row(f"{what}, uniform, middles of equal intervals",
            error(inside.quantise(x, BITS)), None, ""),
        Row(f"{what}, adaptive, the authors' output", error(theirs[:, 1]), 2.899, "", "D"),
        Row(f"{what}, adaptive, Lloyd's iteration", error(adaptive.quantise(x, BITS)), 2.900,
            "", "D"),
        Row(f"{what}, adaptive, least possible", error(best.quantise(x, BITS)), None, ""),
    )  # fmt: skip
    return Table(
        "quantizer",
        f"{x.size} recorded pre-activations at {BITS} bits",
        "D: calculated from the published values without the simulator; the paper prints 14.99 and "
        "3.10 for a larger set, which is not among its data",
        rows,
        {"bits": BITS, "values": x.size, "iterations": rounds},
        (
            "Lloyd's iteration starts from equal intervals and stops where nothing changes, in a "
            "local minimum; the least possible error is found by dynamic programming",
        ),
        partial(_figure, x, uniform, adaptive, best),
    )


def lloyd_iteration(curve: Curve, bits: int, x: Array) -> tuple[Curve, int]:
    """Lloyd's iteration for y = x from the outputs of `curve`, and its rounds until it stands.

    Each round puts thresholds midway between outputs, then outputs at the means of what lies
    between thresholds; an empty interval keeps its output.
    """
    outputs, rounds = curve.outputs(bits), 0
    while True:
        thresholds = (outputs[1:] + outputs[:-1]) / 2
        code = np.searchsorted(thresholds, x, side="right")
        count = np.bincount(code, minlength=outputs.size)
        sums = np.bincount(code, x, minlength=outputs.size)
        moved = np.where(count > 0, sums / np.maximum(count, 1), outputs)
        if np.array_equal(moved, outputs):
            return curve.placed(thresholds, outputs), rounds
        outputs, rounds = moved, rounds + 1


def _figure(x: Array, uniform: Curve, adaptive: Curve, best: Curve) -> Figure:
    figure, (counts, stairs) = panels((10.4, 4.6), 1, 2)
    bars, _, _ = counts.hist(x, bins=90, color=GREY, alpha=0.6)
    kinds = ((uniform, BLUE, "uniform"), (adaptive, ORANGE, "Lloyd's iteration"),
             (best, GREEN, "optimum"))  # fmt: skip
    height = float(np.max(bars))
    grid = np.linspace(x.min() - 2, x.max() + 2, 6001)
    for place, (curve, colour, label) in enumerate(kinds):
        at = np.full(2**BITS, -(0.06 + 0.07 * place) * height)
        counts.plot(curve.outputs(BITS), at, "|", color=colour, ms=9, mew=1.6, label=label)
        y = curve.quantise(grid, BITS)
        mse = np.mean((curve.quantise(x, BITS) - x) ** 2)
        stairs.plot(grid, y, color=colour, lw=1.2, label=f"{label}, error {mse:.2f}")
    counts.set(xlabel="value", ylabel="values", title="Recorded values, and what codes stand for")
    counts.set_yticks([tick for tick in counts.get_yticks() if 0 <= tick <= height])
    counts.legend(frameon=False, fontsize=8, loc="upper left")
    stairs.plot(grid, grid, color=GREY, lw=0.8, ls="--", label="exact")
    stairs.set(xlabel="value", ylabel="output", title=f"Quantisation at {BITS} bits")
    stairs.legend(frameon=False, fontsize=8)
    return figure
