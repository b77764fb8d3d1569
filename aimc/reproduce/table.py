"""Measured beside expected, with where the expectation comes from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aimc.reproduce.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure


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
        from aimc.reproduce.figures import beside

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
