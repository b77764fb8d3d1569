"""Reads a netlist back into a Crossbar: one that `netlist` wrote, or a plain one of resistors."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from aimc.crossbar import Crossbar
from aimc.errors import SpiceError, must
from aimc.parts.wires import Wires
from aimc.spice import array, grid
from aimc.spice.cells import GATED, LINEAR
from aimc.spice.dialects import DIALECTS
from aimc.spice.elements import require
from aimc.spice.lint import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOPOLOGY = re.compile(
    r"^\* rows (\d+), columns (\d+), drive (left|right|both), sense (bottom|top|both), "
    r"idle (grounded|floating|gated)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
_RESISTANCES = ("r_row", "r_col", "r_source", "r_sense")


def read(netlist: str | Path) -> Crossbar:
    """The Crossbar in a netlist: a path, or the text itself (which has several lines).

    A deck that `netlist` wrote for ngspice gives the very crossbar it was written from, bit for
    bit. Another deck must be a crossbar of resistors, flat: a voltage source drives each row, the
    cells join rows and columns, a column ends at ground or in a source of 0 V, and all segments of
    a kind have one resistance. Rows and columns come in the order of their places along the wires,
    or of the numbers in their names where there are none. Raises SpiceError (reason "import")
    where it is neither, and says what was found; ArgumentError where `netlist` is no text or path.
    """
    if not isinstance(netlist, str | Path) or not str(netlist).strip():
        raise must("netlist", "be a path, or the text of a netlist", f"is {netlist!r}")
    text = netlist if isinstance(netlist, str) and "\n" in netlist else _text(netlist)
    text = text.replace("\r\n", "\n")
    body = re.sub(r"[ \t]*=[ \t]*", "=", text.partition("\n")[2])
    found = list(takewhile(lambda words: words[0] != ".end", statements(body)))
    if any(words[:2] == [".subckt", "crossbar"] for words in found):
        return _exported(text, found)
    return grid.crossbar(found)


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SpiceError(f"`{path}` must be a netlist, but {error}.", "import") from error


def _exported(text: str, found: Sequence[list[str]]) -> Crossbar:
    topology = _TOPOLOGY.search(text)
    require(
        topology, "A netlist of aimc must tell the topology of its crossbar in a comment, as "
        "`* rows 8, columns 4, drive left, sense bottom, idle grounded`, but has none."
    )  # fmt: skip
    assert topology is not None
    given = dict(w[1].split("=", 1) for w in found if w[0] == ".param" and "=" in "".join(w[1:2]))
    ohms = (_number(name, given.get(name, "0")) for name in _RESISTANCES)
    kinds = (word.lower() for word in topology.groups()[2:])
    wires = Wires(*cast("Any", (*ohms, *kinds)))
    cell = GATED if wires.idle == "gated" else LINEAR
    rows, cols = int(topology[1]), int(topology[2])
    ports, inside = _body(found)
    right = min(rows, cols) > 0 and ports == rows + cols + rows * (cell is GATED)
    require(
        right, f"A crossbar of {rows} x {cols} cells must have its ports, but {ports} are there."
    )
    g = np.zeros((rows, cols))
    for words in inside:
        name, place = words[0], re.fullmatch(r"xcell(\d+)_(\d+)", words[0])
        if place is None:
            continue
        settings = dict(word.split("=", 1) for word in words if "=" in word)
        linear = cell.subckt in words and "g" in settings
        require(linear, f"A cell that is read back must be linear, but {name} is no {cell.subckt}.")
        i, j = int(place[1]), int(place[2])
        require(i < rows and j < cols, f"{name} must lie in {rows} x {cols} cells, but does not.")
        g[i, j] = _number(name, settings["g"])
    crossbar = Crossbar(g, wires)
    # What was changed by hand may be no crossbar, or another one than its comment says.
    lines = array.subcircuit(array.ArrayNodes(crossbar), DIALECTS["ngspice"], cell)
    wanted = [line.split() for line in lines if not line.startswith("*")][1:-1]
    require(
        sorted(wanted) == sorted(inside), "The crossbar of this netlist is not as aimc writes it: "
        "its wires or cells were changed, and it cannot be read back."
    )  # fmt: skip
    return crossbar


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    good = 0 <= value < float("inf")
    require(good, f"{name} must have a number of at least 0, but has {text!r}.")
    return value


def _body(found: Sequence[list[str]]) -> tuple[int, list[list[str]]]:
    """How many ports `.subckt crossbar` has, and the statements between it and its end."""
    first = [words[:2] for words in found].index([".subckt", "crossbar"])
    last = next((k for k in range(first, len(found)) if found[k][0] == ".ends"), None)
    require(last, "`.subckt crossbar` must have its `.ends`, but the netlist ends before.")
    return len(found[first]) - 2, list(found[first + 1 : last])
