"""The operating point of a crossbar, for one input or many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import SpiceError
from aimc.spice import array
from aimc.spice.dialects import Ngspice
from aimc.spice.netlist import Netlist, Plan, header, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aimc.crossbar import Crossbar
    from aimc.spice.cells import CellModel
    from aimc.spice.dialect import Dialect
    from aimc.spice.raw import Plot

    Array = NDArray[np.float64]

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
    """crossbar and its row voltages v (batch, rows) [V]."""

    crossbar: Crossbar
    v: Array

    @property
    def rawfile(self) -> str | None:
        """Several points are written one after the other by the deck itself."""
        return Ngspice.rawfile if len(self.v) > 1 else None

    @cached_property
    def nodes(self) -> array.ArrayNodes:
        """The nodes of the crossbar."""
        return array.ArrayNodes(self.crossbar)

    def result(self, plots: list[Plot]) -> OperatingPoint:
        if len(plots) != len(self.v):
            raise SpiceError(
                f"The answer must hold {len(self.v)} operating points, but holds {len(plots)}.",
                "failed",
            )
        rows, cols = self.nodes.shape
        row = [f"v({self._at(self.nodes.row(i, j))})" for i in range(rows) for j in range(cols)]
        col = [f"v({self._at(self.nodes.col(i, j))})" for i in range(rows) for j in range(cols)]
        out = [f"i(vs{j})" for j in range(cols)]

        def take(names: Sequence[str]) -> Array:
            return np.array([[plot[name][0] for name in names] for plot in plots])

        shape = (len(plots), rows, cols)
        return OperatingPoint(
            self.crossbar, self.v, take(row).reshape(shape), take(col).reshape(shape), take(out)
        )

    def _at(self, node: str) -> str:
        return self.nodes.at_top(node, INSTANCE)


def deck(
    crossbar: Crossbar, v: Any, dialect: Dialect, facts: Sequence[str], folder: str,
    cell: CellModel,
) -> Netlist:  # fmt: skip
    """The operating point of `crossbar` at row voltages v (batch, rows) [V], one a row of v."""
    plan = OperatingPointPlan(crossbar, v)
    nodes = plan.nodes
    rows, cols = nodes.shape
    library = models(dialect, [cell.subckt], folder)
    sweep = len(v) > 1 and dialect.sweeps
    lines = header(dialect, f"{rows} x {cols} cells, operating points: {len(v)}", facts)
    lines += array.parameters(crossbar, dialect)
    lines += [dialect.include(path) for path, _ in library]
    lines += ["", *array.subcircuit(nodes, dialect, cell), ""]
    # A floating row without a closed cell has no voltage of its own: it is held at 0 V.
    floats = (v[0] == 0) & crossbar.g.any(axis=1) & (crossbar.wires.idle == "floating")
    sources = {f"vin{i}": (f"in{i}", v[:, i]) for i in range(rows) if not floats[i]}
    if nodes.gated:
        sources |= {f"von{i}": (f"on{i}", (v[:, i] != 0) * 1.0) for i in range(rows)}
    lines.append(dialect.note("rows are driven; columns end at 0 V, where their currents are read"))
    for name, (node, volts) in sources.items():
        if sweep and dialect.name != "ltspice":
            lines.append(dialect.param(f"{name}_dc", volts[0]))
        dc = dialect.value(f"{name}_dc") if sweep else float(volts[0])
        lines.append(dialect.voltage(name, node, "0", dc))
    lines += [dialect.voltage(f"vs{j}", f"out{j}", "0", 0.0) for j in range(cols)]
    lines.append(dialect.instance(INSTANCE, nodes.ports, "crossbar", {}))
    kept = [dialect.v(name) for name in nodes.inside(INSTANCE)]
    kept += [dialect.i(f"vs{j}") for j in range(cols)]
    lines += ["", *dialect.save(kept, "op")]
    if not cell.linear:
        lines += dialect.tight()
    values = [[float(volts[n]) for _, volts in sources.values()] for n in range(len(v))]
    lines += dialect.op(list(sources), values)
    return Netlist(dialect.text([*lines, *dialect.end()]), dialect, library, (), plan)
