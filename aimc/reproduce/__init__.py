"""A figure or table of the literature, simulated beside what is published or derived.

Each module of this room reproduces one and has `run(seed) -> Table`. `names()` lists them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from aimc.errors import must

if TYPE_CHECKING:
    from aimc.reproduce.table import Table

_NAMES = {
    "bottleneck": "time of an LSTM step: nonlinear operations beside products",
    "conductances": "cells that a 5-bit ramp needs, curve by curve",
    "converters": "time and energy of a ramp and of a one-step converter",
    "inl": "worst INL of a 5-bit sigmoid ramp over many chips, before and after calibration",
    "table1": "energy, area and throughput of two LSTMs from one cost card",
}


def names() -> dict[str, str]:
    """What can be reproduced, and what each is."""
    return dict(_NAMES)


def run(name: str, seed: int = 0) -> Table:
    """The table of that name. Raises ArgumentError on another name."""
    if name not in _NAMES:
        raise must("name", f"be one of {', '.join(_NAMES)}", f"is {name!r}")
    return import_module(f"aimc.reproduce.{name}").run(seed)
