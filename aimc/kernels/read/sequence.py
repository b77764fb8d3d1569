"""Recurrent cells over many time steps, every gate read by its plan, without Python in between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aimc.kernels.base.jit import exact
from aimc.kernels.read.conversion import Levels, convert
from aimc.kernels.read.plan import Floats, Read, execute, normal_numbers, scratch
from aimc.kernels.read.tanh import tanh_of


class Cell(NamedTuple):
    """The ramp that converts a cell state: volts for a state of one [V], and its levels; of size 0:
    the state goes through a digital tanh."""

    gain: float
    levels: Levels


@exact
def rnn(gate: Read, x: Floats, h: Floats, out: Floats) -> None:
    """h' = gate(x, h).

    gate: a Read. x (steps, batch, features); h (batch, hidden): the first state, overwritten by the
    last; out (steps, batch, hidden).
    """
    work = scratch(gate.plan, x.shape[1])
    for t in range(len(x)):
        execute(gate.plan, x[t], h, normal_numbers(gate, t), work)
        h[:] = work.y
        out[t] = h


@exact
def lstm(
    gates: Read,
    projection: Read,
    cell: Cell,
    x: Floats,
    states: tuple[Floats, Floats],
    seen: tuple[Floats, Floats, Floats],
) -> None:
    """c' = f c + i g, h' = o tanh(c') with i, f, g, o = gates(x, h); h' = projection(h').

    As `rnn`; states: h and c (batch, hidden); seen: out, cells (steps, batch, hidden) and inner, of
    that shape for o tanh(c'), of size 0 where nobody asks for it. projection: its matrix is empty
    where h' is not projected. cell: a Cell.
    """
    h, c = states
    out, cells, inner = seen
    batch, size = c.shape
    kind = c.dtype.type
    work, state = scratch(gates.plan, batch), np.empty_like(c)
    projected = projection.plan.matrix.size > 0
    more, none = scratch(projection.plan, batch), x[0, :, :0]
    gate, code = work.y, np.empty(size, np.uint32)
    for t in range(len(x)):
        execute(gates.plan, x[t], h, normal_numbers(gates, t), work)
        for b in range(batch):
            for j in range(size):
                c[b, j] = gate[b, size + j] * c[b, j] + gate[b, j] * gate[b, 2 * size + j]
        if cell.levels.size:
            for b in range(batch):
                for j in range(size):
                    state[b, j] = c[b, j] * kind(cell.gain)
            convert(state, 0, batch, 0, cell.levels, code, state, False)
            for b in range(batch):
                for j in range(size):
                    state[b, j] = gate[b, 3 * size + j] * state[b, j]
        else:
            for b in range(batch):
                for j in range(size):
                    state[b, j] = gate[b, 3 * size + j] * kind(tanh_of(float(c[b, j])))
        if inner.size:
            inner[t] = state
        if projected:
            execute(projection.plan, none, state, normal_numbers(projection, t), more)
            h[:] = more.y
        else:
            h[:] = state
        out[t] = h
        cells[t] = c


@exact
def gru(gates: Read, new: Read, x: Floats, h: Floats, out: Floats, inner: Floats) -> None:
    """h' = n + z (h - n) with r, z = gates(x, h) and n = new(x, r h); as `rnn`.

    inner: as in `lstm`, for r h.
    """
    batch, size = h.shape
    work, more = scratch(gates.plan, batch), scratch(new.plan, batch)
    reset = np.empty_like(h)
    for t in range(len(x)):
        execute(gates.plan, x[t], h, normal_numbers(gates, t), work)
        gate, n = work.y, more.y
        for b in range(batch):
            for j in range(size):
                reset[b, j] = gate[b, j] * h[b, j]
        if inner.size:
            inner[t] = reset
        execute(new.plan, x[t], reset, normal_numbers(new, t), more)
        for b in range(batch):
            for j in range(size):
                h[b, j] = n[b, j] + gate[b, size + j] * (h[b, j] - n[b, j])
        out[t] = h


@exact
def gru_after(gates: Read, new_x: Read, new_h: Read, x: Floats, h: Floats, out: Floats) -> None:
    """As `gru`, with n = tanh(new_x(x) + r new_h(h))."""
    batch, size = h.shape
    kind = h.dtype.type
    work, none = scratch(gates.plan, batch), x[0, :, :0]
    from_x, from_h = scratch(new_x.plan, batch), scratch(new_h.plan, batch)
    for t in range(len(x)):
        execute(gates.plan, x[t], h, normal_numbers(gates, t), work)
        execute(new_x.plan, x[t], none, normal_numbers(new_x, t), from_x)
        execute(new_h.plan, none, h, normal_numbers(new_h, t), from_h)
        gate, a, r = work.y, from_x.y, from_h.y
        for b in range(batch):
            for j in range(size):
                n = kind(tanh_of(float(a[b, j] + gate[b, j] * r[b, j])))
                h[b, j] = n + gate[b, size + j] * (h[b, j] - n)
        out[t] = h
