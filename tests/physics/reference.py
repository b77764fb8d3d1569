"""A plain sparse nodal solve, written apart from the kernels: the current law at every node.

Zero resistances merge the nodes that they join.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu


def nodal(g, v, r_row, r_col, r_source, r_sense, drive="left", sense="bottom", active=None):
    """Returns row_voltage, col_voltage (batch, rows, cols) [V] and current (batch, cols) [A]."""
    g, v = np.asarray(g, float), np.asarray(v, float)
    m, n = g.shape
    active = np.ones(m, bool) if active is None else np.asarray(active)
    # Nodes: rows m*n, columns m*n, then m sources and n grounds, whose voltages are known.
    row = np.arange(m * n).reshape(m, n)
    col = row + m * n
    source, ground = 2 * m * n + np.arange(m), 2 * m * n + m + np.arange(n)
    edges: list[tuple[int, int, float]] = []  # from, to, resistance
    for i in range(m):
        edges += [(row[i, j], row[i, j + 1], r_row) for j in range(n - 1)]
        if active[i] and drive in ("left", "both"):
            edges.append((source[i], row[i, 0], r_source))
        if active[i] and drive in ("right", "both"):
            edges.append((source[i], row[i, n - 1], r_source))
    for j in range(n):
        edges += [(col[i, j], col[i + 1, j], r_col) for i in range(m - 1)]
        if sense in ("bottom", "both"):
            edges.append((col[m - 1, j], ground[j], r_sense))
        if sense in ("top", "both"):
            edges.append((col[0, j], ground[j], r_sense))
    total = 2 * m * n + m + n
    shorts = [(a, b) for a, b, r in edges if r == 0]
    link = sp.coo_matrix(
        (np.ones(len(shorts)), tuple(zip(*shorts, strict=True)) or ([], [])), (total, total)
    )
    _, name = sp.csgraph.connected_components(link, directed=False)
    count = name.max() + 1
    known = np.full((len(v), count), np.nan)
    known[:, name[source]] = v
    known[:, name[ground]] = 0.0
    a = np.array([name[x] for x, _, r in edges if r > 0] + list(name[row.ravel()]), int)
    b = np.array([name[x] for _, x, r in edges if r > 0] + list(name[col.ravel()]), int)
    y = np.array([1 / r for *_, r in edges if r > 0] + list(g.ravel()))
    lap = sp.coo_matrix(
        (np.r_[y, y, -y, -y], (np.r_[a, b, a, b], np.r_[a, b, b, a])), (count, count)
    ).tocsc()
    # A floating row without closed cells has no defined voltage: 0 V by convention.
    for i in np.flatnonzero(~active & ~g.any(axis=1)):
        known[:, name[row[i]]] = 0.0
    fixed = ~np.isnan(known[0])
    free = ~fixed
    volts = np.where(fixed, known, 0.0)
    if free.any():
        lu = splu(lap[free][:, free].tocsc())
        rhs = -(lap[free][:, fixed] @ known[:, fixed].T)
        x = lu.solve(np.ascontiguousarray(rhs))
        x += lu.solve(rhs - lap[free][:, free] @ x)
        volts[:, free] = x.T
    row_voltage = volts[:, name[row]]
    col_voltage = volts[:, name[col]]
    return row_voltage, col_voltage, (g * (row_voltage - col_voltage)).sum(axis=1)
