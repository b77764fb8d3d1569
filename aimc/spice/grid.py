"""Finds the crossbar in a flat netlist of resistors, whatever its nodes are called."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
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
    most, reason = -1, ""
    for limit in [*limits, 0.0]:
        wires = [r for r in resistors if r.ohm < limit]
        cells = _joined([r for r in resistors if r.ohm >= limit], wires, {*driven, *sensed})
        try:
            return _assemble(wires, cells, driven, sensed)
        except SpiceError as error:
            # The reason of the division that explains the most resistors.
            explained = _explained(wires, cells, driven, sensed)
            if explained > most:
                most, reason = explained, f"{error} Wires are those below {limit:.3g} ohm."
    raise SpiceError(
        "The netlist must be a crossbar of resistors between driven rows and grounded columns, "
        f"but is not: {reason} {_TELLING}", "import",
    )  # fmt: skip


def _joined(
    cells: Sequence[Resistor], wires: Sequence[Resistor], terminals: set[str]
) -> list[Resistor]:
    """The cells, those in series as one: nothing else is at the node between them."""
    ends = Counter(node for wire in wires for node in (wire.a, wire.b))
    found: dict[str, list[Resistor]] = defaultdict(list)
    for cell in cells:
        found[cell.a].append(cell)
        found[cell.b].append(cell)
    for node in [*found]:
        if len(found[node]) == 2 and not ends[node] and node not in terminals | {"0"}:
            one, other = found[node]
            a, b = one.other(node), other.other(node)
            if a == b:
                continue
            del found[node]
            both = Resistor(one.name, a, b, one.ohm + other.ohm)
            found[a] = [both if cell is one else cell for cell in found[a]]
            found[b] = [both if cell is other else cell for cell in found[b]]
    return list({id(cell): cell for some in found.values() for cell in some}.values())


def _explained(
    wires: Sequence[Resistor], cells: Sequence[Resistor],
    driven: Sequence[str], sensed: Sequence[str],
) -> int:  # fmt: skip
    """How many wires reach a row or a column, and how many cells join one of each."""
    touching: dict[str, list[str]] = defaultdict(list)
    for wire in wires:
        touching[wire.a].append(wire.b)
        touching[wire.b].append(wire.a)
    rows, cols = set(driven), set(sensed)
    for reached, other in ((rows, cols), (cols, rows)):
        pending = [*reached]
        while pending:
            near = {*touching[pending.pop()]} - reached - other - {"0"}
            reached |= near
            pending += near
    on = sum((w.a in rows and w.b in rows) or (w.a in cols and w.b in cols) for w in wires)
    across = sum((c.a in rows and c.b in cols) or (c.a in cols and c.b in rows) for c in cells)
    return on + across


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
        alone = [node for node in ends if node not in row_of and node not in col_of]
        lost = f": no wire leads from {alone[0]} to a driver or to ground" if alone else ""
        require(joins, f"{cell.name} joins no row to a column{lost}.")
        place = (row_of[ends[0]], col_of[ends[1]])
        g[place] += 1.0 / cell.ohm
        alone = places.setdefault(place, ends) == ends
        require(alone, f"{cell.name} is a second place of its row and column.")
    row_order, on_cols = _order(cols, [(e[1], place[0]) for place, e in places.items()], len(rows))
    col_order, on_rows = _order(rows, [(e[0], place[1]) for place, e in places.items()], len(cols))
    drive, r_row, r_source, flip_cols = _uniform(rows, "row", ("left", "right"), col_order, on_rows)
    sense, r_col, r_sense, flip_rows = _uniform(
        cols, "column", ("top", "bottom"), row_order, on_cols
    )
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


def _order(
    lines: Sequence[Line], crossings: list[tuple[str, int]], count: int
) -> tuple[list[int], dict[str, int]]:
    """The order in which the crossing lines are met along these ones, the same along all, and the
    place in it of each node that meets one; one that meets none is of an open cell, or divides a
    segment. Without wires nothing is met first: the order of the names stays.
    """
    if all(len(line.nodes) == 1 for line in lines) and count > 1:
        return list(range(count)), {}
    met = dict(crossings)
    once = len(met) == len(crossings)
    require(once, "A node of a line with wires must meet one other line.")
    longest = max(([met[n] for n in line.nodes if n in met] for line in lines), key=len)
    every = len(longest) >= count
    require(every, "A line along the wires must meet every other, but none does.")
    place = {k: n for n, k in enumerate(longest)}
    at = {node: place[k] for node, k in met.items()}
    for line in lines:
        found = [at[node] for node in line.nodes if node in at]
        rises = all(a < b for a, b in pairwise(found))
        require(rises, "The lines must cross in the same order everywhere.")
    return longest, at


def _uniform(
    lines: Sequence[Line], kind: str, sides: tuple[str, str], order: Sequence[int],
    at: dict[str, int],
) -> tuple[Any, float, float, bool]:  # fmt: skip
    """Driven side, segment and end resistance, and whether the order is to be turned round.

    at: the place of each node that meets a crossing line; between two of them stand as many
    segments as places. A line's order starts at its terminal. Where the names of what it crosses
    fall along it, the terminal is at the far side.
    """
    known = [[k for k, node in enumerate(line.nodes) if node in at] or [0] for line in lines]
    places = [[at.get(line.nodes[k], 0) for k in ks] for line, ks in zip(lines, known, strict=True)]
    whole = [*zip(lines, known, places, strict=True)]
    segment = _same(
        (sum(line.segments[k:m]) / (q - p) for line, ks, ps in whole
         for (k, m), (p, q) in zip(pairwise(ks), pairwise(ps), strict=True)),
        f"segments of a {kind}",
    )  # fmt: skip
    backs = {line.last is not None for line in lines}
    require(len(backs) <= 1, f"Every {kind} must end at the same sides.")
    ends = []
    for line, ks, ps in whole:
        beyond, left = sum(line.segments[ks[-1] :]), (len(order) - 1 - ps[-1]) * segment
        if line.first is not None:
            ends.append(line.first + (sum(line.segments[: ks[0]]) - ps[0] * segment))
        if line.last is not None:
            ends.append(line.last + (beyond - left))
        require(line.last is not None or beyond <= left * (1 + _EQUAL),
                f"The line at {line.terminal} must end where the last line crosses it, but a "
                "resistor leads nowhere.")  # fmt: skip
    first = _same(ends, f"ends of a {kind}", segment)
    first = first if first > _EQUAL * segment else 0.0
    if not any(line.segments for line in lines) and backs == {False}:
        return ("left" if kind == "row" else "bottom"), segment, first, False
    falls = len(order) > 1 and order[0] > order[-1]
    if backs == {True}:
        return "both", segment, first, falls
    return (sides[1] if falls else sides[0]), segment, first, falls


_EQUAL = 1e-9


def _same(values: Iterable[float], what: str, scale: float = 0.0) -> float:
    """The one resistance of these; 0 where there are none. scale: a rest of it is none [ohm]."""
    found = [*values] or [0.0]
    low, high = min(found), max(found)
    same = high - low <= _EQUAL * max(high, scale) and low >= -_EQUAL * scale
    require(same, f"All {what} must have one resistance, but have {low:g} to {high:g} ohm.")
    return float(found[0])
