"""Cost cards: what one element of each component takes, at which node, and who says so.

Scaling rule, s = node of the card / node of the source, and V the supplies: digital circuits
(`scales = true`) keep s^2 of their area and s (V / V_source)^2 of their energy and power, as area
goes with the square of lengths, and energy with capacitance and the square of the voltage
[Dennard et al. 1974]. Cells and analog circuits are taken as they are: programming currents, noise
and matching set their size. Times are counted in clock periods, and do not scale.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aimc import shipped, units
from aimc.errors import ArgumentError, CardError, as_number, must

UNITS = {
    "energy": "J", "power": "W", "area": "m**2", "latency": "s", "wire_energy": "J/m",
    "shared": "1", "serves": "1", "processors": "1", "cycles": "1",
    "bits": "1",
}  # fmt: skip
_HEAD = {"node": "m", "voltage": "V", "frequency": "Hz"}
_WHOLE = ("shared", "serves", "processors", "cycles", "bits")
_LARGEST = 10e-6  # the node of the first microprocessors [m]
ELEMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "cell": ("area",),
    "driver": ("power", "area"),
    "dac": ("power", "area"),
    "integrator": ("power", "area"),
    "sample_hold": ("power", "area"),
    "converter": ("energy", "area"),
    "sar": ("energy", "latency", "area", "shared"),
    "one_step": ("energy", "latency", "area", "shared", "bits"),
    "adder": ("energy", "area"),
    "look_up": ("energy", "area", "processors", "cycles"),
    "alu": ("energy", "area", "serves"),
    "buffer": ("energy", "area"),
    "routing": ("wire_energy",),
})  # fmt: skip
"""Each element with the quantities that a card must give for it; see `docs/cost.md`."""


@dataclass(frozen=True)
class Element:
    """What one element takes, as its source states it; `CostCard.of` scales it.

    values: quantity -> value [SI]. node [m] and voltage [V] of the source; scales: whether the
    scaling rule applies. source: of each quantity. unverified: assumed, or derived by a stated
    step; fitted: chosen so that published totals come out.
    """

    values: Mapping[str, float]
    source: Mapping[str, str]
    node: float
    voltage: float
    scales: bool = False
    unverified: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        as_number("node", self.node, above=0, maximum=_LARGEST)
        as_number("voltage", self.voltage, above=0)
        if not isinstance(self.scales, bool):
            raise must("scales", "be true or false", f"is {self.scales!r}")
        for name, value in self.values.items():
            if name not in UNITS:
                raise must("values", f"be of {', '.join(UNITS)}", f"hold {name}")
            as_number(name, value, minimum=1 if name in _WHOLE else 0)
            if name in _WHOLE and value != int(value):
                raise must(name, "be a whole number", f"is {value:g}")
            if not str(self.source.get(name, "")).strip():
                raise ArgumentError(f"`source` must name the source of {name}, but does not.")
        for name in (*self.unverified, *self.fitted):
            if name not in self.values:
                raise must("unverified, fitted", "name quantities of the element", f"name {name}")

    def mark(self, quantity: str) -> str:
        """ "fitted", "unverified" or nothing."""
        if quantity in self.fitted:
            return "fitted"
        return "unverified" if quantity in self.unverified else ""

    def doubts(self) -> str:
        """The quantities that are fitted or unverified, as text."""
        return ", ".join(f"{q} {self.mark(q)}" for q in self.values if self.mark(q))

    def says(self) -> str:
        """The sources of all quantities, as text."""
        texts: dict[str, list[str]] = {}
        for name in self.values:
            mark = self.mark(name)
            texts.setdefault(self.source[name], []).append(f"{name} ({mark})" if mark else name)
        return "; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


@dataclass(frozen=True)
class CostCard:
    """The elements of a technology, and the node [m], supply [V] and clock [Hz] they run at.

    source: of these three; unverified: those that are assumed.
    """

    name: str
    about: str
    node: float
    voltage: float
    frequency: float
    elements: Mapping[str, Element]
    source: Mapping[str, str]
    unverified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in _HEAD:
            most = _LARGEST if name == "node" else None
            as_number(name, getattr(self, name), above=0, maximum=most)
            if not str(self.source.get(name, "")).strip():
                raise ArgumentError(f"`source` must name the source of {name}, but does not.")
        for name in self.unverified:
            if name not in _HEAD:
                raise must("unverified", f"be of {', '.join(_HEAD)}", f"holds {name}")
        for name, quantities in ELEMENTS.items():
            missing = [q for q in quantities if q not in self.elements[name].values]
            if missing:
                raise ArgumentError(f"`{name}` must give {missing[0]}, but does not.")

    def of(self, element: str, quantity: str) -> float:
        """A quantity of an element [SI], scaled to this card's node and voltage."""
        e = self.elements[element]
        value = e.values[quantity]
        if not e.scales or quantity not in ("energy", "power", "area"):
            return value
        s = self.node / e.node
        return value * (s**2 if quantity == "area" else s * (self.voltage / e.voltage) ** 2)

    @property
    def period(self) -> float:
        """Of the digital clock [s]."""
        return 1.0 / self.frequency

    def at(
        self,
        node: float | None = None,
        voltage: float | None = None,
        frequency: float | None = None,
    ) -> CostCard:
        """This card at another `node` [m], `voltage` [V] or `frequency` [Hz] of its digital
        circuits.

        node and voltage move what `scales` alone: cells, analog circuits and routing stay.
        frequency moves the phases that count clock periods: sums, look-ups, element-wise
        operations. A read, a ramp and the macro's own converters keep the times of the hardware
        (`t_step` of its driver and of its adc), and energies stay: they are of operations.
        """
        given = {"node": node, "voltage": voltage, "frequency": frequency}
        fields: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        return dataclasses.replace(self, **fields)

    def replace(self, element: str, **values: float) -> CostCard:
        """This card with other values of one element, as its source would state them.

        Raises ArgumentError where there is no such element or quantity.
        """
        if element not in self.elements:
            raise must("element", f"be one of {', '.join(self.elements)}", f"is {element!r}")
        e = self.elements[element]
        for name in values:
            if name not in e.values:
                raise must("values", f"be of {', '.join(e.values)}", f"hold {name}")
        changed = dataclasses.replace(e, values=MappingProxyType({**e.values, **values}))
        elements = MappingProxyType({**self.elements, element: changed})
        return dataclasses.replace(self, elements=elements)

    def doubts(self) -> list[str]:
        """Every number that is fitted or unverified, as "element.quantity (mark)"."""
        found = [f"{name} (unverified)" for name in self.unverified]
        for name, e in self.elements.items():
            found += [f"{name}.{q} ({e.mark(q)})" for q in e.values if e.mark(q)]
        return found


