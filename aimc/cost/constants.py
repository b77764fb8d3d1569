"""Cost cards: the constants of a technology, each with its unit and source."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aimc import shipped, units
from aimc.errors import ArgumentError, CardError, as_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"energy": "J", "power": "W", "area": "m**2"}


@dataclass(frozen=True)
class Constants:
    """Costs of one element each.

    conversion_energy: comparator, counter and ramp, a column and clock period [J]; converter_area:
    a column's converter [m^2]. driver_power, driver_area: a row's driver [W, m^2];
    sample_hold_power, sample_hold_area: a column of cells' [W, m^2]. cell_area: one cell [m^2].
    source: the source of each, by name; unverified: names of those that are assumptions.
    """

    conversion_energy: float
    converter_area: float
    driver_power: float
    driver_area: float
    sample_hold_power: float
    sample_hold_area: float
    cell_area: float
    source: Mapping[str, str]
    unverified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in QUANTITIES:
            as_number(name, getattr(self, name), minimum=0)
            if not str(self.source.get(name, "")).strip():
                raise ArgumentError(f"`source` must name the source of {name}, but does not.")

    def says(self, *names: str) -> str:
        """The sources of these constants, as text."""
        return "; ".join(
            f"{name}{' (unverified)' if name in self.unverified else ''}: {self.source[name]}"
            for name in names
        )


QUANTITIES = tuple(f.name for f in fields(Constants) if f.name not in ("source", "unverified"))


@functools.cache
def load(card: str | Path = "puma-ramp") -> Constants:
    """The constants of a shipped cost card, or of a card file (a path ending in .toml).

    Raises CardError where it is unknown, a constant is missing, has a wrong unit or no source.
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
    table.pop("about", None)
    source, unverified = table.pop("source", {}), tuple(table.pop("unverified", ()))
    for key in (*table, *unverified):
        if key not in QUANTITIES:
            raise CardError(
                f"{path.name}: {key} is an unknown key; allowed are {', '.join(QUANTITIES)}."
            )
    values = {}
    for key in QUANTITIES:
        if key not in table:
            raise CardError(f"{path.name}: {key} must be given, but is missing.")
        try:
            values[key] = units.parse(str(table[key]), _UNITS[key.rpartition("_")[2]])
        except ArgumentError as error:
            raise CardError(f"{path.name}: {key} {error}.") from error
    try:
        return Constants(**values, source=MappingProxyType(source), unverified=unverified)
    except (ArgumentError, TypeError) as error:
        raise CardError(f"{path.name}: {error}") from error
