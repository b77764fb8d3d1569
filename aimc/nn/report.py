"""What of a model stands on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimc.nn.convert import check, layers
from aimc.nn.layers.base import AnalogLayer
from aimc.nn.layers.rnn import LSTM

if TYPE_CHECKING:
    import torch

    from aimc.macro import Macro


def macros(model: torch.nn.Module) -> list[Macro]:
    """Every array of a programmed model, in the order of programming, for `cost.bill`.

    One evaluation of the model (one time step of a recurrent layer) reads each of them once.
    """
    check(model)
    return [
        macro
        for _, layer in layers(model)
        for chip in layer.chips.values()
        for macro in chip.macro.macros
    ]


def report(model: torch.nn.Module) -> str:
    """What of a programmed model stands on arrays, and what stayed digital, as text."""
    check(model)
    head = "layer", "array", "weights", "bias rows", "arrays", "converter", "input scale"
    table: list[tuple[str, ...]] = [head]
    split: list[str] = []
    for label, layer in _labelled(model):
        for array, chip in layer.chips.items():
            rows, cols = chip.macro.w.shape
            if (blocks := len(chip.macro.stacks)) > 1:
                split.append(f"{label} {array} ({rows} rows in {blocks})")
            curves = ", ".join(_curve_text(curve) for curve in chip.curves)
            scales = ", ".join(f"{value:.3g}" for value in sorted(set(chip.scale.tolist())))
            counts = str(chip.bias_rows), str(chip.macro.arrays)
            table.append((label, array, f"{rows} x {cols}", *counts, curves, scales))
    widths = [max(len(row[k]) for row in table) for k in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in table]
    lines.insert(1, "  ".join("-" * w for w in widths))
    if split:
        lines += ["", "rows split, partial sums added digitally: " + ", ".join(split)]
    ramps = [label for label, each in _labelled(model) if isinstance(each, LSTM) and each.ramps]
    if ramps:
        lines += ["", "tanh of the cell state by a ramp: " + ", ".join(ramps)]
    digital = [
        f"{name or type(model).__name__} ({type(module).__name__})"
        for name, module in model.named_modules()
        if not (isinstance(module, AnalogLayer) and module.chips)
        and next(module.parameters(recurse=False), None) is not None
    ]
    lines += ["", f"arrays: {sum(macro.arrays for macro in macros(model))}"]
    lines += ["digital, with parameters: " + (", ".join(digital) or "none")]
    return "\n".join(line.rstrip() for line in lines)


def _labelled(model: torch.nn.Module) -> list[tuple[str, AnalogLayer]]:
    return [(name or type(layer).__name__, layer) for name, layer in layers(model)]


def _curve_text(curve: Any) -> str:
    return curve if isinstance(curve, str) else f"{curve.name} [{curve.lo:.3g}, {curve.hi:.3g}]"
