"""How kernels are compiled: cached, without the GIL, dividing as numpy does.

numba's cache knows only the file of a kernel itself: it serves machine code of what other files
held before, and fails where the types of an older version are gone. So the cached name of every
kernel has a digest of all of their sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")
_njit: Any = numba.njit  # pyright: ignore[reportUnknownMemberType] -- numba has no types
_HOW: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
}
_INNER: dict[str, Any] = {**_HOW, "no_cpython_wrapper": True}


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


_SOURCES = _digest()


def _compiled(function: Callable[..., Any], how: dict[str, Any]) -> Any:
    function.__qualname__ += f"_{_SOURCES}"
    return _njit(**how)(function)


def jit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """numba's `njit`; multiply-adds may be contracted, nothing else is reordered."""
    return _compiled(function, {**_HOW, "fastmath": {"contract"}})


def exact(function: Callable[..., _R]) -> Callable[..., _R]:
    """As `jit`, but every operation rounds as numpy's does."""
    return _compiled(function, _HOW)


def exact_inner(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `exact`, for what only kernels call."""
    return _compiled(function, _INNER)


def inner(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `jit`, for what only kernels call: Python cannot, and it compiles sooner."""
    return _compiled(function, {**_INNER, "fastmath": {"contract"}})


def reduction(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `inner`, for a sum whose terms may be added in any order, several at a time."""
    return _compiled(function, {**_INNER, "fastmath": {"contract", "reassoc", "nsz"}})
