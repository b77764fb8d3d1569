"""What the arrays of a programmed model spend on the data that it sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.cost import cells
from aimc.errors import must

if TYPE_CHECKING:
    from aimc.macro import Macro


class Watched:
    """Energy of the cells in every read of every macro, added up [J], and how many there were."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, int]] = {}

    def add(self, macro: Macro, x: np.ndarray) -> None:
        """Reads of activations x (reads, rows)."""
        energy, reads = self._seen.get(id(macro), (0.0, 0))
        v = macro.supply * macro.hardware.driver.drive(x)
        energy += float(cells.energies(macro, v).sum())
        self._seen[id(macro)] = energy, reads + len(x)

    def reads(self, macro: Macro) -> int:
        """How often `macro` was read."""
        return self._seen.get(id(macro), (0.0, 0))[1]

    def mean(self, macro: Macro) -> float:
        """Of a read of `macro` [J]. Raises ArgumentError where it was never read."""
        energy, reads = self._seen.get(id(macro), (0.0, 0))
        if not reads:
            raise must("trace", "hold reads of every macro", "has none of one of them",
                       "Run the model inside `with cost.watch(model) as trace:`.")  # fmt: skip
        return energy / reads


class _Meter:
    """A Macro that is read as before, and whose reads are added up."""

    def __init__(self, read: Any, watched: Watched) -> None:
        self._read, self._watched = read, watched

    def __call__(self, x: np.ndarray, rng: Any = None) -> np.ndarray:
        rows = [each for each in self._read.rows for _ in self._read.stacks[0]]
        for macro, each in zip(self._read.macros, rows, strict=True):
            self._watched.add(macro, x[:, each])
        return self._read(x, rng)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)


@contextmanager
def watch(model: Any) -> Iterator[Watched]:
    """While the block runs, adds up what the arrays of a model of `nn.program` spend.

    Gives the `trace` that `bill` takes. The model's results are the same as without.
    """
    if not hasattr(model, "named_modules"):
        raise must("model", "be a programmed model", f"is a {type(model).__name__}",
                   "A macro's own trace is `macro.trace(x)`.")  # fmt: skip
    watched = Watched()
    layers = [m for _, m in model.named_modules() if getattr(m, "chips", None)]
    before = [dict(layer.chips) for layer in layers]
    try:
        for layer, chips in zip(layers, before, strict=True):
            layer.chips = {
                name: dataclasses.replace(chip, macro=_Meter(chip.macro, watched))
                for name, chip in chips.items()
            }
        yield watched
    finally:
        for layer, chips in zip(layers, before, strict=True):
            layer.chips = chips
