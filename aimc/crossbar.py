"""Programmed cells with their wires: voltages in, currents out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import block_diag

from aimc.errors import ArgumentError, as_array, as_rng, must
from aimc.kernels.base.blas import product
from aimc.kernels.noise import forms as noise
from aimc.kernels.wires import branches, network, nonlinear, slices
from aimc.kernels.wires.topology import Topology
from aimc.parts.effects import limited
from aimc.parts.wires import Wires

if TYPE_CHECKING:
    from aimc.arrays import Array, Codes, Generator, NDArray
    from aimc.parts.ivcurve import IVCurve

_NOISY = 2**22  # cells whose noise is held at once
Power = branches.Power


@dataclass(frozen=True, eq=False)
class Solution:
    """All voltages, currents and powers of a batch of reads.

    v (reads, rows): source voltages [V]. row_voltage, col_voltage (reads, rows, cols): of the nodes
    above and below each cell [V]. cell_current (reads, rows, cols): from the row into the column
    [A]. current (reads, cols): sensed [A]. residual: Kirchhoff's current law is violated by at most
    so much of the largest source or column current. driven (reads, rows): rows with a source.
    """

    v: Array
    row_voltage: Array
    col_voltage: Array
    cell_current: Array
    current: Array
    residual: float
    wires: Wires
    driven: NDArray[np.bool_]

    @property
    def cell_voltage(self) -> Array:
        """Across each cell (reads, rows, cols) [V]."""
        return self.row_voltage - self.col_voltage

    @cached_property
    def row_current(self) -> Array:
        """Along the rows (reads, rows, cols + 1) [A], positive to the right.

        Entry j flows left of node j; the first leaves the left end's driver, the last flows into
        the right end's.
        """
        w = self.wires
        return branches.along_rows(self.cell_current, w.r_row, w.r_source, w.drive, self.driven)

    @cached_property
    def col_current(self) -> Array:
        """Along the columns (reads, rows + 1, cols) [A], positive downwards.

        Entry i flows above node i; the last flows into the bottom's virtual ground.
        """
        w = self.wires
        return branches.along_columns(self.cell_current, w.r_col, w.r_sense, w.sense)

    @cached_property
    def power(self) -> Power:
        """Delivered by the drivers, and dissipated in cells, row wires, column wires, source and
        sense resistances, each (reads,) [W]. The parts add up to what is delivered [Tellegen].
        """
        w = self.wires
        return branches.power(
            self.v, self.cell_voltage, self.cell_current, self.row_current, self.col_current,
            (w.r_row, w.r_col, w.r_source, w.r_sense),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Crossbar:
    """Cells as they stand, with their wires.

    g (rows, cols): conductances [S], >= 0; an open cell is 0. wires: resistances and topology.
    sigma (rows, cols) or None: standard deviation of each cell in one read [S], none of an open
    one. iv: the cells' current-voltage curve, of which `g` is the slope at 0 V; None: linear.
    edges: the row at which each of several arrays above each other ends, whose columns meet at the
    virtual grounds only; empty: one array. Raises ArgumentError on another shape, NaN, or a
    negative conductance.
    """

    g: Array
    wires: Wires = field(default_factory=Wires)
    sigma: Array | None = None
    iv: IVCurve | None = None
    edges: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if getattr(self.g, "dtype", None) == np.dtype(bool):
            raise must("g", "be conductances [S]", "is boolean", "Multiply it by a conductance.")
        object.__setattr__(self, "g", _kept(as_array("g", self.g, minimum=0)))
        if not isinstance(self.wires, Wires):
            raise must("wires", "be a Wires", f"is {self.wires!r}")
        if self.iv is not None:
            _check_curve(self.iv, self.g)
        if self.sigma is not None:
            sigma = as_array("sigma", self.sigma, self.g.shape, minimum=0)
            object.__setattr__(self, "sigma", _kept(sigma))
        if self.edges and (min(np.diff([0, *self.edges])) <= 0 or self.edges[-1] != len(self.g)):
            raise must("edges", f"rise to the {len(self.g)} rows", f"is {self.edges}")

    @cached_property
    def arrays(self) -> tuple[tuple[slice, Crossbar], ...]:
        """(rows, array) of each array above the others; itself where it is one."""
        if len(self.edges) < 2:
            return ((slice(0, len(self.g)), self),)
        rows = [slice(a, b) for a, b in itertools.pairwise((0, *self.edges))]
        sigma = [None if self.sigma is None else self.sigma[each] for each in rows]
        return tuple(
            (each, Crossbar(self.g[each], self.wires, part, self.iv))
            for each, part in zip(rows, sigma, strict=True)
        )

    @cached_property
    def _apart(self) -> bool:
        """Whether its arrays differ from one: without wires they do not."""
        return len(self.edges) > 1 and not self.wires.ideal

    @property
    def linear(self) -> bool:
        """Whether currents are `v @ transfer`: linear cells, idle rows grounded."""
        return self.iv is None and self.wires.idle == "grounded"

    @cached_property
    def transfer(self) -> Array:
        """(rows, cols) [S]: `v @ transfer` are the exact currents of the network of linear cells,
        every row driven.

        Found once; it is `g` itself where no wire has resistance. With an `iv`, that of the cells'
        slopes at 0 V.
        """
        if self._apart:
            parts = (array for _, array in self.arrays)
            transfer = np.concatenate([network.transfer(a.g, a._topology) for a in parts])
        else:
            transfer = network.transfer(self.g, self._topology)
        transfer.flags.writeable = False
        return transfer

    def read(self, v: Any, rng: Generator | None = None, duration: Any = None) -> Array:
        """Mean column currents (batch, cols) [A] for row voltages v (batch, rows) [V].

        duration (batch, rows): how long each voltage lasts, a share of the window in [0, 1]; all
        begin together. None: the whole window; rows at 0 V are then idle. With `rng` every read
        draws its own noise. Raises ArgumentError on a wrong shape or NaN.
        """
        v = as_array("v", v, (None, self.g.shape[0]), empty=True)
        if rng is not None:
            as_rng(rng)
        if not len(v):
            return np.zeros((0, self.g.shape[1]))
        if duration is not None:
            duration, v = slices.as_pulses(duration, v, self.g.shape[0])
        noisy = rng is not None and self.sigma is not None and bool(self.sigma.any())
        with np.errstate(over="ignore", invalid="ignore"):
            i = self._read(v, rng if noisy else None, duration)
        if not np.isfinite(i).all():
            raise ArgumentError(
                "`v`, `g` and `sigma` must give finite currents, but they overflow: "
                f"v reaches {np.abs(v).max():g} V, g {self.g.max():g} S."
            )
        return i

    def _read(self, v: Array, rng: Generator | None, duration: Array | None) -> Array:
        if self._apart and not (self.linear and self.wires.noise == "first-order"):
            lasts = [None if duration is None else duration[:, rows] for rows, _ in self.arrays]
            parts = zip(self.arrays, lasts, strict=True)
            reads = [array._read(v[:, rows], rng, last) for (rows, array), last in parts]
            return np.sum(reads, axis=0)
        if self.linear:
            v = v if duration is None else v * duration
            if rng is not None and self.wires.noise == "exact":
                return self._draw(
                    v, rng, lambda g, here: network.reads(g, v[here], self._topology)[0]
                )
            i = product(v, self.transfer)
            return i if rng is None else i + self.noise(v, rng)
        lasts = (v != 0.0).astype(float) if duration is None else duration
        if rng is None:
            return self._slices(self.g, lasts, v)
        return self._draw(v, rng, lambda g, here: self._slices(g, lasts[here], v[here]))

    def _draw(self, v: Array, rng: Any, read: Any) -> Array:
        """`read` of the conductances that each read draws, part by part."""
        assert self.sigma is not None
        result = np.empty((len(v), self.g.shape[1]))
        step = max(1, _NOISY // self.g.size)
        for lo in range(0, len(v), step):
            here = slice(lo, min(lo + step, len(v)))
            shape = (here.stop - lo, *self.g.shape)
            result[here] = read(limited(self.g, self.sigma * rng.standard_normal(shape)), here)
        return result

    def _slices(self, g: Array, duration: Array, v: Array) -> Array:
        """Mean currents where the network changes as rows fall silent; g: one, or one a read."""
        idle, cols = self.wires.idle, self.g.shape[1]
        ends = self.wires.drive != "both"
        if self.iv is None and idle == "floating" and g.ndim == 2 and ends:
            return product(slices.floating(duration, v, self.admittances), self.transfer)

        def read(volts: Array, on: NDArray[np.bool_], which: Codes) -> Array:
            cells = g if g.ndim == 2 else g[which]
            active, gate = (on if idle == kind else None for kind in ("floating", "gated"))
            if self.iv is None:
                return network.reads(cells, volts, self._topology.floating(active), gate)[0]
            if self.wires.ideal:  # an idle row is at 0 V whether it floats or not
                return self._unwired(cells, np.where(on, volts, 0.0))
            return self._newton(cells, volts, active, gate).current

        return slices.mean_current(duration, v, cols, read)

    def _unwired(self, g: Array, v: Array) -> Array:
        """Currents of cells at their rows' voltages, where wires take none."""
        assert self.iv is not None
        result = np.empty((len(v), self.g.shape[1]))
        step = max(1, nonlinear.AT_ONCE // self.g.size)
        for lo in range(0, len(v), step):
            here = slice(lo, lo + step)
            u = np.broadcast_to(v[here, :, None], (len(v[here]), *self.g.shape))
            cells = g if g.ndim == 2 else g[here]
            result[here] = np.asarray(self.iv.evaluate(cells, u)[0]).sum(axis=1)
        return result

    def _newton(self, g: Array, v: Array, active: Any, gate: Any) -> nonlinear.Newton:
        assert self.iv is not None
        return nonlinear.solve(self.iv, g, v, self._topology.floating(active), gate)

    def noise(self, v: Array, rng: Generator) -> Array:
        """What the cells' noise adds to the currents (batch, cols) [A], first order in sigma.

        The noise of independent Gaussian cells is Gaussian in each column, with the variance sum
        of (sigma_ij U_ij A_ij)^2 over the column's cells: U the cell's voltage in this read, A its
        share in the column's current (1 without wire resistance).
        """
        v = as_array("v", v, (None, self.g.shape[0]), empty=True)
        as_rng(rng)
        if self.sigma is None or not self.sigma.any() or not len(v):
            return np.zeros((len(v), self.g.shape[1]))
        std = self._noise_std(v)
        return std * rng.standard_normal(std.shape)

    def _noise_std(self, v: Array) -> Array:
        if self._apart:
            parts = [array._noise_std(v[:, rows]) for rows, array in self.arrays]
            return np.sqrt(np.sum(np.square(parts), axis=0))
        assert self.sigma is not None
        if self._noise_forms is not None:
            return noise.std(v, self._noise_forms)
        return network.noise_std(self.g, v, self.sigma, self._noise_gain, self._topology)

    def noise_forms(self) -> noise.Forms | None:
        """The noise of the columns of one array as forms of the row voltages, see
        `kernels.noise.forms`; None without noise, or where these err by too much."""
        if self.sigma is None:
            return None
        found = noise.forms(self.g, self.sigma, self._topology)
        return found if found.error <= noise.MOST_ERROR else None

    @cached_property
    def _noise_forms(self) -> noise.Forms | None:
        return self.noise_forms()

    @cached_property
    def _noise_gain(self) -> Array:
        return network.noise_gain(self.g, self._topology)

    @cached_property
    def admittances(self) -> Array:
        """(rows, rows) [S]: current into one row a volt on another, all others at 0 V, exactly.

        Of linear cells, as `transfer`. Raises ArgumentError where rows are driven from both ends.
        """
        if self._apart:
            return np.asarray(block_diag(*(array.admittances for _, array in self.arrays)))
        if self.wires.drive == "both":
            raise must(
                "wires.drive",
                "be left or right: a row with two sources has no one current",
                "is both",
            )
        return network.admittances(self.g, self._topology)

    def solve(self, v: Any) -> Solution:
        """Every node's voltage, every current and the power, for row voltages v (batch, rows) [V].

        Rows at 0 V are idle: grounded, floating or gated, as the wires say. Raises ArgumentError
        on a wrong shape or NaN, and where it is several arrays, NotConverged.
        """
        if len(self.edges) > 1:
            raise must(
                "crossbar", "be one array to be solved", f"is {len(self.edges)} above each other",
                "Solve each: `for rows, array in crossbar.arrays: array.solve(v[:, rows])`.",
            )  # fmt: skip
        v = as_array("v", v, (None, self.g.shape[0]))
        on, idle = v != 0.0, self.wires.idle
        active, gate = (on if idle == kind else None for kind in ("floating", "gated"))
        driven = on if idle == "floating" else np.ones_like(on)
        if self.iv is not None:
            at = self._newton(self.g, v, active, gate)
            cell = at.cell_current
        else:
            at = network.solve(self.g, v, self._topology.floating(active), gate)
            cell = self.g * (at.row_voltage - at.col_voltage)
            if gate is not None:
                cell *= gate[:, :, None]
        return Solution(
            v, at.row_voltage, at.col_voltage, cell, at.current, at.residual, self.wires, driven
        )

    @cached_property
    def _topology(self) -> Topology:
        return self.wires.topology(self.g.shape)


def _kept(values: Array) -> Array:
    """A copy that nobody can write to, of what somebody could."""
    part: Any = values
    while isinstance(part, np.ndarray):
        if part.flags.writeable:
            values = values.copy()
            values.flags.writeable = False
            break
        part = part.base
    return values


def _check_curve(iv: IVCurve, g: Array) -> None:
    """A curve gives current and slope of every cell, no current at 0 V, and does not fall there."""
    if isinstance(iv, type) or not callable(getattr(iv, "evaluate", None)):
        raise must("iv", "be an IVCurve or None", f"is {iv!r}", "Give an instance, not its class.")
    try:
        i, slope = iv.evaluate(g, np.zeros_like(g))
        shapes = np.shape(i), np.shape(slope)
    except (TypeError, ValueError) as error:
        raise must("iv", "give two arrays from `evaluate(g, u)`", f"gives: {error}") from error
    if shapes != (g.shape, g.shape):
        raise must("iv", f"give two arrays of shape {g.shape}", f"gives {shapes[0]}, {shapes[1]}")
    if np.any(np.asarray(i) != 0.0) or not np.all(np.asarray(slope)[g > 0.0] > 0.0):
        raise must("iv", "pass through zero and rise there", "does not")
