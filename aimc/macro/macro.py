"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.converters.base import ADC, Converter, Site
from aimc.converters.ramp import RampADC
from aimc.crossbar import Crossbar
from aimc.curves import Curve, curve
from aimc.errors import as_array, as_batch, as_count, as_number, as_rng, must
from aimc.parts.device import Device
from aimc.parts.driver import Driver
from aimc.parts.mapping import DifferentialPair, Mapping
from aimc.parts.sense import Integrator
from aimc.parts.wires import Wires
from aimc.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from aimc.converters.imperfections import Columns

    Array = NDArray[np.float64]

Curves = str | Curve | Sequence[str | Curve]
_PARTS = {
    "device": Device, "mapping": Mapping, "driver": Driver, "wires": Wires, "sense": Integrator,
    "adc": ADC,
}  # fmt: skip


def _check_parts(parts: dict[str, Any]) -> None:
    for name, kind in _PARTS.items():
        if not isinstance(parts[name], kind):
            hint = "The field of the wires is `wires=Wires(sense=...)`." if name == "sense" else ""
            raise must(name, f"be of type {kind.__name__}", f"is {parts[name]!r}", hint)


@dataclass(frozen=True)
class Hardware:
    """The description of a macro: one array with its drivers, integrators and ramp converters.

    rows, cols: the largest matrix of weights that one array holds. age: time between programming
    and reading [s].
    """

    device: Device
    driver: Driver
    rows: int
    cols: int
    mapping: Mapping = field(default_factory=DifferentialPair)
    wires: Wires = field(default_factory=Wires)
    sense: Integrator = field(default_factory=Integrator)
    adc: ADC = field(default_factory=RampADC)
    age: float = 0.0
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_parts({name: getattr(self, name) for name in _PARTS})
        as_count("rows", self.rows)
        as_count("cols", self.cols)
        as_number("age", self.age, minimum=0)

    def replace(self, **fields: Any) -> Hardware:
        """This hardware with other fields: its own, or those of its parts.

        A part's field is set in every part that has it: `replace(rows=8, bits=3)` has 3 bits in
        and out. Raises ArgumentError on a field that nothing has.
        """
        own = {f.name for f in dataclasses.fields(self)}
        changes: dict[str, Any] = {k: v for k, v in fields.items() if k in own}
        parts = {name: changes.get(name, getattr(self, name)) for name in _PARTS}
        _check_parts(parts)
        for key, value in fields.items():
            if key in own:
                continue
            hit = [n for n in _PARTS if key in {f.name for f in dataclasses.fields(parts[n])}]
            if not hit:
                known = own.union(
                    *({f.name for f in dataclasses.fields(p)} for p in parts.values())
                )
                raise must(key, f"be one of {', '.join(sorted(known))}", "is no field of it")
            for name in hit:
                parts[name] = dataclasses.replace(parts[name], **{key: value})
        return dataclasses.replace(self, **{**changes, **parts})

    def program(self, w: Any, rng: np.random.Generator, curve: Curves = "linear") -> Macro:
        """Writes weights and ramps once, with the device's errors, and gives the macro.

        w (rows, cols): weights; a smaller matrix takes the corner at drivers and integrators, the
        other cells stay unformed. curve: the function that the converters apply, or a sequence of
        them over equal ranges of the columns. Raises ArgumentError where w is too large, not
        finite, or the curve cannot be programmed.
        """
        w = as_array("w", w)
        if w.shape[0] > self.rows or w.shape[1] > self.cols:
            raise must(
                "w", f"have shape ({self.rows}, {self.cols}) or smaller", f"has shape {w.shape}",
                "For a larger matrix use `aimc.tile`.",
            )  # fmt: skip
        as_rng(rng)
        curves = spread_curves(curve, w.shape[1])
        w_max = self.mapping.scale(w)
        if not 1e-200 < w_max < 1e200:
            raise must("w", "reach between 1e-200 and 1e200", f"its scale is {w_max:g}")
        g = self.device.write(self.mapping.to_conductance(w, self.device, w_max), rng)

        span = max(np.ptp(c.thresholds(self.adc.bits)) for c in dict.fromkeys(curves)) or 1.0
        volts = self.driver.v_read * self.driver.window * self.mapping.span(self.device) / w_max
        c_array = self.sense.c_fb or volts * span / self.sense.swing
        grounded = self.wires.idle == "grounded"
        site = Site(volts / c_array, self.driver.v_read, c_array, self.driver.window, grounded)
        made: dict[Any, Converter] = {}
        shares = getattr(self.adc, "columns_per_ramp", None)
        places = curve_ranges(curves, shares)
        keys = [place.start if shares else curves[place.start] for place in places]
        for key, place in zip(keys, places, strict=True):
            if key not in made:
                converter = self.adc.program(curves[place.start], self.device, rng, site)
                made[key] = dataclasses.replace(converter, number=len(made))
        attached = g.sum(axis=0) @ np.abs(self.mapping.combine(np.eye(g.shape[1])))
        ramps = tuple(
            (place, made[key].shared_by(place.stop - place.start, rng, attached[place]))
            for key, place in zip(keys, places, strict=True)
        )
        crossbar = Crossbar(g, self.wires, iv=self.device.iv)
        macro = Macro(self, g, ramps, w_max, c_array, crossbar).aged(self.age, rng)
        return macro.at(v_read=self.driver.v_read * self.adc.supply(rng))


