"""What a user of `aimc bench` sees, and which files a run leaves alone."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import aimc
from aimc import cards
from aimc.cli import app

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


@pytest.fixture
def small(monkeypatch):
    """A keyword data set of noise, and a recipe of one epoch."""
    from aimc.cli import keywords
    from aimc.nn import Recipe
    from aimc.tasks import corpus, keyword_spotting

    rng = np.random.default_rng(0)
    words = {
        split: (list(rng.integers(-3000, 3000, (11, 16000)).astype(np.int16)), list(range(11)),
                [split] * 11)
        for split in corpus.SPLITS
    }  # fmt: skip
    noise = [rng.integers(-500, 500, 400_000).astype(np.int16)]
    data = corpus.assemble("synthetic (noise)", words, noise)
    monkeypatch.setattr(keyword_spotting.synthetic, "load", lambda seed: data)
    monkeypatch.setattr(keyword_spotting, "QUICK", Recipe(epochs=1))
    monkeypatch.setattr(keywords, "QUICK_AWARE", Recipe(epochs=1))


def test_bench_kws_from_training_to_record(small, tmp_path):
    args = ("bench", "kws", "--quick", "--chips", 2, "--hidden", 4, "--card", "ideal-5bit",
            "--card", "taox-1t1r-128", "--seed", 5)  # fmt: skip
    text = ok(*args, "--out", tmp_path).stdout
    assert "SYNTHETIC" in text
    assert "synthetic (noise)" in text
    assert "results clipped" in text
    (path,) = tmp_path.glob("*.json")
    assert path.name == "kws-synthetic-lstm4-quick-ideal-5bit-taox-1t1r-128.json"
    record = json.loads(path.read_text())
    assert record["synthetic"] is True
    assert [each["array"] for each in record["losses"]] == ["gates_l0", "weight"]
    assert set(record["float"]) == {"validation", "test"}
    assert record["settings"]["cards"] == ["ideal-5bit", "taox-1t1r-128"]
    shown = [(row["card"], row["effects"], row["seeds"]) for row in record["rows"]]
    assert shown == [
        ("ideal-5bit", "quantised only", [5]),
        ("taox-1t1r-128", "quantised only", [5]),
        ("taox-1t1r-128", "all effects", [5, 6]),
    ]
    for row in record["rows"]:
        assert len(row["values"]) == len(row["seeds"])
        assert row["latency_per_inference"] > 51 * 64e-9
        parts = row["energy_by_component"].values()
        assert sum(parts) == pytest.approx(row["energy_per_inference"])
    assert record["rows"][-1]["digest"] == cards.digest(aimc.load("taox-1t1r-128"))
    assert np.sum(record["confusion"]["counts"]) == 2 * record["test_clips"]
    figures = {figure.name for figure in (tmp_path / path.stem).iterdir()}
    assert {"accuracy.png", "confusion.png", "ramp-levels.png", "transfer-curve.png"} <= figures

    args = ("bench", "kws", "--quick", "--chips", 1, "--hidden", 4, "--card", "ideal-5bit")
    result = ok(*args, "--bits", 3, "--seed", 5, "--json", "--out", tmp_path)
    assert json.loads(result.stdout)["rows"][0]["bits"] == 3


def test_bench_kws_for_many_bits_ages_and_trainings(small, tmp_path):
    """Two runs with one seed differ in their date alone."""
    args = ("bench", "kws", "--quick", "--chips", 2, "--hidden", 4, "--bits", 3, 2,
            "--card", "taox-1t1r-128-aged", "--hardware-aware", "--hours", 0, 24,
            "--origins")  # fmt: skip
    records = []
    for folder in ("one", "two"):
        result = ok(*args, "--out", tmp_path / folder)
        assert "hardware-aware" in result.stdout
        assert "where the loss comes from" in result.stdout
        (path,) = (tmp_path / folder).glob("*.json")
        records.append(json.loads(path.read_text()))
        del records[-1]["date"]
    assert records[0] == records[1]
    assert records[0]["settings"]["origins"] is True
    assert records[0]["confusion"]["of"]["hours"] == 24.0
    rows = records[0]["rows"]
    assert [(r["bits"], r["training"], r["effects"], r["hours"]) for r in rows] == [
        (bits, training, *effects)
        for bits in (3, 2)
        for training in ("plain", "hardware-aware")
        for effects in (("quantised only", None), ("all effects", 0.0), ("all effects", 24.0))
    ]
    assert set(records[0]["models"]) == {
        "float", "taox-1t1r-128-aged, 3 bits", "taox-1t1r-128-aged, 2 bits",
    }  # fmt: skip
    assert [r["effects"] for r in records[0]["origins"]][:3] == [
        "rounding", "+ write errors", "+ stuck cells",
    ]  # fmt: skip
    assert len(list((tmp_path / "one").glob("*bit.safetensors"))) == 2
    assert "do not age" in ok("bench", "kws", "--quick", "--chips", 1, "--hidden", 4, "--hours", 1,
                              "--card", "ideal-5bit", "--out", tmp_path).stdout  # fmt: skip


def test_bench_lm_from_training_to_record(tmp_path, monkeypatch):
    from aimc.nn import Recipe
    from aimc.tasks import character_modelling as lm

    data = tmp_path / "tale.txt"
    data.write_text("".join(f"once {k} upon a time, " for k in range(500)))
    monkeypatch.setitem(lm.SIZES, "small", (4, 6, 5))
    monkeypatch.setattr(lm, "QUICK", Recipe(epochs=1))
    monkeypatch.setattr(lm, "QUICK_AWARE", Recipe(epochs=1))
    args = ("bench", "lm", "--quick", "--chips", 2, "--data", data, "--hardware-aware")
    records = []
    for folder in ("one", "two"):
        text = ok(*args, "--out", tmp_path / folder).stdout
        assert "10 x 24 LSTM weights with the bias" in text
        assert "chip model writes" in text
        (path,) = (tmp_path / folder).glob("*.json")
        assert path.name == "lm-tale-small-quick-aware.json"
        records.append(json.loads(path.read_text()))
        del records[-1]["date"]
    assert records[0] == records[1]
    assert [(row["training"], row["effects"]) for row in records[0]["rows"]] == [
        (training, effects)
        for training in ("plain", "hardware-aware")
        for effects in ("quantised only", "all effects")
    ]
    assert len(records[0]["sample"]["chip"]) == 300
    untrained = json.loads(
        ok("bench", "lm", "--data", data, "--epochs", 0, "--chips", 1, "--characters", 300,
           "--json", "--digital-readout", "--card", "ideal-5bit", "--out", tmp_path).stdout
    )  # fmt: skip
    assert untrained["settings"]["digital"] == ["readout"]
    assert untrained["float"]["test"] == pytest.approx(np.log2(22), abs=0.5)


def test_bench_kws_pretrained(small, tmp_path, monkeypatch):
    from aimc import tasks
    from aimc.cli import benchmark, keywords
    from aimc.tasks import corpus

    monkeypatch.setattr(keywords, "CHECKPOINT", "nowhere.safetensors")
    assert "nowhere.safetensors" in refused("bench", "kws", "--pretrained", "--out", tmp_path)

    task = tasks.KeywordSpotting()
    path = tmp_path / "model.safetensors"
    task.save(task.calibrate(task.model("lstm", hidden=3)), path, data="other words")
    monkeypatch.setattr(benchmark, "checkpoint", lambda _: path)
    args = ("bench", "kws", "--pretrained", "--chips", 1, "--card", "ideal-5bit", "--out", tmp_path)
    monkeypatch.setattr(corpus.Split, "missing", property(lambda split: ["yes"]))
    text = ok(*args).stdout
    assert "trained on other words" in text
    assert "no test clip of yes" in text
    record = json.loads((tmp_path / "kws-synthetic-lstm3-pretrained-ideal-5bit.json").read_text())
    assert record["rows"][0]["interval_95"] is None


def test_a_model_of_the_checkout_is_taken_only_for_the_numbers_it_was_trained_for(
    small, tmp_path, monkeypatch
):
    """Not for every card of its name."""
    from aimc import tasks
    from aimc.cli import benchmark

    task = tasks.KeywordSpotting()
    model = task.calibrate(task.model("lstm", hidden=3))
    shipped = tmp_path / "checkout" / "kws-lstm32.safetensors"
    task.save(model, shipped)
    hardware = aimc.load("ideal-5bit")
    aware = shipped.with_name("kws-lstm32-ideal-5bit-5bit.safetensors")
    task.save(model, aware, hardware=cards.digest(hardware), mark="of the checkout")
    monkeypatch.setattr(benchmark, "checkpoint", lambda _: shipped)
    mine = tmp_path / "mine" / "ideal-5bit.toml"
    mine.parent.mkdir()
    mine.write_text(cards.dump(hardware.replace(rows=hardware.rows // 2)))
    args = ("bench", "kws", "--pretrained", "--hardware-aware", "--chips", 1, "--card")
    record = json.loads(ok(*args, "ideal-5bit", "--json", "--out", tmp_path / "a").stdout)
    assert record["models"]["ideal-5bit, 5 bits"]["mark"] == "of the checkout"
    text = refused(*args, mine, "--out", tmp_path / "b")
    assert f"kws-lstm32-ideal-5bit-5bit.safetensors must be trained for {mine}" in text
    assert "Leave --pretrained out to train" in text
    assert list((tmp_path / "b").iterdir()) == []
    text = refused(*args, "ideal-5bit", "--card", mine, "--out", tmp_path / "b")
    assert "`--card` must name cards of different names" in text


def test_results_and_models_of_another_run_are_not_lost(small, tmp_path, monkeypatch):
    from aimc.tasks import KeywordSpotting

    args = ("bench", "kws", "--quick", "--chips", 1, "--hidden", 4, "--out", tmp_path, "--card")
    ok(*args, "ideal-5bit")
    model = tmp_path / "kws-synthetic-lstm4-quick.safetensors"
    before = KeywordSpotting.load(model)
    ok(*args, "ideal-5bit")  # the same run again
    ok(*args, "taox-1t1r-128")  # the same float model, results of another name
    assert len(list(tmp_path.glob("*.json"))) == 2

    def work(*_, **__):
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(KeywordSpotting, "train", work)
        for more, what in ((("--seed", 1), "seed differs"), (("--chips", 2), "chips differs")):
            text = refused(*args, "ideal-5bit", *more)
            assert "must be of this very run to be replaced" in text
            assert what in text
            assert "`--force`" in text
        for path in tmp_path.glob("*.json"):
            path.unlink()
        text = refused(*args, "ideal-5bit", "--seed", 1)
        assert "kws-synthetic-lstm4-quick.safetensors must be of this very run" in text
        assert "seed differs" in text
    assert torch.equal(KeywordSpotting.load(model).readout.weight, before.readout.weight)
    ok(*args, "ideal-5bit", "--seed", 1, "--force")
    assert not torch.equal(KeywordSpotting.load(model).readout.weight, before.readout.weight)


def test_a_language_model_of_other_epochs_or_another_text_is_not_lost(tmp_path, monkeypatch):
    from aimc.tasks import character_modelling as lm

    monkeypatch.setitem(lm.SIZES, "small", (4, 6, 5))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tale.txt").write_text(f"it was {folder} day, " * 600)
    args = ("bench", "lm", "--chips", 1, "--card", "ideal-5bit", "--characters", 300, "--out",
            tmp_path, "--data", tmp_path / "a" / "tale.txt")  # fmt: skip
    ok(*args, "--epochs", 1)
    assert "epochs differs" in refused(*args, "--epochs", 2)
    assert "characters differs" in refused(*args, "--epochs", 1, "--characters", 400)
    assert "data digest differ" in refused(*args[:-1], tmp_path / "b" / "tale.txt", "--epochs", 1)


def test_an_age_that_is_no_time_is_refused_before_any_work(tmp_path, monkeypatch):
    from aimc import tasks

    monkeypatch.setattr(tasks, "KeywordSpotting", None)
    for hours in ("inf", "nan", "1e306"):
        text = refused("bench", "kws", "--hours", hours, "--out", tmp_path)
        assert "--hours" in text


def test_a_training_that_was_kept_is_not_done_again(small, tmp_path, monkeypatch):
    from aimc.nn.training.run import Run

    args = ("bench", "kws", "--quick", "--chips", 1, "--hidden", 4, "--card", "ideal-5bit",
            "--hardware-aware", "--checkpoint", tmp_path / "runs", "--json", "--out")  # fmt: skip
    one = json.loads(ok(*args, tmp_path / "one").stdout)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "kws-synthetic-lstm4-quick.run.safetensors",
        "kws-synthetic-lstm4-quick-ideal-5bit-5bit.run.safetensors",
    }

    def work(*_):
        raise AssertionError

    monkeypatch.setattr(Run, "descend", work)
    two = json.loads(ok(*args, tmp_path / "two").stdout)
    assert one["rows"] == two["rows"]
    assert "must be a checkpoint of this very run" in refused(
        *args, tmp_path / "three", "--seed", 1
    )


def test_the_readout_may_stay_digital_and_every_chip_has_a_line(small, tmp_path):
    args = ("bench", "kws", "--quick", "--chips", 2, "--hidden", 4, "--digital-readout",
            "--hardware-aware", "--out", tmp_path)  # fmt: skip
    result = ok(*args)
    assert "readout digital" in result.stdout
    assert "taox-1t1r-128, 5 bits, plain, all effects: chip 2 of 2, 0." in result.stderr
    record = json.loads((tmp_path / "kws-synthetic-lstm4-quick-aware-digital.json").read_text())
    assert record["settings"]["digital"] == ["readout"]
    assert record["models"]["taox-1t1r-128, 5 bits"]["digital"] == ["readout"]
    assert (tmp_path / "kws-synthetic-lstm4-quick-taox-1t1r-128-5bit-digital.safetensors").is_file()


def test_an_interval_ends_where_values_do():
    from aimc.cli.results import statistics

    assert statistics([0.3, 0.99], limits=(0.0, 1.0))["interval_95"] == [0.0, 1.0]
    low, high = statistics([0.3, 0.99])["interval_95"]
    assert low < 0 < 1 < high


def test_interval_covers_the_mean_of_chips_as_often_as_it_says():
    from aimc.cli.results import statistics

    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        low, high = statistics(list(rng.normal(0.8, 0.02, 5)))["interval_95"]
        hits += low <= 0.8 <= high
    assert 0.935 < hits / 2000 < 0.965
