"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.converters.base import ADC, Converter, Site, digital
from aimc.converters.ramp import RampADC
from aimc.crossbar import Crossbar
from aimc.curves import Curve
from aimc.errors import as_array, as_batch, as_rng, must
from aimc.macro.layout import Curves, curve_ranges, partial_sum, ranges, spread_curves
from aimc.parts.condition import AS_WRITTEN, Condition
from aimc.parts.device import Device, branch
from aimc.parts.driver import Driver
from aimc.parts.fields import Link, count, descriptions, part, quantity
from aimc.parts.mapping import DifferentialPair, Mapping
from aimc.parts.registry import Part, described
from aimc.parts.sense import Integrator
from aimc.parts.wires import Wires
from aimc.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from aimc.converters.imperfections import Columns

    Array = NDArray[np.float64]


@described
class Hardware(Part):
    """The description of a macro: arrays with their drivers, integrators and converters.

    The currents of `stack` arrays above each other add before one conversion. Where a matrix has
    more rows than a stack, each stack is converted linearly over +-partial_range and the codes are
    added digitally.
    """

    device: Device = part(Device, "the cells")
    driver: Driver = part(Driver, "from activations to rows")
    rows: int = count("rows of weights that one array holds at most")
    cols: int = count("columns of weights that one array holds at most")
    mapping: Mapping = part(Mapping, "from weights to cells", default_factory=DifferentialPair)
    wires: Wires = part(Wires, "of the array", default_factory=Wires)
    sense: Integrator = part(
        Integrator, "at the columns", default_factory=Integrator,
        hint="The field of the wires is `wires=Wires(sense=...)`.",
    )  # fmt: skip
    adc: ADC = part(ADC, "at the end of the columns", default_factory=RampADC)
    age: float = quantity("s", "between programming and reading", default=0.0, minimum=0)
    stack: int | None = count("arrays that share their integrators; None: one", default=None)
    partial_range: float | None = quantity(
        "1",
        "None: four standard deviations of the largest column for inputs uniform in +-1",
        default=None,
        above=0,
    )
    name: str = field(default="", compare=False)

    def replace(self, **fields: Any) -> Hardware:
        """This hardware with other fields: its own, or those of its parts.

        `replace(rows=8, bits=3)` has 3 bits in and out; any other field must be one part's alone.
        Raises ArgumentError on a field that nothing has, or that several parts have.
        """
        own = {f.name for f in dataclasses.fields(self)}
        changes: dict[str, Any] = {k: v for k, v in fields.items() if k in own}
        links = {k: d for k, d in descriptions(Hardware).items() if isinstance(d, Link)}
        parts = {k: d.check(k, changes.get(k, getattr(self, k))) for k, d in links.items()}
        has = {name: set(descriptions(type(each))) for name, each in parts.items()}
        for key, value in fields.items():
            if key in own:
                continue
            hit = [name for name, keys in has.items() if key in keys]
            if not hit:
                known = sorted(set(descriptions(Hardware)).union(*has.values()))
                raise must(key, f"be one of {', '.join(known)}", "is no field of it")
            if len(hit) > 1 and key != "bits":
                hint = (
                    f"For one: replace({hit[0]}=dataclasses.replace(hardware.{hit[0]}, {key}=...))."
                )
                raise must(key, "be a field of one part", f"is one of {' and of '.join(hit)}", hint)
            for name in hit:
                parts[name] = dataclasses.replace(parts[name], **{key: value})
        return dataclasses.replace(self, **{**changes, **parts})

    def program(self, w: Any, rng: np.random.Generator, curve: Curves = "linear") -> Macro:
        """Writes weights and converters once, with the device's errors, and gives the macro.

        w (rows, cols): weights, on as many arrays as they take, of blocks as equal as whole numbers
        allow; where an array is larger, they take its corner at drivers and integrators and the
        other cells stay unformed. curve: the function that the converters apply, or a sequence of
        them over equal ranges of the columns. Raises ArgumentError where w is not finite, or the
        curve cannot be programmed.
        """
        w = as_array("w", w)
        as_rng(rng)
        curves = spread_curves(curve, w.shape[1])
        across = ranges(w.shape[1], self.cols)
        blocks = ranges(w.shape[0], self.rows)
        stacks = [blocks[each] for each in ranges(len(blocks), self.stack or 1)]
        written = []
        for blocks in stacks:
            edges = [block.stop - blocks[0].start for block in blocks]
            parts = [w[blocks[0].start : blocks[-1].stop, cols] for cols in across]
            wanted = [curves[cols] for cols in across]
            if len(stacks) > 1:
                reached = [4 * float(np.sqrt((part**2).sum(0).max() / 3)) or 1.0 for part in parts]
                curves_ = [partial_sum(self.partial_range or r, self.adc.bits) for r in reached]
                wanted = [(c,) * p.shape[1] for c, p in zip(curves_, parts, strict=True)]
            pairs = zip(parts, wanted, strict=True)
            written.append(tuple(Stack.write(self, *pair, edges, rng) for pair in pairs))
        return Macro(self, tuple(written), curves)


