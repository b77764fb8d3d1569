"""Colours and the frame that all figures share, and `save`.

The colours are those of Okabe and Ito, which the colour-blind can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aimc.converters.base import Converter
from aimc.errors import as_a, as_path, as_text, must
from aimc.parts.condition import AS_WRITTEN, Condition

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6E6E6E"


def save(figure: Figure, path: str | Path) -> Path:
    """Writes the figure in the format of its suffix (.png, .pdf, .svg), whole or not at all.

    Raises ArgumentError for another suffix, or where its folder cannot be made.
    """
    as_a("figure", figure, Figure)
    path = as_path("path", path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix[1:] not in known:
        raise must("path", f"end in one of .{', .'.join(sorted(known))}", f"is {str(path)!r}")
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        came = f"{str(path.parent)!r} cannot be made: {error.strerror}"
        raise must("path", "lie in a folder", came) from error
    try:
        figure.savefig(partial, dpi=160)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    return Figure(figsize=(width, height), layout="constrained")


def panels(
    size: tuple[float, float], rows: int = 1, cols: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `size` [inch] and its axes, row by row, open at the top and right."""
    figure = new_figure(*size)
    axes: list[Axes] = list(np.ravel(figure.subplots(rows, cols, **options)))
    open_axes(*axes)
    return figure, axes


def open_axes(*axes: Axes) -> None:
    """Without the frame's upper and right side."""
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)


def around(converter: Converter, points: int) -> np.ndarray:
    """So many pre-activations over the converter's range, and a little beyond its ends."""
    as_a("ramp", converter, Converter)
    ideal = converter.curve.thresholds(converter.bits)
    margin = 0.12 * np.ptp(ideal) + 0.1
    return np.linspace(ideal[0] - margin, ideal[-1] + margin, points)


def heading(text: str, label: str, condition: Condition = AS_WRITTEN) -> str:
    """A title: what was measured, what is shown, and the state that it is in."""
    said = as_text("label", label, empty=True), text
    state = [] if condition == AS_WRITTEN else [str(condition)]
    return ", ".join([part for part in said if part] + state)


def several_of(converter: Converter, count: int) -> str:
    """How many columns, or chips, the curves of a converter are of."""
    noun = "column" if converter.apart else "chip"
    return f"{count} {noun}" + ("s" if count > 1 else "")


def by_name(name: str, value: Any, kind: type) -> None:
    """Raises ArgumentError where `value` does not hold one object of a kind or more, by name."""
    if not isinstance(value, Mapping) or not value:
        came = "is empty" if isinstance(value, Mapping) else f"is {value!r}"
        raise must(name, "hold one or more by name", came)
    for key, each in value.items():
        as_text(name, key)
        as_a(name, each, kind)
