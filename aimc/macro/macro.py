"""Describe, program, read: a frozen `Hardware`, which programs a frozen `Macro`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.converters.base import ADC, Converter, digital
from aimc.converters.ramp import RampADC
from aimc.crossbar import Crossbar
from aimc.curves import Curve
from aimc.curves.partial import partial_sum
from aimc.errors import as_array, as_batch, as_rng, must
from aimc.macro.layout import Curves, curve_ranges, ranges, spread_curves
from aimc.macro.stack import Stack
from aimc.macro.trace import Trace
from aimc.parts.condition import Condition
from aimc.parts.device import Device
from aimc.parts.driver import Driver
from aimc.parts.fields import Link, count, descriptions, part, quantity
from aimc.parts.mapping import DifferentialPair, Mapping
from aimc.parts.registry import Part, described
from aimc.parts.sense import Integrator
from aimc.parts.wires import Wires
from aimc.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimc.arrays import Array, Generator
    from aimc.converters.imperfections import Columns


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
    adc: ADC[Any] = part(ADC, "at the end of the columns", default_factory=RampADC)
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
        parts: dict[str, Any] = {
            k: d.check(k, changes.get(k, getattr(self, k))) for k, d in links.items()
        }
        kinds: dict[str, type[Any]] = {k: type(each) for k, each in parts.items()}
        has = {k: set(descriptions(kind)) for k, kind in kinds.items()}
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

    def program(self, w: Any, rng: Generator, curve: Curves = "linear") -> Macro:
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
        written: list[tuple[Stack, ...]] = []
        for blocks in stacks:
            edges = [block.stop - blocks[0].start for block in blocks]
            parts = [w[blocks[0].start : blocks[-1].stop, cols] for cols in across]
            wanted = [curves[cols] for cols in across]
            if len(stacks) > 1:
                reached = [_reach(part) for part in parts]
                curves_ = [partial_sum(self.partial_range or r, self.adc.bits) for r in reached]
                wanted = [(c,) * p.shape[1] for c, p in zip(curves_, parts, strict=True)]
            pairs = zip(parts, wanted, strict=True)
            written.append(tuple(Stack.write(self, *pair, edges, rng) for pair in pairs))
        return Macro(self, tuple(written), curves)


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

    def __call__(self, x: Any, rng: Generator | None = None) -> Array:
        """Outputs (batch, cols) for activations x (batch, rows); see `trace`."""
        return self.trace(x, rng).y

    def trace(self, x: Any, rng: Generator | None = None) -> Trace:
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
        total = as_batch("total", total, self.shape[1])
        bits, y = self.bits, np.empty(total.shape)
        for place in curve_ranges(self.curves):
            y[:, place] = digital(self.curves[place.start], bits, total[:, place])
        return y

    def under(self, condition: Condition, rng: Generator | None = None) -> Macro:
        """All stacks under `condition` instead of the one they are under, see `Stack.under`."""
        return self._each(lambda stack: stack.under(condition, rng))

    def recalibrated(self, rng: Generator, method: str | None = None) -> Macro:
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
    def bits(self) -> int:
        """Resolution that its converters are read with, and its digital sums looked up."""
        return self.condition.bits or self.hardware.adc.bits

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
        return max(c.lsb(self.bits) for c in self.curves)

    @property
    def cells(self) -> int:
        """Cells of arrays and ramp columns."""
        return sum(stack.cells for beside in self.stacks for stack in beside)

    def __str__(self) -> str:
        h, (first, *others), below = self.hardware, self.stacks[0], self.stacks[1:]
        ageless = ", cells do not age" if self.condition.age and not h.device.on_age else ""
        lines = [("hardware", f"{h.name or 'unnamed'}, {self.condition}{ageless}")]
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


def _reach(w: Array) -> float:
    """Four standard deviations of the largest column of w for inputs uniform in +-1."""
    largest = float(np.abs(w).max()) or 1.0
    return 4 * largest * float(np.sqrt(((w / largest) ** 2).sum(0).max() / 3)) or 1.0
