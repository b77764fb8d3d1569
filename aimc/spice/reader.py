"""Reads a netlist back into a Crossbar: one that `netlist` wrote, or a plain one of resistors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.crossbar import Crossbar
from aimc.errors import SpiceError
from aimc.spice import array, grid
from aimc.spice.cells import GATED, LINEAR
from aimc.spice.dialects import DIALECTS
from aimc.spice.lint import statements
from aimc.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOPOLOGY = re.compile(
    r"^\* rows (\d+), columns (\d+), drive (left|right|both), sense (bottom|top|both), "
    r"idle (grounded|floating|gated)$",
    re.MULTILINE,
)
_RESISTANCES = ("r_row", "r_col", "r_source", "r_sense")


def read(netlist: str | Path) -> Crossbar:
    """The Crossbar in a netlist: a path, or the text itself (which has several lines).

    A deck that `netlist` wrote for ngspice gives the very crossbar it was written from, bit for
    bit. Another deck must be a crossbar of resistors, flat: a voltage source drives each row, the
    cells join rows and columns, a column ends at ground or in a source of 0 V, and all segments of
    a kind have one resistance. Rows and columns come in the order of their places along the wires,
    or of the numbers in their names where there are none. Raises SpiceError (reason "import")
    where it is neither, and says what was found.
    """
    text = netlist if isinstance(netlist, str) and "\n" in netlist else _text(netlist)
    found = list(statements(text.partition("\n")[2]))
    if any(words[:2] == [".subckt", "crossbar"] for words in found):
        return _exported(text, found)
    return grid.crossbar(found)


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpiceError(f"`{path}` must be a netlist, but {error}.", "import") from error


def _exported(text: str, found: Sequence[list[str]]) -> Crossbar:
    topology = _TOPOLOGY.search(text)
    if topology is None:
        raise SpiceError(
            "A netlist of aimc must tell the topology of its crossbar in a comment, as "
            "`* rows 8, columns 4, drive left, sense bottom, idle grounded`, but has none.",
            "import",
        )  # fmt: skip
    given = dict(w[1].split("=", 1) for w in found if w[0] == ".param" and "=" in w[1])
    r_row, r_col, r_source, r_sense = (float(given.get(name, "0")) for name in _RESISTANCES)
    drive: Any = topology[3]
    sense: Any = topology[4]
    idle: Any = topology[5]
    cell = GATED if idle == "gated" else LINEAR
    g = np.zeros((int(topology[1]), int(topology[2])))
    inside = _body(found)
    for words in inside:
        place = re.fullmatch(r"xcell(\d+)_(\d+)", words[0])
        if place:
            settings = dict(word.split("=", 1) for word in words if "=" in word)
            if cell.subckt not in words:
                raise SpiceError(
                    f"A cell that is read back must be linear, but {words[0]} is no {cell.subckt}.",
                    "import",
                )
            g[int(place[1]), int(place[2])] = float(settings["g"])
    crossbar = Crossbar(g, Wires(r_row, r_col, r_source, r_sense, drive, sense, idle))
    # What was changed by hand may be no crossbar, or another one than its comment says.
    lines = array.subcircuit(array.ArrayNodes(crossbar), DIALECTS["ngspice"], cell)
    wanted = [line.split() for line in lines if not line.startswith("*")][1:-1]
    if sorted(map(tuple, wanted)) != sorted(map(tuple, inside)):
        raise SpiceError(
            "The crossbar of this netlist is not as aimc writes it: its wires or cells were "
            "changed, and it cannot be read back.", "import",
        )  # fmt: skip
    return crossbar


def _body(found: Sequence[list[str]]) -> list[list[str]]:
    """The statements between `.subckt crossbar` and its end."""
    heads = [words[:2] for words in found]
    first = heads.index([".subckt", "crossbar"])
    last = next(k for k in range(first, len(found)) if found[k][0] == ".ends")
    return list(found[first + 1 : last])
