"""The deck of a macro: rows, array, ramp columns, integrators, comparators, as one transient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from aimc.converters.imperfections import (
    ChargeInjection,
    ComparatorDelay,
    ComparatorHysteresis,
    Leakage,
)
from aimc.converters.ramp import ProgrammedRamp
from aimc.errors import SpiceError, must
from aimc.spice import array
from aimc.spice.cells import cell_of, no_model
from aimc.spice.conversion import ConversionPlan
from aimc.spice.dialect import plain
from aimc.spice.netlist import Netlist, header, includes, models
from aimc.spice.schedule import Points, Schedule, activity, inputs, schedule, trapezoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.arrays import Array
    from aimc.macro import Macro
    from aimc.spice.cells import CellModel
    from aimc.spice.dialect import Dialect

RELTOL = 1e-6
_NOT_SHOWN = (ComparatorDelay, ChargeInjection, Leakage)


def deck(
    macro: Macro, x: Array, dialect: Dialect, facts: Sequence[str], gain: float | None,
    delay: float, array_cell: CellModel,
) -> Netlist:  # fmt: skip
    """The conversions of x (batch, rows), one after the other.

    gain: of the integrators' amplifiers, None is ideal. delay: of the comparators [s].
    """
    if macro.hardware.sense.gain(1.0, 1.0) != 1.0:
        raise no_model(f"the integrator {type(macro.hardware.sense).__name__}")
    if not macro.only.additive:
        kind = type(macro.hardware.mapping).__name__
        raise no_model(f"{kind}, whose `combine` is no sum of currents")
    columns = ramp_columns(macro)
    t_step = macro.hardware.adc.t_step
    if delay and not t_step / 100 <= delay <= 4 * t_step:
        raise must(
            "delay", f"be 0, or lie between {t_step / 100:g} and {4 * t_step:g} s, which is a "
            "hundredth of the ramp's step to four of them", f"is {delay:g} s",
            "A shorter one is none, and takes steps of its own length to simulate.",
        )  # fmt: skip
    times = schedule(macro, columns, delay)
    waveform = columns[0].waveform
    if gain is None and math.isfinite(waveform.gain):
        gain = waveform.gain
    column_cell = cell_of(macro.hardware.device.iv)
    integrator = "integrator_ideal" if gain is None else "integrator_opamp"
    comparator = "comparator_delay" if delay > 0 else "comparator"
    names = {*array_cell.includes, *column_cell.includes, "switch_v", "sample_hold"}
    names |= {integrator, comparator} | ({"lag"} if waveform.tau else set())
    library = models(dialect, sorted(names))
    rows, cols = macro.shape
    title = f"{rows} x {cols} macro, conversions: {len(x)}"
    lines = header(dialect, title, facts) + array.parameters(macro.crossbar, dialect)
    values = {"c_array": macro.c_array, **{f"c_ramp{r}": c.c_fb for r, c in enumerate(columns)}}
    for name, value in (values if gain is None else {**values, "gain": gain}).items():
        lines += dialect.write("param", name=name, value=value)
    lines += includes(dialect, library)
    nodes = array.ArrayNodes(macro.crossbar)
    cells = array_cell.define(dialect)
    cells += [line for line in column_cell.define(dialect) if line not in cells]
    lines += ["", *cells, *array.subcircuit(nodes, dialect, array_cell)]
    for r, ramp in enumerate(columns):
        lines += ["", *_column(f"column{r}", ramp, column_cell, dialect)]
    lines += ["", *_read(macro, x, times, nodes, dialect)]
    lines += ["", *_ramps(macro, columns, times, len(x), dialect, integrator, gain)]
    lines += ["", *_columns(macro, columns, times, dialect, integrator, comparator, gain, delay)]

    kept = [f"in{k}" for k in range(rows)] + [f"ramp{r}" for r in range(len(columns))]
    kept += [f"{kind}{j}" for kind in ("hold", "flip") for j in range(cols)]
    vectors = [dialect.v(node) for node in kept]
    vectors += [dialect.i(f"vs{k}") for k in range(macro.crossbar.g.shape[1])]
    lines += ["", *dialect.save(vectors, "tran")]
    stop = times.period * len(x)
    longest = min(times.t_step / 2, delay / 4) if delay > 0 else times.t_step / 2
    at = {"step": times.t_step / 5, "stop": stop, "longest": longest}
    at = {key: plain(time) for key, time in at.items()}
    lines += dialect.write("tran", **at, reltol=RELTOL)
    measures: list[str] = []
    if "measure" in dialect.grammar:
        measures = _measures(macro, columns, times, len(x), dialect)
    # Without a measure, ngspice simulates nothing in batch mode.
    lines += measures[:1]
    text = dialect.text([*lines, *dialect.write("end")])
    return Netlist(text, dialect, library, tuple(measures[1:]), ConversionPlan(macro, x, times))


def ramp_columns(macro: Macro) -> list[ProgrammedRamp]:
    """The macro's ramp columns. Raises SpiceError where a converter has no model."""
    found: list[ProgrammedRamp] = []
    for ramp in macro.converters:
        if not isinstance(ramp, ProgrammedRamp):
            raise no_model(type(ramp.adc).__name__)
        if ramp.adc.wires is not None:
            raise no_model("a ramp column with wires")
        for part in ramp.adc.imperfections:
            if isinstance(part, _NOT_SHOWN):
                raise no_model(repr(part), "Leave it out: hardware.replace(imperfections=...).")
        if ramp.bits != ramp.adc.bits:
            raise SpiceError(
                "A ramp is exported at the resolution it was programmed for.", "missing"
            )
        found.append(ramp)
    return found


