"""Laws of the errors: one tree, and messages that say the argument, the rule and what came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aimc import Crossbar, errors, load
from aimc.errors import ArgumentError, as_array, as_batch, as_count, as_number, must
from aimc.parts.device import Device


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ArgumentError, ValueError),
        (errors.CardError, ValueError),
        (errors.DataError, Exception),
        (errors.MissingExtra, ImportError),
        (errors.NotConverged, ArithmeticError),
    ],
)
def test_every_error_is_ours_and_python_s(kind, builtin):
    assert issubclass(kind, errors.AimcError)
    assert issubclass(kind, builtin)


def test_a_missing_extra_says_how_to_install_it():
    assert "pip install 'aimc[speech]'" in str(errors.MissingExtra("nnAudio", "speech"))


def test_a_solver_that_stopped_tells_its_residual():
    assert errors.NotConverged("stopped", residual=0.5).residual == 0.5


def test_a_message_says_what_must_hold_what_came_and_what_to_do():
    assert str(must("w", "be square", "is (2, 3)")) == "`w` must be square, but is (2, 3)."
    assert str(must("w", "be", "is not", "Use v.")) == "`w` must be, but is not. Use v."


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e300, 1e300)))
def test_a_good_array_passes_unchanged_and_unshared_kinds_are_converted(value):
    assert as_array("g", value) is value
    same = as_array("g", np.asfortranarray(value))
    assert same.flags.c_contiguous
    np.testing.assert_array_equal(same, value)
    np.testing.assert_array_equal(as_array("g", value.tolist()), value)


def test_whole_numbers_and_booleans_become_float64():
    for value in (np.eye(2, dtype=int), np.eye(2, dtype=bool), np.eye(2, dtype=np.float32)):
        array = as_array("g", value)
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, np.eye(2))


@pytest.mark.parametrize(
    ("value", "limits", "says"),
    [
        (np.zeros(3), {}, r"`g` must have shape \(any, any\), but has shape \(3,\)"),
        (1.0, {}, r"`g` must have shape \(any, any\), but has shape \(\)"),
        (1.0, {"shape": (1,)}, r"`g` must have shape \(1\), but has shape \(\)"),
        (
            np.zeros((2, 3)),
            {"shape": (None, 2)},
            r"`g` must have shape \(any, 2\), but has shape \(2, 3\)",
        ),
        (np.zeros((0, 3)), {}, r"`g` must not be empty, but has shape \(0, 3\)"),
        ([["a", "b"]], {}, "`g` must be an array of real numbers, but is of dtype <U1"),
        ([[1.0], [1.0, 2.0]], {}, "`g` must be an array of real numbers, but is list"),
        (None, {}, "`g` must"),
        ([[1.0, np.nan]], {}, r"`g` must be finite, but is nan at \(0, 1\)"),
        ([[1.0], [-np.inf]], {}, r"`g` must be finite, but is -inf at \(1, 0\)"),
        ([[1.0, -2.0]], {"minimum": 0}, r"`g` must be at least 0, but is -2 at \(0, 1\)"),
        ([[1.0, 3.0]], {"maximum": 2}, r"`g` must be at most 2, but is 3 at \(0, 1\)"),
    ],
)
def test_a_bad_array_is_refused_and_the_first_bad_place_named(value, limits, says):
    with pytest.raises(ArgumentError, match=says):
        as_array("g", value, **limits)


def test_complex_numbers_are_refused():
    with pytest.raises(ArgumentError, match="`g` must be an array of real numbers"):
        as_array("g", np.eye(2) * 1j)


def test_an_empty_array_passes_where_it_is_allowed():
    assert as_array("g", np.zeros((0, 3)), empty=True).shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "batch"), [([1, 2], 1), ([[1, 2]] * 3, 3), (np.zeros((0, 2)), 0)]
)
def test_a_batch_may_be_one_row_and_may_be_empty(value, batch):
    rows = as_batch("x", value, 2)
    assert rows.shape == (batch, 2)
    assert rows.dtype == np.float64


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([[1, 2], [3]], "`x` must be an array of real numbers, but has rows of unequal length"),
        ([1, 2, 3], r"`x` must have shape \(any, 2\), but has shape \(1, 3\)"),
        (np.zeros((1, 1, 2)), r"`x` must have shape \(any, 2\), but has shape \(1, 1, 2\)"),
        ("abc", "`x` must be an array of real numbers"),
        ([1, np.nan], r"`x` must be finite, but is nan at \(0, 1\)"),
    ],
)
def test_a_bad_batch_is_refused(value, says):
    with pytest.raises(ArgumentError, match=says):
        as_batch("x", value, 2)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int64(1), np.array(1.0)])
def test_any_real_scalar_is_a_number(value):
    number = as_number("std", value, minimum=1, maximum=1, above=0)
    assert type(number) is float
    assert number == 1.0


@pytest.mark.parametrize(
    ("value", "limits", "says"),
    [
        ("1", {}, "`std` must be a number, but is '1'"),
        (True, {}, "`std` must be a number, but is True"),
        (None, {}, "`std` must be a number, but is None"),
        (np.nan, {}, "`std` must be finite, but is nan"),
        (np.inf, {}, "`std` must be finite, but is inf"),
        (0.0, {"above": 0}, "`std` must be greater than 0, but is 0"),
        (-1.0, {"minimum": 0}, "`std` must be at least 0, but is -1"),
        (2.0, {"maximum": 1}, "`std` must be at most 1, but is 2"),
        (np.zeros(3), {}, "`std` must be a number"),
        (1j, {}, "`std` must be a number"),
    ],
)
def test_a_bad_number_is_refused(value, limits, says):
    with pytest.raises(ArgumentError, match=says):
        as_number("std", value, **limits)


@pytest.mark.parametrize("value", [3, np.int16(3)])
def test_a_whole_number_is_a_count(value):
    count = as_count("bits", value, 3, 3)
    assert type(count) is int
    assert count == 3


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (2.0, "`bits` must be a whole number, but is 2.0"),
        (True, "`bits` must be a whole number, but is True"),
        ("2", "`bits` must be a whole number, but is '2'"),
        (0, "`bits` must be at least 1, but is 0"),
        (17, "`bits` must be at most 16, but is 17"),
    ],
)
def test_a_bad_count_is_refused(value, says):
    with pytest.raises(ArgumentError, match=says):
        as_count("bits", value, 1, 16)


def test_one_number_stays_one_number():
    assert as_array("g", 2.0, ()).shape == ()
    assert Device(1e-4).write(5e-5, np.random.default_rng(0)).shape == ()


def test_a_mask_is_no_conductance():
    with pytest.raises(ArgumentError, match="`g` must be conductances"):
        Crossbar(np.eye(3) > 0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("fields", [{"sense": "both"}, {"sense": "both", "r_row": 1.0}])
def test_a_part_is_told_from_a_field_of_its_name(fields):
    with pytest.raises(ArgumentError, match="`sense` must be of type Integrator"):
        load("ideal-5bit").replace(**fields)