@dataclass(frozen=True)
class Trace:
    """What each room handed to the next in one read; first axis is the batch.

    v (batch, rows) mean row voltages [V]; i (batch, cols) signed column currents [A]; u (batch,
    cols) comparator voltages [V]; code (batch, cols); y (batch, cols) outputs in the curve's unit.
    Where partial sums are added digitally, i, u and code are (row blocks, batch, cols).
    """

    v: Array
    i: Array
    u: Array
    code: NDArray[np.intp]
    y: Array

    @staticmethod
    def beside(reads: Sequence[Trace]) -> Trace:
        """One trace of reads by the same rows, whose columns stand beside each other."""
        if len(reads) == 1:
            return reads[0]
        wide = {
            name: np.concatenate([getattr(read, name) for read in reads], axis=1)
            for name in ("i", "u", "code", "y")
        }
        return Trace(reads[0].v, **wide)

    @staticmethod
    def above(reads: Sequence[Trace], digital: Callable[[Array], Array]) -> Trace:
        """One trace of reads of row blocks, whose results are added and go through `digital`."""
        total = reads[0].y.copy()
        for read in reads[1:]:
            total += read.y
        i, u, code = (np.stack([getattr(r, name) for r in reads]) for name in ("i", "u", "code"))
        return Trace(np.concatenate([read.v for read in reads], axis=1), i, u, code, digital(total))


