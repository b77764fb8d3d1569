"""What an inference does, one after the other: products on arrays, look-ups, arithmetic.

A layer is a sequence of stages. They say what is used; `bill` prices it with a card and lays it out
in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aimc.cost.reads import (
    CONVERTERS,
    CURVED,
    Converter,
    Read,
    described,
    held,
    own,
    with_converter,
)
from aimc.errors import as_count, must
from aimc.macro import Hardware

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


@dataclass(frozen=True)
class ElementWise:
    """`ops` products or sums for each of `units` elements, by the element-wise processors."""

    name: str
    units: int
    ops: int


Stage = Product | LookUp | ElementWise


@dataclass(frozen=True)
class Layer:
    """What a layer does when it runs. times: how often it does in an inference; None: in every step
    of a sequence.
    """

    name: str
    stages: tuple[Stage, ...]
    times: float | None = 1


def layer(
    kind: Kind,
    hardware: Hardware,
    inputs: int,
    size: int,
    *,
    projection: int = 0,
    bias: bool = False,
    converter: Converter | None = None,
    cell_tanh: Literal["digital", "ramp"] = "digital",
    every_step: bool | None = None,
    name: str = "",
    activity: float = 0.5,
    fill: float = 0.2,
    tall: bool = False,
) -> Layer:
    """A layer that is described, not programmed.

    inputs, size: features of the input, and of the state or output. projection: of an LSTM's
    output. converter: one of `CONVERTERS` in place of the hardware's own, which None is; see
    `with_converter`. cell_tanh: the tanh of an LSTM's cell state by a look-up, or by a "ramp" of
    its own, as in `nn.program`; always the former where converters are linear. every_step: whether
    the layer runs in every step of a sequence; None: where it has a state. activity, fill, tall:
    see `described`.
    """
    if kind not in KINDS:
        raise must("kind", f"be one of {', '.join(KINDS)}", f"is {kind!r}")
    if not isinstance(hardware, Hardware):
        raise must("hardware", "be a Hardware", f"is {hardware!r}", "`aimc.load(name)` gives one.")
    converter = own(hardware.adc) if converter is None else converter
    if converter not in CONVERTERS:
        raise must("converter", f"be one of {', '.join(CONVERTERS)}", f"is {converter!r}")
    if cell_tanh not in ("digital", "ramp"):
        raise must("cell_tanh", "be 'digital' or 'ramp'", f"is {cell_tanh!r}")
    as_count("inputs", inputs, 1)
    as_count("size", size, 1)
    as_count("projection", projection, 0)
    if projection and kind != "lstm":
        raise must("projection", "be 0 but for an LSTM", f"is {projection}")
    applied = converter in CURVED

    def product(label: str, rows: int, cols: int, curves: tuple[str, ...] = ("linear",)) -> Product:
        shown = curves if applied else ("linear",)
        reads = described(
            hardware, rows, cols, shown, converter, activity=activity, fill=fill, tall=tall
        )
        splits = 1 if tall else -(-rows // (hardware.rows * (hardware.stack or 1)))
        looked = 0 if curves == ("linear",) or (applied and splits == 1) else cols
        return Product(label, reads, rows, cols, splits, looked)

    state = projection or size
    rows = inputs + bias + (0 if kind == "linear" else state)
    stages: list[Stage]
    if kind == "linear":
        stages = [product("product", inputs + bias, size)]
    elif kind == "rnn":
        stages = [product("state", rows, size, CURVES["rnn"])]
    elif kind == "lstm":
        gates = product("gates", rows, 4 * size, CURVES["lstm"])
        by_ramp = applied and cell_tanh == "ramp"
        tanh = held(with_converter(hardware, converter), size) if by_ramp else None
        stages = lstm(gates, size, tanh)
        if projection:
            stages.append(product("projection", size, projection))
    else:
        gates = product("gates", rows, 2 * size, CURVES["gru"])
        parts = (
            product("new_x", inputs + bias, size),
            product("new_h", state + bias, size),
        )
        stages = gru(gates, parts, size)
    recurrent = kind != "linear" if every_step is None else every_step
    return Layer(name or kind, tuple(stages), None if recurrent else 1)


def lstm(gates: Product, size: int, held: Read | None) -> list[Stage]:
    """c' = f c + i g, h' = o tanh(c'): the tanh by a converter of its own, which reads the `held`
    state, or by a look-up where that is None."""
    tanh: Stage = LookUp("tanh(c)", size)
    if held is not None:
        tanh = Product("tanh(c)", (held,), size, size, 1, 0 if held.converter in CURVED else size)
    return [gates, ElementWise("c = f c + i g", size, 3), tanh,
            ElementWise("h = o tanh(c)", size, 1)]  # fmt: skip


def gru(gates: Product, new: Sequence[Product], size: int) -> list[Stage]:
    """The candidate n from two linear products, or from one whose converter is its tanh; then
    h' = n + z (h - n).
    """
    last = ElementWise("h = n + z (h - n)", size, 3)
    if len(new) == 1:
        return [gates, ElementWise("r h", size, 1), *new, last]
    both = Product(
        "candidate", tuple(r for p in new for r in p.reads), sum(p.inputs for p in new),
        sum(p.outputs for p in new), max(p.splits for p in new),
    )  # fmt: skip
    return [gates, both, ElementWise("n_x + r n_h", size, 2), LookUp("tanh(n)", size), last]
