"""One read of a crossbar with wires: conjugate gradients on the row lines.

Unknowns are the drops `d` of the row nodes below their source, `u = v + d`, and the column
voltages `w`. With `D = diag(g)`, `T` the row lines (tridiagonal, shunted by `g`), `A` the column
lines and `s` currents that flow through the cells besides g u, Kirchhoff's current law reads

    T d - D w = -D v - s,    A w - D d = D v + s,    hence    S d = b,    S = T - D A^-1 D,

which is solved by conjugate gradients preconditioned with `T`. Neither `T` nor `A` is ever applied,
only their inverses (`lines`): with the search direction p, y = A^-1 D p and u = T^-1 D y, the
preconditioned residual z = T^-1 (b - S d) changes by T^-1 S p = p - u, and with a = p'Dy, c = u'Dy

    p'Sp = p'Tp - a,    z'Tz <- alpha^2 (p'Tp - 2 a + c) - z'Tz,    p'Tp <- z'Tz + beta^2 p'Tp,

since z is orthogonal to the earlier directions. What is kept is `w`; rows follow from it by one
sweep, columns from these by another, and the change of `w` then is the true residual.

A voltage `e_j` at the sense terminal of column j replaces `v_i` by `v_i - e_j`, and `w` then counts
from `e_j`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aimc.arrays import Array
from aimc.kernels.base.jit import inner, jit, reduction
from aimc.kernels.wires.lines import (
    ROWS,
    Columns,
    Rows,
    factor_columns,
    factor_rows,
    rise,
    solve_rows,
)
from aimc.kernels.wires.sums import dot, total

ARRAYS = 7  # arrays of the padded size that a read works in
_DEPTH = 1e-20  # of z'Tz in one go: beyond, rounding of z shows, and the residual is found anew


def size(rows: int, cols: int) -> int:
    """Numbers that `reads` needs to work in."""
    return (ARRAYS * (rows + ROWS) + 3) * cols


class Problem(NamedTuple):
    """A batch of reads.

    g        (1 or batch, rows, cols)  conductances [S]
    v        (batch, rows)             row voltages [V], 0 where the row floats
    first    (1 or batch, rows)        from the source to the first node, inf: the row floats [ohm]
    e        (batch, cols)             voltages of the sense terminals [V]
    s        (0 or batch, rows, cols)  currents through the cells besides g u [A]
    guess    (0, 1 or batch, rows, cols) column voltages above `e` to start from [V]
    ladder   (r_row, row_end, last, r_col, col_end)  resistances [ohm], see `Topology`
    """

    g: Array
    v: Array
    first: Array
    e: Array
    s: Array
    guess: Array
    ladder: tuple[float, float, float, float, float]


class Found(NamedTuple):
    """What is written.

    current   (batch, cols)            sensed currents [A]
    row, col  (0 or batch, rows, cols) node voltages [V]
    residual  (batch,)                 largest error of the current law over the largest source or
                                       column current; inf where the limit was reached
    lost      (batch,)                 the same error over the largest sensed current
    """

    current: Array
    row: Array
    col: Array
    residual: Array
    lost: Array


class _Given(NamedTuple):
    """One read: v (rows,), e (cols,), s (0 or 1, rows, cols)."""

    v: Array
    e: Array
    s: Array


@reduction
def _power(g: Array, v: float, e: Array) -> float:
    total = 0.0
    for j in range(len(g)):
        total += g[j] * (v - e[j]) * (v - e[j])
    return total


@inner
def _into_rows(lines: Rows, given: _Given, w: Array, x: Array) -> None:
    """x = T^-1 (D (w - v + e) - s): drops of the rows for column voltages `w`."""
    g, q, b, r = lines
    v, e, s = given
    rows, cols = w.shape
    for c in range(0, rows, ROWS):
        for i in range(c, c + ROWS):
            gi = g[i]
            wi = w[i]
            xi = x[i]
            vi = v[i]
            for j in range(cols):
                xi[j] = gi[j] * (wi[j] + e[j] - vi)
            if s.shape[0] > 0 and i < s.shape[1]:
                si = s[0, i]
                for j in range(cols):
                    xi[j] -= si[j]
        solve_rows(q, b, r, x, c)


@inner
def _through_columns(
    lines: Columns, given: _Given, d: Array, y: Array, bottom: Array, carry: Array,
    scratch: Array,
) -> None:  # fmt: skip
    """y = A^-1 (D (v - e + d) + s), and the currents `bottom` (cols,) into the sense resistances.

    Afterwards `carry` (cols,) holds the current injected into the first row's nodes.
    """
    g, q, rows, _, _ = lines
    v, e, s = given
    cols = y.shape[1]
    for j in range(cols):
        bottom[j] = 0.0
    for i in range(rows):
        gi = g[i]
        di = d[i]
        yi = y[i]
        qi = q[i]
        vi = v[i]
        for j in range(cols):
            yi[j] = gi[j] * (vi - e[j] + di[j])
        if s.shape[0] > 0:
            si = s[0, i]
            for j in range(cols):
                yi[j] += si[j]
        if i == 0:
            for j in range(cols):
                carry[j] = yi[j]
        for j in range(cols):
            a = yi[j] + bottom[j]
            yi[j] = a
            bottom[j] = qi[j] * a
    rise(lines, y, scratch)


@inner
def _direction(lines: Columns, beta: float, z: Array, p: Array, y: Array, acc: Array) -> float:
    """p = z + beta p, y = A^-1 D p; returns p'Dy."""
    g, q, rows, _, _ = lines
    cols = y.shape[1]
    for j in range(cols):
        acc[j] = 0.0
    for i in range(rows):
        zi = z[i]
        pi = p[i]
        yi = y[i]
        gi = g[i]
        qi = q[i]
        if beta == 0.0:
            for j in range(cols):
                pi[j] = zi[j]
        else:
            for j in range(cols):
                pi[j] = zi[j] + beta * pi[j]
        for j in range(cols):
            a = gi[j] * pi[j] + acc[j]
            yi[j] = a
            acc[j] = qi[j] * a
    rise(lines, y, acc)
    for j in range(cols):
        acc[j] = 0.0
    for i in range(rows):
        pi = p[i]
        yi = y[i]
        gi = g[i]
        for j in range(cols):
            acc[j] += pi[j] * (gi[j] * yi[j])
    return total(acc)


