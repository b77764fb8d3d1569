"""What comparators, settling and delay do to a 5-bit sigmoid: the ramp beside other converters."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aimc.converters import SARADC, FlashADC, LinearRampADC, imperfections
from aimc.converters.base import ADC, Converter, Site
from aimc.converters.imperfections import Imperfection
from aimc.converters.ramp import RampADC
from aimc.curves import curve
from aimc.parts.device import Device, WriteError
from aimc.plots.style import BLUE, GREEN, GREY, ORANGE, panels
from aimc.reproduce.table import Row, Table

Array = NDArray[np.float64]

G_MAX, WRITE = 150e-6, 2.67e-6  # [S]
SWING, V_READ, CLOCK = 0.5, 0.2, 1e-9  # [V], [V], [s]
SIGMA, READS, COLS = 1.5, 100, 2000  # of the pre-activations; of each case
DECK: dict[str, ADC] = {
    "ramp": RampADC(5, calibration="none"),
    "linear ramp of 8 bits": LinearRampADC(5, table_bits=8),
    "SAR of 8 bits": SARADC(5, table_bits=8),
    "flash": FlashADC(5),
}
# Derived for the ramp: rms code errors [LSB] by volts, worst INL [LSB] by tau over the period.
OFFSET = {1e-3: 0.225, 2e-3: 0.315, 5e-3: 0.525, 10e-3: 0.808}
NOISE = {1e-3: 0.249, 2e-3: 0.356, 5e-3: 0.567, 10e-3: 0.926}
SETTLED = {0.2: 0.009, 0.3: 0.048, 0.5: 0.192, 1.0: 0.692}

_SITE = Site(SWING / float(np.ptp(curve("sigmoid").thresholds(5))), V_READ, 568e-15, 31 * CLOCK)


def run(seed: int) -> Table:
    """Rms code errors against the converter without the imperfection, and worst INL."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, SIGMA, (READS, COLS))
    rows, errors = [], {}
    for what, part, expected in (
        ("comparator offset", imperfections.ComparatorOffset, OFFSET),
        ("comparator noise", imperfections.ComparatorNoise, NOISE),
    ):
        for name, adc in DECK.items():
            errors[what, name] = [_error(adc, part(volts), x, rng) for volts in expected]
            for volts, rms in zip(expected, errors[what, name], strict=True):
                there = expected[volts] if name == "ramp" else None
                rows.append(_row(f"{name}: {what} {volts * 1e3:g} mV, rms", rms, there))
    settled = {tau: _settling(tau) for tau in SETTLED}
    for tau, numbers in settled.items():
        says = f"ramp: settling, tau = {tau:g} T"
        rows.append(_row(f"{says}, steps at once, start settled, worst INL", numbers[0],
                         SETTLED[tau]))  # fmt: skip
        rows.append(_row(f"{says}, steps at once, start too", numbers[1], None))
        rows.append(_row(f"{says}, pulses of the whole period", numbers[2], None))
    rows += [
        _row("ramp: delay of 1 ns, mean code error",
             _shift(imperfections.ComparatorDelay(CLOCK), x), 1.0),
        _row("ramp: C_fb of a column 1 % off, rms",
             _error(DECK["ramp"], imperfections.CapacitorMismatch(0.01), x, rng), None),
        *_made(rng),
    ]  # fmt: skip
    return Table(
        "sensitivities",
        "Imperfections of converters of a 5-bit sigmoid, 0.5 V swing, 1 ns steps",
        "D: derived without the simulator, not published; of the ramp only",
        tuple(rows),
        {"swing": SWING, "v_read": V_READ, "t_step": CLOCK, "sigma_x": SIGMA, "reads": READS,
         "cols": COLS, "seed": seed},
        (
            f"x ~ N(0, {SIGMA}); for which x, and on how many columns, the expected offset and "
            "noise were derived is not known",
            "settling as derived, v += (target - v)(1 - exp(-T/tau)), takes steps that happen at "
            "once and a start that is settled: pulses of T/1000 with a rest after them",
            "levels of the linear ramp are 2 mV apart, so that noise has more chances to flip it "
            "early; a SAR makes one decision a bit",
            "a flash has the whole span of 6.9 in the 150 uS of one cell, a ramp in the 1419 uS of "
            "its steps: the same write error weighs nine times as much, but does not add up",
        ),
        partial(_figure, errors, settled),
    )  # fmt: skip


def _row(what: str, measured: float, expected: float | None) -> Row:
    return Row(what, measured, expected, "LSB", "" if expected is None else "D")


def _program(adc: ADC, device: Device, rng: np.random.Generator, cols: int) -> Converter:
    return adc.program("sigmoid", device, rng, _SITE).shared_by(cols, rng)


