"""Laws of arrays whose cells are not linear, against a Newton iteration written apart from the
kernels: dense nodal equations, every node an unknown."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimc.crossbar import Crossbar
from aimc.errors import NotConverged
from aimc.kernels.wires import network, nonlinear
from aimc.parts.wires import Wires


def wired(g, *ohm, active=None, **wires):
    """The wires of an array or several."""
    return Wires(*ohm, **wires).topology(g.shape[-2:]).floating(active)


@dataclass(frozen=True)
class Sinh:
    """I = g sinh(a u) / a."""

    a: float

    def evaluate(self, g, u):
        return g * np.sinh(self.a * u) / self.a, g * np.cosh(self.a * u)


@dataclass(frozen=True)
class Lopsided:
    """I = g u (1 + k u + k^2 u^2): not the same in both directions."""

    k: float

    def evaluate(self, g, u):
        x = self.k * u
        return g * u * (1 + x + x * x), g * (1 + 2 * x + 3 * x * x)


class Straight:
    """I = g u."""

    def evaluate(self, g, u):
        return g * u, g + 0.0 * u


def dense(curve, g, v, r_row, r_col, r_source, r_sense, drive="left", sense="bottom", on=None):
    """Currents (cols,) of one read, by Newton on all nodes at once; wires have resistance."""
    m, n = g.shape
    on = np.ones(m, bool) if on is None else on
    row = np.arange(m * n).reshape(m, n)
    col = row + m * n
    y, b = np.zeros((2 * m * n, 2 * m * n)), np.zeros(2 * m * n)

    def wire(p, q, r):
        for i, j in zip(np.ravel(p), np.ravel(q), strict=True):
            y[[i, j], [i, j]] += 1 / r
            y[[i, j], [j, i]] -= 1 / r

    wire(row[:, 1:], row[:, :-1], r_row)
    wire(col[1:], col[:-1], r_col)
    for i in np.flatnonzero(on):
        for end in {"left": [0], "right": [-1], "both": [0, -1]}[drive]:
            y[row[i, end], row[i, end]] += 1 / r_source
            b[row[i, end]] += v[i] / r_source
    ends = {"bottom": [-1], "top": [0], "both": [-1, 0]}[sense]
    for end in ends:
        y[col[end], col[end]] += 1 / r_sense
    x = np.linalg.lstsq(y + 1e-9 * np.eye(len(y)), b, rcond=None)[0]
    a, c = row.ravel(), col.ravel()
    for _ in range(200):
        i, slope = (z.ravel() for z in curve.evaluate(g, (x[a] - x[c]).reshape(m, n)))
        f = y @ x - b
        np.add.at(f, a, i)
        np.subtract.at(f, c, i)
        jacobian = y.copy()
        for p, q, sign in ((a, a, 1), (c, c, 1), (a, c, -1), (c, a, -1)):
            jacobian[p, q] += sign * slope
        step = np.linalg.solve(jacobian, -f)
        x += step * min(1.0, 0.1 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-15:
            break
    return sum(x[col[end]] for end in ends) / r_sense


@st.composite
def arrays(draw, side=7):
    rows, cols = draw(st.integers(1, side)), draw(st.integers(1, side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wires = {n: draw(st.sampled_from([0.5, 5.0, 200.0])) for n in ("r_row", "r_col")}
    wires |= {n: draw(st.sampled_from([1.0, 500.0])) for n in ("r_source", "r_sense")}
    wires["drive"] = draw(st.sampled_from(["left", "right", "both"]))
    wires["sense"] = draw(st.sampled_from(["bottom", "top", "both"]))
    curve = draw(st.sampled_from([Sinh(3.0), Sinh(12.0), Lopsided(2.0)]))
    g = rng.uniform(1e-6, 150e-6, (rows, cols)) * (rng.random((rows, cols)) > 0.1)
    return curve, g, rng.uniform(-0.5, 0.5, (2, rows)), wires


@settings(max_examples=60)
@given(arrays())
def test_it_is_the_solution_of_the_nodal_equations(case):
    curve, g, v, wires = case
    got = nonlinear.solve(curve, g, v, wired(g, **wires))
    expected = np.array([dense(curve, g, each, **wires) for each in v])
    assert got.residual < 1e-12
    assert np.abs(got.current - expected).max() <= 1e-9 * max(np.abs(expected).max(), 1e-9)
    carried, _ = curve.evaluate(g, got.row_voltage - got.col_voltage)
    assert np.allclose(got.cell_current, carried, rtol=1e-12, atol=1e-20)


@given(arrays(side=20))
def test_straight_cells_are_the_linear_network(case):
    _, g, v, wires = case
    got = nonlinear.solve(Straight(), g, v, wired(g, **wires))
    linear = network.solve(g, v, wired(g, **wires))
    assert np.abs(got.current - linear.current).max() <= 1e-11 * np.abs(linear.current).max()
    assert np.abs(got.row_voltage - linear.row_voltage).max() < 1e-11


@given(arrays(side=20))
def test_small_voltages_are_linear(case):
    """I = g u + O(u^2), so currents differ from the linear ones by O(u) of themselves."""
    curve, g, v, wires = case
    got = nonlinear.solve(curve, g, 1e-6 * v, wired(g, **wires)).current
    linear = network.solve(g, 1e-6 * v, wired(g, **wires)).current
    assert np.abs(got - linear).max() <= 1e-5 * np.abs(linear).max()


@given(arrays(side=20))
def test_odd_curves_give_odd_arrays(case):
    _, g, v, wires = case
    top = wired(g, **wires)
    there, back = (nonlinear.solve(Sinh(5.0), g, s * v, top).current for s in (1, -1))
    assert np.abs(there + back).max() <= 1e-10 * np.abs(there).max()


@given(arrays(side=20))
def test_power_balances(case):
    curve, g, v, wires = case
    p = Crossbar(g, Wires(**wires), iv=curve).solve(v).power
    parts = p.cells + p.row_wires + p.col_wires + p.source + p.sense
    assert np.abs(p.delivered - parts).max() <= 1e-12 * max(p.delivered.max(), 1e-30)


@pytest.mark.parametrize("ohm", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 100.0, 50.0)])
def test_convergence_is_quadratic(ohm, rng):
    """The residual after each step is at most a constant times the square of the one before."""
    g, v = rng.uniform(2e-6, 150e-6, (64, 64)), rng.uniform(0, 0.2, (1, 64))
    history = nonlinear.solve(Sinh(3.0), g, v, wired(g, *ohm)).history
    assert len(history) <= 5
    steps = [(a, b) for a, b in itertools.pairwise(history) if b > 1e-14]
    assert steps
    assert all(b <= a**2 for a, b in steps)


@pytest.mark.parametrize("a", [10.0, 20.0, 40.0])
@pytest.mark.parametrize("ohm", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 100.0, 50.0), (0, 0, 0, 0)])
def test_selectors_that_short_the_wires(a, ohm, rng):
    """sinh(40) is 1e17: near the drivers the wires alone limit the current."""
    g, v = rng.uniform(2e-6, 150e-6, (16, 24)), rng.uniform(-1, 1, (3, 16))
    if a == 40.0 and not any(ohm):
        g *= 1e-9
    got = nonlinear.solve(Sinh(a), g, v, wired(g, *ohm))
    assert got.residual <= 1e-12
    limit = np.abs(v).sum(axis=1).max() / (ohm[2] + ohm[3]) if any(ohm) else np.inf
    assert np.abs(got.current).max() <= limit


@given(arrays(side=16))
def test_silent_rows(case):
    """Off transistors are open cells; a floating row's source carries nothing."""
    curve, g, v, wires = case
    on = np.arange(len(g)) % 3 > 0
    gated = nonlinear.solve(curve, g, v, wired(g, **wires), gate=on)
    opened = nonlinear.solve(curve, g * on[:, None], v, wired(g, **wires))
    scale = np.abs(opened.current).max()
    assert np.abs(gated.current - opened.current).max() <= 1e-9 * scale
    floats = nonlinear.solve(curve, g, v, wired(g, **wires, active=np.stack([on, ~on])))
    for n, mask in enumerate((on, ~on)):
        alone = nonlinear.solve(curve, g, v[n : n + 1], wired(g, **wires, active=mask))
        assert np.abs(floats.current[n] - alone.current[0]).max() <= 1e-9 * max(scale, 1e-12)
        left = floats.cell_current[n].sum(axis=1)[~mask]
        assert np.abs(left).max(initial=0.0) <= 1e-11 * max(scale, 1e-9)


