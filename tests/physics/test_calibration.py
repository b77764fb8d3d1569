"""Laws of calibration: what each method leaves, what it cannot reach, what it reports."""

import dataclasses

import numpy as np
import pytest

import aimc
from aimc.converters.imperfections import ComparatorDelay, FiniteGain, Settling
from aimc.converters.ramp import ProgrammedRamp, RampADC
from aimc.errors import ArgumentError
from aimc.macro import Condition
from aimc.parts.device import Device, Drift, ReadNoise, StuckAt, WriteError
from aimc.parts.ivcurve import Cubic
from aimc.parts.wires import Wires

SIGMA = 2.67e-6
DEVICE = Device(150e-6, on_write=(WriteError(SIGMA),))
STUCK = Device(150e-6, on_write=(WriteError(SIGMA), StuckAt(0.03)))
CHIPS = 4000


def worst(method, device=DEVICE, curve="sigmoid", **fields):
    adc = RampADC(calibration=method, **fields)
    ramps = adc.program(curve, device, np.random.default_rng(1), chips=CHIPS)
    return np.abs(ramps.inl()).max(axis=-1)


@pytest.mark.parametrize("curve", ["sigmoid", "tanh", "linear"])
def test_multi_point_at_least_halves_the_worst_inl(curve):
    assert worst("multi-point", curve=curve).mean() < 0.5 * worst("none", curve=curve).mean()


def test_multi_point_keeps_99_of_100_chips_below_an_lsb_with_three_per_cent_stuck():
    assert np.mean(worst("multi-point", STUCK) < 1.0) >= 0.99


def test_closed_loop_leaves_the_error_of_one_cell_where_open_loop_adds_them_up():
    rng = np.random.default_rng(0)
    ramps = RampADC(calibration="closed-loop").program("sigmoid", DEVICE, rng, chips=CHIPS)
    error = (ramps.thresholds - ramps.goal) * ramps.scale
    # The last cell is full already and cannot give more.
    np.testing.assert_allclose(error[:, 5:-1].std(axis=0), SIGMA, rtol=0.1)


def test_a_perfect_device_needs_no_pulses_along_the_ramp():
    ramp = RampADC(calibration="multi-point").program(
        "sigmoid", Device(150e-6), np.random.default_rng(0)
    )
    assert np.abs(ramp.inl()).max() < 0.05
    assert np.count_nonzero(ramp.pulses[:, 1:]) <= 5


@pytest.mark.parametrize("method", ["one-point", "multi-point", "closed-loop"])
def test_a_report_says_what_was_achieved_and_what_it_cost(method):
    rng = np.random.default_rng(0)
    ramps = RampADC(calibration=method).program("sigmoid", DEVICE, rng, chips=500)
    report = ramps.report
    assert report is not None
    np.testing.assert_allclose(report.after, np.abs(ramps.inl()).max(axis=-1))
    assert report.after.mean() < report.before.mean()
    assert report.reads >= 16 * ramps.cells
    assert (report.memory > 0) == (method == "multi-point")
    assert (report.writes.sum() == 0) == (method == "multi-point")
    assert method in str(report)


def test_calibrating_again_mends_what_age_has_spread():
    device = Device(150e-6, on_age=(Drift(0.05, 0.02),))
    rng = np.random.default_rng(0)
    ramps = RampADC(calibration="multi-point").program("sigmoid", device, rng, chips=500)
    aged = ramps.under(Condition(1e6), rng)
    again = aged.recalibrated(rng)
    assert np.abs(again.inl()).max(-1).mean() < 0.5 * np.abs(aged.inl()).max(-1).mean()


def test_read_noise_limits_what_can_be_measured():
    noisy = Device(150e-6, on_write=(WriteError(SIGMA),), on_read=(ReadNoise(20e-6),))
    assert worst("multi-point", noisy).mean() > 2 * worst("multi-point").mean()


def test_spares_stand_in_for_stuck_cells_as_far_as_they_go():
    stuck = Device(150e-6, on_write=(StuckAt(0.03),))
    shares = [np.mean(worst("none", stuck, spare_cells=n, bias_cells=8) > 0.5) for n in (0, 1, 4)]
    assert shares[0] > shares[1] > shares[2]


