"""What a user of the command line sees: results on stdout, mistakes as one line, exit statuses."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import aimc
from aimc import cards, shipped
from aimc.cli import app
from aimc.parts.wires import Wires

run = CliRunner().invoke


def ok(*args):
    result = run(app, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result


def refused(*args):
    result = run(app, [str(arg) for arg in args])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.stderr


def test_no_command_shows_help():
    result = run(app, [])
    assert "Usage" in result.output
    assert "simulate" in result.output


@pytest.mark.parametrize(
    "command",
    [
        ["cards"],
        ["simulate"],
        ["netlist"],
        ["check"],
        ["cost"],
        ["bench"],
        ["bench", "kws"],
        ["bench", "lm"],
    ],
)
def test_every_command_explains_itself(command):
    text = ok(*command, "--help").stdout
    assert "Usage" in text
    assert len(text) > 200


def test_version():
    assert ok("--version").stdout.strip() == f"aimc {aimc.__version__}"


def test_cards_lists_every_card():
    text = ok("cards").stdout
    assert all(name in text for name in cards.names())
    found = json.loads(ok("cards", "--json").stdout)
    assert list(found) == cards.names()
    assert found["ideal-5bit"]["digest"] == cards.digest(aimc.load("ideal-5bit"))


def test_a_card_shows_its_sources_and_its_doubts():
    text = ok("cards", "taox-1t1r-128").stdout
    assert "2.67 uS" in text
    assert "unverified" in text
    numbers = json.loads(ok("cards", "taox-1t1r-128", "--json").stdout)["numbers"]
    by_name = {f"{n['table']}.{n['key']}": n for n in numbers}
    assert not by_name["device.g_max"]["verified"]
    assert by_name["adc.bias_cells"]["verified"]
    assert all(number["source"] for number in numbers)


def test_brackets_and_colons_of_a_card_are_text(tmp_path):
    about = "see [red]text[/blue] :smile: [1]"
    path = tmp_path / "mine.toml"
    hardware = aimc.load("ideal-5bit").replace(rows=8, about=about)
    path.write_text(cards.dump(hardware, source="[/] of [bold]us"))
    printed = ok("cards", path).stdout
    assert about in printed
    assert "[/] of [bold]us" in printed


def test_no_wires_lose_no_current_whatever_the_cells(tmp_path):
    """Nonlinear cells carry more than their slope at 0 V says, which is no loss in wires."""
    path = tmp_path / "bare.toml"
    hardware = aimc.load("taox-1t1r-128-nonlinear").replace(rows=16, cols=4)
    path.write_text(cards.dump(hardware.replace(wires=Wires()), source="us"))
    assert json.loads(ok("simulate", path, "--json").stdout)["current_lost"] == 0
    path.write_text(cards.dump(hardware, source="us"))
    assert 0 < json.loads(ok("simulate", path, "--json").stdout)["current_lost"] < 0.02


def test_simulate_of_ideal_hardware_errs_by_quantisation_only():
    args = ("simulate", "ideal-5bit", "--rows", 8, "--cols", 4, "--bits", 10, "--curve", "sigmoid")
    result = json.loads(ok(*args, "--json").stdout)
    assert result["max_inl_lsb"] < 1e-9
    assert result["rms_weight_error"] < 1e-12
    assert result["current_lost"] == 0
    assert result["rms_quantisation_lsb"] == pytest.approx(1 / np.sqrt(12), rel=0.1)
    assert result["rms_error_lsb"] < 0.5


def test_simulate_is_the_same_for_a_seed():
    args = ("simulate", "taox-1t1r-128", "--rows", 8, "--cols", 4, "--batch", 20, "--json")
    first = ok(*args, "--seed", 1).stdout
    assert first == ok(*args, "--seed", 1).stdout
    assert first != ok(*args, "--seed", 2).stdout


def test_simulate_writes_figures_and_json(tmp_path):
    args = ("simulate", "taox-1t1r-128", "--rows", 8, "--cols", 4, "--batch", 20)
    text = ok(*args, "--out", tmp_path / "new").stdout
    assert "rms error" in text
    found = {path.name for path in (tmp_path / "new").iterdir()}
    assert found == {
        "conductance-map.png",
        "voltage-map.png",
        "transfer-curve.png",
        "ramp-levels.png",
        "simulate.json",
    }
    assert json.loads((tmp_path / "new" / "simulate.json").read_text())["card"] == "taox-1t1r-128"


@pytest.mark.parametrize(
    "adc", sorted(p.stem for p in (shipped.path("circuits") / "adcs").iterdir())
)
def test_simulate_draws_every_converter_card(adc, tmp_path):
    card = tmp_path / "mine.toml"
    source = (shipped.path("circuits") / "hardware" / "taox-1t1r-128.toml").read_text()
    card.write_text(source.replace('adc = "ramp-5bit"', f'adc = "{adc}"'))
    ok("simulate", card, "--rows", 8, "--cols", 3, "--batch", 2, "--out", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_simulate_tiles_a_large_matrix():
    args = ("simulate", "ideal-5bit", "--rows", 150, "--cols", 70, "--batch", 5, "--json")
    result = json.loads(ok(*args).stdout)
    assert result["arrays"] == 4
    assert result["ramps_of"] == "linear partial sums"
    assert "linear converters of the partial sums" in ok(*args[:-1]).stdout


def test_simulate_takes_the_worst_ramp_of_all_arrays():
    args = ("simulate", "taox-1t1r-128", "--rows", 4, "--cols", 300, "--batch", 5, "--json")
    result = json.loads(ok(*args).stdout)
    rng = np.random.default_rng(0)
    w = rng.normal(0.0, np.sqrt(3 / 4), (4, 300))
    rng.uniform(-1.0, 1.0, (5, 4))
    parts = aimc.load("taox-1t1r-128").program(w, rng, "tanh").macros
    worst = [np.abs(part.ramps[0][1].inl()).max() for part in parts]
    assert len(set(worst)) == len(parts) > 1
    assert result["max_inl_lsb"] == max(worst)


def test_linear_pre_activations_fit_the_range_of_the_converter():
    args = ("simulate", "ideal-5bit", "--rows", 64, "--curve", "linear", "--json")
    result = json.loads(ok(*args).stdout)
    assert result["rms_quantisation_lsb"] == pytest.approx(1 / np.sqrt(12), rel=0.1)


def test_mistakes_are_one_line_and_status_2(tmp_path):
    assert "Did you mean taox-1t1r-128" in refused("simulate", "taox-1t1r-182")
    assert "`curve` must be one of" in refused("simulate", "ideal-5bit", "--curve", "cosh")
    assert "--bits" in refused("simulate", "ideal-5bit", "--bits", 99)
    assert "There is no card" in refused("bench", "kws", "--card", "nothing")
    assert "must be a folder" in refused(
        "bench", "kws", "--data", tmp_path / "none", "--out", tmp_path
    )
    assert "must be a text file or a folder" in refused(
        "bench", "lm", "--data", tmp_path / "none", "--out", tmp_path
    )
    for bench, *option in (("kws", "--quick"), ("kws", "--hidden", 32), ("lm", "--epochs", 1)):
        text = refused("bench", bench, "--pretrained", *option, "--out", tmp_path)
        assert f"`{option[0]}` has no effect" in text


def test_ramp_of_ideal_hardware_has_no_error(tmp_path):
    args = ("ramp", "ideal-5bit", "--curve", "sigmoid", "--bits", 6, "--chips", 3)
    result = json.loads(ok(*args, "--json", "--out", tmp_path).stdout)
    assert list(result["calibrations"]) == ["none", "one-point", "multi-point", "closed-loop"]
    # Bias cells pulsed as a multi-point calibration does meet a start to half the smallest cell.
    half = 100e-6 * 3.0**-4 / 2 / result["design"]["smallest_step"]
    for name, each in result["calibrations"].items():
        assert each["worst_inl"] < (1.1 * half if name == "multi-point" else 1e-6)
        assert each["share_below_1_lsb"] == 1.0
    assert len(result["cells"]) == 2**6 - 2
    assert all(cell["written"] == pytest.approx(cell["target"]) for cell in result["cells"])
    assert json.loads((tmp_path / "ramp.json").read_text()) == result
    assert {path.name for path in tmp_path.glob("*.png")} == {"ramp.png", "transfer.png"}


def test_ramp_prints_design_cells_and_what_calibration_does():
    args = ("ramp", "taox-1t1r-128", "--curve", "sigmoid", "--chips", 200)
    text = ok(*args, "--seed", 3).stdout
    assert "can be programmed, with cells of taox-1t1r" in text
    assert "clock periods" in text
    assert text == ok(*args, "--seed", 3).stdout
    found = json.loads(ok(*args, "--seed", 3, "--json").stdout)["calibrations"]
    assert found["one-point"]["mean_inl"] < found["one-point"]["mean_inl_before"]
    assert found["multi-point"]["memory"] > 0
    only = json.loads(ok(*args, "--calibration", "closed-loop", "--json").stdout)
    assert list(only["calibrations"]) == ["closed-loop"]
    assert only["shown"] == "closed-loop"


def test_a_ramp_that_does_not_fit_says_what_would():
    result = run(app, ["ramp", "hfo2-milo-128", "--curve", "tanh", "--bits", "6"])
    assert result.exit_code == 2
    assert "does not fit" in result.stdout
    assert "instead          5 bits" in result.stdout
    assert "must be programmable" in result.stderr
    text = ok("ramp", "taox-1t1r-128", "--curve", "softsign", "--chips", 2).stdout
    assert "not resolved" in text
    assert "codes will miss" in text


def test_ramp_names_mistakes():
    assert "`curve` must be one of" in refused("ramp", "ideal-5bit", "--curve", "nope")
    assert "`--calibration` must be one of" in refused("ramp", "ideal-5bit", "--calibration", "x")
    assert "nope" in refused("ramp", "nope")
    assert "`--chips` must be at most" in refused("ramp", "ideal-5bit", "--chips", 10**9)


@pytest.mark.parametrize("command", [["simulate", "ideal-5bit"], ["bench", "kws"],
                                     ["reproduce", "inl"]])  # fmt: skip
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(command, tmp_path, monkeypatch):
    from aimc import reproduce, tasks

    def work(*_):
        raise AssertionError

    monkeypatch.setattr(aimc.Hardware, "program", work)
    monkeypatch.setattr(tasks, "KeywordSpotting", work)
    monkeypatch.setattr(reproduce, "run", work)
    file = tmp_path / "afile"
    file.write_text("")
    for out in (file, file / "below"):
        text = refused(*command, "--out", out)
        assert f"`--out` must be a folder that can be written, but `{file}` is a file." in text
        assert text.count("\n") == 1


def test_want_of_memory_is_one_line_and_status_2(monkeypatch):
    def huge(*_):
        raise MemoryError

    monkeypatch.setattr(aimc.Hardware, "program", huge)
    text = refused("simulate", "ideal-5bit")
    assert text == "aimc: not enough memory: an allocation failed\n"


def test_a_reader_that_leaves_early_ends_the_command_quietly():
    import subprocess
    import sys

    code = "from aimc.cli import main; main()"
    args = [sys.executable, "-c", code, "cards", "--json"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert process.communicate()[1] == b""
    assert process.returncode == 1


def test_interruption_is_status_130(monkeypatch):
    from aimc.cli import show

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "all_cards", interrupt)
    result = run(app, ["cards"])
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted"
