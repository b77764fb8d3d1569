"""What a dialect says: the statements of a deck in, lines out.

Devices (cells, integrators, comparators) are subcircuits of the dialect's include files, so that a
deck has sources, wires and instances only. `aimc.spice.dialects` has the simulators.
"""

from __future__ import annotations

import copy
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from aimc.errors import as_number, must

if TYPE_CHECKING:
    from typing import Self

WIDTH = 99
_WRAPPER = textwrap.TextWrapper(
    WIDTH, subsequent_indent="+ ", break_long_words=False, break_on_hyphens=False
)

# How most simulators write each statement. A name begins with its element's letter; v(p, n)
# controls a current or voltage from a to b; `start` is the voltage that a capacitor starts with,
# `initial` the same of a node, where its capacitor does not say so.
SPICE = {
    "head": "{title}",
    "include": '.include "{path}"',
    "param": ".param {name}={value}",
    "value": "{{{text}}}",  # an expression of parameters, where a number is expected
    "choice": "({condition} ? {yes} : {no})",
    "subckt": ".subckt {name} {ports}",
    "subckt with params": ".subckt {name} {ports} {params}",
    "ends": ".ends {name}",
    "instance": "{name} {nodes} {subckt} {params}",
    "resistor": "{name} {a} {b} {ohm}",
    "capacitor": "{name} {a} {b} {farad}",
    "capacitor with start": "{name} {a} {b} {farad}",
    "initial": ".ic v({node})={value}",
    # `gain` times v(p, n), and an expression, as a voltage and as a current.
    "controlled e": "{name} {a} {b} {p} {n} {gain}",
    "controlled g": "{name} {a} {b} {p} {n} {gain}",
    "behaviour v": "{name} {a} {b} v={expression}",
    "behaviour i": "{name} {a} {b} i={expression}",
    # Closed where v(p, n) exceeds 0.5 V.
    "switch": "{name} {a} {b} {p} {n} {name}_model\n"
              ".model {name}_model sw(vt=0.5 vh=0 ron={ron} roff={roff})",
    "voltage": "{name} {a} {b} dc {dc}",
    # A trapezoid: `high` over `width` [s] between edges of `edge` [s], else `low` [V].
    "pulse": "{name} {a} {b} dc {low} pulse({low} {high} {delay} {edge} {edge} {width} {period})",
    "pwl": "{name} {a} {b} dc {dc} pwl({points})",  # (time [s], voltage [V]) points
    "current copy": "{name} {a} {b} {sense} {gain}",  # of the current of voltage source `sense`
    "v": "v({node})",
    "i": "i({source})",
    "save": ".save {vectors}",
    "op": ".op",
    "tight": ".options reltol=1e-9 abstol=1e-18 vntol=1e-13",
    "measure": ".measure tran {name} find {vector} at={at}",
    "end": ".end",
}  # fmt: skip


def typed(of: object, **kinds: Any) -> None:
    """Raises ArgumentError where a field of `of` is not of its kind, a type or a union of some."""
    for name, kind in kinds.items():
        value = getattr(of, name)
        if not isinstance(value, kind):
            said = kind.__name__ if isinstance(kind, type) else kind
            raise must(name, f"be of type {said}", f"is {value!r}")


def number(value: float) -> str:
    """The shortest text that reads back as the same float: no suffix, no unit."""
    return repr(as_number("value", value))


def plain(value: float) -> float:
    """To 14 digits, which takes off what sums of periods and shares of volts were rounded by."""
    return float(f"{value:.14g}")


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case Mapping():
            return " ".join(f"{name}={_text(each)}" for name, each in value.items())
        case Sequence():
            return " ".join(map(_text, value))
    return number(value)


