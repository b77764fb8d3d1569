"""What do the currents and slopes of 128 x 128 nonlinear cells cost? One table, one thread.

    python benchmarks/speed/cells.py [--size 128] [--reach 0.3] [--repeat 500]

Times are medians; `ratio` is to numpy's sinh and cosh of the same voltages, g sinh(a u) / a and
g cosh(a u), measured in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from aimc.parts.ivcurve import Cubic, Sinh, Tabulated
from aimc.parts.transistor import SeriesTransistor, Transistor

SWEEP = np.linspace(-1, 1, 101)
CURVES = {
    "Sinh": Sinh(2.0),
    "Cubic": Cubic(k3=1.33, k3_slope=-2100.0),
    "Cubic, log10 g": Cubic(k2=(0.1, 0.01), k3=(1.0, -0.1)),
    "Tabulated": Tabulated(tuple(SWEEP), tuple(1e-5 * np.sinh(2 * SWEEP))),
    "SeriesTransistor": SeriesTransistor(None, 2e3),
    "SeriesTransistor, Sinh": SeriesTransistor(Sinh(2.0), 2e3),
    "Transistor": Transistor(None, k=1e-3, v_gate=1.5, v_th=0.4),
    "Transistor, Sinh": Transistor(Sinh(2.0), k=1e-3, v_gate=1.5, v_th=0.4),
}


def median_us(work: Callable[[], Any], repeat: int) -> float:
    """Median time [us] after one call that is not counted."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--reach", type=float, default=0.3, help="largest voltage [V]")
    parser.add_argument("--repeat", type=int, default=500)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    g = rng.uniform(1e-6, 150e-6, (args.size, args.size))
    u = rng.uniform(-args.reach, args.reach, g.shape)
    numpy = median_us(lambda: (g * np.sinh(2 * u) / 2, g * np.cosh(2 * u)), args.repeat)
    print(f"{'curve':24} {'us':>8} {'ratio':>6}\n{'numpy sinh, cosh':24} {numpy:8.1f} {1:6.2f}")
    for name, curve in CURVES.items():
        us = median_us(lambda: curve.evaluate(g, u), args.repeat)  # noqa: B023
        print(f"{name:24} {us:8.1f} {us / numpy:6.2f}")


if __name__ == "__main__":
    main()
