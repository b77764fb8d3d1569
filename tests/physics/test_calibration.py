"""Laws of calibration: what each method leaves, what it cannot reach, what it reports."""

import numpy as np
import pytest

from aimc.device import Device, Drift, ReadNoise, StuckAt, WriteError
from aimc.errors import ArgumentError
from aimc.ivcurve import Cubic
from aimc.ramp import RampADC
from aimc.wires import Wires

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
    aged = ramps.aged(1e6, rng)
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
    coarse = ramp.at(5)
    np.testing.assert_allclose(coarse.levels, ramp.levels[1::2], rtol=1e-12)
    assert coarse.periods == 32
    assert coarse.outputs.size == 32
    x = np.linspace(-3, 3, 500)
    assert np.abs(coarse(x) - ramp.curve.f(x)).max() < 2 * coarse.lsb
    with pytest.raises(ArgumentError, match="bits"):
        ramp.at(7)


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
    again = ramps.at(3).recalibrated(np.random.default_rng(1), method)
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
