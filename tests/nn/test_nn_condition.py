"""Whole networks under a condition: each chip's own, with calibration and drift compensation."""

import numpy as np
import pytest
import torch

import aimc
from aimc import Condition, nn
from aimc.converters import SARADC, LinearRampADC
from aimc.converters.ramp import RampADC
from aimc.errors import ArgumentError
from aimc.macro import trim
from aimc.parts.device import Drift, WriteError

OLD = Condition(1e6, v_read=0.15)


def card(adc=None, **fields):
    adc = adc or RampADC(6)
    fields = {"on_write": (WriteError(1e-6),), "on_age": (Drift(0.06, 0.01),)} | fields
    return aimc.load("taox-1t1r-128").replace(rows=32, cols=32, adc=adc, on_read=(), **fields)


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 24), torch.nn.Tanh(), torch.nn.Linear(24, 8))


X = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (300, 40)))


def rms(model, reference):
    with torch.no_grad():
        return float((model(X.to(torch.float64)) - reference(X)).square().mean().sqrt())


def programmed(model, hardware):
    nn.calibrate(model, X.float())
    return nn.program(model, hardware, np.random.default_rng(3))


def new():
    return np.random.default_rng(5)


def test_networks_under_a_condition_are_their_macros_under_it():
    torch.manual_seed(0)
    model = torch.nn.LSTM(4, 6, proj_size=3, batch_first=True)
    chip = nn.program(model, card(), np.random.default_rng(3), cell_tanh="ramp")
    old = nn.under(chip, OLD, new())
    assert [m.condition for m in nn.macros(chip)] == [Condition()] * 2
    for macro, written in zip(nn.macros(old), nn.macros(chip), strict=True):
        wanted = written.under(OLD)
        assert macro.condition == OLD
        x = new().uniform(-1, 1, (20, macro.shape[0]))
        np.testing.assert_array_equal(macro.trace(x).u, wanted.trace(x).u)
        np.testing.assert_array_equal(macro.trace(x).code, wanted.trace(x).code)
    assert isinstance(chip, nn.LSTM)
    assert isinstance(old, nn.LSTM)
    assert set(old.ramps) == set(chip.ramps)
    for end, ramp in old.ramps.items():
        assert ramp.retained == 1.0
        wanted = chip.ramps[end].under(OLD, retained=1.0).decisions
        np.testing.assert_array_equal(ramp.decisions, wanted)


def test_conditions_of_networks_replace_each_other_and_leave_the_chip_alone():
    chip = programmed(network().double(), card(LinearRampADC(6)))
    before = chip(X)
    old = nn.under(chip, OLD, new(), recalibrate=True, compensation="global")
    assert torch.any(old(X) != before)
    assert torch.equal(nn.under(old, Condition(), new())(X), before)
    assert torch.equal(chip(X), before)


@pytest.mark.parametrize("adc", [LinearRampADC(6), SARADC(6)], ids=["linear ramp", "sar"])
def test_compensation_takes_off_what_a_fixed_reference_sees_of_drift(adc):
    """Against (t / t_0)^-nu = 0.44 of the currents, one digital factor a stack."""
    float_model = network().double()
    chip = programmed(float_model, card(adc))
    errors = [
        rms(each, float_model)
        for each in (
            chip, nn.under(chip, OLD, new()), nn.under(chip, OLD, new(), compensation="global"),
        )
    ]  # fmt: skip
    assert errors[1] > 3 * errors[0]
    assert errors[2] < 0.5 * errors[1]


def test_compensation_finds_what_the_array_retains():
    macro = card(LinearRampADC(8)).program(new().normal(0, 0.2, (60, 20)), new(), "linear")
    old = trim.compensated(macro.under(OLD), new())
    for before, after in zip(macro.macros, old.macros, strict=True):
        for ramp in after.converters:
            supply = (OLD.v_read or 1.0) / macro.hardware.driver.v_read
            assert ramp.compensation == pytest.approx(1 / (ramp.retained * supply), rel=0.03)
            np.testing.assert_allclose(
                ramp.outputs, ramp.compensation * before.converters[0].outputs, rtol=1e-12
            )


def test_there_is_nothing_to_compensate_where_ramp_and_array_drift_alike():
    chip = programmed(network().double(), card(on_age=(Drift(0.06),)))
    old = nn.under(chip, Condition(1e6), new(), compensation="global")
    for macro in nn.macros(old):
        for ramp in macro.converters:
            assert ramp.compensation == pytest.approx(1.0, abs=0.02)


def test_a_ramp_by_itself_is_compensated_too():
    """The state of a cell does not drift, the ramp does."""
    model = torch.nn.LSTM(4, 6, batch_first=True)
    hardware = card(RampADC(8))
    chip = nn.program(model, hardware, np.random.default_rng(3), cell_tanh="ramp")
    old = nn.under(chip, Condition(1e6), new(), compensation="global")
    assert isinstance(chip, nn.LSTM)
    assert isinstance(old, nn.LSTM)
    (ramp,) = old.ramps.values()
    c = np.linspace(-1, 1, 200)
    (written,) = chip.ramps.values()
    bare = written.under(Condition(1e6), retained=1.0)
    errors = [np.abs(each(c) - np.tanh(c)).mean() for each in (bare, ramp)]
    assert errors[1] < 0.4 * errors[0]


def test_what_cannot_be_put_under_a_condition_is_said():
    model = network()
    with pytest.raises(ArgumentError, match="`model` must be programmed"):
        nn.under(model, OLD, new())
    chip = nn.program(torch.nn.Linear(4, 3), card(), new())
    with pytest.raises(ArgumentError, match="`condition` must be a Condition"):
        nn.under(chip, 3600.0, new())  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`compensation` must be 'global' or None"):
        nn.under(chip, OLD, new(), compensation="local")
    turning = card().program(np.eye(4), new(), "gaussian")
    with pytest.raises(ArgumentError, match="gaussian turns"):
        trim.compensated(turning, new())
