"""Hardware with some of its effects: none are invented, none are lost."""

import pytest

import aimc
from aimc.cards import names
from aimc.converters import SARADC
from aimc.errors import ArgumentError
from aimc.tasks.effects import EFFECTS, effects, levels, one_at_a_time, only


@pytest.mark.parametrize("name", names())
def test_all_effects_are_the_card_and_none_leave_its_bits(name):
    hardware = aimc.load(name)
    if hardware.wires.ideal:
        hardware = hardware.replace(wires=aimc.Wires())
    assert only(hardware, EFFECTS) == hardware
    bare = only(hardware, [])
    assert effects(bare) == []
    assert (bare.adc.bits, bare.driver) == (hardware.adc.bits, hardware.driver)
    assert (bare.rows, bare.cols, bare.mapping) == (hardware.rows, hardware.cols, hardware.mapping)
    for effect in effects(hardware):
        assert effects(only(hardware, [effect])) == [effect]
        assert effects(only(hardware, set(EFFECTS) - {effect})) == [
            each for each in effects(hardware) if each != effect
        ]


def test_one_at_a_time_goes_from_rounding_to_all():
    hardware = aimc.load("taox-1t1r-128-aged").replace(age=3600.0)
    found = one_at_a_time(hardware)
    present = effects(hardware)
    assert present == [
        "write errors", "stuck cells", "ageing", "read noise", "wires", "converter",
    ]  # fmt: skip
    assert list(found) == [
        "rounding", *(f"+ {e}" for e in present), *(f"all - {e}" for e in present), "all",
    ]  # fmt: skip
    assert found["all"] == hardware


def test_the_capacitors_of_a_successive_approximation_are_an_effect():
    hardware = aimc.load("ideal-5bit").replace(adc=SARADC(bits=5, unit_mismatch=0.05))
    assert effects(hardware) == ["converter"]
    assert only(hardware, []).adc == SARADC(bits=5)


def test_levels_that_add_nothing_are_left_out():
    assert list(levels(aimc.load("ideal-5bit"))) == ["quantised only"]
    found = levels(aimc.load("taox-1t1r-128"))
    assert list(found) == ["quantised only", "device noise", "all effects"]
    assert found["all effects"] == aimc.load("taox-1t1r-128")
    assert found["device noise"].wires.ideal


def test_an_unknown_effect_is_named():
    with pytest.raises(
        ArgumentError, match=r"`active` must name write errors, .*, but names 'rain'"
    ):
        only(aimc.load("ideal-5bit"), ["rain"])
