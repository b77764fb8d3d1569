"""How the steps of a curve, and a start, are made of a device's cells before one is written."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from aimc.errors import must
from aimc.kernels.read.crossing import corrections
from aimc.units import show

if TYPE_CHECKING:
    from aimc.arrays import Array, NDArray
    from aimc.curves import Curve
    from aimc.parts.device import Device

MISSING = 0.05
"""Share of chips that may miss a code, for a design to be called resolved."""
MOST_PULSES = 15
"""Clock periods that a bias cell may be on before the first level, in a multi-point calibration."""
MOST_SHARES = 1000
"""Cells that the largest step may be made of."""
_TRIED = 1024  # cells whose write errors are looked at


@dataclass(frozen=True, eq=False)
class Design:
    """How a curve's steps are made of cells, at most `ramp_cells` (None: 2^bits) for all.

    steps (k - 1,): conductance of each step [S], counts (k - 1,) cells share it; scale: conductance
    for a pre-activation step of one [S]; start: what the bias cells have to make [S, one clock
    period]. sigma (k - 1,): write error of each step [S]; its
    share of the step is the DNL it makes [LSB].
    """

    bits: int
    ramp_cells: int | None
    curve: Curve
    device: Device
    steps: Array
    counts: NDArray[np.int64]
    scale: float
    start: float
    sigma: Array

    @classmethod
    def of(cls, bits: int, ramp_cells: int | None, function: Curve, device: Device) -> Design:
        """The design of the fewest cells a step.

        The largest step is one cell at g_max, or as near as lets every step be made of n cells
        within n g_min to n g_max. Where none does, or where more ramp cells are asked for than
        steps and the smallest would drown in its error, the larger steps are shared by more cells,
        which makes every step larger. Where the cells there are do not fit, the steps are as small
        as they can be.
        """
        widths = np.diff(function.thresholds(bits))
        ratio = float(widths.max() / widths.min()) if widths.size else 1.0
        design, shares = None, max(1, math.ceil(device.g_min * ratio / device.g_max - 1e-9))
        while design is None or (not design.resolved and design.cells < (ramp_cells or 0)):
            scales = _scales(widths, device, shares)
            if scales is not None:
                larger = cls._scaled(bits, ramp_cells, function, device, scales[1])
                if design is None and not larger.fits:
                    return cls._scaled(bits, ramp_cells, function, device, scales[0])
                if design is not None and larger.cells > (ramp_cells or 0):
                    break
                design = larger
            elif shares > MOST_SHARES:
                raise must(
                    "curve", "have steps of whole cells",
                    f"{function.name} at {bits} bits has none on {show(device.g_min, 'S')} to "
                    f"{show(device.g_max, 'S')}", "Use a device with a larger on/off ratio.",
                )  # fmt: skip
            shares += 1
        return design

    @classmethod
    def _scaled(
        cls, bits: int, ramp_cells: int | None, function: Curve, device: Device, scale: float
    ) -> Design:
        """The design with a conductance of `scale` for a pre-activation step of one."""
        theta = function.thresholds(bits)
        steps = np.diff(theta) * scale
        counts = np.maximum(np.ceil(steps / device.g_max - 1e-9), 1).astype(np.int64)
        start, sigma = float(theta[0] * scale), _write_error(device, steps / counts)
        return cls(
            bits, ramp_cells, function, device, steps, counts, float(scale), start,
            sigma * np.sqrt(counts),
        )  # fmt: skip

    @property
    def cells(self) -> int:
        """Cells that the steps take."""
        return int(self.counts.sum())

    @property
    def available(self) -> int:
        """Cells there are for the steps."""
        return max(2**self.bits, self.steps.size) if self.ramp_cells is None else self.ramp_cells

    @property
    def ratio(self) -> float:
        """Largest over smallest step."""
        return float(self.steps.max() / self.steps.min()) if self.steps.size else 1.0

    @property
    def smallest(self) -> float:
        """The smallest step [S]."""
        return float(self.steps.min()) if self.steps.size else self.device.g_max

    @property
    def fits(self) -> bool:
        """Whether there are cells enough within the device's range."""
        return self.cells <= self.available

    @property
    def missing(self) -> float:
        """Share of chips that miss a code: on which a step's write error takes all of it, Gaussian
        errors of independent steps taken."""
        with np.errstate(divide="ignore"):
            return float(1.0 - np.prod(ndtr(self.steps / self.sigma)))

    @property
    def resolved(self) -> bool:
        """Whether a code is missing on at most one chip of twenty."""
        return self.missing <= MISSING

    def check(self) -> None:
        """Raises ArgumentError where the cells there are do not fit."""
        if not self.fits:
            raise must(
                "curve",
                f"be programmable with {self.available} ramp cells",
                f"{self.curve.name} at {self.bits} bits has steps in the ratio "
                f"{self.ratio:.4g}, which needs {self.cells} cells of {self.device.g_min:g} to "
                f"{self.device.g_max:g} S",
                f"Use a device with a larger on/off ratio, or {' or '.join(self.proposals())}.",
            )

    def proposals(self) -> list[str]:
        """What would make the curve programmable with its codes there; empty where it is."""
        if self.fits and self.resolved:
            return []
        found = []
        for bits in range(self.bits - 1, 0, -1):
            other = Design.of(bits, self.ramp_cells, self.curve, self.device)
            if other.fits and other.resolved:
                found.append(f"{bits} bits, smallest step {show(other.smallest, 'S')}")
                break
        more = self if self.resolved else Design.of(self.bits, 2**16, self.curve, self.device)
        if more.resolved:
            found.append(f"ramp_cells={more.cells}, up to {more.counts.max()} of them a step")
        if not self.resolved:
            finer = self._resolving()
            found.append(
                f"a write error {show(finer, 'S')} or less, as closed-loop programming to a finer "
                "window gives"
            )
        return found

    def _resolving(self) -> float:
        """The write error of a cell, alike for all, with which the design is resolved [S]."""
        low, high = 0.0, float(self.smallest)
        for _ in range(50):
            middle = 0.5 * (low + high)
            tried = dataclasses.replace(self, sigma=middle * np.sqrt(self.counts))
            low, high = (middle, high) if tried.resolved else (low, middle)
        return low

    def __str__(self) -> str:
        at = int(self.steps.argmin()) if self.steps.size else 0
        lines = [
            f"{self.curve.name} at {self.bits} bits on {show(self.device.g_min, 'S')} to "
            f"{show(self.device.g_max, 'S')}",
            f"steps            {self.steps.size}, of {self.cells} cells, ratio {self.ratio:.4g}",
        ]
        if self.steps.size:
            lines.append(
                f"smallest step    {show(self.smallest, 'S')}, write error "
                f"{show(self.sigma[at], 'S')} ({self.sigma[at] / self.smallest:.2f} of it)"
            )
        lines.append(
            f"start            {show(abs(self.start), 'S')}, "
            f"{abs(self.start) / self.device.g_max:.3g} full cells for one clock period"
        )
        lines.append(f"codes missing    on {self.missing:.2%} of all chips")
        if not self.fits:
            lines.append(f"does not fit     {self.available} cells are there for its steps")
        if not self.resolved:
            lines.append(f"not resolved     more than {MISSING:g} of the chips miss a code")
        return "\n".join([*lines, *(f"instead          {each}" for each in self.proposals())])


