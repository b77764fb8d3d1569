"""Codes while the read voltage moves, of references that follow it and of fixed ones (Yang et al.
2025, Fig. 3b)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aimc.converters import SARADC, FlashADC, LinearRampADC
from aimc.converters.base import ADC
from aimc.converters.ramp import RampADC
from aimc.macro import Condition, Hardware, Macro
from aimc.parts.device import Device, WriteError
from aimc.parts.driver import PulseDriver
from aimc.parts.ivcurve import IVCurve
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, panels
from aimc.reproduce.table import Row, Table

Array = NDArray[np.float64]

G_MAX = 150e-6  # [S]
V_READ = 0.2  # [V]
VOLTAGES = np.linspace(0.15, 0.25, 5)
SHOWN = (0, 1, 3, 4)  # of the voltages, in the table
SIGMA = 1.5  # of the pre-activations
ROWS, COLS, READS, CHIPS = 64, 32, 150, 6


@dataclass(frozen=True)
class ScatteredCubic(IVCurve):
    """i = g u (1 + k u^2), k normal about 1.5 - 0.004 g/uS with deviation 0.35 [1/V^2], as measured
    Pt/TaOx/Ta cells are about [Nat. Commun. 2025, s41467-025-65233-w, source data].

    The deviate of a cell is made of the digits of its conductance, so that a cell has the same k
    wherever it is asked for; chips differ by their write errors.
    """

    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        g, u = np.ascontiguousarray(g, float), np.asarray(u, float)
        k = 1.5 - 0.004e6 * g + 0.35 * _deviates(g)
        return g * u * (1 + k * u**2), g * (1 + 3 * k * u**2)


def _deviates(g: Array) -> Array:
    """Normal deviates of the bits of `g`, mixed as splitmix64 does [Steele et al. 2014]."""
    z = g.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return special.ndtri(((z >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53)


_LINEAR = Device(G_MAX)
_BENT = Device(G_MAX, on_write=(WriteError(2.67e-6),), iv=ScatteredCubic())
# Converter, device, and derived rms code errors at 0.15, 0.175, 0.225, 0.25 V [LSB].
CASES: dict[str, tuple[ADC, Device, tuple[float | None, ...]]] = {
    "fixed reference, linear ramp of 10 bits": (
        LinearRampADC(5, table_bits=10), _LINEAR, (1.55, 0.80, 0.76, 1.26),
    ),
    "fixed reference, SAR of 10 bits": (SARADC(5, table_bits=10), _LINEAR, (None,) * 4),
    "fixed reference, flash": (FlashADC(5, reference="fixed"), _LINEAR, (None,) * 4),
    "tracking flash, linear cells": (FlashADC(5), _LINEAR, (None,) * 4),
    "tracking ramp, linear cells": (RampADC(5), _LINEAR, (0.0,) * 4),
    "tracking ramp, nonlinear cells": (RampADC(5), _BENT, (0.29, 0.21, 0.23, 0.33)),
    "tracking flash, nonlinear cells": (FlashADC(5), _BENT, (None,) * 4),
}  # fmt: skip
ALONE = "tracking ramp, nonlinear cells, by itself"


def run(seed: int) -> Table:
    """Rms difference of the codes to those of the same chip at the nominal read voltage."""
    swept: dict[str, Array] = {}
    expected = {name: case[2] for name, case in CASES.items()}
    for name, (adc, device, _) in CASES.items():
        rng = np.random.default_rng(seed)
        chips = CHIPS if device is _BENT else 1
        macros = [_macro(adc, device, rng) for _ in range(chips)]
        x = rng.choice([-1.0, 1.0], (READS, ROWS))
        swept[name] = _rms(np.array([[_codes(m, x, v) for v in (V_READ, *VOLTAGES)]
                                     for m in macros]))  # fmt: skip
        if (adc, device) == (RampADC(5), _BENT):
            z = rng.normal(0, SIGMA, (READS, COLS))
            swept[ALONE] = _rms(np.array([[_alone(m, z, v) for v in (V_READ, *VOLTAGES)]
                                          for m in macros]))  # fmt: skip
            expected[ALONE] = (None,) * 4
    rows = [
        Row(f"{name}, {VOLTAGES[at]:.3f} V", float(rms[at]), there, "LSB", "" if there is None
            else "D")
        for name, rms in swept.items()
        for at, there in zip(SHOWN, expected[name], strict=True)
    ]  # fmt: skip
    return Table(
        "vread",
        f"Rms code error of a 5-bit sigmoid, x ~ N(0, {SIGMA}), nominal {V_READ} V",
        "D: derived without the simulator, not the paper's numbers, which are not known",
        tuple(rows),
        {"v_read": V_READ, "rows": ROWS, "cols": COLS, "reads": READS, "chips": CHIPS,
         "g_max": G_MAX, "seed": seed},
        (
            "each chip's codes are compared with its own at the nominal voltage; array and ramp "
            "have the same cells and the same voltage",
            "nonlinear cells: k = 1.5 - 0.004 g/uS +- 0.35 1/V2 in array and reference, write "
            "error 2.67 uS; by itself: behind an array that follows the mean of the ramp's cells",
        ),
        partial(_figure, swept),
    )  # fmt: skip


def _macro(adc: ADC, device: Device, rng: np.random.Generator) -> Macro:
    hardware = Hardware(device, PulseDriver(V_READ), ROWS, COLS, adc=adc)
    w = rng.normal(0.0, SIGMA / np.sqrt(ROWS), (ROWS, COLS))
    return hardware.program(w, rng, "sigmoid")


def _codes(macro: Macro, x: Array, v: float) -> NDArray[np.intp]:
    return macro.under(Condition(v_read=v)).trace(x).code


def _alone(macro: Macro, z: Array, v: float) -> NDArray[np.intp]:
    ramp = macro.converters[0].under(Condition(v_read=v))
    return np.searchsorted(ramp.outputs, ramp(z))


def _rms(codes: NDArray[np.intp]) -> Array:
    """Of codes (chips, 1 + voltages, reads, cols), against the first voltage, (voltages,)."""
    gap = codes[:, 1:] - codes[:, :1]
    return np.sqrt(np.mean(gap.astype(float) ** 2, axis=(0, 2, 3)))


def _figure(swept: dict[str, Array]) -> Figure:
    styles = (
        (GREY, "-o"), (GREY, "--s"), (GREY, ":^"), (GREEN, ":^"), (BLUE, "-o"), (ORANGE, "-o"),
        (ORANGE, "--s"), (ORANGE, ":^"),
    )  # fmt: skip
    figure, (axes,) = panels((7.4, 4.8))
    for (name, rms), (colour, style) in zip(swept.items(), styles, strict=True):
        axes.plot(VOLTAGES, rms, style, color=colour, lw=1.2, ms=4, label=name)
    known = [case[2] for case in CASES.values() if None not in case[2]]
    for n, marks in enumerate(known):
        axes.plot(VOLTAGES[list(SHOWN)], [float(m or 0) for m in marks], "kx", ms=7,
                  label="" if n else "derived")  # fmt: skip
    axes.set(xlabel="read voltage [V]", ylabel="rms code error [LSB]", ylim=(-0.05, 2.4),
             title="Codes against those at 0.2 V")  # fmt: skip
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")
    return figure
