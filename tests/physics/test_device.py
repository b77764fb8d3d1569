"""Laws of the devices: every effect inherits the contract, each published statistic its moments.

The expected values are computed here, from the formulas as published, in their own units (uS).
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimc import Condition
from aimc.errors import ArgumentError
from aimc.parts import device as device_room
from aimc.parts.device import (
    Device,
    Drift,
    Effect,
    FlickerReadNoise,
    Noise,
    PolynomialWriteError,
    ReadNoise,
    Relaxation,
    StuckAt,
    TemperatureCoefficient,
    WriteError,
    WriteVerify,
)

CELLS = 40_000
UNIT = 1e-6
DAY = 86400.0

# IBM/aihwkit, inference/noise/pcm.py and reram.py; sandialabs/cross-sim, RRAM_Milo.py.
PCM = PolynomialWriteError((0.26348 * UNIT, 1.9650 * UNIT, -1.1731 * UNIT), 25 * UNIT)
PCM_DRIFT = Drift(
    nu=0.0244, nu_std=-0.0059, t_0=20.0, nu_slope=-0.0155, nu_limits=(0.049, 0.1),
    nu_std_slope=-0.0125, nu_std_limits=(0.008, 0.045),
)  # fmt: skip
WAN = {
    1.0: (0.348, 16.030, -43.853, 45.393, -16.815),
    DAY: (0.701, 22.086, -50.773, 47.095, -16.458),
    2 * DAY: (0.782, 20.274, -43.507, 37.062, -11.934),
}
WAN_ROWS = tuple(tuple(c * UNIT for c in row) for row in WAN.values())
WAN_SPREAD = Relaxation(tuple(WAN), WAN_ROWS, 40 * UNIT)
MILO = PolynomialWriteError((4.782 * UNIT, -0.009107 * 225 * UNIT), 225 * UNIT)


def wan(time, r):
    """Standard deviation [uS] of Wan et al. at r = G / 40 uS."""
    return sum(c * r**k for k, c in enumerate(WAN[time]))


def errors(effect: Effect, g: float, g_max: float, t: float = 0.0, seed: int = 0):
    """What the effect adds to many cells of one conductance [S]."""
    cells = np.full(CELLS, g)
    return effect(cells, np.random.default_rng(seed), g_max, t) - cells


def same_spread(got, expected):
    """Sample deviation, within 4.5 of its standard errors for a Gaussian, 1/sqrt(2 N)."""
    assert np.std(got) == pytest.approx(expected, rel=4.5 / np.sqrt(2 * CELLS))


class EffectContract:
    """What holds for every effect: `effect` acts, `nothing` is the same with zero strength."""

    effect: Any
    nothing: Effect
    g_max = 40 * UNIT
    t = 1000.0

    @pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (0, 3)])
    def test_the_shape_is_kept(self, shape):
        out = self.effect(np.full(shape, 20 * UNIT), np.random.default_rng(0), self.g_max, self.t)
        assert np.shape(out) == shape
        assert np.asarray(out).dtype == np.float64

    def test_the_input_is_left_as_it_was_and_not_shared(self):
        g = np.linspace(0, self.g_max, 50).reshape(5, 10)
        before = g.copy()
        g.flags.writeable = False
        for t in (0.0, self.t):
            out = self.effect(g, np.random.default_rng(0), self.g_max, t)
            np.testing.assert_array_equal(g, before)
            assert not np.shares_memory(out, g)

    def test_the_same_generator_state_gives_the_same_cells(self):
        g = np.linspace(0, self.g_max, 50)
        out = [
            self.effect(g, np.random.default_rng(seed), self.g_max, self.t) for seed in (3, 3, 4)
        ]
        np.testing.assert_array_equal(out[0], out[1])
        assert not np.array_equal(out[0], out[2])

    def test_it_acts_on_a_range_of_conductances_and_stays_finite(self):
        g = np.linspace(0, self.g_max, 50)
        out = self.effect(g, np.random.default_rng(0), self.g_max, self.t)
        assert np.all(np.isfinite(out))
        assert not np.array_equal(out, g)

    def test_zero_strength_is_the_identity(self):
        g = np.linspace(0, self.g_max, 50)
        out = self.nothing(g, np.random.default_rng(0), self.g_max, self.t)
        np.testing.assert_array_equal(out, g)

    def test_cells_are_independent(self):
        """The correlation of neighbouring cells is zero within 4.5 standard errors."""
        e = errors(self.effect, 20 * UNIT, self.g_max, self.t)
        assert abs(np.corrcoef(e[:-1], e[1:])[0, 1]) < 4.5 / np.sqrt(CELLS)

    def test_it_is_frozen_and_equal_by_value(self):
        assert self.effect == dataclasses.replace(self.effect)
        assert hash(self.effect) == hash(dataclasses.replace(self.effect))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(self.effect, dataclasses.fields(self.effect)[0].name, 1.0)

    def test_a_device_never_holds_a_negative_conductance(self):
        g = np.zeros(1000)
        rng = np.random.default_rng(0)
        device = Device(self.g_max, on_write=(self.effect,), on_age=(self.effect,))
        assert device.write(g, rng).min() >= 0
        assert device.age(g, self.t, rng).min() >= 0


class NoiseContract(EffectContract):
    """What holds for every Gaussian, zero-mean error."""

    def test_errors_are_gaussian_with_the_stated_deviation_and_no_mean(self):
        e = errors(self.effect, 20 * UNIT, self.g_max, self.t)
        sigma = float(self.effect.sigma(np.array([20 * UNIT]), self.g_max, self.t)[0])
        same_spread(e, sigma)
        assert abs(np.mean(e)) < 4.5 * sigma / np.sqrt(CELLS)
        z = e / sigma
        assert abs(np.mean(z**3)) < 4.5 * np.sqrt(15 / CELLS)
        assert abs(np.mean(z**4) - 3) < 4.5 * np.sqrt(96 / CELLS)

    def test_a_read_has_that_deviation(self):
        g = np.linspace(0, self.g_max, 9)
        device = Device(self.g_max, on_read=(self.effect, ReadNoise(3 * UNIT)))
        sigma = np.hypot(self.effect.sigma(g, self.g_max, self.t), 3 * UNIT)
        np.testing.assert_allclose(device.read_sigma(g, self.t), sigma, rtol=1e-12)


class TestWriteError(NoiseContract):
    effect = WriteError(2.67 * UNIT)
    nothing = WriteError(0.0)

    def test_every_target_has_the_same_deviation(self):
        for g in (0.0, 10 * UNIT, 150 * UNIT):
            same_spread(errors(self.effect, g, 150 * UNIT), 2.67 * UNIT)


class TestWriteVerify(EffectContract):
    effect = WriteVerify(5 * UNIT)
    nothing = WriteVerify(0.0)

    def test_errors_are_uniform_in_the_window(self):
        e = errors(self.effect, 100 * UNIT, 400 * UNIT) / (5 * UNIT)
        assert np.abs(e).max() <= 1 + 1e-9
        assert np.abs(e).max() > 0.999
        assert np.std(e) == pytest.approx(1 / np.sqrt(3), rel=0.02)
        assert abs(np.mean(e)) < 4.5 / np.sqrt(3 * CELLS)
        assert np.mean(e**4) / np.mean(e**2) ** 2 - 3 == pytest.approx(-1.2, abs=0.05)

    def test_the_deviation_lies_among_those_measured(self):
        """2.42 to 2.98 uS on cells written into +-5 uS [s41467-025-65233-w, source data]."""
        assert 2.42 < np.std(errors(self.effect, 100 * UNIT, 400 * UNIT)) / UNIT < 2.98


class TestPolynomialWriteErrorPCM(NoiseContract):
    effect = PCM
    nothing = PolynomialWriteError((0.0,), 25 * UNIT)
    g_max = 25 * UNIT

    @pytest.mark.parametrize("r", [0.4, 0.7, 1.0])
    @pytest.mark.parametrize("g_max", [25.0, 100.0])
    def test_moments_of_the_published_fit_scaled_to_the_range(self, r, g_max):
        sigma = (0.26348 + 1.9650 * r - 1.1731 * r**2) * g_max / 25
        same_spread(errors(self.effect, r * g_max * UNIT, g_max * UNIT) / UNIT, sigma)

    def test_beyond_the_range_the_fit_is_held(self):
        beyond = self.effect.sigma(np.array([25.0, 30.0]) * UNIT, 25 * UNIT, 0.0)
        assert beyond[0] == beyond[1]

    def test_a_fit_below_zero_is_no_error(self):
        steep = PolynomialWriteError((1 * UNIT, -2 * UNIT), 25 * UNIT)
        assert not errors(steep, 20 * UNIT, 25 * UNIT).any()


class TestPolynomialWriteErrorWan(NoiseContract):
    effect = PolynomialWriteError(WAN_ROWS[0], 40 * UNIT)
    nothing = PolynomialWriteError((0.0,), 40 * UNIT)

    @pytest.mark.parametrize("r", [0.1, 0.25, 0.5, 0.75, 1.0])
    def test_moments_of_the_published_fit(self, r):
        same_spread(errors(self.effect, r * 40 * UNIT, 40 * UNIT) / UNIT, wan(1.0, r))


class TestPolynomialWriteErrorMilo(NoiseContract):
    effect = MILO
    nothing = PolynomialWriteError((0.0,), 40 * UNIT)
    g_max = 225 * UNIT

    @pytest.mark.parametrize("g", [50.0, 120.0, 225.0])
    def test_moments_of_the_published_fit(self, g):
        same_spread(errors(self.effect, g * UNIT, 225 * UNIT) / UNIT, 4.782 - 0.009107 * g)


class TestStuckAt(EffectContract):
    effect = StuckAt(0.1, 5 * UNIT)
    nothing = StuckAt(0.0)

    def test_the_fraction_is_stuck_at_its_conductance_and_the_rest_untouched(self):
        g = np.linspace(10, 40, CELLS) * UNIT
        out = self.effect(g, np.random.default_rng(1), 40 * UNIT, 0.0)
        stuck = out != g
        assert np.all(out[stuck] == 5 * UNIT)
        assert stuck.mean() == pytest.approx(0.1, abs=4.5 * np.sqrt(0.1 * 0.9 / CELLS))

    def test_a_fraction_of_one_is_every_cell(self):
        g = np.full(100, 20 * UNIT)
        out = StuckAt(1.0, 40 * UNIT)(g, np.random.default_rng(0), 40 * UNIT, 0.0)
        assert np.all(out == 40 * UNIT)

    def test_sound_cells_that_are_written_again_do_not_get_stuck(self):
        device = Device(40 * UNIT, on_write=(StuckAt(1.0), WriteError(1 * UNIT)))
        g = np.full(CELLS, 20 * UNIT)
        assert not device.write(g - g, np.random.default_rng(0)).all()
        again = device.rewrite(g, np.random.default_rng(0))
        same_spread(again, 1 * UNIT)
        assert np.mean(again) == pytest.approx(20 * UNIT, rel=0.01)


class TestReadNoise(NoiseContract):
    effect = ReadNoise(0.14 * UNIT, 0.01)
    nothing = ReadNoise()

    @pytest.mark.parametrize("g", [0.0, 10.0, 40.0])
    def test_the_constant_and_the_relative_part_add_in_quadrature(self, g):
        same_spread(
            errors(self.effect, g * UNIT, 40 * UNIT) / UNIT, np.sqrt(0.14**2 + (0.01 * g) ** 2)
        )


class TestFlickerReadNoise(NoiseContract):
    effect = FlickerReadNoise()
    nothing = FlickerReadNoise(q=0.0)
    g_max = 25 * UNIT

    @pytest.mark.parametrize("r", [1e-3, 0.1, 0.5, 1.0])
    @pytest.mark.parametrize("t", [20.0, 3600.0, 1e7])
    def test_moments_of_the_published_formula(self, r, t):
        q = min(0.0088 / max(r**0.65, 1e-3), 0.2)
        sigma = 25 * r * q * np.sqrt(np.log((t + 250e-9) / (2 * 250e-9)))
        same_spread(errors(self.effect, 25 * r * UNIT, 25 * UNIT, t) / UNIT, sigma)

    @pytest.mark.parametrize("t", [0.0, 100e-9, 250e-9])
    def test_before_one_read_time_there_is_none(self, t):
        assert not errors(self.effect, 20 * UNIT, 25 * UNIT, t).any()


class TestDrift(EffectContract):
    effect = Drift(nu=0.05, nu_std=0.02)
    nothing = Drift(nu=0.0)

    @pytest.mark.parametrize("t", [10.0, 3600.0, 1e7])
    @pytest.mark.parametrize("t_0", [1.0, 5.0])
    def test_one_exponent_gives_the_power_law_exactly(self, t, t_0):
        g = np.linspace(0, 40, 30) * UNIT
        out = Drift(nu=0.07, t_0=t_0)(g, np.random.default_rng(0), 40 * UNIT, t)
        np.testing.assert_allclose(out, g * (t / t_0) ** -0.07, rtol=1e-13)

    @pytest.mark.parametrize("t", [100.0, 1e6])
    def test_the_exponents_have_their_mean_and_spread_cell_by_cell(self, t):
        g = np.full(CELLS, 20 * UNIT)
        out = self.effect(g, np.random.default_rng(0), 40 * UNIT, t)
        nu = -np.log(out / g) / np.log(t)
        same_spread(nu, 0.02)
        assert np.mean(nu) == pytest.approx(0.05, abs=4.5 * 0.02 / np.sqrt(CELLS))
        median = 20 * UNIT * t**-0.05
        assert np.median(out) == pytest.approx(median, rel=6 * 0.02 * np.log(t) / np.sqrt(CELLS))

    @pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
    def test_up_to_t_0_nothing_changes(self, t):
        g = np.linspace(0, 40, 30) * UNIT
        np.testing.assert_array_equal(self.effect(g, np.random.default_rng(0), 40 * UNIT, t), g)

    def test_a_cell_keeps_its_exponent_from_one_age_to_the_next(self):
        g = np.full(1000, 20 * UNIT)
        device = Device(40 * UNIT, on_age=(self.effect,))
        early, late = (device.age(g, t, np.random.default_rng(5)) for t in (10.0, 1e5))
        np.testing.assert_allclose(np.log(late / g), 5 * np.log(early / g), rtol=1e-9)


class TestDriftPCM(EffectContract):
    effect = PCM_DRIFT
    nothing = Drift(nu=0.0, t_0=20.0)
    g_max = 25 * UNIT

    @pytest.mark.parametrize("r", [1e-3, 0.05, 0.15, 0.5, 1.0])
    def test_the_exponents_of_the_published_fit(self, r):
        mean = np.clip(-0.0155 * np.log(r) + 0.0244, 0.049, 0.1)
        std = np.clip(-0.0125 * np.log(r) - 0.0059, 0.008, 0.045)
        g = np.full(CELLS, 25 * r * UNIT)
        out = self.effect(g, np.random.default_rng(0), 25 * UNIT, DAY)
        nu = -np.log(out / g) / np.log(DAY / 20)
        same_spread(nu, std)
        assert np.mean(nu) == pytest.approx(mean, abs=4.5 * std / np.sqrt(CELLS))


class TestRelaxation(NoiseContract):
    effect = WAN_SPREAD
    nothing = Relaxation((1.0, DAY), ((1 * UNIT,), (1 * UNIT,)), 40 * UNIT)

    @pytest.mark.parametrize("time", [1.0, DAY, 2 * DAY])
    @pytest.mark.parametrize("r", [0.25, 0.5, 1.0])
    def test_writing_and_ageing_together_have_the_measured_deviation(self, r, time):
        device = Device(
            40 * UNIT,
            on_write=(PolynomialWriteError(WAN_ROWS[0], 40 * UNIT),),
            on_age=(WAN_SPREAD,),
        )
        rng = np.random.default_rng(2)
        flat = np.full(CELLS, r * 40 * UNIT)
        added = self.effect.sigma(flat[:1], 40 * UNIT, time)[0] / UNIT
        assert np.hypot(wan(1.0, r), added) == pytest.approx(wan(time, r), rel=1e-9)
        aged = device.age(device.write(flat, rng), time, rng)
        assert np.std(aged) / UNIT == pytest.approx(wan(time, r), rel=0.05)

    @pytest.mark.parametrize("t", [0.1, 0.5, 1.0])
    def test_nothing_is_added_before_the_first_time(self, t):
        assert not errors(self.effect, 20 * UNIT, 40 * UNIT, t).any()

    @pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
    @pytest.mark.parametrize("pair", [(1.0, DAY), (DAY, 2 * DAY)])
    def test_between_two_times_the_deviation_is_linear_in_the_logarithm(self, share, pair):
        a, b = pair
        t = a * (b / a) ** share
        total = (1 - share) * wan(a, 0.5) + share * wan(b, 0.5)
        added = self.effect.sigma(np.array([20 * UNIT]), 40 * UNIT, t)[0] / UNIT
        assert added == pytest.approx(np.sqrt(max(total**2 - wan(1.0, 0.5) ** 2, 0)), rel=1e-9)

    def test_a_spread_that_shrinks_adds_nothing(self):
        shrinks = Relaxation((1.0, DAY), ((2 * UNIT,), (1 * UNIT,)), 40 * UNIT)
        assert not errors(shrinks, 20 * UNIT, 40 * UNIT, DAY).any()

    def test_beyond_the_last_time_nothing_was_measured(self):
        with pytest.raises(ArgumentError, match=r"`t` must be at most 172800 s .* is 172801 s"):
            errors(self.effect, 20 * UNIT, 40 * UNIT, 2 * DAY + 1)


def test_every_effect_of_the_package_is_under_contract():
    effects = {
        kind
        for kind in vars(device_room).values()
        if isinstance(kind, type) and issubclass(kind, Effect) and kind not in (Effect, Noise)
    }
    tested = {
        type(case.effect)
        for case in globals().values()
        if isinstance(case, type) and issubclass(case, EffectContract) and hasattr(case, "effect")
    }
    assert tested == effects


def test_effects_act_in_the_order_given():
    g = np.full(1000, 20 * UNIT)
    stuck_last = Device(40 * UNIT, on_write=(WriteError(1 * UNIT), StuckAt(1.0, 5 * UNIT)))
    assert np.all(stuck_last.write(g, np.random.default_rng(0)) == 5 * UNIT)
    first = Device(40 * UNIT, on_write=(StuckAt(1.0, 5 * UNIT), StuckAt(1.0, 9 * UNIT)))
    assert np.all(first.write(g, np.random.default_rng(0)) == 5 * UNIT)


EVERY = [
    case.effect
    for case in list(globals().values())
    if isinstance(case, type) and issubclass(case, EffectContract) and hasattr(case, "effect")
]


@given(
    st.permutations(EVERY), st.sampled_from([0.0, 5.0, 40.0]), st.integers(0, 9),
    st.sampled_from([0.0, 1.0, 3600.0, DAY]), st.sampled_from([None, 250.0, 400.0]),
)  # fmt: skip
def test_a_dead_cell_stays_dead(order, held, seed, age, temperature):
    """Whatever else acts on it, in whatever order; written again too."""
    stuck = StuckAt(0.3, held * UNIT)
    effects = tuple(stuck if isinstance(each, StuckAt) else each for each in order)
    device = Device(
        40 * UNIT,
        on_write=effects,
        on_age=effects,
        on_read=tuple(each for each in effects if isinstance(each, Noise)),
        temperature=TemperatureCoefficient(1e-3, -1e-3),
    )
    rng = np.random.default_rng(seed)
    cells = device.written(rng.uniform(0, 40 * UNIT, 400), rng)
    assert 0.15 < cells.dead.mean() < 0.45
    again = cells.rewritten(True, device.rewrite(np.full(400, 20 * UNIT), rng), 10.0)
    for each in (cells, again):
        now = each.under(device, Condition(age, temperature), rng)
        assert np.all(now.dead[cells.dead])
        assert np.all(now.g[now.dead] == held * UNIT)
        assert not device.read_sigma(now.g, age, now.dead)[now.dead].any()
        read = device.read(now.g, rng, age, now.dead)
        assert np.all(read[now.dead] == held * UNIT)
        assert np.all(now.g[~now.dead] != held * UNIT) or held == 0.0


@pytest.mark.parametrize("sigma", [0.1, 1.0, 5.0])
def test_a_read_keeps_the_mean_however_large_its_noise_is(sigma):
    device = Device(40 * UNIT, on_read=(ReadNoise(relative=sigma),))
    read = device.read(np.full(CELLS, UNIT), np.random.default_rng(0))
    assert read.min() >= 0
    assert np.mean(read) == pytest.approx(UNIT, abs=4.5 * np.std(read) / np.sqrt(CELLS))


def test_a_device_without_effects_holds_what_is_asked_for():
    device, rng = Device(150 * UNIT, 1 * UNIT), np.random.default_rng(0)
    g = np.array([[1.0, 75.0, 150.0]]) * UNIT
    for out in (device.write(g, rng), device.age(g, 1e9, rng), device.read(g, rng, 1e9)):
        np.testing.assert_array_equal(out, g)
    assert not device.read_sigma(g).any()
    assert device.on_off == 150
    assert Device(150 * UNIT).on_off == np.inf


def test_age_zero_leaves_the_cells_as_written():
    device = Device(40 * UNIT, on_age=(WriteError(1 * UNIT),))
    g = np.full(100, 20 * UNIT)
    np.testing.assert_array_equal(device.age(g, 0.0, np.random.default_rng(0)), g)


def test_a_target_a_rounding_below_zero_is_zero():
    device = Device(150 * UNIT)
    assert device.write(np.array([-1e-20]), np.random.default_rng(0)) == 0


@pytest.mark.parametrize("g", [[0.5 * UNIT], [151 * UNIT], [-1 * UNIT], [np.nan], [["x"]]])
def test_a_target_outside_the_range_is_refused(g):
    with pytest.raises(ArgumentError, match="`g_target` must"):
        Device(150 * UNIT, 1 * UNIT).write(g, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Device(0.0), "`g_max` must be greater than 0"),
        (lambda: Device(1e-4, -1e-6), "`g_min` must be at least 0"),
        (lambda: Device(1e-4, 1e-4), "`g_min` must be below g_max"),
        (lambda: Device(1e-4, on_write=(1.0,)), "`on_write` must hold Effects"),  # pyright: ignore[reportArgumentType]
        (lambda: Device(1e-4, on_read=(StuckAt(0.1),)), "`on_read` must hold Noises"),  # pyright: ignore[reportArgumentType]
        (lambda: WriteError(-1e-6), "`std` must be at least 0"),
        (lambda: WriteVerify(-1e-6), "`tolerance` must be at least 0"),
        (lambda: PolynomialWriteError((), 1e-6), "`coefficients` must be one or more"),
        (lambda: PolynomialWriteError((np.nan,), 1e-6), "`coefficients` must be finite"),
        (lambda: PolynomialWriteError((1e-6,), 0.0), "`g_ref` must be greater than 0"),
        (lambda: StuckAt(1.1), "`fraction` must be at most 1"),
        (lambda: StuckAt(0.1, -1e-6), "`g` must be at least 0"),
        (lambda: ReadNoise(-1e-6), "`std` must be at least 0"),
        (lambda: ReadNoise(0.0, -0.1), "`relative` must be at least 0"),
        (lambda: FlickerReadNoise(t_read=0.0), "`t_read` must be greater than 0"),
        (lambda: FlickerReadNoise(q=-1.0), "`q` must be at least 0"),
        (lambda: Drift(0.05, t_0=0.0), "`t_0` must be greater than 0"),
        (lambda: Drift(0.05, nu_limits=(0.1, 0.0)), "`nu_limits` must rise"),
        (lambda: Drift(np.nan), "`nu` must be finite"),
        (lambda: Drift(0.05, nu_std=np.nan), "`nu_std` must be finite"),
        (lambda: Drift("a"), "`nu` must be a number"),  # pyright: ignore[reportArgumentType]
        (lambda: Relaxation((1.0,), ((1e-6,),), 1e-6), "`times` must be two or more rising"),
        (lambda: Relaxation((2.0, 1.0), ((1e-6,),) * 2, 1e-6), "`times` must be two or more"),
        (lambda: Relaxation((1.0, 2.0), ((1e-6,),), 1e-6), "`coefficients` must have 2 rows"),
    ],
)
def test_a_device_that_cannot_be_is_refused(build, says):
    with pytest.raises(ArgumentError, match=says):
        build()
