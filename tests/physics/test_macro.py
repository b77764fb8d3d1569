"""Laws of crossbar and macro."""

import os
import subprocess
import sys

import numpy as np
import pytest

from aimc.converters.imperfections import ComparatorOffset
from aimc.converters.ramp import ProgrammedRamp, RampADC
from aimc.crossbar import Crossbar
from aimc.errors import ArgumentError
from aimc.macro import Condition, Hardware, Macro
from aimc.parts.device import Device, Drift, ReadNoise, WriteError
from aimc.parts.driver import PulseDriver, VoltageDriver
from aimc.parts.mapping import OffsetColumn
from aimc.parts.sense import Integrator
from aimc.parts.wires import Wires

IDEAL = Hardware(Device(150e-6), PulseDriver(0.2, 5), rows=128, cols=64)
NOISY = IDEAL.replace(device=Device(150e-6, 1e-6, (WriteError(2.67e-6),)))
WIRES = Wires(1.0, 1.0, 5.0, 5.0)


def case(rows=24, cols=12, batch=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.4, (rows, cols)), rng.uniform(-1, 1, (batch, rows)), rng


def test_without_wire_resistance_the_currents_are_v_at_g_bit_for_bit():
    rng = np.random.default_rng(0)
    g, v = rng.uniform(0, 1e-4, (20, 30)), rng.normal(size=(5, 20))
    crossbar = Crossbar(g, Wires())
    assert np.array_equal(crossbar.read(v), v @ g)
    assert np.array_equal(crossbar.transfer, g)


def test_the_transfer_matrix_gives_the_solved_currents():
    rng = np.random.default_rng(0)
    crossbar = Crossbar(rng.uniform(0, 1e-4, (20, 30)), WIRES)
    v = rng.normal(size=(5, 20))
    solution = crossbar.solve(v)
    np.testing.assert_allclose(crossbar.read(v), solution.current, rtol=1e-9, atol=1e-15)
    assert solution.residual < 1e-9


@pytest.mark.parametrize("wires", [Wires(), Wires(20.0, 20.0, 10.0, 10.0)])
def test_read_noise_has_the_deviation_of_solves_with_noisy_cells(wires):
    rng = np.random.default_rng(3)
    g = rng.uniform(20e-6, 150e-6, (16, 6))
    crossbar = Crossbar(g, wires, np.full_like(g, 1e-6))
    v = np.tile(rng.normal(0, 0.2, (1, 16)), (4000, 1))
    drawn = crossbar.noise(v, rng)
    exact = [
        Crossbar(g + 1e-6 * rng.standard_normal(g.shape), wires).read(v[:1])[0] for _ in range(1500)
    ]
    np.testing.assert_allclose(drawn.std(0), np.std(exact, axis=0), rtol=0.1)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=4 * drawn.std(0).max() / np.sqrt(4000))


@pytest.mark.parametrize("mapping", [IDEAL.mapping, OffsetColumn()])
@pytest.mark.parametrize("driver", [PulseDriver(0.2, 12), VoltageDriver(0.1, None)])
@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_an_ideal_macro_is_the_function_of_the_product(mapping, driver, function):
    w, x, rng = case()
    macro = IDEAL.replace(mapping=mapping, driver=driver, adc=RampADC(12)).program(w, rng, function)
    exact = np.tanh(x @ w) if function == "tanh" else 1 / (1 + np.exp(-x @ w))
    inside = np.abs(x).max(axis=1) <= macro.x_max
    assert np.abs(macro(x) - exact)[inside].max() < 2e-3
    np.testing.assert_allclose(macro.w, w, atol=1e-12)


def test_each_room_hands_on_what_it_says():
    w, x, rng = case()
    macro = NOISY.program(w, rng, "sigmoid")
    trace = macro.trace(x)
    g = macro.crossbar.g
    np.testing.assert_array_equal(trace.v, 0.2 * IDEAL.driver.quantise(x))
    np.testing.assert_allclose(trace.i, (trace.v @ g)[:, ::2] - (trace.v @ g)[:, 1::2], rtol=1e-9)
    np.testing.assert_allclose(trace.u, trace.i * 32e-9 / macro.c_array, rtol=1e-12)
    (_, ramp), *_ = macro.ramps
    np.testing.assert_array_equal(trace.code, ramp.convert(trace.u))
    np.testing.assert_array_equal(trace.y, ramp.decode(trace.code))


def test_the_gain_aligns_array_and_ramp():
    """Window over step time, times the largest threshold step, for w_max = 1."""
    w = np.eye(4)
    macro = IDEAL.program(w, np.random.default_rng(0), "sigmoid")
    theta = macro.ramps[0][1].curve.thresholds(5)
    assert macro.gain == pytest.approx(32 * np.diff(theta).max(), rel=1e-12)
    assert np.ptp(macro.ramps[0][1].levels) == pytest.approx(0.5, rel=1e-12)


