"""Draws the figures of docs/netlists.md with ngspice: `python docs/figures/make.py`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import aimc
from aimc import plots, spice

HERE = Path(__file__).parent


def conversion() -> None:
    hardware = aimc.load("taox-1t1r-128").replace(rows=8, cols=4)
    rng = np.random.default_rng(7)
    macro = hardware.program(rng.normal(size=(8, 4)), rng, curve="sigmoid")
    result = spice.netlist(macro, rng.uniform(-1, 1, size=8)).run()
    plots.save(plots.conversion(result, columns=(0, 2, 3)), HERE / "conversion.png")


def amplifier() -> None:
    """How far the ramp of an amplifier with finite gain stands from the ideal levels."""
    hardware = aimc.load("taox-1t1r-128").replace(rows=8, cols=4)
    rng = np.random.default_rng(7)
    macro = hardware.program(rng.normal(size=(8, 4)), rng, curve="sigmoid")
    x = rng.uniform(-1, 1, size=8)
    levels = macro.ramps[0][1].levels
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for gain, colour in ((1e3, plots.ORANGE), (1e4, plots.BLUE), (1e6, plots.GREEN)):
        stood = spice.netlist(macro, x, gain=gain).run().levels[0, 0]
        error = np.abs(stood - levels) * 1e3
        axes.semilogy(levels * 1e3, error, ".-", color=colour, lw=1, label=f"gain {gain:.0e}")
    axes.set(xlabel="level [mV]", ylabel="ramp off its level by [mV]")
    axes.set_title("The ramp behind an amplifier of finite gain")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(top=30)
    axes.legend(frameon=False, ncols=3, loc="upper center")
    plots.save(figure, HERE / "amplifier.png")


def memristors() -> None:
    figure = Figure(figsize=(7.4, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for place, name, settings, amplitude in (
        (axes[0], "memristor_vteam", "", 0.6),
        (axes[1], "memristor_filament", "x0=1.2", 1.6),
    ):
        deck = "\n".join([
            "* two periods at 1 mhz", f".include {name}.lib",
            f"v1 a 0 dc 0 sin(0 {amplitude!r} 1e6)", "v2 b 0 dc 0",
            f"x1 a b {name} {settings}", ".options reltol=1e-5",
            ".tran 2e-9 2e-6 0 5e-10", ".save v(a) i(v2)", ".end", "",
        ])  # fmt: skip
        files = {"deck.cir": deck, f"{name}.lib": spice.model(name)}
        (plot,) = spice.Ngspice().run(files, "deck.cir")
        current = np.abs(plot["i(v2)"])
        far = current > 1e-9
        place.semilogy(np.where(far, plot["v(a)"], np.nan), current * 1e6, color=plots.BLUE, lw=1)
        place.set(xlabel="voltage [V]", ylabel="|current| [uA]", title=name)
        place.spines[["top", "right"]].set_visible(False)
    plots.save(figure, HERE / "memristors.png")


if __name__ == "__main__":
    conversion()
    amplifier()
    memristors()
