"""Crossbars of nonlinear cells in ngspice are the solution of the current law, found apart from it.

Bound: 1e-8 of the largest voltage or current.
"""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import brentq
from scipy.sparse.linalg import spsolve

from aimc import Crossbar, Wires, spice
from aimc.errors import SpiceError
from aimc.parts.ivcurve import Cubic, IVCurve, Sinh, Tabulated
from aimc.parts.transistor import SeriesTransistor, Transistor

pytestmark = [pytest.mark.spice, pytest.mark.usefixtures("ngspice")]


def newton(g, v, wires, current, slope):
    """row_voltage, col_voltage (rows, cols), current (cols,) by Newton's method on all nodes.

    current(g, a, b), slope(g, a, b): the cells' current from a to b, and its two derivatives.
    """
    m, n = g.shape
    size = m * n
    row, col = np.arange(size).reshape(m, n), size + np.arange(size).reshape(m, n)
    fixed = sp.lil_matrix((2 * size, 2 * size))
    source = np.zeros(2 * size)

    def join(a, b, r):
        for x, y in ((a, b), (b, a)):
            fixed[x, x] += 1 / r
            fixed[x, y] -= 1 / r

    for i in range(m):
        for j in range(n - 1):
            join(row[i, j], row[i, j + 1], wires.r_row)
        for j in {"left": [0], "right": [n - 1], "both": [0, n - 1]}[wires.drive]:
            fixed[row[i, j], row[i, j]] += 1 / wires.r_source
            source[row[i, j]] += v[i] / wires.r_source
    ends = {"bottom": [m - 1], "top": [0], "both": [0, m - 1]}[wires.sense]
    for j in range(n):
        for i in range(m - 1):
            join(col[i, j], col[i + 1, j], wires.r_col)
        for i in ends:
            fixed[col[i, j], col[i, j]] += 1 / wires.r_sense
    fixed = fixed.tocsc()
    a, b, g_flat = row.ravel(), col.ravel(), g.ravel()
    u: np.ndarray = np.zeros(2 * size)
    for _ in range(60):
        i = current(g_flat, u[a], u[b])
        di_a, di_b = slope(g_flat, u[a], u[b])
        f = fixed @ u - source
        np.add.at(f, a, i)
        np.add.at(f, b, -i)
        jacobian = fixed + sp.csc_matrix(
            (np.r_[di_a, di_b, -di_a, -di_b], (np.r_[a, a, b, b], np.r_[a, b, a, b])), fixed.shape
        )
        step = spsolve(jacobian, -f)
        u += np.asarray(step)
        if np.abs(step).max() < 1e-15:
            break
    out = np.array([sum(u[col[i, j]] / wires.r_sense for i in ends) for j in range(n)])
    return u[row], u[col], out


def of_voltage(i, di):
    """A cell whose current depends on the difference of its ends' voltages only."""
    return (
        lambda g, a, b: i(g, a - b),
        lambda g, a, b: (di(g, a - b), -di(g, a - b)),
    )


def transistor(g, a, b, k=2e-4, v_gate=1.0, vt=0.4):
    """Current through a cell and the transistor behind it, the node between found by bisection."""

    def through(m, n):
        top = max(v_gate - vt - n, 0.0) ** 2 - max(v_gate - vt - m, 0.0) ** 2
        return 0.5 * k * top

    out = np.empty(g.shape)
    for q, (g_q, a_q, b_q) in enumerate(zip(g, a, b, strict=True)):
        if a_q == b_q:
            out[q] = 0.0
            continue
        low, high, rtol = *sorted((a_q, b_q)), np.float64(1e-15)

        def gap(m, g_q=g_q, a_q=a_q, b_q=b_q):
            return g_q * (a_q - m) - through(m, b_q)

        out[q] = g_q * (a_q - brentq(gap, low - 1e-12, high + 1e-12, xtol=1e-17, rtol=rtol))
    return out


def transistor_slope(g, a, b, h=1e-6):
    """Differences will do: Newton's method only needs them to find its way."""
    return (
        (transistor(g, a + h, b) - transistor(g, a - h, b)) / (2 * h),
        (transistor(g, a, b + h) - transistor(g, a, b - h)) / (2 * h),
    )


