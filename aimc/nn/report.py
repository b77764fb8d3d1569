"""What of a model stands on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F

from aimc.errors import must
from aimc.nn.convert import check, copied, layers
from aimc.nn.layers.base import AnalogLayer
from aimc.nn.layers.bridge import activated
from aimc.nn.layers.rnn import LSTM

if TYPE_CHECKING:
    from aimc.curves import Curve
    from aimc.macro import Macro
    from aimc.nn.layers.bridge import Chip


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


class Loss(NamedTuple):
    """What one array of a layer loses on a batch.

    Shares: inputs that are not zero beyond what a row carries (`inputs_clipped`), and too small for
    a pulse (`inputs_zeroed`); results beyond a linear converter's span, and converted to zero
    though they are not; weights beyond a fixed w_max. bias: what a bias row holds, over the largest
    weight; beyond 1 it sets the scale of all weights. error: rms of what is read less what the
    present float parameters give for the same inputs, over the deviation of that. reads: so many;
    0 where the layer was not called.
    """

    layer: str
    array: str
    reads: int
    inputs_clipped: float
    inputs_zeroed: float
    results_clipped: float
    results_zeroed: float
    weights_clipped: float
    bias: float
    error: float


def losses(model: torch.nn.Module, *inputs: Any) -> list[Loss]:
    """What each array of a programmed `model` loses in `model(*inputs)`, in order of programming.

    The model, its read noise included, is left as it is. Raises ArgumentError where nothing is
    programmed.
    """
    check(model)
    if not inputs:
        raise must("inputs", "be a batch of what the model takes", "are none")
    copy = copied(model).eval()
    found = [
        (label, name, _Count(layer, name, chip))
        for label, layer in _labelled(copy)
        for name, chip in layer.chips.items()
    ]
    if not found:
        raise must("model", "be programmed", "is not", "`nn.program(model, hardware, rng)` is.")
    for _, layer in layers(copy):
        layer.probes = tuple(each for *_, each in found if each.layer is layer)
    with torch.no_grad():
        copy(*inputs)
    return [Loss(label, name, each.reads, *each.shares()) for label, name, each in found]


class _Count:
    """A probe that adds up what the reads of one array lose."""

    def __init__(self, layer: AnalogLayer, name: str, chip: Chip) -> None:
        self.layer, self.chip, self.reads = layer, chip, 0
        self.matrix = layer.matrices()[name]
        self.rng = np.random.default_rng(0)
        self.counts, self.sizes = np.zeros(4), np.zeros(4)
        self.moments = np.zeros(4)

    def __call__(self, macro: Macro, x: np.ndarray) -> None:
        if macro is not self.chip.macro:
            return
        chip, driver = self.chip, macro.hardware.driver
        z = x[:, : len(chip.scale)]
        y, fits = macro(x, self.rng), 1 + 1e-9
        kinds = tuple("linear" if _is_linear(c) else c for c in chip.curves)
        weight, bias = self.matrix.weight.detach().double().cpu(), self.matrix.bias
        bias = None if bias is None else bias.detach().double().cpu()
        u = F.linear(torch.from_numpy(z * chip.scale), weight, bias)
        ideal = activated(kinds, u).numpy()
        span = [c.hi if _is_linear(c) else np.inf for c in chip.curves]
        lost = (
            np.abs(z) > driver.x_max * fits,
            (driver.drive(z) == 0) & (z != 0),
            np.abs(ideal) > np.repeat(span, y.shape[1] // len(span)) * fits,
            (y == 0) & (ideal != 0),
        )
        self.counts += [each.sum() for each in lost]
        self.sizes += [*[np.count_nonzero(z)] * 2, y.size, y.size]
        gap = y - ideal
        self.moments += [y.size, ideal.sum(), (ideal**2).sum(), (gap**2).sum()]
        self.reads += len(x)

    def shares(self) -> tuple[float, ...]:
        size, total, square, gap = self.moments / max(1.0, self.moments[0])
        spread = max(0.0, square - total**2)
        error = float(np.sqrt(gap / spread)) if size and spread else 0.0
        lost = (self.counts / np.maximum(1, self.sizes)).tolist()
        return (*lost, *self._weights(), error)

    def _weights(self) -> tuple[float, float]:
        w = np.abs(self.matrix.weight.detach().cpu().numpy().T * self.chip.scale[:, None])
        limit, largest, row = self.chip.macro.hardware.mapping.w_max, float(w.max()), 0.0
        if self.matrix.bias is not None:
            bias = np.abs(self.matrix.bias.detach().cpu().numpy()) / self.chip.x_max
            row = float(bias.max()) / self.chip.bias_rows
        clipped = 0.0 if limit is None else float((w > limit * (1 + 1e-9)).mean())
        return clipped, row / largest if largest else 0.0


def report(model: torch.nn.Module, *inputs: Any) -> str:
    """What of a programmed model stands on arrays, and what stayed digital, as text.

    inputs: a batch, of which it says what every array loses, as `losses` counts.
    """
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
    lines = _aligned(table)
    if inputs:
        lost = losses(model, *inputs)
        names = "clipped", "to zero", "results clipped", "to zero", "weights clipped"
        table = [("layer", "array", "reads", f"inputs {names[0]}", *names[1:], "rms error")]
        for each in lost:
            shares = (f"{share:.2%}" for share in (*each[3:8], each.error))
            table.append((each.layer, each.array, str(each.reads), *shares))
        lines += ["", *_aligned(table)]
        if idle := [f"{each.layer} {each.array}" for each in lost if not each.reads]:
            lines += ["", "never read by these inputs: " + ", ".join(idle)]
        if high := [
            f"{each.layer} {each.array} ({each.bias:.3g} times)"
            for each in lost
            if each.bias > 1.005
        ]:
            lines += ["", "bias rows above the largest weight, whose scale they set: "]
            lines[-1] += ", ".join(high)
    if bare := [
        label
        for label, layer in _labelled(model)
        if layer.chips and layer.x_scale is None and not layer.aimc_ranges
    ]:
        lines += ["", "not calibrated: " + ", ".join(bare)]
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


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    table = [table[0], tuple("-" * w for w in widths), *table[1:]]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table]


def _is_linear(curve: str | Curve) -> TypeGuard[Curve]:
    return not isinstance(curve, str) and curve.name == "linear"


def _labelled(model: torch.nn.Module) -> list[tuple[str, AnalogLayer]]:
    return [(name or type(layer).__name__, layer) for name, layer in layers(model)]


def _curve_text(curve: Any) -> str:
    return curve if isinstance(curve, str) else f"{curve.name} [{curve.lo:.3g}, {curve.hi:.3g}]"
