"""What is not ideal in a converter: nothing at zero strength, its first-order size, its sign."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.stats import chi2, norm

import aimc
from aimc.converters import metrics
from aimc.converters.base import Site
from aimc.converters.imperfections import (
    BOLTZMANN,
    CapacitorMismatch,
    ChargeInjection,
    ClockJitter,
    ComparatorDelay,
    ComparatorHysteresis,
    ComparatorNoise,
    ComparatorOffset,
    FiniteGain,
    Leakage,
    RampReadNoise,
    ReadVoltageError,
    Settling,
    ThermalNoise,
)
from aimc.converters.ramp import RampADC
from aimc.converters.schedule import Schedule
from aimc.converters.waveform import Waveform
from aimc.errors import ArgumentError
from aimc.kernels.read.crossing import first_crossings
from aimc.macro import Condition
from aimc.parts.device import (
    Arrhenius,
    Device,
    Drift,
    ReadNoise,
    TemperatureCoefficient,
    WriteError,
)
from aimc.parts.ivcurve import Cubic

DEVICE = Device(150e-6, on_write=(WriteError(2.67e-6),))
SITE = Site(gain=0.5 / 6.87, v_read=0.2, c_array=5e-12, window=32e-9)
ZERO = (
    ComparatorOffset(0.0), ComparatorNoise(0.0), ComparatorDelay(0.0), ComparatorHysteresis(0.0),
    FiniteGain(1e15), Settling(0.0), CapacitorMismatch(0.0), ThermalNoise(0.0),
    ChargeInjection(0.0), Leakage(0.0), ClockJitter(0.0), ReadVoltageError(0.0), RampReadNoise(),
)  # fmt: skip
U = np.linspace(-0.3, 0.3, 4001)[:, None]


def ramp(*parts, device=DEVICE, seed=0, site=SITE, calibration: Any = "none", **fields):
    """Not calibrated: a calibration mends what the circuit does to all columns."""
    rng = np.random.default_rng(seed)
    adc = RampADC(imperfections=parts, calibration=calibration, **fields)
    made = adc.program("sigmoid", device, rng, site)
    return made.shared_by(1, rng)


def codes(converter, rng=None):
    return converter.convert(converter.columns.sampled(U), rng)


@pytest.mark.parametrize("part", ZERO, ids=lambda part: type(part).__name__)
def test_zero_strength_changes_no_code(part, rng):
    np.testing.assert_array_equal(codes(ramp(part), rng), codes(ramp()))


def test_an_offset_delays_the_flip_and_a_positive_charge_raises_the_code():
    shifted = ramp(ChargeInjection(1e-14)).convert(ramp(ChargeInjection(1e-14)).columns.sampled(U))
    wanted = ramp().convert(U + 1e-14 / SITE.c_array)
    np.testing.assert_array_equal(shifted, wanted)
    late = ramp(ComparatorOffset(5e-3))
    np.testing.assert_array_equal(late.convert(U), ramp().convert(U - late.offset))


def test_hysteresis_lowers_every_level_by_half_its_width():
    np.testing.assert_allclose(
        ramp(ComparatorHysteresis(0.01)).decisions, ramp().levels - 0.005, atol=1e-15
    )


@pytest.mark.parametrize("periods", [0.25, 1.0, 2.5])
def test_a_delay_shows_the_ramp_as_it_stood(periods):
    levels = ramp().levels
    late = ramp(ComparatorDelay(periods * 1e-9)).decisions
    wanted = np.interp(np.arange(31) - periods, np.arange(31), levels)
    np.testing.assert_allclose(late, wanted, atol=1e-15)


def test_a_delay_within_the_rest_sees_the_ramp_stand_still():
    def late(delay):
        adc = RampADC(calibration="none", imperfections=(ComparatorDelay(delay),), t_rest=0.5e-9)
        return adc.program("sigmoid", DEVICE, np.random.default_rng(0), SITE).decisions

    np.testing.assert_array_equal(late(0.4e-9), late(0.0))
    np.testing.assert_allclose(late(1.0e-9)[1:], (late(0.0)[1:] + late(0.0)[:-1]) / 2)
    np.testing.assert_allclose(late(1.7e-9)[1:], late(0.0)[:-1])


def test_jitter_of_the_edge_at_which_the_ramp_starts_is_in_every_level(rng):
    """By pulses: every bias cell's charge with the one edge that they share, every step's own."""
    made = ramp(ClockJitter(5e-12))
    volts = SITE.v_read / made.c_fb
    d = 5e-12 * rng.standard_normal((20000, 31))
    bias = np.sign(made.pulses[:, 0]) * made.g_bias
    charges = np.concatenate(([bias.sum()], made.g_steps))
    spread = np.cumsum(charges * d * volts, axis=1).std(axis=0)
    np.testing.assert_allclose(metrics.transition_noise(made), spread, rtol=0.03)


def test_a_delay_of_one_period_is_one_code():
    late, prompt = codes(ramp(ComparatorDelay(1e-9))), codes(ramp())
    inside = (prompt > 0) & (prompt < 30)
    np.testing.assert_array_equal(late[inside], prompt[inside] + 1)


def test_capacitors_scale_the_column_and_not_the_ramp(rng):
    made = RampADC(imperfections=(CapacitorMismatch(0.01),)).program("sigmoid", DEVICE, rng, SITE)
    ratio = made.shared_by(20000, rng).columns.ratio
    assert np.std(1 / ratio) == pytest.approx(0.01, rel=0.03)
    np.testing.assert_array_equal(made.levels, made.decisions)


def test_a_held_voltage_droops_by_current_times_time_over_capacitance():
    moved = ramp(Leakage(1e-9)).decisions - ramp().decisions
    np.testing.assert_allclose(moved, 1e-9 * np.arange(31) * 1e-9 / SITE.c_array, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    gain=st.floats(5, 1e7) | st.just(math.inf), tau=st.floats(1e-11, 5e-9) | st.just(0.0),
    rest=st.floats(1e-12, 2e-9) | st.just(0.0), seed=st.integers(0, 99),
)  # fmt: skip
def test_the_waveform_is_the_differential_equation(gain, tau, rest, seed):
    rng = np.random.default_rng(seed)
    start, steps = -rng.uniform(0, 3e-5, 2), rng.uniform(0, 3e-5, 4)
    total, c, t = 2e-3, 6e-13, 1e-9
    found = Waveform(Schedule(t, rest), gain, tau).levels(start, steps, np.array(total), c)

    def law(time, state, i):
        v, y = state
        leak = 0.0 if math.isinf(gain) else total * v / gain
        dv = (i - leak) / (c * (1 + 1 / gain))
        return [dv, (v - y) / tau if tau else dv]

    state, levels = [0.0, 0.0], []
    for i, length in [(x, t) for x in start] + [(0, rest)]:
        if length:
            state = solve_ivp(law, (0, length), state, args=(i,), rtol=1e-9, atol=1e-14).y[:, -1]
    levels.append(state[1])
    for i in steps:
        for drive, length in ((i, t), (0, rest)):
            if length:
                state = solve_ivp(law, (0, length), state, args=(drive,), rtol=1e-9, atol=1e-14).y[
                    :, -1
                ]
        levels.append(state[1])
    np.testing.assert_allclose(found, levels, atol=1e-7)


def test_settling_lags_by_tau_times_the_slope():
    lag = ramp().levels - ramp(Settling(0.05e-9)).levels
    slope = np.diff(ramp().levels) / 1e-9
    np.testing.assert_allclose(lag[1:], 0.05e-9 * slope, rtol=1e-6)


def test_finite_gain_is_a_gain_error_of_one_over_a():
    column, made = ramp(FiniteGain(1e3)), ramp(FiniteGain(1e3), site=Site(1.0, idle_on=False))
    assert column.columns.ratio == pytest.approx(1 / 1.001)
    plain = ramp(site=Site(1.0, idle_on=False))
    np.testing.assert_allclose(made.levels, plain.levels / 1.001, rtol=1e-9)


def test_thermal_noise_is_kt_over_c_and_what_the_conductances_make(rng):
    made = ramp(ThermalNoise(300.0))
    kt = BOLTZMANN * 300
    assert made.noise.sample == pytest.approx(math.sqrt(kt / SITE.c_array))
    total = made.g_steps.sum() + made.g_bias.sum()
    step = math.sqrt(2 * kt * total * 1e-9) / made.c_fb
    np.testing.assert_allclose(made.noise.steps, step, rtol=1e-9)
    quiet = ramp(ThermalNoise(300.0), site=Site(SITE.gain, idle_on=False))
    assert np.all(quiet.noise.steps == 0)


def test_jitter_and_read_noise_change_steps_by_their_share():
    made = ramp(ClockJitter(1e-11))
    np.testing.assert_allclose(made.noise.steps, 0.01 * np.diff(made.levels), rtol=1e-9)
    noisy = Device(150e-6, on_read=(ReadNoise(0.5e-6),))
    made = ramp(RampReadNoise(), device=noisy)
    np.testing.assert_allclose(made.noise.steps, 0.5e-6 / made.scale * made.gain, rtol=1e-9)


def test_columns_share_the_noise_of_a_ramp_and_not_that_of_their_comparators(rng):
    for part, shared in ((ClockJitter(5e-11), True), (ComparatorNoise(5e-3), False)):
        made = ramp(part)
        u = np.full((4000, 2), float(made.levels[20:22].mean()))
        code = made.convert(u, rng).astype(float)
        correlation = np.corrcoef(code.T)[0, 1]
        assert correlation == pytest.approx(1.0) if shared else abs(correlation) < 0.1


@pytest.mark.parametrize("turn", [False, True])
def test_first_crossing_of_noisy_decisions_has_the_distribution_of_independent_ones(turn, rng):
    """P(code > k) is the product of Phi((u - L) / sigma) over the first k + 1 levels."""
    levels = np.array([-1.0, -0.4, 0.3, 0.1, 0.9]) if turn else np.linspace(-1, 1, 5)
    u, sigma, count = 0.2, 0.5, 200_000
    code = np.empty((count, 1), np.int64)
    first_crossings(
        np.full((count, 1), u), np.zeros(1), levels[None], sigma, rng.random((count, 1)), code
    )
    passed = np.concatenate(([1.0], np.cumprod(norm.cdf((u - levels) / sigma)), [0.0]))
    wanted = -np.diff(passed) * count
    seen = np.bincount(code[:, 0], minlength=6)
    assert ((seen - wanted) ** 2 / wanted).sum() < chi2.ppf(1 - 1e-6, 5)


def test_read_voltage_cancels_between_array_and_ramp_unless_cells_are_nonlinear(rng):
    card = aimc.load("ideal-5bit").replace(rows=16, cols=8)
    x = rng.uniform(-1, 1, (50, 16))
    for iv, same in ((None, True), (Cubic(k3=(2.0,)), False)):
        hardware = card.replace(iv=iv)
        macro = hardware.program(rng.normal(0, 0.5, (16, 8)), rng, "sigmoid")
        moved = macro.under(Condition(v_read=1.25 * hardware.driver.v_read))
        assert np.any(moved.trace(x).u != macro.trace(x).u)
        if same:
            np.testing.assert_array_equal(moved.trace(x).code, macro.trace(x).code)
        else:
            np.testing.assert_allclose(moved.trace(x).y, macro.trace(x).y, atol=3 * macro.lsb)
        np.testing.assert_array_equal(moved.under(Condition()).trace(x).u, macro.trace(x).u)


def test_temperature_cancels_where_all_cells_follow_it_alike(rng):
    card = aimc.load("ideal-5bit").replace(rows=16, cols=8)
    x = rng.uniform(-1, 1, (50, 16))
    common = card.replace(temperature=TemperatureCoefficient(-1e-3, -1e-3))
    macro = common.program(rng.normal(0, 0.5, (16, 8)), rng, "sigmoid")
    warm = macro.under(Condition(temperature=360.0))
    np.testing.assert_allclose(warm.crossbar.g, macro.crossbar.g * 0.94, rtol=1e-12)
    np.testing.assert_array_equal(warm.trace(x).code, macro.trace(x).code)


def test_a_chip_keeps_its_own_read_voltage_whatever_it_is_under(rng):
    card = aimc.load("taox-1t1r-128-aged").replace(
        rows=8, cols=4, imperfections=(ReadVoltageError(0.05),)
    )
    card = card.replace(temperature=TemperatureCoefficient(-1e-3, -1e-3))
    chip = card.program(rng.normal(0, 0.5, (8, 4)), rng, "sigmoid")
    assert chip.supply != 1.0
    warm = chip.under(replace(chip.condition, temperature=350.0))
    changed = (warm.under(replace(warm.condition, age=1e4)), warm.recalibrated(rng),
               warm.under(replace(warm.condition, bits=3)))  # fmt: skip
    for other in changed:
        assert other.supply == chip.supply == other.ramps[0][1].supply
        cold = other.under(replace(other.condition, temperature=None))
        np.testing.assert_allclose(other.crossbar.g, 0.95 * cold.crossbar.g, rtol=1e-12)
        assert cold.ramps[0][1].bits == other.ramps[0][1].bits
    assert changed[-1].ramps[0][1].bits == 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ComparatorOffset(-1), "std"), (lambda: FiniteGain(1.0), "gain"),
        (lambda: Settling(float("nan")), "tau"), (lambda: CapacitorMismatch(2.0), "std"),
        (lambda: Site(gain=0), "gain"),
        (lambda: RampADC(imperfections=(3,)), "imperfections"),  # pyright: ignore[reportArgumentType]
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(ArgumentError, match=says):
        make()


def test_what_is_converted_is_numbers():
    with pytest.raises(ArgumentError, match="`u` must be real numbers"):
        ramp().convert("a")


def test_warm_storage_is_a_longer_time():
    """Twice the temperature's share of the barrier, by Arrhenius' law written apart."""
    barrier = 1.1 * 1.602176634e-19
    aged = Device(150e-6, on_age=(Drift(0.05),), retention=Arrhenius(barrier))
    card = aimc.load("ideal-5bit").replace(device=aged, rows=8, cols=4)
    macro = card.program(np.eye(8, 4), np.random.default_rng(0), "tanh")
    warm = macro.under(Condition(1e3, stored_at=358.0), np.random.default_rng(1))
    longer = 1e3 * math.exp(barrier / 1.380649e-23 * (1 / 300 - 1 / 358))
    assert longer > 1e5
    cold = macro.under(Condition(longer), np.random.default_rng(1))
    np.testing.assert_allclose(warm.crossbar.g, cold.crossbar.g, rtol=1e-9)
    assert aged.equivalent_age(Condition(1e3, stored_at=300.0)) == pytest.approx(1e3)
    with pytest.raises(ArgumentError, match="device without retention"):
        aimc.load("ideal-5bit").program(np.eye(2), np.random.default_rng(0)).under(
            Condition(1.0, stored_at=350.0)
        )
