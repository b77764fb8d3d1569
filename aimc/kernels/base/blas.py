"""BLAS and LAPACK as numba sees them, and one thread of it while several of ours run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import binding  # pyright: ignore[reportMissingTypeStubs]
from numba import types
from numba.extending import get_cython_function_address
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # pyright: ignore[reportMissingTypeStubs]

from aimc.kernels.base.jit import inner
from aimc.kernels.base.threads import spread

_binding: Any = binding
_SMALL = 9000  # products that BLAS leaves to one thread, whatever their shape
_STRIP = 256  # items
Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Scratch = tuple[NDArray[np.int32], Floats]


def _external(module: str, name: str, arguments: int) -> Any:
    """A Fortran routine under a symbol of ours: unlike an address, a symbol may be cached."""
    symbol = f"aimc_{name}"
    _binding.add_symbol(symbol, get_cython_function_address(f"scipy.linalg.{module}", name))
    return types.ExternalFunction(symbol, types.void(*[types.intp] * arguments))


_dgemm = _external("cython_blas", "dgemm", 13)
_sgemm = _external("cython_blas", "sgemm", 13)
_dgetrf = _external("cython_lapack", "dgetrf", 6)
_sgetrf = _external("cython_lapack", "sgetrf", 6)
_dgetri = _external("cython_lapack", "dgetri", 7)
_sgetri = _external("cython_lapack", "sgetri", 7)


@inner
def gemm(
    alpha: float, a: Floats, ta: bool, b: Floats, tb: bool, beta: float, c: Floats, scratch: Scratch
) -> None:
    """c = alpha op(a) op(b) + beta c; rows of each may lie apart, their elements not.

    `ta`, `tb`: transpose. scratch that the caller keeps: (>= 8,) int32, and (>= 2,) of the arrays'
    type, float64 or float32.
    """
    words, reals = scratch
    # BLAS sees our rows as its columns, so it forms c' = op(b)' op(a)'.
    size = c.itemsize
    words[0] = c.shape[1]
    words[1] = c.shape[0]
    words[2] = a.shape[0] if ta else a.shape[1]
    words[3] = b.strides[0] // size
    words[4] = a.strides[0] // size
    words[5] = c.strides[0] // size
    words[6] = 84 if tb else 78
    words[7] = 84 if ta else 78
    reals[0] = alpha
    reals[1] = beta
    w = words.ctypes.data
    x = reals.ctypes.data
    pa = a.ctypes.data
    pb = b.ctypes.data
    pc = c.ctypes.data
    if size == 8:
        _dgemm(w + 24, w + 28, w, w + 4, w + 8, x, pb, w + 12, pa, w + 16, x + 8, pc, w + 20)
    else:
        _sgemm(w + 24, w + 28, w, w + 4, w + 8, x, pb, w + 12, pa, w + 16, x + 4, pc, w + 20)


@inner
def invert(a: Floats, words: NDArray[np.int32], work: Floats) -> bool:
    """Overwrites the square contiguous `a` by its inverse; False where it is singular.

    `words` (>= n + 4,) int32 and `work` (>= 32 n,) are scratch that the caller keeps.
    """
    words[0] = a.shape[0]
    words[1] = 0
    words[2] = len(work)
    w = words.ctypes.data
    pa = a.ctypes.data
    pw = work.ctypes.data
    if a.itemsize == 8:
        _dgetrf(w, w, pa, w, w + 16, w + 4)
        if words[1] == 0:
            _dgetri(w, pa, w, w + 16, pw, w + 8, w + 4)
    else:
        _sgetrf(w, w, pa, w, w + 16, w + 4)
        if words[1] == 0:
            _sgetri(w, pa, w, w + 16, pw, w + 8, w + 4)
    return words[1] == 0


_lock = threading.Lock()
_inside = 0
_limiter: Any = None


@lru_cache(1)
def _controller() -> Any:
    np.linalg.inv(np.eye(1))
    controller: Any = ThreadpoolController()
    return controller.select(user_api="blas")


@contextmanager
def one_thread() -> Generator[None]:
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


def in_strips(work: Callable[[int, int], None], count: int, products: int) -> None:
    """Calls `work(lo, hi)` over `range(count)`, items of so many products each, on our threads.

    BLAS rounds otherwise on another number of threads, so it takes one, of strips that are always
    the same; `work` must free the GIL.
    """
    if count * products <= _SMALL:
        work(0, count)
        return

    def some(first: int, last: int) -> None:
        for k in range(first, last):
            work(k * _STRIP, min((k + 1) * _STRIP, count))

    with one_thread():
        spread(some, -(-count // _STRIP), count * products)


def product(a: Doubles, b: Doubles) -> Doubles:
    """a @ b (batch, cols), the same bits on any number of threads."""
    result = np.empty((len(a), b.shape[1]))

    def some(lo: int, hi: int) -> None:
        np.matmul(a[lo:hi], b, out=result[lo:hi])

    in_strips(some, len(a), b.size)
    return result
