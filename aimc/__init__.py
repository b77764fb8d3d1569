"""Analog in-memory computing, simulated: describe hardware, program weights into it, read it.

`aimc.load` gives the `Hardware` of a card, `hardware.program(w, rng, curve)` a `Macro`, and
`macro(x, rng)` its answer. A name is imported when it is first asked for: `import aimc` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from aimc.version import __version__

if TYPE_CHECKING:
    from aimc import cards, converters, cost, curves, errors, macro, nn, parts, plots, spice, tasks
    from aimc.cards import load
    from aimc.converters.ramp import RampADC
    from aimc.crossbar import Crossbar
    from aimc.curves import Curve
    from aimc.macro import Hardware, Macro
    from aimc.parts.condition import Condition
    from aimc.parts.device import Device
    from aimc.parts.wires import Wires

__all__ = [
    "Condition",
    "Crossbar",
    "Curve",
    "Device",
    "Hardware",
    "Macro",
    "RampADC",
    "Wires",
    "__version__",
    "cards",
    "converters",
    "cost",
    "curves",
    "errors",
    "load",
    "macro",
    "nn",
    "parts",
    "plots",
    "spice",
    "tasks",
]

_ROOM_OF = {
    "Condition": "parts.condition",
    "Crossbar": "crossbar",
    "Curve": "curves",
    "Device": "parts.device",
    "Hardware": "macro",
    "Macro": "macro",
    "RampADC": "converters.ramp",
    "Wires": "parts.wires",
    "load": "cards",
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
