"""Which rows and columns of a matrix stand on which array, and which columns share a curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aimc.curves import Curve, curve
from aimc.errors import must

if TYPE_CHECKING:
    Range = slice[int, int, None]

Curves = str | Curve | Sequence[str | Curve]


def spread_curves(curve_: Curves, cols: int) -> tuple[Curve, ...]:
    """The curve of each column: one for all, or a sequence over equal ranges of the columns."""
    if isinstance(curve_, str | Curve):
        return (curve(curve_),) * cols
    if not isinstance(curve_, Sequence) or not len(curve_):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise must("curve", "be a curve or a sequence of curves", f"is {curve_!r}")
    if cols % len(curve_):
        raise must(
            "curve", f"divide the {cols} columns into equal ranges", f"has {len(curve_)} parts"
        )
    return tuple(c for item in curve_ for c in (curve(item),) * (cols // len(curve_)))


def curve_ranges(curves: Sequence[Curve], most: int | None = None) -> list[Range]:
    """Ranges of neighbouring columns that share a curve, of at most so many columns."""
    edges = [k for k in range(1, len(curves)) if curves[k] != curves[k - 1]]
    runs = zip([0, *edges], [*edges, len(curves)], strict=True)
    return [slice(k, min(k + (most or b), b)) for a, b in runs for k in range(a, b, most or b - a)]


def ranges(length: int, most: int) -> list[Range]:
    """The fewest ranges of at most `most`, as equal as whole numbers allow, that make `length`."""
    count = math.ceil(length / most)
    edges = [round(k * length / count) for k in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
