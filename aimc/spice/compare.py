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
    from aimc.arrays import Array

# Bounds of a difference, as a share of full scale.
OPERATING_POINT = 1e-9
READ = 1e-6
VOLTAGE = 1e-4
# How well ngspice's waves tell where its comparator stood.
WAVES = 1e-5
# Standard deviations of noise that are allowed, and the reads that they are estimated from.
_SIGMAS, _READS = 6.0, 32


@dataclass(frozen=True)
class Difference:
    """One quantity: how many values, the difference in its unit that comes closest to or furthest
    beyond what is allowed (the largest one where there is no noise), and what was allowed for it.

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
        """The difference as a share of full scale."""
        return self.absolute / self.scale if self.scale else self.absolute

    @property
    def agrees(self) -> bool:
        """Whether the difference is within its bound."""
        return bool(self.relative <= self.bound)


@dataclass(frozen=True)
class Codes:
    """count: codes; near: those so near a threshold that neighbours are allowed; differ: those
    that are not what is allowed.
    """

    count: int
    differ: int
    near: int

    @property
    def enough(self) -> bool:
        """Whether at least half of the codes could be held to one value."""
        return 2 * self.near <= self.count

    def __str__(self) -> str:
        left_out = f"; {self.near} within reach of a threshold" if self.near else ""
        if not self.enough:
            left_out += ", so that too few are left to compare"
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
        """Whether every difference is within its bound, and no code of enough differs."""
        codes = self.codes
        equal = codes is None or (codes.enough and not codes.differ)
        return equal and all(each.agrees for each in self.differences)

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        rows = [("quantity", "values", "largest difference", "of full scale", "allowed", "")]
        for d in self.differences:
            rows.append((d.name, str(d.count), f"{d.absolute:.2e} {d.unit}", f"{d.relative:.1e}",
                         f"{d.bound:.1e}", "" if d.agrees else "DIFFERS"))  # fmt: skip
        columns = [[cell.ljust(max(map(len, c))) for cell in c] for c in zip(*rows, strict=True)]
        lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
        said = [str(self.codes or ""), self.note]
        lines += [line for line in said if line]
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

    A netlist has no noise: where the trace holds some, six standard deviations of what this macro's
    reads have are allowed, and a note says so. A code may be a neighbour's where the differences
    found, within what is allowed, reach over a threshold; where that is more than half of the
    codes, the two do not agree. Raises ArgumentError where they are not of one kind or one shape.
    """
    if isinstance(reference, Solution) and isinstance(result, OperatingPoint):
        return _solution(reference, result)
    if isinstance(reference, Trace) and isinstance(result, Conversion):
        return _trace(reference, result)
    raise must(
        "reference", "be the trace of a conversion or the solution of an operating point",
        f"is a {type(reference).__name__} beside a `result` of {type(result).__name__}",
        "Use macro.trace(x) for a macro's netlist, crossbar.solve(v) for a crossbar's.",
    )  # fmt: skip


def _solution(solved: Solution, found: OperatingPoint) -> Comparison:
    volts, amperes = (float(np.abs(x).max(initial=0.0)) for x in (found.v, solved.current))
    return Comparison(tuple(
        _difference(name, unit, ours, theirs, scale, OPERATING_POINT)
        for name, unit, ours, theirs, scale in (
            ("row voltages", "V", solved.row_voltage, found.row_voltage, volts),
            ("column voltages", "V", solved.col_voltage, found.col_voltage, volts),
            ("column currents", "A", solved.current, found.current, amperes),
        )
    ))  # fmt: skip


