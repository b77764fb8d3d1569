"""Laws of the converters that the ramp is compared with."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aimc
from aimc import shipped
from aimc.converters import SARADC, FlashADC, LinearRampADC, metrics
from aimc.converters.base import Site, digital
from aimc.converters.imperfections import (
    CapacitorMismatch,
    ChargeInjection,
    ClockJitter,
    ComparatorDelay,
    ComparatorHysteresis,
    ComparatorNoise,
    ComparatorOffset,
    FiniteGain,
    Leakage,
    RampReadNoise,
    ReadVoltageError,
    Settling,
    ThermalNoise,
)
from aimc.converters.ramp import RampADC
from aimc.curves import CURVES, curve
from aimc.errors import ArgumentError
from aimc.macro import Condition
from aimc.parts.device import Device, Drift, ReadNoise, WriteError
from aimc.parts.ivcurve import Cubic

IDEAL = Device(g_max=150e-6)
KINDS = (LinearRampADC, SARADC, FlashADC)
SITE = Site(gain=0.0728, c_array=568e-15, window=31e-9)
NOTHING = (
    ComparatorOffset(0.0), ComparatorNoise(0.0), ComparatorDelay(0.0), ComparatorHysteresis(0.0),
    Settling(0.0), CapacitorMismatch(0.0), ThermalNoise(0.0), ChargeInjection(0.0), Leakage(0.0),
    ClockJitter(0.0), ReadVoltageError(0.0), RampReadNoise(),
)  # fmt: skip
X = np.linspace(-6, 6, 4004).reshape(1001, 4)


def made(kind, name="sigmoid", device=IDEAL, seed=0, site=SITE, **fields: Any) -> Any:
    return kind(**fields).program(name, device, np.random.default_rng(seed), site)


def at(share):
    """The read voltage over the site's."""
    return Condition(v_read=share * SITE.v_read)


def fine(kind, bits=14) -> dict[str, Any]:
    return {} if kind is FlashADC else {"table_bits": bits}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "softplus"])
@pytest.mark.parametrize("bits", [2, 3, 5])
def test_an_ideal_one_errs_at_most_half_an_lsb_in_its_range(kind, name, bits):
    converter = made(kind, name, bits=bits, **fine(kind))
    c = curve(name)
    x = X.ravel()[(c.f(X.ravel()) >= c.lo) & (c.f(X.ravel()) <= c.hi)]
    error = converter(x) - c.f(x)
    assert np.abs(error).max() <= 0.51 * converter.lsb
    np.testing.assert_allclose(converter.inl(), 0, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_those_of_the_ideal_ramp_where_nothing_is_rounded_twice(kind):
    ramp = RampADC(5).program("linear", IDEAL, np.random.default_rng(0), SITE)
    u = SITE.gain * X
    np.testing.assert_array_equal(made(kind, "linear").convert(u), ramp.convert(u))


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_those_of_the_ideal_ramp_but_within_half_a_step_of_a_threshold(kind):
    ramp = RampADC(5).program("sigmoid", IDEAL, np.random.default_rng(0), SITE)
    near = np.abs(X[..., None] - curve("sigmoid").thresholds(5)).min(axis=-1)
    apart = near > 0.51 * np.ptp(curve("sigmoid").thresholds(5)) / (2**9 - 2)
    u = SITE.gain * X
    same = made(kind, **fine(kind, 9)).convert(u) == ramp.convert(u)
    assert same[apart].all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", NOTHING, ids=lambda part: type(part).__name__)
def test_a_strength_of_zero_changes_no_code(kind, part):
    rng = np.random.default_rng(3)
    plain = made(kind).shared_by(4, rng)
    with_it = made(kind, imperfections=(part,)).shared_by(4, rng)
    u = SITE.gain * X
    np.testing.assert_array_equal(with_it.convert(u, rng), plain.convert(u))


@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_that_turns_keeps_its_codes(kind):
    c = curve("gelu")
    assert c.turns
    assert c.domain
    x = np.linspace(*c.domain, 2001)
    y = made(kind, "gelu", **fine(kind))(x)
    assert np.mean(y == c.quantise(x, 5)) > 0.99


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sigma=st.floats(0, 0.3),
    tau=st.floats(0, 1e-9),
    bits=st.integers(2, 7),
)
def test_trials_and_flips_of_a_sar_agree_whatever_its_capacitors(seed, sigma, tau, bits):
    """A tree of decisions, walked for all voltages at once, and unfolded into its leaves."""
    rng = np.random.default_rng(seed)
    parts = (Settling(tau), Leakage(2e-6), ComparatorHysteresis(1e-3))
    sar = made(SARADC, table_bits=bits, unit_mismatch=sigma, imperfections=parts).shared_by(3, rng)
    assert np.all(np.diff(sar.decisions, axis=-1) >= 0)
    u = rng.uniform(-0.4, 0.4, (200, 3))
    counted = sar._counter[(u[..., None] >= sar.decisions).sum(axis=-1)]
    np.testing.assert_array_equal(sar.convert(u), counted)


