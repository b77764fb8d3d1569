"""What a converter's imperfections make of a reference without a ramp of memristors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.imperfections import Circuit, Noise, Waveform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.adc import ADC, Site

    Array = NDArray[np.float64]


def circuit(adc: ADC, site: Site, g_columns: Any, steps: Array, c_ramp: float) -> Circuit:
    """What noise depends on, of a reference without memristors."""
    return Circuit(
        t_step=adc.t_step, t_rest=0.0, window=site.window, start=1, c_array=site.c_array,
        c_ramp=c_ramp, steps=steps, sigma_steps=np.zeros(steps.shape), sigma_start=0.0, g_ramp=0.0,
        g_array=g_columns, volts=0.0,
    )  # fmt: skip


def late(adc: ADC, circuit: Circuit, decisions: int) -> Array:
    """By how much decisions one clock period apart move, (decisions,) [V]."""
    late = np.zeros(decisions)
    for part in adc.imperfections:
        late = part.decide(late, circuit)
    return late


def noise(adc: ADC, circuit: Circuit) -> Noise:
    """What all imperfections add to each read."""
    return sum((part.noise(circuit) for part in adc.imperfections), Noise())


def waveform(adc: ADC) -> Waveform:
    """How the reference answers its steps."""
    wave = Waveform(adc.t_step)
    for part in adc.imperfections:
        wave = part.waveform(wave)
    return wave
