"""Laws of a whole solution: currents at every node, power, its limits, slices of time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimc import plots
from aimc.crossbar import Crossbar
from aimc.errors import ArgumentError, NotConverged
from aimc.kernels.wires import network, slices
from aimc.parts.wires import Wires

OHM = (0.0, 1e-3, 1.0, 50.0)


@st.composite
def crossbars(draw, side=24, idle=("grounded", "floating", "gated")):
    """An array of any topology, and three reads of it with silent rows."""
    rows, cols = draw(st.integers(1, side)), draw(st.integers(1, side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ohm = {n: draw(st.sampled_from(OHM)) for n in ("r_row", "r_col", "r_source", "r_sense")}
    wires = Wires(
        **ohm,
        drive=draw(st.sampled_from(["left", "right", "both"])),
        sense=draw(st.sampled_from(["bottom", "top", "both"])),
        idle=draw(st.sampled_from(idle)),
    )
    g = rng.uniform(1e-6, 150e-6, (rows, cols)) * (rng.random((rows, cols)) > 0.1)
    v = rng.choice([-0.2, 0.0, 0.1, 0.2], (3, rows))
    return Crossbar(g, wires), v


@given(crossbars())
def test_currents_balance_at_every_node(case):
    """What flows into a node flows out of it: exactly, since segments are sums of cells."""
    crossbar, v = case
    s = crossbar.solve(v)
    floor = 1e-12 * max(np.abs(s.current).max(), np.abs(s.row_current).max(), 1e-12)
    row, col = s.row_current, s.col_current
    assert np.abs(row[:, :, :-1] - row[:, :, 1:] - s.cell_current).max() <= floor
    assert np.abs(col[:, 1:] - col[:, :-1] - s.cell_current).max() <= floor
    assert np.abs(col[:, -1] - col[:, 0] - s.current).max() <= floor
    if crossbar.wires.drive != "right":
        assert crossbar.wires.drive == "both" or not row[:, :, -1].any()
    if crossbar.wires.sense == "bottom":
        assert not col[:, 0].any()


@given(crossbars())
def test_ohms_law_along_the_wires(case):
    """Voltages fall along every segment by its resistance times its current."""
    crossbar, v = case
    s, w = crossbar.solve(v), crossbar.wires
    assert (
        np.abs(-np.diff(s.row_voltage, axis=2) - w.r_row * s.row_current[:, :, 1:-1]).max(initial=0)
        <= 1e-13
    )
    assert (
        np.abs(-np.diff(s.col_voltage, axis=1) - w.r_col * s.col_current[:, 1:-1]).max(initial=0)
        <= 1e-13
    )
    on = s.driven
    if w.drive != "right":
        drop = v - s.row_voltage[:, :, 0] - w.r_source * s.row_current[:, :, 0]
        assert np.abs(drop[on]).max(initial=0) <= 1e-13
    if w.drive != "left":
        drop = v - s.row_voltage[:, :, -1] + w.r_source * s.row_current[:, :, -1]
        assert np.abs(drop[on]).max(initial=0) <= 1e-13


@given(crossbars())
def test_power_delivered_is_power_dissipated(case):
    """Tellegen: the sum over all branches of voltage times current is zero."""
    crossbar, v = case
    p = crossbar.solve(v).power
    parts = p.cells + p.row_wires + p.col_wires + p.source + p.sense
    assert all(np.all(part >= 0.0) for part in p[1:])
    assert np.abs(p.delivered - parts).max() <= 1e-12 * max(p.delivered.max(), 1e-30)


def test_power_of_a_divider():
    """One cell of 1 kohm behind 100 + 400 ohm at 1.5 V carries 1 mA."""
    s = Crossbar(np.array([[1e-3]]), Wires(r_source=100.0, r_sense=400.0)).solve([[1.5]])
    assert np.allclose(np.array(s.power).ravel(), [1.5e-3, 1e-3, 0.0, 0.0, 1e-4, 4e-4])
    assert np.allclose(s.cell_voltage, 1.0)


@given(crossbars(idle=("grounded",)), st.integers(0, 2**32 - 1))
def test_pulses_of_grounded_rows_average(case, seed):
    """Linear cells, silent rows at 0 V: the mean current is that of the mean voltage."""
    crossbar, v = case
    duration = np.random.default_rng(seed).integers(0, 9, v.shape) / 8
    mean = crossbar.read(v, duration=duration)
    network_of_slices = slices.mean_current(
        duration, v, crossbar.g.shape[1], lambda volts, on, which: volts @ crossbar.transfer
    )
    assert np.allclose(mean, (v * duration) @ crossbar.transfer, rtol=1e-13, atol=1e-25)
    assert np.allclose(mean, network_of_slices, rtol=1e-12, atol=1e-20)


@given(crossbars(idle=("floating", "gated")), st.integers(0, 2**32 - 1))
def test_pulses_are_the_sum_of_their_slices(case, seed):
    """Each slice by itself: a network without the silent rows' sources, or without their cells."""
    crossbar, v = case
    w = crossbar.wires
    top = w.topology(crossbar.g.shape)
    duration = np.random.default_rng(seed).integers(0, 5, v.shape) / 4
    expected = np.zeros((len(v), crossbar.g.shape[1]))
    for n, (pulse, lasts) in enumerate(zip(v, duration, strict=True)):
        for step in range(4):
            on = lasts > step / 4
            if w.idle == "floating":
                transfer = network.transfer(crossbar.g, top.floating(on))
            else:
                transfer = network.transfer(crossbar.g * on[:, None], top)
            expected[n] += np.where(on, pulse, 0.0) @ transfer / 4
    got = crossbar.read(v, duration=duration)
    assert np.abs(got - expected).max() <= 1e-9 * max(np.abs(expected).max(), 1e-12)