def test_the_largest_capacitor_misses_by_the_root_of_its_units():
    sigma, bits = 0.01, 8
    sar = made(SARADC, table_bits=bits, unit_mismatch=sigma)
    many = sar.shared_by(4000, np.random.default_rng(1))
    expected = 2 ** (bits - 1) * sigma / np.sqrt(2 ** (bits - 1)) * np.sqrt(0.5)
    top = many.columns.weights[:, 0] * 2**bits
    assert top.std() == pytest.approx(expected, rel=0.05)
    assert top.mean() == pytest.approx(2 ** (bits - 1), rel=1e-3)


def test_a_bit_that_is_too_heavy_leaves_codes_out_and_no_code_comes_back():
    sar = made(SARADC, "linear", bits=8, unit_mismatch=0.3)
    codes = sar(np.linspace(-1, 1, 20001))
    assert np.all(np.diff(codes) >= 0)
    assert np.unique(codes).size < 256
    assert np.any(sar.dnl() <= -1 + 1e-9)


@pytest.mark.parametrize("kind", [LinearRampADC, SARADC])
def test_a_fixed_reference_takes_the_read_voltage_for_a_gain(kind):
    converter = made(kind, **fine(kind))
    low = converter.under(at(0.75))
    np.testing.assert_allclose(low.thresholds, converter.thresholds / 0.75, rtol=1e-12)
    np.testing.assert_array_equal(low(X), converter(0.75 * X))
    np.testing.assert_array_equal(low.convert(SITE.gain * X), converter.convert(SITE.gain * X))


def test_a_flash_follows_the_read_voltage_as_far_as_its_reference_does():
    tracking, fixed = (made(FlashADC, reference=each) for each in ("tracking", "fixed"))
    np.testing.assert_allclose(tracking.under(at(0.75)).thresholds, tracking.thresholds, atol=1e-12)
    np.testing.assert_allclose(
        fixed.under(at(0.75)).thresholds, fixed.thresholds / 0.75, atol=1e-12
    )


def test_cells_of_a_flash_that_bend_alike_cancel():
    bent = made(FlashADC, device=Device(150e-6, iv=Cubic(k3=1.5)))
    plain = made(FlashADC).thresholds
    np.testing.assert_allclose(bent.under(at(1.25)).thresholds, plain, atol=1e-12)
    uneven = made(FlashADC, device=Device(150e-6, iv=Cubic(k3=1.5, k3_slope=-4e3)))
    assert np.abs(uneven.under(at(1.25)).thresholds - plain).max() > 1e-3


def test_write_errors_of_a_flash_stay_each_at_its_own_level():
    device = Device(150e-6, on_write=(WriteError(2e-6),))
    errors = np.array([made(FlashADC, device=device, seed=n).shared for n in range(800)])
    errors -= made(FlashADC).shared
    inner = errors[:, 1:-1]
    sigma = 2e-6 / 150e-6 * np.ptp(curve("sigmoid").thresholds(5)) * SITE.gain
    np.testing.assert_allclose(inner.std(axis=0), sigma, rtol=0.1)
    np.fill_diagonal(alike := np.asarray(np.corrcoef(inner.T)), 0.0)
    assert np.abs(alike).max() < 0.2