def _error(adc: ADC, part: Imperfection, x: Array, rng: np.random.Generator) -> float:
    """Rms code error [LSB] that the part alone makes of pre-activations x (reads, cols)."""
    device = Device(G_MAX)
    plain = _program(adc, device, rng, x.shape[1])
    made = _program(dataclasses.replace(adc, imperfections=(part,)), device, rng, x.shape[1])
    u = x * _SITE.gain
    gap = made.convert(made.columns.sampled(u), rng) - plain.convert(u)
    return float(np.sqrt(np.mean(gap.astype(float) ** 2)))


def _shift(part: Imperfection, x: Array) -> float:
    """Mean code error [LSB] where the codes have room for it."""
    device, rng = Device(G_MAX), np.random.default_rng(0)
    plain = _program(RampADC(5), device, rng, x.shape[1]).convert(x * _SITE.gain)
    late = _program(RampADC(5, (part,), calibration="none"), device, rng, x.shape[1]).convert(
        x * _SITE.gain
    )
    inner = (plain > 0) & (plain < 30)
    return float(np.mean((late - plain)[inner]))


def _settling(tau: float) -> tuple[float, float, float]:
    """Worst |INL| of a ramp with a lag of tau periods [LSB]: steps at once from a settled start,
    the start at once too, and pulses as long as the period."""
    device, rng = Device(G_MAX), np.random.default_rng(0)
    part = imperfections.Settling(tau * CLOCK)
    quick = RampADC(5, (part,), calibration="none", t_step=CLOCK / 1000, t_rest=CLOCK * 0.999)
    ramp = quick.program("sigmoid", device, rng, _SITE)
    # Without its start the ramp rises from zero; there it stands as long as one likes.
    bare = dataclasses.replace(ramp, pulses=np.zeros_like(ramp.pulses))
    built = ramp.goal[0] + bare.thresholds
    settled = (ramp.curve.f(built) - ramp.curve.edges(5)) / ramp.lsb
    whole = RampADC(5, (part,), calibration="none").program("sigmoid", device, rng, _SITE)
    return tuple(float(np.abs(inl).max()) for inl in (settled, ramp.inl(), whole.inl()))  # pyright: ignore[reportReturnType]


def _made(rng: np.random.Generator) -> list[Row]:
    """Mean worst |INL| of many, as they are made: written cells, drawn capacitors."""
    device, chips = Device(G_MAX, on_write=(WriteError(WRITE),)), 1000
    ramps = RampADC(5).program("sigmoid", device, rng, _SITE, chips=chips)
    flash = [FlashADC(5).program("sigmoid", device, rng, _SITE).inl() for _ in range(chips)]
    rows = [
        ("ramp: write error 2.67 uS, one-point", ramps.inl()),
        ("flash: write error 2.67 uS", np.array(flash)),
    ]
    for sigma in (0.01, 0.03, 0.1):
        sar = _program(SARADC(5, table_bits=8, unit_mismatch=sigma), device, rng, chips)
        rows.append((f"SAR of 8 bits: units {sigma:.0%} off", sar.inl()))
    return [
        _row(f"{what}, mean worst INL", float(np.abs(inl).max(axis=-1).mean()), None)
        for what, inl in rows
    ]


def _figure(
    errors: dict[tuple[str, str], list[float]], settled: dict[float, tuple[float, float, float]]
) -> Figure:
    figure, axes = panels((12.6, 4.2), 1, 3)
    colours = dict(zip(DECK, (BLUE, GREY, GREEN, ORANGE), strict=True))
    for ax, (what, expected) in zip(
        axes, (("comparator offset", OFFSET), ("comparator noise", NOISE)), strict=False
    ):
        volts = [1e3 * v for v in expected]
        for name, colour in colours.items():
            ax.plot(volts, errors[what, name], "-o", color=colour, ms=4, label=name)
        ax.plot(volts, list(expected.values()), "kx", ms=7, label="ramp, derived")
        ax.set(xlabel=f"{what} [mV rms]", ylabel="rms code error [LSB]", xscale="log",
               title=f"{what[0].upper()}{what[1:]}", ylim=(0, None))  # fmt: skip
        ax.legend(frameon=False, fontsize=8)
    taus = list(settled)
    words = ("steps at once, start settled", "steps at once, start too", "pulses of the period")
    for n, (label, colour) in enumerate(zip(words, (BLUE, GREEN, ORANGE), strict=True)):
        axes[2].plot(taus, [settled[t][n] for t in taus], "-o", color=colour, ms=4, label=label)
    axes[2].plot(taus, [SETTLED[t] for t in taus], "kx", ms=7, label="derived")
    axes[2].set(xlabel="tau over the period", ylabel="worst |INL| [LSB]", yscale="log",
                title="Settling of the ramp")  # fmt: skip
    axes[2].legend(frameon=False, fontsize=8)
    return figure
