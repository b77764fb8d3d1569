"""Measured beside expected, with where the expectation comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One number. expected: beside which it stands; None where there is none to compare with."""

    what: str
    measured: float
    expected: float | None
    unit: str

    @property
    def difference(self) -> float | None:
        """(measured - expected) / expected."""
        return None if self.expected is None else self.measured / self.expected - 1


@dataclass(frozen=True)
class Table:
    """One figure. origin says whether the expected column is published or derived, and by whom."""

    name: str
    title: str
    origin: str
    rows: tuple[Row, ...]
    settings: dict[str, object]

    def __str__(self) -> str:
        width = max(len(row.what) for row in self.rows)
        lines = [self.title, f"{'':<{width}}  {'measured':>10} {'expected':>10} {'diff':>7}"]
        for row in self.rows:
            expected = "" if row.expected is None else f"{row.expected:.4g}"
            diff = "" if row.difference is None else f"{row.difference:+.1%}"
            value = f"{row.measured:.4g}"
            lines.append(f"{row.what:<{width}}  {value:>10} {expected:>10} {diff:>7}  {row.unit}")
        return "\n".join([*lines, f"expected: {self.origin}"])
