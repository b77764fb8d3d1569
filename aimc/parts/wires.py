"""The wires of an array: segment resistances, and who is driven and sensed where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aimc.errors import as_number, must
from aimc.kernels.wires.topology import Topology, topology


@dataclass(frozen=True)
class Wires:
    """Resistances [ohm] and topology of an array's wires.

    r_row, r_col: one segment of a row or column, between neighbouring cells. r_source: from the
    driver to a row's first cell; r_sense: from a column's last cell to its virtual ground (each
    stands in place of, not beside, a segment). drive: "left", "right" or "both" ends of the rows;
    sense: "bottom", "top" or "both" ends of the columns (both currents are summed).

    idle: a row without a pulse is held at 0 V ("grounded"), is disconnected from its driver
    ("floating"), or has the transistors of its cells off ("gated"); then the network changes with
    every input, and a read is a sum over time slices.

    noise: how read noise passes the wires. "first-order": one normal draw a column, of the standard
    deviation that the cells' noise makes to first order; "exact": the network is solved anew for
    the conductances of each read, as it always is for nonlinear cells and idle rows that are not
    grounded.
    """

    r_row: float = 0.0
    r_col: float = 0.0
    r_source: float = 0.0
    r_sense: float = 0.0
    drive: Literal["left", "right", "both"] = "left"
    sense: Literal["bottom", "top", "both"] = "bottom"
    idle: Literal["grounded", "floating", "gated"] = "grounded"
    noise: Literal["first-order", "exact"] = "first-order"

    def __post_init__(self) -> None:
        for name in ("r_row", "r_col", "r_source", "r_sense"):
            as_number(name, getattr(self, name), minimum=0)
        for name, allowed in (
            ("drive", ("left", "right", "both")),
            ("sense", ("bottom", "top", "both")),
            ("idle", ("grounded", "floating", "gated")),
            ("noise", ("first-order", "exact")),
        ):
            if getattr(self, name) not in allowed:
                raise must(name, "be one of " + ", ".join(allowed), f"is {getattr(self, name)!r}")

    @property
    def ideal(self) -> bool:
        """Whether no wire has resistance: every cell then sees its row's voltage."""
        return not (self.r_row or self.r_col or self.r_source or self.r_sense)

    def topology(self, shape: tuple[int, int]) -> Topology:
        """As the kernels take them, for an array of `shape` (rows, cols)."""
        ohm = (self.r_row, self.r_col, self.r_source, self.r_sense)
        return topology(shape, *ohm, self.drive, self.sense)