@dataclass(frozen=True, eq=False)
class Stack:
    """Arrays above each other that share one row of integrators, usually a single one, with the
    converters of its columns.

    g_written (rows, lines) [S]: the cells right after programming; `crossbar` holds them as they
    stand under `condition`. ramps: (range of columns, converter) pairs; ranges that share a
    converter have its `number`. w_max: the weight that takes the whole conductance range. c_array:
    feedback capacitor of the array's integrators [F]. v_chip: the chip's own read voltage [V].
    draws: what draws the ageing of its cells.
    """

    hardware: Hardware
    g_written: Array
    ramps: tuple[tuple[slice, Converter], ...]
    w_max: float
    c_array: float
    crossbar: Crossbar
    v_chip: float
    draws: np.random.Generator
    condition: Condition = AS_WRITTEN

    @classmethod
    def write(
        cls,
        hardware: Hardware,
        w: Array,
        curves: Sequence[Curve],
        edges: Sequence[int],
        rng: np.random.Generator,
    ) -> Stack:
        """Weights w (rows, cols) and their converters, programmed; curves: of each column; edges:
        the row at which each array ends. Raises ArgumentError."""
        w_max = hardware.mapping.scale(w)
        if not 1e-200 < w_max < 1e200:
            raise must("w", "reach between 1e-200 and 1e200", f"its scale is {w_max:g}")
        g = hardware.device.write(hardware.mapping.to_conductance(w, hardware.device, w_max), rng)

        span = max(np.ptp(c.thresholds(hardware.adc.bits)) for c in dict.fromkeys(curves)) or 1.0
        driver, full = hardware.driver, hardware.mapping.span(hardware.device)
        volts = driver.v_read * driver.window * full / w_max
        c_array = hardware.sense.c_fb or volts * span / hardware.sense.swing
        grounded = hardware.wires.idle == "grounded"
        site = Site(volts / c_array, driver.v_read, c_array, driver.window, grounded)
        made: dict[Any, Converter] = {}
        shares = hardware.adc.shares()
        places = curve_ranges(curves, shares)
        keys = [place.start if shares else curves[place.start] for place in places]
        for key, place in zip(keys, places, strict=True):
            if key not in made:
                converter = hardware.adc.program(curves[place.start], hardware.device, rng, site)
                made[key] = dataclasses.replace(converter, number=len(made))
        attached = g.sum(axis=0) @ np.abs(hardware.mapping.combine(np.eye(g.shape[1])))
        ramps = tuple(
            (place, made[key].shared_by(place.stop - place.start, rng, attached[place]))
            for key, place in zip(keys, places, strict=True)
        )
        crossbar = Crossbar(g, hardware.wires, iv=hardware.device.iv, edges=tuple(edges))
        stack = cls(hardware, g, ramps, w_max, c_array, crossbar, driver.v_read, branch(rng, 1))
        stack = stack.under(Condition(hardware.age), rng)
        v_chip = driver.v_read * hardware.adc.supply(rng)
        if v_chip == driver.v_read:
            return stack
        return dataclasses.replace(stack, v_chip=v_chip).under(stack.condition)

    def trace(self, x: Any, rng: np.random.Generator | None = None) -> Trace:
        """One read of activations x (batch, rows), see `Macro.trace`."""
        hardware = self.hardware
        duration, pulse = hardware.driver.pulses(x)
        pulse = pulse * self.supply
        v = duration * pulse
        if rng is not None and (edge := hardware.adc.edge()):
            late = edge / hardware.driver.window * rng.standard_normal(v.shape)
            duration = np.where(duration > 0, np.clip(duration + late, 0.0, None), 0.0)
            v = duration * pulse
        if self.crossbar.linear and hardware.wires.noise == "first-order":
            i = v @ self.matrix
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

    def under(self, condition: Condition, rng: np.random.Generator | None = None) -> Stack:
        """This stack, as it was written, under `condition` instead of the one it is under, array
        and converters alike.

        rng: draws the cells' ageing; None: as it was drawn before, so that one chip is one drift
        whatever its age. Raises ArgumentError for bits that its converters cannot be read with, and
        where the device's ageing does not follow what is asked.
        """
        device = self.hardware.device
        drawn = copy.deepcopy(self.draws) if rng is None else as_rng(rng)
        draws = self.draws if rng is None or not condition.age else copy.deepcopy(rng)
        t = device.equivalent_age(condition)
        g = device.age(self.g_written, t, drawn)
        sigma = device.read_sigma(g, t) if device.on_read else None
        g = device.heated(g, condition.temperature)
        crossbar = dataclasses.replace(self.crossbar, g=g, sigma=sigma)
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
        now, then = (
            self.hardware.mapping.to_weight(each, self.hardware.device, self.w_max)
            for each in (g, self.g_written)
        )
        kept, power = float(np.vdot(now, then)), float(np.vdot(then, then))
        return kept / power if kept > 0.0 else 1.0

    @property
    def supply(self) -> float:
        """Read voltage over its nominal value."""
        return (self.condition.v_read or self.v_chip) / self.hardware.driver.v_read

    def recalibrated(self, rng: np.random.Generator, method: str | None = None) -> Stack:
        """This stack with its converters calibrated again at its age, at the nominal read voltage
        and temperature and with all bits, by their method or another."""
        at, v_read = self.condition, self.hardware.driver.v_read
        nominal = self.under(Condition(at.age, v_read=v_read, stored_at=at.stored_at))
        ramps = nominal._each(lambda ramp: ramp.recalibrated(rng, method))
        return dataclasses.replace(nominal, ramps=ramps).under(at)

    def trimmed(self, columns: Sequence[Columns]) -> Stack:
        """This stack with other `columns` at the converters of its ranges, under any condition."""
        pairs = zip(self.ramps, columns, strict=True)
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
        return self.crossbar.linear and not (exact and self.noisy)

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
        return self.c_array / getattr(self.ramps[0][1], "c_fb", float("nan"))

    @property
    def cells(self) -> int:
        """Cells of array and ramp columns."""
        return self.crossbar.g.size + sum(ramp.cells for ramp in self.converters)

    @property
    def _above(self) -> str:
        count = len(self.crossbar.arrays)
        return f" of {count} arrays above each other" if count > 1 else ""

    def lines(self) -> list[tuple[str, str]]:
        """What is to be said of it, by name."""
        g = self.crossbar.g
        said = [
            ("array", f"{self.shape[0]} x {self.shape[1]} weights in {g.shape[0]} x {g.shape[1]} "
                      f"cells{self._above}"),
            ("conductance", f"{show(g.min(), 'S')} to {show(g.max(), 'S')}, "
                            f"w_max {self.w_max:.4g}"),
            ("integrator", f"C_fb {show(self.c_array, 'F')}, gain over the ramp's {self.gain:.4g}"),
        ]  # fmt: skip
        for place, ramp in self.ramps:
            said.append((f"ramp, columns {place.start}-{place.stop - 1}", str(ramp)))
        return said