def _scales(widths: Array, device: Device, shares: int) -> tuple[float, float] | None:
    """The scale of the fewest cells and the largest with which the largest of the steps `widths`
    (k,) takes `shares` cells and every step n of its own, within n g_min to n g_max; None where
    none does."""
    if not widths.size:
        return device.g_max, device.g_max
    g_min, g_max = device.g_min, device.g_max
    low, high = (n * g_max / widths.max() for n in (shares - 1, shares))
    low, high = low * (1 + 1e-9), high * (1 + 1e-12)
    gaps = math.ceil(min(g_min / max(g_max - g_min, 1e-12 * g_max), shares))
    n = np.arange(gaps + 1)[:, None]
    below, above = (n * g_max / widths).ravel(), ((n + 1) * g_min / widths).ravel()

    def beyond(scale: float, up: bool) -> float:
        while low <= scale <= high:
            between = (below <= scale * (1 - 1e-9)) & (scale * (1 + 1e-9) < above)
            if not between.any():
                return scale
            scale = float(above[between].max() if up else below[between].min())
        return math.nan

    least, largest = beyond(low, True), beyond(high / (1 + 1e-12), False)
    if math.isnan(largest):
        return None
    cells = np.maximum(np.ceil(least * widths / g_max - 1e-9), 1)  # as many, but full
    return float((cells * g_max / widths).min()), largest


def _write_error(device: Device, g: Array) -> Array:
    """Standard deviation of what `device` writes for each target `g` (cells,) [S]."""
    targets, where = np.unique(np.minimum(g, device.g_max), return_inverse=True)
    if targets.size > _TRIED // 8:  # many bits: errors follow the target smoothly
        some = np.linspace(targets[0], targets[-1], _TRIED // 8)
        return np.interp(g, some, _write_error(device, some))
    written = device.rewrite(
        np.broadcast_to(targets, (_TRIED, targets.size)), np.random.default_rng(0)
    )
    return (written - written[0]).std(axis=0)[where]  # exactly zero where all are alike


def bias_design(
    method: str, start: float, cells: int, device: Device
) -> tuple[Array, NDArray[np.int64]]:
    """Targets (cells,) [S] of the bias cells and their signed pulses (cells,) before the first
    level, which together make `start` [S, one clock period].

    For a multi-point calibration the cells fall from g_max by a factor of three each (less where
    g_min asks for it): pulsed up, down or not at all, they make every sum to within half of the
    smallest, a balanced ternary converter. Otherwise they are as equal as the start allows, and the
    last is the trim.
    """
    if method == "multi-point":
        ratio = max(1.0 / 3.0, (device.g_min / device.g_max) ** (1.0 / max(1, cells - 1)))
        targets = (device.g_max * ratio ** np.arange(cells)).astype(np.float64)
        pulses = np.zeros((1, cells, 1), np.int64)
        limit = np.full(cells, pulse_limit(start, cells, device))
        corrections(np.array([[-start]]), targets[None], limit, pulses)
        return targets, pulses[0, :, 0]
    periods = max(1, math.ceil(abs(start) / (cells * device.g_max) - 1e-12))
    signed = bias_targets(start / periods, cells, device)
    pulses = (periods * np.sign(signed)).astype(np.int64)
    return np.abs(signed), pulses


def pulse_limit(start: float, cells: int, device: Device) -> int:
    """Clock periods that a bias cell may be on before the first level, multi-point."""
    return max(MOST_PULSES, math.ceil(abs(start) / device.g_max) + 1)


def bias_targets(start: float, cells: int, device: Device) -> Array:
    """Signed targets (cells,) [S] that sum to `start`; the last cell is the trim.

    The other cells are full; where that leaves the trim little room (outside a quarter to three
    quarters of g_max) they are lowered together so that it stands in the middle of its range.
    """
    need, g_max = abs(start), device.g_max
    full = min(int(need / g_max), cells - 1)
    trim = need - full * g_max
    if not 0.25 * g_max <= trim <= 0.75 * g_max:
        more = full + (trim > 0.5 * g_max)
        if 0 < more < cells and need - more * g_max <= 0.5 * g_max <= need:
            full, trim = more, 0.5 * g_max
    targets = np.zeros(cells)
    if full:
        targets[:full] = (need - trim) / full
    targets[-1] = reachable(np.array(trim), device)
    if abs(targets.sum() - need) > 1e-9 * g_max or 0 < targets[0] < device.g_min * (1 - 1e-9):
        targets = _balanced(need, cells, device, targets)
    return np.copysign(targets, np.sign(targets) * start)


def _balanced(need: float, cells: int, device: Device, otherwise: Array) -> Array:
    """Signed targets (cells,) that sum to `need`, some cells pulsed against the others, all as far
    within their range as can be; `otherwise` where none do."""
    found, room = otherwise, 0.0
    for used in range(1, cells + 1):
        for down in range(used):
            least = (used - down) * device.g_min - down * device.g_max
            share = (need - least) / (used * (device.g_max - device.g_min))
            if min(share, 1.0 - share) > room + 1e-9:
                room = min(share, 1.0 - share)
                part = share * (device.g_max - device.g_min)
                found = np.zeros(cells)
                found[cells - used :] = device.g_min + part
                found[cells - used : cells - used + down] = part - device.g_max
        if room >= 0.25:
            break
    return found


def reachable(g: Array, device: Device) -> Array:
    """The nearest contribution of a cell: none at all (no pulse), or one within the range [S]."""
    size = np.minimum(np.maximum(g, 0.0), device.g_max)
    return np.where(size < device.g_min / 2, 0.0, np.maximum(size, device.g_min))
