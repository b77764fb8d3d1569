"""The model library, written once for ngspice, in the words of every dialect.

A model file holds one subcircuit of the elements that `_statement` lists. In its expressions
`{name}` is a parameter; behavioural sources keep every parameter in braces of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aimc import shipped
from aimc.errors import SpiceError, must
from aimc.spice.dialects import named

if TYPE_CHECKING:
    from aimc.spice.dialect import Dialect

_WORD = re.compile(r"\{[^}]*\}|[^\s{}]+")
_SETTING = re.compile(r"(\w+)=(\{[^}]*\}|\S+)")
_INITIAL = re.compile(r"^\.ic v\((\w+)\)=(.*)$", re.MULTILINE)
_SWITCH = re.compile(r"^\.model (\w+) sw\((.*)\)$", re.MULTILINE)


def models() -> list[str]:
    """The names of the models; each is a subcircuit of that name."""
    return sorted(path.stem for path in shipped.path("netlists/models").glob("*.lib"))


def model(name: str, dialect: str | Dialect = "ngspice") -> str:
    """The text of a model file in a dialect. SpiceError where there is no such model."""
    written = named(dialect)
    if not isinstance(name, str):
        raise must("name", "be that of a model", f"is {name!r}")
    if name not in models():
        raise SpiceError(
            f"There is no model {name}. Those that come with aimc: {', '.join(models())}.",
            "missing",
        )
    text = (shipped.path("netlists/models") / f"{name}.lib").read_text(encoding="utf-8")
    return text if written.ran else translate(text, written)


def translate(text: str, dialect: Dialect) -> str:
    """A model file in another dialect. SpiceError on a statement that has no translation."""
    notes = [line[1:].strip() for line in text.splitlines() if line.startswith("*")]
    body = re.sub(r"\s*\n\+\s*", " ", text)
    statements = [s.strip() for s in body.splitlines() if s.strip() and not s.startswith("*")]
    first, *rest = dialect.write("head", title=dialect.note(notes[0]))
    lines = [first, *map(dialect.note, notes[1:]), *rest]
    for statement in statements:
        lines += _statement(statement, dialect, "\n".join(statements))
    return dialect.text(lines)


def _statement(text: str, d: Dialect, file: str) -> list[str]:
    """A statement of `file` in another dialect."""
    name, *words = _WORD.findall(text)

    def value(word: str) -> str:
        return d.value(word.strip("{} ")) if word.startswith("{") else word

    match name.lower() if name.startswith(".") else name[0], *words:
        case ".subckt", subckt, *rest:
            ports = [word for word in rest if "=" not in word]
            return d.subckt(subckt, ports, dict(w.split("=") for w in rest if "=" in w))
        case ".ends", subckt:
            return d.write("ends", name=subckt)
        case ".ic", *_:
            ((node, start),) = _INITIAL.findall(text)
            return d.write("initial", node=node, value=value(start))
        case ".model", *_:
            return []
        case "r", a, b, ohm:
            return d.write("resistor", name=name, a=a, b=b, ohm=value(ohm))
        case "c", a, b, farad:
            start = dict(_INITIAL.findall(file)).get(a)
            kind = "capacitor with start" if start else "capacitor"
            return d.write(kind, name=name, a=a, b=b, farad=value(farad), start=value(start or ""))
        case "v", a, b, "dc", dc:
            return d.write("voltage", name=name, a=a, b=b, dc=value(dc))
        case "f", a, b, sense, gain:
            return d.write("current copy", name=name, a=a, b=b, sense=sense, gain=float(gain))
        case ("e" | "g") as kind, a, b, p, n, gain:
            return d.write(f"controlled {kind}", name=name, a=a, b=b, p=p, n=n, gain=value(gain))
        case "b", a, b, *_:
            quantity, _, expression = text.split(None, 3)[3].partition("=")
            return d.behaviour(name, a, b, quantity.strip(), expression.strip())
        case "s", a, b, p, n, closing:
            settings = dict(_SETTING.findall(dict(_SWITCH.findall(file))[closing]))
            on, off = value(settings["ron"]), value(settings["roff"])
            return d.write("switch", name=name, a=a, b=b, p=p, n=n, ron=on, roff=off)
        case "x", *_:
            *nodes, subckt = (w for w in words if "=" not in w and not w.startswith("{"))
            params = {key: value(word) for key, word in _SETTING.findall(text)}
            return d.instance(name, nodes, subckt, params)
    raise SpiceError(f"A model must hold known elements, but has {text!r}.", "syntax")
