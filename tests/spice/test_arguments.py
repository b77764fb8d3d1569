"""Whatever stands for an argument works, or is refused by its name."""

import math

import numpy as np
import pytest

import aimc
from aimc import Crossbar, spice
from aimc.errors import AimcError, ArgumentError

NGSPICE = spice.DIALECTS["ngspice"]
BARS = Crossbar(np.full((3, 2), 1e-5))
X = np.full((1, 3), 0.1)
DECK = spice.netlist(BARS, X)
CELL = {"subckt": "cell_linear", "params": lambda g, i, j: {"g": g}, "linear": True,
        "models": ("cell_linear",), "define": lambda dialect: []}  # fmt: skip
FIELDS = {name: getattr(DECK, name) for name in ("text", "dialect", "includes", "measures", "plan")}


def macro():
    rng = np.random.default_rng(0)
    return aimc.load("taox-1t1r-128").replace(rows=3, cols=2).program(np.ones((3, 2)), rng, "tanh")


def exported(**given):
    return spice.netlist(**given).files


def found():
    zero = np.zeros((1, 3, 2))
    return spice.OperatingPoint(BARS, X, zero, zero, zero[:, 0])


EXPORT = {"analysis": None, "gain": None, "delay": 0.0, "cell": None, "dialect": "ngspice",
          "seed": 1}  # fmt: skip
# Every public function, class and method, with arguments that it takes.
DOORS = {
    "netlist of a macro": (exported, {"circuit": macro(), "x": X, **EXPORT}),
    "netlist of a crossbar": (exported, {"circuit": BARS, "x": X, **EXPORT}),
    "CellModel": (lambda **cell: spice.netlist(BARS, X, cell=spice.CellModel(**cell)), CELL),
    "model": (spice.model, {"name": "cell_linear", "dialect": "hspice"}),
    "read": (spice.read, {"netlist": DECK.text}),
    "compare": (spice.compare, {"reference": BARS.solve(X), "result": found()}),
    "including": (NGSPICE.including, {"models": "here"}),
    "Netlist": (lambda **fields: spice.Netlist(**fields).files, FIELDS),
    "write": (DECK.write, {"path": "deck.cir"}),
    "measure": (DECK.measure, {"deck": "deck.cir"}),
    "run": (DECK.run, {"runner": spice.Ngspice()}),
    "Ngspice": (spice.Ngspice, {"timeout": 20.0, "program": "ngspice"}),
    "NgspiceShared": (spice.NgspiceShared, {"timeout": 20.0, "library": None}),
    "Runner.run": (spice.Ngspice().run, {"files": DECK.files, "deck": "deck.cir", "rawfile": None}),
}
# What is none, although it is of the kind that is asked for, is told by what it is.
NAMES = {"name", "subckt", "netlist", "rawfile", "files"}


@pytest.mark.spice
@pytest.mark.usefixtures("ngspice")
@pytest.mark.parametrize("bad", [None, 3, "foo", "", [], {}, math.nan, np.zeros((2, 2)), object()])
@pytest.mark.parametrize(("door", "name"), [(d, name) for d in DOORS for name in DOORS[d][1]])
def test_what_is_no_argument_is_refused_by_name(door, name, bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, given = DOORS[door]
    said = f"`{name}`"
    try:
        function(**{**given, name: bad})
    except AimcError as error:
        said = str(error)
    assert f"`{name}`" in said or (name in NAMES and isinstance(bad, str | int | dict))


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "1"])
def test_a_deck_holds_numbers_only(value):
    with pytest.raises(ArgumentError, match="`value` must be"):
        NGSPICE.ops(["v1"], [[0.0], [value]])


def test_a_dialect_that_cannot_say_a_thing_says_so():
    with pytest.raises(ArgumentError, match="must have a statement for 'measure', but is spectre"):
        spice.DIALECTS["spectre"].write("measure", name="u", vector="a", at=1.0)
