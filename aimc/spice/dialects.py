"""How each simulator writes the same circuit: one class a dialect, statements in, lines out.

ngspice is run by the tests. LTspice, Xyce, HSPICE and Spectre are written by the grammar of their
manuals, and `ran` is False: syntax only, not run. Devices (cells, integrators, comparators) are
subcircuits of the dialect's include files, so that a deck has sources, wires and instances only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from aimc.errors import must

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    """The statements of one simulator. `folder`: its part of the model library."""

    name: ClassVar[str]
    ran: ClassVar[bool] = False
    folder: ClassVar[str]
    library: ClassVar[str] = ".lib"
    comment: ClassVar[str] = "* "
    separator: ClassVar[str] = "."
    # Several operating points are a sweep over one parameter a source, `NAME_dc`.
    sweeps: ClassVar[bool] = False
    measures: ClassVar[bool] = True

    def wrap(self, line: str) -> str:
        """`line` in pieces shorter than 100 columns, broken at blanks."""
        if len(line) <= WIDTH or line.startswith(self.comment):
            return line
        pieces, rest = [], line
        while len(rest) > WIDTH:
            # Never behind the leading "+ " of a piece: its one blank is no place to break.
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

    def subckt(self, name: str, ports: Sequence[str]) -> str:
        """The first line of a subcircuit."""
        return f".subckt {name} {' '.join(ports)}"

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

    @abstractmethod
    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        """A transient from 0 to `stop`, printed every `step`, no step longer than `longest` [s]."""

    def measure_at(self, name: str, node: str, at: float) -> str:
        """The voltage of a node at one time."""
        return f".measure tran {name} find {self.v(node)} at={number(at)}"

    def measure_rise(self, name: str, node: str, half: float, start: float) -> str:
        """The time at which a node's voltage first rises through `half` after `start`."""
        return f".measure tran {name} when {self.v(node)}={number(half)} td={number(start)} rise=1"

    def end(self) -> list[str]:
        """The last line of a deck."""
        return [".end"]


class Ngspice(Dialect):
    """ngspice 39 and later. Run by the tests."""

    name = "ngspice"
    ran = True
    folder = "ngspice"
    # What `alter` decks write, beside the deck.
    rawfile = "inputs.raw"

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        return [".save " + " ".join(sorted(vectors))]

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        if len(values) == 1:
            return [".op"]
        lines = [".control", "set filetype=binary", "set appendwrite"]
        last = list(values[0])
        for row in values:
            for k, name in enumerate(sources):
                if row[k] != last[k]:
                    lines.append(f"alter {name} dc = {number(row[k])}")
            last = list(row)
            lines += ["op", f"write {self.rawfile}", "destroy"]
        return [*lines, "quit", ".endc"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".options reltol={number(reltol)} abstol=1e-15 vntol=1e-9 chgtol=1e-20 method=trap",
            f".tran {number(step)} {number(stop)} 0 {number(longest)}",
        ]


class LTspice(Dialect):
    """LTspice XVII and later. Syntax only, not run."""

    name = "ltspice"
    folder = "ltspice"
    sweeps = True
    separator = ":"

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        return [".save " + " ".join(sorted(vectors))]

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        if len(values) == 1:
            return [".op"]
        lines = [".param input=0", f".step param input 0 {len(values) - 1} 1"]
        for k, name in enumerate(sources):
            pairs = ", ".join(f"{n}, {number(row[k])}" for n, row in enumerate(values))
            lines.append(f".param {name}_dc=table(input, {pairs})")
        return [*lines, ".op"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".options reltol={number(reltol)} abstol=1e-15 vntol=1e-9 chgtol=1e-20 plotwinsize=0",
            f".tran 0 {number(stop)} 0 {number(longest)}",
        ]


class Xyce(Dialect):
    """Xyce 7. Syntax only, not run."""

    name = "xyce"
    folder = "xyce"
    sweeps = True
    separator = ":"

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        kind = "dc" if analysis == "op" else "tran"
        return [f".print {kind} format=raw " + " ".join(sorted(vectors))]

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        names = [f"{name}_dc" for name in sources]
        if len(values) == 1:
            return [f".dc {sources[0]} {number(values[0][0])} {number(values[0][0])} 1.0"]
        rows = [" ".join(map(number, row)) for row in values]
        data = [".data inputs", "+ " + " ".join(names), *("+ " + row for row in rows), ".enddata"]
        return [*data, ".dc data=inputs"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".options timeint reltol={number(reltol)} abstol=1e-9 method=trap",
            f".tran {number(step)} {number(stop)} 0 {number(longest)}",
        ]


