"""Parts that describe themselves: their fields, and the name that cards call them by.

    @registered("write-error")
    class WriteError(Noise):
        std: float = quantity("S", "standard deviation", minimum=0)

Checks, cards, digests and sources follow from this alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

import numpy as np

from aimc.errors import as_text, must
from aimc.parts.fields import choice, count, descriptions, part, parts, quantities, quantity

Class = TypeVar("Class", bound=type)


@dataclass(frozen=True)
class Source:
    """Who says that the field `key` is `value`, and whether that was verified."""

    key: str
    value: Any
    text: str
    verified: bool = True

    def __post_init__(self) -> None:
        as_text("source", self.text)


@dataclass(frozen=True)
class Part:
    """What stands on a card. The classes right below it are the kinds of parts.

    sources: of its numbers, as far as a card states them. about: what its card says of it. folder:
    where cards of this kind alone are. Raises ArgumentError where a field is not as it is
    described.
    """

    folder: ClassVar[str | None] = None
    sources: tuple[Source, ...] = field(default=(), compare=False, repr=False, kw_only=True)
    about: str = field(default="", compare=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in {"about", "name"} & {f.name for f in dataclasses.fields(self)}:
            as_text(name, getattr(self, name), empty=True)
        for name, what in descriptions(type(self)).items():
            value = getattr(self, name)
            if value is not None or not what.optional:
                object.__setattr__(self, name, what.check(name, value))


_NAMES: dict[type[Part], str] = {}


@dataclass_transform(
    frozen_default=True, field_specifiers=(quantity, quantities, count, choice, part, parts, field)
)
def described(cls: Class) -> Class:
    """A frozen dataclass whose fields are all described, but those that are not compared.

    Raises ArgumentError where one is not.
    """
    if "__dataclass_fields__" not in vars(cls):
        dataclass(frozen=True)(cls)
    for each in dataclasses.fields(cls):
        if each.compare and "aimc" not in each.metadata:
            example = f'{each.name}: float = quantity("S", "what it is", minimum=0)'
            raise must(
                f"{cls.__name__}.{each.name}", "be described", "is not",
                f"Write `{example}`, or count, choice, part: see aimc.parts.registry.",
            )  # fmt: skip
    return cls


@dataclass_transform(
    frozen_default=True, field_specifiers=(quantity, quantities, count, choice, part, parts, field)
)
def registered(name: str) -> Callable[[Class], Class]:
    """A `described` class of parts that cards call `name`.

    Raises ArgumentError where another class of its kind has that name.
    """

    def register(cls: Class) -> Class:
        made = described(cls)
        for other, its_name in _NAMES.items():
            same = its_name == name and kind_of(other) is kind_of(made)
            if same and path_of(other) != path_of(made):
                raise must("name", f"be another than that of {path_of(other)}", f"is {name!r}")
        _NAMES[made] = name
        return made

    return register


def kind_of(cls: type[Part]) -> type[Part]:
    """The kind of a class of parts: the class of its bases that is right below Part."""
    return next(each for each in cls.__mro__ if Part in each.__bases__)


def path_of(cls: type) -> str:
    """Module and name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def name_of(cls: type[Part]) -> str | None:
    """What cards call a class; None where it is not registered."""
    return _NAMES.get(cls)


def named(kind: type[Part]) -> dict[str, type[Part]]:
    """The registered classes of a kind, by their names."""
    return {name: cls for cls, name in _NAMES.items() if issubclass(cls, kind)}


def identity(of: Part) -> dict[str, Any]:
    """All that tells a part from others as plain data: its class, its numbers, its parts.

    Raises ArgumentError where its class holds what is no field, or a field cannot be written down.
    """
    cls = type(of)
    hidden = [
        name
        for name in vars(of).keys() - {f.name for f in dataclasses.fields(of)}
        if not isinstance(getattr(cls, name, None), functools.cached_property)
    ]
    if hidden:
        rule = "hold its numbers in fields"
        hint = (
            f'Decorate it with @registered("name"), and write `{hidden[0]}: float = quantity(...)`.'
        )
        raise must(cls.__name__, rule, f"has {', '.join(sorted(hidden))} besides", hint)
    own = cls.__module__.split(".")[0] != "aimc"
    table: dict[str, Any] = {"type": path_of(cls) if own else name_of(cls) or path_of(cls)}
    for each in dataclasses.fields(of):
        value = getattr(of, each.name)
        if each.compare and value is not None:
            what = descriptions(cls).get(each.name)
            table[each.name] = _plain(
                f"{cls.__name__}.{each.name}", value if what is None else what.write(value)
            )
    return table


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Part):
        return identity(value)
    if isinstance(value, tuple | list):
        return [_plain(name, item) for item in cast("list[Any]", value)]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(name, value.tolist())
    if value is None or isinstance(value, str | bool | int | float):
        return value
    rule = "be a number, a text, a part or a tuple of them"
    raise must(name, rule, f"is {value!r}", "Only these can be told apart by a digest.")
