"""Read noise through the wires at the price of a matrix product.

The voltage across a cell is linear in the inputs, so for cells that keep their conductance the
factors of `network.noise_std` are found once; every later read is `v @ fields`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aimc.kernels import blas, network

Floats = NDArray[np.float64]
Wires = tuple[float, float, float, float, str, str]

LARGEST = 2**26  # elements of the fields, 256 MiB; larger arrays solve for each read instead
_AT_ONCE = 2**19  # elements of a chunk of cell voltages: stays in the cache
_READS = 64  # reads of a chunk at least, for which all fields pass by once


def fields(g: Floats, sigma: Floats, wires: Wires) -> tuple[NDArray[np.float32], float] | None:
    """What 1 V on each row adds to the noise of each cell's share in its column's current.

    g, sigma  (rows, cols)          conductances and their deviations in one read [S]
    wires     r_row, r_col, r_source, r_sense, drive, sense, as in `network`
    returns   (rows, rows * cols)   sigma_ij A_ij U_ij(1 V on row k) over the largest sigma,
                                    float32: its rounding is far below the first order; and that
                                    sigma [S]. None for more than LARGEST
    raises    ArgumentError, NotConverged
    """
    rows = len(g)
    if rows * g.size > LARGEST:
        return None
    largest = float(sigma.max()) or 1.0  # so that squares keep in range
    weight = (sigma / largest) * network.noise_gain(g, *wires)
    result = np.empty((rows, g.size), np.float32)
    step = max(1, _AT_ONCE // g.size)
    for k in range(0, rows, step):
        unit = np.eye(rows)[k : k + step]
        at = network.solve(g, unit, *wires)
        across = (at.row_voltage - at.col_voltage) * weight
        result[k : k + step] = across.reshape(len(unit), -1)
    return result, largest


def std(v: Floats, fields: NDArray[np.float32], largest: float, cols: int) -> Floats:
    """Standard deviation of the sensed currents to first order, from `fields`.

    v         (batch, rows)         source voltages [V]
    returns   (batch, cols)         [A]
    """
    result = np.empty((len(v), cols))
    scale = float(np.abs(v).max()) or 1.0
    single = (v / scale).astype(np.float32)
    step = max(1, min(len(v), max(_READS, _AT_ONCE // fields.shape[1])))
    buffer = np.empty((step, fields.shape[1]), np.float32)
    with blas.one_thread():  # a second thread gains nothing here, and waits where cores are busy
        for k in range(0, len(v), step):
            part = single[k : k + step]
            noise = np.matmul(part, fields, out=buffer[: len(part)]).reshape(-1, len(fields), cols)
            result[k : k + step] = np.sqrt(np.einsum("bij,bij->bj", noise, noise))
    return result * (scale * largest)
