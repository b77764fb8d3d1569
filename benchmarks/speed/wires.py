"""What does a crossbar with wire resistance cost? One table, everything measured in one run.

    python benchmarks/speed/wires.py [--sizes 32 64 128 256 512] [--repeat 5] [--crosssim FOLDER]
                                     [--cpu] [--first] [--json FILE]

Every line is a median of `repeat` calls after one that is not counted; a ratio compares times of
this run only. The circuit is the same for all: 1 ohm from node to node, source and sense resistance
included, cells of 2 to 150 uS, inputs of 0 to 0.2 V. The peers, where they are installed:

    badcrossbar  the usual Python package for this (pip install badcrossbar)
    splu         scipy's sparse LU of the nodal equations
    cholmod      SuiteSparse's sparse Cholesky (pip install scikit-sparse)
    ngspice      an operating point by `ngspice -b`, the process included; up to 64 x 64
    crosssim     its iterative parasitics to its default tolerance 1e-3 and to 1e-6, from a checkout

BLAS has one thread, also for the peers, whose sparse solves are fastest so. `floor` is what the
arithmetic of the transfer matrix would take at the dgemm rate measured beside it on one thread.
Wall times mean little on a loaded machine (see `load`): `--cpu` counts processor time of all
threads instead. `--first` also times first calls in fresh processes, their cache empty or filled.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import scipy
from peers import crossbars as peers

from aimc import __version__
from aimc.crossbar import Crossbar
from aimc.kernels.base import blas
from aimc.kernels.wires import network, nonlinear
from aimc.parts.ivcurve import Sinh
from aimc.parts.wires import Wires

OHM = Wires(1.0, 1.0, 1.0, 1.0)
READS, NOISY = 128, 1000
TOO_FAR = 0.01  # of the largest current, beyond which another solver is not compared with
clock = time.perf_counter


def median_ms(work: Callable[[], Any], repeat: int) -> float:
    """Median time [ms] after one call that is not counted."""
    work()
    times = []
    for _ in range(repeat):
        start = clock()
        work()
        times.append(clock() - start)
    return 1e3 * statistics.median(times)


def flops(n: int) -> float:
    """Of joining the blocks of n x n cells above the leaves: products, inverses, as executed."""
    from aimc.kernels.wires.leaves import SIDE
    from aimc.kernels.wires.plan import Block, plan

    def count(block: Block) -> float:
        if block.parts is None:
            return 0.0
        k, p, q = (SIDE * len(x) for x in (block.shared[0], *block.stay))
        own = 6 * k**3 + 2 * k * k * (p + 2 * q) + k * (p * p + q * q) + 2 * k * p * q
        return own + sum(map(count, block.parts))

    side = -(-n // SIDE)
    root = plan(side, side, False, False).root
    first, second = root.parts or (root, root)
    k, left = SIDE * len(root.shared[0]), SIDE * len(first.left)
    bottom = SIDE * len(root.bottom)
    return 4 * k**3 + 4 * k * k * left + 2 * k * bottom * left + count(first) + count(second)


def gemm_rate() -> float:
    """Measured dgemm rate [flop/s] on one thread, at 256 x 256."""
    a = np.random.default_rng(0).normal(size=(256, 256))
    return 2 * 256**3 / (median_ms(lambda: a @ a, 50) * 1e-3)


def measure(n: int, repeat: int, others: dict[str, peers.Peer]) -> dict[str, float]:
    """Times [ms], ratios, and the largest relative errors of the currents against sparse LU."""
    rng = np.random.default_rng(n)
    g = rng.uniform(2e-6, 150e-6, (n, n))
    v = rng.uniform(0.0, 0.2, (READS, n))
    many = rng.uniform(0.0, 0.2, (NOISY, n))
    one = v[:1]
    noisy = g * rng.normal(1.0, 0.02, (min(NOISY, 2**22 // g.size), n, n))
    sigma = np.full(g.shape, 2.67e-6)
    top = OHM.topology(g.shape)
    crossbar = Crossbar(g, OHM, sigma)
    ideal = Crossbar(g)
    transfer = crossbar.transfer
    exact = peers.splu(g, v)
    scale = np.abs(exact).max()
    quick = repeat if n < 512 else max(1, repeat // 2)
    at = nonlinear.solve(Sinh(a=3.0), g, one, top)
    row = {
        "transfer matrix": median_ms(lambda: network.transfer(g, top), quick),
        "transfer matrix, float32": median_ms(
            lambda: network.transfers(g[None], top, dtype=np.float32), quick
        ),
        "transfer + 128 reads": median_ms(lambda: v @ network.transfer(g, top), quick),
        "1 read, fresh conductances": median_ms(lambda: network.reads(g, one, top), 4 * repeat),
        "128 reads": median_ms(lambda: crossbar.read(v), 10 * repeat),
        "128 reads without wires": median_ms(lambda: ideal.read(v), 10 * repeat),
        "1000 noisy reads, first order": median_ms(
            lambda: crossbar.read(many, np.random.default_rng(1)), quick
        ),
        "1000 noisy reads, exact": median_ms(
            lambda: network.reads(noisy, many[: len(noisy)], top), quick
        )
        * NOISY
        / len(noisy),
        "nonlinear read": median_ms(lambda: nonlinear.solve(Sinh(a=3.0), g, one, top), repeat),
        "error of transfer": np.abs(v @ transfer - exact).max() / scale,
        "error of float32": np.abs(
            v @ network.transfers(g[None], top, dtype=np.float32)[0] - exact
        ).max()
        / scale,
        "error of 1 read": np.abs(network.reads(g, one, top)[0] - exact[:1]).max() / scale,
        "residual of nonlinear read": at.residual,
        "steps of nonlinear read": len(at.history),
    }
    row["floor of transfer, 1 thread"] = 1e3 * flops(n) / gemm_rate()
    row["transfer / floor"] = row["transfer matrix"] / row["floor of transfer, 1 thread"]
    row["with wires / without, 128 reads"] = row["128 reads"] / row["128 reads without wires"]
    row["nonlinear / linear read"] = row["nonlinear read"] / row["1 read, fresh conductances"]
    for name, peer in others.items():
        if n > peer.largest:
            continue
        few = quick if peer.repeat is None else peer.repeat
        try:
            got = peer.read(g, one)
        except RuntimeError as error:
            print(f"{name}, {n} x {n}: {error}", file=sys.stderr)
            continue
        row[f"error of {name}"] = wrong = np.abs(got - exact[:1]).max() / scale
        if wrong > TOO_FAR:
            print(f"{name}, {n} x {n}: errs by {wrong:.2g}, no ratio", file=sys.stderr)
            continue
        row[f"{name}: 1 read"] = median_ms(lambda p=peer: p.read(g, one), few)
        row[f"{name} / aimc, 1 read"] = row[f"{name}: 1 read"] / row["1 read, fresh conductances"]
        if peer.many:
            row[f"{name}: 128 reads"] = median_ms(lambda p=peer: p.read(g, v), few)
            row[f"{name} / aimc, transfer + 128 reads"] = (
                row[f"{name}: 128 reads"] / row["transfer + 128 reads"]
            )
    return row


def first_calls() -> dict[str, float]:
    """Seconds of a first call, compilation included, each in a process of its own."""
    calls = {
        "reads": "network.reads(g, g[:1], top)",
        "transfer": "network.transfer(g, top)",
    }
    found = {}
    for name, call in calls.items():
        code = (
            "import time; start = time.perf_counter()\n"
            "import numpy as np; from aimc.kernels.wires import network\n"
            "from aimc.parts.wires import Wires\n"
            "top = Wires(1.0, 1.0, 1.0, 1.0).topology((64, 64))\n"
            f"g = np.full((64, 64), 1e-5); {call}; print(time.perf_counter() - start)"
        )
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("empty", "filled"):
                environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
                done = subprocess.run(
                    [sys.executable, "-c", code], env=environment, text=True, check=True,
                    stdout=subprocess.PIPE,
                )  # fmt: skip
                found[f"first call of {name}, {cache} cache [s]"] = float(done.stdout)
    return found


def versions(others: dict[str, peers.Peer]) -> dict[str, str]:
    found = {"aimc": __version__, "machine": platform.machine()}
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x
        ]
        found["cpu"] = f"{len(names)} x {names[0]}" if names else "unknown"
    found["threads"] = str(numba.get_num_threads())
    found["dgemm, 1 thread"] = f"{gemm_rate() / 1e9:.0f} GFLOP/s"
    found["python"] = platform.python_version()
    found |= {m.__name__: m.__version__ for m in (np, scipy, numba)}
    for name, package in (("badcrossbar", "badcrossbar"), ("cholmod", "scikit-sparse")):
        found[name] = importlib.metadata.version(package) if name in others else "not installed"
    found["ngspice"] = "not installed"
    if program := shutil.which("ngspice"):
        text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        found["ngspice"] = next((x for x in text.split() if x.startswith("ngspice-")), "unknown")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="aimc and its floor alone")
    parser.add_argument("--crosssim", type=Path, help="folder of a CrossSim checkout")
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    parser.add_argument("--first", action="store_true", help="also time first calls")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    if min(options.sizes) < 16 or options.repeat < 1:
        parser.error("--sizes must be at least 16 and --repeat at least 1")
    if options.cpu:
        global clock
        clock = time.process_time
    with blas.one_thread():
        others = {} if options.no_peers else peers.found(options.crosssim)
        about = versions(others) | {"clock": "processor time" if options.cpu else "wall time"}
        print("  ".join(f"{k}: {x}" for k, x in about.items()), flush=True)
        table = {}
        for n in options.sizes:
            table[n] = measure(n, options.repeat, others)
            print(f"measured {n} x {n}", file=sys.stderr, flush=True)
    about["load"] = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"load: {about['load']}")
    print(f"\n{'ms, ratio or relative error':40}" + "".join(f"{n:>12}" for n in table))
    for name in dict.fromkeys(key for row in table.values() for key in row):
        cells = (f"{row[name]:12.3g}" if name in row else f"{'-':>12}" for row in table.values())
        print(f"{name:40}" + "".join(cells))
    first = first_calls() if options.first else {}
    for name, seconds in first.items():
        print(f"{name:40}{seconds:12.2f}")
    if options.json:
        record = {"about": about, "sizes": table, "first calls": first}
        partial = options.json.with_suffix(".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        partial.replace(options.json)


if __name__ == "__main__":
    main()
