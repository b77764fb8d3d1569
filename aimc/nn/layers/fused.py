"""All time steps of a recurrent cell in one kernel, for reads that need no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from aimc.kernels.read.plan import Read
    from aimc.nn.layers.bridge import Chip

    Floats = NDArray[np.floating]

Tensor = torch.Tensor

_AT_ONCE = 2**17  # normal numbers of a stretch of steps: they stay in the cache


class Stretch(NamedTuple):
    """Some steps of a cell, as kernels take them.

    reads: of each chip, its plan and its normal numbers. x (steps, batch, features). states:
    (batch, size) each, from the first to the last step's, in place. seen: (steps, batch, size)
    each, for the states after every step. inner (steps, batch, size): for what drives an array
    within a step and is no state; without size, nobody asks for it.
    """

    reads: tuple[Read, ...]
    x: Floats
    states: tuple[Floats, ...]
    seen: tuple[Floats, ...]
    inner: Floats


def sweep(
    kernel: Callable[[Stretch], None],
    chips: Sequence[Chip],
    x: Tensor,
    state: Sequence[Tensor],
    kept: int = 0,
) -> tuple[tuple[Tensor, ...], Tensor] | None:
    """The states after each step, each (time, batch, size), for x (time, batch, features); and
    (time, batch, kept) what drives an array within a step and is no state, where that is asked for.

    None where a chip can be read by its macro only.
    """
    plans = []
    for chip in chips:
        found = chip.plan(x.dtype)
        if found is None:
            return None
        plans.append((found, chip.rng))
    steps, batch = x.shape[:2]
    data = np.ascontiguousarray(x.numpy())
    states = tuple(np.array(part.numpy(), order="C") for part in state)
    seen = tuple(np.empty((steps, *part.shape), part.dtype) for part in states)
    inner = np.empty((steps, batch, kept), data.dtype)
    drawn = max(plan.drawn for plan, _ in plans)
    single = x.dtype == torch.float32  # draws as it goes
    stretch = steps if single else max(1, _AT_ONCE // max(1, batch * drawn))
    for start in range(0, steps, max(1, stretch)):
        here = slice(start, min(start + stretch, steps))
        reads = tuple(plan.reads(here.stop - start, batch, rng) for plan, rng in plans)
        after = tuple(part[here] for part in seen)
        kernel(Stretch(reads, data[here], states, after, inner[here]))
    return tuple(torch.from_numpy(part) for part in seen), torch.from_numpy(inner)
