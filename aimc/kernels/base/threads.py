"""Threads of our own, over arrays, reads or blocks, and the memory that each works in.

numba's layers are not used: workqueue aborts the process when two threads enter it; OpenMP may be
missing, and spins while others work. The number of threads is still numba's (`NUMBA_NUM_THREADS`),
but numba is not asked for it before it runs threads itself: the question starts its layer, which
sets the threads of everybody's OpenMP, torch's too.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numba.core import config
from numba.np.ufunc import parallel
from numpy.typing import DTypeLike, NDArray

KEPT = 2**22  # numbers of scratch (32 MiB) that a thread keeps for its next call
_LINE = 8  # numbers in a cache line

_most = int(getattr(config, "NUMBA_NUM_THREADS"))  # noqa: B009 -- numba sets it at run time
_here = threading.local()
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def _threads() -> int:
    started = getattr(parallel, "_is_initialized", True)
    return numba.get_num_threads() if started else _most


def spread(work: Callable[[int, int], None], count: int, cost: float) -> None:
    """Calls `work(lo, hi)` over parts of `range(count)`, one a thread; `work` must free the GIL.

    `cost` is in multiples of what one cell costs in one read: small work stays in the caller's
    thread, and so does all work within another `spread`.
    """
    parts = min(_threads(), count)
    if parts <= 1 or cost < 20_000 or getattr(_here, "busy", False):
        work(0, count)
        return

    def part(lo: int, hi: int) -> None:
        _here.busy = True
        try:
            work(lo, hi)
        finally:
            _here.busy = False

    edges = [(count * k // parts, count * (k + 1) // parts) for k in range(parts)]
    others = [_workers().submit(part, lo, hi) for lo, hi in edges[1:]]
    try:
        part(*edges[0])
    finally:
        for done in others:
            done.exception()
    for done in others:
        done.result()


def scratch(size: int, dtype: DTypeLike = np.float64, place: str = "work") -> NDArray[Any]:
    """`size` numbers of uninitialised memory at a cache line, this thread's until it asks again.

    Each `place` is a memory of its own. What is larger than `KEPT` is given back with the array. A
    thread's own memory spares each call the page faults of new memory, which take longer than a
    small array's read.
    """
    kept = getattr(_here, place, None)
    need = size if dtype is np.float64 else -(-size * np.dtype(dtype).itemsize // 8)
    if kept is None or len(kept) < need:
        raw = np.empty(need + _LINE)
        start = -(raw.ctypes.data // 8) % _LINE
        kept = raw[start : start + need]
        if need <= KEPT:
            setattr(_here, place, kept)
    return kept[:size] if dtype is np.float64 else kept.view(dtype)[:size]


def _workers() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(_most, "aimc")
        return _pool


def _forget() -> None:
    """A forked child has the pool's memory, but none of its threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if sys.platform != "win32":  # where processes do not fork
    os.register_at_fork(after_in_child=_forget)
