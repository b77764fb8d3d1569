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
    assert list(record["bills"]) == ["ramp", "linear ramp", "sar"]  # one-step: of 5 bits alone
    hardware = aimc.load("pcm-256").replace(bits=4)
    assert record["digest"] == cards.digest(hardware)
    layer = cost.layer("lstm", hardware, 12, 8, activity=0.25)
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
        (("taox-1t1r-128", "--bits", 12), "programmable"),
    ):
        done = run(*args)
        assert done.exit_code == 2
        assert text in done.stderr
        assert done.stdout == ""
