"""The simulator's answer beside ngspice's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.crossbar import Solution
from aimc.errors import must
from aimc.macro import Trace
from aimc.spice.conversion import Conversion
from aimc.spice.operating_point import OperatingPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Bounds of a difference, as a share of full scale.
OPERATING_POINT = 1e-9
READ = 1e-6
VOLTAGE = 1e-4
# A comparator closer to its threshold than this may go either way [V].
MARGIN = 1e-4


@dataclass(frozen=True)
class Difference:
    """One quantity: how many values, the largest difference in its unit, and what was allowed.

    scale: the full scale that `relative` is a share of.
    """

    name: str
    unit: str
    count: int
    absolute: float
    scale: float
    bound: float

    @property
    def relative(self) -> float:
        """The largest difference as a share of full scale."""
        return self.absolute / self.scale if self.scale else self.absolute

    @property
    def agrees(self) -> bool:
        """Whether the difference is within its bound."""
        return bool(self.relative <= self.bound)


@dataclass(frozen=True)
class Codes:
    """count: codes compared; differ: those that are not equal; near: those so near a threshold
    that they may differ, which are not counted in `differ`.
    """

    count: int
    differ: int
    near: int

    def __str__(self) -> str:
        left_out = f"; {self.near} within reach of a threshold left out" if self.near else ""
        if self.differ:
            return f"codes differ: {self.differ} of {self.count}{left_out}"
        return f"codes equal: {self.count - self.near} of {self.count}{left_out}"


@dataclass(frozen=True)
class Comparison:
    """Differences by quantity, and the codes where there are any. True where all agree."""

    differences: tuple[Difference, ...]
    codes: Codes | None = None
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every difference is within its bound and no code differs."""
        return all(each.agrees for each in self.differences) and not (
            self.codes and self.codes.differ
        )

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        rows = [("quantity", "values", "largest difference", "of full scale", "allowed", "")]
        for d in self.differences:
            rows.append((d.name, str(d.count), f"{d.absolute:.2e} {d.unit}", f"{d.relative:.1e}",
                         f"{d.bound:.1e}", "" if d.agrees else "DIFFERS"))  # fmt: skip
        widths = [max(len(row[k]) for row in rows) for k in range(6)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        if self.codes:
            lines.append(str(self.codes))
        if self.note:
            lines.append(self.note)
        return "\n".join([*lines, "ngspice agrees" if self.agrees else "ngspice does not agree"])

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        found: dict[str, Any] = {
            d.name: {
                "unit": d.unit, "values": d.count, "absolute": d.absolute,
                "relative": d.relative, "allowed": d.bound, "agrees": d.agrees,
            }
            for d in self.differences
        }  # fmt: skip
        if self.codes:
            found["codes"] = {
                "values": self.codes.count, "differ": self.codes.differ,
                "near_a_threshold": self.codes.near,
            }  # fmt: skip
        return {**found, "agrees": self.agrees}


def compare(reference: Trace | Solution, result: Conversion | OperatingPoint) -> Comparison:
    """What the simulator gives (`macro.trace(x)`, `crossbar.solve(v)`) beside `netlist.run()`.

    A netlist has no read noise: where the trace holds some, the bounds grow by it, and a note says
    so. Raises ArgumentError where the two are not of one kind or of one shape.
    """
    if isinstance(reference, Solution) and isinstance(result, OperatingPoint):
        return _solution(reference, result)
    if isinstance(reference, Trace) and isinstance(result, Conversion):
        return _trace(reference, result)
    raise must(
        "reference", "be the trace of a conversion or the solution of an operating point",
        f"is a {type(reference).__name__} beside a {type(result).__name__}",
        "Use macro.trace(x) for a macro's netlist, crossbar.solve(v) for a crossbar's.",
    )  # fmt: skip


def _solution(solved: Solution, found: OperatingPoint) -> Comparison:
    volts = float(np.abs(found.v).max(initial=0.0))
    amperes = float(np.abs(solved.current).max(initial=0.0))
    return Comparison((
        _difference("row voltages", "V", solved.row_voltage, found.row_voltage, volts,
                    OPERATING_POINT),
        _difference("column voltages", "V", solved.col_voltage, found.col_voltage, volts,
                    OPERATING_POINT),
        _difference("column currents", "A", solved.current, found.current, amperes,
                    OPERATING_POINT),
    ))  # fmt: skip


def _trace(trace: Trace, found: Conversion) -> Comparison:
    macro = found.macro
    # Not physics again: the same read without noise tells how much noise the given trace holds.
    quiet = macro.trace(found.x)
    for name in ("v", "i", "u", "code"):
        came, wanted = getattr(trace, name).shape, getattr(quiet, name).shape
        if came != wanted:
            raise must("reference", f"have {name} of shape {wanted}", f"has {came}",
                       "Trace the inputs that the netlist was made of.")  # fmt: skip
    levels = np.stack([np.broadcast_to(ramp.levels, found.levels.shape[1:])
                       for _, ramp in macro.ramps])  # fmt: skip
    swing = float(np.ptp(levels)) or float(np.abs(trace.u).max()) or 1.0
    amperes = float(np.abs(trace.i).max(initial=0.0))
    volts = macro.hardware.driver.v_read
    noise_i = float(np.abs(trace.i - quiet.i).max())
    noise_u = np.abs(trace.u - quiet.u)
    noisy = bool(noise_i > 1e-9 * amperes)
    # A pulse's edges keep its area, which is its charge only where currents are linear in voltages.
    read = READ if macro.crossbar.linear else VOLTAGE
    differences = (
        _difference("row voltages", "V", trace.v, found.v, volts, READ),
        _difference("column currents", "A", trace.i, found.i, amperes,
                    read + (noise_i / amperes if noisy else 0.0)),
        _difference("sampled voltages", "V", trace.u, found.u, swing,
                    VOLTAGE + (float(noise_u.max()) / swing if noisy else 0.0)),
        _difference("ramp levels", "V", levels, found.levels, swing, VOLTAGE),
    )  # fmt: skip
    margin = np.empty(trace.u.shape)
    for place, ramp in macro.ramps:
        distance = (trace.u[:, place] - ramp.offset)[..., None] - ramp.levels
        margin[:, place] = np.abs(distance).min(axis=-1)
    near = margin <= MARGIN + (noise_u if noisy else 0.0)
    differ = (trace.code != found.code) & ~near
    note = (
        f"the trace holds read noise of up to {noise_i:.2e} A, which no netlist has: "
        "trace(x) without rng has none"
    )
    codes = Codes(int(near.size), int(differ.sum()), int(near.sum()))
    return Comparison(differences, codes, note if noisy else "")


def _difference(
    name: str, unit: str, ours: Array, theirs: Array, scale: float, bound: float
) -> Difference:
    if ours.shape != theirs.shape:
        raise must("reference", f"have {name} of shape {theirs.shape}", f"has {ours.shape}",
                   "Solve or trace the inputs that the netlist was made of.")  # fmt: skip
    largest = float(np.abs(ours - theirs).max(initial=0.0))
    return Difference(name, unit, ours.size, largest, scale, bound)
