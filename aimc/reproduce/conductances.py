"""Conductance maps of ramps whose output is a neuron's function (Yang et al. 2025, Fig. 3a)."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aimc.converters.ramp import RampADC
from aimc.parts.device import Device
from aimc.plots.style import panels
from aimc.reproduce.table import Row, Table

G_MAX = 150e-6  # [S]

# Each curve with its derived smallest cell, step ratio and sum of the cells [uS, 1, uS].
EXPECTED = {
    "sigmoid": (25.9, 5.8, 1419),
    "tanh": (25.9, 5.8, 1419),
    "softplus": (25.3, 5.9, 1162),
    "elu": (27.1, 5.5, 1072),
    "selu": (20.6, 7.3, 1122),
    "softsign": (1.25, 120, 562),
    "linear": (150, 1, 4500),
}


def run(seed: int) -> Table:
    """Cells of 5-bit ramps on an ideal device of 150 uS; nothing is drawn, `seed` is not used."""
    rows, cells = [], {}
    for name, (smallest, ratio, total) in EXPECTED.items():
        ramp = RampADC(5).program(name, Device(G_MAX), np.random.default_rng(seed))
        g = cells[name] = ramp.g_steps * 1e6
        rows += [
            Row(f"{name}: smallest cell", float(g.min()), smallest, "uS"),
            Row(f"{name}: largest over smallest", float(g.max() / g.min()), ratio, ""),
            Row(f"{name}: sum", float(g.sum()), total, "uS"),
        ]
    return Table(
        "conductances",
        "Cells of a 5-bit ramp, largest step on 150 uS",
        "derived from the curves by an independent calculation, not the paper's numbers",
        tuple(rows),
        {"g_max": G_MAX, "bits": 5},
        figure=partial(_figure, cells),
    )


def _figure(cells: dict[str, NDArray[np.float64]]) -> Figure:
    figure, (axes,) = panels((7.2, 4.4))
    for (name, g), style in zip(cells.items(), ("-", "--", "-", "-", "-", "-", ":"), strict=True):
        axes.plot(np.arange(1, g.size + 1), g, f"{style}o", lw=1, ms=3, label=name)
    axes.set(xlabel="step of the ramp", ylabel="conductance [uS]", yscale="log",
             title="Cells of 5-bit ramps, largest step on 150 uS")  # fmt: skip
    axes.legend(frameon=False, fontsize=8)
    return figure
