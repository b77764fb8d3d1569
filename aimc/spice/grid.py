"""Finds the crossbar in a flat netlist of resistors, whatever its nodes are called."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.crossbar import Crossbar
from aimc.errors import SpiceError
from aimc.parts.wires import Wires
from aimc.spice.elements import Resistor, elements, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TELLING = (
    "A voltage source drives a row. A column ends at ground, or in a source of 0 V; where some "
    "rows are driven with 0 V too, those of the columns need sense, out or col in their name or "
    "node."
)


@dataclass(frozen=True)
class Line:
    """A row or column: its nodes in order, the resistance of each segment, and its ends.

    first, last: the resistance between an end and the terminal (driver or ground), None where the
    end is open, 0 where it is the terminal itself.
    """

    terminal: str
    nodes: tuple[str, ...]
    segments: tuple[float, ...]
    first: float | None
    last: float | None


def crossbar(statements: Sequence[list[str]]) -> Crossbar:
    """The crossbar of these statements; see `reader.read`."""
    resistors, sources = elements(statements)
    driven, sensed = _terminals(sources, resistors)
    values = sorted({r.ohm for r in resistors})
    # Wires have less resistance than any cell: the widest gap is tried first, no wires last.
    gaps = sorted(range(1, len(values)), key=lambda k: values[k - 1] / values[k])
    limits = [np.sqrt(values[k - 1] * values[k]) for k in gaps]
    reasons = []
    for limit in [*limits, 0.0]:
        try:
            return _assemble([r for r in resistors if r.ohm < limit],
                             [r for r in resistors if r.ohm >= limit], driven, sensed)  # fmt: skip
        except SpiceError as error:
            reasons.append(str(error))
    raise SpiceError(
        "The netlist must be a crossbar of resistors between driven rows and grounded columns, "
        f"but is not: {reasons[0]} {_TELLING}", "import",
    )  # fmt: skip


def _terminals(
    sources: Sequence[tuple[str, str, str, float]], resistors: Sequence[Resistor]
) -> tuple[list[str], list[str]]:
    """Driven nodes in the order of their numbers, and grounded ones: ground, sources of 0 V.

    A source that is not 0 V is a driver. Of those that are, the ones whose name or node says
    sense, out or column end columns; where none says so and no resistor ends at ground, all do.
    """
    driven, quiet, sensing = [], [], []
    for name, plus, minus, value in sources:
        node = plus if minus == "0" else minus
        require("0" in (plus, minus), f"{name} must have an end at ground, but has none.")
        twice = node in (*driven, *quiet, *sensing)
        require(not twice, f"Node {node} must have one source, but has two.")
        says = re.search(r"sens|out|col|bl|amm|meas|^v?s\d|^vm", f"{name} {node}")
        (driven if value else sensing if says else quiet).append(node)
    at_ground = any("0" in (r.a, r.b) for r in resistors)
    if sensing or at_ground:
        driven, sensed = driven + quiet, sensing + ["0"] * at_ground
    else:
        sensed = quiet
    require(driven and sensed, "A crossbar must have driven rows and grounded columns, but there "
            f"are {len(driven)} and {len(sensed)}. {_TELLING}")  # fmt: skip
    return sorted(set(driven), key=_natural), sorted(set(sensed), key=_natural)


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _assemble(
    wires: Sequence[Resistor], cells: Sequence[Resistor],
    driven: Sequence[str], sensed: Sequence[str],
) -> Crossbar:  # fmt: skip
    at_cells = {node for cell in cells for node in (cell.a, cell.b)}
    rows = _lines(wires, driven, at_cells)
    cols = _lines(wires, sensed, at_cells)
    row_of = {node: k for k, line in enumerate(rows) for node in line.nodes}
    col_of = {node: k for k, line in enumerate(cols) for node in line.nodes}
    joined = row_of.keys() & col_of.keys() or len(row_of) < sum(len(line.nodes) for line in rows)
    require(not joined, "A wire joins two lines.")
    known = row_of.keys() | col_of.keys() | {*driven, *sensed}
    for wire in wires:
        require({wire.a, wire.b} <= known, f"{wire.name} hangs in the air.")
    g = np.zeros((len(rows), len(cols)))
    places: dict[tuple[int, int], tuple[str, str]] = {}
    for cell in cells:
        ends = (cell.a, cell.b) if cell.a in row_of else (cell.b, cell.a)
        joins = ends[0] in row_of and ends[1] in col_of
        require(joins, f"{cell.name} joins no row to a column.")
        place = (row_of[ends[0]], col_of[ends[1]])
        g[place] += 1.0 / cell.ohm
        alone = places.setdefault(place, ends) == ends
        require(alone, f"{cell.name} is a second place of its row and column.")
    row_order = _order(cols, [(ends[1], place[0]) for place, ends in places.items()], len(rows))
    col_order = _order(rows, [(ends[0], place[1]) for place, ends in places.items()], len(cols))
    drive, r_row, r_source, flip_cols = _uniform(rows, "row", ("left", "right"), col_order)
    sense, r_col, r_sense, flip_rows = _uniform(cols, "column", ("top", "bottom"), row_order)
    g = g[np.ix_(row_order[::-1] if flip_rows else row_order,
                 col_order[::-1] if flip_cols else col_order)]  # fmt: skip
    return Crossbar(g, Wires(r_row, r_col, r_source, r_sense, drive, sense))


def _lines(wires: Sequence[Resistor], terminals: Sequence[str], at_cells: set[str]) -> list[Line]:
    """The lines that end at these terminals; a terminal that no wire reaches is a line itself."""
    touching: dict[str, list[Resistor]] = defaultdict(list)
    for wire in wires:
        touching[wire.a].append(wire)
        touching[wire.b].append(wire)
    lines: list[Line] = []
    used: set[str] = set()
    for terminal in terminals:
        starts = sorted(touching[terminal], key=lambda wire: _natural(wire.other(terminal)))
        if terminal in at_cells or not starts:
            end = len(starts) <= 1 or terminal == "0"
            require(end, f"Node {terminal} is no end of a line.")
            nodes, segments, back = _walk(terminal, None, touching, terminal)
            require(terminal != "0", "Cells at ground itself have no column of their own.")
            lines.append(Line(terminal, (terminal, *nodes), segments, 0.0, back))
            continue
        for start in starts:
            if start.name in used:
                continue
            first = start.other(terminal)
            nodes, segments, back = _walk(first, start, touching, terminal)
            used |= {start.name} | {w.name for w in touching[nodes[-1] if nodes else first]
                                    if terminal in (w.a, w.b)}  # fmt: skip
            lines.append(Line(terminal, (first, *nodes), segments, start.ohm, back))
    return lines


def _walk(
    node: str, came: Resistor | None, touching: dict[str, list[Resistor]], terminal: str
) -> tuple[tuple[str, ...], tuple[float, ...], float | None]:
    """Along a line to its other end, and the resistance from there back to the terminal."""
    nodes: list[str] = []
    segments: list[float] = []
    start = node
    while True:
        onward = [w for w in touching[node] if w is not came and w.other(node) != terminal]
        require(len(onward) <= 1, f"The line at node {node} branches.")
        if not onward:
            back = [w.ohm for w in touching[node] if w is not came and w.other(node) == terminal]
            require(len(back) <= 1, f"Node {node} is joined to {terminal} twice.")
            return tuple(nodes), tuple(segments), back[0] if back else None
        came = onward[0]
        node = came.other(node)
        require(node not in (start, *nodes), f"The line at node {node} is a ring.")
        nodes.append(node)
        segments.append(came.ohm)


def _order(lines: Sequence[Line], crossings: list[tuple[str, int]], count: int) -> list[int]:
    """The order in which the crossing lines are met along these ones, the same along all.

    Node k of each line meets crossing line k, or none where the cell is open; only a far end that
    carries no current may be missing. Without wires nothing is met first: the order of the names
    stays.
    """
    if all(len(line.nodes) == 1 for line in lines) and count > 1:
        return list(range(count))
    met = dict(crossings)
    once = len(met) == len(crossings)
    require(once, "A node of a line with wires must meet one other line.")
    longest = max(([met[n] for n in line.nodes if n in met] for line in lines), key=len)
    every = len(longest) >= count
    require(every, "A line along the wires must meet every other, but none does.")
    for line in lines:
        found = [met.get(node) for node in line.nodes]
        same = all(k in (None, want) for k, want in zip(found, longest, strict=False))
        require(same, "The lines must cross in the same order everywhere.")
        whole = len(found) == count or (len(found) < count and line.last is None)
        require(whole, f"The line at {line.terminal} must have {count} nodes, but has "
                f"{len(found)}: a resistor leads nowhere, or one is missing.")  # fmt: skip
    return longest


def _uniform(
    lines: Sequence[Line], kind: str, sides: tuple[str, str], order: Sequence[int]
) -> tuple[Any, float, float, bool]:
    """Driven side, segment and end resistance, and whether the order is to be turned round.

    A line's order starts at its terminal. Where the names of what it crosses fall along it, the
    terminal is at the far side.
    """
    segment = _same((s for line in lines for s in line.segments), f"segments of a {kind}")
    first = _same((line.first for line in lines if line.first is not None), f"ends of a {kind}")
    backs = {line.last is not None for line in lines}
    require(len(backs) <= 1, f"Every {kind} must end at the same sides.")
    if not any(line.segments for line in lines) and backs == {False}:
        return ("left" if kind == "row" else "bottom"), segment, first, False
    falls = len(order) > 1 and order[0] > order[-1]
    if backs == {True}:
        last = _same((line.last for line in lines if line.last is not None), f"ends of a {kind}")
        _same([first, last], f"ends of a {kind}")
        return "both", segment, first, falls
    return (sides[1] if falls else sides[0]), segment, first, falls


def _same(values: Iterable[float], what: str) -> float:
    found = [*values] or [0.0]
    low, high = min(found), max(found)
    same = high - low <= 1e-9 * high
    require(same, f"All {what} must have one resistance, but have {low:g} to {high:g} ohm.")
    return float(found[0])