def test_every_read_has_its_own_cells(rng):
    g, v = rng.uniform(2e-6, 150e-6, (3, 12, 8)), rng.uniform(-0.3, 0.3, (3, 12))
    top = wired(g, 2.0, 2.0, 5.0, 5.0)
    together = nonlinear.solve(Sinh(4.0), g, v, top).current
    for k in range(3):
        alone = nonlinear.solve(Sinh(4.0), g[k], v[k : k + 1], top).current[0]
        assert np.allclose(together[k], alone, rtol=1e-10)


def test_parts_of_a_batch_do_not_matter(monkeypatch, rng):
    g, v = rng.uniform(2e-6, 150e-6, (12, 8)), rng.uniform(-0.3, 0.3, (7, 12))
    whole = nonlinear.solve(Sinh(4.0), g, v, wired(g, 2.0, 2.0, 5.0, 5.0))
    monkeypatch.setattr(nonlinear, "AT_ONCE", 2 * g.size)
    parts = nonlinear.solve(Sinh(4.0), g, v, wired(g, 2.0, 2.0, 5.0, 5.0))
    assert np.allclose(parts.current, whole.current, rtol=1e-11)
    assert parts.row_voltage.shape == (7, 12, 8)


class Falling:
    """A curve that is none: its slope is negative beyond 0.1 V."""

    def evaluate(self, g, u):
        return g * u * (1 - 25 * u * u), g * (1 - 75 * u * u)