def _trace(trace: Trace, found: Conversion) -> Comparison:
    macro = found.macro
    # Not physics again: what the macro itself says with and without noise.
    quiet = macro.trace(found.x)
    for name in ("v", "i", "u", "code"):
        came, wanted = getattr(trace, name).shape, getattr(quiet, name).shape
        if came != wanted:
            raise must("reference", f"have {name} of shape {wanted}", f"has {came}",
                       "Trace the inputs that the netlist was made of.")  # fmt: skip
    noise = _noise(trace, quiet, found)
    levels = np.full(found.levels.shape, np.nan)
    for stood, (_, ramp) in zip(levels, macro.ramps, strict=True):
        stood[:, : ramp.levels.size] = ramp.levels
    there = np.isfinite(levels)
    off = np.where(there, np.abs(levels - found.levels), 0.0)
    swing = float(np.ptp(levels[there])) or float(np.abs(trace.u).max()) or 1.0
    amperes = float(np.abs(trace.i).max(initial=0.0))
    volts = macro.hardware.driver.v_read
    # A pulse's edges keep its area, which is its charge only where currents are linear in voltages.
    read = READ if macro.crossbar.linear else VOLTAGE
    differences = (
        _difference("row voltages", "V", trace.v, found.v, volts, READ, noise["v"]),
        _difference("column currents", "A", trace.i, found.i, amperes, read, noise["i"]),
        _difference("sampled voltages", "V", trace.u, found.u, swing, VOLTAGE, noise["u"]),
        _difference("ramp levels", "V", levels[there], found.levels[there], swing, VOLTAGE),
    )
    low, high = np.empty_like(trace.code), np.empty_like(trace.code)
    reach = np.minimum(np.abs(trace.u - found.u), VOLTAGE * swing + noise["u"]) + WAVES * swing
    reach += noise["decision"]
    off = np.minimum(off.max(axis=-1), VOLTAGE * swing)
    for n, (place, ramp) in enumerate(macro.ramps):
        around = reach[:, place] + off[n][:, None]
        # The one between them too: where a curve turns, the counter comes back.
        codes = [ramp.convert(trace.u[:, place] + by * around) for by in (-1, 0, 1)]
        low[:, place], high[:, place] = np.min(codes, axis=0), np.max(codes, axis=0)
    near = low != high
    outside = (found.code < low) | (found.code > high)
    differ = np.where(near, outside, trace.code != found.code)
    codes = Codes(int(near.size), int(differ.sum()), int(near.sum()))
    note = (
        f"the trace is one with noise, which no netlist has: {_SIGMAS:g} standard deviations, up "
        f"to {float(noise['i'].max()):.2e} A, are allowed; trace(x) without rng has none"
    )
    noisy = any(np.any(each) for each in noise.values())
    return Comparison(differences, codes, note if noisy else "")


def _noise(trace: Trace, quiet: Trace, found: Conversion) -> dict[str, Array]:
    """What noise may add to v, i and u of the trace, and to a comparator's decision.

    It is the macro's own, estimated from reads of it, and zero for a trace without noise.
    """
    still = {name: getattr(quiet, name) for name in ("v", "i", "u", "code")}
    allowed = {name: np.zeros(value.shape) for name, value in still.items()}
    allowed["decision"] = allowed.pop("code")
    if all(np.array_equal(getattr(trace, name), value) for name, value in still.items()):
        return allowed
    macro, rng = found.macro, np.random.default_rng(0)
    reads = [macro.trace(found.x, rng) for _ in range(_READS)]
    for name in ("v", "i", "u"):
        apart = np.stack([getattr(read, name) - still[name] for read in reads])
        allowed[name] = _SIGMAS * np.sqrt(np.mean(apart**2, axis=0))
    for place, ramp in macro.ramps:
        n = ramp.noise
        steps = np.broadcast_to(n.steps, (ramp.decisions.shape[-1] - 1,))
        square = n.decision**2 + np.square(n.sample) + n.start**2 + np.sum(steps**2)
        allowed["decision"][:, place] = _SIGMAS * np.sqrt(square)
    return allowed


def _difference(
    name: str, unit: str, ours: Array, theirs: Array, scale: float, bound: float,
    noise: Array | float = 0.0,
) -> Difference:  # fmt: skip
    if ours.shape != theirs.shape:
        raise must("reference", f"have {name} of shape {theirs.shape}", f"has {ours.shape}",
                   "Solve or trace the inputs that the netlist was made of.")  # fmt: skip
    if not ours.size:
        return Difference(name, unit, 0, 0.0, scale, bound)
    apart, noise = np.abs(ours - theirs), np.broadcast_to(noise, ours.shape)
    worst = np.unravel_index(np.argmax(apart - noise), ours.shape)
    allowed = bound + float(noise[worst]) / scale if scale else bound
    return Difference(name, unit, ours.size, float(apart[worst]), scale, allowed)