def test_a_given_capacitor_is_kept_and_codes_stay():
    w, x, _ = case()
    free = IDEAL.program(w, np.random.default_rng(1), "tanh")
    fixed = IDEAL.replace(sense=Integrator(c_fb=1e-12)).program(w, np.random.default_rng(1), "tanh")
    assert fixed.c_array == 1e-12
    np.testing.assert_array_equal(free.trace(x).code, fixed.trace(x).code)


def test_v_read_cancels_between_array_and_ramp():
    w, x, _ = case()
    codes = [
        NOISY.replace(v_read=v).program(w, np.random.default_rng(1), "tanh").trace(x).code
        for v in (0.1, 0.2, 0.3)
    ]
    assert np.array_equal(codes[0], codes[1])
    assert np.array_equal(codes[1], codes[2])


def test_a_common_drift_cancels_between_array_and_ramp():
    w, x, _ = case()
    hardware = IDEAL.replace(device=Device(150e-6, on_age=(Drift(nu=0.1),)))
    macro = hardware.program(w, np.random.default_rng(1), "tanh")
    aged = macro.under(Condition(1e5), np.random.default_rng(2))
    assert aged.crossbar.g.max() < 0.4 * macro.crossbar.g.max()
    changed = macro.trace(x).code != aged.trace(x).code
    assert changed.mean() < 0.02


def test_gates_take_their_own_curves_and_columns():
    w, x, rng = case(cols=16)
    macro = IDEAL.replace(bits=12).program(w, rng, ("sigmoid", "sigmoid", "tanh", "sigmoid"))
    z = np.clip(x, -macro.x_max, macro.x_max) @ w
    y = macro(x)
    sigmoid = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(y[:, :8], sigmoid[:, :8], atol=2e-3)
    np.testing.assert_allclose(y[:, 8:12], np.tanh(z)[:, 8:12], atol=2e-3)
    np.testing.assert_allclose(y[:, 12:], sigmoid[:, 12:], atol=2e-3)
    assert [(p.start, p.stop) for p, _ in macro.ramps] == [(0, 8), (8, 12), (12, 16)]
    first, third = macro.ramps[0][1], macro.ramps[2][1]
    assert isinstance(first, ProgrammedRamp)
    assert isinstance(third, ProgrammedRamp)
    assert first.g_steps is third.g_steps


def test_comparator_offsets_are_fixed_at_programming_and_scatter_as_told():
    w, x, rng = case(cols=64)
    macro = IDEAL.replace(imperfections=(ComparatorOffset(5e-3),)).program(w, rng, "tanh")
    offset = macro.ramps[0][1].offset
    assert offset.shape == (64,)
    assert np.std(offset) == pytest.approx(5e-3, rel=0.3)
    np.testing.assert_array_equal(macro(x), macro(x))


def test_reading_draws_noise_only_with_a_generator_and_changes_nothing():
    w, x, _ = case()
    hardware = IDEAL.replace(device=Device(150e-6, on_read=(ReadNoise(10e-6),)))
    macro = hardware.program(w, np.random.default_rng(0), "tanh")
    before = macro.crossbar.g.copy()
    clean = macro(x)
    noisy = macro(x, np.random.default_rng(5))
    assert not np.array_equal(clean, noisy)
    np.testing.assert_array_equal(noisy, macro(x, np.random.default_rng(5)))
    np.testing.assert_array_equal(macro.crossbar.g, before)


def test_wires_lower_the_output_and_zero_wires_change_nothing():
    w, x, _ = case()
    w = np.abs(w)
    x = np.abs(x)
    total = [
        IDEAL.replace(wires=Wires(r, r, r, r)).program(w, np.random.default_rng(0)).trace(x).i.sum()
        for r in (0.0, 1.0, 10.0)
    ]
    assert total[0] > total[1] > total[2] > 0


