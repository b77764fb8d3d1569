"""Every public function answers a wrong argument by its name, wherever it is found."""

import inspect
import re
from typing import Any

import numpy as np
import pytest
import torch

import aimc
from aimc import Condition, Wires, nn
from aimc.errors import AimcError, ArgumentError

CARD = aimc.load("ideal-5bit")
JUNK = [None, 3, "foo", (), float("nan")]


class Course:
    steps = 2

    def batch(self, step):
        return torch.rand(4, 3), torch.tensor([0, 1, 1, 0])

    def forward(self, model, inputs, state):
        return model(inputs), None


class Task:
    label = "two classes"

    def __init__(self, given: Any = Course):
        self.given = given

    def course(self, model, seed):
        return self.given()


def net():
    return torch.nn.Sequential(torch.nn.Linear(3, 2))


def chip():
    return nn.program(nn.calibrate(net(), torch.rand(9, 3)), CARD, np.random.default_rng(0))


def rng():
    return np.random.default_rng(0)


def ran(call, name):
    """Calls `call`, which may refuse an argument and then names it."""
    said = ""
    try:
        call()
    except AimcError as error:
        said = str(error)
    assert not said or re.search(rf"\b{name}\b", said), said


LAYER = {"x_scale": None, "y_range": None}
RNN = {"input_size": 3, "hidden_size": 2, "num_layers": 1, "bias": True, "dropout": 0.0}
ONE = nn.Recipe(epochs=1)
CALLS = {
    "program": (nn.program, {
        "model": net(), "hardware": CARD, "rng": rng(), "digital": (), "cell_tanh": "digital",
        "dtype": torch.float64,
    }),
    "reprogram": (nn.reprogram, {
        "model": chip(), "rng": rng(), "hardware": CARD, "digital": (), "dtype": torch.float64,
    }),
    "under": (nn.under, {
        "model": chip(), "condition": Condition(), "rng": rng(), "recalibrate": False,
        "compensation": None,
    }),
    "train": (nn.train, {
        "model": net(), "task": Task(), "hardware": None, "seed": 0, "recipe": ONE,
        "teacher": None, "checkpoint": None, "digital": (),
    }),
    "report": (nn.report, {"model": chip()}),
    "save": (nn.save, {"model": net(), "path": "file"}),
    "load": (lambda model: nn.load(model, "file"), {"model": net()}),
    "macros": (nn.macros, {"model": chip()}),
    "transfers": (nn.transfers, {
        "g": np.full((1, 2, 2), 1e-5), "wires": Wires(1.0), "device": "cpu",
        "dtype": torch.float64, "limit": 10**6,
    }),
    "Recipe": (nn.Recipe, {
        name: each.default for name, each in inspect.signature(nn.Recipe).parameters.items()
    }),
    "Checkpoint": (nn.Checkpoint, {"path": "file", "every": 1}),
    "Linear": (nn.Linear, {
        "in_features": 3, "out_features": 2, "bias": True, "curve": "linear", **LAYER,
    }),
    "RNN": (nn.RNN, {**RNN, "x_scale": None, "nonlinearity": "tanh"}),
    "LSTM": (nn.LSTM, {**RNN, **LAYER, "proj_size": 0, "cell_tanh": "digital"}),
    "GRU": (nn.GRU, {**RNN, **LAYER, "reset": "after"}),
    "layer.program": (nn.Linear(3, 2).program, {
        "hardware": CARD, "rng": rng(), "dtype": torch.float32,
    }),
    "linear": (nn.Linear(3, 2), {"input": torch.rand(4, 3)}),
    "lstm": (nn.LSTM(3, 2), {"input": torch.rand(4, 3), "hx": None}),
    "chip of an lstm": (nn.LSTM(3, 2).program(CARD, rng()), {
        "input": torch.rand(4, 3), "hx": None,
    }),
}  # fmt: skip
CASES = [(name, each) for name, (_, arguments) in CALLS.items() for each in arguments]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize(("name", "argument"), CASES)
def test_an_argument_works_or_is_named(name, argument, junk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, arguments = CALLS[name]
    ran(lambda: call(**arguments | {argument: junk}), argument)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("under", "recalibrate"), ("Recipe", "ranges"), ("program", "cell_tanh")],
)
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_what_is_none_of_the_choices_is_refused(name, argument, junk):
    call, arguments = CALLS[name]
    with pytest.raises(ArgumentError, match=f"`{argument}` must be"):
        call(**arguments | {argument: junk})


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_calibration_names_its_arguments(junk):
    first = nn.Linear(3, 2)
    ran(lambda: nn.calibrate(junk, torch.rand(9, 3)), "model")
    ran(lambda: nn.calibrate(first, junk), "input")
    ran(lambda: nn.calibrate(first), "inputs")
    ran(lambda: nn.calibrate(first, torch.rand(9, 3), digital=junk), "digital")


def test_what_is_written_again_needs_a_chip_or_its_hardware():
    with pytest.raises(ArgumentError, match="`hardware` must be given"):
        nn.reprogram(nn.Linear(3, 2), rng())


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("sizes", [(0, 2), (2, 0)])
def test_a_layer_without_rows_or_columns_is_refused_by_name(sizes):
    with pytest.raises(ArgumentError, match=r"`0`.*must have inputs and outputs"):
        nn.program(torch.nn.Sequential(torch.nn.Linear(*sizes)), CARD, rng())


def test_parameters_without_values_are_refused():
    with torch.device("meta"):
        model = net()
    for call in (
        lambda: nn.program(model, CARD, rng()),
        lambda: nn.calibrate(model, torch.rand(9, 3)),
        lambda: nn.train(model, Task(), recipe=ONE),
        lambda: chip()(torch.rand(4, 3, device="meta")),
    ):
        with pytest.raises(ArgumentError, match=r"`(model|input)` must hold values"):
            call()


@pytest.mark.parametrize("gives", [None, 3, "foo", (), (torch.rand(4, 3),), (None, None)])
@pytest.mark.parametrize("name", ["batch", "forward"])
def test_a_course_that_gives_no_pair_is_named(name, gives):
    other = Task(type("Other", (Course,), {name: lambda self, *arguments: gives}))
    with pytest.raises(ArgumentError, match=rf"`course\.{name}` must give"):
        nn.train(net(), other, recipe=ONE)


@pytest.mark.parametrize("course", [None, 3, "foo", (), float("nan")])
def test_a_task_without_a_course_is_named(course):
    other = Task(lambda: course)
    with pytest.raises(ArgumentError, match="`course"):
        nn.train(net(), other, recipe=ONE)


@pytest.mark.parametrize("card", ["ideal-5bit", "taox-1t1r-128"])
@pytest.mark.parametrize("adc", [None, aimc.converters.SARADC(5), aimc.converters.FlashADC(5)])
def test_a_method_of_calibration_is_one_that_the_converter_has(card, adc):
    hardware = aimc.load(card)
    hardware = hardware if adc is None else hardware.replace(adc=adc)
    macro = hardware.program(np.ones((3, 2)), rng())
    for method in (3, "foo", ()):
        with pytest.raises(ArgumentError, match="`method` must"):
            macro.recalibrated(rng(), method)  # pyright: ignore[reportArgumentType]
    macro.recalibrated(rng())