def test_silent_rows_matter():
    """Sneak paths: floating rows carry current that grounded ones drain, gated ones block."""
    rng = np.random.default_rng(5)
    g, v = rng.uniform(50e-6, 150e-6, (32, 8)), np.full((1, 32), 0.2)
    duration = rng.integers(0, 32, (1, 32)) / 31
    reads = {
        idle: Crossbar(g, Wires(5.0, 5.0, 10.0, 500.0, idle=idle)).read(v, duration=duration)
        for idle in ("grounded", "floating", "gated")
    }
    assert np.all(reads["floating"] > reads["grounded"])
    assert np.all(reads["gated"] > reads["grounded"])
    assert not np.allclose(reads["floating"], reads["gated"], rtol=1e-6)
    still = Crossbar(g, Wires(5.0, 5.0, 10.0, 500.0, idle="floating")).read(np.zeros((2, 32)))
    assert not still.any()


@pytest.mark.parametrize("idle", ["floating", "gated"])
def test_rows_on_all_the_time_are_the_driven_array(idle, rng):
    g, v = rng.uniform(1e-6, 150e-6, (20, 9)), rng.uniform(0.1, 0.2, (4, 20))
    wires = Wires(2.0, 1.0, 30.0, 10.0, idle=idle)
    driven = Crossbar(g, Wires(2.0, 1.0, 30.0, 10.0)).read(v)
    assert np.allclose(Crossbar(g, wires).read(v), driven, rtol=1e-10)


def test_exact_noise_has_the_first_orders_spread(rng):
    g, sigma = rng.uniform(30e-6, 150e-6, (24, 6)), np.full((24, 6), 2e-6)
    v = np.repeat(rng.uniform(0.05, 0.2, (1, 24)), 4000, axis=0)
    clean = Crossbar(g, Wires(3.0, 3.0, 3.0, 3.0)).read(v[:1])[0]
    spread = {}
    for kind in ("first-order", "exact"):
        crossbar = Crossbar(g, Wires(3.0, 3.0, 3.0, 3.0, noise=kind), sigma)
        i = crossbar.read(v, np.random.default_rng(1))
        assert np.abs(i.mean(axis=0) - clean).max() < 5 * i.std(axis=0).max() / np.sqrt(4000)
        spread[kind] = i.std(axis=0)
    # The spread of a sample's standard deviation is 1 / sqrt(2 draws) = 1.1 %, of both.
    assert np.abs(spread["exact"] / spread["first-order"] - 1).max() < 5 * np.sqrt(2 / 8000)


def test_exact_noise_is_one_seed_one_read(rng):
    g = rng.uniform(30e-6, 150e-6, (24, 6))
    for wires in (Wires(3.0, 3.0, noise="exact"), Wires(3.0, 3.0, idle="floating")):
        crossbar = Crossbar(g, wires, np.full(g.shape, 1e-6))
        v = rng.choice([0.0, 0.2], (5, 24))
        a, b = (crossbar.read(v, np.random.default_rng(3)) for _ in range(2))
        assert np.array_equal(a, b)
        assert not np.array_equal(a, crossbar.read(v))


