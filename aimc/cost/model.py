"""Bills of what is programmed, of what is described, and of the same network done otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimc.cost import cells
from aimc.cost.bill import Bill
from aimc.cost.card import CostCard, load
from aimc.cost.price import price
from aimc.cost.reads import Converter, held, programmed
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
) -> Bill:
    """What a read of macros costs, or an inference of a programmed model.

    model: a Macro; a Tiled, with its digital sums; several, read at the same time, the arrays
    alone; or a model of `nn.program`: its layers one after the other, with the arithmetic and
    look-ups between arrays, buffers and routing. steps: of the sequence; recurrent layers run once
    in each. costs: a cost card, its name or its file.

    trace: what the macros are read with: a trace of each, in the order of `nn.macros`, or what
    `watch` saw of a model. The cells' energy is then exact, and the mean over its reads. Without,
    `activity` in [0, 1] is what a row uses of the energy of a full activation: E|x| for pulses,
    E[x^2] for voltages; see `cells.average`. Energy counts the rows and columns in use, area the
    whole arrays. Raises ArgumentError where there is no macro.
    """
    card = costs if isinstance(costs, CostCard) else load(costs)
    activity = as_number("activity", activity, minimum=0, maximum=1)
    as_count("steps", steps, 1)
    energy = _meter(trace, activity)

    def product(name: str, tiled: Any, curved: bool = False) -> Product:
        reads = tuple(programmed(m, energy(m)) for m in tiled.macros)
        splits = len(getattr(tiled, "tiles", (0,)))
        inputs, outputs = tiled.shape
        return Product(name, reads, inputs, outputs, splits, curved)

    if hasattr(model, "named_modules"):
        layers, data = list(_layers(model, product)), True
    else:
        products = [product("arrays", each, _curved(each)) for each in _flat(model)]
        if not products:
            raise must("model", "hold a macro or more", "holds none")
        reads = tuple(read for each in products for read in each.reads)
        if len(products) > 1:
            products = [Product("arrays", reads, 0, 0)]
        layers, data = [Layer("arrays", tuple(products))], False
    if not layers:
        raise must("model", "hold a macro or more", "holds none", "`nn.program` programs a model.")
    return price(layers, card, steps=steps, data=data)


def bill_of(
    layers: Layer | Sequence[Layer],
    costs: str | Path | CostCard = "puma-ramp",
    *,
    processors: int | None = None,
    steps: int = 1,
    name: str = "",
) -> Bill:
    """What an inference of layers that are described by `cost.layer` costs; nothing is programmed.

    processors: look-up units, and element-wise ones (None: as the card says). steps: see `bill`.
    """
    if processors is not None:
        as_count("processors", processors, 1)
    as_count("steps", steps, 1)
    card = costs if isinstance(costs, CostCard) else load(costs)
    every = (layers,) if isinstance(layers, Layer) else tuple(layers)
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
    for name, module in model.named_modules():
        chips = getattr(module, "chips", None)
        if not chips:
            continue
        label = name or type(module).__name__
        if not hasattr(module, "hidden_size"):
            products = (
                product(key, chip.macro, _curved(chip.macro)) for key, chip in chips.items()
            )
            yield Layer(label, tuple(products))
            continue
        hardware, size = module.hardware, module.hidden_size
        ends = [end for depth in range(module.num_layers) for end in module.ends(depth)]
        for end in ends:
            own = [
                product(key, chip.macro, _curved(chip.macro))
                for key, chip in chips.items()
                if key.endswith(end)
            ]
            yield Layer(label + end, tuple(_stages(module, own, hardware, size, end)), True)


def _stages(module: Any, own: list[Product], hardware: Hardware, size: int, end: str) -> list[Any]:
    kinds = {base.__name__ for base in type(module).__mro__}
    if "LSTM" in kinds:
        ramp = module.ramps.get(end)
        return [*lstm(own[0], size, held(hardware, size, ramp) if ramp else None), *own[1:]]
    return gru(own[0], own[1:], size) if "GRU" in kinds else list(own)


def _curved(tiled: Any) -> bool:
    curves = getattr(tiled, "curves", None) or [ramp.curve for _, ramp in tiled.ramps]
    return any(curve.name != "linear" for curve in curves)


def _flat(macros: Any) -> Iterable[Any]:
    """The Macros and Tiled in `macros`, which may hold others."""
    if hasattr(macros, "macros"):
        yield macros
    elif isinstance(macros, Iterable) and not isinstance(macros, str | bytes):
        for item in macros:
            yield from _flat(item)
    else:
        raise must("model", "be a Macro, a Tiled or several, or a programmed model",
                   f"is a {type(macros).__name__}")  # fmt: skip


def _meter(trace: Traces | None, activity: float) -> Callable[[Macro], float]:
    """Gives the energy of the cells in a read of one macro after the other."""
    if trace is None:
        return lambda macro: cells.average(macro, activity)
    if isinstance(trace, Watched):
        return trace.mean
    left = iter((trace,) if isinstance(trace, Trace) else trace)

    def following(macro: Macro) -> float:
        each = next(left, None)
        if each is None:
            raise must("trace", "hold a trace of every macro", "holds fewer")
        return float(cells.energies(macro, each.v).mean())

    return following
