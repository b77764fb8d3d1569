"""The wires of an array: segment resistances, and who is driven and sensed where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aimc.errors import as_number, must


@dataclass(frozen=True)
class Wires:
    """Resistances [ohm] and topology of an array's wires.

    r_row, r_col: one segment of a row or column, between neighbouring cells. r_source: from the
    driver to a row's first cell; r_sense: from a column's last cell to its virtual ground (each
    stands in place of, not beside, a segment). drive: "left", "right" or "both" ends of the rows;
    sense: "bottom", "top" or "both" ends of the columns (both currents are summed). idle: rows
    without a pulse are held at 0 V ("grounded"); a floating row changes the network with every
    input and is for time slices, so it must be asked for there.
    """

    r_row: float = 0.0
    r_col: float = 0.0
    r_source: float = 0.0
    r_sense: float = 0.0
    drive: Literal["left", "right", "both"] = "left"
    sense: Literal["bottom", "top", "both"] = "bottom"
    idle: Literal["grounded"] = "grounded"

    def __post_init__(self) -> None:
        for name in ("r_row", "r_col", "r_source", "r_sense"):
            as_number(name, getattr(self, name), minimum=0)
        for name, allowed in (
            ("drive", ("left", "right", "both")),
            ("sense", ("bottom", "top", "both")),
            ("idle", ("grounded",)),
        ):
            if getattr(self, name) not in allowed:
                raise must(name, "be one of " + ", ".join(allowed), f"is {getattr(self, name)!r}")

    @property
    def ideal(self) -> bool:
        """Whether no wire has resistance: every cell then sees its row's voltage."""
        return not (self.r_row or self.r_col or self.r_source or self.r_sense)
