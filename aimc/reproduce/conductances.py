"""Conductance maps of ramps whose output is a neuron's function (Yang et al. 2025, Fig. 3a)."""

from __future__ import annotations

import numpy as np

from aimc.curves import Curve, curve, linear
from aimc.device import Device
from aimc.ramp import RampADC
from aimc.reproduce.table import Row, Table

G_MAX = 150e-6  # [S]
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # [Klambauer et al. 2017]


def _softplus_inverse(y: np.ndarray) -> np.ndarray:
    return y + np.log(-np.expm1(-y))


def _elu(x: np.ndarray, scale: float = 1.0, alpha: float = 1.0) -> np.ndarray:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(x: np.ndarray) -> np.ndarray:
    return _elu(x, _SELU_SCALE, _SELU_ALPHA)


# Each curve with its derived smallest cell, step ratio and sum of the cells [uS, 1, uS].
EXPECTED: tuple[tuple[Curve, float, float, float], ...] = (
    (curve("sigmoid"), 25.9, 5.8, 1419),
    (curve("tanh"), 25.9, 5.8, 1419),
    (Curve("softplus", lambda x: np.logaddexp(0, x), 0.0, 4.0, _softplus_inverse), 25.3, 5.9, 1162),
    (Curve("elu", _elu, -1.0, 3.0), 27.1, 5.5, 1072),
    (Curve("selu", _selu, -_SELU_SCALE * _SELU_ALPHA, 3.0), 20.6, 7.3, 1122),
    (Curve("softsign", lambda x: x / (1 + abs(x)), -1.0, 1.0), 1.25, 120, 562),
    (linear(), 150, 1, 4500),
)


def run(seed: int) -> Table:
    """Cells of 5-bit ramps on an ideal device of 150 uS; nothing is drawn, `seed` is not used."""
    rows = []
    for function, smallest, ratio, total in EXPECTED:
        ramp = RampADC(5).program(function, Device(G_MAX), np.random.default_rng(seed))
        g = ramp.g_steps * 1e6
        rows += [
            Row(f"{function.name}: smallest cell", float(g.min()), smallest, "uS"),
            Row(f"{function.name}: largest over smallest", float(g.max() / g.min()), ratio, ""),
            Row(f"{function.name}: sum", float(g.sum()), total, "uS"),
        ]
    return Table(
        "conductances",
        "Cells of a 5-bit ramp, largest step on 150 uS",
        "derived from the curves by an independent calculation, not the paper's numbers",
        tuple(rows),
        {"g_max": G_MAX, "bits": 5},
    )
