"""Axes to draw a reproduction on: without pyplot, and without a display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from aimc.plots import BLUE, ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from aimc.reproduce.table import Row


def beside(title: str, rows: Sequence[Row]) -> Figure:
    """Measured numbers of one unit as bars, and what is expected as marks on them."""
    figure, (axes,) = panels((8.4, 0.27 * len(rows) + 1.2))
    places = np.arange(len(rows))
    axes.barh(places, [row.measured for row in rows], color=BLUE, label="measured")
    known = [(row.expected, place) for place, row in enumerate(rows) if row.expected is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "D", color=ORANGE, ms=5, label="expected")
    axes.set_yticks(places, [row.what for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=f"[{rows[0].unit}]", title=title)
    axes.legend(frameon=False, fontsize=8)
    return figure


def panels(
    size: tuple[float, float], rows: int = 1, cols: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `size` [inch] and its axes, row by row, open at the top and right."""
    figure = Figure(figsize=size, layout="constrained")
    axes: list[Axes] = list(np.ravel(figure.subplots(rows, cols, **options)))
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes
