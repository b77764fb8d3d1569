"""A crossbar as a subcircuit: which nodes there are, and what stands between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from aimc.crossbar import Crossbar
    from aimc.spice.cells import CellModel
    from aimc.spice.dialect import Dialect


@dataclass(frozen=True, eq=False)
class ArrayNodes:
    """The nodes of a crossbar's subcircuit, by name.

    Cell (i, j) joins `row(i, j)` to `col(i, j)`. Row i is driven at port in{i}; the current of
    column j, of all arrays above each other, leaves at port out{j}, which is held at 0 V; where
    idle rows are gated, on{i} is 1 V where the cells of row i conduct. Nodes that a wire of no
    resistance joins have one name, the port's where a port is among them.
    """

    crossbar: Crossbar

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.crossbar.g.shape[0], self.crossbar.g.shape[1]

    def row(self, i: int, j: int) -> str:
        """The node of row i at column j, as the subcircuit names it."""
        return self._find(f"r{i}_{j}")

    def col(self, i: int, j: int) -> str:
        """The node of column j at row i, as the subcircuit names it."""
        return self._find(f"c{i}_{j}")

    @cached_property
    def ports(self) -> list[str]:
        """in0 ... then out0 ..., then on0 ... where idle rows are gated."""
        rows, cols = self.shape
        gates = [f"on{i}" for i in range(rows)] if self.gated else []
        return [f"in{i}" for i in range(rows)] + [f"out{j}" for j in range(cols)] + gates

    @property
    def gated(self) -> bool:
        """Whether the cells of idle rows are off."""
        return self.crossbar.wires.idle == "gated"

    @cached_property
    def wires(self) -> list[tuple[str, str, str, str]]:
        """Wires with resistance: (name, from, to, parameter), no two ends in one node."""
        found = [
            (name, self._find(a), self._find(b), parameter)
            for name, a, b, parameter in self._segments
            if getattr(self.crossbar.wires, parameter) > 0
        ]
        return [wire for wire in found if wire[1] != wire[2]]

    @cached_property
    def _segments(self) -> list[tuple[str, str, str, str]]:
        rows, cols = self.shape
        wires = self.crossbar.wires
        found: list[tuple[str, str, str, str]] = []
        for i in range(rows):
            if wires.drive in ("left", "both"):
                found.append((f"rl{i}", f"in{i}", f"r{i}_0", "r_source"))
            if wires.drive in ("right", "both"):
                found.append((f"rr{i}", f"in{i}", f"r{i}_{cols - 1}", "r_source"))
            found += [
                (f"rh{i}_{j}", f"r{i}_{j}", f"r{i}_{j + 1}", "r_row") for j in range(cols - 1)
            ]
        for at, (place, _) in enumerate(self.crossbar.arrays):
            top, last, of = place.start, place.stop - 1, f"_{at}" if at else ""
            for j in range(cols):
                found += [
                    (f"rv{i}_{j}", f"c{i}_{j}", f"c{i + 1}_{j}", "r_col") for i in range(top, last)
                ]
                if wires.sense in ("bottom", "both"):
                    found.append((f"rb{j}{of}", f"c{last}_{j}", f"out{j}", "r_sense"))
                if wires.sense in ("top", "both"):
                    found.append((f"rt{j}{of}", f"c{top}_{j}", f"out{j}", "r_sense"))
        return found

    @cached_property
    def _parent(self) -> dict[str, str]:
        """Of each node that a wire of no resistance joins to another, that other."""
        parent: dict[str, str] = {}
        for _, a, b, parameter in self._segments:
            if getattr(self.crossbar.wires, parameter) == 0:
                a, b = _root(parent, a), _root(parent, b)
                if a != b:
                    keep, drop = (b, a) if b in self._ports and a not in self._ports else (a, b)
                    parent[drop] = keep
        return parent

    def _find(self, node: str) -> str:
        return _root(self._parent, node)

    def inside(self, instance: str, tail: str = "") -> list[str]:
        """Every node of an instance, as `at_top`, sorted."""
        rows, cols = self.shape
        cells = list(product(range(rows), range(cols)))
        names = {self.row(*cell) for cell in cells} | {self.col(*cell) for cell in cells}
        return sorted(self.at_top(name, instance, tail) for name in names)

    def at_top(self, name: str, instance: str, tail: str = "") -> str:
        """The name of a node of an instance, as seen from the top, where ports end in `tail`."""
        return name + tail if name in self._ports else f"{instance}.{name}"

    @cached_property
    def _ports(self) -> frozenset[str]:
        return frozenset(self.ports)


def _root(parent: dict[str, str], node: str) -> str:
    while node in parent:
        node = parent[node]
    return node


def subcircuit(nodes: ArrayNodes, dialect: Dialect, cell: CellModel) -> list[str]:
    """The crossbar's subcircuit: its wires, then its cells. An open cell (g = 0) is left out.

    cell: of two nodes, or of three where idle rows are gated.
    """
    crossbar = nodes.crossbar
    rows, cols = nodes.shape
    wires = crossbar.wires
    lines = [
        dialect.note(
            f"rows {rows}, columns {cols}, drive {wires.drive}, sense {wires.sense}, "
            f"idle {wires.idle}"
        ),
        *dialect.subckt("crossbar", nodes.ports, {}),
    ]
    for wire, a, b, parameter in nodes.wires:
        lines += dialect.write("resistor", name=wire, a=a, b=b, ohm=dialect.value(parameter))
    for i, j in np.argwhere(crossbar.g > 0).tolist():
        ends = (nodes.row(i, j), nodes.col(i, j), *([f"on{i}"] if nodes.gated else []))
        params = cell.params(float(crossbar.g[i, j]), i, j)
        lines += dialect.instance(f"xcell{i}_{j}", ends, cell.subckt, params)
    return [*lines, *dialect.write("ends", name="crossbar")]


def parameters(crossbar: Crossbar, dialect: Dialect) -> list[str]:
    """The resistances of the wires, one parameter each [ohm]."""
    names = ("r_col", "r_row", "r_sense", "r_source")
    values = {name: getattr(crossbar.wires, name) for name in names}
    return [line for k, v in values.items() for line in dialect.write("param", name=k, value=v)]
