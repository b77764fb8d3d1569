"""The operating point of a crossbar, for one input or many."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import SpiceError
from aimc.spice import array
from aimc.spice.cells import states
from aimc.spice.dialects import Ngspice
from aimc.spice.netlist import Netlist, Plan, header, includes, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.arrays import Array
    from aimc.crossbar import Crossbar
    from aimc.spice.cells import CellModel
    from aimc.spice.dialect import Dialect
    from aimc.spice.raw import Plot

INSTANCE = "xarray"


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """What the simulator found, shapes and names as those of `Crossbar.solve`.

    v (batch, rows) [V]; row_voltage, col_voltage (batch, rows, cols) [V]; current (batch, cols)
    [A]. crossbar: what was simulated.
    """

    crossbar: Crossbar
    v: Array
    row_voltage: Array
    col_voltage: Array
    current: Array


@dataclass(frozen=True, eq=False)
class OperatingPointPlan(Plan):
    """crossbar and its row voltages v (batch, rows) [V]; states: where those of its cells start, by
    node."""

    crossbar: Crossbar
    v: Array
    states: dict[str, float] = field(default_factory=dict)

    @property
    def rawfile(self) -> str | None:
        """Several points are written one after the other by the deck itself."""
        return Ngspice.rawfile if len(self.v) > 1 and not self.beside else None

    @property
    def beside(self) -> bool:
        """Whether each of several inputs has an array of its own in one operating point: rows that
        float make another circuit of it, which no source can.
        """
        return len(self.v) > 1 and self.crossbar.wires.idle == "floating"

    @property
    def tails(self) -> list[str]:
        """What the names of each array at the top end in."""
        return [f"_{n}" for n in range(len(self.v))] if self.beside else [""]

    @cached_property
    def nodes(self) -> array.ArrayNodes:
        """The nodes of the crossbar."""
        return array.ArrayNodes(self.crossbar)

    def result(self, plots: list[Plot]) -> OperatingPoint:
        wanted = 1 if self.beside else len(self.v)
        if len(plots) != wanted:
            raise SpiceError(
                f"The answer must hold {wanted} operating points, but holds {len(plots)}.", "failed"
            )
        rows, cols = self.nodes.shape
        row = [self.nodes.row(i, j) for i in range(rows) for j in range(cols)]
        col = [self.nodes.col(i, j) for i in range(rows) for j in range(cols)]

        def volts(names: Sequence[str]) -> Array:
            at_top = self.nodes.at_top
            return take([[f"v({at_top(name, INSTANCE + tail, tail)})" for name in names]
                         for tail in self.tails]).reshape(-1, rows, cols)  # fmt: skip

        def take(names: list[list[str]]) -> Array:
            return np.array([[plot[name][0] for name in some] for plot in plots for some in names])

        current = take([[f"i(vs{j}{tail})" for j in range(cols)] for tail in self.tails])
        found = OperatingPoint(self.crossbar, self.v, volts(row), volts(col), current)
        stood = take([[f"v({INSTANCE}{tail}.{node})" for node in self.states]
                      for tail in self.tails])  # fmt: skip
        self._hold(stood)
        _passive(found)
        return found

    def _hold(self, stood: Array) -> None:
        """Raises SpiceError where a state (batch, states) left where it starts."""
        start = np.array([*self.states.values()])
        moved = np.abs(stood - start) > _STILL * np.maximum(np.abs(start), 1.0)
        if moved.any():
            n, k = (int(at) for at in np.argwhere(moved)[0])
            cell, *_, state = [*self.states][k].split(".")
            raise _unphysical(
                f"leave the state {state} of {cell} at {start[k]:g}",
                f"moves it to {stood[n, k]:g}", n,
                "It lasts for ever: read below the thresholds, or pulse the cells in a transient.",
            )  # fmt: skip


def deck(
    crossbar: Crossbar, v: Any, dialect: Dialect, facts: Sequence[str], cell: CellModel
) -> Netlist:
    """The operating point of `crossbar` at row voltages v (batch, rows) [V], one a row of v."""
    plan = OperatingPointPlan(crossbar, v, states(cell, crossbar.g))
    nodes = plan.nodes
    rows, cols = nodes.shape
    library = models(dialect, cell.includes)
    sweep = len(v) > 1 and dialect.sweeps and not plan.beside
    lines = header(dialect, f"{rows} x {cols} cells, operating points: {len(v)}", facts)
    lines += array.parameters(crossbar, dialect) + includes(dialect, library)
    lines += ["", *cell.define(dialect), *array.subcircuit(nodes, dialect, cell), ""]
    lines.append(dialect.note("rows are driven; columns end at 0 V, where their currents are read"))
    sources: dict[str, Array] = {}
    kept: list[str] = []
    for tail, volts in zip(plan.tails, v[:, None] if plan.beside else [v], strict=True):
        driven = _driven(nodes, volts)
        for name, (node, values) in driven.items():
            if sweep and dialect.name != "ltspice":
                lines += dialect.write("param", name=f"{name}_dc", value=values[0])
            dc = dialect.value(f"{name}_dc") if sweep else float(values[0])
            lines += dialect.voltage(name + tail, node + tail, dc)
        for j in range(cols):
            lines += dialect.voltage(f"vs{j}{tail}", f"out{j}{tail}", 0.0)
        ports = [port + tail for port in nodes.ports]
        lines += dialect.instance(INSTANCE + tail, ports, "crossbar", {})
        kept += [dialect.v(name) for name in nodes.inside(INSTANCE + tail, tail)]
        kept += [dialect.v(f"{INSTANCE}{tail}.{node}") for node in plan.states]
        kept += [dialect.i(f"vs{j}{tail}") for j in range(cols)]
        sources |= {name + tail: values for name, (_, values) in driven.items()}
    lines += ["", *dialect.save(kept, "dc")]
    if not cell.linear:
        lines += dialect.write("tight")
    # Where every row floats, a sensing source stands for those that a sweep goes over.
    sources = sources or {f"vs0{plan.tails[0]}": np.zeros(1)}
    points = 1 if plan.beside else len(v)
    lines += dialect.op(
        list(sources), [[float(values[n]) for values in sources.values()] for n in range(points)]
    )
    return Netlist(dialect.text([*lines, *dialect.write("end")]), dialect, library, (), plan)


# What the simulator's tolerances may add to an answer, as a share of full scale.
_STILL = 1e-6


def _passive(found: OperatingPoint) -> None:
    """Raises SpiceError where an answer is none of passive cells: no node lies beyond the voltages
    that drive it and ground, and no current flows against them."""
    v = found.v
    most = np.abs(v).max(axis=1, initial=0.0)
    for name, unit, value, full in (
        ("row voltage", "V", found.row_voltage, most),
        ("column voltage", "V", found.col_voltage, most),
        ("column current", "A", found.current, most * found.crossbar.g.sum()),
    ):
        bounds = np.array([v.min(axis=1, initial=0.0), v.max(axis=1, initial=0.0)])
        if unit == "A":
            bounds = np.where(bounds == 0, 0.0, np.copysign(np.inf, bounds))
        low, high = np.expand_dims(bounds, tuple(range(2, value.ndim + 1)))
        slack = np.expand_dims(_STILL * full, tuple(range(1, value.ndim)))
        bad = (value < low - slack) | (value > high + slack)
        if bad.any():
            n, *at = (int(k) for k in np.argwhere(bad)[0])
            raise _unphysical(
                f"be one of passive cells, {name}s from {low.flat[n]:g} to {high.flat[n]:g} {unit}",
                f"has {value[n, *at]:g} {unit} at {', '.join(map(str, at))}", n,
                "A cell gives power there: use a model within the range it is made for.",
            )  # fmt: skip


def _unphysical(rule: str, came: str, n: int, hint: str) -> SpiceError:
    return SpiceError(f"The operating point of input {n} must {rule}, but {came}. {hint}",
                      "unphysical")  # fmt: skip


def _driven(nodes: array.ArrayNodes, v: Array) -> dict[str, tuple[str, Array]]:
    """The sources of an array by name: where each stands, and its voltages (batch,) [V]."""
    crossbar, rows = nodes.crossbar, range(nodes.shape[0])
    # A floating row without a closed cell has no voltage of its own: it is held at 0 V.
    floats = (v[0] == 0) & crossbar.g.any(axis=1) & (crossbar.wires.idle == "floating")
    sources = {f"vin{i}": (f"in{i}", v[:, i]) for i in rows if not floats[i]}
    if nodes.gated:
        sources |= {f"von{i}": (f"on{i}", (v[:, i] != 0) * 1.0) for i in rows}
    return sources