class Dialect(ABC):
    """The statements of one simulator. `library`: the suffix of its model files; `models`: their
    folder, relative to the deck; `grammar`: how it writes each statement."""

    name: ClassVar[str]
    ran: ClassVar[bool] = False
    library: ClassVar[str] = ".lib"
    comment: ClassVar[str] = "* "
    separator: ClassVar[str] = "."
    # Several operating points are a sweep over one parameter a source, `NAME_dc`.
    sweeps: ClassVar[bool] = False
    # Of expressions: whether parameters keep their braces, and the function of any power.
    braces: ClassVar[bool] = True
    power: ClassVar[str] = "pow"
    grammar: ClassVar[Mapping[str, str]] = SPICE
    models: str = "models"

    def including(self, models: str) -> Self:
        """This dialect with its model files in another folder, relative to the deck. Raises
        ArgumentError on an absolute path and on one that no deck can name."""
        if not isinstance(models, str) or PurePosixPath(models).is_absolute() or "\\" in models:
            raise must("models", "be a relative path", f"is {models!r}")
        if not models.isprintable() or set(models) & set("\"';$") or "  " in models:
            raise must(
                "models", "be a path without quotes, `;`, `$` or line ends", f"is {models!r}"
            )
        elsewhere = copy.copy(self)
        elsewhere.models = models
        return elsewhere

    def wrap(self, line: str) -> str:
        """`line` in pieces shorter than 100 columns, broken at blanks; a path may hold some."""
        if len(line) <= WIDTH or line.startswith((self.comment, "include", ".include")):
            return line
        return "\n".join(_WRAPPER.wrap(line))

    def text(self, lines: Iterable[str]) -> str:
        """Statements as a file."""
        return "\n".join(self.wrap(line) for line in lines) + "\n"

    def phrase(self, kind: str, **values: Any) -> str:
        """A statement, or a part of one, with these values: texts stay, numbers keep every bit,
        sequences are lists, mappings settings. ArgumentError where the dialect has none such."""
        if kind not in self.grammar:
            raise must("dialect", f"have a statement for {kind!r}", f"is {self.name}")
        filled = {name: _text(value) for name, value in values.items()}
        return self.grammar[kind].format_map(filled).rstrip()

    def write(self, kind: str, **values: Any) -> list[str]:
        """The lines of a statement; none where the dialect needs none."""
        return self.phrase(kind, **values).splitlines()

    def note(self, text: str) -> str:
        """A comment."""
        return (self.comment + text).rstrip()

    def value(self, text: str) -> str:
        """An expression of parameters, where a number is expected."""
        return self.phrase("value", text=text)

    def subckt(self, name: str, ports: Sequence[str], params: Mapping[str, str]) -> list[str]:
        """The first lines of a subcircuit, with its parameters' defaults."""
        kind = "subckt with params" if params else "subckt"
        return self.write(kind, name=name, ports=ports, params=params)

    def voltage(self, name: str, a: str, dc: float | str) -> list[str]:
        """A constant voltage from a to ground; one of 0 V senses its current."""
        return self.write("voltage", name=name, a=a, b="0", dc=dc)

    def instance(
        self, name: str, nodes: Sequence[str], subckt: str, params: Mapping[str, float | str]
    ) -> list[str]:
        """A subcircuit in use. name begins with x."""
        return self.write("instance", name=name, nodes=nodes, subckt=subckt, params=params)

    def behaviour(self, name: str, a: str, b: str, quantity: str, expression: str) -> list[str]:
        """A voltage (quantity "v") or a current ("i") from a to b by an expression, in which
        parameters stand in braces."""
        if not self.braces:
            expression = expression.replace("{", "").replace("}", "")
        expression = expression.replace("pow(", f"{self.power}(")
        return self.write(f"behaviour {quantity}", name=name, a=a, b=b, expression=expression)

    def v(self, node: str) -> str:
        """How a node's voltage is named where it is saved or measured; `a.b` is b inside a."""
        return self.phrase("v", node=node.replace(".", self.separator))

    def i(self, source: str) -> str:
        """How a voltage source's current is named."""
        return self.phrase("i", source=source.replace(".", self.separator))

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        """What is kept, sorted; analysis is dc or tran."""
        return self.write("save", vectors=sorted(vectors), analysis=analysis)

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        """One operating point for each row of `values` of the voltage `sources`.

        The deck's own sources hold the first row.
        """
        if len(values) == 1:
            return self.write("op", source=sources[0], value=values[0][0])
        return self.ops(sources, values)

    @abstractmethod
    def ops(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        """`op` of several rows of values."""
