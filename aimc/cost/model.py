"""Bills of what is programmed, of what is described, and of the same network done otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimc.cost import cells
from aimc.cost.bill import Bill
from aimc.cost.card import CostCard, as_card
from aimc.cost.price import price
from aimc.cost.reads import CURVED, Converter, held, programmed
from aimc.cost.stages import Layer, Product, gru, lstm
from aimc.cost.watch import Watched
from aimc.errors import as_count, as_number, must
from aimc.macro import Macro, Trace

if TYPE_CHECKING:
    from aimc.macro import Hardware

Traces = Trace | Sequence[Trace] | Watched


def bill(
    model: Any,
    costs: str | Path | CostCard = "puma-ramp",
    *,
    trace: Traces | None = None,
    activity: float = 0.5,
    steps: int = 1,
    every_step: Collection[str] = (),
) -> Bill:
    """What a read of macros costs, or an inference of a programmed model.

    model: a Macro, with its digital sums; several, read at the same time, the arrays with
    their converters alone; or a model of `nn.program`: its layers one after the other, with the
    arithmetic and look-ups between arrays, buffers and routing. Each is billed as it stands: with
    its kind of converter and its resolution, at its read voltage, temperature and age. Modules that
    stayed digital are left out. costs: a cost card, its name or its file.

    steps: of the sequence; layers with a state run once in each. Others run once in an inference,
    but for those that `every_step` names, or as often as `trace` saw where that is of `watch`.

    trace: what the macros are read with: a trace of each, in the order of `nn.macros`, or what
    `watch` saw of a model. The cells' energy is then that of these reads, in the mean. Without,
    `activity` in [0, 1] is what a row uses of the energy of a full activation: E|x| for pulses,
    E[x^2] for voltages; see `cells.average`. Energy counts the rows and columns in use, area the
    whole arrays. Raises ArgumentError where there is no macro, or what is given does not fit it.
    """
    card = as_card(costs)
    activity = as_number("activity", activity, minimum=0, maximum=1)
    as_count("steps", steps, 1)
    energy, left = _meter(trace, activity)

    def product(name: str, tiled: Any) -> Product:
        reads = tuple(programmed(m, energy(m)) for m in tiled.macros)
        splits = len(tiled.stacks)
        inputs, outputs = tiled.shape
        applied = splits == 1 and reads[0].converter in CURVED
        return Product(name, reads, inputs, outputs, splits, 0 if applied else _curved(tiled))

    if hasattr(model, "named_modules"):
        layers = list(_layers(model, product))
        if not layers:
            hint = "`nn.program` programs a model."
            raise must("model", "hold a macro or more", "holds none", hint)
        layers = _timed(layers, model, trace, steps, every_step)
    else:
        if steps != 1 or every_step:
            raise must("steps, every_step", "be left out where there are arrays alone",
                       f"are {steps}, {every_step}")  # fmt: skip
        products = [product("arrays", each) for each in _flat(model)]
        if not products:
            raise must("model", "hold a macro or more", "holds none")
        if len(products) > 1:
            reads = tuple(read for each in products for read in each.reads)
            looked = sum(each.looked for each in products if each.splits == 1)
            products = [Product("arrays", reads, 0, 0, looked=looked)]
        layers = [Layer("arrays", tuple(products))]
    if left():
        raise must("trace", "hold a trace of every macro", "holds more")
    return price(layers, card, steps=steps, data=hasattr(model, "named_modules"))


def bill_of(
    layers: Layer | Sequence[Layer],
    costs: str | Path | CostCard = "puma-ramp",
    *,
    processors: int | None = None,
    steps: int = 1,
    name: str = "",
) -> Bill:
    """What an inference of layers that are described by `cost.layer` costs; nothing is programmed.

    processors: look-up units, and element-wise ones (None: as the card says). steps: of a sequence,
    in each of which layers with a state run once, and others as `cost.layer(every_step=...)` says.
    """
    if processors is not None:
        as_count("processors", processors, 1)
    as_count("steps", steps, 1)
    card = as_card(costs)
    every = (layers,) if isinstance(layers, Layer) else tuple(layers)
    if not every or not all(isinstance(each, Layer) for each in every):
        came = f"hold {[type(each).__name__ for each in every]}" if every else "hold none"
        raise must("layers", "hold a Layer or more", came, "`cost.layer` describes one.")
    return price(every, card, processors=processors, steps=steps, name=name)


def compare(
    describe: Callable[[Converter], Layer | Sequence[Layer]],
    costs: str | Path | CostCard = "puma-ramp",
    converters: Sequence[Converter] = ("ramp", "linear ramp", "sar"),
    **options: Any,
) -> dict[str, Bill]:
    """The same network with several converters: the ramp that applies the curve, and those that
    leave it to look-ups. describe(converter) gives its layers; options: those of `bill_of`.
    """
    return {kind: bill_of(describe(kind), costs, name=kind, **options) for kind in converters}


def _layers(model: Any, product: Callable[..., Product]) -> Iterable[Layer]:
    """The layers of a programmed model that stand on arrays; a cell of a stack is a layer."""
    for name, module in _analog(model):
        label = name or type(module).__name__
        if not hasattr(module, "hidden_size"):
            products = (product(key, chip.macro) for key, chip in module.chips.items())
            yield Layer(label, tuple(products))
            continue
        hardware, size = module.hardware, module.hidden_size
        for end in _ends(module):
            mine = [
                product(key, chip.macro) for key, chip in module.chips.items() if key.endswith(end)
            ]
            stages = _stages(module, mine, hardware, size, end)
            yield Layer(label + end, tuple(stages), None)


def _analog(model: Any) -> list[tuple[str, Any]]:
    """Names and modules that stand on arrays."""
    return [(name, m) for name, m in model.named_modules() if getattr(m, "chips", None)]


def _ends(module: Any) -> list[str]:
    """How the names of a recurrent module's cells end, in the order in which they run."""
    return [end for depth in range(module.num_layers) for end in module.ends(depth)]


