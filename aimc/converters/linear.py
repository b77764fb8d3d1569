"""Converters that are linear in the pre-activation, with a digital table of f behind them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aimc.converters.base import ADC, Converter, Lead, Made, Site
from aimc.errors import as_count
from aimc.parts.fields import count
from aimc.parts.registry import described, registered

if TYPE_CHECKING:
    from aimc.arrays import Array, Codes, Generator
    from aimc.converters.imperfections import Circuit
    from aimc.curves import Curve
    from aimc.parts.device import Device


@described
class TableADC(ADC[Made]):
    """A converter that is linear in the pre-activation, with a digital table of f behind it.

    bits are those after the table. Its 2^table_bits - 1 levels lie evenly from the curve's first
    threshold to its last. The table gives each of the intervals between them the code of its
    middle.
    """

    table_bits: int | None = count(
        "resolution before the table; None: bits", default=None, minimum=2, maximum=16
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        as_count("bits", self.bits, 2)

    @property
    def resolution(self) -> int:
        """Bits before the table."""
        return self.bits if self.table_bits is None else self.table_bits


@registered("linear-ramp")
class LinearRampADC(TableADC["LinearRamp"]):
    """A ramp of equal steps from a reference of its own, compared with every column, and a table.

    The ramp is preset to its first level and integrates a constant current on a capacitor as large
    as the array's; every imperfection of a ramp acts on it.
    """

    def make(
        self, curve: Curve, device: Device, rng: Generator, site: Site, lead: Lead
    ) -> LinearRamp:
        """The converter; it has no memristors, so nothing is written and all chips are alike."""
        return LinearRamp(self, curve, site, lead)


@dataclass(frozen=True, eq=False)
class TableConverter(Converter):
    """A linear converter with its table, as made. `decisions` (..., m) are of all its levels,
    `levels` and `thresholds` (..., k) of those at which the table changes the curve's codes."""

    @cached_property
    def common(self) -> float:
        """The array's volts over those that are meant: they follow the supply and the array's
        cells, the levels do not."""
        return self.supply * self.retained

    @cached_property
    def grid(self) -> Array:
        """The levels as meant, as pre-activations, (2^table_bits - 1,)."""
        theta = self.curve.thresholds(self.adc.bits)
        return np.linspace(theta[0], theta[-1], 2**self.adc.resolution - 1)

    @property
    def step(self) -> float:
        """From one level to the next, as meant [V]."""
        return float(self.grid[1] - self.grid[0]) * self.site.gain

    @cached_property
    def _middles(self) -> Array:
        half = (self.grid[1] - self.grid[0]) / 2
        return np.append(self.grid - half, self.grid[-1] + half)

    @cached_property
    def _counter(self) -> Codes:
        """The table: the code of each interval between levels, (2^table_bits,)."""
        theta = self.curve.thresholds(self.adc.bits)
        codes = np.asarray(self.curve.codes(self.adc.bits), np.intp)
        return codes[np.searchsorted(theta, self._middles, side="right")]

    @cached_property
    def _changes(self) -> Codes:
        """The level at which the table passes each of the curve's thresholds."""
        theta = self.curve.thresholds(self.adc.bits)
        return np.searchsorted(self._middles, theta, side="left") - 1

    @cached_property
    def levels(self) -> Array:
        return self.decisions[..., self._changes]

    @property
    def transitions(self) -> Array:
        return self.crossings[..., self._changes]

    @cached_property
    def thresholds(self) -> Array:
        return self.levels / (self.site.gain * self.common)

    @property
    def memory(self) -> int:
        """Bits of the table."""
        return 2**self.adc.resolution * self.adc.bits

    def __str__(self) -> str:
        worst = np.abs(self.inl()).max(initial=0.0)
        return (
            f"{self.curve.name} at {self.bits} bits: {type(self).__name__} of "
            f"{self.adc.resolution} bits and a table, max |INL| {worst:.2f} LSB"
        )


@dataclass(frozen=True, eq=False)
class LinearRamp(TableConverter):
    """A linear ramp as made. lead: chips that are alike, the first axes of every result."""

    lead: tuple[int, ...] = ()

    @property
    def periods(self) -> int:
        return 2**self.adc.resolution

    @cached_property
    def decisions(self) -> Array:
        steps, c = np.full(self.grid.size - 1, self.step), self.site.c_array
        current = steps * c / self.adc.t_step
        rise = self.adc.waveform().levels(np.zeros(1), current, np.zeros(()), c)
        levels = self.adc.decide(self.grid[0] * self.site.gain + rise, self._circuit)
        return np.broadcast_to(levels, (*self.lead, levels.size))

    @cached_property
    def _circuit(self) -> Circuit:
        steps = np.full(self.grid.size - 1, self.step)
        return self.adc.circuit(self.site, self.g_columns, steps, self.site.c_array)
