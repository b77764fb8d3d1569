"""Successive approximation with an array of capacitors a column."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from aimc.converters.base import Lead, Site
from aimc.converters.imperfections import Columns, Noise
from aimc.converters.linear import TableADC, TableConverter
from aimc.parts.fields import quantity
from aimc.parts.registry import registered

if TYPE_CHECKING:
    from aimc.arrays import Array, Codes, Generator
    from aimc.curves import Curve
    from aimc.parts.device import Device


@registered("sar")
class SARADC(TableADC["SAR"]):
    """Successive approximation with binary-weighted capacitors, an array a column, and a table
    [McCreary and Gray 1975, IEEE JSSC 10, 371].

    A capacitor of N units has a mismatch of unit_mismatch / sqrt(N) [Pelgrom et al. 1989, IEEE JSSC
    24, 1433]. Of a ramp's imperfections, leakage acts from trial to trial, settling on each step of
    the capacitors, comparator noise on each trial; a comparator's delay is part of the clock
    period.
    """

    unit_mismatch: float = quantity(
        "1", "relative standard deviation of one unit", default=0.0, minimum=0, maximum=0.3
    )

    def make(self, curve: Curve, device: Device, rng: Generator, site: Site, lead: Lead) -> SAR:
        """The converter of one column, its capacitors drawn; `shared_by` draws each column's."""
        made = SAR(self, curve, site)
        return dataclasses.replace(made, columns=made.capacitors(Columns(), lead, rng))


@dataclass(frozen=True)
class Capacitors(Columns):
    """Columns with a capacitor array each. weights (cols, bits): each capacitor's share of its
    array, the most significant first."""

    weights: Any = 0.0


@dataclass(frozen=True, eq=False)
class SAR(TableConverter):
    """A successive approximation as made; `decisions` are (cols, m) once columns share it."""

    columns: Capacitors = field(default_factory=Capacitors, kw_only=True)

    apart = True

    @property
    def periods(self) -> int:
        """One to sample, one a bit."""
        return self.adc.resolution + 1

    def capacitors(self, columns: Columns, shape: tuple[int, ...], rng: Generator) -> Capacitors:
        """`columns` with capacitors drawn, of so many arrays: 2^(n-1) units to one, and one that
        is never switched."""
        units = 2.0 ** np.append(np.arange(self.adc.resolution)[::-1], 0)
        c = units * (
            1.0
            + self.adc.unit_mismatch / np.sqrt(units) * rng.standard_normal((*shape, units.size))
        )
        weights = c[..., :-1] / c.sum(axis=-1, keepdims=True)
        return Capacitors(columns.offset, columns.ratio, columns.shift, weights)

    def shared_by(self, cols: int, rng: Generator, g_columns: Any = 0.0) -> Self:
        made = super().shared_by(cols, rng, g_columns)
        drawn = self.capacitors(made.columns, (cols,), rng)
        return dataclasses.replace(made, columns=drawn)

    @cached_property
    def _scaled(self) -> tuple[float, Array, float, Array]:
        """Voltage of no capacitor [V]; of each bit's (..., bits) [V]; what is left of a step at the
        decision; by how much each trial is late (bits,) [V]."""
        low = self.grid[0] * self.site.gain - self.step
        volts = np.asarray(self.columns.weights) * (self.step * 2**self.adc.resolution)
        tau = self.adc.waveform().tau
        left = math.exp(-self.adc.t_step / tau) if tau else 0.0
        return low, volts, left, self.adc.decide(np.zeros(self.adc.resolution), self._circuit)

    @cached_property
    def decisions(self) -> Array:
        """Where the code passes each value, (..., m) [V], never falling: two voltages part at the
        first trial that they answer differently, where the higher one keeps the bit. A bit whose
        capacitor is too large leaves codes out."""
        low, volts, left, late = self._scaled
        bits, first = volts.shape[-1], volts.shape[:-1]
        base, held = np.full((*first, 1), low), np.full((*first, 1), low)
        floor, roof = np.full((*first, 1), -np.inf), np.full((*first, 1), np.inf)
        flips = np.empty((*first, 2**bits - 1))
        for bit in range(bits):
            trial = base + volts[..., bit : bit + 1]
            held = trial + (held - trial) * left
            flip = np.clip(held + late[bit], floor, roof)
            half = 2 ** (bits - 1 - bit)
            flips[..., half - 1 :: 2 * half] = flip
            base, held = _woven(base, trial), _woven(held, held)
            floor, roof = _woven(floor, flip), _woven(flip, roof)
        return flips

    @property
    def _wander(self) -> float:
        return 0.0

    def _count(self, seen: Array, offset: Any, noise: Noise, rng: Any) -> Codes:
        """Levels reached by trials, all of the batch at once; the comparator's noise is drawn in
        each."""
        seen = seen - offset
        low, volts, left, late = self._scaled
        count = np.zeros(seen.shape, np.intp)
        base, held = np.full(seen.shape, low), np.full(seen.shape, low)
        for bit in range(volts.shape[-1]):
            trial = base + volts[..., bit]
            held = trial + (held - trial) * left
            flip = held + late[bit] - self._tie
            if noise.decision:
                flip = flip + noise.decision * rng.standard_normal(seen.shape)
            kept = seen >= flip
            base = np.where(kept, trial, base)
            count = 2 * count + kept
        return count


def _woven(even: Array, odd: Array) -> Array:
    """Entries of both in turn along the last axis."""
    return np.stack((even, odd), axis=-1).reshape(*even.shape[:-1], -1)