def _timed(
    layers: list[Layer], model: Any, trace: Any, steps: int, every_step: Collection[str]
) -> list[Layer]:
    """`layers` with how often those without a state run: as seen, or as the caller says.

    What was seen is counted in inferences, of which each read a cell with a state `steps` times;
    in a model without any, its least read layer once.
    """
    stateless = [layer.name for layer in layers if layer.times is not None]
    named = {every_step} if isinstance(every_step, str) else set(every_step)
    unknown = sorted(named.difference(stateless))
    if unknown:
        raise must("every_step", f"name layers without a state ({', '.join(stateless) or 'none'})",
                   f"names {unknown[0]}")  # fmt: skip
    if len(stateless) == len(layers) and steps != 1 and not named:
        raise must("steps", "be 1 where no layer has a state", f"are {steps}",
                   "`every_step` names the layers that run in every step.")  # fmt: skip
    if not isinstance(trace, Watched):
        return [
            dataclasses.replace(layer, times=None) if layer.name in named else layer
            for layer in layers
        ]
    reads: dict[str, int] = {}
    for name, module in _analog(model):
        label = name or type(module).__name__
        macro = next(iter(module.chips.values())).macro.macros[0]
        for end in _ends(module) if hasattr(module, "hidden_size") else [""]:
            reads[label + end] = trace.reads(macro)
    seen = [reads[layer.name] for layer in layers if layer.times is None]
    inferences = max(seen) / steps if seen else min(reads.values())
    return [
        layer if layer.times is None
        else dataclasses.replace(layer, times=reads[layer.name] / inferences)
        for layer in layers
    ]  # fmt: skip


def _stages(module: Any, own: list[Product], hardware: Hardware, size: int, end: str) -> list[Any]:
    kinds = {base.__name__ for base in type(module).__mro__}
    if "LSTM" in kinds:
        ramp = module.ramps.get(end)
        return [*lstm(own[0], size, held(hardware, size, ramp) if ramp else None), *own[1:]]
    return gru(own[0], own[1:], size) if "GRU" in kinds else list(own)


def _curved(tiled: Any) -> int:
    """Columns with a function other than a line."""
    return sum(curve.name != "linear" for curve in tiled.curves)


def _flat(macros: Any) -> Iterable[Any]:
    """The Macros in `macros`, which may hold others."""
    if hasattr(macros, "macros"):
        yield macros
    elif isinstance(macros, Iterable) and not isinstance(macros, str | bytes):
        for item in macros:
            yield from _flat(item)
    else:
        raise must("model", "be a Macro or several, or a programmed model",
                   f"is a {type(macros).__name__}")  # fmt: skip


def _meter(
    trace: Traces | None, activity: float
) -> tuple[Callable[[Macro], float], Callable[[], bool]]:
    """What gives the energy of the cells in a read of one macro after the other, and what says
    whether traces are left over."""
    if trace is None:
        return lambda macro: cells.average(macro, activity), lambda: False
    if isinstance(trace, Watched):
        return trace.mean, lambda: False
    given = [trace] if isinstance(trace, Trace) else trace
    if not isinstance(given, Sequence) or not all(isinstance(each, Trace) for each in given):
        raise must("trace", "be a Trace, one of each macro, or what `watch` gives",
                   f"is a {type(trace).__name__}", "`macro.trace(x)` gives one.")  # fmt: skip
    ahead = list(reversed(given))

    def following(macro: Macro) -> float:
        if not ahead:
            raise must("trace", "hold a trace of every macro", "holds fewer")
        v = ahead.pop().v
        if v.shape[1] != macro.shape[0]:
            raise must("trace", f"have {macro.shape[0]} rows, as its macro", f"has {v.shape[1]}")
        if not len(v):
            raise must("trace", "hold a read or more", "holds none")
        return float(cells.energies(macro, v).mean())

    return following, lambda: bool(ahead)