def test_each_comparator_of_a_flash_has_its_own_offset():
    flash = made(FlashADC, imperfections=(ComparatorOffset(2e-3),))
    late = flash.shared_by(2000, np.random.default_rng(0)).levels - flash.shared
    assert late.shape == (2000, 31)
    np.testing.assert_allclose(late.std(axis=0), 2e-3, rtol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_of_comparators_at_a_threshold_decides_by_chance(kind):
    converter = made(kind, "linear", bits=3, imperfections=(ComparatorNoise(1e-3),))
    u = np.full((4000, 1), converter.decisions[3])
    codes = converter.convert(u, np.random.default_rng(0))
    assert set(np.unique(codes)) == {3, 4}
    assert np.mean(codes == 4) == pytest.approx(0.5, abs=0.04)


def test_read_noise_of_a_flash_moves_a_level_of_all_columns_at_once():
    device = Device(150e-6, on_read=(ReadNoise(2e-6),))
    flash = made(FlashADC, "linear", device, bits=3, imperfections=(RampReadNoise(),))
    u = np.full((2000, 4), flash.levels[3])
    codes = flash.shared_by(4, np.random.default_rng(0)).convert(u, np.random.default_rng(1))
    assert np.all(codes == codes[:, :1])
    assert set(np.unique(codes)) == {3, 4}


def test_a_common_drift_scales_what_the_cells_of_a_flash_carry():
    flash = made(FlashADC, device=Device(150e-6, on_age=(Drift(nu=0.05),)))
    aged = flash.under(Condition(100.0), np.random.default_rng(0))
    np.testing.assert_allclose(aged.g, flash.g * 100.0**-0.05, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_they_stand_in_a_macro(kind):
    parts = (ComparatorOffset(1e-4), ComparatorNoise(1e-4), CapacitorMismatch(1e-3),
             ThermalNoise(), FiniteGain(1e6))  # fmt: skip
    hardware = aimc.load("ideal-5bit")
    adc = kind(5, parts, **fine(kind, 10))
    w = np.random.default_rng(0).uniform(-1, 1, (16, 8))
    x = np.random.default_rng(1).uniform(-1, 1, (50, 16))
    curves = ("sigmoid", "tanh", "sigmoid", "tanh")
    rng = np.random.default_rng(2)
    macro = hardware.replace(adc=adc).program(w, rng, curves)
    ideal = hardware.program(w, np.random.default_rng(2), curves)
    gap = macro.trace(x, rng).code - ideal.trace(x).code
    assert np.abs(gap).max() <= 1
    assert np.mean(gap != 0) < 0.2
    assert str(macro).count("max |INL|") == 4
    low = (
        macro.under(at(0.75 * hardware.driver.v_read / SITE.v_read)).trace(x).code
        - macro.trace(x).code
    )
    assert np.abs(low).max() <= 1 if kind is FlashADC else np.abs(low).max() > 1


@pytest.mark.parametrize(
    ("kind", "periods"), [(LinearRampADC, 256), (SARADC, 9), (FlashADC, 1)]
)  # fmt: skip
def test_periods_of_a_conversion(kind, periods):
    assert made(kind, **fine(kind, 8)).periods == periods


@pytest.mark.parametrize("name", ["linear-ramp-5bit", "sar-5bit", "flash-5bit"])
def test_their_cards_load_and_come_back(tmp_path, name):
    hardware = aimc.load("ideal-5bit")
    card = tmp_path / "mine.toml"
    adc = (tmp_path / "adc.toml", shipped.path("circuits") / "adcs" / f"{name}.toml")
    adc[0].write_text(adc[1].read_text())
    text = aimc.cards.dump(hardware).split("\n[adc]")[0]
    card.write_text(f'adc = "adc.toml"\n{text}')
    loaded = aimc.load(card)
    assert loaded.adc.bits == 5
    (tmp_path / "again.toml").write_text(aimc.cards.dump(loaded))
    assert aimc.load(tmp_path / "again.toml") == loaded


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (LinearRampADC, {"table_bits": 1}),
        (SARADC, {"unit_mismatch": -0.1}),
        (SARADC, {"bits": 1}),
        (FlashADC, {"reference": "loose"}),
    ],
)
def test_bad_fields_are_refused(kind, fields):
    with pytest.raises(ArgumentError, match=next(iter(fields))):
        kind(**fields)


def test_a_description_says_all_that_it_is():
    adc = SARADC(5, (ComparatorOffset(1e-3),), table_bits=8, unit_mismatch=0.01)
    assert dataclasses.replace(adc) == adc


def test_a_ramp_that_lags_and_rests_keeps_its_shape():
    lagging = RampADC(5, (Settling(0.2e-9),), t_rest=1e-9)
    assert lagging.program("sigmoid", IDEAL, np.random.default_rng(0), SITE).levels.shape == (31,)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_measured_as_a_ramp_is(kind):
    """A table is no turn of the curve: what is linear before it rises after it."""
    ramp = RampADC(5).program("sigmoid", IDEAL, np.random.default_rng(0), SITE)
    other = made(kind, **fine(kind))
    for measure in (metrics.enob, lambda each: np.array(metrics.errors(each))):
        np.testing.assert_allclose(measure(other), measure(ramp), atol=0.01)
    assert np.abs(metrics.code_density(other)).max() < 0.02
    assert np.abs(metrics.inl(other, "best")).max() < 0.01
    x = np.linspace(-3, 3, 301)
    assert np.mean(metrics.transfer(other, x) != ramp(x)) < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_many_chips_are_drawn_at_once(kind):
    device = Device(150e-6, on_write=(WriteError(2e-6),))
    fields: dict[str, Any] = {"unit_mismatch": 0.02} if kind is SARADC else {}
    chips = kind(5, **fields).program("sigmoid", device, np.random.default_rng(0), SITE, chips=40)
    assert chips.inl().shape == (40, 31)
    spread = chips.inl().std(axis=0).max()
    assert spread == 0.0 if kind is LinearRampADC else spread > 0.0
    assert metrics.enob(chips).shape == (40,)
    with pytest.raises(ArgumentError):
        kind(5).program("sigmoid", device, np.random.default_rng(0), SITE, chips=0)