CELLS = {
    "sinh": (
        spice.CellModel("cell_sinh", lambda g, i, j: {"g": g, "a": 4.0}),
        *of_voltage(lambda g, v: g * np.sinh(4 * v) / 4, lambda g, v: g * np.cosh(4 * v)),
    ),
    "cubic": (
        spice.CellModel("cell_cubic", lambda g, i, j: {"g": g, "n2": 0.3 * g, "n3": 2.0 * g}),
        *of_voltage(
            lambda g, v: g * v + 0.3 * g * v**2 + 2 * g * v**3,
            lambda g, v: g + 0.6 * g * v + 6 * g * v**2,
        ),
    ),
    "1t1r": (
        spice.CellModel("cell_1t1r", lambda g, i, j: {"g": g, "k": 2e-4, "v_gate": 1.0, "vt": 0.4}),
        transistor,
        transistor_slope,
    ),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("shape", "topology"),
    [((8, 8), ("left", "bottom")), ((5, 11), ("both", "top")), ((16, 16), ("right", "both"))],
    ids=str,
)
def test_nonlinear_cells(cell, shape, topology, rng):
    model, current, slope = CELLS[cell]
    g = rng.uniform(1e-6, 150e-6, shape)
    wires = Wires(2.0, 3.0, 50.0, 20.0, *topology)
    v = rng.uniform(-0.4, 0.4, (2, shape[0]))
    found = spice.netlist(Crossbar(g, wires), v, cell=model).run()
    linear = Crossbar(g, wires).read(v)
    for n in range(2):
        row, col, out = newton(g, v[n], wires, current, slope)
        volts = np.abs(v).max()
        assert np.abs(found.row_voltage[n] - row).max() < 1e-8 * volts
        assert np.abs(found.col_voltage[n] - col).max() < 1e-8 * volts
        assert np.abs(found.current[n] - out).max() < 1e-8 * np.abs(out).max()
        assert np.abs(out - linear[n]).max() > 1e-3 * np.abs(out).max()


CUBIC = Cubic(k2=(0.2, 0.05), k3=1.5, k3_slope=-2e3)
# Uneven knots, no two pieces alike, and 0 V between two of them.
MEASURED = Tabulated(
    (-0.4, -0.25, -0.125, 0.05, 0.125, 0.2), (-9e-5, -4.5e-5, -1.5e-5, 5e-6, 1.6e-5, 2.5e-5)
)
CURVES = {
    "sinh": Sinh(5.0),
    "cubic": CUBIC,
    "measured": MEASURED,
    "series": SeriesTransistor(None, 2e3),
    "transistor": Transistor(None, 5e-4, 1.0, 0.4, 0.02),
    "sinh behind a resistor": SeriesTransistor(Sinh(5.0), 2e3),
    "cubic behind a transistor": Transistor(CUBIC, 5e-4, 1.0, 0.4, 0.02),
    "measured behind both": Transistor(SeriesTransistor(MEASURED, 500.0), 5e-4, 1.0, 0.4),
}
EDGES = [v + e for v in (*MEASURED.voltage, 0.0) for e in (0.0, 1e-9, -1e-9)]


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_a_cell_has_the_current_of_its_curve(name, idle):
    """Between, at, beside and beyond the knots, to 1e-8 of each current."""
    v = np.array([*np.linspace(-0.5, 0.5, 41), *EDGES])[:, None]
    for g in (1.234e-6, 1e-4):
        crossbar = Crossbar([[g]], Wires(idle=idle), iv=CURVES[name])  # pyright: ignore
        found = spice.netlist(crossbar, v).run().current[:, 0]
        wanted, _ = CURVES[name].evaluate(np.full(len(v), g), v[:, 0])
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-18)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("idle", ["floating", "gated"])
def test_idle_rows_of_nonlinear_cells_float_or_are_gated(name, idle, rng):
    g = rng.uniform(1e-6, 150e-6, (8, 5)) * (rng.random((8, 5)) > 0.1)
    crossbar = Crossbar(g, Wires(0.35, 0.35, 50.0, 20.0, idle=idle), iv=CURVES[name])
    v = rng.uniform(-0.3, 0.3, (3, 8)) * (rng.random((3, 8)) < 0.6)
    found, ours = spice.netlist(crossbar, v).run(), crossbar.solve(v)
    for part in ("row_voltage", "col_voltage", "current"):
        a, b = getattr(found, part), getattr(ours, part)
        assert np.abs(a - b).max() < 1e-8 * max(np.abs(b).max(), 0.01 * np.abs(v).max()), part


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("shape", [(8, 8), (16, 16), (32, 32), (5, 11)], ids=str)
def test_the_simulator_s_own_curves(name, shape, rng):
    """`Crossbar.solve` and ngspice find the same; the export takes the crossbar's own curve."""
    g = rng.uniform(1e-6, 150e-6, shape)
    crossbar = Crossbar(g, Wires(0.35, 0.35, 50.0, 20.0), iv=CURVES[name])
    v = rng.uniform(-0.3, 0.3, (2, shape[0]))
    found = spice.netlist(crossbar, v).run()
    ours = crossbar.solve(v)
    assert np.abs(found.row_voltage - ours.row_voltage).max() < 1e-8 * np.abs(v).max()
    assert np.abs(found.col_voltage - ours.col_voltage).max() < 1e-8 * np.abs(v).max()
    assert np.abs(found.current - ours.current).max() < 1e-8 * np.abs(ours.current).max()
    assert spice.compare(ours, found)


