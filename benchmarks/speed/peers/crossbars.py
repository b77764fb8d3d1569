"""The peers of `wires.py`: currents (reads, cols) [A] of `g` at `v`, with 1 ohm everywhere."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu as scipy_splu

Read = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Peer:
    """read: as above. largest: array it is tried on. many: whether batches are timed too."""

    read: Read
    largest: int = 1024
    many: bool = True
    repeat: int | None = None


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


def _right(g: np.ndarray, v: np.ndarray, driven: np.ndarray) -> np.ndarray:
    right = np.zeros((2 * g.size, len(v)))
    right[driven] = v.T
    return right


def splu(g: np.ndarray, v: np.ndarray) -> np.ndarray:
    """scipy's sparse LU, the reference of the errors."""
    matrix, driven = nodal(g)
    solved = scipy_splu(matrix, permc_spec="MMD_AT_PLUS_A").solve(_right(g, v, driven))
    return solved[-g.shape[1] :].T


def _cholmod() -> Read | None:
    try:
        from sksparse.cholmod import cholesky
    except ImportError:
        return None

    def read(g: np.ndarray, v: np.ndarray) -> np.ndarray:
        matrix, driven = nodal(g)
        return cholesky(matrix)(_right(g, v, driven))[-g.shape[1] :].T

    return read


def _badcrossbar() -> Read | None:
    try:
        import badcrossbar
    except ImportError:
        return None
    logging.disable(logging.INFO)

    def read(g: np.ndarray, v: np.ndarray) -> np.ndarray:
        done = badcrossbar.compute(v.T, 1.0 / g, r_i=1.0, node_voltages=False, all_currents=False)
        return np.asarray(done.currents.output)

    return read


def _ngspice() -> Read | None:
    program = shutil.which("ngspice")
    if program is None:
        return None

    def read(g: np.ndarray, v: np.ndarray) -> np.ndarray:
        (m, n), lines = g.shape, ["crossbar, 1 ohm"]
        for i in range(m):
            lines.append(f"v{i} r{i}_s 0 {float(v[0, i])!r}")
            for j in range(n):
                before = f"r{i}_{j - 1}" if j else f"r{i}_s"
                below = f"c{i + 1}_{j}" if i < m - 1 else f"s{j}"
                lines.append(f"rr{i}_{j} {before} r{i}_{j} 1")
                lines.append(f"rc{i}_{j} c{i}_{j} {below} 1")
                lines.append(f"rg{i}_{j} r{i}_{j} c{i}_{j} {float(1.0 / g[i, j])!r}")
        lines += [f"vs{j} s{j} 0 0" for j in range(n)]
        lines += [".save " + " ".join(f"i(vs{j})" for j in range(n)), ".op", ".end"]
        with tempfile.TemporaryDirectory() as folder:
            deck, raw = Path(folder) / "deck.cir", Path(folder) / "out.raw"
            deck.write_text("\n".join(lines) + "\n")
            subprocess.run(
                [program, "-n", "-b", "-r", raw, deck], check=True, capture_output=True, cwd=folder
            )
            return np.frombuffer(raw.read_bytes().split(b"Binary:\n")[1], float)[None, -n:]

    return read


def _crosssim(folder: Path, tolerance: float) -> Read:
    """The positive half of its balanced core, whose other half holds nothing, one product after the
    other, until an iteration changes no voltage by more than `tolerance` of the largest."""
    sys.path.insert(0, str(folder))
    from simulator import AnalogCore, CrossSimParameters

    def read(g: np.ndarray, v: np.ndarray) -> np.ndarray:
        largest = float(g.max())
        p = CrossSimParameters()
        p.core.style = "BALANCED"
        p.core.rows_max, p.core.cols_max = g.shape
        p.core.mapping.weights.min, p.core.mapping.weights.max = -1.0, 1.0
        p.xbar.device.Rmin, p.xbar.device.infinite_on_off_ratio = 1.0 / largest, True
        p.xbar.array.parasitics.enable = True
        p.xbar.array.parasitics.Rp_row = p.xbar.array.parasitics.Rp_col = 1.0
        p.simulation.Verr_th_mvm, p.simulation.Niters_max_parasitics = tolerance, 100_000
        core = AnalogCore((g / largest).T, p)
        return np.stack([core.matvec(each) for each in v]) * largest

    return read


def found(crosssim: Path | None) -> dict[str, Peer]:
    """Those that this machine has. SystemExit where CrossSim is asked for and is not there."""
    have: dict[str, Peer] = {"splu": Peer(splu)}
    if read := _badcrossbar():
        have["badcrossbar"] = Peer(read)
    if read := _cholmod():
        have["cholmod"] = Peer(read)
    if read := _ngspice():
        have["ngspice"] = Peer(read, largest=64, many=False, repeat=1)
    if crosssim is not None:
        try:
            for name, tolerance in (("crosssim", 1e-3), ("crosssim, 1e-6", 1e-6)):
                have[name] = Peer(_crosssim(crosssim, tolerance), largest=256, repeat=1)
        except ImportError as error:
            raise SystemExit(f"--crosssim must be a CrossSim checkout, but {error}") from error
    return have
