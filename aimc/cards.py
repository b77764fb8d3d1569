"""Hardware as TOML cards: every number has a unit and a source.

A part stands inside the card or in a file of its own (`device = "taox-1t1r"`). `TYPES` is the one
table from a card's `type` to a class and `UNITS` the one from a field to its SI unit: a new effect
is one class in `aimc.parts.device` and one line in each.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import tomli_w

from aimc import converters, shipped, units
from aimc.converters import imperfections
from aimc.converters.ramp import RampADC
from aimc.errors import ArgumentError, CardError
from aimc.macro import Hardware
from aimc.parts import device, driver, ivcurve, mapping, sense, transistor, wires

UNITS: dict[str, str] = {
    **dict.fromkeys(("g", "g_max", "g_min", "g_ref", "std", "tolerance", "coefficients"), "S"),
    **dict.fromkeys(("age", "t_0", "t_int", "t_read", "t_rest", "t_step", "times"), "s"),
    **dict.fromkeys(("swing", "v_gate", "v_read", "v_th", "voltage"), "V"),
    **dict.fromkeys(("r_col", "r_on", "r_row", "r_sense", "r_source"), "ohm"),
    **dict.fromkeys(
        ("fraction", "partial_range", "power", "q", "q_max", "relative", "unit_mismatch", "w_max"),
        "1",
    ),
    **dict.fromkeys(("nu", "nu_limits", "nu_slope"), "1"),
    **dict.fromkeys(("nu_std", "nu_std_limits", "nu_std_slope"), "1"),
    **dict.fromkeys(("a", "clm", "k2"), "1/V"),
    "c_fb": "F",
    "current": "A",
    "k": "A/V^2",
    "k3": "1/V^2",
    "k3_slope": "1/V^2/S",
}
# Fields whose name alone does not tell the unit.
_UNITS_OF: dict[type, dict[str, str]] = {
    imperfections.ComparatorOffset: {"std": "V"},
    imperfections.ComparatorNoise: {"std": "V"},
    imperfections.ComparatorDelay: {"delay": "s"},
    imperfections.ComparatorHysteresis: {"width": "V"},
    imperfections.FiniteGain: {"gain": "1"},
    imperfections.Settling: {"tau": "s"},
    imperfections.CapacitorMismatch: {"std": "1"},
    imperfections.ThermalNoise: {"temperature": "K"},
    imperfections.ChargeInjection: {"charge": "C", "std": "C"},
    imperfections.Leakage: {"current": "A"},
    imperfections.ClockJitter: {"std": "s"},
    imperfections.ReadVoltageError: {"std": "1"},
    device.TemperatureCoefficient: {"off": "1/K", "on": "1/K", "t_ref": "K"},
    device.Arrhenius: {"activation_energy": "J", "t_ref": "K"},
}

TYPES: dict[str, dict[str, type]] = {
    "effect": {
        "write-error": device.WriteError,
        "write-verify": device.WriteVerify,
        "polynomial-write-error": device.PolynomialWriteError,
        "stuck-at": device.StuckAt,
        "read-noise": device.ReadNoise,
        "flicker-read-noise": device.FlickerReadNoise,
        "drift": device.Drift,
        "relaxation": device.Relaxation,
    },
    "iv": {
        "sinh": ivcurve.Sinh,
        "cubic": ivcurve.Cubic,
        "tabulated": ivcurve.Tabulated,
        "series-transistor": transistor.SeriesTransistor,
        "transistor": transistor.Transistor,
    },
    "imperfection": {
        "comparator-offset": imperfections.ComparatorOffset,
        "comparator-noise": imperfections.ComparatorNoise,
        "comparator-delay": imperfections.ComparatorDelay,
        "comparator-hysteresis": imperfections.ComparatorHysteresis,
        "finite-gain": imperfections.FiniteGain,
        "settling": imperfections.Settling,
        "capacitor-mismatch": imperfections.CapacitorMismatch,
        "thermal-noise": imperfections.ThermalNoise,
        "charge-injection": imperfections.ChargeInjection,
        "leakage": imperfections.Leakage,
        "clock-jitter": imperfections.ClockJitter,
        "read-voltage-error": imperfections.ReadVoltageError,
        "ramp-read-noise": imperfections.RampReadNoise,
    },
    "temperature": {"linear": device.TemperatureCoefficient},
    "retention": {"arrhenius": device.Arrhenius},
    "device": {"memristor": device.Device},
    "mapping": {
        "differential-pair": mapping.DifferentialPair,
        "offset-column": mapping.OffsetColumn,
    },
    "driver": {"pulse": driver.PulseDriver, "voltage": driver.VoltageDriver},
    "wires": {"segments": wires.Wires},
    "sense": {"integrator": sense.Integrator},
    "adc": {
        "ramp": RampADC,
        "linear-ramp": converters.LinearRampADC,
        "sar": converters.SARADC,
        "flash": converters.FlashADC,
    },
}
_FOLDERS = {"device": "devices", "adc": "adcs", "wires": "wires"}
# Keys that hold a list of tables, and the kind of each.
_LISTS = {
    **dict.fromkeys(("on_write", "on_age", "on_read"), "effect"),
    "imperfections": "imperfection",
}
_NESTED: dict[type, tuple[str, ...]] = {
    Hardware: ("device", "mapping", "driver", "wires", "sense", "adc"),
    device.Device: ("on_write", "on_age", "on_read", "iv", "temperature", "retention"),
    RampADC: ("imperfections", "wires"),
    converters.LinearRampADC: ("imperfections",),
    converters.SARADC: ("imperfections",),
    converters.FlashADC: ("imperfections",),
    transistor.SeriesTransistor: ("cell",),
    transistor.Transistor: ("cell",),
}
# Tables that may be left out: without one, a cell is linear, a column has no resistance.
_OPTIONAL = {
    (device.Device, "iv"), (device.Device, "temperature"), (device.Device, "retention"),
    (RampADC, "wires"), (transistor.SeriesTransistor, "cell"), (transistor.Transistor, "cell"),
}  # fmt: skip
_NOTES = ("about", "source", "unverified")
# Defaults that a card may leave out, because they stand for an absence.
_ABSENT = (None, 0, (0.0, float("inf")))


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
    table = _parse(file)
    hardware = _build(Hardware, {"name": file.stem, **table}, "", file, entries)
    return Card(hardware, str(table.get("about", "")), tuple(entries))


def dump(hardware: Hardware, source: str = "written by aimc.cards.dump") -> str:
    """`hardware` as the text of a card that loads to an equal Hardware, in SI units."""
    return tomli_w.dumps(_table(hardware, source))


def digest(hardware: Hardware) -> str:
    """SHA-256 [hex] of all numbers and types of `hardware`; names and sources do not count."""
    text = json.dumps(_table(hardware, None), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


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


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CardError(f"{file.name}: must be a TOML file, but {error}.") from error


def _part(kind: str, value: Any, where: str, file: Path, entries: list[Entry]) -> Any:
    """The part of that kind at `where`: a table of this card, or the name of a card of its own."""
    if isinstance(value, str) and kind in _FOLDERS:
        file, inside = _find(_FOLDERS[kind], value, file.parent), []
        table = _parse(file)
        named = {"name": file.stem, **table} if kind == "device" else table
        part = _part(kind, named, "", file, inside)
        entries += [replace(e, table=".".join(filter(None, (where, e.table)))) for e in inside]
        return part
    place = f"{file.name}: {where or kind}"
    if not isinstance(value, dict):
        by_name = " or the name of a card" if kind in _FOLDERS else ""
        raise CardError(f"{place} must be a table{by_name}, but is {value!r}.")
    types = TYPES[kind]
    name = value.get("type", next(iter(types)) if len(types) == 1 else None)
    if name not in types:
        came = "is missing" if name is None else f"is {name!r}"
        raise CardError(f"{place}: type must be one of {', '.join(types)}, but {came}.")
    return _build(
        types[name], {k: v for k, v in value.items() if k != "type"}, where, file, entries
    )


def _build(cls: type, table: dict[str, Any], where: str, file: Path, entries: list[Entry]) -> Any:
    """An instance of `cls`; each number and its source is added to `entries`."""
    at = f"{file.name}: {where}." if where else f"{file.name}: "
    nested = _NESTED.get(cls, ())
    plain = {k: v for k, v in table.items() if k not in (*_NOTES, *nested)}
    try:
        values: dict[str, Any] = dict(_model(cls).model_validate(plain))
    except pydantic.ValidationError as error:
        raise CardError(at + _explain(error, [f.name for f in fields(cls)])) from error
    entries += _entries(cls, plain, table, where, at)
    for key in nested:
        inner = f"{where}.{key}" if where else key
        if key in _LISTS:
            parts = table.get(key, [])
            if not isinstance(parts, list):
                raise CardError(f"{at}{key} must be a list of tables, but is {parts!r}.")
            values[key] = tuple(
                _part(_LISTS[key], part, f"{inner}[{n}]", file, entries)
                for n, part in enumerate(parts)
            )
        elif key in table:
            kind = "iv" if key == "cell" else key
            values[key] = _part(kind, table[key], inner, file, entries)
        elif (cls, key) in _OPTIONAL:
            values[key] = None
        else:
            raise CardError(f"{at}{key} must be given, but is missing.")
    try:
        return cls(**values)
    except ArgumentError as error:
        raise CardError(at + str(error)) from error


@functools.cache
def _model(cls: type) -> type[pydantic.BaseModel]:
    """The strict model of a table of `cls`, without the tables inside it."""
    keys: dict[str, Any] = {}
    for item in (f for f in fields(cls) if f.name not in _NESTED.get(cls, ())):
        kind: Any = item.type
        if unit := _unit(cls, item.name):
            convert = functools.partial(_quantity, unit=unit)
            kind = Annotated[kind, pydantic.BeforeValidator(convert)]
        optional = item.default in _ABSENT or isinstance(item.default, str)
        keys[item.name] = (kind, item.default if optional else ...)
    model = pydantic.create_model(
        cls.__name__, __config__=pydantic.ConfigDict(extra="forbid", strict=True), **keys
    )
    model.model_rebuild(_types_namespace={"Literal": Literal})
    return model


def _unit(cls: type, name: str) -> str | None:
    """The SI unit of a field; None where it is no quantity."""
    return _UNITS_OF.get(cls, {}).get(name, UNITS.get(name))


def _quantity(value: Any, unit: str) -> Any:
    if isinstance(value, list):
        return tuple(_quantity(item, unit) for item in value)
    if isinstance(value, str):
        return units.parse(value, unit)
    if unit == "1" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    example = "" if unit == "1" else f" in {unit}"
    raise ArgumentError(f"must be a number with a unit{example}, but is {value!r}")


def _explain(error: pydantic.ValidationError, allowed: list[str]) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] == "missing":
        return f"{key} must be given, but is missing."
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, allowed, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"{key} is an unknown key; allowed are {', '.join(allowed)}.{hint}"
    if first["type"] == "value_error":
        return f"{key} {first['ctx']['error']}."  # pyright: ignore[reportTypedDictNotRequiredAccess]
    return f"{key} {first['msg'].replace('Input should', 'must')}, but is {first['input']!r}."


def _entries(
    cls: type, plain: dict[str, Any], table: dict[str, Any], where: str, at: str
) -> list[Entry]:
    """The numbers of one table with their sources; CardError where a number has none."""
    numbers = {k: v for k, v in plain.items() if not (isinstance(v, str) and not _unit(cls, k))}
    source, unverified = table.get("source"), table.get("unverified", [])
    by_key: dict[str, Any] = source if isinstance(source, dict) else dict.fromkeys(numbers, source)
    for key in numbers:
        text = by_key.get(key)
        if not isinstance(text, str) or not text.strip():
            raise CardError(f"{at}{key} must have a source, but {_missing(source, key)}.")
    if not isinstance(unverified, list):
        raise CardError(f"{at}unverified must be a list of keys, but is {unverified!r}.")
    for note, keys in (("source", by_key), ("unverified", unverified)):
        for key in keys:
            if key not in list(numbers):
                raise CardError(f"{at}{note} must name numbers of its table, but names {key!r}.")
    return [
        Entry(where, key, _text(value), by_key[key], key not in unverified)
        for key, value in numbers.items()
    ]


def _missing(source: Any, key: str) -> str:
    return f"source.{key} is missing or empty" if isinstance(source, dict) else f"it is {source!r}"


def _text(value: Any) -> str:
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _table(part: Any, source: str | None) -> dict[str, Any]:
    """`part` as a TOML table of SI quantities; without names where `source` is None."""
    names = {cls: name for types in TYPES.values() for name, cls in types.items()}
    table: dict[str, Any] = {"type": names[type(part)]} if type(part) in names else {}
    if source is not None:
        table["source"] = source
    for item in fields(part):
        value = getattr(part, item.name)
        if item.name in _LISTS:
            table[item.name] = [_table(each, source) for each in value]
        elif type(value) in names:
            table[item.name] = _table(value, source)
        elif value is not None and not (item.name == "name" and source is None):
            table[item.name] = _written(value, _unit(type(part), item.name))
    return table


def _written(value: Any, unit: str | None) -> Any:
    if isinstance(value, tuple):
        return [_written(item, unit) for item in value]
    if unit is None:
        return value
    return float(value) if unit == "1" else f"{float(value)!r} {unit}"
