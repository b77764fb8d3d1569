"""Arrays on one row of integrators with their converters: where a read's physics is."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aimc.converters.base import ADC, Converter, Site
from aimc.converters.imperfections import Columns
from aimc.crossbar import Crossbar
from aimc.curves import Curve
from aimc.errors import as_a, as_array, as_batch, as_count, as_number, as_rng, must, said
from aimc.kernels.base.blas import product
from aimc.macro.layout import curve_ranges
from aimc.macro.trace import Trace
from aimc.parts.condition import AS_WRITTEN, Condition
from aimc.parts.device import Cells, Device, branch
from aimc.parts.driver import Driver
from aimc.parts.mapping import Mapping
from aimc.parts.sense import Integrator
from aimc.parts.wires import Wires
from aimc.units import show

if TYPE_CHECKING:
    from aimc.arrays import Array, Generator


class Parts(Protocol):
    """What a stack asks of the hardware that it is written into."""

    @property
    def device(self) -> Device: ...
    @property
    def driver(self) -> Driver: ...
    @property
    def mapping(self) -> Mapping: ...
    @property
    def wires(self) -> Wires: ...
    @property
    def sense(self) -> Integrator: ...
    @property
    def adc(self) -> ADC[Converter]: ...
    @property
    def age(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Stack:
    """Arrays above each other that share one row of integrators, usually a single one, with the
    converters of its columns.

    written: the cells (rows, lines) right after programming; `crossbar` holds them as they stand
    under `condition`. ramps: (range of columns, converter) pairs; ranges that share a
    converter have its `number`. w_max: the weight that takes the whole conductance range. c_array:
    feedback capacitor of the array's integrators [F]. v_chip: the chip's own read voltage [V].
    draws: what draws the ageing of its cells.
    """

    hardware: Parts
    written: Cells
    ramps: tuple[tuple[slice, Converter], ...]
    w_max: float
    c_array: float
    crossbar: Crossbar
    v_chip: float
    draws: Generator
    condition: Condition = AS_WRITTEN

    @classmethod
    def write(
        cls,
        hardware: Parts,
        w: Array,
        curves: Sequence[Curve],
        edges: Sequence[int],
        rng: Generator,
    ) -> Stack:
        """Weights w (rows, cols) and their converters, programmed; curves: of each column; edges:
        the row at which each array ends. Raises ArgumentError."""
        device, driver, mapping = hardware.device, hardware.driver, hardware.mapping
        w_max = as_number(said(mapping, "scale"), mapping.scale(w), above=0)
        if not 1e-200 < w_max < 1e200:
            raise must("w", "reach between 1e-200 and 1e200", f"its scale is {w_max:g}")
        full, combine = _mapped(mapping, device, w.shape[1])
        target = mapping.to_conductance(w, device, w_max)
        name = said(mapping, "to_conductance")
        target = device.targeted(name, as_array(name, target, (len(w), len(combine))))
        written = device.written(target, rng)
        g = written.g
        _check_driver(driver, len(w))

        span = max(np.ptp(c.thresholds(hardware.adc.bits)) for c in dict.fromkeys(curves)) or 1.0
        volts = driver.v_read * driver.window * full / w_max
        c_array = hardware.sense.c_fb or volts * span / hardware.sense.swing
        grounded = hardware.wires.idle == "grounded"
        site = Site(volts / c_array, driver.v_read, c_array, driver.window, grounded)
        made: dict[Any, Converter] = {}
        shares = hardware.adc.shares()
        places = curve_ranges(curves, shares)
        keys: list[Any] = [place.start if shares else curves[place.start] for place in places]
        for key, place in zip(keys, places, strict=True):
            if key not in made:
                converter = hardware.adc.program(curves[place.start], device, rng, site)
                as_a(said(hardware.adc, "program"), converter, Converter)
                made[key] = dataclasses.replace(converter, number=len(made))
        attached = g.sum(axis=0) @ np.abs(combine)
        ramps = tuple(
            (place, made[key].shared_by(place.stop - place.start, rng, attached[place]))
            for key, place in zip(keys, places, strict=True)
        )
        i = hardware.sense.integrate(np.zeros((1, w.shape[1])), driver.window, c_array)
        as_array(said(hardware.sense, "integrate"), i, (1, w.shape[1]))
        crossbar = Crossbar(g, hardware.wires, iv=device.iv, edges=tuple(edges))
        stack = cls(
            hardware, written, ramps, w_max, c_array, crossbar, driver.v_read, branch(rng, 1)
        )
        stack = stack.under(Condition(hardware.age), rng)
        v_chip = driver.v_read * hardware.adc.supply(rng)
        if v_chip == driver.v_read:
            return stack
        return dataclasses.replace(stack, v_chip=v_chip).under(stack.condition)

    def trace(self, x: Any, rng: Generator | None = None) -> Trace:
        """One read of activations x (batch, rows), see `Macro.trace`."""
        hardware = self.hardware
        duration, pulse = hardware.driver.pulses(as_batch("x", x, self.shape[0]))
        pulse = pulse * self.supply
        v = duration * pulse
        if rng is not None and (edge := hardware.adc.edge()):
            late = edge / hardware.driver.window * rng.standard_normal(v.shape)
            duration = np.where(duration > 0, np.clip(duration + late, 0.0, None), 0.0)
            v = duration * pulse
        first_order = self.crossbar.linear and hardware.wires.noise == "first-order"
        if first_order and self.additive:
            i = product(v, self.matrix)
            if rng is not None and self.noisy:
                i += hardware.mapping.combine(self.crossbar.noise(v, rng))
        else:
            i = hardware.mapping.combine(self.crossbar.read(pulse, rng, duration))
        u = hardware.sense.integrate(i, hardware.driver.window, self.c_array)
        code, y = np.empty(u.shape, np.intp), np.empty(u.shape)
        for place, ramp in self.ramps:
            u[:, place] = ramp.columns.sampled(u[:, place])
            code[:, place] = ramp.convert(u[:, place], rng)
            y[:, place] = ramp.outputs[code[:, place]]
        return Trace(v, i, u, code, y)

    def under(self, condition: Condition, rng: Generator | None = None) -> Stack:
        """This stack, as it was written, under `condition` instead of the one it is under, array
        and converters alike.

        rng: draws the cells' ageing; None: as it was drawn before, so that one chip is one drift
        whatever its age. Raises ArgumentError for bits that its converters cannot be read with, and
        where the device's ageing does not follow what is asked.
        """
        as_a("condition", condition, Condition)
        device = self.hardware.device
        drawn = copy.deepcopy(self.draws) if rng is None else as_rng(rng)
        draws = self.draws if rng is None or not condition.age else copy.deepcopy(rng)
        t = device.equivalent_age(condition)
        now = self.written.under(device, condition, drawn)
        sigma = device.read_sigma(now.g, t, now.dead) if device.on_read else None
        crossbar = dataclasses.replace(self.crossbar, g=now.g, sigma=sigma)
        if all(map(np.array_equal, *((c.g, c.sigma) for c in (crossbar, self.crossbar)))):
            crossbar = self.crossbar  # and what was found of its wires
        retained = self._retained(crossbar.g)
        at = dataclasses.replace(condition, v_read=condition.v_read or self.v_chip)
        ramps = self._each(lambda ramp: ramp.under(at, rng, retained))
        return dataclasses.replace(
            self, crossbar=crossbar, ramps=ramps, condition=condition, draws=draws
        )

    def _retained(self, g: Array) -> float:
        """By what factor cells at conductances `g` hold the weights that were written: of least
        squares, as reads of known activations would find it."""
        mapping, device = self.hardware.mapping, self.hardware.device
        name = said(mapping, "to_weight")
        now, then = (
            as_array(name, mapping.to_weight(each, device, self.w_max), self.shape)
            for each in (g, self.g_written)
        )
        kept, power = float(np.vdot(now, then)), float(np.vdot(then, then))
        return kept / power if kept > 0.0 else 1.0

    @property
    def g_written(self) -> Array:
        """The cells right after programming (rows, lines) [S]."""
        return self.written.g

    @property
    def supply(self) -> float:
        """Read voltage over its nominal value."""
        return (self.condition.v_read or self.v_chip) / self.hardware.driver.v_read

    def recalibrated(self, rng: Generator, method: str | None = None) -> Stack:
        """This stack with its converters calibrated again at its age, at the nominal read voltage
        and temperature and with all bits, by their method or another."""
        as_rng(rng)
        at, v_read = self.condition, self.hardware.driver.v_read
        nominal = self.under(Condition(at.age, v_read=v_read, stored_at=at.stored_at))
        ramps = nominal._each(lambda ramp: ramp.recalibrated(rng, method))
        return dataclasses.replace(nominal, ramps=ramps).under(at)

    def trimmed(self, columns: Sequence[Columns]) -> Stack:
        """This stack with other `columns` at the converters of its ranges, under any condition."""
        count = len(self.ramps)
        if not isinstance(columns, Sequence) or len(columns) != count:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise must("columns", f"be {count} Columns, one a range", f"is {columns!r}")
        pairs = zip(self.ramps, (as_a("columns", own, Columns) for own in columns), strict=True)
        ramps = tuple((at, dataclasses.replace(ramp, columns=own)) for (at, ramp), own in pairs)
        return dataclasses.replace(self, ramps=ramps)

    @property
    def converters(self) -> tuple[Converter, ...]:
        """The converters, each once, whatever columns share it."""
        return tuple({ramp.number: ramp for _, ramp in self.ramps}.values())

    def _each(self, change: Callable[[Any], Any]) -> tuple[tuple[slice, Any], ...]:
        """The ramps after `change` of each column of cells, once."""
        done = {ramp.number: change(ramp) for ramp in self.converters}
        return tuple(
            (place, dataclasses.replace(done[r.number], columns=r.columns, g_columns=r.g_columns))
            for place, r in self.ramps
        )

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What the converters apply to each column."""
        return tuple(r.curve for place, r in self.ramps for _ in range(place.start, place.stop))

    @cached_property
    def matrix(self) -> Array:
        """(rows, cols) [S]: `v @ matrix` are the signed currents of linear cells."""
        return self.hardware.mapping.combine(self.crossbar.transfer)

    @cached_property
    def noisy(self) -> bool:
        """Whether its cells are read with noise."""
        return self.crossbar.sigma is not None and bool(self.crossbar.sigma.any())

    @property
    def fixed(self) -> bool:
        """Whether a read is `v @ matrix` and noise of the first order."""
        exact = self.hardware.wires.noise != "first-order"
        return self.crossbar.linear and self.additive and not (exact and self.noisy)

    @cached_property
    def additive(self) -> bool:
        """Whether the mapping combines sums of currents as the sum of what it makes of each."""
        lines, combine = self.crossbar.g.shape[1], self.hardware.mapping.combine
        full = self.hardware.driver.v_read * float(self.crossbar.g.sum(axis=0).max())
        parts = full * np.random.default_rng(0).uniform(-1.0, 1.0, (8, lines))
        parts *= np.logspace(0, -7, 8)[:, None]
        whole, each = combine(parts.cumsum(axis=0)), combine(parts).cumsum(axis=0)
        return bool(np.allclose(whole, each, rtol=0.0, atol=1e-9 * full))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of weights."""
        return self.crossbar.g.shape[0], self.ramps[-1][0].stop

    @property
    def w(self) -> Array:
        """Weights (rows, cols) as the cells hold them, wires left out."""
        return self.hardware.mapping.to_weight(self.crossbar.g, self.hardware.device, self.w_max)

    @property
    def gain(self) -> float:
        """C_fb of the array's integrators over that of the first ramp's; NaN without a ramp."""
        return self.c_array / self.ramps[0][1].c_fb

    @property
    def cells(self) -> int:
        """Cells of array and ramp columns."""
        return self.crossbar.g.size + sum(ramp.cells for ramp in self.converters)

    def lines(self) -> list[tuple[str, str]]:
        """What is to be said of it, by name."""
        g, count = self.crossbar.g, len(self.crossbar.arrays)
        above = f" of {count} arrays above each other" if count > 1 else ""
        said = [
            ("array", f"{self.shape[0]} x {self.shape[1]} weights in {g.shape[0]} x {g.shape[1]} "
                      f"cells{above}"),
            ("conductance", f"{show(g.min(), 'S')} to {show(g.max(), 'S')}, "
                            f"w_max {self.w_max:.4g}"),
            ("integrator", f"C_fb {show(self.c_array, 'F')}, gain over the ramp's {self.gain:.4g}"),
        ]  # fmt: skip
        for place, ramp in self.ramps:
            said.append((f"ramp, columns {place.start}-{place.stop - 1}", str(ramp)))
        return said


def _mapped(mapping: Mapping, device: Device, cols: int) -> tuple[float, Array]:
    """The span [S] of a mapping, which may be a user's own, and what it makes of the current of
    each of its lines (lines, cols). Raises ArgumentError."""
    full = as_number(said(mapping, "span"), mapping.span(device), above=0)
    lines = as_count(said(mapping, "lines"), mapping.lines(cols))
    made = mapping.combine(np.eye(lines))
    return full, as_array(said(mapping, "combine"), made, (lines, cols))


def _check_driver(driver: Driver, rows: int) -> None:
    """Whether a driver, which may be a user's own, answers for what it does. Raises
    ArgumentError."""
    as_number(said(driver, "window"), driver.window, above=0)
    x = np.linspace(-1.0, 1.0, 3)[:, None].repeat(rows, axis=1)
    as_array(said(driver, "quantise"), driver.quantise(x), x.shape)
    v = as_array(said(driver, "drive"), driver.drive(x), x.shape)
    as_array(said(driver, "lengths"), driver.lengths(v), x.shape, 0)
    lasts, _ = as_array(said(driver, "pulses"), driver.pulses(x), (2, *x.shape))  # pyright: ignore[reportArgumentType]
    as_array(said(driver, "pulses"), lasts, x.shape, 0, 1)
