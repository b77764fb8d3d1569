"""What an inference does, one after the other: products on arrays, look-ups, arithmetic.

A layer is a sequence of stages. They say what is used; `bill` prices it with a card and lays it out
in time. A programmed layer says itself what it does, as `OnArrays`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np

from aimc.converters.base import Converter as Made
from aimc.cost.checks import one_of, several
from aimc.cost.reads import (
    CONVERTERS,
    CURVED,
    TYPICAL,
    Converter,
    Read,
    Usage,
    described,
    held,
    own,
    with_converter,
)
from aimc.errors import as_a, as_count, as_number, must
from aimc.macro import Hardware, Macro

Probe = Callable[[Macro, np.ndarray], None]
Kind = Literal["lstm", "gru", "rnn", "linear"]
KINDS: tuple[Kind, ...] = ("lstm", "gru", "rnn", "linear")
CURVES = {
    "lstm": ("sigmoid", "sigmoid", "tanh", "sigmoid"), "gru": ("sigmoid", "sigmoid"),
    "rnn": ("tanh",), "linear": ("linear",),
}  # fmt: skip


@dataclass(frozen=True)
class Product:
    """Reads of several arrays at the same time, which give `outputs` digital results.

    inputs: activations that come in. splits: row blocks, whose partial sums are added digitally.
    looked: how many of the results a look-up applies a function to, where converters do not.
    """

    name: str
    reads: tuple[Read, ...]
    inputs: int
    outputs: int
    splits: int = 1
    looked: int = 0


@dataclass(frozen=True)
class LookUp:
    """A function of `count` values by the digital look-up units."""

    name: str
    count: int

    def __post_init__(self) -> None:
        as_count("count", self.count, 0)


@dataclass(frozen=True)
class ElementWise:
    """`ops` products or sums for each of `units` elements, by the element-wise processors."""

    name: str
    units: int
    ops: int

    def __post_init__(self) -> None:
        as_count("units", self.units, 0)
        as_count("ops", self.ops, 0)


Stage = Product | LookUp | ElementWise


class Reads(NamedTuple):
    """One read of each macro, all at the same time."""

    name: str
    macros: tuple[Macro, ...]


class Conversion(NamedTuple):
    """`units` digital values through a converter of their own, without weights."""

    name: str
    hardware: Hardware
    units: int
    converter: Made


Said = Reads | Conversion | LookUp | ElementWise


class Description(NamedTuple):
    """What a programmed layer, or a cell of it, does when it runs.

    name: what is added to the layer's. recurrent: whether it runs in every step of a sequence.
    """

    name: str
    stages: tuple[Said, ...]
    recurrent: bool = False


class OnArrays(ABC):
    """A layer of a programmed model, as bills and probes know it.

    probes: each is told of every read: of the macro, and of the activations that drive its rows
    (reads, rows). They do not change what is read.
    """

    probes: tuple[Probe, ...] = ()

    @property
    @abstractmethod
    def programmed(self) -> bool:
        """Whether it stands on arrays now."""

    def describe(self) -> tuple[Description, ...] | None:
        """What it does in an inference, in order; None where nobody has said so."""
        return None


@runtime_checkable
class _Model(Protocol):
    def named_modules(self) -> Iterator[tuple[str, Any]]: ...


def is_model(model: object) -> TypeGuard[_Model]:
    """Whether it holds layers, as modules of torch do."""
    return isinstance(model, _Model) and not isinstance(model, type)


def on_arrays(model: object) -> list[tuple[str, OnArrays]]:
    """The layers of a model that stand on arrays, by name. Raises ArgumentError where none does."""
    if not is_model(model):
        raise must("model", "be a programmed model", f"is a {type(model).__name__}",
                   "A macro's own trace is `macro.trace(x)`.")  # fmt: skip
    found = [(name or type(module).__name__, module) for name, module in model.named_modules()
             if isinstance(module, OnArrays) and module.programmed]  # fmt: skip
    if not found:
        raise must("model", "hold a layer that stands on arrays", "holds none",
                   "`nn.program(model, hardware, rng)` gives such a model.")  # fmt: skip
    return found


S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """What a layer does when it runs. times: how often it does in an inference; None: in every step
    of a sequence.
    """

    name: str
    stages: tuple[Stage, ...]
    times: float | None = 1

    def __post_init__(self) -> None:
        hint = "`cost.layer` describes one."
        several("stages", self.stages, Stage, "hold what a layer does, one after the other", hint)
        if self.times is not None:
            as_number("times", self.times, minimum=0)


def layer(
    kind: Kind,
    hardware: Hardware,
    inputs: int,
    size: int,
    *,
    projection: int = 0,
    converter: Converter | None = None,
    cell_tanh: Literal["digital", "ramp"] = "digital",
    usage: Usage = TYPICAL,
) -> Layer:
    """A layer that is described, not programmed; in every step of a sequence where it has a state.

    inputs, size: features of the input, one more for a bias, and of the state or output.
    projection: of an LSTM's output. converter: one of `CONVERTERS` in place of the hardware's own,
    which None is; see `with_converter`. cell_tanh: the tanh of an LSTM's cell state by a look-up,
    or by a "ramp" of its own, as in `nn.program`; always the former where converters are linear.
    """
    one_of("kind", kind, KINDS)
    as_a("hardware", hardware, Hardware, "`aimc.load(name)` gives one.")
    as_a("usage", usage, Usage, "`cost.Usage(activity=0.3)` is one.")
    converter = own(hardware.adc) if converter is None else converter
    one_of("converter", converter, CONVERTERS)
    one_of("cell_tanh", cell_tanh, ("digital", "ramp"))
    as_count("inputs", inputs, 1)
    as_count("size", size, 1)
    as_count("projection", projection, 0)
    if projection and kind != "lstm":
        raise must("projection", "be 0 but for an LSTM", f"is {projection}")
    applied = converter in CURVED

    def product(label: str, rows: int, cols: int, curves: tuple[str, ...] = ("linear",)) -> Product:
        shown = curves if applied else ("linear",)
        reads = described(hardware, rows, cols, shown, converter, usage)
        splits = 1 if usage.tall else -(-rows // (hardware.rows * (hardware.stack or 1)))
        looked = 0 if curves == ("linear",) or (applied and splits == 1) else cols
        return Product(label, reads, rows, cols, splits, looked)

    state = projection or size
    rows = inputs + (0 if kind == "linear" else state)
    stages: Sequence[Stage]
    if kind == "linear":
        stages = [product("product", inputs, size)]
    elif kind == "rnn":
        stages = [product("state", rows, size, CURVES["rnn"])]
    elif kind == "lstm":
        gates = product("gates", rows, 4 * size, CURVES["lstm"])
        read = None
        if applied and cell_tanh == "ramp":
            read = held(with_converter(hardware, converter), size)
        tanh = LookUp("tanh(c)", size) if read is None else Product("tanh(c)", (read,), size, size)
        last = (product("projection", size, projection),) if projection else ()
        stages = lstm(gates, tanh, size, *last)
    else:
        gates = product("gates", rows, 2 * size, CURVES["gru"])
        parts = product("new_x", inputs, size), product("new_h", state, size)
        reads = tuple(read for part in parts for read in part.reads)
        splits = max(part.splits for part in parts)
        new = Product("candidate", reads, inputs + state, 2 * size, splits)
        stages = gru_after(gates, new, size)
    return Layer(kind, tuple(stages), 1 if kind == "linear" else None)


def lstm(gates: S, tanh: T, size: int, *projection: S) -> tuple[S | T | ElementWise, ...]:
    """c' = f c + i g, h' = o tanh(c'), and what becomes of h'. tanh: the stage that applies it."""
    c, h = ElementWise("c = f c + i g", size, 3), ElementWise("h = o tanh(c)", size, 1)
    return gates, c, tanh, h, *projection


def gru(gates: S, new: S, size: int) -> tuple[S | ElementWise, ...]:
    """n = new(x, r h) by a converter that applies tanh, h' = n + z (h - n)."""
    return gates, ElementWise("r h", size, 1), new, ElementWise("h = n + z (h - n)", size, 3)


def gru_after(gates: S, new: S, size: int) -> tuple[S | ElementWise | LookUp, ...]:
    """n = tanh(n_x + r n_h) of two linear products, read at the same time, h' = n + z (h - n)."""
    return (gates, new, ElementWise("n_x + r n_h", size, 2), LookUp("tanh(n)", size),
            ElementWise("h = n + z (h - n)", size, 3))  # fmt: skip
