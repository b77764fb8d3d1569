"""A torch model onto chips: convert, calibrate, program, report."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.nn.modules.lazy import LazyModuleMixin

from aimc.errors import ArgumentError, must
from aimc.nn.layer import AnalogLayer, adopt
from aimc.nn.linear import Linear
from aimc.nn.rnn import GRU, LSTM, RNN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from aimc.macro import Hardware, Macro

    Model = TypeVar("Model", bound=torch.nn.Module)

# torch computes these with kernels of its own that read the weights of the layers inside.
_WHOLE = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer)
_CELLS = (torch.nn.RNNCellBase, torch.nn.RNNBase, torch.nn.Linear)
_REPLACED = (torch.nn.Linear, torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU)


def program(
    model: Model,
    hardware: Hardware,
    rng: np.random.Generator,
    *,
    digital: Collection[str] = (),
    cell_tanh: str = "digital",
    dtype: torch.dtype = torch.float64,
) -> Model:
    """A copy of `model` whose Linear, RNN, LSTM and GRU layers are read from programmed arrays.

    The copy is one frozen chip: every draw of its programming comes from `rng`, layer by layer in
    the order of `model.named_modules()`, and so do the seeds of its read noise. `model` itself may
    be such a layer, or hold layers of `aimc.nn`; it stays as it was. Gradients pass straight
    through to the copy's float parameters; `reprogram` writes them into new chips.

    digital: names of modules that stay in floating point, with all that they hold. Other kinds of
    modules stay digital too; `report` lists both. Raises ArgumentError on a recurrent or linear
    layer that cannot go on an array (a ReLU RNN, a cell, a subclass), and where none can.
    cell_tanh: of torch's LSTMs, "digital" or "ramp", see `aimc.nn.LSTM`. dtype: of reads; float64
    gives what `macro` gives, float32 is faster.
    """
    _check_model(model)
    chip = _converted(deepcopy(model), digital, cell_tanh)
    reprogram(chip, rng, hardware, digital=digital, dtype=dtype)
    return chip


def reprogram(
    model: torch.nn.Module,
    rng: np.random.Generator,
    hardware: Hardware | None = None,
    *,
    digital: Collection[str] = (),
    dtype: torch.dtype | None = None,
) -> None:
    """Write the present parameters of every layer of `aimc.nn` in `model` into new chips, in place.

    For training with the chips in the loop: after each optimiser step, or each few.
    hardware, dtype: None takes what each layer was programmed into before.
    """
    layers = [layer for name, layer in _layers(model) if not _within(name, digital)]
    if not layers:
        raise must(
            "model",
            "hold a Linear, RNN, LSTM or GRU that can go on an array",
            f"is a {type(model).__name__} without any",
        )
    for layer in layers:
        target = hardware if hardware is not None else layer.hardware
        if target is None:
            raise must("hardware", "be given for a layer never programmed", "is None")
        layer.program(target, rng, layer.dtype if dtype is None else dtype)


def calibrate(model: Model, *inputs: Any, digital: Collection[str] = ()) -> Model:
    """Run `model(*inputs)` in floating point and note each layer's ranges in its `aimc_ranges`.

    The scale of a layer's input and the span of its linear conversions then hold 99.9 % of the
    non-zero magnitudes seen (in each time step, the largest of these). Use a batch that is typical
    of the data, of some hundred examples; labels are not needed. The attribute is a plain dict
    that `program` reads and that deep copies keep; weights and mode are left alone. Returns
    `model`. digital: as in `program`.
    """
    _check_model(model)
    if any(layer.chips for _, layer in _layers(model)):
        raise must(
            "model", "be in floating point", "is programmed", "Calibrate before programming."
        )
    twin = _converted(deepcopy(model), digital)
    observed = dict(_layers(twin))
    for layer in observed.values():
        layer.aimc_ranges = {}
        layer.observing = True
    with torch.no_grad():
        twin.eval()(*inputs)
    for name, layer in observed.items():
        model.get_submodule(name).aimc_ranges = layer.aimc_ranges  # pyright: ignore
    return model


def macros(model: torch.nn.Module) -> list[Macro]:
    """Every array of a programmed model, in the order of programming, for `cost.bill`.

    One evaluation of the model (one time step of a recurrent layer) reads each of them once.
    """
    return [
        macro
        for _, layer in _layers(model)
        for chip in layer.chips.values()
        for macro in chip.macro.macros
    ]


def report(model: torch.nn.Module) -> str:
    """What of a programmed model stands on arrays, and what stayed digital, as text."""
    head: tuple[str, ...] = (
        "layer",
        "array",
        "weights",
        "bias rows",
        "arrays",
        "converter",
        "input scale",
    )
    table: list[tuple[str, ...]] = [head]
    for name, layer in _layers(model):
        for array, chip in layer.chips.items():
            rows, cols = chip.macro.w.shape
            scales = sorted({float(value) for value in chip.scale})
            table.append(
                (
                    name or type(layer).__name__,
                    array,
                    f"{rows} x {cols}",
                    str(chip.bias_rows),
                    str(len(chip.macro.macros)),
                    ", ".join(_curve_text(curve) for curve in chip.curves),
                    ", ".join(f"{value:.3g}" for value in scales),
                )
            )
    widths = [max(len(row[k]) for row in table) for k in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in table]
    lines.insert(1, "  ".join("-" * w for w in widths))
    ramps = [
        name or type(layer).__name__
        for name, layer in _layers(model)
        if isinstance(layer, LSTM) and layer.ramps
    ]
    if ramps:
        lines += ["", "tanh of the cell state by a ramp: " + ", ".join(ramps)]
    digital = [
        f"{name or type(model).__name__} ({type(module).__name__})"
        for name, module in model.named_modules()
        if not (isinstance(module, AnalogLayer) and module.chips)
        and next(module.parameters(recurse=False), None) is not None
    ]
    lines += ["", f"arrays: {len(macros(model))}"]
    lines += ["digital, with parameters: " + (", ".join(digital) or "none")]
    return "\n".join(line.rstrip() for line in lines)


def _curve_text(curve: Any) -> str:
    return curve if isinstance(curve, str) else f"{curve.name} [{curve.lo:.3g}, {curve.hi:.3g}]"


def _layers(model: torch.nn.Module) -> Iterator[tuple[str, AnalogLayer]]:
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer):
            yield name, module


def _within(name: str, parents: Collection[str]) -> bool:
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


def _check_model(model: object) -> None:
    if not isinstance(model, torch.nn.Module):
        raise must("model", "be a torch.nn.Module", f"is {type(model).__name__}")


def _converted(model: Any, digital: Collection[str], cell_tanh: str = "digital") -> Any:
    """`model` with torch's layers replaced by those of this room; changes `model`."""
    if isinstance(digital, str):
        raise must("digital", "be a collection of names", f"is the string {digital!r}")
    names = dict(model.named_modules())
    for name in digital:
        if name not in names:
            raise must("digital", "name modules of the model", f"names {name!r}")
    fresh: dict[int, AnalogLayer] = {}
    whole: list[str] = list(digital)
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if _within(name, whole) or isinstance(module, AnalogLayer):
            continue
        if isinstance(module, _WHOLE):
            whole.append(name)
        elif isinstance(module, _CELLS):
            if id(module) not in fresh:
                fresh[id(module)] = _replacement(name, module, cell_tanh)
            if not name:
                return fresh[id(module)]
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, fresh[id(module)])
    return model


