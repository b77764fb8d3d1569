"""Measured beside expected, with where the expectation comes from."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib.figure import Figure

from aimc.plots.style import BLUE, ORANGE, panels


@dataclass(frozen=True)
class Row:
    """One number. expected: beside which it stands; None where there is none to compare with.

    mark: "R" where the expected number is published, "D" where it is derived from published data
    without the simulator, "" where the table's origin says it for all rows.
    """

    what: str
    measured: float
    expected: float | None
    unit: str
    mark: Literal["R", "D", ""] = ""

    @property
    def difference(self) -> float | None:
        """(measured - expected) / expected; None without an expectation, or where it is zero."""
        return None if not self.expected else self.measured / self.expected - 1


@dataclass(frozen=True)
class Table:
    """One figure. origin says whether the expected column is published or derived, and by whom.

    notes: what the reader must know beside the numbers. figure: draws more than the rows.
    """

    name: str
    title: str
    origin: str
    rows: tuple[Row, ...]
    settings: dict[str, object]
    notes: tuple[str, ...] = ()
    figure: Callable[[], Figure] | None = field(default=None, repr=False, compare=False)

    def draw(self) -> Figure:
        """The figure of its own, or else measured beside expected, row by row."""
        if self.figure is not None:
            return self.figure()
        return beside(self.title, self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the figure, as JSON can hold it."""
        record = dataclasses.asdict(dataclasses.replace(self, figure=None))
        del record["figure"]
        return record

    def __str__(self) -> str:
        width = max(len(row.what) for row in self.rows)
        lines = [self.title, f"{'':<{width}}  {'measured':>10} {'expected':>10}   {'diff':>7}"]
        for row in self.rows:
            expected = "" if row.expected is None else f"{row.expected:.4g}"
            diff = "" if row.difference is None else f"{row.difference:+.1%}"
            value = f"{row.measured:.4g}"
            line = f"{row.what:<{width}}  {value:>10} {expected:>10} {row.mark:1} {diff:>7}"
            lines.append(f"{line}  {row.unit}".rstrip())
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, f"expected: {self.origin}", *notes])


def beside(title: str, rows: Sequence[Row]) -> Figure:
    """Measured numbers as bars, with what is expected as marks on them; a panel for each unit."""
    units = list(dict.fromkeys(row.unit for row in rows))
    groups = [[row for row in rows if row.unit == unit] for unit in units]
    heights = [len(group) + 2 for group in groups]
    figure, axes = panels((8.4, 0.27 * sum(heights) + 0.8), len(units), height_ratios=heights)
    for each, unit, group in zip(axes, units, groups, strict=True):
        each.barh(range(len(group)), [row.measured for row in group], color=BLUE, label="measured")
        known = [(n, row.expected) for n, row in enumerate(group) if row.expected is not None]
        each.plot([value for _, value in known], [n for n, _ in known], "D", color=ORANGE, ms=5,
                  label="expected")  # fmt: skip
        each.set_yticks(range(len(group)), [row.what for row in group], fontsize=8)
        each.invert_yaxis()
        each.set_xlabel(f"[{unit or 1}]")
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle("\n".join(textwrap.wrap(title, 90)), fontsize=10)
    return figure
