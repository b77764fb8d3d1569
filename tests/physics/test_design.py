"""Laws of a ramp's design: what fits, what is resolved, and that its proposals can be followed."""

import re

import numpy as np
import pytest

import aimc
from aimc.converters.ramp import RampADC
from aimc.errors import ArgumentError
from aimc.parts.device import Device, WriteError

DEVICE = Device(150e-6, 1e-6, on_write=(WriteError(2.67e-6),))


@pytest.mark.parametrize(("curve", "bits"), [("softsign", 5), ("sigmoid", 8), ("tanh", 7)])
def test_what_is_proposed_resolves_the_curve(curve, bits):
    bits_text, cells_text, _ = RampADC(bits).design(curve, DEVICE).proposals()
    fewer = RampADC(int(bits_text.split()[0])).design(curve, DEVICE)
    assert fewer.resolved
    (cells,) = map(int, re.findall(r"ramp_cells=(\d+)", cells_text))
    more = RampADC(bits, ramp_cells=cells).design(curve, DEVICE)
    assert more.fits
    assert more.resolved
    assert more.cells == cells
    assert not more.proposals()
    assert not RampADC(bits, ramp_cells=cells - 1).design(curve, DEVICE).resolved


def test_cells_are_a_limit():
    with pytest.raises(ArgumentError, match="programmable with 10 ramp cells"):
        RampADC(5, ramp_cells=10).program("sigmoid", DEVICE, np.random.default_rng(0))


def test_shared_steps_are_the_same_curve():
    exact = Device(150e-6)
    one, many = (
        RampADC(5, ramp_cells=n).program("softsign", each, np.random.default_rng(0))
        for n, each in ((None, exact), (64, DEVICE))
    )
    assert many.g_steps.size > one.g_steps.size
    shared = RampADC(5, ramp_cells=64).design("softsign", DEVICE)
    np.testing.assert_allclose(
        np.cumsum(shared.steps) / shared.scale + one.goal[0], one.goal[1:], atol=1e-12
    )


@pytest.mark.parametrize(("curve", "bits"), [("softsign", 5), ("sigmoid", 7), ("tanh", 6)])
def test_the_share_of_chips_that_miss_a_code_is_foretold(curve, bits):
    adc = RampADC(bits, calibration="none")
    chips = adc.program(curve, DEVICE, np.random.default_rng(0), chips=4000)
    missing = np.mean(np.any(np.diff(chips.decisions, axis=-1) <= 0.0, axis=-1))
    # A cell cannot be written below zero: it makes an empty step, which counts.
    assert adc.design(curve, DEVICE).missing == pytest.approx(missing, abs=0.03)


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
@pytest.mark.parametrize(("bits", "cells"), [(3, 8), (4, 20), (5, 86)])
@pytest.mark.parametrize("bias_cells", [1, 2, 5])
def test_cells_of_a_small_on_off_ratio_make_every_step_and_the_start(
    function, bits, cells, bias_cells
):
    """n cells make n g_min to n g_max, with gaps between where g_max is below 2 g_min: 160 to 248
    uS, as measured of TaOx cells. Bias cells may be pulsed against each other."""
    device = Device(248e-6, 160e-6)
    adc = RampADC(bits, ramp_cells=cells, bias_cells=bias_cells)
    design = adc.design(function, device)
    each = design.steps / design.counts
    assert np.all((device.g_min * (1 - 1e-9) <= each) & (each <= device.g_max * (1 + 1e-9)))
    assert design.cells <= cells
    ramp = adc.program(function, device, np.random.default_rng(0))
    assert np.abs(ramp.inl()).max() < 1e-9
    used = ramp.g_bias[ramp.g_bias > 0]
    assert np.all((device.g_min * (1 - 1e-9) <= used) & (used <= device.g_max * (1 + 1e-9)))
    fewer = RampADC(bits, ramp_cells=design.cells - 1)
    with pytest.raises(ArgumentError, match=f"needs {cells} cells.*or ramp_cells={cells}"):
        fewer.program(function, device, np.random.default_rng(0))


def test_proposals_keep_the_cells_there_are():
    hardware = aimc.load("hfo2-milo-128").replace(bits=6)
    with pytest.raises(ArgumentError, match="or 5 bits, smallest step"):
        hardware.program(np.eye(4), np.random.default_rng(0), "tanh")


def test_a_device_without_a_range_makes_what_whole_cells_make():
    device = Device(1e-4, 1e-4 * (1 - 1e-12))
    ramp = RampADC(3, bias_cells=4).program("linear", device, np.random.default_rng(0))
    assert np.abs(ramp.inl()).max() < 0.51
    with pytest.raises(ArgumentError, match="steps of whole cells"):
        RampADC(3).program("tanh", device, np.random.default_rng(0))
