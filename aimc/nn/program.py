"""A torch model onto chips: calibrate, program, reprogram; chips under a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from aimc.errors import as_flag, as_rng, must
from aimc.macro import Condition, trim
from aimc.nn.convert import check, converted, copied, layers, named
from aimc.nn.layers.rnn import CELL_TANH

if TYPE_CHECKING:
    from collections.abc import Collection

    from aimc.converters.base import Converter
    from aimc.macro import Hardware, Macro

    Model = TypeVar("Model", bound=torch.nn.Module)


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

    A bias stands on rows of its own, as many as keep it within the weights, but for free rows of
    arrays that the weights take anyway; `report` says how many, on how many arrays.

    digital: names of modules that stay in floating point, with all that they hold. Other kinds of
    modules stay digital too; `report` lists both. Raises ArgumentError on a recurrent or linear
    layer that cannot go on an array (a ReLU RNN, a cell, a subclass, one with hooks), and where
    none can.
    cell_tanh: of torch's LSTMs, "digital" or "ramp", see `aimc.nn.LSTM`. dtype: of reads; float64
    gives what `macro` gives, float32 is faster.
    """
    check(model)
    if cell_tanh not in CELL_TANH:
        raise must("cell_tanh", f"be one of {', '.join(CELL_TANH)}", f"is {cell_tanh!r}")
    chip = converted(copied(model), digital, cell_tanh)
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
    check(model)
    named(model, digital)
    written = [layer for _, layer in layers(model, digital)]
    if not written:
        raise must(
            "model",
            "hold a Linear, RNN, LSTM or GRU that can go on an array",
            f"is a {type(model).__name__} without any",
        )
    for layer in written:
        target = hardware if hardware is not None else layer.hardware
        if target is None:
            raise must("hardware", "be given for a layer never programmed", "is None")
        layer.program(target, rng, layer.dtype if dtype is None else dtype)


def under(
    model: Model,
    condition: Condition,
    rng: np.random.Generator,
    *,
    recalibrate: bool = False,
    compensation: str | None = None,
) -> Model:
    """A copy of a programmed `model` whose chips are read under `condition`, see `Macro.under`.

    Every cell ages as its own chip drew it, and the copy's read noise goes on where the model's
    stands. recalibrate: whether converters are calibrated again there. compensation: of what cells
    have lost in common, "global" for a digital scale of each stack of arrays from reference reads
    [Joshi et al. 2020], see `macro.trim.compensated`, or None. rng: draws what both of them write
    and read. Raises ArgumentError where nothing is programmed, or the chips cannot be put so.
    """
    check(model)
    if not isinstance(condition, Condition):
        raise must("condition", "be a Condition", f"is {condition!r}")
    if compensation not in (None, "global"):
        raise must("compensation", "be 'global' or None", f"is {compensation!r}")
    as_rng(rng)
    as_flag("recalibrate", recalibrate)
    copy = copied(model)
    programmed = [layer for _, layer in layers(copy) if layer.chips]
    if not programmed:
        raise must("model", "be programmed", "is not", "`nn.program(model, hardware, rng)` is.")

    def macro(each: Macro) -> Macro:
        each = each.under(condition)
        each = each.recalibrated(rng) if recalibrate else each
        return trim.compensated(each, rng) if compensation else each

    def ramp(each: Converter) -> Converter:
        # No array stands before it, so that nothing else drifts.
        if recalibrate:
            at = Condition(condition.age, stored_at=condition.stored_at)
            each = each.under(at, retained=1.0).recalibrated(rng)
        each = each.under(condition, retained=1.0)
        return trim.converter(each) if compensation else each

    for layer in programmed:
        layer.alter(macro, ramp)
    return copy


def calibrate(model: Model, *inputs: Any, digital: Collection[str] = ()) -> Model:
    """Run `model(*inputs)` in floating point and note each layer's ranges in its `aimc_ranges`.

    The scale of a layer's input and the span of its linear conversions then hold 99.9 % of the
    non-zero magnitudes seen (in each time step, the largest of these). Use a batch that is typical
    of the data, of some hundred examples; labels are not needed. The attribute is a plain dict
    that `program` reads and that deep copies keep; weights and mode are left alone; `nn.save`
    keeps it, a state_dict does not. Returns `model`. digital: as in `program`. Raises ArgumentError
    where a layer that would go on arrays sees nothing: it is not called, or its weights are read
    past it.
    """
    check(model)
    if any(layer.chips for _, layer in layers(model)):
        raise must(
            "model", "be in floating point", "is programmed", "Calibrate before programming."
        )
    if not inputs:
        raise must("inputs", "be a batch of what the model takes", "are none")
    twin = converted(copied(model), digital)
    observed = dict(layers(twin))
    for layer in observed.values():
        layer.aimc_ranges = {}
        layer.observing = True
    with torch.no_grad():
        twin.eval()(*inputs)
    if idle := [
        name or "the model" for name, each in observed.items() if "x" not in each.aimc_ranges
    ]:
        raise must(
            "inputs", "reach every layer that goes on arrays, and not as zeros alone",
            f"leave out {', '.join(idle)}",
            "Name in `digital` what is never called, or whose weights are read past it.",
        )  # fmt: skip
    for name, layer in observed.items():
        model.get_submodule(name).aimc_ranges = layer.aimc_ranges  # pyright: ignore
    return model
