"""Figures of ramps show all chips they were given, and need no display."""

import numpy as np
import pytest

import aimc
from aimc.converters.ramp import ProgrammedRamp
from aimc.errors import ArgumentError
from aimc.plots import ramps as plots_ramp


@pytest.fixture(scope="module")
def ramp():
    hardware = aimc.load("taox-1t1r-128")
    return hardware.adc.program("tanh", hardware.device, np.random.default_rng(0), chips=50)


def test_inl_over_chips_shows_the_levels_and_the_mean(ramp):
    figure = plots_ramp.inl_over_chips({"one-point": ramp, "again": ramp})
    assert len(figure.axes) == 3
    dots, mean = (np.asarray(figure.axes[k].lines[1 - k].get_ydata()) for k in (0, 1))
    np.testing.assert_allclose(dots, ramp.levels[0] * 1e3)
    np.testing.assert_allclose(mean, ramp.inl().mean(axis=0))
    with pytest.raises(ArgumentError, match="one or more by name"):
        plots_ramp.inl_over_chips({})


def test_transfer_over_chips_of_an_ideal_ramp_stays_within_half_an_lsb():
    hardware = aimc.load("ideal-5bit")
    made = hardware.adc.program("tanh", hardware.device, np.random.default_rng(0), chips=3)
    assert isinstance(made, ProgrammedRamp)
    line = plots_ramp.transfer_over_chips(made).axes[1].lines[0]
    x, error = map(np.asarray, line.get_data())
    assert np.abs(error[np.abs(x) < 1.5]).max() < 0.5 + 1e-9
