"""Between torch and the arrays: tensors to numpy and back, straight-through gradients.

A layer describes each of its arrays as a `Matrix`. Programming makes a `Chip` of it: the weights
stacked on the rows of one macro, the bias on rows of its own. Reading a chip
gives what the converter delivered; the gradient is that of the float matrix behind the same curve.
"""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from aimc.curves import curve
from aimc.kernels.read import tanh as digital
from aimc.macro.plan import ReadPlan
from aimc.nn.torch_plan import Buffers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aimc.converters.base import Converter
    from aimc.curves import Curve
    from aimc.macro import Hardware, Macro

Tensor = torch.Tensor


@dataclass(frozen=True)
class Matrix:
    """What one array holds, as float64 tensors.

    weight: (cols, rows), as torch keeps it. bias: (cols,). sources: for each block of rows, what
    drives it and how many rows it takes: "x" is the layer's input, "h" a state within +-1, any
    other name the matrix whose converted result it is. curves: over equal column ranges; "linear"
    stands for a linear conversion whose range is not known before programming.
    """

    weight: Tensor
    bias: Tensor | None
    sources: tuple[tuple[str, int], ...]
    curves: tuple[str | Curve, ...]

    def activate(self, z: Tensor, curves: tuple[str | Curve, ...]) -> Tensor:
        """f(z @ weight.T + bias), (batch, cols), with the curves given."""
        return activated(curves, F.linear(z, self.weight, self.bias))


@dataclass(frozen=True, eq=False)
class Chip:
    """A matrix programmed into hardware; only its generator of read noise moves.

    macro: the arrays. scale: (rows,) the activation that drives each row fully.
    bias_rows: rows that stand at x_max all the time. curves: as programmed.
    """

    macro: Macro
    scale: np.ndarray
    bias_rows: int
    x_max: float
    curves: tuple[str | Curve, ...]
    rng: np.random.Generator

    @classmethod
    def write(
        cls,
        matrix: Matrix,
        scale: np.ndarray,
        curves: tuple[str | Curve, ...],
        hardware: Hardware,
        rng: np.random.Generator,
    ) -> Chip:
        """Program `matrix`; the draws come from `rng`, and so does the seed of the read noise."""
        x_max = hardware.driver.x_max
        w = matrix.weight.detach().cpu().numpy().T * scale[:, None]
        bias = np.empty((0, w.shape[1]))
        if matrix.bias is not None:
            bias = _bias_rows(w, matrix.bias.detach().cpu().numpy() / x_max, hardware)
        macro = hardware.program(
            np.concatenate([w, bias]), rng, curves[0] if len(curves) == 1 else curves
        )
        reads = np.random.default_rng(rng.integers(2**63, size=2))
        return cls(macro, scale, len(bias), x_max, curves, reads)

    def plan(self, dtype: torch.dtype) -> ReadPlan | None:
        """Its reads in `dtype` as plain arrays; None where only the macro can be read."""
        if dtype not in self._plans:
            kind = np.float64 if dtype == torch.float64 else np.float32
            self._plans[dtype] = ReadPlan.of(self.macro, kind, self.scale, self.bias_rows)
        return self._plans[dtype]

    @cached_property
    def _plans(self) -> dict[torch.dtype, ReadPlan | None]:
        return {}

    @cached_property
    def _sent(self) -> dict[tuple[str, torch.dtype], Buffers]:
        return {}

    def _by_torch(self, plan: ReadPlan, z: Tensor) -> Tensor:
        """A read of z on its device, where the plan is sent once."""
        key = str(z.device), z.dtype
        if key not in self._sent:
            self._sent[key] = Buffers.of(plan.arrays, z.device)
        draws = torch.from_numpy(plan.draws(1, len(z), self.rng)[0])
        return self._sent[key](z.detach(), draws.to(z.device))

    def read(self, z: Tensor) -> Tensor:
        """One read of activations z (batch, rows), digital results (batch, cols); no gradient.

        In float64 what `self.macro` gives, bit for bit, unless a voltage lies within rounding of a
        level; in float32 with noise of the same distribution.
        """
        plan = self.plan(z.dtype)
        if plan is not None and z.device.type == "cpu":
            return torch.from_numpy(plan.run(z.detach().numpy(), self.rng))
        if plan is not None:
            return self._by_torch(plan, z)
        return torch.from_numpy(self.macro(self.activations(z), self.rng)).to(z)

    def activations(self, z: Tensor) -> np.ndarray:
        """What drives the macro (batch, rows) for z (batch, rows of the layer); bias rows last."""
        rows = len(self.scale)
        x = np.empty((len(z), rows + self.bias_rows))
        np.divide(z.detach().cpu().numpy(), self.scale, out=x[:, :rows])
        x[:, rows:] = self.x_max
        return x

    def __call__(self, matrix: Callable[[], Matrix], z: Tensor) -> Tensor:
        """A read whose gradient is that of `matrix()` behind the programmed curves.

        Activations beyond what a row carries saturate, so their gradient is zero.
        """
        measured = self.read(z)
        if not torch.is_grad_enabled():
            return measured
        limit = torch.from_numpy(self.x_max * self.scale).to(z)
        ideal = matrix().activate(torch.clamp(z, -limit, limit), self.curves)
        return straight_through(ideal, measured)

    def __deepcopy__(self, memo: dict[int, Any]) -> Chip:
        """The same chip, with a generator of its own at the same state."""
        return dataclasses.replace(self, rng=deepcopy(self.rng, memo))