def test_one_seed_is_one_chip_in_any_process_on_any_number_of_threads():
    """Sizes at which BLAS would split its work over threads, and round otherwise."""
    script = (
        "import numpy as np, hashlib\n"
        "from aimc.parts.device import *; from aimc.parts.driver import *\n"
        "from aimc.parts.wires import Wires\n"
        "from aimc.macro import *; from aimc.macro.plan import *; from aimc.macro.trim import *\n"
        "h = Hardware(Device(150e-6, 1e-6, (WriteError(2.67e-6),), on_read=(ReadNoise(1e-6),)),"
        " PulseDriver(0.2, 5), 128, 64, wires=Wires(1., 1., 1., 1.))\n"
        "rng = np.random.default_rng(7)\n"
        "m = h.program(rng.normal(size=(300, 64)), rng, 'sigmoid')\n"
        "x = rng.uniform(-1, 1, (3000, 300))\n"
        "t = m.trace(x, rng)\n"
        "parts = [t.u, t.code]\n"
        "for stack, in m.stacks:\n"
        "    parts += [stack.crossbar.g, stack.ramps[0][1].levels,"
        " stack.crossbar.read(0.2 * x[:, :stack.shape[0]])]\n"
        "for kind in (np.float64, np.float32):\n"
        "    plan = ReadPlan.of(m, kind)\n"
        "    noise = plan.arrays.noise\n"
        "    parts += [plan.read(x, rng), plan.arrays.matrix, noise.variance, noise.cross,"
        " noise.diagonal]\n"
        "parts.append(compensated(m, rng).trace(x, rng).y)\n"
        "for p in parts:\n"
        "    print(hashlib.sha256(np.ascontiguousarray(p).tobytes()).hexdigest())\n"
    )
    out = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                       env={**os.environ, "NUMBA_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n}).stdout
        for n in ("1", "2")
    ]  # fmt: skip
    assert out[0] == out[1]
    assert len(out[0].split()) == 22


def test_any_shape_is_a_macro_and_a_smaller_matrix_takes_a_corner():
    w, _, rng = case(rows=3, cols=2)
    small, large = IDEAL.program(w, rng), IDEAL.program(np.ones((300, 100)), rng)
    assert (small.shape, small.arrays) == ((3, 2), 1)
    assert (large.shape, large.arrays) == ((300, 100), 3 * 2)
    assert type(small) is type(large) is Macro
    with pytest.raises(ArgumentError, match=r"`macro` must be of one stack.*3 x 2.*`macros`"):
        large.crossbar  # noqa: B018


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda r: IDEAL.program(np.zeros(3), r), r"`w` must have shape \(any, any\)"),
        (lambda r: IDEAL.program(np.full((2, 2), np.nan), r), "`w` must be finite"),
        (lambda r: IDEAL.program(np.eye(2), 7), "`rng` must be a numpy.random.Generator"),  # pyright: ignore[reportArgumentType]
        (lambda r: IDEAL.program(np.eye(3), r, ("tanh", "tanh")), "divide the 3 columns"),
        (
            lambda r: IDEAL.program(np.eye(2), r)(np.zeros((1, 3))),
            r"`x` must have shape \(any, 2\)",
        ),
        (lambda r: IDEAL.program(np.eye(2), r)([[np.nan, 0]]), "`x` must be finite"),
        (lambda r: Crossbar(np.array([[1.0, -1.0]])), "`g` must be at least 0, but is -1"),
        (lambda r: Crossbar(np.array([["a", "b"]])), "`g` must be an array of real numbers"),
        (lambda r: Crossbar(np.array([["1"]])), "`g` must be an array of real numbers, but is of"),
        (lambda r: Crossbar(np.eye(2), 3.0), "`wires` must be a Wires"),  # pyright: ignore[reportArgumentType]
        (lambda r: Crossbar(np.eye(2), Wires(), np.eye(2)).read(np.eye(2), 3), "`rng` must be"),  # pyright: ignore[reportArgumentType]
        (lambda r: IDEAL.program(np.eye(2), r)(np.eye(2), 3), "`rng` must be a numpy.random"),  # pyright: ignore[reportArgumentType]
        (lambda r: IDEAL.program(np.eye(2), r).under(Condition(), 3), "`rng` must be a numpy"),  # pyright: ignore[reportArgumentType]
        (lambda r: IDEAL.program(np.full((2, 2), 1e-320), r), "`w` must reach between 1e-200"),
        (lambda r: Device(1e-4, on_write=WriteError(1e-6)), "`on_write` must be a tuple of"),  # pyright: ignore[reportArgumentType]
        (lambda r: IDEAL.replace(colour=1), "`colour` must be one of"),
        (
            lambda r: IDEAL.replace(t_step=2e-9),
            "`t_step` must be a field of one part, but is one of"
            " driver and of adc. For one: replace",
        ),
        (lambda r: IDEAL.replace(rows=0), "`rows` must be at least 1"),
        (lambda r: Device(1e-6, 2e-6), "`g_min` must be below g_max"),
        (lambda r: Wires(r_row=-1.0), "`r_row` must be at least 0"),
        (lambda r: Wires(drive="up"), "`drive` must be one of left, right, both"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_bad_input_is_refused_with_a_reason(call, says):
    with pytest.raises(ArgumentError, match=says):
        call(np.random.default_rng(0))


def test_a_macro_prints_what_was_built():
    w, _, rng = case()
    text = str(NOISY.program(w, rng, "tanh"))
    assert "24 x 12 weights in 24 x 24 cells" in text
    assert "tanh at 5 bits: 30 ramp and 5 bias cells" in text
