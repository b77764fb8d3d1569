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
    "conductances": "cells that a 5-bit ramp needs, curve by curve",
    "inl": "worst INL of a 5-bit sigmoid ramp over many chips, before and after calibration",
}


def names() -> dict[str, str]:
    """What can be reproduced, and what each is."""
    return dict(_NAMES)


def run(name: str, seed: int = 0) -> Table:
    """The table of that name. Raises ArgumentError on another name."""
    if name not in _NAMES:
        raise must("name", f"be one of {', '.join(_NAMES)}", f"is {name!r}")
    return import_module(f"aimc.reproduce.{name}").run(seed)
