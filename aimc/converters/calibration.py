"""How a ramp is brought to its thresholds after it was written, what that achieves, what it costs.

The cells of a ramp are read and its levels are measured, and cells are written or pulsed so that
the thresholds as measured come closest to those meant, for the array as it stands. A calibration
takes a ramp, or many chips' ramps at once, and gives a ramp with its `report`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.converters.column import Report
from aimc.converters.design import pulse_limit, reachable
from aimc.kernels.read.crossing import corrections

if TYPE_CHECKING:
    from aimc.arrays import Array, Generator, NDArray
    from aimc.converters.column import ProgrammedRamp

CALIBRATIONS = ("none", "one-point", "multi-point", "closed-loop")
READS = 16
"""Reads of each cell that are averaged: a device's read noise falls to a quarter."""
_PASSES = 3  # of measuring what the circuit does to the pulses that were found


def calibrated(ramp: ProgrammedRamp, rng: Generator, method: str) -> ProgrammedRamp:
    """`ramp` after the calibration of that name, one of CALIBRATIONS, with its report."""
    if method == "none":
        return ramp
    done, writes, reads, memory = _METHODS[method](ramp, rng)
    before, after = (np.abs(each.inl()).max(axis=-1) for each in (ramp, done))
    report = Report(method, before, after, writes, reads, memory)
    return dataclasses.replace(done, report=report)


def _strayed(ramp: ProgrammedRamp) -> Array:
    """By how much the circuit moves the thresholds from what the cells make (..., k): what a lag, a
    leak or a comparator's delay does to all columns alike."""
    if not ramp.adc.imperfections:
        return np.zeros_like(ramp.programmed)
    return ramp.thresholds - ramp.programmed


def _is_stuck(g: Array, target: Any, ramp: ProgrammedRamp) -> NDArray[np.bool_]:
    """Cells more than a fifth of the range from what they would be by now."""
    return np.abs(g - ramp.retained * target) > 0.2 * ramp.device.g_max


def one_point(ramp: ProgrammedRamp, rng: Generator) -> tuple[ProgrammedRamp, Array, int, int]:
    """One bias cell is written again so that the measured middle threshold is met.

    What remains there is that cell's own write error, and what its range cannot reach. A cell that
    stands more than a fifth of g_max from its target counts as stuck, and the one before is taken.
    """
    device, measured = ramp.device, ramp.measured(rng, READS)
    middle = ramp.goal.size // 2
    error = (measured.thresholds[..., middle] - ramp.goal[middle]) * ramp.scale * ramp.retained
    targets, _ = ramp.bias_plan
    sound = ~_is_stuck(measured.g_bias, targets, ramp)
    cell = targets.size - 1 - np.argmax(sound[..., ::-1], axis=-1)[..., None]
    held = np.take_along_axis(measured.g_bias, cell, -1)
    count = np.take_along_axis(ramp.pulses[..., 0], cell, -1)
    # A trim that is not used yet has no pulses: it takes as many as the cell that has most.
    most = np.abs(ramp.pulses[..., 0]).max(axis=-1, keepdims=True).clip(1)
    periods = np.where(count == 0, most, np.abs(count))
    wanted = (held * count - error[..., None]) / periods
    goal = reachable(np.abs(wanted), device)
    usable = np.asarray(sound.any(axis=-1, keepdims=True))
    written = np.where(goal > 0, device.rewrite(np.maximum(goal, device.g_min), rng), 0.0)
    there, plan = usable & (np.arange(targets.size) == cell), ramp.pulses.copy()
    plan[..., 0] = np.where(there, np.where(wanted > 0, periods, -periods), plan[..., 0])
    g_bias = np.where(there, written, ramp.g_bias)
    done = ramp.rewritten(bias=there, g_bias=g_bias, pulses=plan)
    return done, usable[..., 0].astype(float), READS * ramp.cells, 0


