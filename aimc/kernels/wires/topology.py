"""Wires as the kernels know them: driven at the left, sensed at the bottom, the rest mirrored."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aimc.arrays import Array, NDArray

_OPEN = -1.0


class Topology(NamedTuple):
    """Resistances and sources, once mirrored to drive at the left and sense at the bottom.

    rows, cols: mirror an array (rows, cols) to this form, and back.
    """

    rows: slice
    cols: slice
    first: Array  # (rows,) or (reads, rows) from source to first node; inf: the row floats [ohm]
    r_row: float
    row_end: float  # from the last node of a driven row to its second source; < 0: there is none
    last: float
    r_col: float
    col_end: float

    def floating(self, active: NDArray[np.bool_] | None) -> Topology:
        """With a source at the `active` rows only, (rows,) or (reads, rows); None: at all."""
        if active is None:
            return self
        return self._replace(first=np.where(active[..., self.rows], self.first, np.inf))

    @property
    def ladder(self) -> tuple[float, float, float, float, float]:
        return self.r_row, self.row_end, self.last, self.r_col, self.col_end

    @property
    def span(self) -> float:
        """Sum of the resistances [ohm]."""
        source = self.first[self.driven].max(initial=0.0)
        return float(self.r_row + self.r_col + self.last + source)

    @property
    def driven(self) -> NDArray[np.bool_]:
        """Whether a row has a source, of the shape of `first`."""
        return np.isfinite(self.first)

    @property
    def ideal(self) -> bool:
        """Whether no wire has resistance, so that the sensed currents are `v @ g`."""
        source = self.first[self.driven].any()
        return not (self.r_row or self.r_col or self.last or source)


def topology(
    shape: tuple[int, int],
    r_row: float,
    r_col: float,
    r_source: float,
    r_sense: float,
    drive: str = "left",
    sense: str = "bottom",
) -> Topology:
    """The wires of a `shape` array, checked by `parts.Wires`, in the one form the kernels know.

    r_row, r_col, r_source, r_sense   resistances [ohm], >= 0
    drive    "left", "right" or "both": the end of the rows at which their source sits
    sense    "bottom" (the last row), "top" or "both" (the currents of both ends are summed)
    """
    rows = slice(None, None, -1) if sense == "top" else slice(None)
    cols = slice(None, None, -1) if drive == "right" else slice(None)
    row_end = col_end = _OPEN
    # Two sources at the ends of a wire without resistance are one, through half the resistance.
    if drive == "both":
        if r_row == 0.0 or shape[1] == 1:
            r_source /= 2
        else:
            row_end = float(r_source)
    if sense == "both":
        if r_col == 0.0 or shape[0] == 1:
            r_sense /= 2
        else:
            col_end = float(r_sense)
    first = np.full(shape[0], float(r_source))
    return Topology(rows, cols, first, float(r_row), row_end, float(r_sense), float(r_col), col_end)
