"""Checks of arguments that are words, or one or several of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aimc.errors import must


def one_of(name: str, value: Any, known: Iterable[str]) -> None:
    """Raises ArgumentError where `value` is none of the known words."""
    words = tuple(known)
    if not isinstance(value, str) or value not in words:
        raise must(name, f"be one of {', '.join(words)}", f"is {value!r}")


def several(name: str, value: Any, kind: Any, rule: str, hint: str = "") -> tuple[Any, ...]:
    """`value`, one of a kind or several of it, as a tuple. Raises ArgumentError on others."""
    if isinstance(value, kind):
        return (value,)
    try:
        items = tuple(value)
    except TypeError as error:
        raise must(name, rule, f"is a {type(value).__name__}", hint) from error
    for item in items:
        if not isinstance(item, kind):
            raise must(name, rule, f"holds a {type(item).__name__}", hint)
    return items
