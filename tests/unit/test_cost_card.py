"""A cost card: every number with a unit and a source, one scaling rule, mistakes told."""

import dataclasses
from functools import partial

import pytest

import aimc
from aimc import cost
from aimc.cost.bill import COMPONENTS
from aimc.cost.card import ELEMENTS
from aimc.errors import ArgumentError, CardError
from aimc.shipped import path

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)

CARD = path("circuits") / "costs" / "puma-ramp.toml"


def test_no_number_without_a_source():
    card = cost.load()
    assert set(card.elements) == set(ELEMENTS)
    assert set(card.source) == {"node", "voltage", "frequency"}
    assert card.doubts()[0] == "voltage (unverified)"
    for name, element in card.elements.items():
        assert set(element.values) == set(ELEMENTS[name])
        for quantity in element.values:
            assert element.source[quantity].strip()
            assert quantity in element.says()
    element = card.elements["driver"]
    with pytest.raises(ArgumentError, match="source of power"):
        dataclasses.replace(element, source={"area": "somewhere"})


def test_three_numbers_are_fitted_and_say_so():
    card = cost.load()
    fitted = [text for text in card.doubts() if text.endswith("(fitted)")]
    assert fitted == [
        "integrator.power (fitted)", "alu.serves (fitted)", "routing.wire_energy (fitted)"
    ]  # fmt: skip
    for text in fitted:
        name, _, quantity = text.partition(" ")[0].partition(".")
        assert "fitted to" in card.elements[name].source[quantity]


def test_digital_circuits_scale_and_cells_do_not():
    """Area with s^2, energy with s (V / V_0)^2, s the ratio of the nodes."""
    card = cost.load()
    alu = card.elements["alu"]
    same = card.at(node=alu.node, voltage=alu.voltage)
    for quantity in ("energy", "area"):
        assert same.of("alu", quantity) == alu.values[quantity]
    half = card.at(node=alu.node / 2, voltage=alu.voltage / 3)
    assert half.of("alu", "area") == approx(alu.values["area"] / 4)
    assert half.of("alu", "energy") == approx(alu.values["energy"] / 18)
    assert half.of("alu", "serves") == alu.values["serves"]
    for name in ("cell", "converter", "sample_hold", "sar"):
        assert half.of(name, "area") == card.of(name, "area")
    assert card.at(frequency=2e9).period == 0.5e-9


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"3.896875 uW"', '"3.896875 uJ"', "driver.power must be a number with a unit in W"),
        ('"3.896875 uW"', "3.9e-6", "driver.power must be a number with a unit in W"),
        ('"3.896875 uW"', '"-3.9 uW"', "`power` must be at least 0"),
        ("[driver]", "[drivers]", "drivers is an unknown key"),
        ('area = "0.167 um**2"\n', "", "driver.area must be given"),
        ("shared = 128", "sharing = 128", "sar.sharing is an unknown key"),
        ('frequency = "1 GHz"', "frequency", "must be a TOML file"),
        ('unverified = ["area"]', 'unverified = ["height"]', "name height"),
        ('wire_energy = "fitted', 'other = "fitted', "the source of wire_energy"),
        ('node = "Nat.', 'nodes = "Nat.', "the source of node"),
        ('node = "16 nm"', 'node = "0 nm"', "`node` must be greater than 0"),
        ('node = "16 nm"', 'node = "16 m"', "`node` must be at most 1e-05"),
        ('node = "32 nm"', 'node = "32 mm"', "`node` must be at most 1e-05"),
        ("scales = true", 'scales = "no"', "`scales` must be True or False"),
        ("processors = 32", "processors = 0", "`processors` must be at least 1"),
        ("processors = 32", 'processors = "1.5"', "`processors` must be a whole number"),
        ("serves = 336", "serves = 0", "`serves` must be at least 1"),
        ("shared = 128", "shared = 0", "`shared` must be at least 1"),
        ("cycles = 1", "cycles = 0", "`cycles` must be at least 1"),
        ("bits = 5", 'bits = "5.5"', "`bits` must be a whole number"),
    ],
)
def test_a_bad_card_is_refused_and_told_why(tmp_path, old, new, message):
    text = CARD.read_text()
    card = tmp_path / "mine.toml"
    card.write_text(text.replace(old, new, 1))
    assert old in text
    with pytest.raises(CardError) as error:
        cost.load(card)
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_only_what_there_is_can_be_replaced():
    card = cost.load()
    with pytest.raises(ArgumentError, match="`element` must be one of cell, driver"):
        card.replace("foo", area=1.0)
    with pytest.raises(ArgumentError, match="`quantity` must be one of area, but is 'energy'"):
        card.replace("cell", energy=1.0)
    with pytest.raises(ArgumentError, match="`processors` must be at least 1"):
        card.replace("look_up", processors=0.0)


def test_a_clock_moves_digital_phases_and_a_supply_what_scales():
    """Twice the clock halves what counts periods; times of arrays and all energies stay."""
    card, hardware = cost.load(), aimc.load("taox-1t1r-128")
    layer = cost.layer("lstm", hardware, 40, 32)
    slow, quick = cost.bill_of(layer, card), cost.bill_of(layer, card.at(frequency=2e9))
    for name in ("look-up units", "element-wise units"):
        assert quick.part(name).latency == approx(slow.part(name).latency / 2)
    for name in ("cells", "comparators and counters"):
        assert quick.part(name).latency == slow.part(name).latency
    assert quick.energy == slow.energy
    low = cost.bill_of(layer, card.at(voltage=card.voltage / 2))
    for part in slow.parts:
        scales = all(e.scales for n, e in card.elements.items() if n == COMPONENTS[part.name])
        factor = 0.25 if scales else 1.0
        assert low.part(part.name).energy == approx(factor * part.energy), part.name


def test_a_doubt_about_nothing_is_refused(tmp_path):
    card = tmp_path / "mine.toml"
    card.write_text(CARD.read_text().replace('["voltage"]', '["current"]', 1))
    with pytest.raises(CardError, match="current"):
        cost.load(card)


def test_an_unknown_card_names_the_others():
    with pytest.raises(CardError, match="puma-ramp"):
        cost.load("nothing")
