"""Hardware as TOML cards: every number has a unit and a source.

A part stands inside the card or in a file of its own (`device = "taox-1t1r"`). What a table may
hold, and in which units, its class says itself: see `aimc.parts.registry`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import MISSING, Field, dataclass, fields, replace
from pathlib import Path
from typing import Any

import tomli_w

from aimc import shipped
from aimc.errors import ArgumentError, CardError, as_a, as_text
from aimc.macro import Hardware
from aimc.parts.fields import Choice, Count, Description, Link, Quantity, descriptions
from aimc.parts.registry import Part, Source, identity, name_of, named, path_of

_NOTES = ("about", "source", "unverified")
_SAID = ("about", "sources")  # what a part knows of its card
# Defaults that a card may leave out, because they stand for an absence.
_ABSENT = (0, (), (0.0, float("inf")))


@dataclass(frozen=True)
class Entry:
    """One number of a card: the part it belongs to, what it says, and who says so."""

    table: str
    key: str
    text: str
    source: str
    verified: bool


@dataclass(frozen=True)
class Card:
    """A card as read: the hardware, a sentence about it, and each number with its source."""

    hardware: Hardware
    about: str
    entries: tuple[Entry, ...]


def names() -> list[str]:
    """The names of the hardware cards that come with aimc."""
    return sorted(path.stem for path in (shipped.path("circuits") / "hardware").glob("*.toml"))


def load(card: str | Path) -> Hardware:
    """The hardware of a shipped card (`load("taox-1t1r-128")`) or of a card file (a path).

    Raises CardError where the card is unknown, unreadable, or says something that cannot be.
    """
    return read(card).hardware


def read(card: str | Path) -> Card:
    """As `load`, with what the card says about itself and the source of each number."""
    file = _find("hardware", card, Path())
    entries: list[Entry] = []
    table = shipped.toml(file)
    hardware = _build(Hardware, {"name": file.stem, **table}, "", file, entries)
    return Card(hardware, hardware.about, tuple(entries))


def dump(hardware: Hardware, source: str = "set by the user") -> str:
    """`hardware` as the text of a card that loads to an equal Hardware, in SI units.

    What a card says about itself stays. A number that a card gave, and that was not changed since,
    keeps its source and whether it was verified; source: of all others. Raises CardError where a
    part has no name on a card.
    """
    as_a("hardware", hardware, Hardware)
    return tomli_w.dumps(_table(hardware, as_text("source", source)))


def digest(hardware: Hardware) -> str:
    """SHA-256 [hex] of all numbers and classes of `hardware`; names and sources do not count.

    A class that is not registered counts by its module and name. Raises ArgumentError where a part
    holds what no digest can tell apart.
    """
    as_a("hardware", hardware, Hardware)
    told = {k: v for k, v in identity(hardware).items() if k != "type"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _find(folder: str, card: str | Path, beside: Path) -> Path:
    """The file of a shipped card, or of a path, which is relative to the folder `beside`."""
    if not isinstance(card, str | Path):
        raise CardError(f"A card must be a name or a path, but is {card!r}.")
    if isinstance(card, Path) or card.endswith(".toml") or "/" in card:
        path = beside / Path(card).expanduser()
        if not path.is_file():
            raise CardError(f"The card {path} must be a file, but there is none.")
        return path
    root = shipped.path("circuits") / folder
    if not (path := root / f"{card}.toml").is_file():
        known = sorted(file.stem for file in root.glob("*.toml"))
        near = difflib.get_close_matches(card, known, n=3, cutoff=0.5)
        raise CardError(
            f"There is no card {card!r} in {folder}."
            + (f" Did you mean {' or '.join(near)}?" if near else "")
            + f" Cards that come with aimc: {', '.join(known)}. A card of your own: give its"
            " path, ending in .toml."
        )
    return path


def _part(kind: type[Part], value: Any, where: str, file: Path, entries: list[Entry]) -> Any:
    """The part of that kind at `where`: a table of this card, or the name of a card of its own."""
    if isinstance(value, str) and kind.folder:
        own, inside = _find(kind.folder, value, file.parent), []
        table = shipped.toml(own)
        named_ = "name" in {f.name for f in fields(kind)}
        part = _part(kind, {"name": own.stem, **table} if named_ else table, "", own, inside)
        entries += [replace(e, table=".".join(filter(None, (where, e.table)))) for e in inside]
        return part
    place = f"{file.name}: {where or kind.__name__}"
    if not isinstance(value, dict):
        by_name = " or the name of a card" if kind.folder else ""
        raise CardError(f"{place} must be a table{by_name}, but is {value!r}.")
    types, name = named(kind), value.get("type", name_of(kind))
    if name not in types:
        came = "is missing" if name is None else f"is {name!r}"
        raise CardError(f"{place}: type must be one of {', '.join(sorted(types))}, but {came}.")
    return _build(
        types[name], {k: v for k, v in value.items() if k != "type"}, where, file, entries
    )


def _build(
    cls: type[Part], table: dict[str, Any], where: str, file: Path, entries: list[Entry]
) -> Any:
    """An instance of `cls`; each number and its source is added to `entries`."""
    at = f"{file.name}: {where}." if where else f"{file.name}: "
    known, values = {f.name: f for f in fields(cls) if f.name not in _SAID}, {}
    for key in table:
        if key not in (*known, *_NOTES):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise CardError(f"{at}{key} is an unknown key; allowed are {', '.join(known)}.{hint}")
    first = len(entries)
    for key, item in known.items():
        what, value = descriptions(cls).get(key), table.get(key)
        inner = f"{where}.{key}" if where else key
        if value is None:
            if not _may_be_absent(item, what):
                told = f" It is: {what}." if what is not None and what.meaning else ""
                raise CardError(f"{at}{key} must be given, but is missing.{told}")
            values |= {key: None} if what is not None and what.optional else {}
        elif not isinstance(what, Link):
            try:
                values[key] = value if what is None else what.parse(value)
            except ArgumentError as error:
                raise CardError(f"{at}{key} {error}.") from error
        elif not what.many:
            values[key] = _part(what.kind, value, inner, file, entries)
        elif isinstance(value, list):
            values[key] = tuple(
                _part(what.kind, each, f"{inner}[{n}]", file, entries)
                for n, each in enumerate(value)
            )
        else:
            raise CardError(f"{at}{key} must be a list of tables, but is {value!r}.")
    noted = _entries(cls, table, where, at)
    entries[first:first] = noted
    try:
        made = cls(**values, about=table.get("about", ""))
    except ArgumentError as error:
        raise CardError(at + str(error)) from error
    said = (Source(e.key, getattr(made, e.key), e.source, e.verified) for e in noted)
    return replace(made, sources=tuple(said))


def _may_be_absent(item: Field[Any], what: Description | None) -> bool:
    """Whether a card may leave out a field: its default then stands for an absence."""
    return (
        what is None
        or what.optional
        or item.default in _ABSENT
        or (isinstance(what, Choice) and item.default is not MISSING)
    )


def _entries(cls: type[Part], table: dict[str, Any], where: str, at: str) -> list[Entry]:
    """The numbers of one table with their sources; CardError where a number has none."""
    numbers = [k for k in table if isinstance(descriptions(cls).get(k), Quantity | Count)]
    source, unverified = table.get("source"), table.get("unverified", [])
    by_key: dict[str, Any] = source if isinstance(source, dict) else dict.fromkeys(numbers, source)
    for key in numbers:
        text = by_key.get(key)
        if not isinstance(text, str) or not text.strip():
            came = f"source.{key} is missing or empty" if by_key is source else f"it is {source!r}"
            raise CardError(f"{at}{key} must have a source, but {came}.")
    if not isinstance(unverified, list):
        raise CardError(f"{at}unverified must be a list of keys, but is {unverified!r}.")
    for note, keys in (("source", by_key), ("unverified", unverified)):
        for key in keys:
            if key not in numbers:
                raise CardError(f"{at}{note} must name numbers of its table, but names {key!r}.")
    return [
        Entry(where, key, _shown(table[key]), by_key[key], key not in unverified) for key in numbers
    ]


def _shown(value: Any) -> str:
    return ", ".join(map(_shown, value)) if isinstance(value, list) else str(value)


def _table(part: Part, source: str) -> dict[str, Any]:
    """`part` as a TOML table of SI quantities, each number with its own source or `source`."""
    cls, table = type(part), {}
    if not isinstance(part, Hardware):
        if name_of(cls) is None:
            raise CardError(
                f"{path_of(cls)} must be registered to stand on a card, but is not. Decorate it"
                ' with @registered("its-name") of aimc.parts.registry.'
            )
        table["type"] = name_of(cls)
    if part.about:
        table["about"] = part.about
    known, sources, doubts = {s.key: s for s in part.sources}, {}, []
    for item in (f for f in fields(part) if f.name not in _SAID):
        key, value, what = item.name, getattr(part, item.name), descriptions(cls).get(item.name)
        if value is None:
            continue
        if isinstance(what, Link):
            table[key] = (
                [_table(each, source) for each in value] if what.many else _table(value, source)
            )
        elif not isinstance(what, Quantity | Count):
            table[key] = value
        elif (said := known.get(key)) and said.value == value:
            table[key], sources[key] = what.write(value), said.text
            doubts += [] if said.verified else [key]
        elif item.default not in _ABSENT or value != what.check(key, item.default):
            table[key], sources[key] = what.write(value), source
    if sources:
        texts = set(sources.values())
        table["source"] = texts.pop() if len(texts) == 1 else sources
    return table | ({"unverified": doubts} if doubts else {})