def hysteresis(ramp: ProgrammedRamp) -> float:
    """Width of the comparators' hysteresis [V]: they begin low, so that half of it is an offset."""
    parts = ramp.adc.imperfections
    return sum(part.width for part in parts if isinstance(part, ComparatorHysteresis))


def _column(name: str, ramp: ProgrammedRamp, model: CellModel, dialect: Dialect) -> list[str]:
    """The cells of a ramp column: one port a cell, and the column itself."""
    cells = [(f"bias{k}", ramp.g_bias[k]) for k in np.flatnonzero(ramp.g_bias)]
    cells += [(f"step{k}", ramp.g_steps[k]) for k in np.flatnonzero(ramp.g_steps)]
    lines = [
        dialect.note(f"{ramp.curve.name} at {ramp.adc.bits} bits"),
        *dialect.subckt(name, [*(cell for cell, _ in cells), "sum"], {}),
    ]
    for place, (cell, g) in enumerate(cells):
        params = model.params(float(g), place, 0)
        lines += dialect.instance(f"x{cell}", (cell, "sum"), model.subckt, params)
    return [*lines, *dialect.write("ends", name=name)]


def _pulse(
    dialect: Dialect, name: str, node: str, times: Schedule, levels: tuple[float, float],
    delay: float, width: float,
) -> list[str]:  # fmt: skip
    """From the first of `levels` [V] to the second and back, once a conversion."""
    at = {"low": levels[0], "high": levels[1], "delay": delay, "width": width}
    each = {"edge": times.edge, "period": times.period}
    numbers = {key: plain(value) for key, value in {**at, **each}.items()}
    return dialect.write("pulse", name=name, a=node, b="0", **numbers)


def _wave(dialect: Dialect, name: str, node: str, points: Points) -> list[str]:
    """A voltage through (time [s], voltage [V]) points; a constant where it never changes."""
    if len(points) == 1:
        return dialect.voltage(name, node, points[0][1])
    points = [(plain(time), plain(volts)) for time, volts in points]
    return dialect.write("pwl", name=name, a=node, b="0", dc=points[0][1], points=points)


