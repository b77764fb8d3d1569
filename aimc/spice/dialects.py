"""How each simulator writes the same circuit: one class a dialect.

ngspice is run by the tests. LTspice, Xyce, HSPICE and Spectre are written by the grammar of their
manuals, and `ran` is False: syntax only, not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimc.errors import must
from aimc.spice.dialect import Dialect, Pulse, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Ngspice(Dialect):
    """ngspice 39 and later. Run by the tests."""

    name = "ngspice"
    ran = True
    # What `alter` decks write, beside the deck.
    rawfile = "inputs.raw"

    def save(self, vectors: Sequence[str], analysis: str) -> list[str]:
        return [".save " + " ".join(sorted(vectors))]

    def op(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        if len(values) == 1:
            return [".op"]
        # The first point makes the file anew, the others are added to it.
        step = ["op", f"write {self.rawfile}", "destroy"]
        lines = [".control", "set filetype=binary", *step, "set appendwrite"]
        last = list(values[0])
        for row in values[1:]:
            for k, name in enumerate(sources):
                if row[k] != last[k]:
                    lines.append(f"alter {name} dc = {number(row[k])}")
            last = list(row)
            lines += step
        return [*lines, "quit", ".endc"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".options reltol={number(reltol)} abstol=1e-15 vntol=1e-9 chgtol=1e-20 method=trap",
            f".tran {number(step)} {number(stop)} 0 {number(longest)}",
        ]


class LTspice(Dialect):
    """LTspice XVII and later. Syntax only, not run."""

    name = "ltspice"
    sweeps = True
    separator = ":"

    def choice(self, condition: str, yes: str, no: str) -> str:
        return f"if({condition}, {yes}, {no})"

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
    sweeps = True
    separator = ":"

    def subckt(
        self, name: str, ports: Sequence[str], params: Mapping[str, str] | None = None
    ) -> list[str]:
        settings = ["params:", *self._settings(params)] if params else []
        return [" ".join([f".subckt {name}", *ports, *settings])]

    def capacitor(self, name: str, a: str, b: str, farad: str, start: str | None) -> str:
        return f"{name} {a} {b} {farad}" + (f" ic={start}" if start else "")

    def initial(self, node: str, value: str) -> list[str]:
        return []

    def behaviour(self, name: str, a: str, b: str, quantity: str, expression: str) -> str:
        return f"{name} {a} {b} {quantity}={{{_bare(expression)}}}"

    def switch(self, name: str, a: str, b: str, p: str, n: str, ron: str, roff: str) -> list[str]:
        return [
            f"{name} {a} {b} {p} {n} {name}_model",
            f".model {name}_model vswitch (voff=0.499 von=0.501 ron={ron} roff={roff})",
        ]

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

    def tight(self) -> list[str]:
        return [".options nonlin reltol=1e-9 abstol=1e-15 rhstol=1e-15"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".options timeint reltol={number(reltol)} abstol=1e-9 method=trap",
            f".tran {number(step)} {number(stop)} 0 {number(longest)}",
        ]


class HSPICE(Dialect):
    """HSPICE. Syntax only, not run."""

    name = "hspice"
    sweeps = True

    def value(self, text: str) -> str:
        return f"'{text}'"

    def controlled(self, name: str, a: str, b: str, p: str, n: str, gain: str) -> str:
        kind = "vcvs" if name[0] == "e" else "vccs"
        return f"{name} {a} {b} {kind} {p} {n} {gain}"

    def behaviour(self, name: str, a: str, b: str, quantity: str, expression: str) -> str:
        # Its pow() takes whole powers only; pwr(x, y) is sign(x) |x|^y.
        text = _bare(expression).replace("pow(", "pwr(")
        if quantity == "v":
            return f"e{name} {a} {b} vol='{text}'"
        return f"g{name} {a} {b} cur='{text}'"

    def switch(self, name: str, a: str, b: str, p: str, n: str, ron: str, roff: str) -> list[str]:
        return [f"g{name} {a} {b} vcr pwl(1) {p} {n} 0.499,{roff} 0.501,{ron}"]

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

    def tight(self) -> list[str]:
        return [".option reltol=1e-9 reli=1e-9 absi=1e-18 absv=1e-13"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f".option reltol={number(reltol)} absv=1e-9 method=trap delmax={number(longest)}",
            f".tran {number(step)} {number(stop)}",
        ]


class Spectre(Dialect):
    """Spectre, in its own language. Syntax only, not run."""

    name = "spectre"
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
        return text if text.isidentifier() else f"({text})"

    def subckt(
        self, name: str, ports: Sequence[str], params: Mapping[str, str] | None = None
    ) -> list[str]:
        lines = [f"subckt {name} ( {' '.join(ports)} )"]
        if params:
            lines.append(" ".join(["parameters", *self._settings(params)]))
        return lines

    def capacitor(self, name: str, a: str, b: str, farad: str, start: str | None) -> str:
        return f"{name} ( {a} {b} ) capacitor c={farad}" + (f" ic={start}" if start else "")

    def initial(self, node: str, value: str) -> list[str]:
        return []

    def controlled(self, name: str, a: str, b: str, p: str, n: str, gain: str) -> str:
        kind, key = ("vcvs", "gain") if name[0] == "e" else ("vccs", "gm")
        return f"{name} ( {a} {b} {p} {n} ) {kind} {key}={gain}"

    def behaviour(self, name: str, a: str, b: str, quantity: str, expression: str) -> str:
        # An expression with blanks must be in parentheses.
        return f"{name} ( {a} {b} ) bsource {quantity}=({_bare(expression)})"

    def switch(self, name: str, a: str, b: str, p: str, n: str, ron: str, roff: str) -> list[str]:
        return [f"{name} ( {a} {b} {p} {n} ) relay vt1=0.499 vt2=0.501 ropen={roff} rclosed={ron}"]

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

    def tight(self) -> list[str]:
        return ["accuracy options reltol=1e-9 iabstol=1e-18 vabstol=1e-13"]

    def tran(self, step: float, stop: float, longest: float, reltol: float) -> list[str]:
        return [
            f"accuracy options reltol={number(reltol)} iabstol=1e-15 vabstol=1e-9",
            f"conversion tran stop={number(stop)} maxstep={number(longest)} method=traponly",
        ]

    def measure_at(self, name: str, node: str, at: float) -> str:
        raise must(
            "dialect", "measure in its own language", "is spectre", "Read the saved waves instead."
        )

    def end(self) -> list[str]:
        return []


def _bare(expression: str) -> str:
    return expression.replace("{", "").replace("}", "")


DIALECTS: dict[str, Dialect] = {
    each.name: each for each in (Ngspice(), LTspice(), Xyce(), HSPICE(), Spectre())
}


def named(name: str | Dialect) -> Dialect:
    """The dialect of that name. ArgumentError on another."""
    if isinstance(name, Dialect):
        return name
    if name not in DIALECTS:
        raise must("dialect", f"be one of {', '.join(DIALECTS)}", f"is {name!r}")
    return DIALECTS[name]
