"""What the arrays of a programmed model spend on the data that it sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from aimc.cost import cells
from aimc.cost.stages import on_arrays
from aimc.errors import as_a, must
from aimc.macro import Macro, Stack


class Watched:
    """A probe: energy of the cells in every read of every stack [J], and how many there were."""

    def __init__(self) -> None:
        self._seen: dict[Stack, tuple[float, int]] = {}

    def __call__(self, macro: Macro, x: np.ndarray) -> None:
        """Adds reads of `macro` with activations x (reads, rows)."""
        for rows, beside in zip(macro.rows, macro.stacks, strict=True):
            for stack in beside:
                energy, reads = self._seen.get(stack, (0.0, 0))
                v = stack.supply * stack.hardware.driver.drive(x[:, rows])
                energy += float(cells.energies(stack, v).sum())
                self._seen[stack] = energy, reads + len(x)

    def _of(self, macro: Macro) -> tuple[float, int]:
        as_a("macro", macro, Macro, "`nn.macros(model)` gives those of a model.")
        return self._seen.get(macro.only, (0.0, 0))

    def reads(self, macro: Macro) -> int:
        """How often `macro`, of one stack, was read."""
        return self._of(macro)[1]

    def mean(self, macro: Macro) -> float:
        """Of a read of `macro`, of one stack [J]. Raises ArgumentError where it was never read."""
        energy, reads = self._of(macro)
        if not reads:
            raise must("trace", "hold reads of every macro", "has none of one of them",
                       "Run the model inside `with cost.watch(model) as trace:`.")  # fmt: skip
        return energy / reads


@contextmanager
def watch(model: Any) -> Iterator[Watched]:
    """While the block runs, adds up what the arrays of a model of `nn.program` spend.

    Gives the `trace` that `bill` takes. The model's results are the same as without, bit for bit.
    Raises ArgumentError where `model` is none, or has no layer on arrays.
    """
    watched, layers = Watched(), [layer for _, layer in on_arrays(model)]
    try:
        for layer in layers:
            layer.probes = (*layer.probes, watched)
        yield watched
    finally:
        for layer in layers:
            layer.probes = tuple(probe for probe in layer.probes if probe is not watched)
