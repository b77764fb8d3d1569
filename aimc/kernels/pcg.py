"""One read of a crossbar with wires: conjugate gradients on the row lines.

Unknowns are the drops `d` of the row nodes below their source, `u = v + d`. With `D = diag(g)`, `T`
the row lines (tridiagonal, shunted by `g`) and `A` the column lines, Kirchhoff's current law reads

    T d - D w = -D v,    A w - D d = D v,    hence    (T - D A^-1 D) d = -D v + D A^-1 D v,

which is solved by conjugate gradients preconditioned with `T`. Both line solves run as ladders of
Norton equivalents (`q = 1 / (1 + r Y)`): no `1 / r` appears and a resistance may be zero.

A voltage `e_j` at the sense terminal of column j replaces `v_i` by `v_i - e_j`, and `w` then counts
from `e_j`. Row quantities lie as `(chunk, cols, LANES)`, lane = row within the chunk, so
that row sweeps are SIMD; column quantities lie as `(rows, cols)`.
"""

from __future__ import annotations

import numpy as np

from aimc.kernels.jit import jit

LANES = 8


@jit
def _factor_rows(g, first, r, end, gl, q, b):
    """Ladders of the rows; `first` (rows,) inf: no source, `end` 0: pinned, < 0: open [ohm]."""
    rows, cols = g.shape
    for c in range(gl.shape[0]):
        for j in range(cols):
            for k in range(LANES):
                i = c * LANES + k
                gl[c, j, k] = g[i, j] if i < rows else 0.0
    y = np.zeros(LANES)
    for c in range(gl.shape[0]):
        for k in range(LANES):
            i = c * LANES + k
            y[k] = 1.0 / end if end > 0.0 and i < rows and first[i] < np.inf else 0.0
        for j in range(cols - 1, 0, -1):
            for k in range(LANES):
                total = gl[c, j, k] + y[k]
                t = 1.0 / (1.0 + r * total)
                q[c, j, k] = t
                b[c, j, k] = r * t
                y[k] = total * t
            if j == cols - 1 and end == 0.0:
                for k in range(LANES):
                    if c * LANES + k < rows and first[c * LANES + k] < np.inf:
                        q[c, j, k] = 0.0
                        b[c, j, k] = 0.0
                        y[k] = 1.0 / r
        for k in range(LANES):
            i = c * LANES + k
            total = gl[c, 0, k] + y[k]
            q[c, 0, k] = 0.0
            if i < rows and first[i] < np.inf:
                b[c, 0, k] = first[i] / (1.0 + first[i] * total)
            else:
                b[c, 0, k] = 1.0 / total if total > 0.0 else 0.0


@jit
def _solve_rows(q, b, x):
    """Overwrites the injected currents `x` [A] by the voltages of the row nodes [V]."""
    chunks, cols, _ = x.shape
    for c in range(chunks):
        for j in range(cols - 1, 0, -1):
            for k in range(LANES):
                x[c, j - 1, k] += q[c, j, k] * x[c, j, k]
        for k in range(LANES):
            x[c, 0, k] *= b[c, 0, k]
        for j in range(1, cols):
            for k in range(LANES):
                x[c, j, k] = b[c, j, k] * x[c, j, k] + q[c, j, k] * x[c, j - 1, k]


@jit
def _factor_columns(g, last, r, end, q, b):
    """Ladders of the columns, top to bottom; `last` the sense resistance, `end` as for rows."""
    rows, cols = g.shape
    y = np.zeros(cols)
    if end > 0.0:
        for j in range(cols):
            y[j] = 1.0 / end
    for i in range(rows):
        c = r if i < rows - 1 else last
        for j in range(cols):
            total = g[i, j] + y[j]
            t = 1.0 / (1.0 + c * total)
            q[i, j] = t
            b[i, j] = c * t
            y[j] = total * t
        if i == 0 and end == 0.0:
            for j in range(cols):
                q[0, j] = 0.0
                b[0, j] = 0.0
                y[j] = 1.0 / r


