"""Statistics of measured Pt/TaOx/Ta cells: writing, reading, current-voltage (ReADC, Fig. 3).

Nat. Commun. 2025, s41467-025-65233-w: cells are written with verification until they stand within
5 uS of their target, and read 1000 times each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from aimc import cards
from aimc.parts.ivcurve import Cubic
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, panels
from aimc.reproduce.readc import read
from aimc.reproduce.table import Row, Table

Array = NDArray[np.float64]

TARGETS = np.arange(100.0, 401.0, 50.0)  # [uS]
WINDOW = 5.0  # of the verification [uS]
SMALL = 0.3001  # up to which i = g u (1 + k u^2) is fitted [V]; sweeps have a step at 0.3
LOW = 60.0  # below, a branch is in the high-resistance state [uS]
DRAWS = 2000

# Standard deviation of writing and of reading at each target [uS].
WRITE = (2.417, 2.644, 2.979, 2.791, 2.813, 2.627, 2.844)
READ = (0.182, 0.346, 0.198, 0.022, 0.039, 0.078, 0.113)
# k [1/V^2] of cells of so many uS.
CUBIC = {94: 0.96, 171: 1.05, 254: 0.71, 319: 0.60, 523: 0.38}
CARD = "taox-1t1r-128-nonlinear"  # has a straight line through k over g


@dataclass(frozen=True)
class Branch:
    """One way of a sweep: voltage [V], current [uA], fitted conductance g [uS] and k [1/V^2]."""

    v: Array
    i: Array
    g: float
    k: float


def branches(data: Path) -> list[Branch]:
    """The sweeps' ways forth and back, with i = g u (1 + k u^2) fitted to i / u below 0.3 V by
    least squares."""
    found = []
    for v, i in read(data, "device_iv.csv", 32, gaps=True).T.reshape(16, 2, -1):
        there = np.isfinite(v) & np.isfinite(i)
        v, i = np.abs(v[there]), i[there]
        turn = int(np.argmax(v))
        for way in (slice(0, turn + 1), slice(turn, None)):
            u, current = v[way], i[way]
            small = (u > 0) & (u <= SMALL)
            u, current = u[small], current[small]
            g, gk = np.polynomial.polynomial.polyfit(u**2, current / u, 1)
            found.append(Branch(u, current, float(g), float(gk / g)))
    return found


def run(seed: int, data: Path) -> Table:
    """Statistics of the files. `seed` is of the draws that the test of a normal law needs."""
    errors = read(data, "device_programmed_conductance_uS.csv", TARGETS.size) - TARGETS
    cycles = read(data, "device_read_noise.csv", 3)
    reads = [cycles[cycles[:, 1] == target, 2] for target in TARGETS]
    sweeps = branches(data)
    rows = [*_written(errors, np.random.default_rng(seed)), *_read(reads), *_sweeps(sweeps)]
    return Table(
        "device",
        "Measured Pt/TaOx/Ta cells",
        "R: printed in the paper; D: calculated from its source data without the simulator, the "
        f"straight line as the card {CARD} has it",
        tuple(rows),
        {"window_uS": WINDOW, "cells": errors.size, "draws": DRAWS, "seed": seed},
        (
            "the data holds the conductances after writing only: that 91.6 % of the cells converge "
            "within 10 iterations, 5.57 on average, and the endurance (R), cannot be seen in it",
            "one cell a target was read, without times; where neighbouring reads resemble each "
            "other (correlation near 1, at 150 and 350 uS) it jumps between levels: no white noise",
            "the mean read deviation as printed, 0.14 uS, is 0.047 % of 300 uS; the mean of the "
            "states' own relative deviations is larger",
        ),
        partial(_figure, errors, reads, sweeps),
    )


def _written(errors: Array, rng: np.random.Generator) -> list[Row]:
    sigma = errors.std(axis=0, ddof=1)
    rows = [
        Row(f"writing, deviation at {target:.0f} uS", float(s), expected, "uS", "D")
        for target, s, expected in zip(TARGETS, sigma, WRITE, strict=True)
    ]
    e = np.sort(errors.ravel())
    window = (-WINDOW, 2 * WINDOW)
    distance = _normal_distance(e)
    drawn = np.sort(rng.standard_normal((DRAWS, e.size)), axis=1)
    further = sum(_normal_distance(each) >= distance for each in drawn)
    uniform = stats.kstest(e, stats.uniform.cdf, args=window)
    likelihood = (
        stats.uniform.logpdf(e, *window).sum() - stats.norm.logpdf(e, e.mean(), e.std()).sum()
    )
    what = "writing, all errors"
    return [
        *rows,
        Row("writing, mean deviation", float(sigma.mean()), 2.73, "uS", "R"),
        Row(f"{what}: mean", float(e.mean()), -0.31, "uS", "D"),
        Row(f"{what}: deviation", float(e.std(ddof=1)), 2.75, "uS", "D"),
        Row(f"{what}: least", float(e[0]), -4.99, "uS", "D"),
        Row(f"{what}: largest", float(e[-1]), 4.90, "uS", "D"),
        Row(f"{what}: excess kurtosis (uniform -1.2, normal 0)", float(stats.kurtosis(e)), -1.17,
            "", "D"),
        Row("distance from uniform +-5 uS (Kolmogorov-Smirnov)", float(uniform.statistic), None,
            ""),
        Row("distance from the best normal law", distance, None, ""),
        Row("share of uniform samples at least as distant", float(uniform.pvalue), None, ""),
        Row("share of normal samples at least as distant", (further + 1) / (DRAWS + 1), None, ""),
        Row("log-likelihood, uniform less best normal", float(likelihood), None, ""),
    ]  # fmt: skip


def _normal_distance(x: Array) -> float:
    """Kolmogorov-Smirnov distance of rising x from the normal law of its mean and deviation."""
    cdf = stats.norm.cdf((x - x.mean()) / x.std())
    steps = np.arange(x.size + 1) / x.size
    return float(max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max()))


def _read(reads: list[Array]) -> list[Row]:
    std = [float(each.std()) for each in reads]
    rows = [
        Row(f"reading, deviation at {target:.0f} uS", s, expected, "uS", "D")
        for target, s, expected in zip(TARGETS, std, READ, strict=True)
    ]
    relative = [s / float(each.mean()) for s, each in zip(std, reads, strict=True)]
    rows += [
        Row("reading, mean deviation", float(np.mean(std)), 0.14, "uS", "R"),
        Row("reading, mean relative deviation", 100 * float(np.mean(relative)), 0.047, "%", "R"),
    ]
    for target, each in zip(TARGETS, reads, strict=True):
        alike = float(np.corrcoef(each[1:], each[:-1])[0, 1])
        rows.append(Row(f"reading, correlation of neighbours at {target:.0f} uS", alike, None, ""))
    return rows


def _sweeps(sweeps: list[Branch]) -> list[Row]:
    g, k = (np.array([getattr(each, name) for each in sweeps]) for name in "gk")
    rows = []
    for target, expected in CUBIC.items():
        near = float(np.mean(k[np.abs(g / target - 1) < 0.05]))
        rows.append(Row(f"k of i = g u (1 + k u^2) at {target} uS", near, expected, "1/V2", "D"))
    for target, expected in ((94, 0.42), (523, 0.665)):
        near = float(np.mean(k[np.abs(g / target - 1) < 0.05]))
        v_0 = 1 / np.sqrt(6 * near)
        rows.append(Row(f"V_0 of sinh(u / V_0) at {target} uS", v_0, expected, "V", "D"))
    slope, start = np.polyfit(g, k, 1)
    at_zero, fall = _card_line()
    rest = k - (start + slope * g)
    off = max(float(np.abs(b.v * b.g * (1 + b.k * b.v**2) / b.i - 1).max()) for b in sweeps
              if b.g > LOW)  # fmt: skip
    return [
        *rows,
        Row(f"k, straight line over g, {len(sweeps)} branches: at 0", float(start), at_zero,
            "1/V2", "D"),
        Row("k, straight line over g: slope", float(slope), fall, "1/V2/uS", "D"),
        Row("k, scatter about the line (rms)", float(np.sqrt(np.mean(rest**2))), None, "1/V2"),
        Row(f"largest misfit of a branch's own cubic above {LOW:.0f} uS", 100 * off, None, "%"),
    ]  # fmt: skip


def _card_line() -> tuple[float, float]:
    """k at 0 uS [1/V^2] and its slope [1/V^2/uS], as the card has them."""
    iv = cards.load(CARD).device.iv
    assert isinstance(iv, Cubic)
    return float(np.atleast_1d(iv.k3)[0]), iv.k3_slope * 1e-6


def _figure(errors: Array, reads: list[Array], sweeps: list[Branch]) -> Figure:
    figure, (law, spread, noise, cubic) = panels((10.4, 7.6), 2, 2)
    e = errors.ravel()
    at = np.linspace(-8, 8, 801)
    law.hist(e, bins=np.arange(-8, 8.1, 0.5).tolist(), density=True, color=GREY, alpha=0.6,
             label=f"{e.size} cells")  # fmt: skip
    law.plot(at, stats.uniform.pdf(at, -WINDOW, 2 * WINDOW), color=BLUE, label="uniform, +-5 uS")
    law.plot(at, stats.norm.pdf(at, e.mean(), e.std()), color=ORANGE, label="normal, same moments")
    law.set(xlabel="error [uS]", ylabel="density [1/uS]", title="Errors of writing", ylim=(0, 0.2))
    law.legend(frameon=False, fontsize=8)

    spread.plot(TARGETS, errors.std(axis=0, ddof=1), "o-", color=BLUE, label="writing")
    spread.plot(TARGETS, [each.std() for each in reads], "s-", color=GREEN, label="reading")
    spread.axhline(
        WINDOW / np.sqrt(3), color=GREY, ls="--", lw=1, label="uniform window, 5/sqrt(3)"
    )
    spread.set(xlabel="target [uS]", ylabel="standard deviation [uS]", yscale="log",
               title="Spread of writing and of reading")  # fmt: skip
    spread.legend(frameon=False, fontsize=8)

    for place, (target, each) in enumerate(zip(TARGETS, reads, strict=True)):
        noise.plot(each - each.mean() + 2 * place, color=BLUE, lw=0.6)
        noise.text(len(each) * 1.01, 2 * place, f"{target:.0f} uS", va="center", fontsize=8)
    noise.set(xlabel="read", ylabel="deviation from the mean [uS], apart by 2",
              title="Reads of one cell a target")  # fmt: skip

    g, k = (np.array([getattr(each, name) for each in sweeps]) for name in "gk")
    cubic.plot(g, k, "o", color=BLUE, ms=4, label="branches of measured sweeps")
    cubic.plot(list(CUBIC), list(CUBIC.values()), "x", color=ORANGE, label="expected (D)")
    line = np.array([g.min(), g.max()])
    at_zero, fall = _card_line()
    cubic.plot(line, at_zero + fall * line, color=GREY, lw=1, label=f"line of {CARD}")
    cubic.set(xlabel="conductance g [uS]", ylabel="k [1/V2]",
              title="i = g u (1 + k u^2) below 0.3 V")  # fmt: skip
    cubic.legend(frameon=False, fontsize=8)
    return figure
