"""Are a thousand ngspice runs in a row flat in memory, and does nothing stay behind?

    python benchmarks/speed/spice_runs.py [RUNS]

Runs an 8 x 4 crossbar through each runner that is installed, in this one process, and every tenth
run is one that fails. Prints the time a run, the memory of this process along the way, and the
children and folders that are left.
"""

import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from aimc import Crossbar, Wires, spice
from aimc.errors import SpiceError
from aimc.spice import runners

BAD = "* loop\nv1 a 0 dc 1\nv2 a 0 dc 2\nr1 a 0 1k\n.op\n.save v(a)\n.end\n"


def resident():
    """Memory of this process [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(runner, runs):
    rng = np.random.default_rng(0)
    crossbar = Crossbar(rng.uniform(1e-6, 150e-6, (8, 4)), Wires(0.35, 0.35, 1.0, 1.0))
    memory, start, failed = [], time.perf_counter(), 0
    for k in range(runs):
        if k % 10 == 9:
            try:
                runner.run({"deck.cir": BAD}, "deck.cir")
            except SpiceError:
                failed += 1
        else:
            v = rng.uniform(-0.2, 0.2, (1, 8))
            assert spice.compare(crossbar.solve(v), spice.netlist(crossbar, v).run(runner))
        if k % max(1, runs // 10) == max(1, runs // 10) - 1:
            memory.append(resident())
    each = (time.perf_counter() - start) / runs
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    folders = list(Path(tempfile.gettempdir()).glob("aimc-spice-*"))
    print(f"{type(runner).__name__}: {runs} runs, {failed} failed as they should, "
          f"{each * 1e3:.0f} ms each")  # fmt: skip
    print("  memory [MB]: " + " ".join(f"{m:.1f}" for m in memory))
    print(f"  left: {len(children)} processes, {len(folders)} folders")


if __name__ == "__main__":
    given = int(sys.argv[1]) if len(sys.argv) > 1 else None
    measure(spice.Ngspice(), given or 1000)
    if importlib.util.find_spec("PySpice") and runners._library():
        # Each of its runs loads Python, PySpice and the library: half a second.
        measure(spice.NgspiceShared(), given or 100)