@jit
def _solve_columns(q, b, x, bottom):
    """Overwrites the injected currents `x` [A] by the column voltages [V]; `bottom` (cols,) [A]."""
    rows, cols = q.shape
    for i in range(1, rows):
        for j in range(cols):
            x[i, j] += q[i - 1, j] * x[i - 1, j]
    for j in range(cols):
        bottom[j] = q[rows - 1, j] * x[rows - 1, j]
        x[rows - 1, j] *= b[rows - 1, j]
    for i in range(rows - 2, -1, -1):
        for j in range(cols):
            x[i, j] = b[i, j] * x[i, j] + q[i, j] * x[i + 1, j]


@jit
def _cell_currents(gl, x, out):
    """`out` (rows, cols) = g x, with `x` in lanes."""
    for c in range(gl.shape[0]):
        for j in range(gl.shape[1]):
            for k in range(LANES):
                out[c * LANES + k, j] = gl[c, j, k] * x[c, j, k]


@jit
def _dot(a, b, acc):
    """Sum over a * b, both in lanes, one partial sum `acc` a lane."""
    for k in range(LANES):
        acc[k] = 0.0
    for c in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(LANES):
                acc[k] += a[c, j, k] * b[c, j, k]
    total = 0.0
    for k in range(LANES):
        total += acc[k]
    return total


@jit
def _cross(gl, vl, e, x):
    """`x` in lanes: voltages across the cells had the wires no resistance; gives the power."""
    power = 0.0
    for c in range(gl.shape[0]):
        for j in range(gl.shape[1]):
            for k in range(LANES):
                x[c, j, k] = vl[c, k] - e[j]
                power += gl[c, j, k] * x[c, j, k] * x[c, j, k]
    return power