@dataclass(frozen=True)
class Trace:
    """What each room handed to the next in one read; first axis is the batch.

    v (batch, rows) mean row voltages [V]; i (batch, cols) signed column currents [A]; u (batch,
    cols) comparator voltages [V]; code (batch, cols); y (batch, cols) outputs in the curve's unit.
    """

    v: Array
    i: Array
    u: Array
    code: NDArray[np.intp]
    y: Array


@dataclass(frozen=True, eq=False)
class Macro:
    """Programmed hardware. `macro(x, rng)` reads it and never changes it.

    g_written (rows, lines) [S]: the cells right after programming; `crossbar` holds them at the
    macro's age and temperature. ramps: (range of columns, converter) pairs; ranges that share a
    converter have its `number`. w_max: the weight that takes the whole conductance range. c_array:
    feedback capacitor of the array's integrators [F]. supply: read voltage over its nominal value;
    temperature: [K], None where cells stand as written;
    nominal: the macro at the nominal read voltage and temperature, where this one is not.
    """

    hardware: Hardware
    g_written: Array
    ramps: tuple[tuple[slice, Converter], ...]
    w_max: float
    c_array: float
    crossbar: Crossbar
    age: float = 0.0
    supply: float = 1.0
    temperature: float | None = None
    nominal: Macro | None = None

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Array:
        """Outputs (batch, cols) for activations x (batch, rows); see `trace`."""
        return self.trace(x, rng).y

    def trace(self, x: Any, rng: np.random.Generator | None = None) -> Trace:
        """One read of x (batch, rows) or (rows,), every intermediate value kept.

        |x| beyond `x_max` saturates. With `rng` each read draws the cells' read noise; without,
        reads are noise-free. Raises ArgumentError on a wrong shape or NaN.
        """
        x = as_batch("x", x, self.shape[0])
        if rng is not None:
            as_rng(rng)
        hardware = self.hardware
        duration, pulse = hardware.driver.pulses(x)
        pulse = pulse * self.supply
        v = duration * pulse
        if rng is not None and (edge := hardware.adc.edge()):
            late = edge / hardware.driver.window * rng.standard_normal(v.shape)
            duration = np.where(duration > 0, np.clip(duration + late, 0.0, None), 0.0)
            v = duration * pulse
        if self.crossbar.linear and hardware.wires.noise == "first-order":
            i = v @ self._matrix
            if rng is not None and self._noisy:
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

    def aged(self, t: float, rng: np.random.Generator, temperature: float | None = None) -> Macro:
        """This macro `t` seconds after programming, array and ramps alike, at its read voltage and
        temperature. temperature: at which it was stored [K], by the device's `retention`; None: at
        the one that its ageing is given for. Raises ArgumentError."""
        as_rng(rng)
        base, device = self.nominal or self, self.hardware.device
        t = device.equivalent_age(t, temperature)
        g = device.age(base.g_written, t, rng)
        sigma = device.read_sigma(g, t) if device.on_read else None
        crossbar = Crossbar(g, self.hardware.wires, sigma, device.iv)
        fade = self._fade(g)
        ramps = base._each(lambda ramp: ramp.aged(t, rng).behind(fade))
        return self._at_its_point(
            dataclasses.replace(base, crossbar=crossbar, ramps=ramps, age=float(t))
        )

    def _fade(self, g: Array) -> float:
        """By what factor cells at conductances `g` hold the weights that were written: of least
        squares, as reads of known activations would find it."""
        now, then = (
            self.hardware.mapping.to_weight(each, self.hardware.device, self.w_max)
            for each in (g, self.g_written)
        )
        kept, power = float(np.vdot(now, then)), float(np.vdot(then, then))
        return kept / power if kept > 0.0 else 1.0

    def at(self, v_read: float | None = None, temperature: float | None = None) -> Macro:
        """This macro at another read voltage [V] and temperature [K], array and ramps alike; None
        is the nominal one. How temperature hastens ageing is `aged`'s.
        """
        base, nominal = self.nominal or self, self.hardware.driver.v_read
        supply = 1.0 if v_read is None else as_number("v_read", v_read, above=0) / nominal
        if supply == 1.0 and temperature is None:
            return base
        device, crossbar, ramps = self.hardware.device, base.crossbar, base.ramps
        if temperature is not None:
            g = device.heated(crossbar.g, temperature)
            crossbar = Crossbar(g, self.hardware.wires, crossbar.sigma, device.iv)
            fade = self._fade(g)
            ramps = base._each(lambda ramp: ramp.heated(temperature).behind(fade))
        ramps = dataclasses.replace(base, ramps=ramps)._each(lambda ramp: ramp.powered(supply))
        return dataclasses.replace(
            base, crossbar=crossbar, ramps=ramps, supply=supply, temperature=temperature,
            nominal=base,
        )  # fmt: skip

    def recalibrated(self, rng: np.random.Generator, method: str | None = None) -> Macro:
        """This macro with its ramps calibrated as they stand now, by their method or another, at
        the nominal read voltage and temperature."""
        return self._changed(lambda ramp: ramp.recalibrated(rng, method))

    def at_bits(self, bits: int) -> Macro:
        """This macro with its ramps read at fewer bits, see `ProgrammedRamp.at`."""
        return self._changed(lambda ramp: ramp.at(bits))

    def trimmed(self, columns: Sequence[Columns]) -> Macro:
        """This macro with other `columns` at the converters of its ranges, at any read voltage,
        temperature and age."""

        def put(ramps: Any) -> Any:
            pairs = zip(ramps, columns, strict=True)
            return tuple((at, dataclasses.replace(r, columns=made)) for (at, r), made in pairs)

        base = self.nominal and dataclasses.replace(self.nominal, ramps=put(self.nominal.ramps))
        return dataclasses.replace(self, ramps=put(self.ramps), nominal=base)

    def _changed(self, change: Callable[[Any], Any]) -> Macro:
        base = self.nominal or self
        return self._at_its_point(dataclasses.replace(base, ramps=base._each(change)))

    def _at_its_point(self, base: Macro) -> Macro:
        """`base`, a nominal macro, at the read voltage and temperature of this one."""
        if self.nominal is None:
            return base
        return base.at(self.supply * self.hardware.driver.v_read, self.temperature)

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

    @cached_property
    def _matrix(self) -> Array:
        return self.hardware.mapping.combine(self.crossbar.transfer)

    @cached_property
    def _noisy(self) -> bool:
        return self.crossbar.sigma is not None and bool(self.crossbar.sigma.any())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of weights."""
        return self.crossbar.g.shape[0], self.ramps[-1][0].stop

    @property
    def macros(self) -> tuple[Macro, ...]:
        """The macros that this is made of: itself; see `Tiled.macros`."""
        return (self,)

    @property
    def w(self) -> Array:
        """Weights (rows, cols) as the cells hold them, wires left out."""
        return self.hardware.mapping.to_weight(self.crossbar.g, self.hardware.device, self.w_max)

    @property
    def x_max(self) -> float:
        """The largest activation that the drivers carry."""
        return self.hardware.driver.x_max

    @property
    def lsb(self) -> float:
        """Output step of one code; the largest where the columns have several curves."""
        return max(ramp.lsb for _, ramp in self.ramps)

    @property
    def gain(self) -> float:
        """C_fb of the array's integrators over that of the first ramp's; NaN without a ramp."""
        return self.c_array / getattr(self.ramps[0][1], "c_fb", float("nan"))

    @property
    def cells(self) -> int:
        """Cells of array and ramp columns."""
        return self.crossbar.g.size + sum(ramp.cells for ramp in self.converters)

    def __str__(self) -> str:
        h, v_read = self.hardware, self.hardware.driver.v_read
        g = self.crossbar.g
        rows, lines_ = g.shape
        lines = [
            ("hardware", f"{h.name or 'unnamed'}, age {show(self.age, 's')}"),
            ("array", f"{self.shape[0]} x {self.shape[1]} weights in {rows} x {lines_} cells"),
            ("conductance", f"{show(g.min(), 'S')} to {show(g.max(), 'S')}, "
                            f"w_max {self.w_max:.4g}"),
            ("input", f"{type(h.driver).__name__}, {h.driver.bits or 'no'} bits, "
                      f"{show(v_read, 'V')}, window {show(h.driver.window, 's')}"),
            ("integrator", f"C_fb {show(self.c_array, 'F')}, gain over the ramp's {self.gain:.4g}"),
        ]  # fmt: skip
        for place, ramp in self.ramps:
            lines.append((f"ramp, columns {place.start}-{place.stop - 1}", str(ramp)))
        width = max(len(key) for key, _ in lines)
        return "\n".join(f"{key:<{width}}  {value}" for key, value in lines)


def spread_curves(curve_: Curves, cols: int) -> tuple[Curve, ...]:
    """The curve of each column: one for all, or a sequence over equal ranges of the columns."""
    if isinstance(curve_, str | Curve):
        return (curve(curve_),) * cols
    if not isinstance(curve_, Sequence) or not len(curve_):
        raise must("curve", "be a curve or a sequence of curves", f"is {curve_!r}")
    if cols % len(curve_):
        raise must(
            "curve", f"divide the {cols} columns into equal ranges", f"has {len(curve_)} parts"
        )
    return tuple(c for item in curve_ for c in (curve(item),) * (cols // len(curve_)))


def curve_ranges(curves: Sequence[Curve], most: int | None = None) -> list[slice]:
    """Ranges of neighbouring columns that share a curve, of at most so many columns."""
    edges = [k for k in range(1, len(curves)) if curves[k] != curves[k - 1]]
    runs = zip([0, *edges], [*edges, len(curves)], strict=True)
    return [slice(k, min(k + (most or b), b)) for a, b in runs for k in range(a, b, most or b - a)]
