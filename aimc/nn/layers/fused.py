"""All time steps of a recurrent cell in one kernel, for reads that need no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from aimc.nn.layers.bridge import Chip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from aimc.kernels.read.sequence import Array

    Floats = NDArray[np.floating]

Tensor = torch.Tensor

_AT_ONCE = 2**17  # normal numbers of a stretch of steps: they stay in the cache


class Stretch(NamedTuple):
    """Some steps of a cell, as kernels take them.

    arrays, draws: of each chip, and its normal numbers (steps, batch, drawn). x (steps, batch,
    features). states: (batch, size) each, from the first to the last step's, in place. seen:
    (steps, batch, size) each, for the states after every step.
    """

    arrays: tuple[Array, ...]
    draws: tuple[Floats, ...]
    x: Floats
    states: tuple[Floats, ...]
    seen: tuple[Floats, ...]


def sweep(
    kernel: Callable[[Stretch], None],
    chips: Sequence[object],
    x: Tensor,
    state: Sequence[Tensor],
) -> tuple[Tensor, ...] | None:
    """The states after each step, each (time, batch, size), for x (time, batch, features).

    None where a chip can be read by its macro only.
    """
    compiled = []
    for chip in chips:
        found = chip.compiled(x.dtype) if isinstance(chip, Chip) else None
        if found is None or not isinstance(chip, Chip):
            return None
        compiled.append((found, chip.rng))
    arrays = tuple(chip.array for chip, _ in compiled)
    steps, batch = x.shape[:2]
    data = np.ascontiguousarray(x.numpy())
    states = tuple(np.array(part.numpy(), order="C") for part in state)
    seen = tuple(np.empty((steps, *part.shape), part.dtype) for part in states)
    stretch = max(1, _AT_ONCE // (batch * max(1, *(array.drawn for array in arrays), 1)))
    for start in range(0, steps, stretch):
        here = slice(start, min(start + stretch, steps))
        draws = tuple(chip.draws(here.stop - start, batch, rng) for chip, rng in compiled)
        kernel(Stretch(arrays, draws, data[here], states, tuple(part[here] for part in seen)))
    return tuple(torch.from_numpy(part) for part in seen)
