"""A figure or table of the literature, simulated beside what is published or derived.

Each module of this room reproduces one and has `run(seed) -> Table`, or `run(seed, data) -> Table`
where it needs the folder of measured files. `names()` lists them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from aimc.cost.checks import one_of
from aimc.errors import must

if TYPE_CHECKING:
    from pathlib import Path

    from aimc.reproduce.table import Table

_NAMES = {
    "bottleneck": "time of an LSTM step: nonlinear operations beside products",
    "conductances": "cells that a 5-bit ramp needs, curve by curve",
    "converters": "time and energy of a ramp and of a one-step converter",
    "device": "statistics of measured TaOx cells: writing, reading, current-voltage (--data)",
    "inl": "worst INL of a 5-bit sigmoid ramp over many chips, before and after each calibration",
    "quantizer": "4-bit uniform and Lloyd-Max quantisation of recorded pre-activations (--data)",
    "sensitivities": "what comparators, settling and delay do to a sigmoid, in four converters",
    "table1": "energy, area and throughput of two LSTMs from one cost card",
    "vread": "codes while the read voltage moves: fixed references and those that follow it",
}
_FROM_DATA = ("device", "quantizer")


def names() -> dict[str, str]:
    """What can be reproduced, and what each is."""
    return dict(_NAMES)


def run(name: str, seed: int = 0, data: str | Path | None = None) -> Table:
    """The table of that name. data: the folder of measured files, for those that need one.

    Raises ArgumentError on another name, on a folder that is missing or not asked for, and
    DataError on files that are not what they must be.
    """
    one_of("name", name, _NAMES)
    module = import_module(f"aimc.reproduce.{name}")
    if name in _FROM_DATA:
        from aimc.reproduce import readc

        return module.run(seed, readc.folder(data))
    if data is not None:
        raise must("data", f"be left out for {name}, which needs none", f"is {str(data)!r}")
    return module.run(seed)
