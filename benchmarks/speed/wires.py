"""How long does a crossbar with wire resistance take? One table, measured in one run.

    python benchmarks/speed/wires.py [--sizes 32 64 128 256] [--repeat 5] [--cpu] [--json FILE]

Times are medians; a ratio compares times of this run only. Both baselines solve the same circuit
(1 ohm from node to node, source and sense included): scipy's sparse LU of the nodal equations, and
badcrossbar, the usual Python package for this, if it is installed. BLAS has one thread throughout,
which is what sparse solves are fastest with. `floor` is what the transfer matrix's arithmetic would
take at this machine's measured dgemm rate. On a loaded machine wall times mean little (see `load`):
`--cpu` counts the processor time of all threads instead, which favours the peers, who use one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import scipy
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from aimc.kernels import blas, network

OHM: dict[str, Any] = {"r_row": 1.0, "r_col": 1.0, "r_source": 1.0, "r_sense": 1.0}
READS = 128
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


def nodal(g: np.ndarray) -> tuple[Any, np.ndarray]:
    """Nodal matrix of the circuit, rows then columns, and the nodes that the sources drive."""
    m, n = g.shape
    row = np.arange(m * n).reshape(m, n)
    col = row + m * n
    pairs = [
        (row[:, 1:], row[:, :-1], np.ones((m, n - 1))),
        (col[1:], col[:-1], np.ones((m - 1, n))),
        (row, col, g),
    ]
    a, b, y = (np.concatenate([p[k].ravel() for p in pairs]) for k in range(3))
    ends = np.concatenate([row[:, 0], col[-1]])
    i = np.concatenate([a, b, a, b, ends])
    j = np.concatenate([a, b, b, a, ends])
    y = np.concatenate([y, y, -y, -y, np.ones(len(ends))])
    return sp.coo_matrix((y, (i, j)), (2 * m * n, 2 * m * n)).tocsc(), row[:, 0]


def by_splu(g: np.ndarray, v: np.ndarray) -> np.ndarray:
    matrix, driven = nodal(g)
    right = np.zeros((2 * g.size, len(v)))
    right[driven] = v.T
    return splu(matrix, permc_spec="MMD_AT_PLUS_A").solve(right)[-g.shape[1] :].T


def by_badcrossbar() -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    try:
        import badcrossbar
    except ImportError:
        return None
    import logging

    logging.disable(logging.INFO)

    def read(g: np.ndarray, v: np.ndarray) -> np.ndarray:
        done = badcrossbar.compute(v.T, 1.0 / g, r_i=1.0, node_voltages=False, all_currents=False)
        return np.asarray(done.currents.output)

    return read


def flops(n: int) -> float:
    """Of joining the blocks of n x n cells above the leaves: products, inverses, as executed."""
    from aimc.kernels.reduction import Block, plan

    def count(block: Block) -> float:
        if block.parts is None:
            return 0.0
        k, p, q = len(block.shared[0]), len(block.stay[0]), len(block.stay[1])
        own = 8 * k**3 + 2 * k * k * (p + 2 * q) + k * (p * p + q * q) + 2 * k * p * q
        return own + sum(map(count, block.parts))

    side = -(-n // 8)
    root = plan(side, side, False, False)
    first, second = root.parts or (root, root)
    k, b = len(root.shared[0]), len(second.bottom)
    last = 2 * k**3 * 2 + (2 / 3) * k**3 + 2 * k * k * len(first.bottom)
    return last + 2 * k * k * (len(first.bottom) + b) + count(first) + count(second)


def gemm_rate() -> float:
    """Measured dgemm rate [flop/s] on one thread, at 256 x 256."""
    a = np.random.default_rng(0).normal(size=(256, 256))
    with blas.one_thread():
        return 2 * 256**3 / (median_ms(lambda: a @ a, 50) * 1e-3)


def measure(n: int, repeat: int, badcrossbar: Callable | None) -> dict[str, float]:
    """Times [ms], and the largest relative error of the currents against sparse LU."""
    rng = np.random.default_rng(n)
    g = rng.uniform(2e-6, 150e-6, (n, n))
    v = rng.uniform(0.0, 0.2, (READS, n))
    noisy = g * rng.normal(1.0, 0.02, (READS, n, n))
    sigma = np.full(g.shape, 2.67e-6)
    transfer = network.transfer(g, **OHM)
    gain = network.noise_gain(g, **OHM)
    exact = by_splu(g, v)
    single, _ = network.reads(g, v, **OHM)
    scale = np.abs(exact).max()
    row = {
        "error of transfer": np.abs(v @ transfer - exact).max() / scale,
        "error of read": np.abs(single - exact).max() / scale,
        "transfer + 128 reads": median_ms(lambda: v @ network.transfer(g, **OHM), repeat),
        "transfer": median_ms(lambda: network.transfer(g, **OHM), repeat),
        "128 reads by transfer": median_ms(lambda: v @ transfer, 10 * repeat),
        "128 ideal reads": median_ms(lambda: v @ g, 10 * repeat),
        "1 fresh read": median_ms(lambda: network.reads(g, v[:1], **OHM), 4 * repeat),
        "128 noisy reads": median_ms(lambda: network.reads(noisy, v, **OHM), repeat),
        "128 noise std": median_ms(lambda: network.noise_std(g, v, sigma, gain, **OHM), repeat),
        "splu: 1 read": median_ms(lambda: by_splu(g, v[:1]), repeat),
        "splu: 128 reads": median_ms(lambda: by_splu(g, v), repeat),
    }
    if badcrossbar is not None:
        error = np.abs(badcrossbar(g, v[:1]) - exact[:1]).max() / scale
        row["error of badcrossbar"] = error
        row["badcrossbar: 1 read"] = median_ms(lambda: badcrossbar(g, v[:1]), repeat)
        row["badcrossbar: 128 reads"] = median_ms(lambda: badcrossbar(g, v), repeat)
    row["floor of transfer, 1 thread"] = 1e3 * flops(n) / gemm_rate()
    for peer in ("splu", "badcrossbar"):
        if f"{peer}: 1 read" in row:
            batch, one = row[f"{peer}: 128 reads"], row[f"{peer}: 1 read"]
            row[f"{peer} / aimc, transfer + 128 reads"] = batch / row["transfer + 128 reads"]
            row[f"{peer} / aimc, 1 fresh read"] = one / row["1 fresh read"]
            row[f"{peer} / aimc, a noisy read"] = one / (row["128 noisy reads"] / READS)
    row["wired / ideal, 128 reads"] = row["128 reads by transfer"] / row["128 ideal reads"]
    row["transfer / floor"] = row["transfer"] / row["floor of transfer, 1 thread"]
    return row


def versions() -> dict[str, str]:
    found = {"machine": platform.machine(), "python": platform.python_version()}
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x
        ]
        found["cpu"] = f"{len(names)} x {names[0]}" if names else "unknown"
    found["threads"] = str(numba.get_num_threads())
    found["dgemm, 1 thread"] = f"{gemm_rate() / 1e9:.0f} GFLOP/s"
    found |= {m.__name__: m.__version__ for m in (np, scipy, numba)}
    try:
        found["badcrossbar"] = importlib.metadata.version("badcrossbar")
    except importlib.metadata.PackageNotFoundError:
        found["badcrossbar"] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="leave badcrossbar out")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    options = parser.parse_args()
    if options.cpu:
        global clock
        clock = time.process_time
    if min(options.sizes) < 16:
        parser.error("--sizes must be at least 16")
    about = versions() | {"clock": "processor time" if options.cpu else "wall time"}
    print("  ".join(f"{k}: {x}" for k, x in about.items()))
    peer = None if options.no_peers else by_badcrossbar()
    with blas.one_thread():
        table = {n: measure(n, options.repeat, peer) for n in options.sizes}
    about["load"] = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"load: {about['load']}")
    print(f"\n{'ms, ratio or relative error':40}" + "".join(f"{n:>12}" for n in table))
    for name in table[options.sizes[0]]:
        print(f"{name:40}" + "".join(f"{table[n][name]:12.3g}" for n in table))
    if options.json:
        options.json.write_text(json.dumps({"about": about, "sizes": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
