"""How long do the transfer matrices of many arrays take: numba kernels against torch?

    python benchmarks/speed/transfers.py [--sizes 64 128] [--arrays 16] [--repeat 5] [--json FILE]

Milliseconds an array, medians of `--repeat` runs in float64, 1 ohm everywhere, conductances uniform
from 2 to 150 uS. The kernels use the threads of numba, torch those of torch; a GPU is added where
torch sees one, with the arrays on it before and the results left on it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from aimc.kernels.wires import network
from aimc.nn.wires import transfers
from aimc.parts.wires import Wires

OHM = Wires(1.0, 1.0, 1.0, 1.0)


def median_ms(work: Callable[[], Any], repeat: int) -> float:
    """Median time [ms] after one call that is not counted."""
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[1:])


def measure(side: int, arrays: int, repeat: int) -> dict[str, float]:
    g = np.random.default_rng(0).uniform(2e-6, 150e-6, (arrays, side, side))
    top = OHM.topology(g.shape[1:])
    kernels = network.transfers(g, top)
    result = {"numba": median_ms(lambda: network.transfers(g, top), repeat) / arrays}
    for device in ("cpu", "cuda")[: 1 + torch.cuda.is_available()]:
        there = torch.tensor(g, device=device)
        got = transfers(there, OHM, device).cpu().numpy()
        assert np.abs(got - kernels).max() <= 1e-10 * kernels.max()
        work: Callable[[], Any] = lambda d=device, t=there: transfers(t, OHM, d)  # noqa: E731
        result[f"torch {device}"] = median_ms(work, repeat) / arrays
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--arrays", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    about = {
        "gpu": gpu,
        "cpu": platform.processor() or platform.machine(),
        "threads": {"numba": numba.get_num_threads(), "torch": torch.get_num_threads()},
        "torch": torch.__version__,
        "arrays": options.arrays,
    }
    print(*(f"{key}: {value}" for key, value in about.items()), sep="   ")
    times = {}
    for side in options.sizes:
        times[side] = measure(side, options.arrays, options.repeat)
        shown = "   ".join(f"{name} {ms:9.3f}" for name, ms in times[side].items())
        print(f"{side:4} x {side:<4} ms an array: {shown}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"about": about, "ms": times}, indent=1) + "\n")


if __name__ == "__main__":
    main()
