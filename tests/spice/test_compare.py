"""A comparison is true where all agree, and says of each quantity by how much it does not."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import aimc
from aimc import Crossbar, Wires, plots, spice
from aimc.cli import app
from aimc.converters.imperfections import ClockJitter, ComparatorNoise
from aimc.errors import ArgumentError
from aimc.spice.compare import Codes

pytestmark = [pytest.mark.spice, pytest.mark.usefixtures("ngspice")]
run = CliRunner().invoke


@pytest.fixture(scope="module")
def macro():
    rng = np.random.default_rng(1)
    hardware = aimc.load("taox-1t1r-128").replace(rows=8, cols=4)
    return hardware.program(rng.normal(size=(8, 4)), rng, "sigmoid")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(33).uniform(-1, 1, (3, 8))


@pytest.fixture(scope="module")
def result(ngspice, macro, x):
    return spice.netlist(macro, x).run()


def test_solutions_agree_and_a_wrong_wire_does_not(rng):
    g, v = rng.uniform(1e-6, 1e-4, (4, 3)), rng.normal(0, 0.2, (2, 4))
    crossbar, other = Crossbar(g, Wires(1.0, 1.0)), Crossbar(g, Wires(1.1, 1.0))
    found = spice.netlist(crossbar, v).run()
    same = spice.compare(crossbar.solve(v), found)
    assert same
    assert [d.name for d in same.differences] == [
        "row voltages", "column voltages", "column currents"
    ]  # fmt: skip
    differs = spice.compare(other.solve(v), found)
    assert not differs.agrees
    assert "DIFFERS" in str(differs)
    exact = np.abs(other.solve(v).current - found.current).max()
    assert differs.differences[2].absolute == exact


def test_traces_agree(macro, x, result):
    same = spice.compare(macro.trace(x), result)
    assert same
    assert "codes equal: 12 of 12" in str(same)
    assert same.note == ""
    assert json.loads(json.dumps(same.as_dict()))["agrees"] is True


def test_a_wrong_code_is_found(macro, x, result):
    trace = macro.trace(x)
    wrong = dataclasses.replace(trace, code=trace.code + (np.arange(4) == 2))
    differs = spice.compare(wrong, result)
    assert not differs
    assert differs.codes is not None
    assert differs.codes.differ == 3
    assert "codes differ: 3 of 12" in str(differs)


def test_a_code_on_its_threshold_may_be_its_neighbour_s_and_no_other(macro, x, result):
    trace = macro.trace(x)
    u, code = trace.u.copy(), result.code.copy()
    _, ramp = macro.ramps[0]
    u[0, 0] = ramp.levels[3] + ramp.offset[0] + 1e-6
    moved = dataclasses.replace(trace, u=u, code=ramp.convert(u))
    for neighbour, differ in ((3, 0), (4, 0), (5, 1), (2, 1)):
        code[0, 0] = neighbour
        found = spice.compare(moved, dataclasses.replace(result, u=u, code=code))
        assert found.codes is not None
        assert (found.codes.near, found.codes.differ) == (1, differ)
        assert bool(found) is not bool(differ)


def test_codes_that_are_all_near_a_threshold_are_no_agreement(macro, x, result):
    trace = macro.trace(x)
    _, ramp = macro.ramps[0]
    u = np.resize(ramp.levels[[3, 9, 20]], trace.u.shape) + ramp.offset
    moved = dataclasses.replace(trace, u=u, code=ramp.convert(u))
    found = spice.compare(moved, dataclasses.replace(result, u=u, code=moved.code))
    assert found.codes == Codes(12, 0, 12)
    assert not found
    assert "too few are left to compare" in str(found)
    assert all(d.agrees for d in found.differences)


def test_another_macro_s_trace_does_not_agree(macro, x, result):
    rng = np.random.default_rng(2)
    other = macro.hardware.program(rng.normal(size=(8, 4)), rng, "sigmoid")
    for trace in (other.trace(x), other.trace(x, rng)):
        found = spice.compare(trace, result)
        assert not found
        assert not found.differences[1].agrees
        assert found.codes is not None
        assert found.codes.differ > 0


def test_without_a_noisy_part_no_noise_is_allowed(ngspice, x):
    rng = np.random.default_rng(5)
    hardware = aimc.load("ideal-5bit").replace(rows=8, cols=4)
    one, other = (hardware.program(rng.normal(size=(8, 4)), rng, "tanh") for _ in range(2))
    found = spice.netlist(one, x).run()
    assert spice.compare(one.trace(x, rng), found)
    differs = spice.compare(other.trace(x), found)
    assert not differs
    assert differs.note == ""
    trace = one.trace(x)
    slightly = dataclasses.replace(trace, i=trace.i * (1 + 1e-5))
    assert not spice.compare(slightly, found)


def test_a_fine_ramp_is_compared_code_by_code(ngspice):
    rng = np.random.default_rng(4)
    hardware = aimc.load("taox-1t1r-128").replace(rows=4, cols=4, bits=9)
    macro = hardware.program(rng.normal(size=(4, 4)), rng, "sigmoid")
    x = rng.uniform(-1, 1, 4)
    result = spice.netlist(macro, x).run()
    found = spice.compare(macro.trace(x), result)
    assert found
    assert found.codes is not None
    assert found.codes.near <= 1
    wrong = dataclasses.replace(result, code=result.code + 3)
    assert not spice.compare(macro.trace(x), wrong)


def test_read_noise_is_told_and_allowed_for(macro, x, result):
    for seed in range(20):
        found = spice.compare(macro.trace(x, np.random.default_rng(seed)), result)
        assert found
        assert "is one with noise" in found.note
    trace = macro.trace(x, np.random.default_rng(0))
    far = dataclasses.replace(trace, i=trace.i + 20 * (trace.i - macro.trace(x).i))
    assert not spice.compare(far, result)


@pytest.mark.parametrize(
    "part", [ComparatorNoise(2e-3), ClockJitter(20e-12)], ids=lambda part: type(part).__name__
)
def test_the_converters_noise_is_allowed_for(ngspice, x, part):
    rng = np.random.default_rng(6)
    hardware = aimc.load("ideal-5bit").replace(rows=8, cols=4, imperfections=(part,))
    macro = hardware.program(rng.normal(size=(8, 4)), rng, "tanh")
    found = spice.netlist(macro, x).run()
    assert spice.compare(macro.trace(x), found)
    for seed in range(5):
        noisy = spice.compare(macro.trace(x, np.random.default_rng(seed)), found)
        assert all(each.agrees for each in noisy.differences)
        assert noisy.codes is not None
        assert noisy.codes.differ == 0


def test_what_cannot_be_compared_is_refused(macro, x, result):
    with pytest.raises(ArgumentError, match=r"must be the trace of a conversion or the solution"):
        spice.compare(macro.crossbar.solve(np.ones((1, 8))), result)
    with pytest.raises(ArgumentError, match=r"Trace the inputs that the netlist was made of"):
        spice.compare(macro.trace(x[:2]), result)
    found = spice.netlist(macro.crossbar, np.ones(8)).run()
    with pytest.raises(ArgumentError, match=r"Solve or trace the inputs"):
        spice.compare(macro.crossbar.solve(np.ones((2, 8))), found)


def test_the_figure_shows_waves_levels_and_flips(macro, x, result):
    figure = plots.conversion(result, columns=(0, 2), read=1)
    rows, ramps, flips = figure.axes
    assert len(rows.lines) == 8
    stood = next(line for line in ramps.lines if "aimc" in str(line.get_label()))
    np.testing.assert_allclose(np.asarray(stood.get_ydata()), macro.ramps[0][1].levels * 1e3)
    assert any(f"code {result.code[1, 2]}" in str(line.get_label()) for line in ramps.lines)
    assert flips.get_xlabel() == "time [ns]"


def test_a_figure_of_nothing_is_refused(macro, x, result):
    for columns in ((0, 9), (-1,), (), None, (1.5,), 2):
        with pytest.raises(ArgumentError, match="`columns` must"):
            plots.conversion(result, columns=columns)  # pyright: ignore[reportArgumentType]
    for read in (3, -1):
        with pytest.raises(ArgumentError, match="`read` must be at"):
            plots.conversion(result, read=read)
    with pytest.raises(ArgumentError, match="`result` must be of type Conversion"):
        plots.conversion(macro.trace(x))


def test_check_agrees(tmp_path):
    args = ["check", "taox-1t1r-128", "--rows", "8", "--cols", "4", "--seed", "7"]
    done = run(app, [*args, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "codes equal" in done.stdout
    record = json.loads((tmp_path / "check.json").read_text())
    assert record["agrees"] is True
    names = {path.name for path in tmp_path.iterdir()}
    assert {"conversion.png", "macro.cir", "macro.measure.cir", "array.cir", "models"} <= names
    assert json.loads(run(app, [*args, "--json"]).stdout) == record


@pytest.mark.parametrize("curve", ["gelu", "silu", "gaussian"])
def test_check_agrees_on_curves_that_turn(curve):
    done = run(app, ["check", "taox-1t1r-128", "--curve", curve, "--batch", "2"])
    assert done.exit_code == 0, done.output
    assert "codes equal" in done.stdout


@pytest.mark.parametrize("idle", ["grounded", "floating", "gated"])
def test_check_takes_several_inputs_whatever_idle_rows_do(idle, tmp_path):
    card = tmp_path / "card.toml"
    card.write_text(aimc.cards.dump(aimc.load("taox-1t1r-128").replace(idle=idle)))
    done = run(app, ["check", str(card), "--batch", "4", "--json"])
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["operating_point"]["row voltages"]["values"] == 4 * 8 * 8
    assert record["conversion"]["codes"]["values"] == 4 * 4


@pytest.mark.parametrize("gain", ["100", "1e3"])
def test_check_gives_circuit_and_macro_the_same_amplifiers(gain):
    done = run(app, ["check", "taox-1t1r-128", "--batch", "2", "--gain", gain])
    assert done.exit_code == 0, done.output
    assert f"taox-1t1r-128, age 0 s, amplifiers of gain {float(gain):g}" in done.stdout


def test_check_leaves_with_status_1_where_they_differ(monkeypatch):
    made = spice.netlist
    monkeypatch.setattr(spice, "netlist", lambda macro, x, analysis="tran", **options: made(
        macro, x, analysis=analysis, gain=1e3 if analysis == "tran" else None, **options
    ))  # fmt: skip
    done = run(app, ["check", "taox-1t1r-128", "--batch", "2", "--json"])
    assert done.exit_code == 1
    record = json.loads(done.stdout)
    assert record["operating_point"]["agrees"] is True
    assert record["conversion"]["ramp levels"]["agrees"] is False


def test_netlist_writes_what_the_script_writes(tmp_path):
    args = ["netlist", "taox-1t1r-128", "--rows", "8", "--cols", "4", "--seed", "7"]
    deck = tmp_path / "new" / "macro.cir"
    done = run(app, [*args, "-o", str(deck)])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == str(deck)
    text = deck.read_text()
    assert run(app, [*args, "-o", str(deck), "--json"]).exit_code == 0
    assert deck.read_text() == text
    assert "* seed 7" in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("buffered", [True, False])
def test_what_cannot_be_printed_is_told(buffered):
    command = [sys.executable, "-m", "aimc", "check", "ideal-5bit", "--rows", "2", "--cols", "2"]
    with Path("/dev/full").open("w") as full:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        env |= {} if buffered else {"PYTHONUNBUFFERED": "1"}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=env)
    assert done.returncode == 2
    assert done.stderr == (
        "aimc: what is printed must be written, but is refused: No space left on device\n"
    )


def test_mistakes_are_one_line_and_status_2(tmp_path, monkeypatch):
    args = ["netlist", "ideal-5bit", "-o", str(tmp_path / "a.cir")]
    for wrong in (["--analysis", "ac"], ["--dialect", "pspice"], ["--curve", "cosh"]):
        done = run(app, [*args, *wrong])
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        assert "must be" in done.stderr
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("aimc.spice.runners._library", lambda: None)
    done = run(app, ["check", "ideal-5bit"])
    assert done.exit_code == 2
    assert "apt-get install ngspice" in done.stderr
