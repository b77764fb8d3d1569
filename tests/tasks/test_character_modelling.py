"""The character language model: bits per character, streams, checkpoints, samples."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import aimc
from aimc import nn
from aimc.errors import ArgumentError, DataError
from aimc.tasks import CharacterModelling
from aimc.tasks import character_modelling as lm

TALE = Path(
    os.environ.get(
        "AIMC_TEXT",
        Path(__file__).parents[3] / "shared" / "data" / "text" / "tinyshakespeare.txt",
    )
)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A text whose next character follows from those before."""
    path = tmp_path_factory.mktemp("text") / "counting.txt"
    path.write_text("".join(f"{k % 10}{k // 10 % 10}{k % 7}." for k in range(5000)))
    return CharacterModelling(path)


SIZE = (6, 16, 8)
RECIPE = nn.Recipe(epochs=20, rate=0.02, averaging=0.9)


@pytest.fixture(scope="module")
def trained(task):
    return task.train(task.model(SIZE), recipe=RECIPE)


def test_the_full_model_is_the_published_matrix():
    symbols = "abc"
    model = lm.CharNet(symbols, *lm.SIZES["full"])
    assert model.shape == (633, 8064)
    assert model.recurrent.weight_hr_l0.shape == (504, 2016)


def test_knowing_nothing_costs_the_logarithm_of_the_symbols(task):
    def even(codes, state):
        return torch.zeros(*codes.shape, len(task.text.symbols)), None

    class Even(lm.CharNet):
        def forward(self, codes, state=None):  # pyright: ignore[reportIncompatibleMethodOverride]
            return even(codes, state)

    model = Even("".join(task.text.symbols), *SIZE)
    expected = math.log2(len(task.text.symbols))
    for options in ({}, {"characters": 150}, {"streams": 3}, {"split": "validation"}):
        assert task.bits_per_character(model, **options) == pytest.approx(expected, abs=1e-5)


def test_cutting_the_text_in_time_changes_nothing(task, monkeypatch):
    """The state is carried from part to part."""
    model = task.model(SIZE)
    whole = task.bits_per_character(model, streams=2)
    monkeypatch.setattr(lm, "LENGTH", 7)
    assert task.bits_per_character(model, streams=2) == pytest.approx(whole, abs=1e-5)


def test_training_learns_and_a_seed_gives_the_same_model(task, trained):
    assert task.bits_per_character(trained) < 0.85 * task.bits_per_character(task.model(SIZE))
    again = task.train(task.model(SIZE), recipe=RECIPE)
    assert all(map(torch.equal, trained.state_dict().values(), again.state_dict().values()))
    assert trained.info["data"] == task.label
    assert trained.readout.aimc_ranges


def test_streams_continue_from_step_to_step_and_targets_are_what_follows(task):
    course = task.course(task.model(SIZE), 0)
    (one, after), (two, _) = course.batch(0), course.batch(1)
    assert torch.equal(one[:, 1:], after[:, :-1])
    assert torch.equal(after[:, -1], two[:, 0])
    assert not torch.equal(course.batch(0)[0], course.batch(course.steps)[0])


def test_adapted_model_loses_less_on_chips(task, trained):
    hardware = aimc.load("taox-1t1r-128").replace(bits=3)
    recipe = replace(RECIPE, epochs=6, rate=0.01)
    adapted = task.adapt(trained, hardware, recipe=recipe)
    plain, aware = (
        np.mean(
            [
                task.bits_per_character(
                    nn.program(model, hardware, np.random.default_rng(s)), "validation"
                )
                for s in range(2)
            ]
        )
        for model in (trained, adapted)
    )
    assert aware < plain
    assert adapted.info["bits"] == 3


def test_samples_are_of_the_text_and_the_same_for_a_seed(task, trained):
    text = task.sample(trained, 60, seed=1, prompt="1")
    assert len(text) == 60
    assert set(text) <= set(task.text.symbols)
    assert task.sample(trained, 60, seed=1, prompt="1") == text
    assert task.sample(trained, 60, seed=2, prompt="1") != text
    chip = nn.program(trained, aimc.load("ideal-5bit"), np.random.default_rng(0))
    assert len(task.sample(chip, 5, prompt="1")) == 5


def test_checkpoint_gives_the_same_model_back(task, trained, tmp_path):
    path = tmp_path / "new" / "model.safetensors"
    task.save(trained, path, purpose="test")
    again = CharacterModelling.load(path)
    assert task.bits_per_character(again) == task.bits_per_character(trained)
    assert again.sizes == trained.sizes
    assert again.info["purpose"] == "test"
    assert again.recurrent.aimc_ranges == trained.recurrent.aimc_ranges
    with pytest.raises(ArgumentError, match=r"`path` must be a file that can be written.*a folder"):
        task.save(trained, tmp_path)
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"model\.safetensors must be a checkpoint"):
        CharacterModelling.load(path)


def test_mistakes_are_named(task):
    with pytest.raises(ArgumentError, match="`size` must be one of small, full, but is 'huge'"):
        task.model("huge")
    with pytest.raises(ArgumentError, match="`split` must be one of train, validation, test"):
        task.bits_per_character(task.model(SIZE), "dev")
    with pytest.raises(ArgumentError, match="`characters` must be two or more"):
        task.bits_per_character(task.model(SIZE), characters=1)
    other = lm.CharNet("ab", *SIZE)
    with pytest.raises(DataError, match="It was trained on another text"):
        task.bits_per_character(other)
    with pytest.raises(DataError, match=r"must hold only characters of counting\.txt"):
        task.sample(task.model(SIZE), prompt="?")


@pytest.mark.skipif(not TALE.is_file(), reason=f"no text in {TALE}")
def test_a_longer_text_of_its_own():
    task = CharacterModelling(TALE)
    assert len(task.text.symbols) == 65
    assert task.course(task.model(SIZE)).steps > 200
