"""Laws of drivers and integrators: every driver inherits the contract."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aimc.curves import curve, linear
from aimc.errors import ArgumentError
from aimc.parts.driver import PulseDriver, VoltageDriver
from aimc.parts.sense import Integrator

BITS = st.integers(1, 16)
ANY = hnp.arrays(np.float64, (5,), elements=st.floats(allow_nan=False, allow_infinity=False))
NEAR = hnp.arrays(np.float64, (5,), elements=st.floats(-1.5, 1.5))
# A law that several classes inherit is run by several classes.
inherited = settings(suppress_health_check=[HealthCheck.differing_executors])


class DriverContract:
    """What holds for every driver. `kind` is the class."""

    kind: type

    @inherited
    @given(x=ANY | NEAR, bits=BITS)
    def test_rows_carry_whole_numbers_of_2_to_the_minus_bits(self, x, bits):
        driver = self.kind(0.2, bits)
        n = driver.quantise(x) * 2**bits
        np.testing.assert_array_equal(n, np.rint(n))
        assert np.abs(n).max() <= 2**bits - 1

    @inherited
    @given(x=NEAR, bits=BITS)
    def test_rounding_errs_at_most_half_a_step_within_the_range(self, x, bits):
        driver = self.kind(0.2, bits)
        x = np.clip(x, -driver.x_max, driver.x_max)
        assert np.abs(driver.quantise(x) - x).max() <= 0.5 * 2.0**-bits

    @inherited
    @given(x=ANY | NEAR, bits=BITS | st.none())
    def test_quantising_twice_is_quantising_once(self, x, bits):
        driver = self.kind(0.2, bits)
        once = driver.quantise(x)
        np.testing.assert_array_equal(driver.quantise(once), once)

    @inherited
    @given(x=ANY | NEAR, bits=BITS | st.none())
    def test_quantising_is_odd_and_never_falls(self, x, bits):
        driver = self.kind(0.2, bits)
        np.testing.assert_array_equal(driver.quantise(-x), -driver.quantise(x))
        assert np.all(np.diff(driver.quantise(np.sort(x))) >= 0)

    @inherited
    @given(x=NEAR)
    def test_without_bits_activations_are_only_clipped(self, x):
        driver = self.kind(0.2)
        assert driver.x_max == 1.0
        np.testing.assert_array_equal(driver.quantise(x), np.clip(x, -1, 1))

    @pytest.mark.parametrize("bits", range(1, 13))
    @pytest.mark.parametrize("function", ["tanh", "linear"])
    def test_a_signed_converter_s_outputs_are_carried_exactly(self, function, bits):
        outputs = curve(function).outputs(bits)
        k = 2 * np.arange(2**bits) + 1 - 2**bits
        np.testing.assert_array_equal(outputs, k / 2**bits)
        np.testing.assert_array_equal(self.kind(0.2, bits).quantise(outputs), outputs)

    @pytest.mark.parametrize("bits", range(1, 13))
    def test_a_sigmoid_s_outputs_need_one_bit_more(self, bits):
        """(k + 1/2) 2^-b lies halfway between the rows' steps of b bits."""
        outputs = curve("sigmoid").outputs(bits)
        np.testing.assert_array_equal(self.kind(0.2, bits + 1).quantise(outputs), outputs)
        error = np.abs(self.kind(0.2, bits).quantise(outputs) - outputs)
        np.testing.assert_array_equal(error, 0.5 * 2.0**-bits)

    @inherited
    @given(x=NEAR, bits=BITS | st.none(), v_read=st.floats(1e-3, 1))
    def test_the_mean_voltage_is_v_read_times_the_activation(self, x, bits, v_read):
        driver = self.kind(v_read, bits)
        before = x.copy()
        np.testing.assert_array_equal(driver.drive(x), v_read * driver.quantise(x))
        np.testing.assert_array_equal(x, before)

    @pytest.mark.parametrize(
        "fields",
        [
            {"v_read": 0.0},
            {"v_read": -0.2},
            {"v_read": "0.2 V"},
            {"bits": 0},
            {"bits": 17},
            {"bits": 5.0},
        ],
    )
    def test_bad_fields_are_refused(self, fields):
        with pytest.raises(ArgumentError, match=f"`{next(iter(fields))}` must"):
            self.kind(**{"v_read": 0.2, **fields})


class TestPulseDriver(DriverContract):
    kind = PulseDriver

    @pytest.mark.parametrize(("bits", "window"), [(5, 32e-9), (1, 2e-9), (None, 1e-9)])
    def test_the_window_holds_2_to_the_bits_periods(self, bits, window):
        assert PulseDriver(0.2, bits, t_step=1e-9).window == pytest.approx(window, rel=1e-12)

    @given(x=NEAR, bits=BITS)
    def test_the_mean_voltage_is_the_pulse_s_area_over_the_window(self, x, bits):
        driver = PulseDriver(0.2, bits, t_step=1e-9)
        periods = np.rint(np.abs(np.clip(x, -driver.x_max, driver.x_max)) * 2**bits)
        area = np.sign(x) * driver.v_read * periods * driver.t_step
        np.testing.assert_allclose(driver.drive(x) * driver.window, area, rtol=1e-12, atol=0)

    def test_a_period_must_last(self):
        with pytest.raises(ArgumentError, match="`t_step` must be greater than 0"):
            PulseDriver(0.2, 5, t_step=0.0)


class TestVoltageDriver(DriverContract):
    kind = VoltageDriver

    def test_the_window_is_the_integration_time(self):
        assert VoltageDriver(0.2, 5, t_int=3e-7).window == 3e-7

    def test_the_integration_must_last(self):
        with pytest.raises(ArgumentError, match="`t_int` must be greater than 0"):
            VoltageDriver(0.2, 5, t_int=0.0)


def test_a_wide_linear_converter_s_outputs_saturate():
    outputs = linear(-4, 4).outputs(5)
    driver = PulseDriver(0.2, 5)
    np.testing.assert_array_equal(
        driver.quantise(outputs[np.abs(outputs) > 1]),
        driver.x_max * np.sign(outputs[np.abs(outputs) > 1]),
    )


@given(i=hnp.arrays(np.float64, (4, 3), elements=st.integers(-999, 999)), k=st.floats(0.1, 10))
def test_an_integrator_turns_charge_into_voltage(i, k):
    """u = i T / C: 1 uA for 1 us on 1 pF is 1 V; twice the capacitor is half the voltage."""
    sense = Integrator()
    assert sense.integrate(np.array(1e-6), 1e-6, 1e-12) == pytest.approx(1.0, rel=1e-12)
    u = sense.integrate(i * 1e-6, 32e-9, 1e-12)
    assert u.shape == i.shape
    np.testing.assert_allclose(u, i * 1e-6 * 32e-9 / 1e-12, rtol=1e-12)
    np.testing.assert_allclose(sense.integrate(i * 1e-6, k * 32e-9, k * 1e-12), u, rtol=1e-12)


@pytest.mark.parametrize("fields", [{"swing": 0.0}, {"c_fb": 0.0}, {"c_fb": -1e-12}])
def test_bad_integrators_are_refused(fields):
    with pytest.raises(ArgumentError, match=f"`{next(iter(fields))}` must be greater than 0"):
        Integrator(**fields)
