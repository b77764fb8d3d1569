"""Axes to draw a reproduction on: without pyplot, and without a display."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from aimc.plots.style import BLUE, ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from aimc.reproduce.row import Row


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


def panels(
    size: tuple[float, float], rows: int = 1, cols: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `size` [inch] and its axes, row by row, open at the top and right."""
    figure = Figure(figsize=size, layout="constrained")
    axes: list[Axes] = list(np.ravel(figure.subplots(rows, cols, **options)))
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes
