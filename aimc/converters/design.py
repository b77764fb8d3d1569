"""How the steps of a curve are made of a device's cells, before anything is written."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from aimc.errors import must
from aimc.units import show

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.converters.ramp import RampADC
    from aimc.curves import Curve
    from aimc.parts.device import Device

    Array = NDArray[np.float64]

MISSING = 0.05
"""Share of chips that may miss a code, for a design to be called resolved."""
_TRIED = 1024  # cells whose write errors are looked at


@dataclass(frozen=True, eq=False)
class Design:
    """How a curve's steps are made of cells.

    steps (k - 1,): conductance of each step [S], counts (k - 1,) cells share it; scale: conductance
    for a pre-activation step of one [S]; start: what the bias cells have to make [S, one clock
    period]. ratio: largest over smallest step. sigma (k - 1,): write error of each step [S]; its
    share of the step is the DNL it makes [LSB].
    """

    adc: RampADC
    curve: Curve
    device: Device
    steps: Array
    counts: NDArray[np.int64]
    scale: float
    start: float
    ratio: float
    sigma: Array

    @classmethod
    def of(cls, adc: RampADC, function: Curve, device: Device) -> Design:
        """The design of the fewest cells a step.

        The largest step is one cell at g_max. Where the smallest would then fall below g_min, or
        where more ramp cells are asked for than steps and the smallest would drown in its error,
        the larger steps are shared by more cells, which makes every step larger.
        """
        theta = function.thresholds(adc.bits)
        widths = np.diff(theta)
        ratio = float(widths.max() / widths.min()) if widths.size else 1.0
        most = adc.ramp_cells or 0
        shares = max(1, math.ceil(device.g_min * ratio / device.g_max - 1e-9))
        design = cls._shared(adc, function, device, widths, ratio, shares)
        while not design.resolved and design.cells < most:
            shares += 1
            larger = cls._shared(adc, function, device, widths, ratio, shares)
            if larger.cells > most:
                break
            design = larger
        return design

    @classmethod
    def _shared(
        cls, adc: RampADC, function: Curve, device: Device, widths: Array, ratio: float, shares: int
    ) -> Design:
        """The design whose largest step is made of so many cells."""
        scale = shares * device.g_max / widths.max() if widths.size else device.g_max
        steps = widths * scale
        counts = np.maximum(np.ceil(steps / device.g_max - 1e-9), 1).astype(np.int64)
        start = float(function.thresholds(adc.bits)[0] * scale)
        sigma = _write_error(device, steps / counts) * np.sqrt(counts)
        return cls(adc, function, device, steps, counts, float(scale), start, ratio, sigma)

    @property
    def cells(self) -> int:
        """Cells that the steps take."""
        return int(self.counts.sum())

    @property
    def available(self) -> int:
        """Cells there are for the steps."""
        if self.adc.ramp_cells is not None:
            return self.adc.ramp_cells
        return max(2**self.adc.bits, self.steps.size)

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
                f"{self.curve.name} at {self.adc.bits} bits has steps in the ratio "
                f"{self.ratio:.4g}, which needs {self.cells} cells of {self.device.g_min:g} to "
                f"{self.device.g_max:g} S",
                "Use fewer bits, more ramp_cells, or a device with a larger on/off ratio.",
            )

    def proposals(self) -> list[str]:
        """What would make the curve programmable with its codes there; empty where it is."""
        if self.fits and self.resolved:
            return []
        found = []
        for bits in range(self.adc.bits - 1, 0, -1):
            fewer = dataclasses.replace(self.adc, bits=bits, ramp_cells=None)
            other = Design.of(fewer, self.curve, self.device)
            if other.fits and other.resolved:
                found.append(f"{bits} bits, smallest step {show(other.smallest, 'S')}")
                break
        room = dataclasses.replace(self.adc, ramp_cells=2**16)
        more = Design.of(room, self.curve, self.device)
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
            f"{self.curve.name} at {self.adc.bits} bits on {show(self.device.g_min, 'S')} to "
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
        lines.append(f"codes missing    on {self.missing:.2g} of all chips")
        if not self.fits:
            lines.append(f"does not fit     {self.available} cells are there for its steps")
        if not self.resolved:
            lines.append(f"not resolved     more than {MISSING:g} of the chips miss a code")
        return "\n".join([*lines, *(f"instead          {each}" for each in self.proposals())])


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