def multi_point(ramp: ProgrammedRamp, rng: Generator) -> tuple[ProgrammedRamp, Array, int, int]:
    """The bias cells are pulsed again along the ramp: before each level, the signed subset of them
    that brings it closest to where it must be, by what was measured.

    Nothing is written. The pulses, two bits a bias cell and level, are kept in a memory that the
    columns share. A stuck cell of the ramp is made up for at its step, a stuck bias cell is left
    out by what it is measured to be. What the circuit does to the levels depends a little on the
    pulses themselves, so that they are found again with what it does to those found before.
    """
    measured = ramp.measured(rng, READS)
    bare = dataclasses.replace(measured, pulses=np.zeros_like(ramp.pulses))
    missing, cells = bare.programmed - ramp.goal, np.atleast_2d(bare.pulsed[1] / bare.common)
    limit = np.full(
        cells.shape[-1], pulse_limit(-ramp.goal[0] * ramp.scale, cells.shape[-1], ramp.device)
    )
    pulses = ramp.pulses
    for _ in range(_PASSES if np.any(_strayed(measured)) else 1):
        error = np.atleast_2d((missing + _strayed(measured)) * ramp.scale)
        pattern = np.zeros((*cells.shape, error.shape[-1]), np.int64)
        corrections(error, cells, limit, pattern)
        pulses = pattern.reshape(ramp.pulses.shape)
        measured = dataclasses.replace(measured, pulses=pulses)
    done = dataclasses.replace(ramp, pulses=pulses)
    writes = np.zeros(ramp.g_steps.shape[:-1])
    return done, writes, READS * ramp.cells, 2 * ramp.g_bias.shape[-1] * ramp.goal.size


def closed_loop(ramp: ProgrammedRamp, rng: Generator) -> tuple[ProgrammedRamp, Array, int, int]:
    """The ramp's cells are written again one after the other, each to what is measured to be
    missing up to its level, so that errors do not add up: what stays is each cell's own. The first
    cells take up what the start has wrong; the neighbours of a stuck cell share its step.

    What a cell carries of its conductance, behind its wires and by its current-voltage curve, is
    taken to be what it was measured to carry before.
    """
    device, goal = ramp.device, ramp.goal
    g_steps = ramp.g_steps.copy()
    measured = ramp.measured(rng, READS)
    cells = np.where(measured.g_steps > 0, measured.g_steps, 1.0)
    large_signal = np.where(measured.g_steps > 0, measured.pulsed[0] / cells, ramp.large_signal)
    large_signal /= ramp.common
    error = (measured.thresholds - measured.programmed - goal) * ramp.scale
    along = np.einsum("...b,...bk->...k", measured.pulsed[1] / ramp.common, ramp.pulses[..., 1:])
    error[..., 1:] += np.cumsum(along, axis=-1)
    total = measured.programmed[..., 0] * ramp.scale + error[..., 0]
    there = np.zeros(g_steps.shape, bool)
    ends = np.cumsum(ramp.counts)
    for k, at in enumerate(map(np.arange, ends - ramp.counts, ends)):
        total = total + error[..., k + 1] - error[..., k]
        share = large_signal[..., at].mean(axis=-1)
        wanted = np.clip(-total / (share * at.size), device.g_min, device.g_max)
        target = (goal[k + 1] - goal[k]) * ramp.scale / at.size
        stuck = _is_stuck(measured.g_steps[..., at], target, ramp)
        dead = ramp.now[0].dead[..., at]
        written = device.rewrite(np.repeat(wanted[..., None], at.size, -1), rng)
        g_steps[..., at], there[..., at] = np.where(stuck | dead, g_steps[..., at], written), ~stuck
        seen = ramp.averaged(g_steps[..., at], rng, READS, dead)
        total = total + (seen * large_signal[..., at]).sum(axis=-1)
    done, writes = ramp.rewritten(steps=there, g_steps=g_steps), there.sum(axis=-1, dtype=float)
    return done, writes, READS * (ramp.cells + g_steps.shape[-1]), 0


_METHODS = {"one-point": one_point, "multi-point": multi_point, "closed-loop": closed_loop}
