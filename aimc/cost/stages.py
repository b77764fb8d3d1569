"""What an inference does, one after the other: products on arrays, look-ups, arithmetic.

A layer is a sequence of stages. They say what is used; `bill` prices it with a card and lays it out
in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aimc.cost.reads import CONVERTERS, Converter, Read, blocks, described, held
from aimc.errors import as_count, must

if TYPE_CHECKING:
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
    curved: whether a function other than a line is to be applied.
    """

    name: str
    reads: tuple[Read, ...]
    inputs: int
    outputs: int
    splits: int = 1
    curved: bool = False


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
    """What a layer does in a step. recurrent: whether it does so in every step of a sequence."""

    name: str
    stages: tuple[Stage, ...]
    recurrent: bool = False
    converter: Converter = "ramp"


def layer(
    kind: Kind,
    hardware: Hardware,
    inputs: int,
    size: int,
    *,
    projection: int = 0,
    bias: bool = False,
    converter: Converter = "ramp",
    cell_tanh: Literal["ramp", "digital"] = "ramp",
    name: str = "",
    **details: Any,
) -> Layer:
    """A layer that is described, not programmed.

    inputs, size: features of the input, and of the state or output. projection: of an LSTM's
    output. cell_tanh: the tanh of an LSTM's cell state by a ramp, or by a look-up; always the
    latter where the converter is linear. details: activity, fill and tall; see `described`.
    """
    if kind not in KINDS:
        raise must("kind", f"be one of {', '.join(KINDS)}", f"is {kind!r}")
    if converter not in CONVERTERS:
        raise must("converter", f"be one of {', '.join(CONVERTERS)}", f"is {converter!r}")
    as_count("inputs", inputs, 1)
    as_count("size", size, 1)
    as_count("projection", projection, 0)
    if projection and kind != "lstm":
        raise must("projection", "be 0 but for an LSTM", f"is {projection}")
    applied = converter == "ramp"

    def product(label: str, rows: int, cols: int, curves: tuple[str, ...] = ("linear",)) -> Product:
        shown = curves if applied else ("linear",)
        reads = described(hardware, rows, cols, shown, **details)
        splits = 1 if details.get("tall") else len(blocks(rows, hardware.rows))
        return Product(label, reads, rows, cols, splits, curves != ("linear",))

    state = projection or size
    rows = inputs + bias + (0 if kind == "linear" else state)
    stages: list[Stage]
    if kind == "linear":
        stages = [product("product", inputs + bias, size)]
    elif kind == "rnn":
        stages = [product("state", rows, size, CURVES["rnn"])]
    elif kind == "lstm":
        gates = product("gates", rows, 4 * size, CURVES["lstm"])
        ramp = held(hardware, size) if applied and cell_tanh == "ramp" else None
        stages = lstm(gates, size, ramp)
        if projection:
            stages.append(product("projection", size, projection))
    else:
        gates = product("gates", rows, 2 * size, CURVES["gru"])
        parts = (
            product("new_x", inputs + bias, size),
            product("new_h", state + bias, size),
        )
        stages = gru(gates, parts, size)
    return Layer(name or kind, tuple(stages), kind != "linear", converter)


def lstm(gates: Product, size: int, ramp: Read | None) -> list[Stage]:
    """c' = f c + i g, h' = o tanh(c'): the tanh by `ramp`, or by a look-up where that is None."""
    tanh = Product("tanh(c)", (ramp,), size, size) if ramp else LookUp("tanh(c)", size)
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
