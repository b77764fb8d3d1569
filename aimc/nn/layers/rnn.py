"""RNN, LSTM and GRU whose gates come out of the arrays' converters."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aimc.cost import Conversion, LookUp
from aimc.cost.stages import gru, gru_after, lstm
from aimc.errors import must
from aimc.kernels.read import sequence
from aimc.kernels.read.conversion import levels_of, nothing
from aimc.macro import Condition
from aimc.nn.layers.bridge import Matrix, convert, tanh
from aimc.nn.layers.recurrent import Recurrent

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from aimc.converters.base import Converter
    from aimc.macro import Hardware, Macro
    from aimc.nn.layers.base import Matrices
    from aimc.nn.layers.fused import Stretch
    from aimc.nn.layers.recurrent import State

Tensor = torch.Tensor
Sources = tuple[tuple[str, int], ...]
CELL_TANH = ("digital", "ramp")


class RNN(Recurrent, torch.nn.RNN):
    """torch.nn.RNN with tanh: h' = tanh(W_ih x + W_hh h + b), one array a cell, converter tanh.

    Takes torch.nn.RNN's arguments; `nonlinearity="relu"` raises ArgumentError, because a state
    that is not bounded has no full scale. x_scale: see `AnalogLayer`.
    """

    def __init__(self, *args: Any, x_scale: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, x_scale=x_scale, **kwargs)
        if self.nonlinearity != "tanh":
            raise must("nonlinearity", "be 'tanh'", f"is {self.nonlinearity!r}")

    def cell_matrices(self, end: str, inputs: Sources) -> dict[str, Matrix]:
        sources = (*inputs, ("h", self.hidden_size))
        return {f"state{end}": self.stacked(end, sources, ("tanh",))}

    def step(self, end: str, matrices: Matrices, x: Tensor, state: State) -> State:
        return (self.read(f"state{end}", matrices, x, state[0]),)

    def driven(
        self, end: str, x: Tensor, h: Tensor, inner: Tensor
    ) -> dict[str, tuple[Tensor, ...]]:
        return {f"state{end}": (x, h)}

    def work(self, end: str) -> tuple[Any, ...]:
        return (self.reads(f"state{end}", f"state{end}"),)

    def kernel(self, end: str, stretch: Stretch) -> None:
        sequence.rnn(*stretch.reads, stretch.x, *stretch.states, *stretch.seen)


class LSTM(Recurrent, torch.nn.LSTM):
    """torch.nn.LSTM: the gates i, f, g, o are the four column ranges of one array a cell.

    c' = f c + i g and h' = o tanh(c') are digital products of converter codes; with proj_size, h'
    goes through a second array, converted linearly. Takes torch.nn.LSTM's arguments. x_scale, and
    y_range for the projection: see `AnalogLayer`.

    cell_tanh: "digital" computes tanh(c') exactly; "ramp" converts the held cell state with a
    tanh ramp of its own for each cell, written through the same device, with ideal comparators.
    """

    options = (*Recurrent.options, "cell_tanh")

    def __init__(self, *args: Any, cell_tanh: str = "digital", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if cell_tanh not in CELL_TANH:
            raise must("cell_tanh", "be 'digital' or 'ramp'", f"is {cell_tanh!r}")
        self.cell_tanh = cell_tanh
        self.ramps: dict[str, Converter] = {}

    def program(
        self, hardware: Hardware, rng: np.random.Generator, dtype: torch.dtype = torch.float64
    ) -> Self:
        super().program(hardware, rng, dtype)
        if self.cell_tanh == "ramp":
            ramps = [hardware.adc.program("tanh", hardware.device, rng) for _ in self.cells]
            # The state does not come from an array: nothing drifts with the ramp.
            at = Condition(hardware.age)
            self.ramps = {
                end: dataclasses.replace(ramp, number=n).under(at, rng, retained=1.0)
                for n, (end, ramp) in enumerate(zip(self.cells, ramps, strict=True))
            }
        return self

    def alter(
        self, macro: Callable[[Macro], Macro], ramp: Callable[[Converter], Converter]
    ) -> None:
        super().alter(macro, ramp)
        self.ramps = {end: ramp(each) for end, each in self.ramps.items()}

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return (self.output_size, self.hidden_size)

    def output_source(self, end: str) -> str:
        return f"projection{end}" if self.proj_size else "h"

    def cell_matrices(self, end: str, inputs: Sources) -> dict[str, Matrix]:
        sources = (*inputs, (self.output_source(end), self.output_size))
        curves = ("sigmoid", "sigmoid", "tanh", "sigmoid")
        found = {f"gates{end}": self.stacked(end, sources, curves)}
        if self.proj_size:
            weight = self.parameter("weight_hr", end)
            found[f"projection{end}"] = Matrix(
                weight, None, (("h", self.hidden_size),), ("linear",)
            )
        return found

    def step(self, end: str, matrices: Matrices, x: Tensor, state: State) -> State:
        h, c = state
        gates = self.read(f"gates{end}", matrices, x, h)
        i, f, g, o = gates.chunk(4, dim=1)
        c = f * c + i * g
        h = o * (convert(self.ramps[end], c) if self.ramps else tanh(c))
        if self.proj_size:
            h = self.read(f"projection{end}", matrices, h)
        return h, c

    def driven(
        self, end: str, x: Tensor, h: Tensor, inner: Tensor
    ) -> dict[str, tuple[Tensor, ...]]:
        projected = {f"projection{end}": (inner,)} if self.proj_size else {}
        return {f"gates{end}": (x, h), **projected}

    def work(self, end: str) -> tuple[Any, ...]:
        names = [f"gates{end}", f"projection{end}"][: 2 if self.proj_size else 1]
        gates, *projection = (self.reads(name, name) for name in names)
        tanh, size = LookUp("tanh(c)", self.hidden_size), self.hidden_size
        if self.hardware and self.ramps:
            tanh = Conversion("tanh(c)", self.hardware, size, self.ramps[end])
        return lstm(gates, tanh, size, *projection)

    def fusible(self, end: str) -> bool:
        return not self.ramps or self.ramps[end].table() is not None

    def kernel(self, end: str, stretch: Stretch) -> None:
        reads, kind = stretch.reads, stretch.x.dtype.type
        none = reads[0]._replace(plan=reads[0].plan._replace(matrix=np.empty((0, 0), kind)))
        projection = reads[1] if self.proj_size else none
        cell = sequence.Cell(1.0, nothing(kind))
        if self.ramps and (table := self.ramps[end].table()) is not None:
            volts, which = self.ramps[end].gain * self.ramps[end].common, (1, self.hidden_size)
            levels = levels_of([(table.levels, table.outputs)], np.zeros(which, np.intp), kind)
            cell = sequence.Cell(volts, levels)
        seen = (*stretch.seen, stretch.inner)
        sequence.lstm(reads[0], projection, cell, stretch.x, stretch.states, seen)


class GRU(Recurrent, torch.nn.GRU):
    """torch.nn.GRU: r and z are the two column ranges of one array a cell.

    reset="after", as torch.nn.GRU computes: n = tanh(W_in x + b_in + r (W_hn h + b_hn)). The gate
    stands between the product and the tanh, so the candidate takes two arrays, each converted
    linearly, and a digital tanh. reset="before", as first published [Cho et al. 2014]: n =
    tanh(W_in x + W_hn (r h) + b_in + b_hn), one array whose converter is the tanh, read after the
    gates; weights trained for one variant do not suit the other. h' = n + z (h - n) is digital.
    Takes torch.nn.GRU's other arguments. x_scale, and y_range for the two parts: see `AnalogLayer`.
    """

    options = (*Recurrent.options, "reset")

    def __init__(self, *args: Any, reset: str = "after", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if reset not in ("after", "before"):
            raise must("reset", "be 'after' or 'before'", f"is {reset!r}")
        self.reset = reset

    def cell_matrices(self, end: str, inputs: Sources) -> dict[str, Matrix]:
        h = ("h", self.hidden_size)
        gates, new = slice(2 * self.hidden_size), slice(2 * self.hidden_size, None)
        found = {f"gates{end}": self.stacked(end, (*inputs, h), ("sigmoid", "sigmoid"), gates)}
        if self.reset == "before":
            found[f"new{end}"] = self.stacked(end, (*inputs, h), ("tanh",), new)
            return found
        b_ih, b_hh = (None if b is None else b[new] for b in self.biases(end))
        w_ih, w_hh = (self.parameter(kind, end)[new] for kind in ("weight_ih", "weight_hh"))
        found[f"new_x{end}"] = Matrix(w_ih, b_ih, inputs, ("linear",))
        found[f"new_h{end}"] = Matrix(w_hh, b_hh, (h,), ("linear",))
        return found

    def step(self, end: str, matrices: Matrices, x: Tensor, state: State) -> State:
        h = state[0]
        r, z = self.read(f"gates{end}", matrices, x, h).chunk(2, dim=1)
        if self.reset == "before":
            n = self.read(f"new{end}", matrices, x, r * h)
        else:
            new_x = self.read(f"new_x{end}", matrices, x)
            new_h = self.read(f"new_h{end}", matrices, h)
            n = tanh(new_x + r * new_h)
        return (n + z * (h - n),)

    def driven(
        self, end: str, x: Tensor, h: Tensor, inner: Tensor
    ) -> dict[str, tuple[Tensor, ...]]:
        if self.reset == "before":
            return {f"gates{end}": (x, h), f"new{end}": (x, inner)}
        return {f"gates{end}": (x, h), f"new_x{end}": (x,), f"new_h{end}": (h,)}

    def work(self, end: str) -> tuple[Any, ...]:
        gates = self.reads(f"gates{end}", f"gates{end}")
        if self.reset == "before":
            return gru(gates, self.reads(f"new{end}", f"new{end}"), self.hidden_size)
        new = self.reads("candidate", f"new_x{end}", f"new_h{end}")
        return gru_after(gates, new, self.hidden_size)

    def kernel(self, end: str, stretch: Stretch) -> None:
        reads, x, states, seen, inner = stretch
        if self.reset == "before":
            sequence.gru(*reads, x, *states, *seen, inner)
        else:
            sequence.gru_after(*reads, x, *states, *seen)
