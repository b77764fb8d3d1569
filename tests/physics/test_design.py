"""Laws of a ramp's design: what fits, what is resolved, and that its proposals can be followed."""

import re

import numpy as np
import pytest

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
