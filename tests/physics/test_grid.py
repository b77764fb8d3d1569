"""Laws of a macro of any size: a matrix on several arrays acts as on one."""

import numpy as np
import pytest

from aimc.converters.imperfections import ComparatorOffset
from aimc.converters.ramp import RampADC
from aimc.crossbar import Crossbar
from aimc.curves import linear
from aimc.errors import ArgumentError
from aimc.macro import Condition, Hardware, Macro
from aimc.macro.layout import Curves
from aimc.macro.plan import ReadPlan
from aimc.parts.device import Device, Drift, ReadNoise, WriteError
from aimc.parts.driver import PulseDriver, VoltageDriver
from aimc.parts.mapping import DifferentialPair, OffsetColumn
from aimc.parts.wires import Wires

FINE = Hardware(Device(150e-6), VoltageDriver(0.2), rows=16, cols=8, adc=RampADC(12))
NOISY = FINE.replace(
    device=Device(150e-6, 1e-6, (WriteError(2.67e-6),), (Drift(0.05, 0.01),), (ReadNoise(1e-6),)),
    driver=PulseDriver(0.2, 5),
    wires=Wires(1.0, 1.0, 5.0, 5.0),
    adc=RampADC(5, (ComparatorOffset(2e-3),)),
)
F = {
    "linear": lambda z: np.clip(z, -1, 1),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}
STEEPEST = {"linear": 1.0, "tanh": 1.0, "sigmoid": 0.25}


def case(rows, cols, batch=60, seed=0, size=0.25):
    rng = np.random.default_rng(seed)
    return rng.normal(0, size, (rows, cols)), rng.uniform(-1, 1, (batch, rows))


def tile(hardware, w, rng, curve: Curves = "linear", partial_range=None):
    return hardware.replace(partial_range=partial_range).program(w, rng, curve)


def new():
    return np.random.default_rng(11)


def reach(w, x, rows):
    """What no partial sum of `rows` rows exceeds."""
    parts = [x[:, k : k + rows] @ w[k : k + rows] for k in range(0, len(w), rows)]
    return 1.01 * max(np.abs(part).max() for part in parts)


@pytest.mark.parametrize("function", list(F))
@pytest.mark.parametrize("mapping", [DifferentialPair(), OffsetColumn()])
@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_split_rows_give_the_function_of_the_whole_product(function, mapping, blocks):
    """Each block errs by half a partial step, the result by half an output step:
    |y - f(x w)| <= max f' blocks range 2^-b + LSB / 2.
    """
    w, x = case(16 * blocks, 6)
    span = reach(w, x, 16)
    tiled = tile(FINE.replace(mapping=mapping), w, new(), function, partial_range=span)
    assert isinstance(tiled, Macro)
    assert len(tiled.macros) == blocks
    bound = STEEPEST[function] * blocks * span * 2.0**-12 + tiled.lsb / 2
    assert np.abs(tiled(x) - F[function](x @ w)).max() <= bound * (1 + 1e-6)
    np.testing.assert_allclose(tiled.w, w, atol=1e-12)


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_tiled_is_one_large_array_to_converter_resolution(function):
    w, x = case(48, 20)
    single = FINE.replace(rows=48, cols=20).program(w, new(), function)
    span = reach(w, x, 16)
    tiled = tile(FINE, w, new(), function, partial_range=span)
    bound = STEEPEST[function] * 3 * span * 2.0**-12 + 1.5 * single.lsb
    assert np.abs(tiled(x) - single(x)).max() <= bound


def test_the_partial_range_of_four_deviations_seldom_saturates():
    """One draw in 16,000 of a normal variable lies outside."""
    w, x = case(64, 8, batch=2000)
    tiled = tile(FINE, w, new(), "tanh")
    for k, macro in enumerate(tiled.macros):
        part = w[16 * k : 16 * k + 16]
        (curve,) = {ramp.curve for _, ramp in macro.ramps}
        reached = 4 * np.sqrt((part**2).sum(0).max() / 3)
        assert (curve.hi - curve.lo) / 2 == pytest.approx(reached, rel=1e-12)
        assert curve.hi + curve.lo == pytest.approx(-2 * reached / 2**12, rel=1e-9)
        z = x[:, 16 * k : 16 * k + 16] @ part
        assert np.mean(np.abs(z) > curve.hi) < 1e-3
    assert np.abs(tiled(x) - np.tanh(x @ w)).max() < 0.02


