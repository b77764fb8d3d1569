"""Laws of what a converter is worth."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from aimc.converters import metrics
from aimc.converters.imperfections import ClockJitter, ComparatorNoise, ComparatorOffset
from aimc.converters.ramp import RampADC
from aimc.curves import Curve
from aimc.errors import ArgumentError
from aimc.parts.device import Device, WriteError

IDEAL = Device(g_max=150e-6, g_min=0.0)
REAL = Device(g_max=150e-6, g_min=1e-6, on_write=(WriteError(2.67e-6),))
FALLING = Curve("falling", lambda x: -np.tanh(x), -1.0, 1.0)


def ramp(curve="sigmoid", device=IDEAL, bits=5, seed=0, chips=None, **fields):
    adc = RampADC(bits=bits, ramp_cells=4096, **fields)
    return adc.program(curve, device, np.random.default_rng(seed), chips=chips)


@pytest.mark.parametrize(
    "curve", ["linear", "sigmoid", "tanh", FALLING], ids=lambda c: getattr(c, "name", c)
)
@pytest.mark.parametrize("bits", [2, 5, 8])
def test_an_ideal_converter_has_only_its_quantisation(curve, bits):
    made = ramp(curve, bits=bits)
    for fit in ("none", "end-point", "best"):
        for refer in ("output", "input"):
            np.testing.assert_allclose(metrics.inl(made, fit, refer), 0.0, atol=1e-9)
            np.testing.assert_allclose(metrics.dnl(made, fit, refer), 0.0, atol=1e-9)
    rms, mean = metrics.errors(made)
    assert rms == pytest.approx(1 / np.sqrt(12), rel=1e-6)
    assert mean == pytest.approx(0.0, abs=1e-9)
    assert metrics.missing_codes(made) == 0
    assert metrics.monotone(made)
    np.testing.assert_allclose(metrics.code_density(made), 0.0, atol=1 / 128)


@pytest.mark.parametrize(
    "curve", ["linear", "sigmoid", FALLING], ids=lambda c: getattr(c, "name", c)
)
@pytest.mark.parametrize("bits", [6, 8, 10])
def test_an_ideal_converter_has_its_bits(curve, bits):
    # noise LSB^2/12 under a sine of amplitude (2^n - 1)/2 LSB: SNDR = 1.76 dB + 6.02 n dB
    assert metrics.enob(ramp(curve, bits=bits)) == pytest.approx(bits, abs=0.06)


@pytest.mark.parametrize("refer", ["output", "input"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_fits_take_a_line_off(refer, seed):
    made = ramp(device=REAL, seed=seed)
    ends = metrics.inl(made, "end-point", refer)
    assert ends[[0, -1]] == pytest.approx([0.0, 0.0], abs=1e-12)
    best = metrics.inl(made, "best", refer)
    assert best.mean() == pytest.approx(0.0, abs=1e-10)
    squares = [np.sum(metrics.inl(made, fit, refer) ** 2) for fit in ("none", "end-point", "best")]
    assert squares[2] <= min(squares) + 1e-12


def test_output_and_input_agree_where_the_curve_is_a_line():
    made = ramp("linear", REAL)
    np.testing.assert_allclose(metrics.inl(made), metrics.inl(made, refer="input"), atol=1e-9)
    np.testing.assert_allclose(metrics.inl(made), made.inl())


@pytest.mark.parametrize("curve", ["sigmoid", FALLING], ids=lambda c: getattr(c, "name", c))
def test_rms_and_mean_are_those_of_dense_samples(curve):
    made = ramp(curve, REAL, seed=3)
    y = made.curve.lo + (made.curve.hi - made.curve.lo) * (np.arange(200_000) + 0.5) / 200_000
    error = (made(made.curve.solve(y)) - y) / made.lsb
    rms, mean = metrics.errors(made)
    assert rms == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-3)
    assert mean == pytest.approx(error.mean(), abs=1e-3)


def test_the_histogram_finds_the_widths_of_a_ramp_that_rises():
    made = ramp(device=REAL, seed=1)
    assert metrics.monotone(made)
    np.testing.assert_allclose(metrics.code_density(made, 4096), made.dnl(), atol=2 / 4096)


def test_a_ramp_that_turns_back_misses_codes():
    bad = Device(g_max=150e-6, g_min=0.0, on_write=(WriteError(40e-6),))
    chips = ramp(device=bad, chips=400, calibration="none")
    flat = metrics.missing_codes(chips)
    # A cell that is written as zero makes no step: the codes' interval is empty.
    empty = np.sum(metrics.code_density(chips, 64) == -1.0, axis=-1)
    assert flat.max() > 0
    assert np.all(empty >= flat)  # intervals below a sample's width count as empty too
    assert np.all(metrics.missing_codes(ramp(device=REAL, chips=400)) == 0)


def test_many_chips_are_measured_as_each_alone():
    chips = ramp(device=REAL, chips=5, calibration="none")
    for k in range(5):
        one = dataclasses.replace(
            chips, g_steps=chips.g_steps[k], g_bias=chips.g_bias[k], pulses=chips.pulses[k],
            dead=tuple(each[k] for each in chips.dead),
        )  # fmt: skip
        for measure in (metrics.inl, metrics.dnl, metrics.enob, metrics.code_density,
                        metrics.missing_codes, metrics.monotone):  # fmt: skip
            np.testing.assert_allclose(measure(chips)[k], measure(one), rtol=1e-12, atol=1e-12)
        for many, alone in zip(metrics.errors(chips), metrics.errors(one), strict=True):
            assert many[k] == pytest.approx(alone)
    with pytest.raises(ArgumentError, match=r"`dead` must have the shape of the cells, \(\d+,\)"):
        metrics.inl(dataclasses.replace(one, dead=chips.dead))  # pyright: ignore[reportPossiblyUnboundVariable]
    x = np.linspace(-4.0, 4.0, 501)
    np.testing.assert_array_equal(metrics.transfer(chips, x)[4], one(x))  # pyright: ignore[reportPossiblyUnboundVariable]
    assert 0.0 <= metrics.share_below(chips) <= 1.0
    assert metrics.share_below(chips, 1e-9) == 0.0


@pytest.mark.parametrize(
    "parts", [(ComparatorNoise(2e-3),), (ClockJitter(5e-12),)], ids=["decision", "steps"]
)
def test_transition_noise_is_the_spread_of_a_threshold(parts):
    """At a threshold's own voltage plus d the ramp has passed it with probability Phi(-d / s)."""
    made = ramp("linear", bits=3, imperfections=parts)
    sigma = metrics.transition_noise(made)[-1]
    rng = np.random.default_rng(1)
    for away in (-1.0, 0.0, 1.0):
        u = np.full((40_000, 1), made.decisions[-1] + away * sigma)
        above = np.mean(made.convert(u, rng) == 7)
        assert above == pytest.approx(ndtr(away), abs=0.012)