def _read(
    macro: Macro, x: Array, times: Schedule, nodes: array.ArrayNodes, dialect: Dialect
) -> list[str]:
    kind = type(macro.hardware.driver).__name__
    lines = [
        dialect.note(f"rows, {kind}: a pulse stands at its height for its length less an edge")
    ]
    idle = macro.hardware.wires.idle
    ports = list(nodes.ports)
    for k, points in enumerate(inputs(macro, x, times)):
        # A row without a closed cell has no voltage of its own, so it does not float.
        floats = idle == "floating" and macro.crossbar.g[k].any()
        lines += _wave(dialect, f"vin{k}", f"in{k}", points)
        if floats or idle == "gated":
            lines += _wave(dialect, f"von{k}", f"on{k}", activity(points, times.edge / 10))
        if floats:
            ends = (f"in{k}", f"row{k}", f"on{k}")
            ports[k] = f"row{k}"
            lines += dialect.instance(f"xon{k}", ends, "switch_v", {"ron": 1e-4})
    lines.append(dialect.note("every column of cells ends at 0 V, where its current is sensed"))
    for k in range(macro.crossbar.g.shape[1]):
        lines += dialect.voltage(f"vs{k}", f"out{k}", 0.0)
    return [*lines, *dialect.instance("xarray", ports, "crossbar", {})]


def _ramps(
    macro: Macro, columns: Sequence[ProgrammedRamp], times: Schedule, batch: int,
    dialect: Dialect, integrator: str, gain: float | None,
) -> list[str]:  # fmt: skip
    """Reset, and the ramp columns: bias cells first, all at once, then step after step.

    The integrator inverts, so a rising step is a negative pulse.
    """
    v_read = macro.hardware.driver.v_read * macro.supply
    t, period = times.t_step, times.period
    lines = [dialect.note("integrators are reset before each conversion")]
    closed = period - times.reset - 2 * times.edge
    lines += _pulse(dialect, "vreset", "reset", times, (1.0, 0.0), times.reset, closed)
    for r, ramp in enumerate(columns):
        lines.append(dialect.note("pulses of the ramp's cells; the integrator inverts"))
        pulses: dict[str, list[tuple[float, float, float]]] = {}
        for k in np.flatnonzero(ramp.g_bias):
            count, *later = map(int, ramp.pulses[k])
            begin = times.first - (times.slot - t) - abs(count) * t
            train = [(begin, abs(count) * t, -math.copysign(v_read, count))] if count else []
            train += [
                (times.first + n * times.slot, t, -v_read * sign)
                for n, sign in enumerate(later)
                if sign
            ]
            pulses[f"bias{k}"] = train
        step = np.repeat(np.arange(len(ramp.counts)), ramp.counts)
        for k in np.flatnonzero(ramp.g_steps):
            pulses[f"step{k}"] = [(times.first + step[k] * times.slot, t, -v_read)]
        for cell, train in pulses.items():
            name, node = f"v{cell}_{r}", f"{cell}_{r}"
            if len(train) == 1:
                ((start, length, high),) = train
                width = length - times.edge
                lines += _pulse(dialect, name, node, times, (0.0, high), start, width)
            else:
                points: Points = [(0.0, 0.0)]
                for n in range(batch):
                    for start, length, high in train:
                        points += trapezoid(float(n * period + start), length, times.edge, high)
                lines += _wave(dialect, name, node, points)
        ports = [*(f"{cell}_{r}" for cell in pulses), f"sum{r}"]
        lines += dialect.instance(f"xcolumn{r}", ports, f"column{r}", {})
        tau, made = ramp.waveform.tau, f"made{r}" if ramp.waveform.tau else f"ramp{r}"
        settings = _integrator(dialect, dialect.value(f"c_ramp{r}"), ramp.c_fb, times, gain)
        lines += dialect.instance(f"xramp{r}", (f"sum{r}", made, "reset"), integrator, settings)
        if tau:
            lines += dialect.instance(f"xlag{r}", (made, f"ramp{r}"), "lag", {"tau": tau})
    return lines