def test_what_cannot_be_solved_is_said(rng):
    g, v = rng.uniform(2e-6, 150e-6, (12, 8)), np.full((1, 12), 0.5)
    with pytest.raises(NotConverged) as caught:
        nonlinear.solve(Falling(), g, v, wired(g, 50.0, 50.0, 500.0, 500.0))
    assert not caught.value.residual < 1e-12


def test_pulses_of_nonlinear_cells(rng):
    """Grounded or not, the mean is over slices: a curve's mean is not the curve of the mean."""
    g, v = rng.uniform(2e-6, 150e-6, (10, 6)), rng.choice([-0.4, 0.4], (2, 10))
    duration = rng.integers(0, 5, (2, 10)) / 4
    for idle in ("grounded", "floating", "gated"):
        crossbar = Crossbar(g, Wires(5.0, 5.0, 50.0, 20.0, idle=idle), iv=Sinh(6.0))  # pyright: ignore[reportArgumentType]
        expected = np.zeros((2, 6))
        for step in range(4):
            on = duration > step / 4
            top = wired(g, 5.0, 5.0, 50.0, 20.0, active=on if idle == "floating" else None)
            gate = on if idle == "gated" else None
            at = nonlinear.solve(Sinh(6.0), g, np.where(on, v, 0.0), top, gate)
            expected += at.current / 4
        assert np.allclose(crossbar.read(v, duration=duration), expected, rtol=1e-9, atol=1e-16)
    bent = Crossbar(g, Wires(5.0, 5.0, 50.0, 20.0), iv=Sinh(6.0))  # pyright: ignore[reportArgumentType]
    mean = bent.read(v * duration)
    assert not np.allclose(mean, crossbar.read(v, duration=duration), rtol=1e-3)


@pytest.mark.parametrize("idle", ["grounded", "floating", "gated"])
def test_without_wires_each_cell_stands_alone(idle, monkeypatch, rng):
    """Column currents are sums of the curve at the rows' voltages, as the solved network has it."""
    crossbar = Crossbar(rng.uniform(0, 2e-4, (9, 7)), Wires(idle=idle), iv=Lopsided(2.0))  # pyright: ignore[reportArgumentType]
    v = rng.uniform(-0.2, 0.2, (40, 9)) * (rng.random((40, 9)) < 0.6)
    read = crossbar.read(v)
    np.testing.assert_allclose(read, crossbar.solve(v).current, rtol=1e-12, atol=1e-20)
    monkeypatch.setattr(nonlinear, "AT_ONCE", 100)
    assert np.array_equal(read, crossbar.read(v))
