"""One number of a reproduction, beside what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
