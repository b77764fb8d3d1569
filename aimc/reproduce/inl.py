"""INL of many ramps, before and after each calibration (Yang et al. 2025, Fig. 3a)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aimc.converters.calibration import CALIBRATIONS
from aimc.converters.ramp import ProgrammedRamp, RampADC
from aimc.parts.device import Device, Effect, StuckAt, WriteError, WriteVerify
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, panels
from aimc.reproduce.table import Row, Table

Array = NDArray[np.float64]

CHIPS = 3000
G_MAX = 150e-6  # [S]
METHODS = {method: method for method in CALIBRATIONS} | {"none": "not calibrated"}
_SIGMA = WriteError(2.67e-6)


@dataclass(frozen=True)
class _Case:
    """expected: derived mean worst INL without and with one-point calibration [LSB]. stuck: share
    of the ramp's cells, or of the bias cells too, that is stuck off."""

    what: str
    write: Effect
    bits: int
    expected: tuple[float, float] | tuple[None, None]
    stuck: float = 0.0
    bias_too: bool = False


CASES = (
    _Case("sigma 2.67 uS", _SIGMA, 5, (0.555, 0.362)),
    _Case("sigma 5 uS", WriteError(5e-6), 5, (1.03, 0.68)),
    _Case("uniform +-5 uS", WriteVerify(5e-6), 5, (0.607, 0.373)),
    _Case("4 bits, sigma 2.67 uS", _SIGMA, 4, (0.207, 0.135)),
    _Case("3 bits, sigma 2.67 uS", _SIGMA, 3, (0.078, 0.053)),
    _Case("1 % of the ramp's cells stuck off", _SIGMA, 5, (0.85, 0.55), 0.01),
    _Case("3 % of the ramp's cells stuck off", _SIGMA, 5, (1.46, 0.88), 0.03),
    _Case("10 % of the ramp's cells stuck off", _SIGMA, 5, (3.83, 1.84), 0.10),
    _Case("1 % of all cells stuck off", _SIGMA, 5, (None, None), 0.01, True),
    _Case("3 % of all cells stuck off", _SIGMA, 5, (None, None), 0.03, True),
)
_DRAWN = (CASES[0], CASES[6])


def run(seed: int) -> Table:
    """Worst |INL| of `CHIPS` sigmoid ramps with 5 bias cells: its mean, and the share of chips on
    which it stays below one LSB."""
    rows, drawn = [], {}
    for case in CASES:
        expected = dict(zip(METHODS, case.expected, strict=False))
        shares = []
        for method, words in METHODS.items():
            inl = _inl(case, method, np.random.default_rng(seed))
            worst = np.abs(inl).max(axis=-1)
            if case in _DRAWN:
                drawn[case.what, method] = inl
            what = f"{case.what}, {words}"
            rows.append(Row(what, float(worst.mean()), expected.get(method), "LSB"))
            shares.append(Row(f"{what}: below 1 LSB", 100 * float(np.mean(worst < 1)), None, "%"))
        if case.stuck:
            rows += shares
    return Table(
        "inl",
        f"Mean worst INL of a sigmoid ramp over {CHIPS} chips",
        "derived by an independent Monte Carlo of the circuit, not the paper's numbers; for the "
        "verify window it assumes a perfect trim, here the trim has the window's error too",
        tuple(rows),
        {"g_max": G_MAX, "chips": CHIPS, "seed": seed},
        (
            "multi-point and closed-loop calibration, and shares of chips, have nothing to be "
            "compared with",
            "a calibration reads each cell of a linear device without noise; multi-point writes "
            "nothing, one-point writes one bias cell, closed-loop every cell of the ramp",
        ),
        partial(_figure, drawn),
    )


def _inl(case: _Case, method: str, rng: np.random.Generator) -> Array:
    """INL (chips, k) [LSB] after the calibration of that name."""
    # Only multi-point calibration asks for bias cells of other sizes.
    design = "multi-point" if method == "multi-point" else "none"
    return _program(case, design, rng).recalibrated(rng, method).inl()


def _program(case: _Case, calibration: str, rng: np.random.Generator) -> ProgrammedRamp:
    device = Device(G_MAX, on_write=(case.write,))
    adc = RampADC(case.bits, calibration=calibration)  # pyright: ignore[reportArgumentType]
    ramp = adc.program("sigmoid", device, rng, chips=CHIPS)
    stuck = StuckAt(case.stuck)
    steps = stuck.hits(ramp.g_steps.shape, rng)
    bias = stuck.hits(ramp.g_bias.shape, rng) if case.bias_too else np.zeros_like(ramp.g_bias, bool)
    g_steps, g_bias = np.where(steps, 0.0, ramp.g_steps), np.where(bias, 0.0, ramp.g_bias)
    return replace(ramp, g_steps=g_steps, g_bias=g_bias, dead=(steps, bias))


def _figure(drawn: dict[tuple[str, str], Array]) -> Figure:
    colours = dict(zip(METHODS, (GREY, BLUE, GREEN, ORANGE), strict=True))
    figure, axes = panels((10.4, 7.4), 2, 2)
    for (share, codes), case in zip((axes[:2], axes[2:]), _DRAWN, strict=True):
        for method, words in METHODS.items():
            inl, colour = drawn[case.what, method], colours[method]
            worst = np.sort(np.abs(inl).max(axis=-1))
            share.plot(worst, 100 * np.arange(1, worst.size + 1) / worst.size, color=colour,
                       label=words)  # fmt: skip
            at = np.arange(1, inl.shape[-1] + 1)
            low, middle, high = np.percentile(inl, (5, 50, 95), axis=0)
            codes.fill_between(at, low, high, color=colour, alpha=0.25, lw=0)
            codes.plot(at, middle, color=colour, lw=1.2, label=words)
        share.axvline(1.0, color=GREY, lw=0.8, ls=":")
        share.set(xlabel="worst |INL| [LSB]", ylabel="chips below [%]", xlim=(0, 3), ylim=(0, 101),
                  title=case.what)  # fmt: skip
        codes.set(xlabel="threshold", ylabel="INL [LSB]", title="median, 5 to 95 % of chips")
        share.legend(frameon=False, fontsize=8, loc="lower right")
    return figure
