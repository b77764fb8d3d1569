"""Fields that say what they hold: unit, bounds and meaning of a number, or the kind of a part.

std: float = quantity("S", "standard deviation", minimum=0)
"""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, field
from typing import Any, cast, get_args

import numpy as np

from aimc import units
from aimc.errors import ArgumentError, as_count, as_number, must


@dataclass(frozen=True)
class Description(ABC):
    """Of one field. optional: whether None is allowed, and stands for an absence."""

    meaning: str
    optional: bool

    @abstractmethod
    def check(self, name: str, value: Any) -> Any:
        """`value` as the part holds it. Raises ArgumentError where it is not as described."""

    def parse(self, value: Any) -> Any:
        """The value that a card writes as `value`. Raises ArgumentError, without a name."""
        return value

    def write(self, value: Any) -> Any:
        """`value` as a card writes it."""
        return value

    def __str__(self) -> str:
        return self.meaning


@dataclass(frozen=True)
class Quantity(Description):
    """A real number in `unit` ("1" for a ratio), or tuples of them, so many in one another."""

    unit: str
    minimum: float | None
    maximum: float | None
    above: float | None
    depth: int

    def check(self, name: str, value: Any) -> Any:
        return self._check(name, value, self.depth)

    def _check(self, name: str, value: Any, depth: int) -> Any:
        if depth == 0:
            if isinstance(value, float) and value in (self.minimum, self.maximum):
                return float(value)  # a bound may be infinite
            return as_number(name, value, self.minimum, self.maximum, self.above)
        items = cast("Any", value if isinstance(value, tuple | list | np.ndarray) else (value,))
        if not len(items):
            raise must(name, "be one or more numbers", f"is {value!r}")
        return tuple(self._check(name, item, depth - 1) for item in items)

    def parse(self, value: Any) -> Any:
        if self.depth and isinstance(value, list):
            return tuple(self.parse(item) for item in cast("list[Any]", value))
        if isinstance(value, str):
            return units.parse(value, self.unit)
        if self.unit == "1" and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        example = "" if self.unit == "1" else f" in {self.unit}"
        raise ArgumentError(f"must be a number with a unit{example}, but is {value!r}")

    def write(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return [self.write(item) for item in cast("tuple[Any, ...]", value)]
        return float(value) if self.unit == "1" else f"{float(value)!r} {self.unit}"

    def __str__(self) -> str:
        return self.meaning if self.unit == "1" else f"{self.meaning} [{self.unit}]".lstrip()


@dataclass(frozen=True)
class Count(Description):
    """A whole number."""

    minimum: int
    maximum: int | None

    def check(self, name: str, value: Any) -> int:
        return as_count(name, value, self.minimum, self.maximum)

    def parse(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ArgumentError(f"must be a valid integer, but is {value!r}")
        return value


@dataclass(frozen=True)
class Choice(Description):
    """One of a few words."""

    allowed: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        if value not in self.allowed:
            raise must(name, f"be one of {', '.join(self.allowed)}", f"is {value!r}")
        return value


@dataclass(frozen=True)
class Link(Description):
    """A part of that kind, or a tuple of them."""

    kind: type
    many: bool
    hint: str

    def check(self, name: str, value: Any) -> Any:
        kind = self.kind.__name__
        if not self.many:
            if not isinstance(value, self.kind):
                absent = ", or None" if self.optional else ""
                raise must(name, f"be of type {kind}{absent}", f"is {value!r}", self.hint)
        elif not isinstance(value, tuple):
            raise must(name, f"be a tuple of {kind}s", f"is {value!r}")
        else:
            for item in cast("tuple[Any, ...]", value):
                if not isinstance(item, self.kind):
                    raise must(name, f"hold {kind}s", f"holds {item!r}")
        return cast("Any", value)


def quantity(
    unit: str,
    meaning: str = "",
    *,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
) -> Any:
    """A field that holds one real number, in SI: within [minimum, maximum], greater than `above`,
    and finite unless a bound is not; None only where that is the default."""
    what = Quantity(meaning, default is None, unit, minimum, maximum, above, 0)
    return _field(what, default=default)


def quantities(
    unit: str,
    meaning: str = "",
    *,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    depth: int = 1,
) -> Any:
    """A field that holds a tuple of one or more numbers, each as `quantity`, or tuples of tuples
    for a `depth` of 2; lists and arrays become tuples, a number one of itself."""
    what = Quantity(meaning, default is None, unit, minimum, maximum, None, depth)
    return _field(what, default=default)


def count(
    meaning: str = "", *, default: Any = MISSING, minimum: int = 1, maximum: int | None = None
) -> Any:
    """A field that holds a whole number; None only where that is the default."""
    return _field(Count(meaning, default is None, minimum, maximum), default=default)


def choice(words: Any, meaning: str = "", *, default: Any = MISSING) -> Any:
    """A field that holds one of the words of a `Literal[...]`."""
    return _field(Choice(meaning, default is None, get_args(words)), default=default)


def part(
    kind: type,
    meaning: str = "",
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    optional: bool = False,
    hint: str = "",
) -> Any:
    """A field that holds a part of that kind; None where that is the default, or `optional`."""
    what = Link(meaning, optional or default is None, kind, False, hint)
    return _field(what, default=default, default_factory=default_factory)


def parts(kind: type, meaning: str = "", *, default: Any = MISSING) -> Any:
    """A field that holds a tuple of parts of that kind."""
    return _field(Link(meaning, False, kind, True, ""), default=default)


def _field(what: Description, **defaults: Any) -> Any:
    return field(metadata={"aimc": what}, **defaults)


@functools.cache
def descriptions(cls: type) -> dict[str, Description]:
    """The fields of a class of parts that are described, in their order."""
    return {f.name: f.metadata["aimc"] for f in dataclasses.fields(cls) if "aimc" in f.metadata}
