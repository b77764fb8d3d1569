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
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aimc import shipped
from aimc.cost.checks import one_of, several
from aimc.errors import ArgumentError, CardError, as_a, as_flag, must
from aimc.parts.fields import Description, Quantity, descriptions, quantity

_LARGEST = 10e-6  # the node of the first microprocessors [m]


class _Whole(Quantity):
    def check(self, name: str, value: Any) -> float:
        number = super().check(name, value)
        if number != int(number):
            raise must(name, "be a whole number", f"is {number:g}")
        return number


_UNITS = {"energy": "J", "power": "W", "area": "m**2", "latency": "s", "wire_energy": "J/m"}
_COUNTS = ("shared", "serves", "processors", "cycles", "bits")
QUANTITIES: Mapping[str, Description] = MappingProxyType({
    **{name: Quantity("", False, unit, 0, None, None, 0) for name, unit in _UNITS.items()},
    **dict.fromkeys(_COUNTS, _Whole("", False, "1", 1, None, None, 0)),
})  # fmt: skip
"""What an element may take."""
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


def _check(of: Any, mapping: str, numbers: Collection[str], *doubts: str) -> None:
    """Fields as they are described, the source of every number, and doubts about these alone.

    mapping: the field besides `source` that is one. doubts: the fields that name numbers.
    """
    for name, what in descriptions(type(of)).items():
        object.__setattr__(of, name, what.check(name, getattr(of, name)))
    for name in (mapping, "source"):
        value = as_a(name, getattr(of, name), Mapping)
        object.__setattr__(of, name, MappingProxyType({**value}))
    for name in numbers:
        if not str(of.source.get(name, "")).strip():
            raise ArgumentError(f"`source` must name the source of {name}, but does not.")
    for field in doubts:
        names = several(field, getattr(of, field), str, "hold names of quantities")
        object.__setattr__(of, field, names)
        for name in names:
            if name not in numbers:
                raise must(field, f"be of {', '.join(numbers)}", f"name {name}")


@dataclass(frozen=True)
class Element:
    """What one element takes, as its source states it; `CostCard.of` scales it.

    values: quantity -> value [SI]. node [m] and voltage [V] of the source; scales: whether the
    scaling rule applies. source: of each quantity. unverified: assumed, or derived by a stated
    step; fitted: chosen so that published totals come out.
    """

    values: Mapping[str, float]
    source: Mapping[str, str]
    node: float = quantity("m", above=0, maximum=_LARGEST)
    voltage: float = quantity("V", above=0)
    scales: bool = False
    unverified: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self, "values", self.values, "unverified", "fitted")
        as_flag("scales", self.scales)
        for name, value in self.values.items():
            one_of("values", name, QUANTITIES)
            QUANTITIES[name].check(name, value)

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
    elements: Mapping[str, Element]
    source: Mapping[str, str]
    node: float = quantity("m", above=0, maximum=_LARGEST)
    voltage: float = quantity("V", above=0)
    frequency: float = quantity("Hz", above=0)
    unverified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self, "elements", descriptions(CostCard), "unverified")
        for name, quantities in ELEMENTS.items():
            given = self.elements.get(name)
            for each in quantities:
                if not isinstance(given, Element) or each not in given.values:
                    raise ArgumentError(f"`{name}` must give {each}, but does not.")

    def of(self, element: str, quantity: str) -> float:
        """A quantity of an element [SI], scaled to this card's node and voltage.

        Raises ArgumentError where there is no such element or quantity.
        """
        e = self._element(element, quantity)
        value = e.values[quantity]
        if not e.scales or quantity not in ("energy", "power", "area"):
            return value
        s = self.node / e.node
        return value * (s**2 if quantity == "area" else s * (self.voltage / e.voltage) ** 2)

    def _element(self, name: str, *quantities: str) -> Element:
        """The element of that name, which has these quantities."""
        one_of("element", name, self.elements)
        for each in quantities:
            one_of("quantity", each, self.elements[name].values)
        return self.elements[name]

    @property
    def period(self) -> float:
        """Of the digital clock [s]."""
        return 1.0 / self.frequency

    def at(
        self, node: float | None = None, voltage: float | None = None,
        frequency: float | None = None,
    ) -> CostCard:  # fmt: skip
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
        e = self._element(element, *values)
        changed = dataclasses.replace(e, values={**e.values, **values})
        return dataclasses.replace(self, elements={**self.elements, element: changed})

    def doubts(self) -> list[str]:
        """Every number that is fitted or unverified, as "element.quantity (mark)"."""
        found = [f"{name} (unverified)" for name in self.unverified]
        for name, e in self.elements.items():
            found += [f"{name}.{q} ({e.mark(q)})" for q in e.values if e.mark(q)]
        return found


def load(costs: str | Path | CostCard = "puma-ramp") -> CostCard:
    """A shipped cost card by its name, a card file (a path ending in .toml), or a card itself.

    Raises CardError where it is unknown, a quantity is missing, has a wrong unit or no source.
    """
    if isinstance(costs, CostCard):
        return costs
    if not isinstance(costs, str | Path):
        raise must("costs", "be a cost card, its name or its file", f"is {costs!r}")
    return _load(costs)


@functools.cache
def _load(card: str | Path) -> CostCard:
    path = Path(card)
    if path.suffix != ".toml":
        path = shipped.path("circuits") / "costs" / f"{card}.toml"
    if not path.exists():
        known = sorted(p.stem for p in (shipped.path("circuits") / "costs").glob("*.toml"))
        raise CardError(f"There is no cost card {card}; there are {', '.join(known)}.")
    table = shipped.toml(path)
    try:
        return _card(path.stem, table)
    except (ArgumentError, TypeError, AttributeError) as error:
        raise CardError(f"{path.name}: {error}") from error


def _card(name: str, table: dict[str, Any]) -> CostCard:
    head = _parsed("", table, ("about", "source", *descriptions(CostCard), *ELEMENTS))
    elements = {each: _element(each, head.pop(each), head) for each in ELEMENTS}
    return CostCard(name, elements=elements, **head)


def _element(name: str, table: Any, head: Mapping[str, Any]) -> Element:
    """head: of the card, whose node and voltage are the element's where its table has none."""
    if not isinstance(table, dict):
        raise ArgumentError(f"{name} must be a table, but is {table!r}.")
    optional = ("node", "voltage", "scales", "unverified", "fitted")
    own = _parsed(f"{name}.", table, (*ELEMENTS[name], "source"), optional)
    values = {each: own.pop(each) for each in ELEMENTS[name]}
    if isinstance(own["source"], str):
        own["source"] = dict.fromkeys(values, own["source"])
    try:
        return Element(values, **{"node": head["node"], "voltage": head["voltage"], **own})
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from error


def _parsed(
    place: str, table: Mapping[str, Any], needed: Collection[str],
    optional: Collection[str] = ("unverified",),
) -> dict[str, Any]:  # fmt: skip
    """A table that must hold `needed` and may hold `optional`, its numbers as SI."""
    known, found = {**QUANTITIES, **descriptions(CostCard)}, dict(table)
    for key in table:
        if key not in (*needed, *optional):
            allowed = ", ".join((*needed, *optional))
            raise ArgumentError(f"{place}{key} is an unknown key; allowed are {allowed}.")
        try:
            if key in known:
                found[key] = known[key].parse(table[key])
        except ArgumentError as error:
            raise ArgumentError(f"{place}{key} {error}.") from error
    for key in needed:
        if key not in table:
            raise ArgumentError(f"{place}{key} must be given, but is missing.")
    return found
