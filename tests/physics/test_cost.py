"""Laws of the bill: parts sum to the total, and each part scales with what it is made of."""

import dataclasses

import numpy as np
import pytest

import aimc
from aimc import cost
from aimc.errors import ArgumentError, CardError
from aimc.shipped import path

CARD = path("circuits") / "costs" / "puma-ramp.toml"


@pytest.fixture
def hardware():
    return aimc.load("ideal-5bit").replace(rows=16, cols=8)


def build(hardware, rows=16, cols=8):
    w = np.tile(np.linspace(-1, 1, rows)[:, None], (1, cols))
    return hardware.program(w, np.random.default_rng(0), "tanh")


def parts(bill):
    return {part.name: part for part in bill.parts}


def test_parts_sum_to_the_total(hardware):
    bill = cost.bill(build(hardware))
    for what in ("energy", "area", "latency"):
        values = [getattr(part, what) for part in bill.parts]
        assert all(value >= 0 for value in values)
        assert getattr(bill, what) == pytest.approx(sum(values))
        assert getattr(bill, what) > 0
    assert all(part.source for part in bill.parts)
    assert str(bill) == bill.table()
    assert all(part.name in bill.table() for part in bill.parts)


def test_cells_cost_the_ohmic_heat_of_a_full_read(hardware):
    macro = build(hardware)
    x = np.ones((1, 16))
    driver = hardware.driver
    trace_power = (driver.v_read * x) @ macro.crossbar.g * driver.v_read
    energy = parts(cost.bill(macro, activity=1.0))["cells"].energy
    assert energy == pytest.approx(trace_power.sum() * driver.window)
    assert parts(cost.bill(macro, activity=0.25))["cells"].energy == pytest.approx(energy / 4)


def test_cells_scale_with_the_square_of_the_read_voltage(hardware):
    low, high = (parts(cost.bill(build(hardware.replace(v_read=v_read)))) for v_read in (0.1, 0.3))
    for name in ("cells", "ramp cells"):
        assert high[name].energy == pytest.approx(9 * low[name].energy)
    for name in ("drivers", "sample and hold", "converters"):
        assert high[name].energy == pytest.approx(low[name].energy)


def test_twice_the_columns_cost_twice_what_stands_in_columns(hardware):
    one = parts(cost.bill(build(hardware)))
    two = parts(cost.bill(build(hardware.replace(cols=16), cols=16)))
    for name in ("cells", "sample and hold", "converters"):
        assert two[name].energy == pytest.approx(2 * one[name].energy)
        assert two[name].area == pytest.approx(2 * one[name].area)
        assert two[name].latency == one[name].latency
    for name in ("drivers", "ramp cells"):
        assert two[name].energy == pytest.approx(one[name].energy)
        assert two[name].area == pytest.approx(one[name].area)


def test_one_more_bit_doubles_the_conversion(hardware):
    five = parts(cost.bill(build(hardware)))["converters"]
    six = parts(cost.bill(build(hardware.replace(bits=6))))["converters"]
    assert six.energy == pytest.approx(2 * five.energy)
    assert six.latency == pytest.approx(2 * five.latency)


def test_published_conversion_of_128_columns(rng):
    """42.82 pJ and 32 ns at 5 bits and 1 GHz [Nat. Commun. 2025, s41467-025-65233-w]."""
    hardware = aimc.load("ideal-5bit").replace(cols=128)
    macro = hardware.program(rng.normal(size=(72, 128)), rng, "sigmoid")
    converters = parts(cost.bill(macro))["converters"]
    assert converters.energy == pytest.approx(42.82e-12, rel=1e-4)
    assert converters.latency == pytest.approx(32e-9)


def test_macros_add_up_and_the_slowest_decides(hardware):
    fast, slow = build(hardware), build(hardware.replace(bits=7))
    both = cost.bill([fast, slow])
    one, other = cost.bill(fast), cost.bill(slow)
    assert both.energy == pytest.approx(one.energy + other.energy)
    assert both.area == pytest.approx(one.area + other.area)
    assert both.latency == other.latency > one.latency


def test_a_tiled_matrix_is_billed_array_by_array(hardware, rng):
    tiled = aimc.tile(hardware, rng.normal(size=(32, 20)), rng, "tanh")
    assert len(tiled.macros) == 6
    alone = [cost.bill(macro).energy for macro in tiled.macros]
    assert cost.bill(tiled).energy == pytest.approx(sum(alone))


def test_bad_macros_are_refused(hardware):
    with pytest.raises(ArgumentError, match="holds none"):
        cost.bill([])
    with pytest.raises(ArgumentError, match="`macros` must be a Macro"):
        cost.bill(3)
    with pytest.raises(ArgumentError, match="`activity` must be at most 1"):
        cost.bill(build(hardware), activity=2)


def test_constants_must_have_a_source():
    constants = cost.load()
    for name in ("cell_area", "conversion_energy"):
        less = {key: text for key, text in constants.source.items() if key != name}
        with pytest.raises(ArgumentError, match=f"source of {name}"):
            dataclasses.replace(constants, source=less)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"3.9 uW"', '"3.9 uJ"', "driver_power must be a number with a unit in W"),
        ('"3.9 uW"', "3.9e-6", "driver_power must be a number with a unit in W"),
        ('"3.9 uW"', '"-3.9 uW"', "`driver_power` must be at least 0"),
        ("driver_power =", "driver_pwoer =", "driver_pwoer is an unknown key"),
        ('driver_power = "3.9 uW"\n', "", "driver_power must be given"),
        ("snh_area", "snh_area\nx", "must be a TOML file"),
        ('["converter_area"]', '["area"]', "area is an unknown key"),
        ("[source]\nconversion_energy", "[source]\nother", "the source of conversion_energy"),
    ],
)
def test_a_bad_cost_card_is_refused_and_told_why(tmp_path, old, new, message):
    text = CARD.read_text()
    assert old in text
    card = tmp_path / "mine.toml"
    card.write_text(text.replace(old, new, 1))
    with pytest.raises(CardError) as error:
        cost.load(card)
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_an_unknown_cost_card_names_the_others():
    with pytest.raises(CardError, match="puma-ramp"):
        cost.load("nothing")
