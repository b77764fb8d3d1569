"""Axes to draw a reproduction on: without pyplot, and without a display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def panels(
    size: tuple[float, float], rows: int = 1, cols: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `size` [inch] and its axes, row by row, open at the top and right."""
    figure = Figure(figsize=size, layout="constrained")
    axes: list[Axes] = list(np.ravel(figure.subplots(rows, cols, **options)))
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes
