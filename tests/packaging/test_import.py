"""`import aimc` is instant: it loads nothing but itself, and gives a name when it is asked for."""

import importlib

import pytest

import aimc

HEAVY = {"torch", "matplotlib", "numba", "numpy", "scipy", "pint", "typer", "PySpice"}


def test_import_loads_nothing_heavy(python):
    loaded = python("-c", "import sys, aimc; print(*sys.modules)").split()
    assert "aimc" in loaded
    assert not HEAVY & set(loaded)


def test_a_card_loads_neither_torch_nor_matplotlib(python):
    code = "import sys, aimc; aimc.load('ideal-5bit'); print(*sys.modules)"
    assert not {"torch", "matplotlib", "PySpice"} & set(python("-c", code).split())


@pytest.mark.parametrize("name", aimc.__all__)
def test_every_public_name_is_there(name):
    value = getattr(aimc, name)
    assert value is getattr(aimc, name)
    assert name in dir(aimc)
    if isinstance(value, type(aimc)):
        assert value is importlib.import_module(f"aimc.{name}")


def test_rooms_import_from_the_package(python):
    assert python("-c", "from aimc import cost, nn, tasks; print(nn.__name__)") == "aimc.nn\n"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'aimc' has no attribute 'laod'"):
        _ = aimc.laod


def test_module_runs_as_the_command(python):
    assert "bench" in python("-m", "aimc", "--help")