class Rehearsal(Protocol):
    """What a layer reads in training, where it has no chip yet; scale: as that of a `Chip`."""

    scale: Tensor

    def __call__(self, z: Tensor) -> Tensor: ...


def convert(ramp: Converter, u: Tensor) -> Tensor:
    """Pre-activations `u` through a ramp by itself, with the gradient of its curve."""
    measured = torch.from_numpy(ramp(u.detach().cpu().numpy())).to(u)
    return straight_through(_apply(ramp.curve, u), measured) if u.requires_grad else measured


def tanh(u: Tensor) -> Tensor:
    """Digital tanh; on the CPU by the kernel that the cells use, so that both are equal."""
    if u.device.type != "cpu":
        return torch.tanh(u)
    flat = np.ascontiguousarray(u.detach().numpy()).ravel()
    result = np.empty_like(flat)
    digital.tanh(flat, result)
    y = torch.from_numpy(result.reshape(u.shape))
    return straight_through(torch.tanh(u), y) if u.requires_grad else y


def straight_through(ideal: Tensor, measured: Tensor) -> Tensor:
    """The values of `measured` with the gradient of `ideal`; both of one shape."""
    return _StraightThrough.apply(ideal, measured)  # pyright: ignore[reportReturnType]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ideal: Tensor, measured: Tensor) -> Tensor:
        return measured.view_as(measured)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class _Curve(torch.autograd.Function):
    """Any `aimc.Curve`, with a central difference for its slope; flat where it clips."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, curve: Curve) -> Tensor:
        ctx.curve = curve
        ctx.save_for_backward(u)
        return torch.from_numpy(_clipped(curve, u.detach().cpu().numpy())).to(u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        u = ctx.saved_tensors[0].double().cpu().numpy()
        step = 1e-6 * np.maximum(np.abs(u), 1.0)
        rise = _clipped(ctx.curve, u + step) - _clipped(ctx.curve, u - step)
        return grads[0] * torch.from_numpy(rise / (2 * step)).to(grads[0]), None


def _clipped(curve: Curve, u: np.ndarray) -> np.ndarray:
    return np.clip(curve.f(u), curve.lo, curve.hi)


def activated(curves: tuple[str | Curve, ...], u: Tensor) -> Tensor:
    """f(u) (batch, cols) with curves over equal ranges of the columns."""
    if len(curves) == 1:
        return _apply(curves[0], u)
    parts = zip(curves, u.chunk(len(curves), dim=1), strict=True)
    return torch.cat([_apply(f, part) for f, part in parts], dim=1)


def _apply(function: str | Curve, u: Tensor) -> Tensor:
    if function == "sigmoid":
        return torch.sigmoid(u)
    if function == "tanh":
        return torch.tanh(u)
    if function == "linear":
        return u
    return _Curve.apply(u, curve(function))  # pyright: ignore[reportReturnType]


def _bias_rows(w: np.ndarray, bias: np.ndarray, hardware: Hardware) -> np.ndarray:
    """`bias` (cols,) shared by as many rows as keep it within the weights `w` (rows, cols).

    A bias far above every weight would otherwise set the scale of the whole array, or be clipped.
    Without a fixed `w_max` it never takes more rows than the weights do; and where the rows that
    the weights leave free hold it with at most twice the scale, it takes these: digital sums of
    more arrays err more.
    """
    w_max = hardware.mapping.w_max
    limit = w_max if w_max is not None else float(np.abs(w).max()) or float("inf")
    count = max(1, int(np.ceil(np.abs(bias).max() / limit - 1e-9)))
    if w_max is None:
        free = -len(w) % (hardware.rows * (hardware.stack or 1))
        count = free if free < count <= 2 * free else min(count, len(w))
    return np.broadcast_to(bias / count, (count, len(bias)))
