"""Bills of what is programmed, of what is described, and of the same network done otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aimc.cost import cells, stages
from aimc.cost.bill import Bill
from aimc.cost.card import CostCard, load
from aimc.cost.checks import several
from aimc.cost.price import price
from aimc.cost.reads import CONVERTERS, CURVED, Converter, held, programmed
from aimc.cost.stages import Description, Layer, Product, Reads
from aimc.cost.watch import Watched
from aimc.errors import as_count, as_number, must
from aimc.macro import Macro, Trace

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
    card = load(costs)
    activity = as_number("activity", activity, minimum=0, maximum=1)
    as_count("steps", steps, 1)
    every_step = several("every_step", every_step, str, "hold names of layers")
    energy, ahead = _meter(trace, activity)

    def product(name: str, *macros: Macro) -> Product:
        reads, looked = [], 0
        for macro in macros:
            reads += [programmed(each, energy(each)) for each in macro.macros]
            if len(macro.stacks) > 1 or reads[-1].converter not in CURVED:
                looked += sum(curve.name != "linear" for curve in macro.curves)
        inputs, outputs = (sum(macro.shape[axis] for macro in macros) for axis in (0, 1))
        splits = max(len(macro.stacks) for macro in macros)
        return Product(name, tuple(reads), inputs, outputs, splits, looked)

    def stage(said: stages.Said) -> stages.Stage:
        if isinstance(said, Reads):
            return product(said.name, *_flat(said.macros))
        if not isinstance(said, stages.Conversion):
            return said
        n, read = said.units, held(said.hardware, said.units, said.converter)
        return Product(said.name, (read,), n, n, 1, 0 if read.converter in CURVED else n)

    if network := stages.is_model(model):
        cells_ = list(_cells(model))
        layers = [Layer(name, tuple(map(stage, cell.stages))) for name, cell in cells_]
        times = _times(cells_, trace, steps, every_step)
        layers = [dataclasses.replace(a, times=b) for a, b in zip(layers, times, strict=True)]
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
    if ahead:
        raise must("trace", "hold a trace of every macro", "holds more")
    return price(layers, card, steps=steps, data=network)


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
    in each of which layers with a state run once, and others as their `times` say.
    """
    if processors is not None:
        as_count("processors", processors, 1)
    as_count("steps", steps, 1)
    card = load(costs)
    rule, hint = "hold a Layer or more", "`cost.layer` describes one."
    if not (every := several("layers", layers, Layer, rule, hint)):
        raise must("layers", rule, "hold none", hint)
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
    if not callable(describe):
        raise must("describe", "give the layers for a converter", f"is {describe!r}",
                   "`lambda kind: cost.layer(..., converter=kind)` does.")  # fmt: skip
    kinds = several("converters", converters, str, f"be of {', '.join(CONVERTERS)}")
    return {kind: bill_of(describe(kind), costs, name=kind, **options) for kind in kinds}


def _cells(model: Any) -> Iterator[tuple[str, Description]]:
    """What each layer of a programmed model says that it does; a cell of a stack is a layer."""
    for name, layer in stages.on_arrays(model):
        said = layer.describe()
        kind = type(layer).__name__
        rule = "say what it does to be billed"
        hint = f"`{kind}.describe` is to give a `cost.Description` of each cell."
        if said is None:
            raise must(name, rule, f"is a {kind}, which does not", hint)
        for cell in several(name, said, Description, rule, hint):
            several(name, cell.stages, stages.Said, rule, hint)
            yield name + cell.name, cell


def _times(
    cells_: list[tuple[str, Description]], trace: Any, steps: int, every_step: Collection[str]
) -> list[float | None]:
    """How often each cell runs in an inference, None: in every step; those without a state as seen,
    or as the caller says.

    What was seen is counted in inferences, of which each read a cell with a state `steps` times;
    in a model without any, its least read layer once.
    """
    stateless = [name for name, cell in cells_ if not cell.recurrent]
    for name in every_step:
        if name not in stateless:
            known = ", ".join(stateless) or "none"
            raise must("every_step", f"name layers without a state ({known})", f"names {name}")
    if len(stateless) == len(cells_) and steps != 1 and not every_step:
        raise must("steps", "be 1 where no layer has a state", f"are {steps}",
                   "`every_step` names the layers that run in every step.")  # fmt: skip
    if not isinstance(trace, Watched):
        return [None if cell.recurrent or name in every_step else 1 for name, cell in cells_]
    reads = [
        max(trace.reads(m.macros[0]) for s in cell.stages if isinstance(s, Reads) for m in s.macros)
        for _, cell in cells_
    ]
    seen = [count for count, (_, cell) in zip(reads, cells_, strict=True) if cell.recurrent]
    inferences = max(seen) / steps if seen else min(reads)
    pairs = zip(reads, cells_, strict=True)
    return [None if cell.recurrent else count / inferences for count, (_, cell) in pairs]


def _flat(macros: Any) -> Iterator[Macro]:
    """The Macros in `macros`, which may hold others."""
    if isinstance(macros, Macro):
        yield macros
    elif isinstance(macros, Iterable) and not isinstance(macros, str | bytes | np.ndarray):
        for item in macros:
            yield from _flat(item)
    else:
        raise must("model", "be a Macro or several, or a programmed model",
                   f"is a {type(macros).__name__}")  # fmt: skip


def _meter(trace: Traces | None, activity: float) -> tuple[Callable[[Macro], float], list[Trace]]:
    """What gives the energy of the cells in a read of one macro after the other, and the traces
    that it has not used yet."""
    if trace is None:
        return lambda macro: cells.average(macro, activity), []
    if isinstance(trace, Watched):
        return trace.mean, []
    rule = "be a Trace, one of each macro, or what `watch` gives"
    given = several("trace", trace, Trace, rule, "`macro.trace(x)` gives one.")
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

    return following, ahead