class HSPICE(Dialect):
    """HSPICE. Syntax only, not run."""

    name = "hspice"
    folder = "hspice"
    sweeps = True

    def value(self, text: str) -> str:
        return f"'{text}'"

    def include(self, path: str) -> str:
        return f".include '{path}'"

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        kind = "dc" if analysis == "op" else "tran"
        return [".option post=1 probe=1", f".probe {kind} " + " ".join(sorted(vectors))]

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        if len(values) == 1:
            only = number(values[0][0])
            return [".op", f".dc {sources[0]} {only} {only} 1.0"]
        names = " ".join(f"{name}_dc" for name in sources)
        rows = ["+ " + " ".join(map(number, row)) for row in values]
        return [".data inputs " + names, *rows, ".enddata", ".dc data=inputs"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".option reltol={number(reltol)} absv=1e-9 method=trap delmax={number(longest)}",
            f".tran {number(step)} {number(stop)}",
        ]


class Spectre(Dialect):
    """Spectre, in its own language. Syntax only, not run."""

    name = "spectre"
    folder = "spectre"
    library = ".scs"
    comment = "// "
    measures = False

    def head(self, title: str) -> list[str]:
        return [self.note(title), "simulator lang=spectre"]

    def include(self, path: str) -> str:
        return f'include "{path}"'

    def param(self, name: str, value: float) -> str:
        return f"parameters {name}={number(value)}"

    def value(self, text: str) -> str:
        return text

    def subckt(self, name: str, ports: Sequence[str]) -> str:
        return f"subckt {name} ( {' '.join(ports)} )"

    def ends(self, name: str) -> str:
        return f"ends {name}"

    def instance(
        self, name: str, nodes: Sequence[str], subckt: str, params: Mapping[str, float | str]
    ) -> str:
        return " ".join([name, "(", *nodes, ")", subckt, *self._settings(params)])

    def resistor(self, name: str, a: str, b: str, ohm: str) -> str:
        return f"{name} ( {a} {b} ) resistor r={ohm}"

    def voltage(self, name: str, a: str, b: str, dc: float | str) -> str:
        value = dc if isinstance(dc, str) else number(dc)
        return f"{name} ( {a} {b} ) vsource type=dc dc={value}"

    def pulse(self, name: str, a: str, b: str, pulse: Pulse) -> str:
        period = f" period={number(pulse.period)}" if pulse.period else ""
        return (
            f"{name} ( {a} {b} ) vsource type=pulse dc={number(pulse.low)} val0={number(pulse.low)}"
            f" val1={number(pulse.high)} delay={number(pulse.delay)} rise={number(pulse.edge)}"
            f" fall={number(pulse.edge)} width={number(pulse.width)}{period}"
        )

    def pwl(self, name: str, a: str, b: str, points: Sequence[tuple[float, float]]) -> str:
        listed = " ".join(f"{number(t)} {number(v)}" for t, v in points)
        return f"{name} ( {a} {b} ) vsource type=pwl dc={number(points[0][1])} wave=[ {listed} ]"

    def current_copy(self, name: str, a: str, b: str, sense: str, gain: float) -> str:
        return f"{name} ( {a} {b} ) cccs probe={sense} gain={number(gain)}"

    def v(self, node: str) -> str:
        return node

    def i(self, source: str) -> str:
        return f"{source}:p"

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        return ["save " + " ".join(sorted(vectors))]

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        lines = ["op0 dc"]
        last = list(values[0])
        for n, row in enumerate(values[1:], start=1):
            for k, name in enumerate(sources):
                if row[k] != last[k]:
                    lines.append(f"set{n}_{k} alter dev={name} param=dc value={number(row[k])}")
            last = list(row)
            lines.append(f"op{n} dc")
        return lines

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f"accuracy options reltol={number(reltol)} iabstol=1e-15 vabstol=1e-9",
            f"conversion tran stop={number(stop)} maxstep={number(longest)} method=traponly",
        ]

    def measure_at(self, name: str, node: str, at: float) -> str:
        raise NotImplementedError

    def end(self) -> list[str]:
        return []


DIALECTS: dict[str, Dialect] = {
    each.name: each for each in (Ngspice(), LTspice(), Xyce(), HSPICE(), Spectre())
}


def dialect(name: str | Dialect) -> Dialect:
    """The dialect of that name. ArgumentError on another."""
    if isinstance(name, Dialect):
        return name
    if name not in DIALECTS:
        raise must("dialect", f"be one of {', '.join(DIALECTS)}", f"is {name!r}")
    return DIALECTS[name]
