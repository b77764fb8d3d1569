"""Analog in-memory computing, simulated: describe hardware, program weights into it, read it.

`aimc.load` gives the `Hardware` of a card, `hardware.program(w, rng, curve)` a `Macro`, and
`macro(x, rng)` its answer. A name is imported when it is first asked for: `import aimc` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aimc import (
        calibration,
        cards,
        converters,
        cost,
        curves,
        device,
        driver,
        errors,
        imperfections,
        ivcurve,
        mapping,
        metrics,
        nn,
        plots,
        ramp,
        sense,
        spice,
        tasks,
        transistor,
        trim,
    )
    from aimc.cards import load
    from aimc.crossbar import Crossbar
    from aimc.device import Device
    from aimc.macro import Hardware, Macro
    from aimc.ramp import Curve, RampADC
    from aimc.tiling import tile
    from aimc.wires import Wires

__version__ = "0.1.0"

__all__ = [
    "Crossbar",
    "Curve",
    "Device",
    "Hardware",
    "Macro",
    "RampADC",
    "Wires",
    "calibration",
    "cards",
    "converters",
    "cost",
    "curves",
    "device",
    "driver",
    "errors",
    "imperfections",
    "ivcurve",
    "load",
    "mapping",
    "metrics",
    "nn",
    "plots",
    "ramp",
    "sense",
    "spice",
    "tasks",
    "tile",
    "transistor",
    "trim",
]

_ROOM_OF = {
    "Crossbar": "crossbar",
    "Curve": "ramp",
    "Device": "device",
    "Hardware": "macro",
    "Macro": "macro",
    "RampADC": "ramp",
    "Wires": "wires",
    "load": "cards",
    "tile": "tiling",
}


def __getattr__(name: str) -> object:
    if name in _ROOM_OF:
        value = getattr(import_module(f"aimc.{_ROOM_OF[name]}"), name)
    elif name in __all__:
        value = import_module(f"aimc.{name}")
    else:
        raise AttributeError(f"module 'aimc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
