"""How kernels are compiled: cached, without the GIL, dividing as numpy does."""

from __future__ import annotations

from collections.abc import Callable
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


def jit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """numba's `njit`; multiply-adds may be contracted, nothing else is reordered."""
    return _njit(fastmath={"contract"}, **_HOW)(function)


def exact(function: Callable[..., _R]) -> Callable[..., _R]:
    """As `jit`, but every operation rounds as numpy's does."""
    return _njit(**_HOW)(function)


def exact_inner(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `exact`, for what only kernels call."""
    return _njit(**_INNER)(function)


def inner(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `jit`, for what only kernels call: Python cannot, and it compiles sooner."""
    return _njit(fastmath={"contract"}, **_INNER)(function)


def reduction(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `inner`, for a sum whose terms may be added in any order, several at a time."""
    return _njit(fastmath={"contract", "reassoc", "nsz"}, **_INNER)(function)
