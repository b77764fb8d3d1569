"""The golden netlists, and what the simulator answers for each. Running this file writes them.

A change of their text is a change of the export: look at the difference before it is kept.
"""

from pathlib import Path

import numpy as np

import aimc
from aimc import Crossbar, Wires, spice
from aimc.parts.driver import VoltageDriver
from aimc.parts.mapping import OffsetColumn
from aimc.spice.dialects import named

FOLDER = Path(__file__).parents[2] / "netlists" / "golden"
SEED = 7


def crossbars():
    """Crossbars with the row voltages that they are read with."""
    rng = np.random.default_rng(SEED)
    g = rng.uniform(1e-6, 150e-6, (8, 4)).round(9)
    v = rng.uniform(-0.2, 0.2, (3, 8)).round(3)
    wide = rng.uniform(1e-6, 150e-6, (5, 11)).round(9)
    wide[2, 3] = wide[4, 10] = 0.0
    return {
        "array-8x4": (Crossbar(g, Wires(0.35, 0.35, 50.0, 20.0)), v[:1]),
        "array-8x4-ideal": (Crossbar(g), v[:1]),
        "array-5x11-both-ends": (
            Crossbar(wide, Wires(0.35, 0.5, 50.0, 0.0, "both", "both")), v[:, :5]
        ),
    }  # fmt: skip


def macros():
    """Macros with their inputs, and the gain of their amplifiers."""
    card = aimc.load("taox-1t1r-128").replace(rows=8, cols=4)

    def program(hardware, curve):
        rng = np.random.default_rng(SEED)
        w = rng.normal(size=(8, 4))
        x = rng.uniform(-1, 1, (2, 8)).round(3)
        return hardware.program(w, rng, curve), x

    return {
        "macro-8x4": (*program(card, "sigmoid"), None),
        "macro-8x4-lstm": (*program(card, ("sigmoid", "sigmoid", "tanh", "sigmoid")), None),
        "macro-8x4-offset-column": (*program(card.replace(mapping=OffsetColumn()), "tanh"), None),
        "macro-8x4-volts-amplifiers": (
            *program(card.replace(driver=VoltageDriver(0.2, 5, 50e-9)), "tanh"), 1e6
        ),
    }  # fmt: skip


HERE = named("ngspice").including("../models")


def netlists():
    """Every golden netlist by name."""
    found = {
        name: spice.netlist(crossbar, v, dialect=HERE, seed=SEED)
        for name, (crossbar, v) in crossbars().items()
    }
    return found | {
        name: spice.netlist(macro, x, seed=SEED, gain=gain, dialect=HERE)
        for name, (macro, x, gain) in macros().items()
    }


def answers():
    """What the simulator says of each, as text: currents of a crossbar; u, levels, codes."""
    found = {}
    for name, (crossbar, v) in crossbars().items():
        lines = ["column currents [A], one input a line"]
        found[name] = lines + [row(i, "{:.7e}") for i in crossbar.solve(v).current]
    for name, (macro, x, _) in macros().items():
        trace = macro.trace(x)
        lines = ["sampled voltages [V], one input a line", *(row(u, "{:.7e}") for u in trace.u)]
        lines += ["codes, one input a line", *(row(code, "{}") for code in trace.code)]
        lines.append("ramp levels [V], one range of columns a line")
        found[name] = lines + [row(ramp.levels, "{:.7e}") for _, ramp in macro.ramps]
    return {name: "\n".join(lines) + "\n" for name, lines in found.items()}


def row(values, form):
    return " ".join(form.format(value) for value in values)


if __name__ == "__main__":
    for name, netlist in netlists().items():
        netlist.write(FOLDER / f"{name}.cir")
    for name, text in answers().items():
        (FOLDER / f"{name}.txt").write_text(text)
    print(*sorted(path.name for path in FOLDER.iterdir()), sep="\n")
