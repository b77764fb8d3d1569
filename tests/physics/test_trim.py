"""Columns are trimmed from reads alone."""

from dataclasses import replace

import numpy as np
import pytest

import aimc
from aimc.converters.imperfections import CapacitorMismatch, ChargeInjection, ComparatorOffset
from aimc.errors import ArgumentError
from aimc.macro import Condition, trim

PARTS = (ComparatorOffset(0.01), CapacitorMismatch(0.03), ChargeInjection(1e-14))


def chip(rng, bits=8, parts=PARTS, curve="tanh"):
    card = aimc.load("ideal-5bit").replace(rows=32, cols=8, bits=bits, imperfections=parts)
    w = rng.normal(0, 0.3, (32, 8))
    return card.program(w, rng, curve), w, rng.uniform(-1, 1, (400, 32))


@pytest.mark.parametrize("curve", ["linear", "tanh", "sigmoid"])
def test_gain_and_offset_are_found_and_go(curve, rng):
    macro, w, x = chip(rng, curve=curve)
    done, fit = trim.columns(macro, w, x, rng)
    _, again = trim.columns(done, w, rng.uniform(-1, 1, (400, 32)), rng)
    made = macro.ramps[0][1].columns
    np.testing.assert_allclose(fit.gain, made.ratio, atol=0.01)
    assert np.abs(again.gain - 1).max() < 0.01
    assert np.abs(again.offset).max() < 0.1 * np.abs(fit.offset).max() + 0.005
    assert fit.after < 0.5 * fit.before
    assert "400 reads" in str(fit)


def test_an_ideal_chip_has_nothing_to_trim(rng):
    macro, w, x = chip(rng, parts=())
    _, fit = trim.columns(macro, w, x, rng)
    np.testing.assert_allclose(fit.gain, 1.0, atol=0.005)
    assert fit.after < 1.15 * fit.before


def test_trims_have_steps(rng):
    macro, w, x = chip(rng)
    done, fit = trim.columns(macro, w, x, rng, offset_step=0.002, gain_step=0.01)
    before, after = macro.ramps[0][1].columns, done.ramps[0][1].columns
    steps = (before.ratio / after.ratio - 1) / 0.01
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    assert fit.after < fit.before


def test_what_cannot_be_fitted_is_refused(rng):
    macro, w, x = chip(rng)
    with pytest.raises(ArgumentError, match="`x` must bring four or more codes"):
        trim.columns(macro, w, x[:2], rng)
    with pytest.raises(ArgumentError, match="`w` must have shape"):
        trim.columns(macro, w[:, :3], x, rng)
    turning, w, x = chip(rng, curve="gaussian")
    with pytest.raises(ArgumentError, match="turns"):
        trim.columns(turning, w, x, rng)


@pytest.mark.parametrize("change", ["bits", "age", "recalibrated", "v_read"])
def test_a_trim_stays_whatever_else_is_asked_of_a_chip_off_its_read_voltage(change, rng):
    macro, w, x = chip(rng)
    done, _ = trim.columns(macro.under(Condition(v_read=0.18)), w, x, rng)
    later = {
        "bits": lambda: done.under(replace(done.condition, bits=8)),
        "age": lambda: done.under(replace(done.condition, age=1.0), rng),
        "recalibrated": lambda: done.recalibrated(rng),
        "v_read": lambda: done.under(Condition()).under(done.condition),
    }[change]()  # fmt: skip
    np.testing.assert_array_equal(later.trace(x).code, done.trace(x).code)


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_reads_that_are_all_alike_tell_nothing(alike, rng):
    macro, w, x = chip(rng)
    with pytest.raises(ArgumentError, match=r"`x` must spread each column's sums"):
        trim.columns(macro, w, np.repeat(alike * x[:1], 50, axis=0), rng)


def test_several_arrays_are_trimmed_one_by_one(rng):
    card = aimc.load("ideal-5bit").replace(rows=16, cols=8)
    w = rng.normal(0, 0.3, (32, 8))
    with pytest.raises(ArgumentError, match="`macro` must be of one stack"):
        trim.columns(card.program(w, rng), w, rng.uniform(-1, 1, (50, 32)), rng)


@pytest.mark.parametrize("reach", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("function", ["sigmoid", "linear"])
def test_a_trim_is_never_worse_and_saturated_reads_do_not_bend_it(function, reach):
    """Reads that saturate are not left out: those that remain would be the ones with errors in."""
    card = aimc.load("taox-1t1r-128").replace(rows=64, cols=16)
    rng = np.random.default_rng(0)
    w = rng.normal(0, reach, (64, 16))
    macro, x = card.program(w, rng, function), rng.uniform(-1, 1, (400, 64))
    done, fit = trim.columns(macro, w, x, rng)
    assert fit.after <= fit.before
    (_, made), meant = macro.ramps[0], macro.hardware.driver.quantise(x) @ w
    z = macro.trace(x).u / (made.gain * made.common)
    true = (meant * z).sum(axis=0) / (meant**2).sum(axis=0)
    assert np.median(fit.gain / true) == pytest.approx(1, abs=0.1)
    assert done.shape == macro.shape
