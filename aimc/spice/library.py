"""The model library, written once for ngspice, in the words of every dialect.

A model file holds one subcircuit of the elements that `_element` lists. In its expressions `{name}`
is a parameter; behavioural sources keep every parameter in braces of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aimc import shipped
from aimc.errors import SpiceError
from aimc.spice.dialects import named

if TYPE_CHECKING:
    from aimc.spice.dialect import Dialect

_WORD = re.compile(r"\{[^}]*\}|[^\s{}]+")


def models() -> list[str]:
    """The names of the models; each is a subcircuit of that name."""
    return sorted(path.stem for path in shipped.path("netlists/models").glob("*.lib"))


def model(name: str, dialect: str | Dialect = "ngspice") -> str:
    """The text of a model file in a dialect. SpiceError where there is no such model."""
    written = named(dialect)
    file = shipped.path("netlists/models") / f"{name}.lib"
    if not file.is_file():
        raise SpiceError(
            f"There is no model {name}. Those that come with aimc: {', '.join(models())}.",
            "missing",
        )
    text = file.read_text(encoding="utf-8")
    return text if written.ran else translate(text, written)


def translate(text: str, dialect: Dialect) -> str:
    """A model file in another dialect. SpiceError on a statement that has no translation."""
    notes, statements = [], []
    for line in text.splitlines():
        if line.startswith("*"):
            notes.append(line[1:].strip())
        elif line.startswith("+"):
            statements[-1] += " " + line[1:].strip()
        elif line.strip():
            statements.append(line.strip())
    first, *rest = dialect.head(notes[0])
    lines = [first, *map(dialect.note, notes[1:]), *rest]
    switches = dict(filter(None, map(_switch_model, statements)))
    initial = dict(filter(None, map(_initial, statements)))
    for statement in statements:
        lines += _statement(statement, dialect, switches, initial)
    return dialect.text(lines)


def _statement(
    text: str, dialect: Dialect, switches: dict[str, dict[str, str]], initial: dict[str, str]
) -> Iterator[str]:
    words = _WORD.findall(text)
    kind = words[0].lower()
    if kind == ".subckt":
        ports = [word for word in words[2:] if "=" not in word]
        settings = dict(word.split("=") for word in words[2:] if "=" in word)
        yield from dialect.subckt(words[1], ports, settings)
    elif kind == ".ends":
        yield dialect.ends(words[1])
    elif kind == ".ic":
        node, value = next(iter(initial.items()))
        yield from dialect.initial(node, dialect.value(_inner(value)))
    elif kind != ".model":
        yield from _element(text, words, dialect, switches, initial)


def _element(
    text: str, words: list[str], dialect: Dialect,
    switches: dict[str, dict[str, str]], initial: dict[str, str],
) -> Iterator[str]:  # fmt: skip
    name, a, b, *rest = words

    def value(word: str) -> str:
        return dialect.value(_inner(word)) if word.startswith("{") else word

    if name[0] == "r":
        yield dialect.resistor(name, a, b, value(rest[0]))
    elif name[0] == "c":
        start = initial.get(a)
        yield dialect.capacitor(name, a, b, value(rest[0]), value(start) if start else None)
    elif name[0] == "v":
        yield dialect.voltage(name, a, b, value(rest[1]))
    elif name[0] == "f":
        yield dialect.current_copy(name, a, b, rest[0], float(rest[1]))
    elif name[0] in "eg":
        yield dialect.controlled(name, a, b, rest[0], rest[1], value(rest[2]))
    elif name[0] == "b":
        quantity, _, expression = text.split(None, 3)[3].partition("=")
        yield dialect.behaviour(name, a, b, quantity.strip(), expression.strip())
    elif name[0] == "s":
        settings = switches[rest[2]]
        yield from dialect.switch(
            name, a, b, rest[0], rest[1], value(settings["ron"]), value(settings["roff"])
        )
    elif name[0] == "x":
        nodes = [word for word in words[1:] if "=" not in word and not word.startswith("{")]
        pairs = re.findall(r"(\w+)=(\{[^}]*\}|\S+)", text)
        yield dialect.instance(name, nodes[:-1], nodes[-1], {k: value(v) for k, v in pairs})
    else:
        raise SpiceError(f"A model must hold known elements, but has {text!r}.", "syntax")


def _inner(word: str) -> str:
    return word.strip("{}").strip()


def _switch_model(statement: str) -> tuple[str, dict[str, str]] | None:
    match = re.fullmatch(r"\.model (\w+) sw\((.*)\)", statement)
    return (match[1], dict(re.findall(r"(\w+)=(\{\w+\}|\S+)", match[2]))) if match else None


def _initial(statement: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"\.ic v\((\w+)\)=(.*)", statement)
    return (match[1], match[2]) if match else None