def test_one_seed_is_one_chip_whatever_else_is_programmed():
    one = RampADC().program("sigmoid", DEVICE, np.random.default_rng(3), chips=1)
    alone = RampADC().program("sigmoid", DEVICE, np.random.default_rng(3))
    np.testing.assert_array_equal(one.levels[0], alone.levels)


def test_fewer_bits_stand_at_every_other_level_of_the_same_column():
    ramp = RampADC(6).program("sigmoid", DEVICE, np.random.default_rng(0))
    coarse = ramp.under(Condition(bits=5))
    np.testing.assert_allclose(coarse.levels, ramp.levels[1::2], rtol=1e-12)
    assert coarse.periods == 32
    assert coarse.outputs.size == 32
    x = np.linspace(-3, 3, 500)
    assert np.abs(coarse(x) - ramp.curve.f(x)).max() < 2 * coarse.lsb
    with pytest.raises(ArgumentError, match="bits"):
        ramp.under(Condition(bits=7))


def test_wires_make_the_far_cells_steps_smaller():
    device, rng = Device(150e-6), np.random.default_rng(0)
    ideal = RampADC(calibration="none").program("linear", device, rng)
    wired = RampADC(calibration="none", wires=Wires(5.0, 5.0, 50.0, 10.0)).program(
        "linear", device, rng
    )
    assert np.all(wired.pulsed[0] < ideal.pulsed[0])
    # With all other rows at 0 V a cell nearer to the sense end loses less in the column.
    assert np.all(np.diff(wired.pulsed[0]) > 0)


def test_a_design_says_what_cannot_be_programmed_and_what_can():
    fine = RampADC(5).design("sigmoid", DEVICE)
    assert fine.fits
    assert fine.resolved
    assert not fine.proposals()
    for bits, curve in ((8, "sigmoid"), (5, "softsign")):
        design = RampADC(bits).design(curve, DEVICE)
        assert not design.resolved
        assert "bits" in design.proposals()[0]
        assert "not resolved" in str(design)


@pytest.mark.parametrize("method", ["one-point", "multi-point", "closed-loop"])
@pytest.mark.parametrize("bits", [1, 2])
def test_the_smallest_ramps_are_calibrated(method, bits):
    ramp = RampADC(bits, calibration=method).program("tanh", DEVICE, np.random.default_rng(0))
    assert np.abs(ramp.inl()).max() < 0.5


@pytest.mark.parametrize("method", ["one-point", "multi-point", "closed-loop"])
@pytest.mark.parametrize("first", ["one-point", "multi-point"])
def test_any_method_follows_any_other_and_at_fewer_bits(first, method):
    ramps = RampADC(calibration=first).program("sigmoid", DEVICE, np.random.default_rng(0), chips=9)
    again = ramps.under(Condition(bits=3)).recalibrated(np.random.default_rng(1), method)
    assert again.bits == 3
    assert np.abs(again.inl()).max() < 0.5
    middle = (again.programmed[:, 3] - again.goal[15]) * again.scale
    assert np.abs(middle).max() < 6 * SIGMA


def test_nonlinear_cells_are_corrected_by_what_they_carry():
    rng = np.random.default_rng(0)
    bent = Device(150e-6, on_write=(WriteError(SIGMA),), iv=Cubic(k3=(5.0,)))
    ramps = RampADC(calibration="multi-point").program("sigmoid", bent, rng, chips=500)
    plain = RampADC(calibration="multi-point").program(
        "sigmoid", DEVICE, np.random.default_rng(0), chips=500
    )
    np.testing.assert_allclose(ramps.programmed, plain.programmed, atol=1e-9)


@pytest.mark.parametrize("method", ["one-point", "multi-point", "closed-loop"])
def test_calibrating_after_a_common_drift_has_nothing_to_mend(method):
    """Array and ramp have faded alike, so that a ramp brought back to its first levels would
    be wrong."""
    device = Device(150e-6, on_age=(Drift(0.05),))
    hardware = aimc.load("ideal-5bit").replace(device=device, rows=16, cols=8, calibration=method)
    rng = np.random.default_rng(0)
    macro = hardware.program(rng.normal(0, 0.5, (16, 8)), rng, "sigmoid")
    again = macro.under(Condition(1e5), rng).recalibrated(rng)
    x = rng.uniform(-1, 1, (300, 16))
    assert again.crossbar.g.max() < 0.6 * macro.crossbar.g.max()
    assert np.mean(again.trace(x).code != macro.trace(x).code) < 0.02
    assert np.abs(again.converters[0].inl()).max() < 0.1