def _integrator(
    dialect: Dialect, written: str | float, c: float, times: Schedule, gain: float | None
) -> dict[str, float | str]:
    # Sixty time constants of the reset switch leave nothing of the last conversion.
    settings: dict[str, float | str] = {"c": written, "ron": times.reset / (60 * c)}
    return settings if gain is None else {**settings, "gain": dialect.value("gain")}


def _columns(
    macro: Macro, columns: Sequence[ProgrammedRamp], times: Schedule, dialect: Dialect,
    integrator: str, comparator: str, gain: float | None, delay: float,
) -> list[str]:  # fmt: skip
    """For each output: signed sum of currents, integrator, sample and hold, comparator."""
    cols, lines_ = macro.shape[1], macro.crossbar.g.shape[1]
    signs = macro.hardware.mapping.combine(np.eye(lines_))
    if signs.shape != (lines_, cols):
        raise must("mapping", f"give {cols} results", f"gives {signs.shape[-1]}")
    kind = type(macro.hardware.mapping).__name__
    lines = [
        dialect.note(f"{kind}: ideal current mirrors add and subtract the columns' currents"),
        *_pulse(dialect, "vtrack", "track", times, (0.0, 1.0),
                times.start - times.t_step / 2, times.hold - times.start),
    ]  # fmt: skip
    c_hold = macro.c_array / 10
    hold: dict[str, float | str] = {"c": c_hold, "ron": times.t_step / (120 * c_hold)}
    for place, ramp in macro.ramps:
        r, count = ramp.number, place.stop - place.start
        made = columns[r]
        offsets = np.broadcast_to(ramp.offset - hysteresis(made) / 2, count)
        # What the amplifier's gain leaves of a column's ratio is its capacitor's.
        mismatch = ramp.columns.ratio * (1.0 + 1.0 / made.waveform.gain)
        mismatch = np.broadcast_to(np.where(np.abs(mismatch - 1) < 1e-12, 1.0, mismatch), count)
        for n, j in enumerate(range(place.start, place.stop)):
            for k in np.flatnonzero(signs[:, j]):
                lines += dialect.write(
                    "current copy", name=f"f{j}_{k}", a=f"i{j}", b="0", sense=f"vs{k}",
                    gain=signs[k, j],
                )  # fmt: skip
            own = dialect.value("c_array") if mismatch[n] == 1 else macro.c_array / mismatch[n]
            settings = _integrator(dialect, own, macro.c_array, times, gain)
            flip = {"offset": offsets[n], **({"delay": delay} if delay > 0 else {})}
            for name, nodes, subckt, params in (
                (f"xint{j}", (f"i{j}", f"u{j}", "reset"), integrator, settings),
                (f"xhold{j}", (f"u{j}", f"hold{j}", "track"), "sample_hold", hold),
                (f"xflip{j}", (f"ramp{r}", f"hold{j}", f"flip{j}"), comparator, flip),
            ):
                lines += dialect.instance(name, nodes, subckt, params)
    return lines


def _measures(
    macro: Macro, columns: Sequence[ProgrammedRamp], times: Schedule, batch: int, dialect: Dialect
) -> list[str]:
    """The last level; then sampled voltages, flips and levels of the conversions."""
    outputs, strobes = range(macro.shape[1]), list(enumerate(times.strobes))
    starts = [n * times.period for n in range(batch)]
    found = [("last_level", "ramp0", times.strobes[-1])]
    for n, start in enumerate(starts):
        found += [(f"u{j}_{n}", f"hold{j}", start + times.sampled) for j in outputs]
    for r in range(len(columns)):
        found += [(f"level{r}_{k}", f"ramp{r}", strobe) for k, strobe in strobes]
    for n, start in enumerate(starts):
        for j in outputs:
            found += [(f"flip{j}_{n}_{k}", f"flip{j}", start + strobe) for k, strobe in strobes]
    return [
        line
        for name, node, at in found
        for line in dialect.write("measure", name=name, vector=dialect.v(node), at=plain(at))
    ]