def as_card(costs: Any) -> CostCard:
    """A cost card, given itself, by its name or by its file. Raises as `load`."""
    if isinstance(costs, CostCard):
        return costs
    if not isinstance(costs, str | Path):
        raise must("costs", "be a cost card, its name or its file", f"is {costs!r}")
    return load(costs)


@functools.cache
def load(card: str | Path = "puma-ramp") -> CostCard:
    """A shipped cost card, or a card file (a path ending in .toml).

    Raises CardError where it is unknown, a quantity is missing, has a wrong unit or no source.
    """
    path = Path(card)
    if path.suffix != ".toml":
        path = shipped.path("circuits") / "costs" / f"{card}.toml"
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = sorted(p.stem for p in (shipped.path("circuits") / "costs").glob("*.toml"))
        raise CardError(f"There is no cost card {card}; there are {', '.join(known)}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CardError(f"{path.name}: must be a TOML file, but {error}.") from error
    try:
        return _card(path.stem, table)
    except (ArgumentError, TypeError, AttributeError) as error:
        raise CardError(f"{path.name}: {error}") from error


def _card(name: str, table: dict[str, Any]) -> CostCard:
    allowed = ("about", *_HEAD, "source", "unverified", *ELEMENTS)
    _known("", table, allowed)
    _given("", table, ("about", *_HEAD, "source", *ELEMENTS))
    values = {key: _parse(key, table[key], unit) for key, unit in _HEAD.items()}
    elements = {
        key: _element(key, table[key], quantities, values["node"], values["voltage"])
        for key, quantities in ELEMENTS.items()
    }
    return CostCard(
        name, str(table["about"]), **values, elements=MappingProxyType(elements),
        source=MappingProxyType(dict(table["source"])),
        unverified=tuple(table.get("unverified", ())),
    )  # fmt: skip


def _element(
    name: str, table: Mapping[str, Any], quantities: tuple[str, ...], node: float, voltage: float
) -> Element:
    own = ("node", "voltage", "scales", "source", "unverified", "fitted")
    _known(f"{name}.", table, (*quantities, *own))
    _given(f"{name}.", table, (*quantities, "source"))
    values = {q: _parse(f"{name}.{q}", table[q], UNITS[q]) for q in quantities}
    source = table["source"]
    if isinstance(source, str):
        source = dict.fromkeys(quantities, source)
    try:
        return Element(
            MappingProxyType(values),
            MappingProxyType(source),
            _parse(f"{name}.node", table["node"], "m") if "node" in table else node,
            _parse(f"{name}.voltage", table["voltage"], "V") if "voltage" in table else voltage,
            table.get("scales", False),
            tuple(table.get("unverified", ())),
            tuple(table.get("fitted", ())),
        )
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from error


def _known(place: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            raise ArgumentError(
                f"{place}{key} is an unknown key; allowed are {', '.join(allowed)}."
            )


def _given(place: str, table: Mapping[str, Any], needed: tuple[str, ...]) -> None:
    for key in needed:
        if key not in table:
            raise ArgumentError(f"{place}{key} must be given, but is missing.")


def _parse(name: str, value: Any, unit: str) -> float:
    if unit == "1" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    try:
        return units.parse(str(value), unit)
    except ArgumentError as error:
        raise ArgumentError(f"{name} {error}.") from error
