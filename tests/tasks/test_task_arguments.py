"""Every public method of a task answers a wrong argument by its name."""

import re

import pytest
import torch

import aimc
from aimc import nn
from aimc.errors import AimcError, ArgumentError
from aimc.tasks import CharacterModelling, KeywordSpotting, speech_commands

JUNK = [None, 3, "foo", (), float("nan")]
CARD = aimc.load("ideal-5bit")
RECIPE = nn.Recipe(epochs=1)
SIZE = (2, 3, 2)
CALLS = {
    "words": {
        "split": ["name"],
        "features": ["split"],
        "labels": ["split"],
        "model": ["kind", "hidden", "seed"],
        "course": ["model", "seed"],
        "recipe": ["quick", "epochs", "weight_noise"],
        "train": ["model", "seed", "epochs", "quick", "weight_noise", "checkpoint"],
        "adapt": ["model", "hardware", "seed", "recipe", "checkpoint", "digital"],
        "calibrate": ["model"],
        "validation": ["model"],
        "shares": ["model", "split", "batch"],
        "accuracy": ["model", "split"],
        "confusion": ["model", "split"],
        "save": ["model", "path"],
        "load": ["path"],
        "download": ["folder"],
    },
    "text": {
        "split": ["name"],
        "model": ["size", "seed"],
        "course": ["model", "seed"],
        "train": ["model", "seed", "recipe", "checkpoint"],
        "adapt": ["model", "hardware", "seed", "recipe", "checkpoint", "digital"],
        "calibrate": ["model"],
        "validation": ["model"],
        "bits_per_character": ["model", "split", "characters", "streams"],
        "sample": ["model", "length", "seed", "prompt", "temperature"],
        "save": ["model", "path"],
        "load": ["path"],
    },
}
NAMES = {"name": "split", "size": "size|embedding|cells", "prompt": "prompt|text"}


@pytest.fixture
def tasks(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(speech_commands, "load", lambda folder: corpus)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nn, "train", trained(nn.train))
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{k % 7}." for k in range(3000)))
    words, text = KeywordSpotting("tones"), CharacterModelling(path)
    return {"words": (words, words.model(hidden=2)), "text": (text, text.model(SIZE))}


def trained(train):
    """`nn.train` for no more than its checks and one step."""

    class Short:
        def __init__(self, task):
            self.label, self.task = task.label, task

        def course(self, model, seed):
            course = self.task.course(model, seed)
            course.steps = 1
            return course

    def short(model, task, *arguments, recipe, **options):
        recipe = RECIPE if isinstance(recipe, nn.Recipe) else recipe
        return train(model, Short(task), *arguments, recipe=recipe, **options)

    return short


CASES = [(which, name, a) for which, calls in CALLS.items() for name in calls for a in calls[name]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("which", "name", "argument"), CASES)
def test_an_argument_works_or_is_named(which, name, argument, tasks):
    task, model = tasks[which]
    given = {
        "name": "test", "split": "test", "model": model, "hardware": CARD, "path": "file",
        "size": SIZE, "folder": "file",
    }  # fmt: skip
    for junk in JUNK:
        if name == "download" and junk == "foo":
            continue  # a folder to be made
        others = {each: given[each] for each in CALLS[which][name] if each in given}
        said = ""
        try:
            getattr(task, name)(**others | {argument: junk})
        except AimcError as error:
            said = str(error)
        wanted = rf"\b({NAMES.get(argument, argument)})\b|^foo must be"
        assert not said or re.search(wanted, said), said


@pytest.mark.parametrize("kind", [KeywordSpotting, CharacterModelling])
@pytest.mark.parametrize("data", [3, (), float("nan"), "foo"])
def test_data_that_are_no_path_are_named(kind, data):
    with pytest.raises(AimcError, match=r"`data` must be a path|^foo must be"):
        kind(data)


def test_notes_that_no_file_can_hold_are_named(tasks):
    for task, model in tasks.values():
        with pytest.raises(ArgumentError, match="`notes` must be what JSON has"):
            task.save(model, "file", purpose=torch.zeros(2))