@dataclass(frozen=True, eq=False)
class Macro:
    """Programmed hardware. `macro(x, rng)` reads it and never changes it.

    stacks: [a][b] holds row block a and column block b, usually a single one, whose `crossbar`,
    `g_written`, `ramps`, `w_max`, `c_array` and `supply` are then the
    macro's. Stacks above each other convert their partial sums linearly, the codes are added
    digitally, and the curve is applied to the sum: a curve of a sum is not the sum of curves.
    curves: of each column.
    """

    hardware: Hardware
    stacks: tuple[tuple[Stack, ...], ...]
    curves: tuple[Curve, ...]

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
        reads = [
            Trace.beside([stack.trace(x[:, rows], rng) for stack in beside])
            for rows, beside in zip(self.rows, self.stacks, strict=True)
        ]
        return reads[0] if len(reads) == 1 else Trace.above(reads, self.digital)

    def digital(self, total: Array) -> Array:
        """The curves applied to sums of converted results (batch, cols), on the converter's own
        codes and outputs."""
        bits, y = self.hardware.adc.bits, np.empty(total.shape)
        for place in curve_ranges(self.curves):
            y[:, place] = digital(self.curves[place.start], bits, total[:, place])
        return y

    def under(self, condition: Condition, rng: np.random.Generator | None = None) -> Macro:
        """All stacks under `condition` instead of the one they are under, see `Stack.under`."""
        return self._each(lambda stack: stack.under(condition, rng))

    def recalibrated(self, rng: np.random.Generator, method: str | None = None) -> Macro:
        """All stacks with their converters calibrated again, see `Stack.recalibrated`."""
        return self._each(lambda stack: stack.recalibrated(rng, method))

    def trimmed(self, columns: Sequence[Columns]) -> Macro:
        """This macro of one stack with other `columns` at its converters, see `Stack.trimmed`."""
        return dataclasses.replace(self, stacks=((self.only.trimmed(columns),),))

    def _each(self, change: Callable[[Stack], Stack]) -> Macro:
        stacks = tuple(tuple(change(stack) for stack in beside) for beside in self.stacks)
        return dataclasses.replace(self, stacks=stacks)

    @cached_property
    def rows(self) -> tuple[slice, ...]:
        """The rows that each row block of stacks takes."""
        ends = np.cumsum([beside[0].shape[0] for beside in self.stacks]).tolist()
        return tuple(slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True))

    @cached_property
    def macros(self) -> tuple[Macro, ...]:
        """Each stack as a macro of its own, row block by row block; its curves are those that its
        own converters apply."""
        return tuple(
            Macro(self.hardware, ((stack,),), stack.curves)
            for beside in self.stacks
            for stack in beside
        )

    @property
    def only(self) -> Stack:
        """The one stack of a macro that is one. Raises ArgumentError where there are several."""
        (first, *others), *below = self.stacks
        if others or below:
            raise must(
                "macro", "be of one stack of arrays",
                f"is of {len(self.stacks)} x {len(self.stacks[0])}", "Take one of its `macros`.",
            )  # fmt: skip
        return first

    @property
    def crossbar(self) -> Crossbar:
        """Of a macro of one stack, as the following: its cells as they stand, with their wires."""
        return self.only.crossbar

    @property
    def g_written(self) -> Array:
        """The cells right after programming (rows, lines) [S]."""
        return self.only.g_written

    @property
    def ramps(self) -> tuple[tuple[slice, Converter], ...]:
        """(Range of columns, converter) pairs; ranges that share one have its `number`."""
        return self.only.ramps

    @property
    def converters(self) -> tuple[Converter, ...]:
        """The converters, each once, whatever columns share it."""
        return self.only.converters

    @property
    def w_max(self) -> float:
        """The weight that takes the whole conductance range."""
        return self.only.w_max

    @property
    def c_array(self) -> float:
        """Feedback capacitor of the array's integrators [F]."""
        return self.only.c_array

    @property
    def gain(self) -> float:
        """C_fb of the array's integrators over that of the first ramp's; NaN without a ramp."""
        return self.only.gain

    @property
    def condition(self) -> Condition:
        """That it is read under."""
        return self.stacks[0][0].condition

    @property
    def supply(self) -> float:
        """Read voltage over its nominal value."""
        return self.only.supply

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of weights."""
        return self.rows[-1].stop, len(self.curves)

    @property
    def arrays(self) -> int:
        """Physical arrays that hold it."""
        return sum(len(stack.crossbar.arrays) for beside in self.stacks for stack in beside)

    @property
    def w(self) -> Array:
        """Weights (rows, cols) as the cells hold them, wires left out."""
        return np.block([[stack.w for stack in beside] for beside in self.stacks])

    @property
    def x_max(self) -> float:
        """The largest activation that the drivers carry."""
        return self.hardware.driver.x_max

    @property
    def lsb(self) -> float:
        """Output step of one code; the largest where the columns have several curves."""
        if len(self.stacks) == 1:
            return max(ramp.lsb for stack in self.stacks[0] for _, ramp in stack.ramps)
        return max(c.lsb(self.hardware.adc.bits) for c in self.curves)

    @property
    def cells(self) -> int:
        """Cells of arrays and ramp columns."""
        return sum(stack.cells for beside in self.stacks for stack in beside)

    def __str__(self) -> str:
        h, (first, *others), below = self.hardware, self.stacks[0], self.stacks[1:]
        lines = [("hardware", f"{h.name or 'unnamed'}, {self.condition}")]
        if others or below:
            above = sum(len(each[0].crossbar.arrays) for each in self.stacks)
            grid = f"{above} x {1 + len(others)}"
            lines.append(
                ("matrix", f"{self.shape[0]} x {self.shape[1]} weights on {grid} arrays, "
                           f"{len(self.stacks)} x {1 + len(others)} conversions; the first:")
            )  # fmt: skip
        lines.append(
            ("input", f"{type(h.driver).__name__}, {h.driver.bits or 'no'} bits, "
                      f"{show(h.driver.v_read, 'V')}, window {show(h.driver.window, 's')}"),
        )  # fmt: skip
        lines += first.lines()
        width = max(len(key) for key, _ in lines)
        return "\n".join(f"{key:<{width}}  {value}" for key, value in lines)
