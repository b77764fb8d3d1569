"""A macro's conversions are the same circuit in ngspice, as a transient.

Codes are equal wherever a comparator is more than 1e-4 V from a threshold; the ramp stands at its
levels to 1e-4 of full scale. With `AIMC_SLOW=1` the arrays see 64 inputs, not 8.
"""

import dataclasses
import os

import numpy as np
import pytest
from numpy.testing import assert_allclose

import aimc
from aimc import spice
from aimc.converters.imperfections import Columns, FiniteGain
from aimc.converters.ramp import ProgrammedRamp
from aimc.errors import ArgumentError
from aimc.macro.layout import Curves
from aimc.parts.driver import PulseDriver, VoltageDriver
from aimc.parts.ivcurve import Sinh, Tabulated
from aimc.parts.mapping import OffsetColumn
from aimc.parts.transistor import SeriesTransistor, Transistor
from aimc.spice.conversion import first_flip
from aimc.spice.schedule import trapezoid

pytestmark = [pytest.mark.spice, pytest.mark.usefixtures("ngspice")]
INPUTS = 64 if os.environ.get("AIMC_SLOW") else 8
TAOX = aimc.load("taox-1t1r-128")


def changed(macro, **fields):
    """A macro of one stack with other fields."""
    return dataclasses.replace(macro, stacks=((dataclasses.replace(macro.only, **fields),),))