def test_bad_pulses():
    crossbar = Crossbar(np.full((3, 2), 1e-5), Wires(1.0, idle="floating"))
    for duration, says in (
        ([[0.5, 0.5]], "`duration` must have shape"),
        ([[0.5, 0.5, 1.5]], "`duration` must be at most 1"),
        ([[0.5, 0.5, np.nan]], "`duration` must be finite"),
    ):
        with pytest.raises(ArgumentError, match=says):
            crossbar.read(np.ones((1, 3)), duration=duration)
    with pytest.raises(ArgumentError, match="shape of `v`"):
        crossbar.read(np.ones((2, 3)), duration=np.ones((1, 3)))
    with pytest.raises(ArgumentError, match="`idle` must be one of grounded, floating, gated"):
        Wires(idle="open")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`noise` must be one of first-order, exact"):
        Wires(noise="none")  # pyright: ignore[reportArgumentType]
    assert crossbar.read(np.zeros((0, 3))).shape == (0, 2)


def test_voltage_map_shows_its_numbers(rng):
    solution = Crossbar(rng.uniform(1e-5, 1e-4, (9, 7)), Wires(5.0, 5.0)).solve(np.ones((2, 9)))
    figure = plots.voltage_map(solution, 1)
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    assert np.allclose(images[0], solution.row_voltage[1] * 1e3)
    assert np.allclose(images[2], solution.cell_voltage[1] * 1e3)
    with pytest.raises(ArgumentError, match="`read` must be at most 1"):
        plots.voltage_map(solution, 2)


def test_a_crossbar_keeps_its_own_noise(rng):
    sigma = np.full((4, 3), 1e-6)
    crossbar = Crossbar(np.full((4, 3), 1e-5), Wires(1.0, 1.0), sigma)
    sigma[:] = np.nan
    assert np.isfinite(crossbar.read(np.ones((2, 4)), rng)).all()
    assert crossbar.sigma is not None
    with pytest.raises(ValueError, match="read-only"):
        crossbar.sigma[0, 0] = 1.0


def test_noise_keeps_its_scale(rng):
    """Noise is proportional to sigma and to the voltages, over a hundred decades."""
    g, v = rng.uniform(1e-5, 1e-4, (6, 4)), rng.uniform(0.1, 0.2, (3, 6))

    def noise(times_sigma, times_v):
        crossbar = Crossbar(g, Wires(2.0, 2.0), np.full(g.shape, 1e-6 * times_sigma))
        return crossbar.noise(v * times_v, np.random.default_rng(1)) / (times_sigma * times_v)

    for scales in ((1e-30, 1.0), (1.0, 1e-30), (1.0, 1e40)):
        assert np.allclose(noise(*scales), noise(1.0, 1.0), rtol=1e-5)


def test_sneak_currents_that_drown_the_sensed_ones_are_refused():
    """Kirchhoff's law relative to the largest current says little of a current 1e-9 of it."""
    g = [[0.01, 0.01, 1e-6, 0], [0.01, 1e-6, 1e-4, 1e-4], [0, 1e-9, 1e-6, 1e-6]]
    v = [[0.0882307229165851, 0.14203505493789154, 0.19536294951441352]]
    wires = Wires(1e10, 1, 1e-3, 1e10, sense="top", idle="gated")
    with pytest.raises(NotConverged, match="largest sensed"):
        Crossbar(np.array(g), wires).read(v)


def test_what_is_no_curve_is_refused():
    class Offset:
        def evaluate(self, g, u):
            return g * (u + 0.1), g + 0.0 * u

    g = np.full((3, 2), 1e-5)
    for curve, says in (
        (Offset(), "pass through zero"),
        (Offset, "Give an instance"),
        (3, "IVCurve"),
    ):
        with pytest.raises(ArgumentError, match=says):
            Crossbar(g, iv=curve)  # pyright: ignore[reportArgumentType]


def test_currents_that_overflow_are_refused():
    with pytest.raises(ArgumentError, match="finite currents"):
        Crossbar(np.full((4, 3), 1e300)).read(np.full((1, 4), 1e10))
