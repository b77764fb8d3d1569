"""How kernels are compiled: cached, without the GIL, dividing as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

_HOW: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
}
_INNER: dict[str, Any] = {**_HOW, "no_cpython_wrapper": True}


def jit(function: Callable[..., Any]) -> Any:
    """numba's `njit`; multiply-adds may be contracted, nothing else is reordered."""
    return njit(fastmath={"contract"}, **_HOW)(function)


def exact(function: Callable[..., Any]) -> Any:
    """As `jit`, but every operation rounds as numpy's does."""
    return njit(**_HOW)(function)


def exact_inner(function: Callable[..., Any]) -> Any:
    """As `exact`, for what only kernels call."""
    return njit(**_INNER)(function)


def inner(function: Callable[..., Any]) -> Any:
    """As `jit`, for what only kernels call: Python cannot, and it compiles sooner."""
    return njit(fastmath={"contract"}, **_INNER)(function)


def reduction(function: Callable[..., Any]) -> Any:
    """As `inner`, for a sum whose terms may be added in any order, several at a time."""
    return njit(fastmath={"contract", "reassoc", "nsz"}, **_INNER)(function)
