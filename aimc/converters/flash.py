"""A comparator a level, levels written into memristors."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from aimc.converters.base import ADC, Converter, Lead, Site
from aimc.converters.imperfections import Circuit, Columns, ComparatorOffset, Noise
from aimc.parts.device import Cells
from aimc.parts.fields import choice
from aimc.parts.registry import registered

if TYPE_CHECKING:
    from aimc.arrays import Array, Codes, Generator
    from aimc.curves import Curve
    from aimc.parts.condition import Condition
    from aimc.parts.device import Device


Reference = Literal["tracking", "fixed"]


@registered("flash")
class FlashADC(ADC["Flash"]):
    """A comparator a level, levels set by memristors [Nat. Commun. 2025, s41467-025-65233-w].

    The levels are shared by the columns of a curve; each column has its own comparators, each with
    its own offset and noise, and its code is the number of them that are exceeded. Errors of the
    memristors move one level each, and do not add up. reference: "tracking" where the memristors
    are read with the array's read voltage, "fixed" where with a reference of their own.
    """

    reference: Reference = choice(Reference, "of the memristors", default="tracking")

    def make(self, curve: Curve, device: Device, rng: Generator, site: Site, lead: Lead) -> Flash:
        """Writes the levels for `curve` through `device`, with the device's errors.

        Level k is G_k = g_min + (g_max - g_min) (theta_k - theta_1) / (theta_n - theta_1).
        """
        theta = curve.thresholds(self.bits)
        span = float(np.ptp(theta)) or 1.0
        scale = (device.g_max - device.g_min) / span
        targets = device.g_min + scale * (theta - theta[0])
        cells = device.written(np.broadcast_to(targets, (*lead, theta.size)), rng)
        zero = device.g_min - scale * float(theta[0])
        return Flash(self, curve, site, device, cells.g, scale, zero, dead=cells.dead)


@dataclass(frozen=True)
class Comparators(Columns):
    """Columns with a comparator a level each. late (cols, k): each one's offset [V]."""

    late: Any = 0.0


@dataclass(frozen=True, eq=False)
class Flash(Converter):
    """A flash converter as made.

    g (..., k): conductance that makes each level [S]; scale: siemens for a pre-activation of one;
    zero: conductance of a pre-activation of zero, which is subtracted where there is one and drifts
    as the array does [S]. written: the cells as they were written, None: as they stand;
    dead: which of them are.
    """

    device: Device
    g: Array
    scale: float
    zero: float
    columns: Comparators = field(default_factory=Comparators, kw_only=True)
    written: Cells | None = field(default=None, kw_only=True)
    dead: Any = field(default=False, kw_only=True)

    apart = True

    @property
    def periods(self) -> int:
        return 1

    @property
    def cells(self) -> int:
        return self.g.shape[-1]

    @property
    def cell_energy(self) -> float:
        """sum v i(v) t_step of the levels' memristors, read once [J]."""
        supply = self.supply if self.adc.reference == "tracking" else 1.0
        seen, _ = self._over(self.g, supply)
        return float(seen.sum()) * self.site.v_read**2 * supply * self.adc.t_step

    def shared_by(self, cols: int, rng: Generator, g_columns: Any = 0.0) -> Self:
        made = super().shared_by(cols, rng, g_columns)
        late = np.zeros((cols, self.cells))
        for part in self.adc.imperfections:
            if isinstance(part, ComparatorOffset):
                late = late + rng.normal(0.0, part.std, late.shape)
        own = Comparators(0.0, made.columns.ratio, made.columns.shift, late)
        return dataclasses.replace(made, columns=own)

    def _over(self, g: Array, supply: float) -> tuple[Array, float]:
        """Mean conductance of cells [S] read at `supply` times the nominal voltage, over that
        voltage, and the factor they share: their sum over that of `g`."""
        seen, linear = self.device.pulsed(g, self.site.v_read, supply), self.device.iv is None
        return seen, supply if linear or not g.sum() else float(seen.sum() / g.sum())

    @cached_property
    def common(self) -> float:
        """The array's volts over those that are meant: its cells are taken to share what these
        cells do at the array's read voltage."""
        return self._over(self.g, self.supply)[1] * self.retained

    @cached_property
    def shared(self) -> Array:
        """The levels that the memristors make, (k,) [V]."""
        supply = self.supply if self.adc.reference == "tracking" else 1.0
        seen, factor = self._over(self.g, supply)
        return (seen - self.zero * factor * self.retained) * (self.site.gain / self.scale)

    @cached_property
    def levels(self) -> Array:
        """Voltages that the comparators compare with, in their order, (..., k) [V]."""
        return self.shared + self.columns.late + self.adc.decide(np.zeros(1), self._circuit)

    @cached_property
    def decisions(self) -> Array:
        """The levels in rising order, at which the number of those exceeded changes."""
        return np.sort(self.levels, axis=-1)

    @property
    def _wander(self) -> float:
        return float(np.mean(np.square(self.noise.steps)))

    @cached_property
    def _circuit(self) -> Circuit:
        none = np.zeros(self.cells)
        circuit = self.adc.circuit(self.site, self.g_columns, none, math.inf)
        t = self.device.equivalent_age(self.condition)
        sigma = self.device.read_sigma(self.g, t, self.dead)
        return dataclasses.replace(
            circuit, sigma_steps=sigma, volts=self.site.gain / self.scale
        )  # fmt: skip

    def _count(self, seen: Array, offset: Any, noise: Noise, rng: Any) -> Codes:
        """Comparators exceeded. A read draws each level's memristor for all columns, and each
        comparator."""
        seen = seen - offset
        reads = np.broadcast_to(noise.steps, self.g.shape)
        count = np.zeros(seen.shape, np.intp)
        for k, sigma in enumerate(reads):
            level = self.levels[..., k] - self._tie
            if sigma:
                level = level + sigma * rng.standard_normal((*seen.shape[:-1], 1)[: seen.ndim])
            if noise.decision:
                level = level + noise.decision * rng.standard_normal(seen.shape)
            count += seen >= level
        return count

    def _cells_under(self, condition: Condition, rng: Any) -> tuple[float, dict[str, Any]]:
        written = self.written or Cells(self.g, 0.0, self.dead)
        now = written.under(self.device, condition, rng)
        return self.device.retained(condition), {"g": now.g, "written": written, "dead": now.dead}

    def __str__(self) -> str:
        worst = np.abs(self.inl()).max(initial=0.0)
        return (
            f"{self.curve.name} at {self.bits} bits: {self.cells} comparators, levels in "
            f"memristors, max |INL| {worst:.2f} LSB"
        )
