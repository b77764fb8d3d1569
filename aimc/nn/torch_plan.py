"""Plans of reads executed by torch, on any device."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.kernels.read.conversion import Levels
    from aimc.kernels.read.plan import Plan

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Buffers:
    """A plan as tensors of one type on one device: one product and one search a row block.

    levels, outputs: of each row block and column, (groups, cols, n - 1) and (groups, cols, n), and
    in the end those of the digital sum, where there is one. noise: variance, mean, cross, diagonal
    and weights of `Noise`. The other fields are those of `Plan`.
    """

    plan: Plan
    scale: Tensor
    matrix: Tensor
    noise: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
    volts: Tensor
    offset: Tensor
    levels: list[tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, plan: Plan, device: torch.device) -> Buffers:
        def send(value: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(value)).to(device)

        def tables(levels: Levels) -> list[tuple[Tensor, Tensor]]:
            at = levels.base.astype(np.int64)[:, :, None] + np.arange(levels.size)
            pairs = zip(levels.levels[at][:, :, :-1], levels.outputs[at], strict=True)
            return [(send(edges), send(values)) for edges, values in pairs]

        noise = plan.noise
        return cls(
            plan, send(plan.scale), send(plan.matrix),
            (send(noise.variance), send(noise.mean), send(noise.cross), send(noise.diagonal),
             send(noise.weights)),
            send(plan.volts), send(plan.offset), tables(plan.levels) + tables(plan.sums),
        )  # fmt: skip

    def __call__(self, z: Tensor, draws: Tensor) -> Tensor:
        """Outputs (batch, cols) of z (batch, driven), with draws (batch, groups * drawn)."""
        plan = self.plan
        x = rounded(torch.clamp(z / self.scale, -plan.x_max, plan.x_max), plan.grid)
        still = x.new_full((len(x), len(self.matrix) - x.shape[1]), plan.v_still)
        v = torch.cat([x * plan.v_read, still], dim=1)
        groups = len(plan.edges) - 1
        total = torch.zeros(())
        for group in range(groups):
            rows = slice(int(plan.edges[group]), int(plan.edges[group + 1]))
            i = v[:, rows] @ self.matrix[rows]
            if plan.noise.drawn:
                i = i + self._noise(v[:, rows], rows, group, draws)
            u = i * self.volts[group] - self.offset[group]
            y = _convert(u, *self.levels[group])
            total = y if group == 0 else total + y
        return total if groups == 1 else _convert(total, *self.levels[-1])

    def _noise(self, v: Tensor, rows: slice, group: int, draws: Tensor) -> Tensor:
        noise = self.plan.noise
        std, drawn = torch.sqrt(torch.clamp(self._variances(v, rows), min=0)), noise.drawn
        own = std * draws[:, group * drawn : (group + 1) * drawn]
        return own if drawn == self.matrix.shape[1] else own[:, 0::2] - own[:, 1::2]

    def _variances(self, v: Tensor, rows: slice) -> Tensor:
        """Of the currents of a row block (batch, lines)."""
        noise, (variance, mean, cross, diagonal, weights) = self.plan.noise, self.noise
        few, wide = weights.shape[1], torch.from_numpy(np.diff(noise.across)).to(v.device)
        spread = v**2 @ variance[rows] if variance.numel() else v.new_zeros(())
        for a, (low, high) in enumerate(itertools.pairwise(noise.edges.tolist())):
            if low < rows.start or high > rows.stop:
                continue
            here, at = v[:, low - rows.start : high - rows.start], slice(low, high)
            lift = (here @ mean[at]).repeat_interleave(wide, dim=1)
            spread = spread + lift * (here @ cross[at])
            if few:
                own = (here**2 @ diagonal[at]).reshape(len(v), -1, few)
                own = own.repeat_interleave(wide, dim=1)
                spread = spread + torch.einsum("bjp,pj->bj", own, weights[a])
        return spread


def rounded(x: Tensor, grid: float) -> Tensor:
    """Activations as rows carry them: whole multiples of 1 / grid, half to even; 0: as they are."""
    return torch.round(x * grid) * (1 / grid) if grid else x


def _convert(u: Tensor, levels: Tensor, outputs: Tensor) -> Tensor:
    """outputs[number of levels that are at most u], for u (batch, cols) and tables of columns."""
    code = torch.searchsorted(levels, u.T.contiguous(), right=True)
    return torch.gather(outputs, 1, code).T