class Own(IVCurve):
    """A curve of the user's own."""

    def evaluate(self, g: Any, u: Any) -> tuple[Any, Any]:
        return g * np.arcsinh(u), g / np.sqrt(1 + np.square(u))


@pytest.mark.parametrize("iv", [Own(), SeriesTransistor(Own(), 1e3)], ids=["alone", "behind"])
def test_a_curve_without_a_model_is_refused(iv):
    crossbar = Crossbar(np.full((2, 2), 1e-5), iv=iv)
    with pytest.raises(SpiceError, match=r"no SPICE model of cells with .*Own") as caught:
        spice.netlist(crossbar, np.ones(2))
    assert caught.value.reason == "missing"


def test_gated_rows_of_cells_of_another_model(rng):
    """A cell whose gate is held against ground is the same in a gated row that is on."""
    g = rng.uniform(1e-6, 150e-6, (4, 3))
    model = CELLS["1t1r"][0]
    v = rng.uniform(0.1, 0.3, (2, 4))
    wires = {idle: Wires(2.0, 3.0, 50.0, 20.0, idle=idle) for idle in ("grounded", "gated")}
    on, always = (spice.netlist(Crossbar(g, wires[k]), v, cell=model).run().current
                  for k in ("gated", "grounded"))  # fmt: skip
    np.testing.assert_allclose(on, always, rtol=1e-8)


VTEAM = spice.CellModel(
    "memristor_vteam",
    lambda g, i, j: {"r_on": 1e3, "r_off": 1e5, "x0": (1 / g - 1e3) / 99e3},
)


def test_an_array_of_vteam_memristors_reads_as_the_conductances_it_starts_from(rng):
    """Below the thresholds nothing moves: x0 = (1 / g - r_on) / (r_off - r_on) gives g."""
    g = rng.uniform(1.1e-5, 9e-4, (4, 3))
    v = rng.uniform(-0.15, 0.15, (2, 4))
    crossbar = Crossbar(g, Wires(1.0, 1.0, 1.0, 1.0))
    found = spice.netlist(crossbar, v, cell=VTEAM).run()
    np.testing.assert_allclose(found.current, crossbar.read(v), rtol=1e-7)


@pytest.mark.parametrize("idle", ["grounded", "floating", "gated"])
@pytest.mark.parametrize("volts", [0.21, 0.3, 0.5, -0.3])
def test_a_read_that_moves_the_state_of_a_memristor_is_refused(volts, idle):
    crossbar = Crossbar(np.full((4, 3), 1e-4), Wires(1.0, 1.0, idle=idle))
    v = np.array([[0.1, 0.1, 0.1, 0.1], [0.1, 0.0, volts, 0.1]])
    with pytest.raises(
        SpiceError, match=r"of input 1 must leave the state x of xcell2_0"
    ) as caught:
        spice.netlist(crossbar, v, cell=VTEAM).run()
    assert caught.value.reason == "unphysical"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("ohm", [0.0, 1.0])
def test_an_answer_of_cells_that_give_power_is_refused(ohm, sign, rng):
    active = spice.CellModel("cell_linear", lambda g, i, j: {"g": -g if j == 1 else g}, linear=True)
    crossbar = Crossbar(rng.uniform(1e-5, 1e-4, (4, 3)), Wires(ohm, ohm, ohm, ohm))
    with pytest.raises(SpiceError, match=r"must be one of passive cells") as caught:
        spice.netlist(crossbar, sign * rng.uniform(0.1, 0.2, 4), cell=active).run()
    assert caught.value.reason == "unphysical"
