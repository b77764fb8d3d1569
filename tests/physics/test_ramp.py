"""Laws of the ramp converter."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimc.converters.imperfections import Columns
from aimc.converters.ramp import ProgrammedRamp, RampADC
from aimc.curves import Curve, curve, linear
from aimc.errors import ArgumentError
from aimc.macro import Condition
from aimc.parts.device import Device, Drift, StuckAt, WriteError

IDEAL = Device(g_max=150e-6)
NAMES = ("linear", "sigmoid", "tanh")


def ramp(name, bits=5, device=IDEAL, seed=0, **fields) -> ProgrammedRamp:
    return RampADC(bits, **fields).program(name, device, np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_an_ideal_ramp_errs_at_most_half_an_lsb_in_its_range(name, bits):
    programmed = ramp(name, bits)
    c = curve(name)
    x = np.linspace(-8, 8, 20001)
    x = x[(c.f(x) >= c.lo) & (c.f(x) <= c.hi)]
    error = programmed.decode(programmed.convert(x)) - c.f(x)
    assert np.abs(error).max() <= 0.5 * programmed.lsb * (1 + 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_ideal_levels_are_the_inverse_curve_at_the_code_edges(name):
    programmed = ramp(name)
    np.testing.assert_allclose(programmed.levels, curve(name).thresholds(5), atol=1e-12)
    np.testing.assert_allclose(programmed.inl(), 0, atol=1e-9)
    np.testing.assert_allclose(programmed.dnl(), 0, atol=1e-9)


def test_sigmoid_steps_are_proportional_to_threshold_differences_with_the_largest_at_g_max():
    programmed = ramp("sigmoid")
    k = np.arange(1, 32)
    steps = np.diff(np.log(k / (32 - k)))
    np.testing.assert_allclose(programmed.g_steps, 150e-6 * steps / steps.max(), rtol=1e-12)
    assert -(programmed.pulses[:, 0] * programmed.g_bias).sum() == pytest.approx(
        programmed.g_steps.sum() / 2, rel=1e-12
    )


def test_tanh_needs_the_same_cells_as_sigmoid():
    np.testing.assert_allclose(ramp("tanh").g_steps, ramp("sigmoid").g_steps, rtol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    g=st.lists(st.floats(0, 150e-6), min_size=30, max_size=30),
    u=st.lists(st.floats(-6, 6), min_size=1, max_size=20),
)
def test_a_code_is_the_number_of_steps_before_the_first_that_exceeds_u(g, u):
    programmed = dataclasses.replace(ramp("sigmoid"), g_steps=np.array(g))
    for value, code in zip(u, programmed.convert(np.array(u)), strict=True):
        above = np.flatnonzero(programmed.levels > value)
        assert code == (above[0] if above.size else 31)


def test_first_crossing_is_not_the_nearest_level_on_a_ramp_that_turns_back():
    programmed = ramp("linear", 2)
    vars(programmed)["decisions"] = np.array([0.0, 2.0, 1.0])
    assert programmed.convert(np.array([1.5])) == 1
    assert programmed.convert(np.array([2.5])) == 3


def test_codes_rise_with_u_and_keep_their_shape():
    programmed = ramp("sigmoid", device=Device(150e-6, 0.0, (WriteError(5e-6),)))
    u = np.linspace(-5, 5, 1000).reshape(50, 20)
    code = programmed.convert(u)
    assert code.shape == u.shape
    assert np.all(np.diff(code.ravel()) >= 0)


def test_a_falling_curve_decodes_from_its_high_end():
    falling = Curve("1 - sigmoid", lambda x: 1 / (1 + np.exp(x)), 0.0, 1.0)
    programmed = ramp(falling)
    x = np.linspace(-3.4, 3.4, 400)
    error = programmed.decode(programmed.convert(x)) - falling.f(x)
    assert np.abs(error).max() <= 0.5 * programmed.lsb + 1e-9


def test_a_curve_without_inverse_is_inverted_by_root_finding():
    softplus = Curve("softplus", lambda x: np.logaddexp(0, x), 0.0, 4.0)
    known = np.log(np.expm1(softplus.edges(5)))
    np.testing.assert_allclose(softplus.thresholds(5), known, atol=1e-9)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (Curve("sine", np.sin, -1.5, 1.0), "sine has no finite x"),
        (Curve("bump", lambda x: np.sin(3 * x) + x / 2, -4.0, 4.0), "monotonic"),
        (Curve("wrong", np.tanh, -1.0, 1.0, lambda y: y), "undo f"),
        (Curve("jagged", np.tanh, -1.0, 1.0, lambda y: -np.arctanh(y) * np.sign(y)), "monotonic"),
        (Curve("scalar", math.atan, -1.0, 1.0), "take and give an array"),
        (Curve("constant", lambda x: 0.5, 0.0, 1.0), "give shape"),
        ("relu", "be one of linear, sigmoid, tanh"),
    ],
)
def test_a_curve_that_cannot_be_inverted_is_refused(bad, says):
    with pytest.raises(ArgumentError, match=says):
        ramp(bad)


@pytest.mark.parametrize(("calibration", "expected"), [("none", 0.555), ("one-point", 0.362)])
def test_mean_worst_inl_of_many_chips(calibration, expected):
    """Independent Monte Carlo of the same circuit, 30 ramp and 5 bias cells, sigma 2.67 uS."""
    device = Device(150e-6, 0.0, (WriteError(2.67e-6),))
    rng = np.random.default_rng(1)
    adc = RampADC(5, calibration=calibration)
    worst = [np.abs(adc.program("sigmoid", device, rng).inl()).max() for _ in range(1500)]
    assert np.mean(worst) == pytest.approx(expected, rel=0.05)


def test_the_trim_leaves_only_its_own_write_error_at_mid_code():
    sigma = 2.67e-6
    device = Device(150e-6, 0.0, (WriteError(sigma),))
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(800):
        programmed = RampADC().program("sigmoid", device, rng)
        errors.append(programmed.thresholds[15] * programmed.scale)
    assert np.std(errors) == pytest.approx(sigma, rel=0.1)
    assert abs(np.mean(errors)) < 3 * sigma / np.sqrt(800)


def test_a_stuck_cell_stays_stuck_when_the_bias_is_trimmed():
    device = Device(150e-6, 0.0, (StuckAt(1.0, 0.0),))
    programmed = ramp("sigmoid", device=device)
    assert not programmed.g_bias.any()
    assert not programmed.g_steps.any()


def test_steps_below_the_range_are_lifted_by_sharing_the_large_ones():
    device = Device(150e-6, 10e-6)
    programmed = ramp("sigmoid", 8, device, ramp_cells=2000)
    assert programmed.g_steps.min() >= 10e-6 * (1 - 1e-9)
    assert programmed.g_steps.size > 254
    np.testing.assert_allclose(programmed.inl(), 0, atol=1e-6)
    with pytest.raises(ArgumentError, match="programmable with 256 ramp cells"):
        ramp("sigmoid", 8, device)


def test_a_common_drift_scales_every_level_and_no_threshold():
    """The array that the thresholds belong to drifts as the ramp does."""
    device = Device(150e-6, 0.0, on_age=(Drift(nu=0.05),))
    programmed = ramp("tanh", device=device)
    aged = programmed.under(Condition(100.0), np.random.default_rng(0))
    np.testing.assert_allclose(aged.levels, programmed.levels * 100.0**-0.05, atol=1e-12)
    np.testing.assert_allclose(aged.thresholds, programmed.thresholds, atol=1e-12)
    x = np.linspace(-3, 3, 201)
    np.testing.assert_array_equal(aged(x), programmed(x))


def test_age_counts_from_programming_however_often_it_is_asked_for():
    device = Device(150e-6, on_age=(Drift(nu=0.05, nu_std=0.01),))
    new = ramp("tanh", device=device)
    at = [new.under(Condition(t), np.random.default_rng(0)) for t in (1e3, 1e6)]
    again = at[0].under(Condition(1e6))
    np.testing.assert_array_equal(again.g_steps, at[1].g_steps)
    np.testing.assert_array_equal(again.g_bias, at[1].g_bias)
    np.testing.assert_array_equal(at[1].under(Condition()).levels, new.levels)


def test_a_cell_that_is_written_later_is_younger():
    device = Device(150e-6, on_age=(Drift(nu=0.05),))
    old = ramp("tanh", device=device).under(Condition(1e6), np.random.default_rng(0))
    mended = old.recalibrated(np.random.default_rng(1), "closed-loop")
    later = mended.under(Condition(3e6), np.random.default_rng(2))
    np.testing.assert_allclose(later.g_steps, mended.g_steps * 2e6**-0.05, rtol=1e-9)
    np.testing.assert_allclose(later.g_bias, old.g_bias * 3.0**-0.05, rtol=1e-9)


def test_an_offset_moves_u_by_itself_and_only_in_its_column():
    programmed = dataclasses.replace(ramp("linear"), columns=Columns(offset=np.array([0.0, 0.25])))
    u = np.array([[0.1, 0.1]])
    shifted = ramp("linear").convert(u - np.array([[0.0, 0.25]]))
    np.testing.assert_array_equal(programmed.convert(u), shifted)


@pytest.mark.parametrize("code", [[-1], [32], [1.5]])
def test_decode_refuses_what_is_no_code(code):
    with pytest.raises(ArgumentError, match="`code` must"):
        ramp("linear").decode(code)


def test_linear_takes_its_range():
    wide = ramp(linear(-4, 4), 6)
    assert wide.lsb == 8 / 64
    assert wide.outputs[0] == -4 + wide.lsb / 2


@pytest.mark.parametrize(
    "fields", [{"bits": 0}, {"bits": 2.5}, {"t_step": 0}, {"imperfections": 3}]
)
def test_bad_fields_are_refused(fields):
    with pytest.raises(ArgumentError, match=next(iter(fields))):
        RampADC(**fields)


def test_what_is_no_voltage_has_no_code():
    with pytest.raises(ArgumentError, match="`u` must be a number, but holds NaN"):
        ramp("linear").convert(np.array([0.0, np.nan]))


def test_a_curve_is_made_of_functions():
    with pytest.raises(ArgumentError, match="`f` must be a function"):
        Curve("three", 3, -1.0, 1.0)  # pyright: ignore[reportArgumentType]
