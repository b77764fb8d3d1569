"""Threads of our own, over arrays, reads or blocks.

numba's layers are not used: workqueue aborts the process when two threads enter it; OpenMP may be
missing, and spins while others work. The number of threads is still numba's (`NUMBA_NUM_THREADS`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba

_here = threading.local()


def spread(work: Callable[[int, int], None], count: int, cost: float) -> None:
    """Calls `work(lo, hi)` over parts of `range(count)`, one a thread; `work` must free the GIL.

    `cost` is in multiples of what one cell costs in one read: small work stays in the caller's
    thread, and so does all work within another `spread`.
    """
    parts = min(numba.get_num_threads(), count)
    if parts <= 1 or cost < 20_000 or getattr(_here, "busy", False):
        work(0, count)
        return

    def part(lo: int, hi: int) -> None:
        _here.busy = True
        work(lo, hi)

    edges = [(count * k // parts, count * (k + 1) // parts) for k in range(parts)]
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(part, lo, hi) for lo, hi in edges]:
            done.result()
