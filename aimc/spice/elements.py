"""The resistors and voltage sources of a flat netlist; what it does not know, it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import SpiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCALE = {"t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6,
          "n": 1e-9, "p": 1e-12, "f": 1e-15}  # fmt: skip
# Units that are known; another letter, as in 10a or 10x, is a scale to one simulator only.
_NUMBER = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|mil|[tgkmunpf])?(?:ohms?|v|volts?)?"
)
# Statements of a flat netlist that leave its resistors as they are.
_IDLE = {".op", ".dc", ".ac", ".tran", ".save", ".print", ".plot", ".probe", ".meas", ".measure",
         ".title", ".width", ".backanno", ".global", ".param", ".ic", ".nodeset"}  # fmt: skip
_OPTIONS = (".options", ".option", ".opt")
_STRONG = re.compile(r"(?:scale|temp|tnom|rshunt|gshunt|defr)")


def require(holds: object, message: str) -> None:
    """Raises SpiceError (reason "import") with this message where a netlist cannot be read."""
    if not holds:
        raise SpiceError(message, "import")


@dataclass(frozen=True)
class Resistor:
    """A resistor between two nodes [ohm]."""

    name: str
    a: str
    b: str
    ohm: float

    def other(self, node: str) -> str:
        """Its other end."""
        return self.b if node == self.a else self.a


def spice_number(text: str) -> float:
    """A number as SPICE reads it: `4.7k`, `1meg`, `10kohm`. SpiceError where it is none, or one
    that simulators read differently.
    """
    match = _NUMBER.fullmatch(text.strip("{}'").lower())
    if match is None:
        raise SpiceError(f"A value must be a number, but is {text!r}.", "import")
    value = float(match[1]) * _SCALE.get(match[2] or "", 1.0)
    require(np.isfinite(value), f"A value must be a number that is finite, but is {text!r}.")
    return value


def elements(
    statements: Sequence[list[str]],
) -> tuple[list[Resistor], list[tuple[str, str, str, float]]]:
    """Resistors, and voltage sources as (name, plus, minus, volts). SpiceError on all else that
    may change the circuit.
    """
    resistors: list[Resistor] = []
    sources: list[tuple[str, str, str, float]] = []
    names: set[str] = set()
    control = False
    for words in statements:
        name, kind = words[0], words[0][0]
        if control or name == ".control":
            control = name != ".endc"
            altered = name.startswith("alter")
            require(not altered, f"Values must stand as they are, but {name} is there.")
            continue
        if kind == ".":
            _check_statement(words)
            continue
        only = f"A crossbar of resistors has R and V elements only, but {name} is there."
        require(kind in "rv", only)
        require(name not in names, f"{name} must stand once, but is there twice.")
        names.add(name)
        whole = f"{name} must have two nodes and a value, but is `{' '.join(words)}`."
        require(len(words) >= 4 - (kind == "v"), whole)
        a, b = ("0" if node in ("gnd", "gnd!") else node for node in words[1:3])
        if kind == "r":
            resistors.append(Resistor(name, a, b, _ohm(name, words[3:])))
        else:
            value = next((w for w in words[3:] if _NUMBER.fullmatch(w)), "0")
            sources.append((name, a, b, spice_number(value)))
    require(resistors, "A crossbar must have resistors, but there are none.")
    return resistors, sources


def _check_statement(words: list[str]) -> None:
    """Refuses what may change the circuit in a way that is not read here."""
    strong = [word for word in words[1:] if _STRONG.match(word)]
    harmless = not strong if words[0] in _OPTIONS else words[0] in _IDLE
    what = [words[0], *(strong if words[0] in _OPTIONS else words[1:])][:2]
    require(
        harmless, f"A netlist to be read must be flat and plain, but `{' '.join(what)}` is there."
    )


def _ohm(name: str, words: list[str]) -> float:
    """The resistance of `value [m=number]`, as words: m of them stand side by side."""
    value, *rest = words
    ohm, count = spice_number(value.removeprefix("r=")), 1.0
    for word in rest:
        key, _, number = word.partition("=")
        one = f"{name} must have a value and perhaps m=..., but has {word!r} after it."
        require(key == "m" and count == 1, one)
        count = spice_number(number)
    positive = 0 < ohm < np.inf and 0 < count < np.inf
    require(positive, f"{name} must be greater than 0, but is {ohm:g}, m={count:g}.")
    return ohm / count
