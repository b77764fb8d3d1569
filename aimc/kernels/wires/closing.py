"""What the left-to-bottom matrix leaves out: floating rows, far ends, admittances of the rows."""

from __future__ import annotations

import numpy as np

from aimc.arrays import Array, NDArray
from aimc.kernels.wires import reduction
from aimc.kernels.wires.leaves import Wires
from aimc.kernels.wires.reduction import ports
from aimc.kernels.wires.topology import Topology


def close(
    g: Array, driven: NDArray[np.bool_], top: Topology, wires: Wires
) -> tuple[Array, Array, float]:
    """Array rows and closes the far ends of an array whose bottom row comes first.

    Gives the transfer matrix (rows, cols), with rows of zeros where they float; the admittances
    of the driven rows, (driven, driven) [S]: current into the left end of one a volt on another;
    and the largest relative error of what was solved on the way.

    The unknowns are the voltages of floating rows, whose current is 0, and the currents into the
    far ends, which lie at their source or at ground through `row_end` or `col_end`.
    """
    rows, cols = g.shape
    k, at, miss = reduction.hybrid(g, wires, top.row_end >= 0.0, top.col_end >= 0.0)
    left, bottom = ports(at.left)[:rows], ports(at.bottom)[:cols]
    right = ports(at.right)[:rows][driven] if top.row_end >= 0.0 else at.right[:0]
    up = ports(at.top)[:cols] if top.col_end >= 0.0 else at.top[:0]
    # A floating row without closed cells carries nothing; its voltage would be undefined.
    unknown = np.concatenate([left[~driven & g.any(axis=1)], right, up])
    known = left[driven]
    first = len(unknown) - len(right) - len(up)
    ends = np.repeat([0.0, top.row_end, top.col_end], [first, len(right), len(up)])
    system = k[np.ix_(unknown, unknown)]
    system[np.diag_indices(len(unknown))] -= ends
    drive = -k[np.ix_(unknown, known)]
    if len(right):
        drive[first : first + len(right)] -= np.eye(len(right))
    scale = 1.0 / np.sqrt(np.abs(np.diag(system)))
    scaled, right = scale[:, None] * system * scale, scale[:, None] * drive
    solved = np.linalg.solve(scaled, right)
    if solved.size:
        largest = np.abs(scaled).sum(axis=1).max() * np.abs(solved).max()
        miss = max(miss, float(np.abs(scaled @ solved - right).max() / (largest or 1.0)))
    answer = scale[:, None] * solved
    sensed = -(k[np.ix_(bottom, known)] + k[np.ix_(bottom, unknown)] @ answer)
    if len(up):
        sensed -= answer[-len(up) :]
    result = np.zeros((rows, cols))
    result[driven] = sensed.T
    return result, k[np.ix_(known, known)] + k[np.ix_(known, unknown)] @ answer, miss