@pytest.mark.parametrize("kind", [*KINDS, RampADC])
def test_an_array_that_fades_is_a_gain_for_a_fixed_reference_only(kind):
    device = Device(150e-6, on_age=(Drift(nu=0.05),))
    hardware = aimc.load("ideal-5bit").replace(device=device, adc=kind(5), rows=16, cols=4)
    rng = np.random.default_rng(0)
    macro = hardware.program(rng.normal(0, 0.5, (16, 4)), rng, "sigmoid")
    aged = macro.under(Condition(1e6), rng)
    x = rng.uniform(-1, 1, (200, 16))
    same = np.mean(aged.trace(x).code == macro.trace(x).code)
    inl = np.abs(aged.converters[0].inl()).max()
    follows = kind in (FlashADC, RampADC)
    assert same > 0.98 if follows else same < 0.8
    assert inl < 0.1 if follows else inl > 1.0


def test_age_of_a_flash_counts_from_programming():
    flash = made(FlashADC, device=Device(150e-6, on_age=(Drift(0.05, 0.01),)))
    aged = [flash.under(Condition(t), np.random.default_rng(0)) for t in (1e3, 1e6)]
    again = aged[0].under(Condition(1e3, v_read=0.1)).under(Condition(1e6))
    np.testing.assert_array_equal(again.g, aged[1].g)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("name", CURVES)
def test_a_voltage_on_a_level_has_crossed_it(name, bits):
    """All ties go up, whatever rounding a cumulative sum of steps has; digitally as well."""
    c, adc = curve(name), RampADC(bits, ramp_cells=2**16)
    theta, after = c.thresholds(bits), c.codes(bits)[1:]
    made = adc.program(c, IDEAL, np.random.default_rng(0), SITE)
    np.testing.assert_array_equal(made.convert(SITE.gain * theta[:, None])[:, 0], after)
    np.testing.assert_array_equal(digital(c, bits, theta), c.outputs(bits)[after])
    if bits > 1:  # a table rounds twice, but of equal steps none
        for kind in KINDS if name == "linear" else (FlashADC,):
            other = kind(bits).program(c, IDEAL, np.random.default_rng(0), SITE)
            np.testing.assert_array_equal(other.convert(SITE.gain * theta[:, None])[:, 0], after)


@pytest.mark.parametrize("kind", [*KINDS, RampADC])
@pytest.mark.parametrize("name", ["sigmoid", "gelu"])
def test_a_conversion_without_noise_is_a_search_in_its_table(kind, name, rng):
    """y = outputs[levels that gain u - offset reaches], the same outputs, ties included."""
    parts = (
        ComparatorOffset(5e-3),
        CapacitorMismatch(0.02),
        ChargeInjection(1e-16),
        Settling(1e-10),
    )
    device = Device(150e-6, on_write=(WriteError(1e-6),))
    one = kind(bits=4, imperfections=parts).program(name, device, rng, SITE).shared_by(3, rng)
    levels, outputs, gain, offset = one.table()
    u = SITE.gain * rng.uniform(-8, 8, (500, 3))
    levels = np.broadcast_to(levels, (3, levels.shape[-1]))
    met = rng.choice(levels, 100, axis=1).T + curve(name).tie(4) * SITE.gain
    u[:100] = (met + offset) / gain
    seen = u * gain - offset
    count = (seen[..., None] >= levels).sum(axis=-1)
    np.testing.assert_array_equal(one.outputs[one.convert(one.columns.sampled(u))], outputs[count])
    noisy = kind(imperfections=(ComparatorNoise(1e-3),)).program("sigmoid", device, rng, SITE)
    jitter = kind(imperfections=(ClockJitter(1e-12),)).program("sigmoid", device, rng, SITE)
    assert noisy.table() is None is jitter.table()
