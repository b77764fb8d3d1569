"""Programmed cells with their wires: voltages in, currents out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import as_array, as_rng, must
from aimc.kernels import network, noise
from aimc.wires import Wires

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Solution = network.Solved


@dataclass(frozen=True, eq=False)
class Crossbar:
    """Cells as they stand, with their wires.

    g (rows, cols): conductances [S], >= 0; an open cell is 0. wires: resistances and topology.
    sigma (rows, cols) or None: standard deviation of each cell in one read [S]. Raises
    ArgumentError on another shape, NaN, or a negative conductance.
    """

    g: Array
    wires: Wires = field(default_factory=Wires)
    sigma: Array | None = None

    def __post_init__(self) -> None:
        g = as_array("g", self.g, minimum=0).copy()
        g.flags.writeable = False
        object.__setattr__(self, "g", g)
        if not isinstance(self.wires, Wires):
            raise must("wires", "be a Wires", f"is {self.wires!r}")
        if self.sigma is not None:
            object.__setattr__(self, "sigma", as_array("sigma", self.sigma, g.shape, minimum=0))

    @cached_property
    def transfer(self) -> Array:
        """(rows, cols) [S]: `v @ transfer` are the exact currents of the network of linear cells.

        Found once; it is `g` itself where no wire has resistance.
        """
        transfer = network.transfer(self.g, *self._wires)
        transfer.flags.writeable = False
        return transfer

    def read(self, v: Any, rng: np.random.Generator | None = None) -> Array:
        """Column currents (batch, cols) [A] for row voltages v (batch, rows) [V].

        With `rng` every read draws its own noise. Raises ArgumentError on a wrong shape or NaN.
        """
        v = as_array("v", v, (None, self.g.shape[0]))
        i = v @ self.transfer
        return i if rng is None else i + self.noise(v, as_rng(rng))

    def noise(self, v: Array, rng: np.random.Generator) -> Array:
        """What the cells' noise adds to the currents (batch, cols) [A], first order in sigma.

        The noise of independent Gaussian cells is Gaussian in each column, with the variance sum
        of (sigma_ij U_ij A_ij)^2 over the column's cells: U the cell's voltage in this read, A its
        share in the column's current (1 without wire resistance).
        """
        if self.sigma is None or not self.sigma.any():
            return np.zeros((len(v), self.g.shape[1]))
        if self.wires.ideal:
            std = np.sqrt(v**2 @ self.sigma**2)
        else:
            std = self._noise_std(v, self.sigma)
        return std * rng.standard_normal(std.shape)

    def _noise_std(self, v: Array, sigma: Array) -> Array:
        if self._noise_fields is not None:
            return noise.std(v, self._noise_fields, self.g.shape[1])
        return network.noise_std(self.g, v, sigma, self._noise_gain, *self._wires)

    @cached_property
    def _noise_fields(self) -> NDArray[np.float32] | None:
        assert self.sigma is not None
        return noise.fields(self.g, self.sigma, self._wires)

    @cached_property
    def _noise_gain(self) -> Array:
        return network.noise_gain(self.g, *self._wires)

    def solve(self, v: Any) -> Solution:
        """Every node's voltage and the currents for row voltages v (batch, rows) [V].

        The solution has row_voltage and col_voltage (batch, rows, cols) [V], current (batch, cols)
        [A], and residual: Kirchhoff's current law violated at most by so much of the largest
        current.
        """
        v = as_array("v", v, (None, self.g.shape[0]))
        return network.solve(self.g, v, *self._wires)

    @property
    def _wires(self) -> tuple[float, float, float, float, str, str]:
        w = self.wires
        return w.r_row, w.r_col, w.r_source, w.r_sense, w.drive, w.sense
