"""The simulator against calculations that were made without it."""

import json

import pytest
from typer.testing import CliRunner

from aimc import reproduce
from aimc.cli import app
from aimc.errors import ArgumentError


def test_every_name_runs_and_prints():
    names = list(reproduce.names())
    assert {"conductances", "converters", "device", "inl", "quantizer", "table1"} <= set(names)
    assert names == sorted(names)
    with pytest.raises(ArgumentError, match=f"`name` must be one of {', '.join(names)}"):
        reproduce.run("figure 9")


def test_the_command_lists_runs_and_writes(tmp_path):
    runner = CliRunner()
    assert "conductances" in runner.invoke(app, ["reproduce"]).output
    done = runner.invoke(app, ["reproduce", "conductances", "--json", "--out", str(tmp_path)])
    assert json.loads(done.stdout)["rows"][0]["unit"] == "uS"
    assert json.loads((tmp_path / "conductances.json").read_text())["name"] == "conductances"
    assert {each.name for each in tmp_path.iterdir()} == {"conductances.json", "conductances.png"}
    assert runner.invoke(app, ["reproduce", "figure 9"]).exit_code == 2


def test_the_cells_of_the_curves_are_the_derived_ones_to_a_percent():
    table = reproduce.run("conductances")
    assert max(abs(row.difference or 0) for row in table.rows) < 0.01
    assert "derived" in str(table)


@pytest.fixture(scope="module")
def inl():
    return reproduce.run("inl")


def test_the_worst_inl_is_the_derived_one_to_ten_percent(inl):
    rows = [row for row in inl.rows if row.expected is not None]
    assert len(rows) == 16
    for row in rows:
        assert abs(row.difference) < 0.1, row


def test_multi_point_calibration_halves_the_worst_inl_and_mends_stuck_cells(inl):
    found = {row.what: row.measured for row in inl.rows}
    what = "sigma 2.67 uS"
    assert found[f"{what}, multi-point"] <= found[f"{what}, not calibrated"] / 2
    assert found["3 % of the ramp's cells stuck off, multi-point: below 1 LSB"] >= 99
    assert found["3 % of all cells stuck off, multi-point: below 1 LSB"] >= 99
    assert len(inl.draw().axes) == 4


def test_a_reference_that_follows_the_read_voltage_keeps_the_codes():
    table = reproduce.run("vread")
    rows = [row for row in table.rows if row.expected is not None]
    assert len(rows) == 12
    for row in rows:
        assert row.measured == pytest.approx(row.expected, abs=0.1), row
        if "ramp, linear cells" in row.what:
            assert row.measured == 0.0
    assert len(table.draw().axes) == 1


def test_imperfections_of_converters_act_as_derived():
    table = reproduce.run("sensitivities")
    rows = [row for row in table.rows if row.expected is not None]
    assert len(rows) == 13
    for row in rows:
        assert row.measured == pytest.approx(row.expected, rel=0.03 if "settl" in row.what else 0.2)
    assert len(table.draw().axes) == 3