def test_split_columns_are_the_same_bits_as_arrays_programmed_one_after_the_other():
    w, x = case(16, 20)
    tiled = tile(NOISY, w, new(), "tanh")
    rng = new()
    parts = [
        NOISY.program(w[:, c], rng, "tanh") for c in (slice(0, 7), slice(7, 13), slice(13, 20))
    ]
    assert [m.shape for m in tiled.macros] == [(16, 7), (16, 6), (16, 7)]
    np.testing.assert_array_equal(tiled(x), np.concatenate([p(x) for p in parts], axis=1))
    np.testing.assert_array_equal(tiled.w, np.concatenate([p.w for p in parts], axis=1))
    noisy, rng = tiled(x, np.random.default_rng(3)), np.random.default_rng(3)
    np.testing.assert_array_equal(noisy, np.concatenate([p(x, rng) for p in parts], axis=1))
    assert not np.array_equal(noisy, tiled(x))


def test_split_columns_without_errors_are_one_large_array():
    w, x = case(16, 24)
    coarse = FINE.replace(bits=5)
    single = coarse.replace(cols=24).program(w, new(), "sigmoid")
    np.testing.assert_array_equal(tile(coarse, w, new(), "sigmoid")(x), single(x))


@pytest.mark.parametrize("rows", [16, 40])
@pytest.mark.parametrize("cols", [8, 20, 36])
def test_gates_keep_their_curves_over_ranges_wherever_the_arrays_end(rows, cols):
    gates = ("sigmoid", "sigmoid", "tanh", "sigmoid")
    w, x = case(rows, cols)
    tiled = tile(FINE, w, new(), gates, partial_range=reach(w, x, 13) + 1)
    y, z = tiled(x), x @ w
    for k, function in enumerate(gates):
        place = slice(k * cols // 4, (k + 1) * cols // 4)
        np.testing.assert_allclose(y[:, place], F[function](z[:, place]), atol=6e-3)
    assert tiled.lsb == pytest.approx(2 / 2**12)


def test_the_curve_is_applied_to_the_sum_and_not_to_the_parts():
    """Two halves of 0.5 make tanh(1), not 2 tanh(0.5)."""
    w = np.full((32, 2), 0.5 / 16)
    tiled = tile(FINE, w, new(), "tanh", partial_range=2.0)
    y = tiled(np.ones((1, 32)))
    np.testing.assert_allclose(y, np.tanh(1.0), atol=2e-3)
    assert abs(2 * np.tanh(0.5) - np.tanh(1.0)) > 0.1
    for macro in tiled.macros:
        for _, ramp in macro.ramps:
            assert ramp.curve.name == "linear"


@pytest.mark.parametrize("function", ["tanh", "sigmoid", "linear"])
def test_a_tiled_output_is_one_of_the_converter_s_outputs(function):
    w, x = case(40, 12)
    coarse = FINE.replace(bits=5)
    tiled = tile(coarse, w, new(), function)
    single = coarse.replace(rows=40, cols=12).program(w, new(), function)
    outputs = single.ramps[0][1].outputs
    assert np.isin(tiled(x), outputs).all()
    assert tiled.lsb == single.lsb
    assert tiled.x_max == single.x_max


@pytest.mark.parametrize("shape", [(1, 1), (16, 8), (17, 8), (16, 9), (17, 9), (100, 50)])
def test_arrays_are_as_equal_as_they_can_be_and_none_too_large(shape):
    w, x = case(*shape, batch=3)
    tiled = tile(FINE, w, new())
    assert tiled.shape == shape
    assert tiled(x).shape == (3, shape[1])
    assert len(tiled.macros) == -(-shape[0] // 16) * -(-shape[1] // 8)
    for axis, most in ((0, 16), (1, 8)):
        sizes = [macro.shape[axis] for macro in tiled.macros]
        assert max(sizes) <= most
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("rows", [16, 33, 64])
@pytest.mark.parametrize("change", [{}, {"driver": VoltageDriver(0.2)}, {"bits": 7}])
def test_a_stack_without_wires_is_one_tall_array_bit_for_bit(rows, change):
    w, x = case(rows, 20)
    hardware = NOISY.replace(wires=Wires(), **change)
    stacked = hardware.replace(stack=4).program(w, new(), "tanh")
    tall = hardware.replace(rows=rows).program(w, new(), "tanh")
    assert stacked.arrays == 3 * -(-rows // 16)
    for rng in (None, 5):
        made = [None if rng is None else np.random.default_rng(rng) for _ in range(2)]
        one, two = stacked.trace(x, made[0]), tall.trace(x, made[1])
        for name in ("v", "i", "u", "code", "y"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    aged = [macro.under(Condition(1e4), new()) for macro in (stacked, tall)]
    np.testing.assert_array_equal(aged[0](x), aged[1](x))


@pytest.mark.parametrize("noise", ["first-order", "exact"])
@pytest.mark.parametrize("idle", ["grounded", "floating"])
def test_currents_of_arrays_above_each_other_add(noise, idle):
    """Each has wires of its own: the sum of reads of each, to rounding, and so is the noise."""
    hardware = NOISY.replace(wires=Wires(1.0, 1.0, 5.0, 5.0, noise=noise, idle=idle), stack=3)
    w, x = case(40, 6)
    crossbar = hardware.program(w, new(), "tanh").crossbar
    v = 0.2 * x
    parts = [array.read(v[:, rows]) for rows, array in crossbar.arrays]
    assert len(parts) == 3
    np.testing.assert_allclose(crossbar.read(v), np.sum(parts, axis=0), rtol=1e-12)
    reads = np.stack([crossbar.read(v[:4], np.random.default_rng(k)) for k in range(400)])
    alone = np.stack(
        [
            [array.read(v[:4, rows], rng) for rows, array in crossbar.arrays]
            for rng in map(np.random.default_rng, range(1000, 1400))
        ]
    ).sum(axis=1)
    spread, expected = reads.std(axis=0), alone.std(axis=0)
    np.testing.assert_allclose(spread, expected, rtol=0.25)
    assert np.abs(spread / expected - 1).mean() < 0.06


def test_a_stack_converts_the_whole_sum_through_its_curve():
    w, x = case(64, 6)
    stacked = FINE.replace(stack=4).program(w, new(), "tanh")
    assert len(stacked.macros) == 1
    assert np.abs(stacked(x) - np.tanh(x @ w)).max() < 1.01 * stacked.lsb / 2
    two = FINE.replace(stack=2).program(w, new(), "tanh")
    assert [macro.shape for macro in two.macros] == [(32, 6), (32, 6)]
    assert np.abs(two(x) - np.tanh(x @ w)).max() < 5e-3


def test_one_seed_is_one_set_of_chips_and_reading_changes_nothing():
    w, x = case(40, 20)
    first, second = (tile(NOISY, w, new(), "tanh") for _ in range(2))
    np.testing.assert_array_equal(first(x), second(x))
    np.testing.assert_array_equal(first(x, new()), second(x, new()))
    np.testing.assert_array_equal(first(x), second(x))


def test_every_array_ages():
    w, x = case(40, 20)
    tiled = tile(NOISY, w, new(), "tanh")
    aged = tiled.under(Condition(1e6), new())
    assert [m.condition.age for m in aged.macros] == [1e6] * 9
    for before, after in zip(tiled.macros, aged.macros, strict=True):
        on = before.crossbar.g > 20e-6
        ratio = after.crossbar.g[on] / before.crossbar.g[on]
        assert np.median(ratio) == pytest.approx(1e6**-0.05, rel=0.1)
    assert aged(x).shape == tiled(x).shape


def test_a_matrix_of_zeros_errs_by_half_a_step_a_block():
    """No code stands for zero itself: each block's is half a step, range 2^-b, above it."""
    _, x = case(40, 20)
    y = tile(FINE, np.zeros((40, 20)), new(), "tanh", partial_range=1.0)(x)
    assert np.abs(y).max() <= (3 + 1) * 2.0**-12


@pytest.mark.parametrize("function", ["linear", "tanh", "sigmoid"])
@pytest.mark.parametrize("blocks", [2, 4])
def test_silent_blocks_add_nothing(function, blocks):
    """What one active block of several gives is what it gives below silent ones: partial codes of
    zero are zero, whatever the number of blocks."""
    coarse = FINE.replace(bits=5, driver=PulseDriver(0.2, 5))
    w, x = case(16 * blocks, 6)
    x[:, 16:] = 0.0
    tiled = tile(coarse, w, new(), function)
    alone = tile(coarse, np.concatenate([w[:16], np.zeros((16, 6))]), new(), function)
    np.testing.assert_allclose(tiled.trace(x).u[1:], 0.0, atol=1e-12)
    error = tiled.trace(x).y - F[function](coarse.driver.quantise(x) @ w)
    assert abs(error.mean()) < 0.3 * tiled.lsb
    np.testing.assert_array_equal(tiled(x), alone(x[:, :32]))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("function", ["linear", "tanh", "sigmoid"])
def test_silent_blocks_add_nothing_with_fewer_bits_either(function, bits):
    """And a grid puts out as many values as its converters have codes, as one array does."""
    coarse = FINE.replace(bits=5, driver=PulseDriver(0.2, 5))
    w, x = case(64, 6)
    grid = tile(coarse, w, new(), function).under(Condition(bits=bits))
    one = coarse.program(w[:16], new(), function).under(Condition(bits=bits))
    zero = np.zeros((1, 64))
    np.testing.assert_allclose(grid(zero), one(zero[:, :16]), rtol=0, atol=1e-12)
    assert grid.lsb == one.lsb
    assert (
        np.unique(grid(np.repeat(x, 40, axis=0) * np.linspace(-9, 9, 40 * len(x))[:, None])).size
        <= 2**bits
    )
    for kind in (np.float64, np.float32):
        plan = ReadPlan.of(grid, kind)
        assert plan is not None
        np.testing.assert_allclose(plan.read(x), grid(x), atol=1e-6)


def test_a_sum_on_a_threshold_has_crossed_it_as_in_the_converter():
    """A sum of zero stands on the middle threshold, as no current at a ramp does."""
    coarse = FINE.replace(bits=5)
    y = tile(coarse, np.zeros((32, 4)), new(), "linear", partial_range=1.0)(np.ones((1, 32)))
    np.testing.assert_array_equal(y, 0.5 * 2 / 2**5)


def test_a_wide_linear_curve_is_resolved_over_its_own_range():
    w, x = case(40, 8)
    tiled = tile(FINE, w, new(), linear(-4, 4), partial_range=reach(w, x, 13) + 1)
    np.testing.assert_allclose(tiled(x), np.clip(x @ w, -4, 4), atol=6e-3)


def test_it_prints_the_grid():
    w, _ = case(40, 20)
    assert "40 x 20 weights on 3 x 3 arrays" in str(tile(FINE, w, new()))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tile(FINE, np.zeros(40), new()), r"`w` must have shape \(any, any\)"),
        (lambda: tile(FINE, np.full((40, 4), np.nan), new()), "`w` must be finite"),
        (lambda: tile(FINE, np.eye(40), new(), "relu"), "`curve` must be one of"),
        (lambda: tile(FINE, np.eye(40), new(), ("tanh",) * 3), "divide the 40 columns"),
        (lambda: tile(FINE, np.eye(40), new(), partial_range=0), "`partial_range` must be greater"),
        (lambda: tile(FINE, np.eye(40), 7), "`rng` must be a numpy.random.Generator"),
        (lambda: tile(FINE, np.eye(40), new())(np.zeros((2, 39))), r"shape \(any, 40\)"),
        (lambda: tile(FINE, np.eye(40), new())(np.full((1, 40), np.inf)), "`x` must be finite"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()


def test_what_arrays_hold_is_held_once():
    """Nobody can write to a crossbar's cells, and arrays of a stack share them with it."""
    g = np.full((6, 2), 1e-6)
    part = g[:4]
    part.flags.writeable = False
    crossbar, view = Crossbar(g, edges=(2, 6)), Crossbar(part)
    g[:] = 5e-6
    assert (crossbar.g == 1e-6).all()
    assert (view.g == 1e-6).all()
    for _, each in crossbar.arrays:
        assert np.shares_memory(each.g, crossbar.g)
        with pytest.raises(ValueError, match="read-only"):
            each.g[0] = 0
