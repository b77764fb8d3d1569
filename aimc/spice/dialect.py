"""What a dialect says: the statements of a deck in, lines out.

Devices (cells, integrators, comparators) are subcircuits of the dialect's include files, so that a
deck has sources, wires and instances only. `aimc.spice.dialects` has the simulators.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from aimc.errors import must

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

WIDTH = 99


def number(value: float) -> str:
    """The shortest text that reads back as the same float: no suffix, no unit."""
    return repr(float(value))


@dataclass(frozen=True)
class Pulse:
    """A periodic trapezoid: `high` over `width` [s] between edges of `edge` [s], else `low` [V].

    The first one starts to rise `delay` [s] after the start; period 0 is a single pulse.
    """

    low: float
    high: float
    delay: float
    edge: float
    width: float
    period: float = 0.0


class Dialect(ABC):
    """The statements of one simulator. `library`: the suffix of its model files; `models`: their
    folder, relative to the deck."""

    name: ClassVar[str]
    ran: ClassVar[bool] = False
    library: ClassVar[str] = ".lib"
    comment: ClassVar[str] = "* "
    separator: ClassVar[str] = "."
    # Several operating points are a sweep over one parameter a source, `NAME_dc`.
    sweeps: ClassVar[bool] = False
    measures: ClassVar[bool] = True
    models: str = "models"

    def including(self, models: str) -> Self:
        """This dialect with its model files in another folder, relative to the deck. Raises
        ArgumentError on an absolute path and on one that no deck can name."""
        if PurePosixPath(models).is_absolute() or "\\" in models:
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
        pieces, rest = [], line
        while len(rest) > WIDTH:
            # Never after the leading "+ " of a piece: its one blank is no place to break.
            cut = rest.rfind(" ", 2, WIDTH + 1)
            if cut < 0:
                break
            pieces.append(rest[:cut])
            rest = "+ " + rest[cut + 1 :]
        return "\n".join([*pieces, rest])

    def text(self, lines: Iterable[str]) -> str:
        """Statements as a file."""
        return "\n".join(self.wrap(line) for line in lines) + "\n"

    def note(self, text: str) -> str:
        """A comment."""
        return (self.comment + text).rstrip()

    def head(self, title: str) -> list[str]:
        """The first line, which simulators take as a title."""
        return [self.note(title)]

    def include(self, path: str) -> str:
        """Reads a file whose path is relative to this one's folder."""
        return f'.include "{path}"'

    def param(self, name: str, value: float) -> str:
        """A number with a name."""
        return f".param {name}={number(value)}"

    def value(self, text: str) -> str:
        """An expression of parameters, where a number is expected."""
        return f"{{{text}}}"

    def subckt(
        self, name: str, ports: Sequence[str], params: Mapping[str, str] | None = None
    ) -> list[str]:
        """The first lines of a subcircuit, with its parameters' defaults."""
        return [" ".join([f".subckt {name}", *ports, *self._settings(params or {})])]

    def ends(self, name: str) -> str:
        """The last line of a subcircuit."""
        return f".ends {name}"

    def instance(
        self, name: str, nodes: Sequence[str], subckt: str, params: Mapping[str, float | str]
    ) -> str:
        """A subcircuit in use. name begins with x."""
        return " ".join([name, *nodes, subckt, *self._settings(params)])

    def _settings(self, params: Mapping[str, float | str]) -> list[str]:
        return [f"{k}={v if isinstance(v, str) else number(v)}" for k, v in params.items()]

    def resistor(self, name: str, a: str, b: str, ohm: str) -> str:
        """A resistor. name begins with r."""
        return f"{name} {a} {b} {ohm}"

    def capacitor(self, name: str, a: str, b: str, farad: str, start: str | None) -> str:
        """A capacitor, and the voltage that it starts with. name begins with c."""
        return f"{name} {a} {b} {farad}"

    def initial(self, node: str, value: str) -> list[str]:
        """The voltage that a node starts with, where the capacitor at it does not say so."""
        return [f".ic v({node})={value}"]

    def controlled(self, name: str, a: str, b: str, p: str, n: str, gain: str) -> str:
        """`gain` times v(p, n): a voltage (name begins with e) or a current from a to b (g)."""
        return f"{name} {a} {b} {p} {n} {gain}"

    def behaviour(self, name: str, a: str, b: str, quantity: str, expression: str) -> str:
        """A voltage (quantity "v") or a current from a to b ("i") by an expression.

        name begins with b; parameters stand in braces.
        """
        return f"{name} {a} {b} {quantity}={expression}"

    def choice(self, condition: str, yes: str, no: str) -> str:
        """An expression that is `yes` where the condition holds, else `no`."""
        return f"({condition} ? {yes} : {no})"

    def switch(self, name: str, a: str, b: str, p: str, n: str, ron: str, roff: str) -> list[str]:
        """A switch from a to b, closed where v(p, n) exceeds 0.5 V. name begins with s."""
        return [
            f"{name} {a} {b} {p} {n} {name}_model",
            f".model {name}_model sw(vt=0.5 vh=0 ron={ron} roff={roff})",
        ]

    def voltage(self, name: str, a: str, b: str, dc: float | str) -> str:
        """A constant voltage; one of 0 V senses its current from a to b. name begins with v."""
        return f"{name} {a} {b} dc {dc if isinstance(dc, str) else number(dc)}"

    def pulse(self, name: str, a: str, b: str, pulse: Pulse) -> str:
        """A periodic pulse; its constant value is the initial one."""
        values = [pulse.low, pulse.high, pulse.delay, pulse.edge, pulse.edge, pulse.width]
        if pulse.period:
            values.append(pulse.period)
        listed = " ".join(map(number, values))
        return f"{name} {a} {b} dc {number(pulse.low)} pulse({listed})"

    def pwl(self, name: str, a: str, b: str, points: Sequence[tuple[float, float]]) -> str:
        """A voltage through (time [s], voltage [V]) points."""
        listed = " ".join(f"{number(t)} {number(v)}" for t, v in points)
        return f"{name} {a} {b} dc {number(points[0][1])} pwl({listed})"

    def current_copy(self, name: str, a: str, b: str, sense: str, gain: float) -> str:
        """`gain` times the current of voltage source `sense`, from a to b. name begins with f."""
        return f"{name} {a} {b} {sense} {number(gain)}"

    def v(self, node: str) -> str:
        """How a node's voltage is named where it is saved or measured; `a.b` is b inside a."""
        return f"v({node.replace('.', self.separator)})"

    def i(self, source: str) -> str:
        """How a voltage source's current is named."""
        return f"i({source.replace('.', self.separator)})"

    @abstractmethod
    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        """What is kept, sorted; analysis is op or tran."""

    @abstractmethod
    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        """One operating point for each row of `values` of the voltage `sources`.

        The deck's own sources hold the first row.
        """

    def tight(self) -> list[str]:
        """Bounds of the iteration at which a nonlinear operating point is good to 1e-9."""
        return [".options reltol=1e-9 abstol=1e-18 vntol=1e-13"]

    @abstractmethod
    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        """A transient from 0 to `stop`, printed every `step`, no step longer than `longest` [s]."""

    def measure_at(self, name: str, node: str, at: float) -> str:
        """The voltage of a node at one time."""
        return f".measure tran {name} find {self.v(node)} at={number(at)}"

    def end(self) -> list[str]:
        """The last line of a deck."""
        return [".end"]
