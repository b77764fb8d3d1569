"""The wires of an array: segment resistances, and who is driven and sensed where."""

from __future__ import annotations

from typing import Literal

from aimc.kernels.wires.topology import Topology, topology
from aimc.parts.fields import choice, quantity
from aimc.parts.registry import Part, registered

Drive = Literal["left", "right", "both"]
Sense = Literal["bottom", "top", "both"]
Idle = Literal["grounded", "floating", "gated"]
Read = Literal["first-order", "exact"]


@registered("segments")
class Wires(Part):
    """Resistances and topology of an array's wires.

    r_source and r_sense stand in place of, not beside, a segment; where both ends of the columns
    are sensed, their currents are summed.

    idle: a row without a pulse is held at 0 V ("grounded"), is disconnected from its driver
    ("floating"), or has the transistors of its cells off ("gated"); then the network changes with
    every input, and a read is a sum over time slices.

    noise: how read noise passes the wires. "first-order": one normal draw a column, of the standard
    deviation that the cells' noise makes to first order; "exact": the network is solved anew for
    the conductances of each read, as it always is for nonlinear cells and idle rows that are not
    grounded. The first order leaves out that a cell which draws more leaves less for its row's
    others, so that columns vary against each other: what columns sum to then varies too much, by
    1.1 for 128 x 128 cells of 2 to 150 uS at 0.35 ohm a segment, 1.2 for 64 x 64 at 3 ohm.
    """

    folder = "wires"

    r_row: float = quantity("ohm", "from cell to cell along a row", default=0.0, minimum=0)
    r_col: float = quantity("ohm", "from cell to cell along a column", default=0.0, minimum=0)
    r_source: float = quantity("ohm", "from driver to first cell", default=0.0, minimum=0)
    r_sense: float = quantity("ohm", "from last cell to virtual ground", default=0.0, minimum=0)
    drive: Drive = choice(Drive, "driven ends of the rows", default="left")
    sense: Sense = choice(Sense, "sensed ends of the columns", default="bottom")
    idle: Idle = choice(Idle, "rows without a pulse", default="grounded")
    noise: Read = choice(Read, "how read noise passes", default="first-order")

    @property
    def ideal(self) -> bool:
        """Whether no wire has resistance: every cell then sees its row's voltage."""
        return not (self.r_row or self.r_col or self.r_source or self.r_sense)

    def topology(self, shape: tuple[int, int]) -> Topology:
        """As the kernels take them, for an array of `shape` (rows, cols)."""
        ohm = (self.r_row, self.r_col, self.r_source, self.r_sense)
        return topology(shape, *ohm, self.drive, self.sense)