def test_noise_widens_the_histogram_only_with_chance():
    made = ramp(imperfections=(ComparatorNoise(5e-2), ComparatorOffset(1e-3)))
    made = made.shared_by(3, np.random.default_rng(0))
    assert np.abs(metrics.code_density(made)).max() < 1e-2
    noisy = metrics.code_density(made, rng=np.random.default_rng(0))
    assert np.abs(noisy).max() > 1e-2


def test_mistakes_say_what_must_hold():
    made = ramp()
    with pytest.raises(ArgumentError, match="`fit` must be none, end-point or best"):
        metrics.inl(made, "line")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`refer` must be output or input"):
        metrics.dnl(made, refer="x")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="no factor in common"):
        metrics.enob(made, points=4096, cycles=128)
    many = ramp(chips=3)
    with pytest.raises(ArgumentError, match="one chip"):
        many.convert(np.zeros(3))
    shared = ramp(imperfections=(ComparatorOffset(1e-3),)).shared_by(3, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="columns"):
        shared.convert(np.zeros((5, 2)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 9), rows=st.sampled_from([1, 7, 300]))
def test_codes_are_those_of_a_binary_search(seed, bits, rows):
    rng = np.random.default_rng(seed)
    made = ramp("tanh", Device(150e-6, 0.0, on_write=(WriteError(20e-6),)), bits, seed)
    levels = made.crossings
    near = rng.choice(levels, (rows, 4))
    u = rng.choice([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
    u[0] = [-np.inf, np.inf, 1e300, -0.0]
    np.testing.assert_array_equal(made.convert(u), np.searchsorted(levels, u, side="right"))


def test_noise_takes_effective_bits_only_where_it_is_drawn():
    made = ramp("linear", imperfections=(ComparatorNoise(20e-3),))
    still = ramp("linear")
    assert metrics.enob(made) == pytest.approx(metrics.enob(still))
    assert metrics.enob(made, rng=np.random.default_rng(0)) < metrics.enob(still) - 0.1
