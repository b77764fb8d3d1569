"""How kernels are compiled: cached, without the GIL, dividing as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def jit(function: Callable[..., Any]) -> Any:
    """numba's `njit`; multiply-adds may be contracted, nothing else is reordered."""
    return njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")(function)


def reduction(function: Callable[..., Any]) -> Any:
    """As `jit`, for a sum whose terms may be added in any order, several at a time."""
    flags = {"contract", "reassoc", "nsz"}
    return njit(cache=True, nogil=True, fastmath=flags, error_model="numpy")(function)
