"""Laws of quantities: one number with its unit in, an SI float out, and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimc.errors import ArgumentError
from aimc.units import parse, show


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("150 uS", "S", 150e-6),
        ("150 µS", "S", 150e-6),
        ("150uS", "S", 150e-6),
        (" 1.5e-4 S ", "S", 150e-6),
        ("0 S", "S", 0.0),
        ("-2.67 uS", "S", -2.67e-6),
        ("6.5 kohm", "ohm", 6500.0),
        ("6.5 kΩ", "ohm", 6500.0),
        ("250 ns", "s", 250e-9),
        ("1 day", "s", 86400.0),
        ("568 fF", "F", 568e-15),
        ("3 uS/mV", "S/V", 3e-3),
        ("0.167 um**2", "m**2", 0.167e-12),
        ("9.375 um^2", "m**2", 9.375e-12),
        ("9.7 nW", "J/s", 9.7e-9),
        ("2 V*S", "A", 2.0),
        ("2.5 1/V", "1/V", 2.5),
        ("2.5 1/mV", "1/V", 2500.0),
        ("2.5 V^-1", "1/V", 2.5),
        ("-0.0021 1/V^2/uS", "1/V^2/S", -2100.0),
        ("400 uA/V^2", "A/V^2", 400e-6),
        ("5", "1", 5.0),
        ("1 %", "1", 0.01),
    ],
)
def test_a_quantity_is_its_number_in_si(text, unit, value):
    assert parse(text, unit) == pytest.approx(value, rel=1e-15, abs=0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_in_its_own_unit_comes_back_bit_for_bit(value):
    assert parse(f"{value!r} S", "S") == value
    assert parse(repr(value), "1") == value


@given(st.floats(1e-15, 9e14), st.sampled_from([-1, 1]), st.sampled_from(["S", "V", "ohm", "F"]))
def test_what_is_shown_can_be_read_again_to_the_digits_shown(size, sign, unit):
    value = sign * size
    assert parse(show(value, unit), unit) == pytest.approx(value, rel=0.5e-3)
    assert parse(show(value, unit, digits=9), unit) == pytest.approx(value, rel=0.5e-8)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (150e-6, "S", "150 uS"),
        (2.67e-6, "S", "2.67 uS"),
        (1e-9, "s", "1 ns"),
        (1e3, "ohm", "1 kohm"),
        (-0.2, "V", "-200 mV"),
        (0.0, "S", "0 S"),
        (math.inf, "s", "inf s"),
        (0.123456, "1", "0.1235"),
    ],
)
def test_a_value_is_shown_in_engineering_notation(value, unit, text):
    assert show(value, unit) == text


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("150 uA", "S"),  # another dimension
        ("150", "S"),  # no unit
        ("1 V", "1"),  # a unit where none belongs
        ("S", "S"),  # no number
        ("%", "1"),
        ("", "1"),
        ("   ", "S"),
        ("150 uSS", "S"),  # no such unit
        ("1,5 V", "V"),  # a decimal comma is not 15 V
        ("2*3 V", "V"),  # nothing is computed
        ("1/0 S", "S"),
        ("9**9**9**9 V", "V"),
        ("1 V**9**9**9", "V"),
        ("1 +/- 2 V", "V"),
        ("True", "1"),
        ("__import__('os')", "1"),
        ("(", "V"),
    ],
)
def test_what_is_no_such_quantity_is_refused_with_what_came(text, unit):
    with pytest.raises(ArgumentError) as caught:
        parse(text, unit)
    rule = "number" if unit == "1" else f"number with a unit in {unit}"
    assert str(caught.value) == f"must be a {rule}, but is {text!r}"


@pytest.mark.parametrize("text", ["1e400 S", "1e308 TS", "inf S", "nan S"])
def test_a_quantity_beyond_the_floats_is_refused(text):
    with pytest.raises(ArgumentError, match="must be a finite number with a unit in S"):
        parse(text, "S")
