"""What measured files show, beside what was calculated from them without the simulator."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from aimc import reproduce
from aimc.cli import app
from aimc.curves import linear
from aimc.errors import ArgumentError, DataError
from aimc.reproduce import readc
from aimc.reproduce.device import branches
from aimc.reproduce.quantizer import lloyd_iteration
from aimc.reproduce.table import Row, Table

DATA = Path(os.environ.get("AIMC_READC", Path(__file__).parents[3] / "shared" / "data" / "readc"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no measured files in {DATA}")


@pytest.fixture(scope="module")
def quantizer():
    return reproduce.run("quantizer", data=DATA)


@pytest.fixture(scope="module")
def device():
    return reproduce.run("device", data=DATA)


def measured(table, what):
    (row,) = (row for row in table.rows if row.what == what)
    return row.measured


@needs_data
class TestQuantizer:
    def test_errors_are_the_calculated_ones_to_a_percent(self, quantizer):
        known = [row for row in quantizer.rows if row.expected is not None]
        assert len(known) == 4
        for row in known:
            assert abs(row.difference) < 0.01, row
            assert row.mark == "D"

    def test_no_quantisation_errs_less_than_the_least(self, quantizer):
        errors = [row.measured for row in quantizer.rows]
        assert errors[-1] == min(errors)

    def test_the_figure_shows_every_value(self, quantizer):
        counts, stairs = quantizer.draw().axes
        assert sum(bar.get_height() for bar in counts.patches) == 4000
        assert len(stairs.lines) == 4

    def test_the_command_writes_figure_and_numbers(self, tmp_path):
        args = ["reproduce", "quantizer", "--data", str(DATA), "--json", "--out", str(tmp_path)]
        done = CliRunner().invoke(app, args)
        assert json.loads(done.stdout)["settings"]["values"] == 4000
        assert json.loads((tmp_path / "quantizer.json").read_text()) == json.loads(done.stdout)
        assert {each.name for each in tmp_path.iterdir()} == {"quantizer.json", "quantizer.png"}


@needs_data
class TestDevice:
    def test_deviations_are_the_calculated_ones(self, device):
        for row in device.rows:
            if "relative" in row.what or row.expected is None:
                continue
            assert abs(row.difference) < (0.07 if row.what[0] in "kV" else 0.015), row

    def test_errors_of_writing_are_more_uniform_than_normal(self, device):
        uniform = measured(device, "distance from uniform +-5 uS (Kolmogorov-Smirnov)")
        assert uniform < measured(device, "distance from the best normal law")
        assert measured(device, "share of normal samples at least as distant") < 0.01
        assert measured(device, "log-likelihood, uniform less best normal") > 10

    def test_every_sweep_has_two_ways_of_one_resistance_each(self):
        found = branches(DATA)
        assert len(found) == 32
        high = [each.g < 60 for each in found]
        assert sum(high) == 16
        assert all(0 < each.k < 2.5 for each in found)

    def test_what_cannot_be_seen_is_said(self, device):
        assert any("5.57" in note and "cannot be seen" in note for note in device.notes)
        assert "5.57" in str(device)
        assert not any("iteration" in row.what for row in device.rows)

    def test_a_seed_gives_the_same_table(self, device):
        assert reproduce.run("device", data=DATA) == device

    def test_the_figure_shows_every_branch_and_error(self, device):
        law, _, noise, cubic = device.draw().axes
        assert len(noise.lines) == 7
        assert len(cubic.lines[0].get_xdata()) == 32
        assert sum(bar.get_height() for bar in law.patches) * 0.5 == pytest.approx(1)


@given(x=st.lists(st.floats(-1, 1), min_size=1, max_size=200))
def test_lloyds_iteration_stops_at_means_and_midpoints(x):
    x = np.array(x)
    placed, _ = lloyd_iteration(linear(), 2, x)
    outputs, y = placed.outputs(2), placed.quantise(x, 2)
    np.testing.assert_allclose(placed.thresholds(2), (outputs[1:] + outputs[:-1]) / 2)
    for output in set(y):
        assert x[y == output].mean() == pytest.approx(output, abs=1e-12)
    before = linear().quantise(x, 2)
    assert np.mean((y - x) ** 2) <= np.mean((before - x) ** 2) + 1e-12


@pytest.mark.parametrize("name", ["device", "quantizer"])
def test_without_data_it_says_where_they_come_from(name, tmp_path):
    for folder in (None, tmp_path / "none"):
        with pytest.raises(ArgumentError, match="`--data` must be the folder") as error:
            reproduce.run(name, data=folder)
        for said in ("github.com/MIKEHHQ/ReADC", "s41467-025-65233-w", "quantizer_input.csv"):
            assert said in str(error.value)
    with pytest.raises(DataError, match=r"\.csv` is missing .*github.com/MIKEHHQ/ReADC"):
        reproduce.run(name, data=tmp_path)
    done = CliRunner().invoke(app, ["reproduce", name])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_data_that_are_not_asked_for_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="left out for conductances"):
        reproduce.run("conductances", data=tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n1\n2,3\n", "is no table of numbers"),
        ("a,b\n1,2\n", "must have 1 columns"),
        ("a\n", "must have 1 columns"),
        ("a\n1\nx\n", "holds no number in line 3, column 1"),
    ],
)
def test_a_damaged_file_is_named(text, says, tmp_path):
    (tmp_path / "quantizer_input.csv").write_text(text)
    with pytest.raises(DataError, match=says) as error:
        readc.read(tmp_path, "quantizer_input.csv", 1)
    assert "quantizer_input.csv" in str(error.value)


def test_a_table_prints_marks_notes_and_nothing_where_nothing_is_expected():
    rows = (Row("one", 2.0, 1.0, "uS", "R"), Row("two", 3.0, None, ""))
    text = str(Table("name", "title", "R: printed", rows, {}, ("a note",))).splitlines()
    assert text[2].split() == ["one", "2", "1", "R", "+100.0%", "uS"]
    assert text[3].split() == ["two", "3"]
    assert text[-2:] == ["expected: R: printed", "note: a note"]
    record = Table("name", "title", "o", rows, {}, figure=lambda: None).as_dict()  # pyright: ignore[reportArgumentType]
    assert "figure" not in record
    json.dumps(record)


def test_a_table_without_a_figure_of_its_own_shows_its_rows():
    rows = (Row("one", 2.0, 1.0, "uS"), Row("two", 3.0, None, ""), Row("three", 5.0, 4.0, "uS"))
    first, second = Table("name", "title", "origin", rows, {}).draw().axes
    assert [bar.get_width() for bar in first.patches] == [2.0, 5.0]  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(first.lines[0].get_xdata(), [1.0, 4.0])
    assert [bar.get_width() for bar in second.patches] == [3.0]  # pyright: ignore[reportAttributeAccessIssue]
