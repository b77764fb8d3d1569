"""`aimc cost`: what it prints and writes is the bill."""

import csv
import json
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

import aimc
from aimc import cards, cost
from aimc.cli import app
from aimc.shipped import path

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)


def run(*args):
    return CliRunner().invoke(app, ["cost", *map(str, args)])


def test_it_prints_the_bill_the_schedule_and_the_other_converters():
    text = run("taox-1t1r-128", "--hidden", 16).stdout
    bill = cost.bill_of(cost.layer("lstm", aimc.load("taox-1t1r-128"), 40, 16))
    assert bill.table() in text
    for word in ("phase", "gates: convert", "TOPS/W", "linear ramp", "sar", "one-step", "fitted"):
        assert word in text


def test_what_it_writes_is_what_it_prints(tmp_path):
    out = tmp_path / "new"
    options = ("--inputs", 12, "--hidden", 8, "--steps", 3, "--bits", 4, "--activity", 0.25)
    done = run("pcm-256", *options, "--processors", 2, "--json", "--out", out)
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    # The cost of one-step converters is known at 5 bits alone.
    assert list(record["bills"]) == ["ramp", "linear ramp", "sar", "flash"]
    hardware = aimc.load("pcm-256").replace(bits=4)
    assert record["digest"] == cards.digest(hardware)
    layer = cost.layer("lstm", hardware, 12, 8, usage=cost.Usage(activity=0.25))
    bill = cost.bill_of(layer, processors=2, steps=3, name="ramp")
    assert record["bills"]["ramp"] == json.loads(json.dumps(bill.as_dict()))

    written = json.loads((out / "cost.json").read_text())
    over_bits = written.pop("over_bits")
    assert written == record
    assert over_bits["ramp"]["4"] == record["bills"]["ramp"]
    with (out / "cost.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["energy [J]"]) for row in rows) == approx(bill.energy)
    for name in ("parts.png", "timeline.png", "efficiency.png"):
        assert (out / name).stat().st_size > 1000


def test_the_card_s_own_converter_is_billed_first(tmp_path):
    card = tmp_path / "hw-sar.toml"
    text = (path("circuits") / "hardware" / "taox-1t1r-128.toml").read_text()
    card.write_text(text.replace('adc = "ramp-5bit"', 'adc = "sar-5bit"'))
    assert 'adc = "sar-5bit"' in card.read_text()
    record = json.loads(run(card, "--hidden", 16, "--json").stdout)
    assert record["converter"] == "sar"
    assert list(record["bills"])[:2] == ["sar", "ramp"]
    parts = {part["name"]: part for part in record["bills"]["sar"]["parts"]}
    assert "comparators and counters" not in parts
    energy = 4 * 16 * 8**2 * cost.load().of("sar", "energy")  # 8 bits before the table
    assert abs(parts["SAR converters"]["energy"] / energy - 1) < 1e-12
    assert "sar: linear, so that look-ups apply the functions" in run(card).stdout
    assert "applies the functions" not in run(card).stdout


def test_the_last_lines_say_what_the_schedule_does():
    """They name look-ups exactly where the schedule has them."""
    for options in (
        (),
        ("--tall",),
        ("--hidden", 512),
        ("--hidden", 512, "--tall", "--cell-tanh", "ramp"),
        ("--model", "gru", "--hidden", 512),
        ("--model", "linear"),
    ):
        text = run("taox-1t1r-128", *options).stdout
        split = ": look up" in text
        assert ("partial sums are linear" in text) == split, options
        assert ("ramp: applies the functions" in text) != (split or "linear" in options), options
        by_ramp = "tanh(c): convert" in text
        assert ("cell state: by a ramp" in text) == by_ramp, options
        assert by_ramp == ("ramp" in options), options


def test_every_kind_of_layer_has_a_bill():
    for kind in ("lstm", "gru", "rnn", "linear"):
        record = json.loads(run("ideal-5bit", "--model", kind, "--json").stdout)
        energies = [bill["energy"] for bill in record["bills"].values()]
        assert np.all(np.array(energies) > 0)


def test_mistakes_are_told():
    for args, text in (
        (("nothing",), "There is no card"),
        (("ideal-5bit", "--model", "cnn"), "`kind` must be one of lstm"),
        (("ideal-5bit", "--model", "gru", "--projection", 3), "must be 0 but for an LSTM"),
        (("ideal-5bit", "--costs", "nothing"), "There is no cost card"),
        (("ideal-5bit", "--cell-tanh", "nope"), "`cell_tanh` must be one of digital, ramp"),
        (("taox-1t1r-128", "--bits", 12), "programmable"),
    ):
        done = run(*args)
        assert done.exit_code == 2
        assert text in done.stderr
        assert done.stdout == ""
