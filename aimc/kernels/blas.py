"""BLAS and LAPACK as numba sees them, and one thread of it while several of ours run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from llvmlite import binding
from numba import types
from numba.extending import get_cython_function_address
from threadpoolctl import ThreadpoolController

from aimc.kernels.jit import jit


def _external(module: str, name: str, arguments: int) -> types.ExternalFunction:
    """A Fortran routine under a symbol of ours: unlike an address, a symbol may be cached."""
    symbol = f"aimc_{name}"
    binding.add_symbol(symbol, get_cython_function_address(f"scipy.linalg.{module}", name))
    return types.ExternalFunction(symbol, types.void(*[types.intp] * arguments))


_dgemm = _external("cython_blas", "dgemm", 13)
_dgetrf = _external("cython_lapack", "dgetrf", 6)
_dgetri = _external("cython_lapack", "dgetri", 7)


@jit
def gemm(alpha, a, ta, b, tb, beta, c, words, reals):
    """c = alpha op(a) op(b) + beta c; rows of each may lie apart, their elements not.

    `ta`, `tb`: transpose. `words` (>= 8,) int32, `reals` (>= 2,): scratch that the caller keeps.
    """
    # BLAS sees our rows as its columns, so it forms c' = op(b)' op(a)'.
    words[0], words[1] = c.shape[1], c.shape[0]
    words[2] = a.shape[0] if ta else a.shape[1]
    words[3], words[4], words[5] = b.strides[0] // 8, a.strides[0] // 8, c.strides[0] // 8
    words[6] = 84 if tb else 78
    words[7] = 84 if ta else 78
    reals[0], reals[1] = alpha, beta
    w, x = words.ctypes.data, reals.ctypes.data
    _dgemm(
        w + 24,
        w + 28,
        w,
        w + 4,
        w + 8,
        x,
        b.ctypes.data,
        w + 12,
        a.ctypes.data,
        w + 16,
        x + 8,
        c.ctypes.data,
        w + 20,
    )


@jit
def invert(a, words, work):
    """Overwrites the square contiguous `a` by its inverse; False where it is singular.

    `words` (>= n + 4,) int32 and `work` (>= 32 n,) are scratch that the caller keeps.
    """
    words[0] = a.shape[0]
    words[1] = 0
    words[2] = len(work)
    w = words.ctypes.data
    _dgetrf(w, w, a.ctypes.data, w, w + 16, w + 4)
    if words[1] == 0:
        _dgetri(w, a.ctypes.data, w, w + 16, work.ctypes.data, w + 8, w + 4)
    return words[1] == 0


_lock = threading.Lock()
_inside = 0
_limiter = None


@lru_cache(1)
def _controller() -> ThreadpoolController:
    np.linalg.inv(np.eye(1))
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS on one thread for as long as any caller is inside; afterwards as it was."""
    global _inside, _limiter
    with _lock:
        if _inside == 0:
            _limiter = _controller().limit(limits=1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _limiter is not None:
                _limiter.restore_original_limits()
                _limiter = None
