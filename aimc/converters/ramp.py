"""The ramp converter whose ramp an extra column of cells bends.

The column is pulsed cell after cell onto an integrator. A step of the ramp is proportional to its
cell's conductance, so cells proportional to the differences of the thresholds theta_k = f^-1(y_k)
make the comparators put out f directly [Yang et al. 2025, Nat. Commun., arXiv 2411.18271]. Bias
cells, pulsed first and against the ramp, bring it to its start; they calibrate it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from aimc.converters.base import ADC, Lead, Site
from aimc.converters.calibration import calibrated
from aimc.converters.column import ProgrammedRamp
from aimc.converters.design import Design, bias_design
from aimc.curves import Curve, curve
from aimc.errors import as_a, as_rng
from aimc.parts.device import Cells, Device
from aimc.parts.fields import choice, count, descriptions, part, quantity
from aimc.parts.registry import registered
from aimc.parts.wires import Wires

if TYPE_CHECKING:
    from aimc.arrays import Array, Generator

__all__ = ["Curve", "Design", "ProgrammedRamp", "RampADC", "curve"]


Method = Literal["one-point", "multi-point", "closed-loop", "none"]


@registered("ramp")
class RampADC(ADC[ProgrammedRamp]):
    """The description of a ramp converter: 2^bits codes have 2^bits - 1 thresholds, one ramp step
    between each two; t_step is one pulse of the ramp's cells."""

    t_rest: float = quantity(
        "s", "from the end of a pulse to the decision and the next pulse", default=0.0, minimum=0
    )
    ramp_cells: int | None = count("cells for the steps; None: 2^bits", default=None)
    bias_cells: int = count("cells for the start and the calibration", default=5, maximum=8)
    spare_cells: int = count("cells for those found stuck", default=0, minimum=0)
    columns_per_ramp: int | None = count(
        "columns that share a ramp; None: all of one curve", default=None
    )
    calibration: Method = choice(Method, "see `calibration`", default="one-point")
    wires: Wires | None = part(Wires, "of the ramp's column; None: no resistance", default=None)

    @property
    def slot(self) -> float:
        return self.t_step + self.t_rest

    def design(self, function: str | Curve, device: Device) -> Design:
        """How the steps of `function` would be made of this device's cells; writes nothing."""
        as_a("device", device, Device)
        return Design.of(self.bits, self.ramp_cells, curve(function), device)

    def shares(self) -> int | None:
        return self.columns_per_ramp

    def make(
        self, curve: Curve, device: Device, rng: Generator, site: Site, lead: Lead
    ) -> ProgrammedRamp:
        """Writes the ramp column for `curve` through `device`, with the device's errors, and
        calibrates it. Raises ArgumentError where the curve's steps do not fit the device's range
        with the cells there are.
        """
        plan = self.design(curve, device)
        plan.check()
        targets = np.repeat(plan.steps / plan.counts, plan.counts)
        steps = device.written(np.broadcast_to(targets, (*lead, targets.size)), rng)
        steps = self._repaired(steps, targets, device, rng)
        goal, start = plan.curve.thresholds(self.bits), plan.start
        bias, pulses = bias_design(self.calibration, start, self.bias_cells, device)
        g_bias = np.zeros((*lead, self.bias_cells))
        dead, used = np.zeros(g_bias.shape, np.bool_), bias > 0
        made = device.written(np.broadcast_to(bias[used], (*lead, used.sum())), rng)
        g_bias[..., used], dead[..., used] = made.g, made.dead
        pattern = np.zeros((*lead, self.bias_cells, goal.size), np.int64)
        pattern[..., 0] = pulses
        ramp = ProgrammedRamp(
            self, plan.curve, site, device, steps.g, plan.counts, g_bias, pattern, plan.scale,
            dead=(steps.dead, dead),
        )  # fmt: skip
        return calibrated(ramp, rng, self.calibration)

    def calibrated(
        self, made: ProgrammedRamp, rng: Generator, method: str | None
    ) -> ProgrammedRamp:
        """`made` calibrated again, to the array as it now stands: what is `retained` of it is taken
        as known."""
        as_a("made", made, ProgrammedRamp)
        as_rng(rng)
        method = self.calibration if method is None else method
        known = descriptions(RampADC)["calibration"]
        return calibrated(made, rng, known.check("method", method))

    def _repaired(self, cells: Cells, targets: Array, device: Device, rng: Generator) -> Cells:
        """Cells (..., cells) with the spares in the place of those found stuck, in their order."""
        if not self.spare_cells:
            return cells
        stuck = np.abs(cells.g - targets) > 0.2 * device.g_max
        served = stuck & (np.cumsum(stuck, axis=-1) <= self.spare_cells)
        spares = device.written(np.broadcast_to(targets, cells.g.shape), rng)
        return cells.replaced(served, spares)
