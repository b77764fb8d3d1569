"""INL of many ramps, before and after one-point calibration (Yang et al. 2025, Fig. 3a)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aimc.device import Device, Effect, StuckAt, WriteError, WriteVerify
from aimc.ramp import ProgrammedRamp, RampADC
from aimc.reproduce.table import Row, Table

CHIPS = 3000
G_MAX = 150e-6  # [S]

_SIGMA = WriteError(2.67e-6)


@dataclass(frozen=True)
class _Case:
    """expected: derived mean worst INL without and with one-point calibration [LSB]. stuck: share
    of the ramp's cells, or of the bias cells too, that is stuck off."""

    what: str
    write: Effect
    bits: int
    expected: tuple[float, float] | tuple[None, None]
    stuck: float = 0.0
    bias_too: bool = False


CASES = (
    _Case("sigma 2.67 uS", _SIGMA, 5, (0.555, 0.362)),
    _Case("sigma 5 uS", WriteError(5e-6), 5, (1.03, 0.68)),
    _Case("uniform +-5 uS", WriteVerify(5e-6), 5, (0.607, 0.373)),
    _Case("4 bits, sigma 2.67 uS", _SIGMA, 4, (0.207, 0.135)),
    _Case("3 bits, sigma 2.67 uS", _SIGMA, 3, (0.078, 0.053)),
    _Case("1 % of the ramp's cells stuck off", _SIGMA, 5, (0.85, 0.55), 0.01),
    _Case("3 % of the ramp's cells stuck off", _SIGMA, 5, (1.46, 0.88), 0.03),
    _Case("10 % of the ramp's cells stuck off", _SIGMA, 5, (3.83, 1.84), 0.10),
    _Case("1 % of all cells stuck off", _SIGMA, 5, (None, None), 0.01, True),
    _Case("3 % of all cells stuck off", _SIGMA, 5, (None, None), 0.03, True),
)


def run(seed: int) -> Table:
    """Mean over `CHIPS` ramps of the worst |INL| of a sigmoid ramp with 5 bias cells."""
    rows = []
    for case in CASES:
        rng = np.random.default_rng(seed)
        ramps = [_program(case, rng) for _ in range(CHIPS)]
        before = float(np.mean([np.abs(ramp.inl()).max() for ramp in ramps]))
        after = float(np.mean([np.abs(ramp.trimmed(rng).inl()).max() for ramp in ramps]))
        rows.append(Row(f"{case.what}, not calibrated", before, case.expected[0], "LSB"))
        rows.append(Row(f"{case.what}, calibrated", after, case.expected[1], "LSB"))
    return Table(
        "inl",
        f"Mean worst INL of a sigmoid ramp over {CHIPS} chips",
        "derived by an independent Monte Carlo of the circuit, not the paper's numbers; for the "
        "verify window it assumes a perfect trim, here the trim has the window's error too",
        tuple(rows),
        {"g_max": G_MAX, "chips": CHIPS, "seed": seed},
    )


def _program(case: _Case, rng: np.random.Generator) -> ProgrammedRamp:
    device = Device(G_MAX, on_write=(case.write,))
    ramp = RampADC(case.bits, calibration="none").program("sigmoid", device, rng)
    stuck = StuckAt(case.stuck)
    ramp = replace(ramp, g_steps=stuck(ramp.g_steps, rng, G_MAX, 0.0))
    return replace(ramp, g_bias=stuck(ramp.g_bias, rng, G_MAX, 0.0)) if case.bias_too else ramp
