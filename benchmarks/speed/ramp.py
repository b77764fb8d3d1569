"""How many conversions a second does a ramp make, beside a plain search? One table, one thread.

    python benchmarks/speed/ramp.py [--repeat 5] [--crosssim FOLDER] [--json FILE]

`Converter.convert` of a sigmoid ramp as its cells were written, ideal, with comparator noise and
with a noisy ramp, against `numpy.searchsorted` and, where torch is installed, `torch.bucketize` of
the same voltages in the same levels, and `convert` of CrossSim's ramp converter (1000 x 64 only:
it holds every difference) where a checkout is given; that takes the nearest of as many levels, not
the first crossing. Medians of so many runs, taken in turn, after one that is not counted; `ratio`
is numpy's time over each. Codes must be those that numpy finds by the same rule.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

try:
    import torch
except ImportError:
    torch = None

from aimc import __version__
from aimc.converters.imperfections import ComparatorNoise, RampReadNoise
from aimc.converters.ramp import ProgrammedRamp, RampADC
from aimc.parts.device import Device, ReadNoise, WriteError

DEVICE = Device(150e-6, 1e-6, on_write=(WriteError(1e-6),), on_read=(ReadNoise(0.14e-6),))
NOISE = {
    "aimc": (),
    "aimc, comparator noise": (ComparatorNoise(5e-3),),
    "aimc, noisy ramp": (RampReadNoise(),),
}


def medians_ms(work: dict[str, Callable[[], Any]], repeat: int) -> dict[str, float]:
    """Median time [ms] of each, all run in turn."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeat + 1):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(each) for name, each in times.items()}


def crosssim(folder: Path, ramp: ProgrammedRamp, u: np.ndarray) -> Callable[[], Any]:
    """CrossSim's conversion of `u` by levels that are the same but for one more."""
    sys.path.insert(0, str(folder))
    from simulator.backend import ComputeBackend  # type: ignore[import-not-found]
    from simulator.circuits.adc.ramp_adc import RampADC as Peer  # type: ignore[import-not-found]

    ComputeBackend(use_gpu=False)
    peer = Peer.__new__(Peer)
    levels = ramp.crossings
    peer.bits, peer.dac_levels = ramp.bits, np.append(levels, 2 * levels[-1] - levels[-2])
    peer.min, peer.max = peer.dac_levels[[0, -1]]
    peer.Vref, peer.comparator_offsets = peer.max, np.zeros(u.shape[1])
    step = 2 * peer.Vref / 2**peer.bits
    middle = (peer.dac_levels[1:] + peer.dac_levels[:-1]) / 2
    codes = np.rint((peer.convert(u.T) - peer.convert(np.full((1, 1), peer.min))) / step)
    assert np.array_equal(codes.T, np.searchsorted(middle, u))
    return lambda: peer.convert(u.T)


def measure(bits: int, shape: tuple[int, int], repeat: int, peer: Path | None) -> dict[str, float]:
    u = np.random.default_rng(bits).normal(0.0, 2.0, shape)
    ramps = {
        name: RampADC(bits=bits, imperfections=parts, ramp_cells=2 ** (bits + 1)).program(
            "sigmoid", DEVICE, np.random.default_rng(0)
        )
        for name, parts in NOISE.items()
    }
    levels = ramps["aimc"].crossings
    work: dict[str, Callable[[], Any]] = {
        "numpy.searchsorted": lambda: np.searchsorted(levels, u, side="right"),
    }
    if torch is not None:
        pair = torch.from_numpy(u), torch.from_numpy(levels.copy())
        work["torch.bucketize"] = lambda: torch.bucketize(*pair, right=True)
    for name, ramp in ramps.items():
        rng = np.random.default_rng(1) if ramp.adc.imperfections else None
        work[name] = lambda ramp=ramp, rng=rng: ramp.convert(u, rng)
    if peer is not None and shape[0] <= 1000:
        work["CrossSim"] = crosssim(peer, ramps["aimc"], u)
    codes = work["numpy.searchsorted"]()
    assert np.array_equal(work["aimc"](), codes)
    if torch is not None:
        assert np.array_equal(work["torch.bucketize"]().numpy(), codes)
    return medians_ms(work, repeat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--crosssim", type=Path, help="folder of a CrossSim checkout")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    if torch is not None:
        torch.set_num_threads(1)
    about = {
        "aimc": __version__, "machine": platform.machine(), "python": platform.python_version(),
        "numpy": np.__version__, "numba": numba.__version__,
        "torch": torch.__version__ if torch else "not installed",
    }  # fmt: skip
    print("  ".join(f"{k}: {x}" for k, x in about.items()))
    table = {}
    for bits in (5, 8):
        for shape in ((1000, 64), (100_000, 128)):
            title = f"{bits} bits, {shape[0]} x {shape[1]}"
            table[title] = measure(bits, shape, options.repeat, options.crosssim)
            print(f"\n{title:30} {'ms':>9} {'M/s':>8} {'ratio':>7}")
            for name, ms in table[title].items():
                rate = shape[0] * shape[1] / ms / 1e3
                ratio = table[title]["numpy.searchsorted"] / ms
                print(f"{name:30} {ms:9.3f} {rate:8.1f} {ratio:7.2f}")
    about["load"] = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"\nload: {about['load']}")
    if options.json:
        partial = options.json.with_suffix(".partial")
        partial.write_text(json.dumps({"about": about, "ms": table}, indent=1) + "\n")
        partial.replace(options.json)


if __name__ == "__main__":
    main()