def programmed(hardware, rng, curve: Curves = "sigmoid", shape=(8, 4), inputs=3):
    hardware = hardware.replace(rows=-(-shape[0] // (hardware.stack or 1)), cols=shape[1])
    w = rng.normal(0, np.sqrt(3 / shape[0]), shape)
    return hardware.program(w, rng, curve), rng.uniform(-1, 1, (inputs, shape[0]))


def assert_agrees(macro, x, result, levels=None):
    trace = macro.trace(x)
    assert_allclose(result.v, trace.v, rtol=0, atol=1e-12)
    # A pulse's edges keep its area, which is its charge where currents are linear in voltages.
    share = 1e-11 if macro.crossbar.linear else 1e-4
    assert_allclose(result.i, trace.i, rtol=0, atol=share * np.abs(trace.i).max())
    for (place, ramp), stood in zip(macro.ramps, result.levels, strict=True):
        wanted = ramp.levels if levels is None else levels
        scale = np.ptp(ramp.levels) or np.abs(trace.u).max()
        own = stood[..., : ramp.levels.size]
        assert np.abs(own - wanted).max() < 1e-4 * scale
        assert np.abs(result.u - trace.u)[:, place].max() < 1e-4 * scale
        margin = np.abs(
            trace.u[:, place, None] - np.reshape(ramp.offset, (-1, 1)) - ramp.levels
        ).min(-1)
        far = margin > 1e-4
        assert far.mean() > 0.5
        assert np.array_equal(result.code[:, place][far], trace.code[:, place][far])
        assert np.array_equal(result.y[:, place][far], trace.y[:, place][far])
    comparison = spice.compare(trace, result)
    assert comparison or levels is not None


@pytest.mark.parametrize("curve", ["sigmoid", "tanh"])
def test_five_bits_behind_16_x_16_weights_with_errors(curve, rng):
    macro, x = programmed(TAOX, rng, curve, (16, 16), INPUTS)
    # A conversion each, so that a run stays below its time limit.
    for part in np.array_split(x, max(1, INPUTS // 8)):
        result = spice.netlist(macro, part).run()
        assert_agrees(macro, part, result)
        assert len(np.unique(result.code)) > 10


@pytest.mark.parametrize("curve", ["gaussian", ("gaussian", "sigmoid")], ids=str)
def test_curves_that_turn_have_the_codes_of_the_converter(curve, rng):
    macro, x = programmed(TAOX, rng, curve)
    result = spice.netlist(macro, x).run()
    assert_agrees(macro, x, result)
    for place, ramp in macro.ramps:
        table = ramp.quiet
        crossed = first_flip(result.thermometer[:, place, : len(table.levels)])
        assert np.array_equal(result.y[:, place], table.outputs[crossed])


HARDWARE = {
    "idle rows float": TAOX.replace(idle="floating", r_row=5.0, r_col=5.0),
    "idle rows gated": TAOX.replace(idle="gated", r_row=5.0, r_col=5.0),
    "arrays above each other": TAOX.replace(stack=3, r_row=20.0, r_col=20.0, r_sense=50.0),
    "volts": TAOX.replace(driver=VoltageDriver(0.2, 5, 80e-9)),
    "analog pulses": TAOX.replace(driver=PulseDriver(0.2, None, 50e-9)),
    "offset column": TAOX.replace(mapping=OffsetColumn()),
    "3 bits": TAOX.replace(bits=3),
    "1 bit": TAOX.replace(bits=1),
    "no wires": aimc.load("ideal-5bit"),
    "aged": aimc.load("taox-1t1r-128-aged"),
    "shared steps": aimc.load("hfo2-milo-128"),
    "phase change": aimc.load("pcm-256"),
}


@pytest.mark.parametrize("name", HARDWARE)
def test_every_kind_of_macro(name, rng):
    macro, x = programmed(HARDWARE[name], rng)
    result = spice.netlist(macro, x).run()
    assert_agrees(macro, x, result)
    assert macro.arrays == (HARDWARE[name].stack or 1)


MEASURED = Tabulated(
    (-0.4, -0.25, -0.125, 0.05, 0.125, 0.2), (-9e-5, -4.5e-5, -1.5e-5, 5e-6, 1.6e-5, 2.5e-5)
)
CURVES = {
    "sinh": Sinh(1.0),
    "selector": Sinh(20.0),
    "series": SeriesTransistor(None, 1e3),
    "measured": Transistor(SeriesTransistor(MEASURED, 1e3), 5e-4, 1.0, 0.4),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_nonlinear_cells_in_a_conversion(name, idle, rng):
    macro, x = programmed(TAOX.replace(idle=idle), rng)
    linear = macro.trace(x).i
    crossbar = dataclasses.replace(macro.crossbar, iv=CURVES[name])
    macro = changed(macro, crossbar=crossbar)
    assert np.abs(macro.trace(x).i - linear).max() > 1e-3 * np.abs(linear).max()
    assert_agrees(macro, x, spice.netlist(macro, x).run())


def test_four_curves_over_the_columns_share_their_ramps(rng):
    curves = ("sigmoid", "sigmoid", "tanh", "sigmoid")
    macro, x = programmed(TAOX, rng, curves, (8, 8))
    netlist = spice.netlist(macro, x)
    assert netlist.text.count(".subckt column") == 2
    assert_agrees(macro, x, netlist.run())


def test_falling_curve_and_no_bias(rng):
    falling = aimc.Curve("falling", lambda x: -np.tanh(x), -1, 1, lambda y: -np.arctanh(y))
    macro, x = programmed(TAOX, rng, falling)
    assert_agrees(macro, x, spice.netlist(macro, x).run())
    softplus = aimc.Curve("softplus", lambda x: np.logaddexp(0, x), 0.0, 4.0)
    macro, x = programmed(TAOX.replace(bits=4), rng, softplus)
    assert_agrees(macro, x, spice.netlist(macro, x).run())


@pytest.mark.parametrize("gain", [1e6, 1e4, 1e3])
def test_finite_gain_on_both_sides(gain, rng):
    """An amplifier of gain A: v(in) = -v(out) / A, and all cells of the ramp see that voltage.

    C (1 + 1 / A) du/dt = -sum of g_k V_k - (u / A) sum of g_k for the ramp; the array's currents
    come from mirrors, so u = Q / C A / (A + 1).
    """
    macro, x = programmed(TAOX, rng)
    result = spice.netlist(macro, x, gain=gain).run()
    (_, ramp) = macro.ramps[0]
    levels = finite_gain_levels(ramp, result.schedule, gain)
    scale = np.ptp(ramp.levels)
    assert np.abs(result.levels[0] - levels).max() < 1e-4 * scale
    assert np.abs(result.u - macro.trace(x).u * gain / (gain + 1)).max() < 1e-4 * scale
    if gain == 1e6:
        assert_agrees(macro, x, result)
    if gain == 1e3:
        assert np.abs(result.levels[0] - ramp.levels).max() > 1e-3 * scale
        assert not spice.compare(macro.trace(x), result)


def finite_gain_levels(ramp, times, gain):
    return dataclasses.replace(
        ramp,
        adc=dataclasses.replace(
            ramp.adc, imperfections=(FiniteGain(gain),), t_rest=times.slot - times.t_step
        ),
    ).levels


def test_offsets_move_the_flip(rng):
    macro, x = programmed(TAOX, rng, inputs=2)
    place, ramp = macro.ramps[0]
    moved = dataclasses.replace(
        ramp, columns=Columns(ramp.offset + np.array([0.1, -0.1, 0.05, 0.0]))
    )
    other = changed(macro, ramps=((place, moved),))
    result = spice.netlist(other, x).run()
    assert_agrees(other, x, result)
    assert not np.array_equal(result.code, macro.trace(x).code)


def test_delayed_comparators_flip_later_and_count_the_same(rng):
    macro, x = programmed(TAOX, rng, inputs=1)
    delay = 0.1e-9
    late = spice.netlist(macro, x, delay=delay).run()
    assert_agrees(macro, x, late)
    inside = late.time > late.schedule.first
    time = late.time[inside]

    def rise(wave, height):
        first = int(np.argmax(wave > height))
        return np.interp(height, wave[first - 1 : first + 1], time[first - 1 : first + 1])

    (_, ramp) = macro.ramps[0]
    for j in np.flatnonzero(late.code[0] > 0):
        crossing = rise(late.waves["ramp0"][inside], late.u[0, j] - ramp.offset[j])
        flip = rise(late.waves[f"flip{j}"][inside], 0.5)
        assert flip - crossing == pytest.approx(delay, rel=0.2)


def test_nothing_of_a_conversion_is_left_in_the_next(rng):
    macro, x = programmed(TAOX, rng, inputs=2)
    alone = spice.netlist(macro, x[1]).run()
    after = spice.netlist(macro, x).run()
    assert_allclose(after.u[1], alone.u[0], atol=1e-6)
    assert_allclose(after.levels[:, 1], alone.levels[:, 0], atol=1e-6)
    assert np.array_equal(after.thermometer[1], alone.thermometer[0])


def test_the_shared_library_gives_the_same_waves(shared, rng):
    macro, x = programmed(TAOX, rng, inputs=1)
    netlist = spice.netlist(macro, x)
    ours, theirs = netlist.run(spice.Ngspice()), netlist.run(shared)
    assert np.array_equal(ours.time, theirs.time)
    assert all(np.array_equal(ours.waves[name], theirs.waves[name]) for name in ours.waves)


def test_the_measure_deck_says_what_the_result_says(rng, tmp_path):
    import re
    import subprocess

    macro, x = programmed(TAOX, rng, inputs=1)
    netlist = spice.netlist(macro, x)
    netlist.write(tmp_path / "macro.cir")
    command = ["ngspice", "-n", "-b", "macro.measure.cir"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    said = {k: float(v) for k, v in re.findall(r"^(\w+)\s+=\s+(\S+)", done.stdout, re.MULTILINE)}
    result = netlist.run()
    for j in range(4):
        assert said[f"u{j}_0"] == pytest.approx(result.u[0, j], abs=1e-6)
        flips = [said[f"flip{j}_0_{k}"] > 0.5 for k in range(31)]
        assert first_flip(np.array(flips)) == result.code[0, j]
    levels = [said[f"level0_{k}"] for k in range(31)]
    assert_allclose(levels, result.levels[0, 0], atol=1e-6)


def test_the_header_says_where_the_circuit_comes_from(rng):
    from aimc import cards

    macro, x = programmed(TAOX, rng)
    text = spice.netlist(macro, x, seed=5).text
    head = text.splitlines()[:5]
    assert head[2] == "* card taox-1t1r-128, sha256 of its numbers:"
    assert head[3] == f"* {cards.digest(macro.hardware)}"
    assert head[4] == "* seed 5"
    assert max(map(len, text.splitlines())) < 100
    assert text == spice.netlist(macro, x, seed=5).text
    for ramp in (ramp for _, ramp in macro.ramps):
        assert isinstance(ramp, ProgrammedRamp)
        assert all(f"g={abs(float(g))!r}" in text for g in [*ramp.g_steps, *ramp.g_bias])
        assert all(f"offset={float(v)!r}" in text for v in ramp.offset)


def test_the_shortest_pulses_and_a_single_weight(rng):
    hardware = TAOX.replace(driver=PulseDriver(0.2, None, 50e-9), rows=3, cols=1)
    macro = hardware.program(rng.normal(size=(3, 1)), rng, "tanh")
    x = np.array([[1e-6, -1e-12, 0.3], [0.0, 0.0, 0.0], [1.0, -1.0, 1e-3]])
    assert_agrees(macro, x, spice.netlist(macro, x).run())
    single = TAOX.replace(rows=1, cols=1).program([[0.5]], rng, "sigmoid")
    assert_agrees(single, np.array([[0.7]]), spice.netlist(single, [0.7]).run())


@pytest.mark.parametrize("length", [1e-11, 1e-10, 1e-9])
def test_a_pulse_with_edges_has_the_area_of_one_without(length):
    edge = min(1e-10, length)
    points = np.array(trapezoid(0.0, length, edge, 0.2))
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(0.2 * length, rel=1e-12)
    assert np.all(np.diff(points[:, 0]) > 0)


def test_the_code_is_the_first_flip_not_the_number_of_flips():
    thermometer = np.array([[0, 0, 1, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    assert first_flip(thermometer).tolist() == [2, 5, 0]


def test_a_ramp_that_turns_back_is_met_at_its_first_crossing(rng):
    macro, x = programmed(TAOX, rng, inputs=3)
    place, ramp = macro.ramps[0]
    assert isinstance(ramp, ProgrammedRamp)
    g = ramp.g_steps.copy()
    g[10] = 0.0
    stuck = changed(macro, ramps=((place, dataclasses.replace(ramp, g_steps=g)),))
    assert_agrees(stuck, x, spice.netlist(stuck, x).run())


def test_what_a_circuit_does_not_have_is_refused(rng):
    macro, x = programmed(TAOX, rng)
    with pytest.raises(ArgumentError, match="`gain` must be greater than 1"):
        spice.netlist(macro, x, gain=0.5)
    with pytest.raises(ArgumentError, match="`delay` must be at least 0"):
        spice.netlist(macro, x, delay=-1e-9)
    for delay in (1e-300, 9e-12, 5e-9, 1.0):
        with pytest.raises(
            ArgumentError, match=r"`delay` must be 0, or lie between 1e-11 and 4e-09"
        ):
            spice.netlist(macro, x, delay=delay)
    with pytest.raises(ArgumentError, match="`analysis` must be op"):
        spice.netlist(macro.crossbar, np.ones(8), analysis="tran")
    with pytest.raises(ArgumentError, match="an operating point has no integrators"):
        spice.netlist(macro.crossbar, np.ones(16)[:8], gain=1e6)


@pytest.mark.parametrize("method", ["one-point", "multi-point", "closed-loop"])
def test_a_chip_that_was_calibrated_again_when_it_was_old(method, rng):
    """Cells of two ages, and a ramp that follows an array that has faded."""
    macro, x = programmed(aimc.load("pcm-256").replace(calibration=method), rng)
    again = macro.under(aimc.Condition(1e6), rng).recalibrated(rng)
    assert again.converters[0].retained < 0.9
    assert_agrees(again, x, spice.netlist(again, x).run())
