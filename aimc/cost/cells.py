"""What the cells and their wires take from the drivers in a read, from the currents that flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aimc.crossbar import Crossbar
from aimc.kernels.wires import power, slices
from aimc.macro import Macro, Stack

Array = NDArray[np.float64]

_AT_ONCE = 2**24  # numbers that are held together


def delivered(crossbar: Crossbar, duration: Array, pulse: Array) -> Array:
    """Power of reads, averaged over the window (reads,) [W], wires included.

    duration, pulse (reads, rows): share of the window that each row is on, and its voltage [V]. All
    pulses begin together, so rows i and k are on together for the shorter of their shares d, and

        P = sum_ik v_i v_k Y_ik min(d_i, d_k),  Y_ik: current into row i a volt on row k.

    Where currents are not linear in the voltages, or the network changes as rows fall silent, it is
    the sum over time slices of what `Crossbar.solve` says is delivered.
    """
    if len(crossbar.arrays) > 1:
        parts = [delivered(one, duration[:, r], pulse[:, r]) for r, one in crossbar.arrays]
        return np.sum(parts, axis=0)
    if not crossbar.linear or crossbar.wires.drive == "both":
        return _slices(crossbar, duration, pulse)
    if crossbar.wires.ideal:
        return (duration * pulse**2) @ crossbar.g.sum(axis=1)
    return power.delivered(duration, pulse, crossbar.admittances)


def _slices(crossbar: Crossbar, duration: Array, pulse: Array) -> Array:
    duration, pulse = slices.as_pulses(duration, pulse, crossbar.g.shape[0])
    parts = slices.slices(duration)
    result = np.zeros(len(pulse))
    step = max(1, _AT_ONCE // (8 * crossbar.g.size))
    for lo in range(0, len(parts.read), step):
        here = slice(lo, lo + step)
        which = parts.read[here]
        taken = crossbar.solve(np.where(parts.on[here], pulse[which], 0.0)).power.delivered
        np.add.at(result, which, parts.share[here] * taken)
    return result


def energies(macro: Macro | Stack, v: Array) -> Array:
    """Energy of each read (reads,) [J], for mean row voltages v (reads, rows) [V] of a trace.

    Cells as they stand at the macro's age and temperature, rows at its read voltage. The cells'
    read noise, which is as often too much as too little, is left out.
    """
    driver, v = macro.hardware.driver, np.asarray(v, dtype=float)
    duration = driver.lengths(v, macro.supply)
    pulse = np.divide(v, duration, out=np.zeros_like(v), where=duration > 0.0)
    return driver.window * delivered(macro.crossbar, duration, pulse)


def average(macro: Macro, activity: float) -> float:
    """Mean energy of a read [J] whose rows use `activity` of a full activation's energy.

    Exact for linear cells, grounded idle rows and independent inputs of either sign: products of
    different rows then vanish in the mean, and each row pays as if alone. For others it is that sum
    over rows alone, an estimate.
    """
    driver, power = macro.hardware.driver, 0.0
    for _, one in macro.crossbar.arrays:
        alone = np.eye(one.g.shape[0])
        power += delivered(one, alone, driver.v_read * macro.supply * alone).sum()
    return driver.window * activity * float(power)
