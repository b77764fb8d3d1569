"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.crossbar import Crossbar
from aimc.curves import Curve, curve
from aimc.device import Device
from aimc.driver import Driver
from aimc.errors import as_array, as_batch, as_count, as_number, as_rng, must
from aimc.mapping import DifferentialPair, Mapping
from aimc.ramp import ProgrammedRamp, RampADC
from aimc.sense import Integrator
from aimc.units import show
from aimc.wires import Wires

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Curves = str | Curve | Sequence[str | Curve]
_PARTS = ("device", "mapping", "driver", "wires", "sense", "adc")


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
    adc: RampADC = field(default_factory=RampADC)
    age: float = 0.0
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        kinds = (Device, Mapping, Driver, Wires, Integrator, RampADC)
        for name, kind in zip(
            ("device", "mapping", "driver", "wires", "sense", "adc"), kinds, strict=True
        ):
            if not isinstance(getattr(self, name), kind):
                raise must(name, f"be a {kind.__name__}", f"is {getattr(self, name)!r}")
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

        ranges = curve_ranges(curves)
        columns = {c: self.adc.program(c, self.device, rng) for c in dict.fromkeys(curves)}
        span = max(np.ptp(c.thresholds(self.adc.bits)) for c in columns) or 1.0
        volts = self.driver.v_read * self.driver.window * self.mapping.span(self.device) / w_max
        c_array = self.sense.c_fb or volts * span / self.sense.swing
        ramps = tuple(
            (
                place,
                dataclasses.replace(
                    columns[curves[place.start]],
                    gain=volts / c_array,
                    offset=rng.normal(0.0, self.adc.offset_std, place.stop - place.start),
                ),
            )
            for place in ranges
        )
        crossbar = Crossbar(g, self.wires, iv=self.device.iv)
        macro = Macro(self, g, ramps, w_max, c_array, crossbar)
        return macro.aged(self.age, rng)


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
    macro's age. ramps: (range of columns, ramp column) pairs. w_max: the weight that takes the
    whole conductance range. c_array: feedback capacitor of the array's integrators [F].
    """

    hardware: Hardware
    g_written: Array
    ramps: tuple[tuple[slice, ProgrammedRamp], ...]
    w_max: float
    c_array: float
    crossbar: Crossbar
    age: float = 0.0

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
            code[:, place] = ramp.convert(u[:, place], rng)
            y[:, place] = ramp.outputs[code[:, place]]
        return Trace(v, i, u, code, y)

    def aged(self, t: float, rng: np.random.Generator) -> Macro:
        """This macro `t` seconds after programming, array and ramps alike."""
        as_rng(rng)
        device = self.hardware.device
        g = device.age(self.g_written, t, rng)
        sigma = device.read_sigma(g, t) if device.on_read else None
        by_curve: dict[Curve, ProgrammedRamp] = {}
        for _, ramp in self.ramps:
            if ramp.curve not in by_curve:
                by_curve[ramp.curve] = ramp.aged(t, rng)
        ramps = tuple(
            (place, dataclasses.replace(by_curve[r.curve], offset=r.offset))
            for place, r in self.ramps
        )
        crossbar = Crossbar(g, self.hardware.wires, sigma, device.iv)
        return dataclasses.replace(self, crossbar=crossbar, ramps=ramps, age=float(t))

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
        """C_fb of the array's integrators over that of the first ramp's."""
        return self.c_array / self.ramps[0][1].c_fb(self.hardware.driver.v_read)

    @property
    def cells(self) -> int:
        """Cells of array and ramp columns."""
        columns = {r.curve: r for _, r in self.ramps}.values()
        return self.crossbar.g.size + sum(r.g_steps.size + r.g_bias.size for r in columns)

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


def curve_ranges(curves: Sequence[Curve]) -> list[slice]:
    """Ranges of neighbouring columns that share a curve."""
    edges = [k for k in range(1, len(curves)) if curves[k] != curves[k - 1]]
    return [slice(a, b) for a, b in zip([0, *edges], [*edges, len(curves)], strict=True)]