@inner
def _step(
    lines: Rows, alpha: float, p: Array, y: Array, w: Array, z: Array, x: Array, acc: Array
) -> float:
    """w += alpha y, u = T^-1 D y, z -= alpha (p - u); returns u'Dy. `x` (4, cols) is scratch."""
    g, q, b, r = lines
    rows, cols = y.shape
    for j in range(cols):
        acc[j] = 0.0
    for c in range(0, rows, ROWS):
        for k in range(ROWS):
            gi = g[c + k]
            yi = y[c + k]
            wi = w[c + k]
            xi = x[k]
            for j in range(cols):
                xi[j] = gi[j] * yi[j]
                wi[j] += alpha * yi[j]
        solve_rows(q[c : c + ROWS], b[c : c + ROWS], r, x, 0)
        for k in range(ROWS):
            gi = g[c + k]
            yi = y[c + k]
            xi = x[k]
            pi = p[c + k]
            zi = z[c + k]
            for j in range(cols):
                acc[j] += xi[j] * (gi[j] * yi[j])
                zi[j] -= alpha * (pi[j] - xi[j])
    return total(acc)


@inner
def _residual(lines: Rows, w: Array, y: Array, z: Array, acc: Array) -> float:
    """z = T^-1 D (y - w), w = y; returns z'Tz."""
    g, q, b, r = lines
    rows, cols = y.shape
    for j in range(cols):
        acc[j] = 0.0
    for c in range(0, rows, ROWS):
        for i in range(c, c + ROWS):
            gi = g[i]
            yi = y[i]
            wi = w[i]
            zi = z[i]
            for j in range(cols):
                zi[j] = gi[j] * (yi[j] - wi[j])
                wi[j] = zi[j]
        solve_rows(q, b, r, z, c)
        for i in range(c, c + ROWS):
            yi = y[i]
            wi = w[i]
            zi = z[i]
            for j in range(cols):
                acc[j] += wi[j] * zi[j]
                wi[j] = yi[j]
    return total(acc)


