"""Laws of current-voltage curves: the contract that each inherits, and each one's own formula."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

import aimc
from aimc.errors import ArgumentError
from aimc.parts import ivcurve as ivcurve_room
from aimc.parts import transistor as transistor_room
from aimc.parts.device import Device
from aimc.parts.ivcurve import Cubic, IVCurve, Sinh, Tabulated
from aimc.parts.transistor import SeriesTransistor, Transistor

UNIT = 1e-6
# The classes that inherit a law try the same examples, one after the other.
inherited = settings(suppress_health_check=[HealthCheck.differing_executors])
CONDUCTANCES = st.floats(1e-8, 1e-3)
SWEEP = np.linspace(-0.6, 0.6, 41)
SINH = Sinh(2.5)
SKEWED = Cubic(k2=-0.3, k3=(1.1, -0.05), k3_slope=-2000.0)
TABLE = Tabulated(tuple(SWEEP), tuple(3e-5 * np.sinh(2 * SWEEP) + 1e-5 * SWEEP**2))
MEASURED = Path(__file__).parents[3] / "shared" / "data" / "readc" / "device_iv.csv"


class IVCurveContract:
    """What holds for every curve, at voltages within `reach` [V]; with `small_signal`, slope(0)."""

    curve: Any
    reach = 1.0

    def small_signal(self, g):
        return g

    @inherited
    @given(g=CONDUCTANCES, u=st.lists(st.integers(-(10**9), 10**9), min_size=2, unique=True))
    def test_the_current_rises_strictly_with_the_voltage(self, g, u):
        u = 1e-9 * self.reach * np.sort(u)
        i, slope = self.curve.evaluate(g, u)
        assert np.isfinite(i).all()
        assert np.all(np.diff(i) > 0)
        assert np.all(slope > 0)
        np.testing.assert_array_equal(np.sign(i), np.sign(u))

    @inherited
    @given(g=CONDUCTANCES)
    def test_it_passes_through_zero_with_its_small_signal_conductance(self, g):
        i, slope = self.curve.evaluate(g, 0.0)
        assert i == 0
        assert slope == pytest.approx(self.small_signal(g), rel=1e-14)

    @inherited
    @given(g=CONDUCTANCES, share=st.floats(-1, 1))
    def test_the_slope_is_the_derivative(self, g, share):
        """Central differences, of error h^2 i''' / 6 + rounding / h, at two step sizes."""
        u, h = share * self.reach, 1e-4 * self.reach
        i, _ = self.curve.evaluate(g, u + h * np.array([-2, -1, 1, 2]) / 2)
        coarse, fine = (i[3] - i[0]) / (2 * h), (i[2] - i[1]) / h
        slope = self.curve.evaluate(g, u)[1]
        assert slope == pytest.approx((4 * fine - coarse) / 3, rel=self.derivative_error)

    derivative_error = 1e-6

    def test_the_current_is_the_integral_of_the_slope(self):
        u = np.linspace(-self.reach, self.reach, 20001)
        i, slope = self.curve.evaluate(50 * UNIT, u)
        risen = (u[1] - u[0]) * (np.sum(slope) - (slope[0] + slope[-1]) / 2)
        assert i[-1] - i[0] == pytest.approx(risen, rel=1e-6)

    @pytest.mark.parametrize(
        ("g_shape", "u_shape"),
        [((), ()), ((3,), ()), ((), (3,)), ((3, 4), (5, 3, 4)), ((5, 3, 4), (3, 4)), ((4,), (3, 4)),
         ((3, 1), (2, 3, 4)), ((2, 1, 1), (1, 3, 4)), ((3, 4), (2, 2, 3, 4)), ((3,), (4, 3)),
         ((0, 3), (0, 3)), ((3, 4), (0, 3, 4)), ((0,), (1,))],
    )  # fmt: skip
    def test_shapes_broadcast_and_each_cell_is_its_own(self, rng, g_shape, u_shape):
        g = rng.uniform(0, 150 * UNIT, g_shape)
        u = rng.uniform(-self.reach, self.reach, u_shape)
        i, slope = self.curve.evaluate(g, u)
        wide_g, wide_u = np.broadcast_arrays(g, u)
        assert i.shape == slope.shape == wide_u.shape
        assert i.dtype == slope.dtype == np.float64
        for where in np.ndindex(wide_u.shape):
            alone = self.curve.evaluate(wide_g[where], wide_u[where])
            np.testing.assert_allclose((i[where], slope[where]), alone, rtol=2e-14)

    def test_a_batch_is_its_single_reads_bit_for_bit(self, rng):
        g = rng.uniform(0, 150 * UNIT, (5, 30, 40))
        u = rng.uniform(-1, 1, (5, 30, 40)) * self.reach * np.logspace(-3, 0, 5)[:, None, None]
        for cells in (g, g[0]):
            batch = self.curve.evaluate(cells, u)
            for n in range(5):
                single = self.curve.evaluate(cells if cells.ndim == 2 else cells[n], u[n])
                np.testing.assert_array_equal(batch[0][n], single[0])
                np.testing.assert_array_equal(batch[1][n], single[1])

    def test_an_open_cell_carries_nothing_and_leaves_its_neighbours_alone(self, rng):
        g = rng.uniform(1, 150, (6, 7)) * UNIT
        g[::2, ::3] = 0
        u = rng.uniform(-self.reach, self.reach, g.shape)
        i, slope = self.curve.evaluate(g, u)
        opened = g == 0
        assert not i[opened].any()
        assert not slope[opened].any()
        assert np.all(slope[~opened] > 0)

    @pytest.mark.parametrize("layout", ["C", "F", "sliced", "frozen", "list", "float32"])
    def test_the_input_is_left_as_it_was_whatever_its_layout(self, rng, layout):
        given = [rng.uniform(0, 150 * UNIT, (6, 8)), rng.uniform(-self.reach, self.reach, (6, 8))]
        if layout == "float32":
            given = [array.astype(np.float32).astype(float) for array in given]
        make = {
            "C": np.ascontiguousarray, "F": np.asfortranarray, "list": np.ndarray.tolist,
            "sliced": lambda a: np.repeat(a, 2, axis=1)[:, ::2], "frozen": np.array,
            "float32": lambda a: a.astype(np.float32),
        }[layout]  # fmt: skip
        g, u = map(make, given)
        if layout == "frozen":
            g.flags.writeable = u.flags.writeable = False
        out = self.curve.evaluate(g, u)
        np.testing.assert_array_equal(g, given[0])
        np.testing.assert_array_equal(u, given[1])
        for array, plain in zip(out, self.curve.evaluate(*given), strict=True):
            np.testing.assert_array_equal(array, plain)
            assert array.flags.writeable
            assert not np.shares_memory(array, np.asarray(g))
            assert not np.shares_memory(array, np.asarray(u))
        assert not np.shares_memory(*out)

    @pytest.mark.parametrize(
        ("g", "u", "says"),
        [
            (-1e-6, 0.1, "`g` must be at least 0, but is -1e-06"),
            (np.nan, 0.1, "`g` must be finite"),
            (np.inf, 0.1, "`g` must be finite"),
            (1e-6, [0.1, np.nan], "`u` must be finite"),
            (1e-6, np.array([0.1, -np.inf]), "`u` must be finite"),
            (np.ones((2, 3)), np.ones((3, 2)), r"`u` must broadcast with `g` of shape \(2, 3\)"),
            ("1", 0.1, "`g` must be an array of real numbers"),
            (1e-6, [[0.1], [0.1, 0.2]], "`u` must be an array of real numbers"),
            (1e-6, 1j, "`u` must be an array of real numbers"),
            (np.ma.array([1e-6], mask=[True]), 0.1, "`g` must be an array of real numbers"),
        ],
    )
    def test_what_is_no_cell_or_voltage_is_refused(self, g, u, says):
        with pytest.raises(ArgumentError, match=says):
            self.curve.evaluate(g, u)

    def test_it_is_frozen_and_equal_by_value(self):
        assert self.curve == dataclasses.replace(self.curve)
        assert hash(self.curve) == hash(dataclasses.replace(self.curve))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(self.curve, dataclasses.fields(self.curve)[0].name, 1.0)

    def test_a_device_may_have_it(self):
        assert Device(150 * UNIT, iv=self.curve).iv is self.curve

    def test_a_card_with_it_loads_to_the_same_hardware(self, tmp_path):
        hardware = aimc.load("ideal-5bit")
        curved = dataclasses.replace(
            hardware, device=dataclasses.replace(hardware.device, iv=self.curve)
        )
        path = tmp_path / "curved.toml"
        path.write_text(aimc.cards.dump(curved))
        assert aimc.load(path) == curved
        assert aimc.cards.digest(aimc.load(path)) == aimc.cards.digest(curved)
        assert aimc.cards.digest(curved) != aimc.cards.digest(hardware)


class TestSinh(IVCurveContract):
    curve = SINH
    reach = 2.0

    @given(a=st.floats(1e-3, 50), x=st.floats(-600, 600))
    @example(a=1.0, x=0.5)
    @example(a=2.0, x=1e-9)
    def test_it_is_the_hyperbolic_sine_to_rounding(self, a, x):
        """The error of a u itself, half an ulp, is one of a u half ulps in the current."""
        u = x / a
        i, slope = Sinh(a).evaluate(50 * UNIT, u)
        error = 1e-15 * max(1.0, abs(x))
        assert i == pytest.approx(50 * UNIT / a * math.sinh(a * u), rel=error, abs=0)
        assert slope == pytest.approx(50 * UNIT * math.cosh(a * u), rel=error, abs=0)

    @pytest.mark.parametrize("reach", [0.2, 0.5, 1.0, 2.0])
    def test_a_read_is_right_to_a_few_units_in_the_last_place(self, rng, reach):
        g, u = rng.uniform(0, 1, (128, 128)), rng.uniform(-reach, reach, (128, 128))
        i, slope = self.curve.evaluate(g, u)
        x = np.longdouble(2.5) * u
        assert np.abs(i / (g * np.sinh(x) / 2.5) - 1).max() < 2e-15
        assert np.abs(slope / (g * np.cosh(x)) - 1).max() < 2e-15

    def test_a_current_too_large_for_a_number_is_refused(self):
        assert np.isfinite(Sinh(2.0).evaluate(1.0, [-350.0, 350.0])).all()
        with pytest.raises(ArgumentError, match=r"`u` must lie within \+-350 V.* reaches 351 V"):
            Sinh(2.0).evaluate(1.0, [0.1, -351.0])


class TestCubic(IVCurveContract):
    curve = Cubic(k3=1.3, k3_slope=-2000.0)
    reach = 0.5

    @given(g=CONDUCTANCES, u=st.floats(-0.5, 0.5))
    def test_it_is_the_odd_law_of_measured_cells(self, g, u):
        """I = g u (1 + k u^2), k = k_0 - k_1 g [fits to s41467-025-65233-w, source data]."""
        i, slope = self.curve.evaluate(g, u)
        k = 1.3 - 2000.0 * g
        assert i == pytest.approx(g * u * (1 + k * u**2), rel=1e-14)
        assert slope == pytest.approx(g * (1 + 3 * k * u**2), rel=1e-14)
        assert self.curve.evaluate(g, -u)[0] == -i


class TestCubicSkewed(IVCurveContract):
    curve = SKEWED
    reach = 0.4

    @given(g=CONDUCTANCES, u=st.floats(-0.4, 0.4))
    def test_it_is_the_series_with_coefficients_that_follow_the_conductance(self, g, u):
        """i = g u + n2 u^2 + n3 u^3, n polynomials in log10 g times g, as in CrossSim."""
        k3 = 1.1 - 0.05 * math.log10(g) - 2000.0 * g
        i, slope = self.curve.evaluate(g, u)
        assert i == pytest.approx(g * u - 0.3 * g * u**2 + k3 * g * u**3, rel=1e-13)
        assert slope == pytest.approx(g - 0.6 * g * u + 3 * k3 * g * u**2, rel=1e-13)

    @given(k2=st.floats(-5, 5), k3=st.floats(-5, 5), u=st.floats(-2, 2))
    def test_voltages_are_refused_exactly_where_the_curve_does_not_rise_all_the_way(
        self, k2, k3, u
    ):
        path = np.linspace(0, u, 2001)
        lowest = np.min(1 + 2 * k2 * path + 3 * k3 * path**2)
        if lowest > 1e-3:
            assert Cubic(k2, k3).evaluate(1.0, u)[1] > 0
        elif lowest < -1e-3:
            with pytest.raises(ArgumentError, match="`u` must lie between"):
                Cubic(k2, k3).evaluate(1.0, u)

    @pytest.mark.parametrize(
        ("curve", "u", "says"),
        [
            (Cubic(k3=-1.0), 0.6, r"between -0\.57735 and 0\.57735 V.*rises, but is 0\.6 V\. Give"),
            (Cubic(k2=-1.0), 0.5, r"between -inf and 0\.5 V"),
            (Cubic(k2=1.0), -0.5, r"between -0\.5 and inf V"),
            (Cubic(k2=-1.0, k3=0.2), 5.0, "between -inf and 0.6125"),
            (Cubic(k3=1.0), 1e200, "`u` must give a current that is a number, but reaches 1e"),
        ],
    )  # fmt: skip
    def test_the_refusal_names_the_range(self, curve, u, says):
        with pytest.raises(ArgumentError, match=says):
            curve.evaluate([1e-5, 0.0], [u, 0.0])
        i, slope = curve.evaluate([1e-5, 0.0], [0.0, u])
        assert i[1] == slope[1] == 0


class TestTabulated(IVCurveContract):
    curve = TABLE
    reach = 1.2  # twice as far as the sweep
    derivative_error = 3e-2  # across a knot, where the curve bends at once

    def test_between_the_ends_it_is_scipys_pchip(self):
        inner = np.linspace(SWEEP[1], SWEEP[-2], 1001)
        twin = PchipInterpolator(TABLE.voltage, TABLE.current)
        scale = 50 * UNIT / twin(0.0, 1)
        unfitted = dataclasses.replace(TABLE, window=1e-9)
        i, slope = unfitted.evaluate(50 * UNIT, inner)
        np.testing.assert_allclose(i, scale * twin(inner), rtol=1e-12, atol=1e-20)
        np.testing.assert_allclose(slope, scale * twin(inner, 1), rtol=1e-11)

    @given(share=st.floats(0.001, 0.999), j=st.integers(0, len(SWEEP) - 2))
    def test_between_knots_the_slope_is_the_derivative_to_rounding(self, share, j):
        """Richardson's difference is exact for a cubic."""
        h = 1e-4 * (SWEEP[1] - SWEEP[0])
        u = SWEEP[j] + share * (SWEEP[j + 1] - SWEEP[j])
        i, _ = TABLE.evaluate(1.0, u + h * np.array([-2, -1, 1, 2]) / 2)
        slope = (4 * (i[2] - i[1]) / h - (i[3] - i[0]) / (2 * h)) / 3
        assert TABLE.evaluate(1.0, u)[1] == pytest.approx(slope, rel=1e-6)

    def test_it_meets_the_measured_points_and_goes_on_straight(self):
        i, slope = TABLE.evaluate(1.0, SWEEP)
        ratio = np.asarray(TABLE.current)[SWEEP != 0] / i[SWEEP != 0]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)
        far, same = TABLE.evaluate(1.0, [-2.0, 3.0])
        np.testing.assert_array_equal(same, slope[[0, -1]])
        np.testing.assert_allclose(far, i[[0, -1]] + same * [-1.4, 2.4], rtol=1e-14)

    def test_unequal_steps_and_a_sweep_that_passes_zero_between_two_points(self, rng):
        v = np.sort(rng.uniform(-1, 1, 40)) ** 3
        law = Tabulated(tuple(v), tuple(v + v**3))
        u = rng.uniform(v[1], v[-2], 500)
        knots = np.sort(np.append(v, 0.0))
        twin = PchipInterpolator(knots, knots + knots**3)
        i, slope = law.evaluate(1.0, u)
        np.testing.assert_allclose(i, twin(u) / twin(0.0, 1), rtol=1e-9, atol=1e-16)
        np.testing.assert_allclose(slope, twin(u, 1) / twin(0.0, 1), rtol=1e-8)

    @given(st.lists(st.tuples(st.floats(1e-4, 1), st.floats(1e-9, 1)), min_size=1, max_size=8))
    def test_any_rising_sweep_gives_a_curve_that_rises_strictly(self, steps):
        v, i = np.cumsum([(0.0, 0.0), *steps], axis=0).T
        law = Tabulated((*-v[:0:-1], *v), (*-2 * i[:0:-1], *i))
        _, slope = law.evaluate(1.0, np.linspace(-1.5, 1.5, 301) * v[-1])
        assert slope.min() > 0
        assert law.evaluate(1.0, 0.0)[1] == pytest.approx(1.0, rel=1e-14)

    def test_noise_of_the_smallest_points_does_not_scale_the_curve(self, rng):
        """0.2 % of the largest current on each point: 0.5 % in the scale, not several."""
        v = np.linspace(-0.6, 0.6, 61)
        wrong = []
        for _ in range(40):
            i = 3e-5 * np.sinh(2 * v) / 2 * (v != 0)
            i = np.maximum.accumulate(i + 2e-3 * 1.5e-5 * rng.normal(size=v.size) * (v != 0))
            keep = np.append(True, np.diff(i) > 0) & ((np.sign(i) == np.sign(v)) | (v == 0))
            law = Tabulated(tuple(v[keep]), tuple(i[keep]))
            wrong.append(law.evaluate(1.0, 0.5)[0] / (np.sinh(1.0) / 2) - 1)
        assert np.sqrt(np.mean(np.square(wrong))) < 7e-3

    @pytest.mark.parametrize("at", [0.2, -0.35])
    def test_g_is_current_over_voltage_where_it_was_measured(self, at):
        law = dataclasses.replace(TABLE, normalised_at=at)
        assert law.evaluate(7e-5, at)[0] == pytest.approx(7e-5 * at, rel=1e-12)
        both = [each.evaluate(1.0, [0.1, 0.5])[0] for each in (law, TABLE)]
        assert both[0][0] / both[1][0] == pytest.approx(both[0][1] / both[1][1], rel=1e-12)

    def test_two_points_are_a_straight_line(self):
        law = Tabulated((0.0, 1.0), (0.0, 3e-6))
        np.testing.assert_allclose(law.evaluate(2.0, [-1.0, 0.3, 4.0])[0], [-2.0, 0.6, 8.0])


@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=12, unique=True),
    st.floats(1e-9, 1e-5), st.floats(0.3, 3.0), st.booleans(),
)  # fmt: skip
def test_every_measured_curve_passes_through_zero_exactly_from_both_sides(v, unit, power, ends):
    v = np.sort(v) * unit
    if ends or not v[0] <= 0 <= v[-1]:
        v = np.sort(np.abs(v)) * (1 if abs(v[0]) < abs(v[-1]) else -1)
        v = np.unique(np.append(v, 0.0))
    i = 1e-5 * np.sign(v) * np.abs(v / np.abs(v).max()) ** power
    law = Tabulated(tuple(v), tuple(i))
    assert aimc.Crossbar(np.full((2, 2), 1e-5), iv=law).iv is law
    knots, values, slopes, _ = law._table
    np.testing.assert_array_equal(law.evaluate(1.0, knots)[0], values)
    np.testing.assert_allclose(law.evaluate(1.0, knots)[1], slopes, rtol=1e-12)
    small = 1e-9 * np.abs(knots[knots != 0]).min() * np.array([-1.0, 1.0])
    np.testing.assert_allclose(law.evaluate(1e-5, small)[0], 1e-5 * small, rtol=1e-6)


class TestSeriesTransistor(IVCurveContract):
    curve = SeriesTransistor(None, 5e3)

    def small_signal(self, g):
        return 1 / (1 / g + 5e3)

    @given(g=CONDUCTANCES, u=st.floats(-2, 2), r_on=st.floats(0, 1e6))
    def test_a_linear_cell_and_its_transistor_are_two_resistors(self, g, u, r_on):
        i, slope = SeriesTransistor(None, r_on).evaluate(g, u)
        assert i == pytest.approx(u / (1 / g + r_on), rel=1e-14)
        assert slope == pytest.approx(1 / (1 / g + r_on), rel=1e-14)


class TestSeriesTransistorNonlinear(IVCurveContract):
    curve = SeriesTransistor(SINH, 5e3)

    def small_signal(self, g):
        return 1 / (1 / g + 5e3)

    @given(g=CONDUCTANCES, u=st.floats(-20, 20), r_on=st.floats(1, 1e7))
    def test_the_voltages_of_cell_and_transistor_add_up(self, g, u, r_on):
        """asinh(a i / g) / a + r_on i = u."""
        i, slope = SeriesTransistor(SINH, r_on).evaluate(g, u)
        cell = math.asinh(2.5 * float(i) / g) / 2.5
        assert cell + r_on * i == pytest.approx(u, rel=1e-14)
        assert 1 / slope == pytest.approx(r_on + 1 / (g * math.cosh(2.5 * cell)), rel=1e-12)

    @pytest.mark.parametrize("cell", [SINH, SKEWED, TABLE])
    def test_without_resistance_it_is_the_cell(self, rng, cell):
        g, u = rng.uniform(0, 150 * UNIT, (9, 9)), rng.uniform(-0.4, 0.4, (9, 9))
        bare = cell.evaluate(g, u)
        for array, alone in zip(SeriesTransistor(cell, 0.0).evaluate(g, u), bare, strict=True):
            np.testing.assert_allclose(array, alone, rtol=1e-14)
        for array, alone in zip(SeriesTransistor(cell, 1e-3).evaluate(g, u), bare, strict=True):
            np.testing.assert_allclose(array, alone, rtol=1e-6)

    @pytest.mark.parametrize("u", [1e-300, 1e-9, 250.0, -250.0])
    def test_the_ends_of_the_range_of_numbers(self, u):
        i = self.curve.evaluate([1e-9, 1e-3], u)[0]
        cell = np.arcsinh(2.5 * i / [1e-9, 1e-3]) / 2.5
        np.testing.assert_allclose(cell + 5e3 * i, u, rtol=1e-13)


def overdriven(v, k, overdrive, clm):
    """Level 1 of SPICE: the gate is `overdrive` above threshold from the terminal at 0 V."""
    if v < 0:
        return -overdriven(-v, k, overdrive - v, clm)
    if v < overdrive:
        return k * (overdrive * v - v**2 / 2) * (1 + clm * v)
    return k / 2 * overdrive**2 * (1 + clm * v)


class TestTransistor(IVCurveContract):
    curve = Transistor(None, k=4e-4, v_gate=0.9, v_th=0.4)
    reach = 1.5

    def small_signal(self, g):
        return 1 / (1 / g + 1 / (4e-4 * 0.5))

    @given(g=st.floats(1e-7, 1e-2), u=st.floats(-3, 3))
    def test_both_carry_one_current(self, g, u):
        """i = g w = level 1 at u - w; drain and source change places where u < 0."""
        i = self.curve.evaluate(g, u)[0]
        w = float(i) / g
        through = overdriven(u - w, 4e-4, 0.5, 0.01)
        known = abs(w) * 4e-4 * 3.5  # of w, times the slope
        assert through == pytest.approx(float(i), rel=1e-14, abs=1e-14 * known)

    def test_it_saturates_where_the_channel_pinches_off(self):
        """Behind a large cell, at v_gate - v_th: current and slope are continuous there."""
        i, slope = self.curve.evaluate(1e3, [0.5 - 1e-9, 0.5 + 1e-9, 1.5])
        assert i[0] == pytest.approx(4e-4 / 2 * 0.25 * (1 + 0.01 * 0.5), rel=1e-6)
        assert slope[0] == pytest.approx(slope[1], rel=1e-4)
        assert slope[2] == pytest.approx(4e-4 / 2 * 0.25 * 0.01, rel=1e-6)
        assert i[2] == pytest.approx(4e-4 / 2 * 0.25 * (1 + 0.01 * 1.5), rel=1e-6)

    @given(g=CONDUCTANCES, u=st.floats(1e-3, 1.5))
    def test_backwards_the_gate_is_further_from_the_source(self, g, u):
        forwards, backwards = self.curve.evaluate(g, [u, -u])[0]
        assert -backwards > forwards


class TestTransistorNonlinear(IVCurveContract):
    curve = Transistor(SINH, k=4e-4, v_gate=0.9, v_th=0.4, clm=0.02)
    reach = 1.5

    def small_signal(self, g):
        return 1 / (1 / g + 1 / (4e-4 * 0.5))

    # Nearer to zero the smallest doubles lose digits.
    @given(g=st.floats(1e-7, 1e-2), u=st.floats(-10, 10).filter(lambda u: not 0 < abs(u) < 1e-250))
    def test_the_voltages_of_cell_and_transistor_add_up(self, g, u):
        """With w = asinh(a i / g) / a, the transistor's voltage is what carries i: bisected."""
        i = float(self.curve.evaluate(g, u)[0])
        w = math.asinh(2.5 * i / g) / 2.5
        low, high = min(u, 0.0), max(u, 0.0)
        for _ in range(200):
            middle = (low + high) / 2
            below = overdriven(middle, 4e-4, 0.5, 0.02) < i
            low, high = (middle, high) if below else (low, middle)
        # In saturation a rounding of i is 1 / clm of them in the voltage.
        rounding = 2**-53 * abs(i) / max(self._rise((low + high) / 2), 1e-300)
        assert w + (low + high) / 2 == pytest.approx(u, rel=4e-14, abs=8 * rounding)

    @staticmethod
    def _rise(v):
        h = 1e-6
        return (overdriven(v + h, 4e-4, 0.5, 0.02) - overdriven(v - h, 4e-4, 0.5, 0.02)) / (2 * h)

    def test_a_wide_transistor_is_the_cell(self, rng):
        g, u = rng.uniform(0, 150 * UNIT, (9, 9)), rng.uniform(-1, 1, (9, 9))
        wide = dataclasses.replace(self.curve, k=1e3)
        for array, alone in zip(wide.evaluate(g, u), SINH.evaluate(g, u), strict=True):
            np.testing.assert_allclose(array, alone, rtol=1e-4)

    def test_deep_in_triode_it_is_a_series_resistance(self, rng):
        """1 / (k (v_gate - v_th)), for u_t far below v_gate - v_th."""
        g, u = rng.uniform(0, 150 * UNIT, (9, 9)), rng.uniform(-0.5, 0.5, (9, 9))
        high = Transistor(SINH, k=1e-7, v_gate=2000.0, v_th=0.0, clm=1e-6)
        for array, twin in zip(
            high.evaluate(g, u), SeriesTransistor(SINH, 5e3).evaluate(g, u), strict=True
        ):
            np.testing.assert_allclose(array, twin, rtol=1e-3)


def test_every_curve_of_the_package_is_under_contract():
    curves = {
        kind
        for kind in (*vars(ivcurve_room).values(), *vars(transistor_room).values())
        if isinstance(kind, type) and issubclass(kind, IVCurve) and kind is not IVCurve
    }
    tested = {
        type(case.curve)
        for case in globals().values()
        if isinstance(case, type) and issubclass(case, IVCurveContract) and hasattr(case, "curve")
    }
    assert tested == curves


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Sinh(0.0), "`a` must be greater than 0"),
        (lambda: Sinh("2"), "`a` must be a number|`a` must"),  # pyright: ignore[reportArgumentType]
        (lambda: Cubic(k2=()), "`k2` must be one or more numbers"),
        (lambda: Cubic(k3=(1.0, np.nan)), "`k3` must be finite"),
        (lambda: Cubic(k3_slope=np.inf), "`k3_slope` must be finite"),
        (lambda: Tabulated((0.0, 1.0), (0.0, 1.0), normalised_at=2.0), "`normalised_at` must be a"),
        (lambda: Tabulated((0.0, 1.0), (0.0, 1.0), normalised_at=0.0), "and not 0"),
        (lambda: Tabulated((0.0, 1.0), (0.0, 1.0), window=0), "`window` must be greater"),
        (lambda: Tabulated((0.0,), (0.0,)), "`voltage` must be two or more strictly rising"),
        (lambda: Tabulated((0.0, 1.0, 1.0), (0.0, 1.0, 2.0)), "`voltage` must be two or more"),
        (lambda: Tabulated((0.0, 1.0, 2.0), (0.0, 2.0, 1.0)), "`current` must be two or more"),
        (lambda: Tabulated((0.0, 1.0), (0.0, 1.0, 2.0)), "`current` must have the 2 values of"),
        (lambda: Tabulated((0.1, 1.0), (0.0, 1.0)), "`voltage` must contain or bracket 0 V"),
        (lambda: Tabulated((0.0, 1.0), (0.1, 1.0)), "`current` must have the sign .* Subtract"),
        (lambda: Tabulated((-1.0, 1.0), (0.5, 1.0)), "`current` must have the sign of"),
        (lambda: Tabulated((0.0, 5e-324), (0.0, 1.0)), "`voltage` must be spaced widely enough"),
        (lambda: SeriesTransistor(None, -1.0), "`r_on` must be at least 0"),
        (lambda: SeriesTransistor(1e-6, 1e3), "`cell` must be of type IVCurve, or None"),  # pyright: ignore[reportArgumentType]
        (lambda: Transistor(None, 0.0, 1.0, 0.4), "`k` must be greater than 0"),
        (lambda: Transistor(None, 1e-4, 0.4, 0.4), "`v_gate` must be above v_th = 0.4 V, but is"),
        (lambda: Transistor(None, 1e-4, 1.0, 0.4, 0.0), "`clm` must be greater than 0"),
        (lambda: Transistor("linear", 1e-4, 1.0, 0.4), "`cell` must be of type IVCurve"),  # pyright: ignore[reportArgumentType]
        (lambda: Device(150 * UNIT, iv="sinh"), "`iv` must be of type IVCurve, or None"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_a_curve_that_cannot_be_is_refused(build, says):
    with pytest.raises(ArgumentError, match=says):
        build()


@pytest.mark.parametrize(
    "cell", [SINH, SKEWED, TABLE, SeriesTransistor(SINH, 1e3), Transistor(None, 4e-4, 0.9, 0.4)]
)
def test_cells_stand_inside_one_another(rng, cell):
    """Two resistances in series are their sum, whatever the cell."""
    g, u = rng.uniform(0, 150 * UNIT, (9, 9)), rng.uniform(-0.4, 0.4, (9, 9))
    twice = SeriesTransistor(SeriesTransistor(cell, 1e3), 2e3).evaluate(g, u)
    for array, once in zip(twice, SeriesTransistor(cell, 3e3).evaluate(g, u), strict=True):
        np.testing.assert_allclose(array, once, rtol=1e-12)


def branches():
    """(voltage [V], current [A]) of the 32 branches of the sweeps, from 0 V outwards."""
    for v, i in np.genfromtxt(MEASURED, delimiter=",", skip_header=1).T.reshape(16, 2, -1):
        measured = np.isfinite(v)
        v, i = np.abs(v[measured]), i[measured] * UNIT
        turn = int(np.argmax(v))
        yield v[: turn + 1], i[: turn + 1]
        yield v[: turn - 1 : -1], i[: turn - 1 : -1]


@pytest.mark.skipif(not MEASURED.is_file(), reason=f"needs the measured sweeps, {MEASURED.name}")
class TestMeasuredSweeps:
    """Pt/TaOx/Ta cells, Nat. Commun. 2025, s41467-025-65233-w, source data of Fig. 3b."""

    def fits(self):
        for v, i in branches():
            small = (v > 0) & (v <= 0.3001)
            v, i = v[small], i[small]
            (g, gk), *_ = np.linalg.lstsq(np.stack([v**0, v**2], 1), i / v, rcond=None)
            yield v, i, g, gk / g

    def test_a_cubic_of_its_own_follows_each_branch(self):
        """Up to 0.3 V, to 1.5 % above 60 uS and to 4.5 % below."""
        fits = list(self.fits())
        assert len(fits) == 32
        for v, i, g, k in fits:
            modelled = Cubic(k3=k).evaluate(g, v)[0]
            assert np.abs(modelled / i - 1).max() < (0.015 if g > 60 * UNIT else 0.045)

    def test_the_card_has_the_straight_line_through_the_fits(self):
        curve = aimc.load("taox-1t1r-128-nonlinear").device.iv
        assert isinstance(curve, Cubic)
        _, _, g, k = zip(*self.fits(), strict=True)
        slope, start = np.polyfit(g, k, 1)
        (k3, *_) = np.atleast_1d(curve.k3)
        assert start == pytest.approx(k3, abs=0.01)
        assert slope == pytest.approx(curve.k3_slope, rel=0.02)
        scatter = np.asarray(k) - (k3 + curve.k3_slope * np.asarray(g))
        assert np.sqrt(np.mean(scatter**2)) == pytest.approx(0.31, abs=0.01)

    def test_the_card_follows_each_branch(self):
        """To the scatter of k, at most 1 /V^2, times u^2, on what a cubic of its own leaves."""
        curve = aimc.load("taox-1t1r-128-nonlinear").device.iv
        assert curve is not None
        worst = []
        for v, i, g, _ in self.fits():
            worst.append(np.abs(curve.evaluate(g, v)[0] / i - 1).max())
        assert max(worst) < 0.11
        assert np.median(worst) < 0.03

    def test_a_table_of_a_branch_meets_its_points(self):
        for v, i in branches():
            below = v <= 0.3001
            v, i = v[below], np.where(v[below] == 0, 0.0, i[below])
            if v[0] != 0 or np.any(np.diff(i) <= 0):
                continue
            table = Tabulated((*-v[:0:-1], *v), (*-i[:0:-1], *i))
            ratio = table.evaluate(1.0, v[1:])[0] / i[1:]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)