@pytest.mark.parametrize("method", ["one-point", "multi-point", "closed-loop"])
def test_calibrating_an_aged_macro_mends_its_ramp_and_no_more(method):
    hardware = aimc.load("pcm-256").replace(rows=64, cols=32, calibration=method)
    rng = np.random.default_rng(0)
    w, x = rng.normal(0, 0.3, (64, 32)), rng.uniform(-1, 1, (300, 64))
    aged = hardware.program(w, rng, "tanh").under(Condition(1e7), rng)
    again = aged.recalibrated(rng)
    left = aged.converters[0].retained

    def error(macro):
        """Against the curve of what the drifted array holds."""
        return np.sqrt(np.mean((macro.trace(x).y - np.tanh(x @ macro.w / left)) ** 2)) / macro.lsb

    assert left < 0.9
    made = again.converters[0]
    assert isinstance(made, ProgrammedRamp)
    assert made.report is not None
    assert made.report.writes > 0 or method == "multi-point"
    before, after = (np.abs(each.converters[0].inl()).max() for each in (aged, again))
    assert after < before
    assert error(again) < 1.05 * error(aged)  # most of it is the array's own


@pytest.mark.parametrize("ohm", [1.0, 5.0])
def test_closed_loop_measures_through_the_wires_of_the_column(ohm):
    wires = Wires(ohm, ohm, 20.0, 20.0)
    adc = {method: RampADC(calibration=method, wires=wires) for method in ("none", "closed-loop")}
    inl = {
        method: np.abs(each.program("sigmoid", DEVICE, np.random.default_rng(0), chips=40).inl())
        for method, each in adc.items()
    }
    assert inl["closed-loop"].max(-1).mean() < 0.5 * inl["none"].max(-1).mean()


def test_read_noise_is_in_what_closed_loop_measures():
    def spread(noise):
        device = Device(150e-6, on_write=(WriteError(0.1e-6),), on_read=(ReadNoise(noise),))
        adc = RampADC(calibration="closed-loop")
        ramps = adc.program("sigmoid", device, np.random.default_rng(0), chips=500)
        return (ramps.thresholds - ramps.goal).std()

    assert spread(20e-6) > 3 * spread(0.0)


@pytest.mark.parametrize("part", [Settling(300e-12), FiniteGain(5000.0), ComparatorDelay(0.3e-9)])
@pytest.mark.parametrize("method", ["multi-point", "closed-loop"])
def test_what_the_circuit_does_to_all_columns_is_calibrated_too(method, part):
    """The start is the bias cells', and the last cells are full: closed-loop cannot mend these."""
    device = Device(150e-6, on_write=(WriteError(0.1e-6),))
    there = slice(None) if method == "multi-point" else slice(6, -1)
    worst = []
    for calibration in ("none", method):
        adc = RampADC(calibration=calibration, imperfections=(part,))
        chips = adc.program("sigmoid", device, np.random.default_rng(0), chips=50)
        worst.append(np.abs(chips.inl()[:, there]).max(-1).mean())
    assert worst[0] > 0.25
    assert worst[1] < 0.3 * worst[0]


def test_closed_loop_bills_the_cells_that_it_writes():
    ramps = RampADC(calibration="closed-loop").program(
        "sigmoid", STUCK, np.random.default_rng(0), chips=300
    )
    assert ramps.report is not None
    assert ramps.report.writes.max() == ramps.g_steps.shape[-1]
    assert ramps.report.writes.min() < ramps.g_steps.shape[-1]


def test_one_point_leaves_bias_cells_alone_where_all_are_stuck():
    """Reading a cell does not change it, however noisy the read."""
    noisy = Device(150e-6, on_read=(ReadNoise(5e-6),))
    ramp = RampADC(calibration="none").program("sigmoid", noisy, np.random.default_rng(0))
    stuck = dataclasses.replace(ramp, g_bias=np.where(ramp.g_bias > 75e-6, 0.0, 150e-6))
    again = stuck.recalibrated(np.random.default_rng(1), "one-point")
    assert again.report is not None
    assert again.report.writes == 0
    np.testing.assert_array_equal(again.g_bias, stuck.g_bias)
    np.testing.assert_array_equal(again.pulses, stuck.pulses)