@jit
def reads(
    of: Problem, tol: float, limit: int, start: int, stop: int, work: Array, found: Found
) -> None:
    """Solves reads `start` to `stop`; the others are left as they are.

    tol      energy norm of the residual over that of the drive, at which to stop
    limit    steps at most
    work     (`size(rows, cols)`,)     scratch
    """
    g, v, first, e, s, guess, ladder = of
    current, row, col, residual, lost = found
    r_row, row_end, last, r_col, col_end = ladder
    rows, cols = g.shape[1:]
    high = (rows + ROWS - 1) // ROWS * ROWS
    arrays = work[: ARRAYS * high * cols].reshape(ARRAYS, high, cols)
    gw, q, qc, p, y, w, z = (
        arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], arrays[6],
    )  # fmt: skip
    x = work[ARRAYS * high * cols : (ARRAYS * high + ROWS) * cols].reshape(ROWS, cols)
    b = np.empty(high)
    fw = np.empty(high)
    vw = np.empty(high)
    acc = np.empty(cols)
    bottom = np.empty(cols)
    carry = np.empty(cols)
    across = Rows(gw, q, b, r_row)
    down = Columns(gw, qc, rows, last, r_col)
    for i in range(rows, high):
        fw[i] = np.inf
        vw[i] = 0.0
        for j in range(cols):
            gw[i, j] = 0.0
            p[i, j] = 0.0
            y[i, j] = 0.0
            w[i, j] = 0.0
    for n in range(start, stop):
        own = n if g.shape[0] > 1 else 0
        if n == start or g.shape[0] > 1 or first.shape[0] > 1:
            for i in range(rows):
                gi = g[own, i]
                wi = gw[i]
                for j in range(cols):
                    wi[j] = gi[j]
                fw[i] = first[n if first.shape[0] > 1 else 0, i]
            factor_rows(across, fw, row_end)
            factor_columns(down, col_end, acc)
        en = e[n]
        given = _Given(vw, en, s[n : n + 1])
        power = 0.0
        for i in range(rows):
            gi = gw[i]
            wi = w[i]
            vw[i] = v[n, i]
            power += _power(gi, vw[i], en)
            for j in range(cols):
                wi[j] = 0.0
            if guess.shape[0] > 0:
                hi = guess[n if guess.shape[0] > 1 else 0, i]
                for j in range(cols):
                    wi[j] = hi[j]
        enough = tol * tol * power
        steps = 0
        good = False
        done = False
        while True:
            # Rows for the columns as they are, columns for those rows. These then obey their
            # equations to rounding; rows miss what the cells' currents change by.
            _into_rows(across, given, w, z)
            _through_columns(down, given, z, y, bottom, carry, acc)
            if done:
                break
            rz = _residual(across, w, y, z, acc)
            goal = max(enough, _DEPTH * rz)
            beta = 0.0
            pp = 0.0
            while rz > goal and steps < limit:
                pp = rz + beta * beta * pp
                a = _direction(down, beta, z, p, y, acc)
                alpha = rz / (pp - a)
                c = _step(across, alpha, p, y, w, z, x, acc)
                before = rz
                rz = alpha * alpha * (pp - 2.0 * a + c) - rz
                beta = rz / before
                steps += 1
            good = rz <= enough
            done = good or not rz > 0.0 or steps >= limit
        error = 0.0
        scale = 0.0
        for j in range(cols):
            current[n, j] = bottom[j]
            if col_end > 0.0:
                current[n, j] += y[0, j] / col_end
            elif col_end == 0.0:
                current[n, j] += carry[j] + y[1, j] / r_col
            scale = max(scale, abs(current[n, j]))
        sensed = scale
        for j in range(cols):
            acc[j] = 0.0
        for i in range(rows):
            gi = gw[i]
            zi = z[i]
            yi = y[i]
            wi = w[i]
            vi = vw[i]
            for j in range(cols):
                acc[j] = max(acc[j], gi[j] * abs(yi[j] - wi[j]))
                wi[j] = vi - en[j] + zi[j] - yi[j]
            drawn = dot(gi, wi)
            if s.shape[0] > 0:
                drawn += total(s[n, i])
            scale = max(scale, abs(drawn))
            if row.shape[0] > 0:
                ri = row[n, i]
                ci = col[n, i]
                for j in range(cols):
                    ri[j] = vi + zi[j]
                    ci[j] = yi[j] + en[j]
        for j in range(cols):
            error = max(error, acc[j])
        residual[n] = error / scale if scale > 0.0 else 0.0
        lost[n] = error / sensed if sensed > 0.0 else 0.0
        if not (good and np.isfinite(power) and np.isfinite(residual[n])):
            residual[n] = np.inf
