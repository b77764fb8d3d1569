"""Row lines and column lines by themselves: ladders of Norton equivalents.

A row (column) line is a chain of wire segments with the cells' conductances as shunts. Seen from
node j, what lies beyond has conductance `Y`, and `q = 1 / (1 + r Y)` is the share of a node's
voltage that reaches the next: no `1 / r` appears, and a resistance may be zero.

Rows are swept four at a time, each a chain of multiply-adds in registers; columns all at once,
along memory. The number of rows is padded to a multiple of four by rows without cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aimc.arrays import Array
from aimc.kernels.base.jit import inner

ROWS = 4  # rows in one sweep


class Rows(NamedTuple):
    """The row lines: cells g (rows, cols) [S], ladders q, sources b, r [ohm] from node to node."""

    g: Array
    q: Array
    b: Array
    r: float


class Columns(NamedTuple):
    """The column lines, of the first `rows` of g; `last` [ohm] to the sense terminal."""

    g: Array
    q: Array
    rows: int
    last: float
    r: float


@inner
def factor_rows(of: Rows, first: Array, end: float) -> None:
    """Fills in ladders `q` (rows, cols) of the rows, and `b` (rows,) of their sources.

    first (rows,)  ohm from the source to the first node, inf: no source; end: from the last node to
    a second source of driven rows, 0: the node is pinned to it, < 0: there is none [ohm]
    """
    g, q, b, r = of
    rows, cols = g.shape
    for i in range(rows):
        b[i] = 1.0 / end if end > 0.0 and first[i] < np.inf else 0.0
    for c in range(0, rows, ROWS):
        g0 = g[c]
        g1 = g[c + 1]
        g2 = g[c + 2]
        g3 = g[c + 3]
        q0 = q[c]
        q1 = q[c + 1]
        q2 = q[c + 2]
        q3 = q[c + 3]
        y0 = b[c]
        y1 = b[c + 1]
        y2 = b[c + 2]
        y3 = b[c + 3]
        for j in range(cols - 1, 0, -1):
            y0 += g0[j]
            y1 += g1[j]
            y2 += g2[j]
            y3 += g3[j]
            t0 = r * y0
            t1 = r * y1
            t2 = r * y2
            t3 = r * y3
            t0 = 1.0 / (1.0 + t0)
            t1 = 1.0 / (1.0 + t1)
            t2 = 1.0 / (1.0 + t2)
            t3 = 1.0 / (1.0 + t3)
            q0[j] = t0
            q1[j] = t1
            q2[j] = t2
            q3[j] = t3
            y0 *= t0
            y1 *= t1
            y2 *= t2
            y3 *= t3
            if j == cols - 1 and end == 0.0:
                if first[c] < np.inf:
                    q0[j] = 0.0
                    y0 = 1.0 / r
                if first[c + 1] < np.inf:
                    q1[j] = 0.0
                    y1 = 1.0 / r
                if first[c + 2] < np.inf:
                    q2[j] = 0.0
                    y2 = 1.0 / r
                if first[c + 3] < np.inf:
                    q3[j] = 0.0
                    y3 = 1.0 / r
        b[c] = y0 + g0[0]
        b[c + 1] = y1 + g1[0]
        b[c + 2] = y2 + g2[0]
        b[c + 3] = y3 + g3[0]
    for i in range(rows):
        total = b[i]
        if first[i] < np.inf:
            b[i] = first[i] / (1.0 + first[i] * total)
        else:
            b[i] = 1.0 / total if total > 0.0 else 0.0


@inner
def solve_rows(q: Array, b: Array, r: float, x: Array, c: int) -> None:
    """Overwrites the injected currents [A] of rows c ... c + 3 of `x` by their voltages [V]."""
    cols = x.shape[1]
    q0 = q[c]
    q1 = q[c + 1]
    q2 = q[c + 2]
    q3 = q[c + 3]
    x0 = x[c]
    x1 = x[c + 1]
    x2 = x[c + 2]
    x3 = x[c + 3]
    a0 = x0[cols - 1]
    a1 = x1[cols - 1]
    a2 = x2[cols - 1]
    a3 = x3[cols - 1]
    for j in range(cols - 2, -1, -1):
        a0 = x0[j] + q0[j + 1] * a0
        a1 = x1[j] + q1[j + 1] * a1
        a2 = x2[j] + q2[j + 1] * a2
        a3 = x3[j] + q3[j + 1] * a3
        x0[j] = a0
        x1[j] = a1
        x2[j] = a2
        x3[j] = a3
    a0 = a0 * b[c]
    a1 = a1 * b[c + 1]
    a2 = a2 * b[c + 2]
    a3 = a3 * b[c + 3]
    x0[0] = a0
    x1[0] = a1
    x2[0] = a2
    x3[0] = a3
    for j in range(1, cols):
        a0 = q0[j] * (r * x0[j] + a0)
        a1 = q1[j] * (r * x1[j] + a1)
        a2 = q2[j] * (r * x2[j] + a2)
        a3 = q3[j] * (r * x3[j] + a3)
        x0[j] = a0
        x1[j] = a1
        x2[j] = a2
        x3[j] = a3


@inner
def factor_columns(of: Columns, end: float, y: Array) -> None:
    """Fills in ladders `q` of the columns, top to bottom; `end` as for rows, y (cols,) scratch."""
    g, q, rows, last, r = of
    cols = g.shape[1]
    for j in range(cols):
        y[j] = 1.0 / end if end > 0.0 else 0.0
    for i in range(rows):
        c = r if i < rows - 1 else last
        gi = g[i]
        qi = q[i]
        for j in range(cols):
            total = gi[j] + y[j]
            qi[j] = 1.0 / (1.0 + c * total)
            y[j] = total * qi[j]
        if i == 0 and end == 0.0:
            for j in range(cols):
                qi[j] = 0.0
                y[j] = 1.0 / r


@inner
def rise(of: Columns, x: Array, bottom: Array) -> None:
    """The second half of a column solve, from the last row up.

    x       (rows, cols)  each node's share of the currents injected above and in it [A], as the way
                          down leaves it; overwritten by the voltages [V]
    bottom  (cols,)       scratch; the currents into the sense resistances are q x of the last row
    """
    _, q, rows, last, r = of
    cols = x.shape[1]
    qi = q[rows - 1]
    xi = x[rows - 1]
    for j in range(cols):
        xi[j] = last * (qi[j] * xi[j])
        bottom[j] = xi[j]
    # Two rows at a time: half as many turns of direction, which cost the prefetcher.
    i = rows - 2
    while i > 0:
        qi = q[i]
        xi = x[i]
        qk = q[i - 1]
        xk = x[i - 1]
        for j in range(cols):
            a = qi[j] * (r * xi[j] + bottom[j])
            b = qk[j] * (r * xk[j] + a)
            xi[j] = a
            xk[j] = b
            bottom[j] = b
        i -= 2
    if i == 0:
        qi = q[0]
        xi = x[0]
        for j in range(cols):
            xi[j] = qi[j] * (r * xi[j] + bottom[j])
