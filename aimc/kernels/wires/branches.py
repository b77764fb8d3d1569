"""Currents of every wire segment, and where the power goes.

Segment currents are sums of the cells' currents, never differences of voltages over a resistance:
they hold their digits in wires of a milliohm, and exist in wires of none. Where both ends of a wire
lead out, the split follows from the voltages around the loop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aimc.arrays import Array, NDArray


class Power(NamedTuple):
    """Power of each read [W], each (reads,); what the drivers deliver is the sum of the rest."""

    delivered: Array
    cells: Array
    row_wires: Array
    col_wires: Array
    source: Array  # in the source resistances
    sense: Array  # in the sense resistances


def along_rows(
    cell: Array, r_row: float, r_source: float, drive: str, active: NDArray[np.bool_] | None
) -> Array:
    """Currents along the rows [A], positive to the right.

    cell     (reads, rows, cols)      currents from the row through the cells [A]
    active   (rows,) or (reads, rows) rows with a source; None: all
    returns  (reads, rows, cols + 1)  left of each node; the last one right of the last node
    """
    start, taken = _along(cell, 2, drive == "left", drive == "both", r_row, r_source)
    if active is not None:
        start = np.where(np.atleast_2d(active)[:, :, None], start, 0.0)
    result = start - taken
    # Exact zeros where nothing leads out.
    if drive == "left":
        result[:, :, -1] = 0.0
    return result


def along_columns(cell: Array, r_col: float, r_sense: float, sense: str) -> Array:
    """Currents along the columns [A], positive downwards.

    cell     (reads, rows, cols)      currents through the cells into the column [A]
    returns  (reads, rows + 1, cols)  above each node; the last one below the last node
    """
    start, gained = _along(cell, 1, sense == "top", sense == "both", r_col, r_sense)
    result = 0.0 - start + gained  # no -0.0 where nothing flows
    if sense == "top":
        result[:, -1] = 0.0
    return result


def _along(
    cell: Array, axis: int, first: bool, both: bool, r: float, r_end: float
) -> tuple[Array, Array]:
    """What passes the first end of lines along `axis`, and the sum of `cell` before each segment.

    first, both: whether the first end alone leads out, or both do, and share the total so that the
    drops around the loop vanish: r_end I_0 + r sum_j (I_0 - C_j) + r_end (I_0 - total) = 0. Without
    any resistance the split is arbitrary, and both ends get half.
    """
    shape = list(cell.shape)
    shape[axis] += 1
    sums = np.zeros(shape)
    line = np.moveaxis(sums, axis, 0)
    np.cumsum(cell, axis=axis, out=np.moveaxis(line[1:], 0, axis))
    total = np.expand_dims(line[-1], axis)
    if not both:
        return total if first else np.zeros_like(total), sums
    inner = np.moveaxis(line[1:-1], 0, axis).sum(axis=axis, keepdims=True)
    loop = 2.0 * r_end + r * (len(line) - 2)
    return (r * inner + r_end * total) / loop if loop > 0.0 else 0.5 * total, sums


def power(
    v: Array,
    u: Array,
    cell: Array,
    row: Array,
    col: Array,
    wires: tuple[float, float, float, float],
) -> Power:
    """Where the power goes; by Tellegen's theorem the parts add up to what is delivered.

    v         (reads, rows)            source voltages [V]
    u, cell   (reads, rows, cols)      voltages across the cells [V] and currents through them [A]
    row, col  currents along the wires [A], see `along_rows` and `along_columns`
    wires     r_row, r_col, r_source, r_sense [ohm]
    """
    r_row, r_col, r_source, r_sense = wires

    def heat(current: Array, r: float) -> Array:
        return r * np.einsum("nij,nij->n", current, current)

    ends_of_rows = row[:, :, [0, -1]]
    return Power(
        np.einsum("ni,ni->n", v, ends_of_rows[:, :, 0] - ends_of_rows[:, :, 1]),
        np.einsum("nij,nij->n", u, cell),
        heat(row[:, :, 1:-1], r_row),
        heat(col[:, 1:-1], r_col),
        heat(ends_of_rows, r_source),
        heat(col[:, [0, -1]], r_sense),
    )
