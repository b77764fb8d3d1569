"""How each simulator writes the same circuit: one class a dialect.

ngspice is run by the tests. LTspice, Xyce, HSPICE and Spectre are written by the grammar of their
manuals, and `ran` is False: syntax only, not run.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from aimc.errors import must
from aimc.spice.dialect import SPICE, Dialect, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Ngspice(Dialect):
    """ngspice 39 and later. Run by the tests."""

    name = "ngspice"
    ran = True
    # What `alter` decks write, beside the deck.
    rawfile = "inputs.raw"
    grammar = SPICE | {
        "tran": ".options reltol={reltol} abstol=1e-15 vntol=1e-9 chgtol=1e-20 method=trap\n"
                ".tran {step} {stop} 0 {longest}",
    }  # fmt: skip

    def ops(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        # The first point makes the file anew, the others are added to it.
        step = ["op", f"write {self.rawfile}", "destroy"]
        lines = [".control", "set filetype=binary", *step, "set appendwrite"]
        for last, row in pairwise(values):
            changes = zip(sources, last, row, strict=True)
            lines += [f"alter {name} dc = {number(b)}" for name, a, b in changes if a != b]
            lines += step
        return [*lines, "quit", ".endc"]


class LTspice(Dialect):
    """LTspice XVII and later. Syntax only, not run."""

    name = "ltspice"
    sweeps = True
    separator = ":"
    grammar = SPICE | {
        "choice": "if({condition}, {yes}, {no})",
        "tran": ".options reltol={reltol} abstol=1e-15 vntol=1e-9 chgtol=1e-20 plotwinsize=0\n"
                ".tran 0 {stop} 0 {longest}",
    }  # fmt: skip

    def ops(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        lines = [".param input=0", f".step param input 0 {len(values) - 1} 1"]
        for name, column in zip(sources, zip(*values, strict=True), strict=True):
            pairs = ", ".join(f"{n}, {number(value)}" for n, value in enumerate(column))
            lines.append(f".param {name}_dc=table(input, {pairs})")
        return [*lines, ".op"]


class Xyce(Dialect):
    """Xyce 7. Syntax only, not run."""

    name = "xyce"
    sweeps = True
    braces = False
    separator = ":"
    grammar = SPICE | {
        "subckt with params": ".subckt {name} {ports} params: {params}",
        "capacitor with start": "{name} {a} {b} {farad} ic={start}",
        "initial": "",
        "behaviour v": "{name} {a} {b} v={{{expression}}}",
        "behaviour i": "{name} {a} {b} i={{{expression}}}",
        "switch": "{name} {a} {b} {p} {n} {name}_model\n"
                  ".model {name}_model vswitch (voff=0.499 von=0.501 ron={ron} roff={roff})",
        "save": ".print {analysis} format=raw {vectors}",
        "op": ".dc {source} {value} {value} 1.0",
        "tight": ".options nonlin reltol=1e-9 abstol=1e-15 rhstol=1e-15",
        "tran": ".options timeint reltol={reltol} abstol=1e-9 method=trap\n"
                ".tran {step} {stop} 0 {longest}",
    }  # fmt: skip

    def ops(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        return _table(".data inputs\n+", sources, values)


class HSPICE(Dialect):
    """HSPICE. Syntax only, not run."""

    name = "hspice"
    sweeps = True
    braces = False
    power = "pwr"  # sign(x) |x|^y; its pow() takes whole powers only
    grammar = SPICE | {
        "include": ".include '{path}'",
        "value": "'{text}'",
        "controlled e": "{name} {a} {b} vcvs {p} {n} {gain}",
        "controlled g": "{name} {a} {b} vccs {p} {n} {gain}",
        "behaviour v": "e{name} {a} {b} vol='{expression}'",
        "behaviour i": "g{name} {a} {b} cur='{expression}'",
        "switch": "g{name} {a} {b} vcr pwl(1) {p} {n} 0.499,{roff} 0.501,{ron}",
        "save": ".option post=1 probe=1\n.probe {analysis} {vectors}",
        "op": ".op\n.dc {source} {value} {value} 1.0",
        "tight": ".option reltol=1e-9 reli=1e-9 absi=1e-18 absv=1e-13",
        "tran": ".option reltol={reltol} absv=1e-9 method=trap delmax={longest}\n"
                ".tran {step} {stop}",
    }  # fmt: skip

    def ops(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        return _table(".data inputs", sources, values)


class Spectre(Dialect):
    """Spectre, in its own language. Syntax only, not run. It has no measure deck."""

    name = "spectre"
    braces = False
    library = ".scs"
    comment = "// "
    grammar: ClassVar[Mapping[str, str]] = {
        "head": "{title}\nsimulator lang=spectre",
        "include": 'include "{path}"',
        "param": "parameters {name}={value}",
        "choice": SPICE["choice"],
        "subckt": "subckt {name} ( {ports} )",
        "subckt with params": "subckt {name} ( {ports} )\nparameters {params}",
        "ends": "ends {name}",
        "instance": "{name} ( {nodes} ) {subckt} {params}",
        "resistor": "{name} ( {a} {b} ) resistor r={ohm}",
        "capacitor": "{name} ( {a} {b} ) capacitor c={farad}",
        "capacitor with start": "{name} ( {a} {b} ) capacitor c={farad} ic={start}",
        "initial": "",
        "controlled e": "{name} ( {a} {b} {p} {n} ) vcvs gain={gain}",
        "controlled g": "{name} ( {a} {b} {p} {n} ) vccs gm={gain}",
        # An expression with blanks must be in parentheses.
        "behaviour v": "{name} ( {a} {b} ) bsource v=({expression})",
        "behaviour i": "{name} ( {a} {b} ) bsource i=({expression})",
        "switch": "{name} ( {a} {b} {p} {n} ) relay vt1=0.499 vt2=0.501 ropen={roff} rclosed={ron}",
        "voltage": "{name} ( {a} {b} ) vsource type=dc dc={dc}",
        "pulse": "{name} ( {a} {b} ) vsource type=pulse dc={low} val0={low} val1={high}"
                 " delay={delay} rise={edge} fall={edge} width={width} period={period}",
        "pwl": "{name} ( {a} {b} ) vsource type=pwl dc={dc} wave=[ {points} ]",
        "current copy": "{name} ( {a} {b} ) cccs probe={sense} gain={gain}",
        "v": "{node}",
        "i": "{source}:p",
        "save": "save {vectors}",
        "op": "op0 dc",
        "tight": "accuracy options reltol=1e-9 iabstol=1e-18 vabstol=1e-13",
        "tran": "accuracy options reltol={reltol} iabstol=1e-15 vabstol=1e-9\n"
                "conversion tran stop={stop} maxstep={longest} method=traponly",
        "end": "",
    }  # fmt: skip

    def value(self, text: str) -> str:
        return text if text.isidentifier() else f"({text})"

    def ops(self, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
        lines = ["op0 dc"]
        for n, (last, row) in enumerate(pairwise(values), start=1):
            for k, name in enumerate(sources):
                if row[k] != last[k]:
                    lines.append(f"set{n}_{k} alter dev={name} param=dc value={number(row[k])}")
            lines.append(f"op{n} dc")
        return lines


def _table(head: str, sources: Sequence[str], values: Sequence[Sequence[float]]) -> list[str]:
    """Rows of values as a table of inputs, and operating points of each."""
    names = " ".join(f"{name}_dc" for name in sources)
    rows = ["+ " + " ".join(map(number, row)) for row in values]
    return [*f"{head} {names}".splitlines(), *rows, ".enddata", ".dc data=inputs"]


DIALECTS: dict[str, Dialect] = {
    each.name: each for each in (Ngspice(), LTspice(), Xyce(), HSPICE(), Spectre())
}


def named(name: str | Dialect) -> Dialect:
    """The dialect of that name. ArgumentError on another."""
    if isinstance(name, Dialect):
        return name
    if not isinstance(name, str) or name not in DIALECTS:
        raise must("dialect", f"be one of {', '.join(DIALECTS)}", f"is {name!r}")
    return DIALECTS[name]
