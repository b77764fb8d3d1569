"""Laws of conditions: what is written is kept, what a chip is now follows from its condition."""

from dataclasses import replace

import numpy as np
import pytest

import aimc
from aimc import Condition
from aimc.converters import SARADC, FlashADC, LinearRampADC
from aimc.converters.base import ADC
from aimc.converters.flash import Flash
from aimc.converters.imperfections import ReadVoltageError
from aimc.converters.ramp import ProgrammedRamp, RampADC
from aimc.errors import ArgumentError
from aimc.parts.device import (
    Arrhenius,
    Drift,
    ReadNoise,
    StuckAt,
    TemperatureCoefficient,
    WriteError,
)  # fmt: skip
from aimc.parts.ivcurve import Cubic
from aimc.parts.wires import Wires

CONDITIONS = (
    Condition(1e4), Condition(1e7, 340.0, 0.15), Condition(v_read=0.25),
    Condition(temperature=280.0), Condition(3e3, stored_at=350.0),
)  # fmt: skip
ADCS = (RampADC(), RampADC(calibration="closed-loop"), FlashADC(), SARADC(), LinearRampADC())


def chip(adc: ADC = ADCS[0], seed=0, **fields):
    card = aimc.load("taox-1t1r-128").replace(
        rows=12, cols=8, adc=adc, on_age=(Drift(0.05, 0.02),), retention=Arrhenius(1e-19),
        temperature=TemperatureCoefficient(1e-3, -1e-3), iv=Cubic(k3=(2.0,)),
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    return card.replace(**fields).program(rng.normal(0, 0.4, (12, 8)), rng, ("sigmoid", "tanh"))


def assert_same(one, other):
    x = np.random.default_rng(1).uniform(-1, 1, (30, 12))
    seen, wanted = (m.trace(x, np.random.default_rng(2)) for m in (one, other))
    for name in ("v", "i", "u", "code", "y"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(wanted, name))
    for a, b in zip(one.converters, other.converters, strict=True):
        np.testing.assert_array_equal(a.decisions, b.decisions)
        np.testing.assert_array_equal(a.thresholds, b.thresholds)


@pytest.mark.parametrize("adc", ADCS, ids=lambda adc: type(adc).__name__)
@pytest.mark.parametrize("first", CONDITIONS)
def test_conditions_replace_each_other(adc, first):
    """under(a).under(b) = under(b), and under nothing a chip is as it was written, bit for bit."""
    macro = chip(adc)
    for second in CONDITIONS:
        assert_same(macro.under(first).under(second), macro.under(second))
        drawn = macro.under(replace(first, age=1e3), np.random.default_rng(5))
        assert_same(drawn.under(second), macro.under(second, np.random.default_rng(5)))
    assert_same(macro.under(first).under(Condition()), macro)


@pytest.mark.parametrize("age", [0.0, 1e5])
def test_a_macro_stands_as_it_was_programmed(age):
    macro = chip(age=age, imperfections=(ReadVoltageError(0.05),))
    assert macro.condition == Condition(age)
    assert macro.supply != 1.0
    assert_same(macro.under(Condition(3.0, 350.0, 0.1)).under(Condition(age)), macro)


def test_one_chip_is_one_drift_and_one_seed_is_one_chip():
    """Exponents are the cells' own: log(g(t) / g) at two ages is in the ratio of ln t."""
    macro, again = chip(), chip()
    early, late = (macro.under(Condition(t)).crossbar.g for t in (1e2, 1e4))
    on = macro.g_written > 0
    nu = [np.log(g[on] / macro.g_written[on]) for g in (early, late)]
    np.testing.assert_allclose(nu[1], 2 * nu[0], rtol=1e-9)
    assert nu[0].std() > 0.05
    assert_same(macro.under(Condition(1e4)), again.under(Condition(1e4)))


def test_what_is_written_again_changes_the_drift_of_no_other_cell():
    macro = chip(ADCS[1]).under(Condition(1e3))
    again = macro.recalibrated(np.random.default_rng(3))
    for condition in (macro.condition, Condition(1e6)):
        for old, new in zip(macro.converters, again.converters, strict=True):
            before, after = (each.under(condition) for each in (old, new))
            assert isinstance(before, ProgrammedRamp)
            assert isinstance(after, ProgrammedRamp)
            np.testing.assert_array_equal(after.g_bias, before.g_bias)
            assert np.any(after.g_steps != before.g_steps)
    assert_same(again.under(Condition(5.0)).under(again.condition), again)


def test_a_calibration_under_any_condition_is_that_at_the_nominal_one():
    warm = Condition(1e4, 350.0, 0.15, 3)
    macro = chip()
    one = macro.under(warm).recalibrated(np.random.default_rng(3))
    other = macro.under(Condition(1e4, v_read=0.2)).recalibrated(np.random.default_rng(3))
    assert_same(one, other.under(warm))


def test_fewer_bits_are_those_of_the_condition():
    macro = chip()
    coarse = macro.under(Condition(bits=3))
    assert [ramp.bits for ramp in coarse.converters] == [3, 3]
    assert coarse.lsb == 4 * macro.lsb
    with pytest.raises(ArgumentError, match="bits"):
        macro.under(Condition(bits=6))
    for adc in ADCS[2:]:
        message = f"be 5 or None for {type(adc).__name__}, but is 3. Only a ramp of cells, RampADC,"
        with pytest.raises(ArgumentError, match=message):
            chip(adc).under(Condition(bits=3))


@pytest.mark.parametrize("adc", ADCS, ids=lambda adc: type(adc).__name__)
def test_a_temperature_that_nothing_follows_is_refused(adc):
    macro = chip(adc, temperature=None)
    with pytest.raises(ArgumentError, match=r"`temperature` must be None for a device .* Give the"):
        macro.under(Condition(temperature=350.0))
    with pytest.raises(ArgumentError, match="`temperature` must be None for"):
        macro.converters[0].under(Condition(temperature=350.0))
    assert macro.converters[0].under(Condition(v_read=0.1), retained=1.0).supply == 0.5


def test_a_temperature_at_which_the_law_has_no_cells_left_is_refused():
    with pytest.raises(ArgumentError, match="`temperature` must leave each cell a conductance"):
        chip(temperature=TemperatureCoefficient(-2e-3, -2e-3)).under(Condition(temperature=900.0))


def test_a_macro_says_that_its_cells_do_not_age():
    assert "cells do not age" in str(chip(on_age=()).under(Condition(1e3)))
    assert "cells do not age" not in str(chip().under(Condition(1e3)))
    assert "cells do not age" not in str(chip(on_age=()))


def test_a_converter_by_itself_is_told_who_draws_its_ageing():
    device = chip().hardware.device
    ramp = RampADC().program("tanh", device, np.random.default_rng(0))
    assert isinstance(ramp, ProgrammedRamp)
    with pytest.raises(ArgumentError, match="rng"):
        ramp.under(Condition(1e3))
    old = ramp.under(Condition(1e3), np.random.default_rng(1))
    cells = old.under(Condition(1e3, v_read=0.1)).g_steps
    np.testing.assert_array_equal(cells, old.g_steps)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("age", -1.0), ("age", float("nan")), ("temperature", 0.0), ("v_read", -0.1),
        ("v_read", float("nan")), ("bits", 0), ("bits", 2.5), ("stored_at", -3.0),
        ("temperature", 1e6), ("stored_at", 1e6),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(field, value):
    with pytest.raises(ArgumentError, match=f"`{field}` must"):
        Condition(**{field: value})


@pytest.mark.parametrize("held", [0.0, 40e-6])
@pytest.mark.parametrize(
    "adc", [*ADCS, RampADC(calibration="one-point"), RampADC(calibration="multi-point")]
)
def test_dead_cells_stay_dead_in_arrays_and_converters(adc, held):
    """Aged, warm, read and calibrated again: ramp columns, bias cells and levels too."""
    spread = (Drift(0.05, 0.02), WriteError(2e-6))
    macro = chip(
        adc, on_write=(StuckAt(0.2, held), WriteError(2e-6)), on_age=spread,
        on_read=(ReadNoise(0.14e-6),),
    )  # fmt: skip
    hit = macro.only.written.dead
    assert 0.1 < hit.mean() < 0.3
    rng = np.random.default_rng(0)
    for at in CONDITIONS:
        aged = macro.under(at)
        for each in (aged, aged.recalibrated(rng), aged.recalibrated(rng).under(CONDITIONS[1])):
            crossbar = each.crossbar
            assert np.all(crossbar.g[hit] == held)
            assert crossbar.sigma is not None
            assert not crossbar.sigma[hit].any()
            assert np.all(crossbar.sigma[~hit & (crossbar.g > 0)])
            for made, first in zip(each.converters, macro.converters, strict=True):
                if isinstance(made, Flash) and isinstance(first, Flash):
                    assert np.all(made.g[first.dead] == held)
                if isinstance(made, ProgrammedRamp) and isinstance(first, ProgrammedRamp):
                    for now, written in zip(made.now, first.now, strict=True):
                        assert np.all(now.g[written.dead] == held)


def test_open_cells_pass_no_current_at_any_age():
    device = replace(aimc.load("reram-wan-256").device, temperature=TemperatureCoefficient(1e-3, 0))
    device = replace(device, on_write=(StuckAt(1.0), *device.on_write))
    for kind in ("exact", "first-order"):
        macro = chip(SARADC(), device=device, wires=Wires(1.0, 1.0, noise=kind))
        for at in (Condition(), Condition(86400.0), Condition(86400.0, 350.0)):
            assert not macro.under(at).trace(np.ones((9, 12)), np.random.default_rng(0)).i.any()