@jit
def reads(
    g, v, e, guess, weight, ladder, tol, limit, start, stop, current, row, col, noise, residual
):
    """Solves reads `start` to `stop`; the others are left as they are.

    g        (1 or batch, rows, cols)  conductances [S]
    v        (batch, rows)             row voltages [V], 0 where the row floats
    e        (batch, cols)             voltages of the sense terminals [V]
    guess    (0, 1 or batch, rows, cols) column voltages above `e` to start from [V]
    weight   (rows, cols)              of each cell's squared voltage in `noise`
    ladder   (first, r_row, row_end, last, r_col, col_end)  resistances [ohm], see `network`
    tol      energy norm of the residual over that of the drive, at which to stop
    limit    steps at most
    current  (batch, cols)             out: sensed currents [A]
    row, col (0 or batch, rows, cols)  out: node voltages [V]
    noise    (0 or batch, cols)        out: sum of the weighted squares along each column
    residual (batch,)                  out: largest error of the current law over the largest source
                                       or column current; inf where `limit` was reached
    """
    first, r_row, row_end, last, r_col, col_end = ladder
    rows, cols = g.shape[1:]
    chunks = (rows + LANES - 1) // LANES
    shape = (chunks, cols, LANES)
    gl, q, b = np.empty(shape), np.empty(shape), np.empty(shape)
    qc, bc = np.empty((rows, cols)), np.empty((rows, cols))
    x, d, r, z = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
    p, tp = np.empty(shape), np.empty(shape)
    w, y = np.zeros((chunks * LANES, cols)), np.zeros((chunks * LANES, cols))
    vl, acc = np.zeros((chunks, LANES)), np.empty(LANES)
    bottom = np.empty(cols)
    for n in range(start, stop):
        own = n if g.shape[0] > 1 else 0
        if n == start or g.shape[0] > 1:
            _factor_rows(g[own], first, r_row, row_end, gl, q, b)
            _factor_columns(g[own], last, r_col, col_end, qc, bc)
        for i in range(rows):
            vl[i // LANES, i % LANES] = v[n, i]
            for j in range(cols):
                y[i, j] = guess[n if guess.shape[0] > 1 else 0, i, j] if guess.shape[0] else 0.0
        power = _cross(gl, vl, e[n], x)
        # Rows with the guessed columns held, then columns with those rows held.
        for c in range(chunks):
            for j in range(cols):
                for k in range(LANES):
                    d[c, j, k] = gl[c, j, k] * (y[c * LANES + k, j] - x[c, j, k])
        _solve_rows(q, b, d)
        for c in range(chunks):
            for j in range(cols):
                for k in range(LANES):
                    p[c, j, k] = x[c, j, k] + d[c, j, k]
        _cell_currents(gl, p, w)
        _solve_columns(qc, bc, w, bottom)
        for c in range(chunks):
            for j in range(cols):
                for k in range(LANES):
                    r[c, j, k] = gl[c, j, k] * (w[c * LANES + k, j] - y[c * LANES + k, j])
                    z[c, j, k] = r[c, j, k]
        _solve_rows(q, b, z)
        rz = _dot(r, z, acc)
        beta = 0.0
        steps = 0
        while rz > tol * tol * power and steps < limit:
            for c in range(chunks):
                for j in range(cols):
                    for k in range(LANES):
                        p[c, j, k] = z[c, j, k] + (beta * p[c, j, k] if steps else 0.0)
                        tp[c, j, k] = r[c, j, k] + (beta * tp[c, j, k] if steps else 0.0)
            _cell_currents(gl, p, y)
            _solve_columns(qc, bc, y, bottom)
            for c in range(chunks):
                for j in range(cols):
                    for k in range(LANES):
                        z[c, j, k] = tp[c, j, k] - gl[c, j, k] * y[c * LANES + k, j]
            alpha = rz / _dot(p, z, acc)
            for c in range(chunks):
                for j in range(cols):
                    for k in range(LANES):
                        d[c, j, k] += alpha * p[c, j, k]
                        r[c, j, k] -= alpha * z[c, j, k]
                        z[c, j, k] = r[c, j, k]
            for i in range(rows):
                for j in range(cols):
                    w[i, j] += alpha * y[i, j]
            _solve_rows(q, b, z)
            before = rz
            rz = _dot(r, z, acc)
            beta = rz / before
            steps += 1
        # z is the preconditioned residual: a last row sweep, for nothing. The columns then obey
        # their equations to rounding; the rows miss what the cells' currents changed by.
        for c in range(chunks):
            for j in range(cols):
                for k in range(LANES):
                    d[c, j, k] += z[c, j, k]
                    p[c, j, k] = x[c, j, k] + d[c, j, k]
        _cell_currents(gl, p, y)
        for j in range(cols):
            current[n, j] = y[0, j] if col_end == 0.0 else 0.0
        _solve_columns(qc, bc, y, bottom)
        error, scale = 0.0, 0.0
        for j in range(cols):
            current[n, j] += bottom[j]
            if col_end > 0.0:
                current[n, j] += y[0, j] / col_end
            elif col_end == 0.0:
                current[n, j] += y[1, j] / r_col
            scale = max(scale, abs(current[n, j]))
        for c in range(chunks):
            for k in range(LANES):
                acc[k] = 0.0
            for j in range(cols):
                for k in range(LANES):
                    i = c * LANES + k
                    miss = gl[c, j, k] * abs(y[i, j] - w[i, j])
                    error = miss if miss > error else error
                    w[i, j] = p[c, j, k] - y[i, j]
                    acc[k] += gl[c, j, k] * w[i, j]
            for k in range(LANES):
                scale = max(scale, abs(acc[k]))
        residual[n] = error / scale if scale > 0.0 else 0.0
        if not rz <= tol * tol * power or not np.isfinite(power):
            residual[n] = np.inf
        if noise.shape[0] > 0:
            for j in range(cols):
                noise[n, j] = 0.0
            for i in range(rows):
                for j in range(cols):
                    noise[n, j] += weight[i, j] * w[i, j] * w[i, j]
        if row.shape[0] > 0:
            for i in range(rows):
                for j in range(cols):
                    row[n, i, j] = v[n, i] + d[i // LANES, j, i % LANES]
                    col[n, i, j] = y[i, j] + e[n, j]