def _replacement(name: str, module: torch.nn.Module, cell_tanh: str) -> AnalogLayer:
    """The analog layer in place of `module`, with its very parameters."""
    label = name or type(module).__name__
    if isinstance(module, LazyModuleMixin):
        raise ArgumentError(
            f"`{label}` must know its sizes to go on an array, but is a {type(module).__name__} "
            f"that saw no input yet. Run the model once before programming."
        )
    if type(module) not in _REPLACED:
        raise ArgumentError(
            f"`{label}` must be torch's Linear, RNN, LSTM or GRU itself to go on an array, but is a"
            f" {type(module).__name__}, which may compute something else. Replace it, or name it in"
            f" `digital`."
        )
    # Without storage: parameters are adopted, and torch's generator stays where it is.
    with torch.device("meta"):
        if isinstance(module, torch.nn.Linear):
            has_bias = module.bias is not None
            return adopt(Linear(module.in_features, module.out_features, has_bias), module)
        assert isinstance(module, torch.nn.RNNBase)
        options: dict[str, Any] = {
            "num_layers": module.num_layers,
            "bias": module.bias,
            "batch_first": module.batch_first,
            "dropout": module.dropout,
            "bidirectional": module.bidirectional,
        }
        sizes = (module.input_size, module.hidden_size)
        if isinstance(module, torch.nn.RNN):
            if module.nonlinearity != "tanh":
                raise ArgumentError(
                    f"`{label}` must have the nonlinearity 'tanh', but has {module.nonlinearity!r}:"
                    f" a state without bound has no full scale. Name it in `digital` to keep it so."
                )
            return adopt(RNN(*sizes, **options), module)
        if isinstance(module, torch.nn.LSTM):
            options |= {"proj_size": module.proj_size, "cell_tanh": cell_tanh}
            return adopt(LSTM(*sizes, **options), module)
        return adopt(GRU(*sizes, **options), module)
