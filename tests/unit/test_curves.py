"""Laws of the curves: an ideal converter errs at most half a step, on whatever curve."""

import dataclasses
import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimc.curves import CURVES, Curve, Placement, curve, linear, lloyd_max, table
from aimc.curves.lloyd import cluster_means
from aimc.errors import AimcError, ArgumentError

inherited = settings(deadline=None, max_examples=20)


def cubic(x):
    return x**3 - x


def falling_sigmoid(x):
    return 1 / (1 + np.exp(x))


WAVE = Curve("wave", np.sin, -1.0, 1.0, domain=(-4.0, 9.0))
OTHERS = {
    "falling": Curve("falling", falling_sigmoid, 0.0, 1.0),
    "cube": Curve("cube", lambda x: x**3, -1.0, 1.0),
    "wave": WAVE,
    "cubic": Curve("cubic", cubic, -1.0, 1.0, domain=(-3.0, 3.0)),
    "table": table("table", np.linspace(-2, 2, 30), np.tanh(np.linspace(-2, 2, 30))),
    "hump": table("hump", [0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 0.7, -0.5]),
}
ALL = {**CURVES, **OTHERS}


@pytest.fixture(params=ALL)
def each(request):
    return ALL[request.param]


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
class TestEveryCurve:
    def test_an_ideal_converter_errs_at_most_half_a_step(self, each, bits):
        theta = each.thresholds(bits)
        x = np.linspace(theta[0], theta[-1], 20001)
        y = each.f(x)
        inside = (y >= each.lo) & (y <= each.hi)
        error = np.abs(each.quantise(x, bits) - y)[inside] / each.lsb(bits)
        assert error.max() <= 0.5 + 1e-6

    def test_thresholds_rise_and_lie_where_f_is_the_edge(self, each, bits):
        theta = each.thresholds(bits)
        assert np.all(np.diff(theta) > 0)
        np.testing.assert_allclose(each.f(theta), each.edges(bits), atol=1e-9 * (each.hi - each.lo))

    def test_the_counter_makes_steps_of_one_through_every_code(self, each, bits):
        codes = each.codes(bits)
        assert codes.size == each.thresholds(bits).size + 1
        assert set(np.abs(np.diff(codes))) == {1}
        assert (codes.min(), codes.max()) == (0, 2**bits - 1)
        if not each.turns:
            np.testing.assert_array_equal(codes, np.arange(2**bits))

    def test_directions_are_the_sign_of_the_slope(self, each, bits):
        theta, h = each.thresholds(bits), 1e-4
        np.testing.assert_array_equal(
            each.directions(bits), np.sign(each.f(theta + h) - each.f(theta - h))
        )

    def test_codes_stand_for_the_middle_between_their_edges(self, each, bits):
        steps = np.diff(each.outputs(bits))
        assert each.outputs(bits).size == 2**bits
        np.testing.assert_allclose(np.abs(steps), each.lsb(bits), rtol=1e-9)
        between = (each.outputs(bits)[1:] + each.outputs(bits)[:-1]) / 2
        codes = each.codes(bits)
        np.testing.assert_allclose(
            between[np.maximum(codes[1:], codes[:-1]) - 1], each.edges(bits), atol=1e-9
        )

    def test_thresholds_placed_where_they_are_change_nothing(self, each, bits):
        placed = each.placed(each.thresholds(bits))
        np.testing.assert_array_equal(placed.thresholds(bits), each.thresholds(bits))
        np.testing.assert_array_equal(placed.codes(bits), each.codes(bits))
        np.testing.assert_array_equal(placed.directions(bits), each.directions(bits))
        np.testing.assert_allclose(placed.outputs(bits), each.outputs(bits), atol=1e-8)
        np.testing.assert_allclose(placed.edges(bits), each.edges(bits), atol=1e-8)
        assert placed.lsb(bits) == pytest.approx(each.lsb(bits), rel=1e-7)

    def test_fewer_bits_of_placed_thresholds_are_the_curve_at_fewer_bits(self, each, bits):
        placed = each.placed(each.thresholds(bits))
        for fewer in range(1, bits):
            np.testing.assert_allclose(
                placed.thresholds(fewer), each.thresholds(fewer), rtol=1e-7, atol=1e-7
            )
            np.testing.assert_array_equal(placed.codes(fewer), each.codes(fewer))
            np.testing.assert_allclose(placed.outputs(fewer), each.outputs(fewer), atol=1e-8)


def test_curves_are_hashable_comparable_and_frozen():
    assert len({*CURVES.values()}) == len(CURVES) - 1  # swish is silu
    assert CURVES["swish"] is CURVES["silu"]
    assert linear() == CURVES["linear"]
    points = ([0.0, 1.0, 3.0], [0.0, 1.0, 0.5])
    assert table("t", *points) == table("t", *points)
    assert hash(table("t", *points)) == hash(table("t", *points))
    placed = curve("tanh").placed([-1.0, 0.0, 1.0])
    assert placed == curve("tanh").placed(np.array([-1.0, 0.0, 1.0]))
    assert placed != curve("tanh")
    with pytest.raises(dataclasses.FrozenInstanceError):
        placed.lo = 3.0  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="read-only"):
        placed.thresholds(2)[0] = 1.0


@pytest.mark.parametrize(
    "name",
    ["sigmoid", "tanh", "softplus", "softsign", "elu", "selu", "hard_sigmoid", "hard_tanh", "gelu",
     "silu"],
)  # fmt: skip
def test_named_curves_are_torchs(name):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn.functional, name.replace("_", ""))
    x = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    np.testing.assert_allclose(CURVES[name].f(x.numpy()), theirs(x).numpy(), atol=1e-7)


@pytest.mark.parametrize("name", [name for name, each in CURVES.items() if each.inverse])
def test_inverses_are_found_by_root_finding_too(name):
    given = CURVES[name]
    found = dataclasses.replace(given, inverse=None)
    np.testing.assert_allclose(found.thresholds(5), given.thresholds(5), atol=1e-9)


@pytest.mark.parametrize("name", ["gelu", "silu", "gaussian"])
def test_turns_are_found_where_they_are_not_given(name):
    given = CURVES[name]
    found = dataclasses.replace(given, turns=None)
    assert found.turns
    assert given.turns
    np.testing.assert_allclose(found.turns, given.turns, atol=1e-6)
    np.testing.assert_allclose(found.thresholds(8), given.thresholds(8), atol=1e-9)


def test_turns_of_known_functions():
    np.testing.assert_allclose(WAVE.turns or (), np.pi * np.array([-0.5, 0.5, 1.5, 2.5]), atol=1e-6)
    np.testing.assert_allclose(OTHERS["cubic"].turns or (), [-(3**-0.5), 3**-0.5], atol=1e-6)
    assert OTHERS["table"].turns == ()
    assert OTHERS["hump"].turns == (1.0,)


def test_the_thresholds_of_a_gaussian_are_its_closed_form():
    side = np.sqrt(-np.log(np.arange(1, 32) / 32))
    np.testing.assert_allclose(
        CURVES["gaussian"].thresholds(5), np.concatenate((-side, side[::-1])), rtol=1e-12
    )


def test_an_edge_that_is_only_touched_is_not_crossed():
    touching = dataclasses.replace(WAVE, lo=-2.0, hi=2.0)
    with pytest.raises(ArgumentError, match="cross every output edge"):
        touching.thresholds(2)  # edges -1, 0, 1: only 0 is crossed
    parabola = Curve("parabola", lambda x: x * x, -1.0, 3.0, domain=(-2.0, 2.0), turns=(0.0,))
    with pytest.raises(ArgumentError, match="does not cross 0 between"):
        parabola.thresholds(2)
    end = Curve("end", np.abs, 0.0, 2.0, domain=(-1.0, 2.0), turns=(0.0,))
    np.testing.assert_allclose(end.thresholds(1), [1.0])  # touches 1 at the domain's left end
    np.testing.assert_array_equal(end.codes(1), [0, 1])


def test_a_tail_is_resolved_only_where_an_edge_is_crossed():
    gelu = CURVES["gelu"]
    assert gelu.turns
    left = gelu.thresholds(5) < gelu.turns[0]
    below_zero = gelu.edges(5) < 0
    assert left.sum() == 1
    assert gelu.codes(5)[0] == np.sum(np.unique(gelu.edges(5)) < 0)
    assert below_zero[left].all()


def test_thresholds_by_name_are_those_of_the_inverse_bit_for_bit():
    k = np.arange(1, 32)
    np.testing.assert_array_equal(CURVES["tanh"].thresholds(5), np.arctanh(-1.0 + k * (2.0 / 32)))
    np.testing.assert_array_equal(CURVES["linear"].thresholds(5), -1.0 + k * (2.0 / 32))


class TestPlaced:
    theta = (-1.5, -0.2, 0.9)

    def test_outputs_are_the_middle_between_the_outputs_at_the_thresholds(self):
        placed = curve("tanh").placed(self.theta)
        y = np.tanh(self.theta)
        np.testing.assert_allclose(
            placed.outputs(2),
            [(y[0] - 1) / 2, (y[0] + y[1]) / 2, (y[1] + y[2]) / 2, (y[2] + 1) / 2],
        )
        np.testing.assert_allclose(placed.edges(2), y)

    def test_fewer_bits_take_every_second_threshold_and_merge_outputs(self):
        placed = curve("tanh").placed(self.theta, [-1.0, 0.0, 0.5, 2.0])
        np.testing.assert_array_equal(placed.thresholds(1), [-0.2])
        np.testing.assert_array_equal(placed.outputs(1), [-0.5, 1.25])
        assert placed.lsb(2) == 1.0

    def test_more_bits_are_refused(self):
        with pytest.raises(ArgumentError, match="`bits` must be at most 2, for which tanh"):
            curve("tanh").placed(self.theta).thresholds(3)

    def test_a_falling_curve_keeps_counting_its_outputs_down(self):
        placed = OTHERS["falling"].placed(self.theta)
        assert np.all(np.diff(placed.outputs(2)) < 0)
        np.testing.assert_array_equal(placed.directions(2), [-1, -1, -1])
        assert placed.falling

    def test_a_curve_that_turns_counts_down_and_up(self):
        placed = CURVES["gelu"].placed([-2.0, 0.0, 1.0, 2.0])
        np.testing.assert_array_equal(placed.codes(2), [1, 0, 1, 2, 3])

    def test_limits_move_out_to_thresholds_beyond(self):
        placed = linear().placed([-3.0, 0.0, 5.0])
        assert (placed.lo, placed.hi) == (-3.0, 5.0)
        np.testing.assert_array_equal(placed.outputs(2), [-3.0, -1.5, 2.5, 5.0])

    @pytest.mark.parametrize(
        ("function", "theta", "outputs", "says"),
        [
            ("tanh", [0.0, 0.0, 1.0], None, "must rise, but has 0 before 0"),
            ("tanh", [1.0, 0.0, 2.0], None, "must rise"),
            ("tanh", [0.0, math.nan, 1.0], None, "must be finite"),
            ("tanh", [0.0, 1.0], None, "lead through 2\\^b codes, b up to 16, but lead through 3"),
            ("tanh", [], None, "must not be empty"),
            ("tanh", [0.0], [1.0], "`outputs` must have shape \\(2\\)"),
            ("tanh", [0.0], [1.0, math.nan], "`outputs` must be finite"),
            ("gelu", [-2.0, -1.0, 1.0], None, "lead through 3"),
            ("gelu", [-60.0], None, "within the domain"),
            (Curve("sine", np.sin, -0.5, 0.5), [-2.0, -1.5, 1.0], None, "turns between"),
        ],
    )
    def test_what_are_no_thresholds_is_refused(self, function, theta, outputs, says):
        with pytest.raises(ArgumentError, match=says):
            curve(function).placed(theta, outputs)

    @inherited
    @given(theta=st.lists(st.floats(-3, 3), min_size=15, max_size=15, unique=True))
    def test_free_thresholds_come_back_bit_for_bit(self, theta):
        theta = np.sort(theta)
        np.testing.assert_array_equal(curve("sigmoid").placed(theta).thresholds(4), theta)


class TestLloydMax:
    @pytest.mark.parametrize("name", ["linear", "sigmoid", "gelu", "gaussian", "falling", "wave"])
    @pytest.mark.parametrize("bits", [1, 3, 5])
    def test_lloyds_two_conditions_hold(self, name, bits, rng):
        function = ALL[name]
        x = np.clip(rng.normal(0, 1.2, 3000), -3.9, 3.9)
        placed = lloyd_max(function, bits, x)
        y, out = function.f(x), placed.quantise(x, bits)
        means = [y[out == level].mean() for level in placed.outputs(bits)]
        np.testing.assert_allclose(means, placed.outputs(bits), atol=1e-9)
        nearest = np.abs(y[:, None] - placed.outputs(bits)).min(axis=1)
        np.testing.assert_allclose(np.abs(y - out), nearest, atol=1e-9)

    @pytest.mark.parametrize("name", ["linear", "tanh", "silu", "falling"])
    def test_it_errs_less_than_uniform_thresholds_and_than_any_moved_ones(self, name, rng):
        function, x = ALL[name], rng.normal(0, 0.8, 4000)
        placed = lloyd_max(function, 4, x)
        y = function.f(x)

        def error(each):
            return np.mean((each.quantise(x, 4) - y) ** 2)

        least = error(placed)
        assert least < error(function)
        for _ in range(20):
            moved = placed.thresholds(4) + rng.normal(0, 0.01, placed.thresholds(4).size)
            assert error(function.placed(np.sort(moved), placed.outputs(4))) > least

    @inherited
    @given(
        y=st.lists(st.integers(-50, 50), min_size=4, max_size=9, unique=True),
        k=st.integers(2, 4),
        weight=st.lists(st.integers(1, 5), min_size=9, max_size=9),
    )
    def test_no_division_into_groups_errs_less(self, y, k, weight):
        y, weight = np.sort(np.array(y, float)), np.array(weight[: len(y)])

        def error(means):
            return np.sum(weight * np.min(np.abs(y[:, None] - means), axis=1) ** 2)

        best = math.inf
        for inner in combinations(range(1, y.size), k - 1):
            ends = [0, *inner, y.size]
            groups = [slice(a, b) for a, b in pairwise(ends)]
            means = np.array([np.average(y[g], weights=weight[g]) for g in groups])
            best = min(best, error(means))
        assert error(cluster_means(y, weight, k)) == pytest.approx(best, rel=1e-9, abs=1e-9)

    def test_a_uniform_distribution_gives_uniform_thresholds(self):
        x = (np.arange(4096) + 0.5) / 2048 - 1
        placed = lloyd_max("linear", 4, x)
        np.testing.assert_allclose(placed.thresholds(4), linear().thresholds(4), atol=1e-9)
        np.testing.assert_allclose(placed.outputs(4), linear().outputs(4), atol=1e-9)

    def test_a_normal_distribution_gives_the_published_table(self):
        """Max 1960, table I: two bits for unit variance, thresholds 0, +-0.9816, error 0.1175."""
        from scipy.special import ndtri

        x = ndtri((np.arange(200_000) + 0.5) / 200_000)
        placed = lloyd_max("linear", 2, x)
        np.testing.assert_allclose(placed.thresholds(2), [-0.9816, 0, 0.9816], atol=1e-3)
        np.testing.assert_allclose(placed.outputs(2), [-1.510, -0.4528, 0.4528, 1.510], atol=2e-3)
        assert np.mean((placed.quantise(x, 2) - x) ** 2) == pytest.approx(0.1175, abs=1e-4)

    def test_samples_beyond_a_table_count_as_its_ends(self):
        x = np.linspace(-5, 5, 1001)
        placed = lloyd_max(OTHERS["table"], 2, x)
        assert placed.outputs(2)[0] == pytest.approx(np.tanh(-2), abs=0.05)

    def test_saturated_samples_get_a_code_and_no_threshold_among_them(self, rng):
        placed = lloyd_max("hard_tanh", 3, rng.normal(0, 2, 5000))
        assert placed.outputs(3)[0] < -0.9
        assert np.all(np.abs(placed.thresholds(3)) < 1)

    @pytest.mark.parametrize(
        ("name", "x", "says"),
        [
            ("tanh", [0.0, 1.0, math.nan], "must be finite"),
            ("tanh", [0.0, 1.0, 1.0, 1.0], "give 8 different outputs or more, but gives 2"),
            ("hard_tanh", np.linspace(2, 3, 100), "but gives 1"),
            ("wave", np.linspace(-5, 5, 100), "must lie within the domain"),
        ],
    )
    def test_samples_that_do_not_suffice_are_refused(self, name, x, says):
        with pytest.raises(ArgumentError, match=says):
            lloyd_max(ALL[name], 3, x)


def test_a_table_goes_through_its_points():
    x, y = [-1.0, 0.0, 0.5, 2.0], [0.0, 3.0, 1.0, 1.5]
    made = table("points", x, y)
    np.testing.assert_allclose(made.f(np.array(x)), y)
    assert made.turns == (0.0, 0.5)
    assert (made.lo, made.hi, made.domain) == (0.0, 3.0, (-1.0, 2.0))
    np.testing.assert_array_equal(made.f(np.array([-5.0, 5.0])), [0.0, 1.5])


def test_a_plateau_between_a_rise_and_a_fall_is_one_turn():
    made = table("mesa", [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 1.0, 0.0])
    assert len(made.turns or ()) == 1
    np.testing.assert_array_equal(made.codes(2), [0, 1, 2, 3, 2, 1, 0])


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        ([0.0, 0.0], [1.0, 2.0], "`x` must be two or more rising"),
        ([0.0], [1.0], "`x` must be two or more rising"),
        ([0.0, 1.0], [1.0, 1.0], "`y` must not be constant"),
        ([0.0, 1.0], [1.0, 2.0, 3.0], "`y` must have shape"),
        ([0.0, 1.0], [1.0, math.inf], "`y` must be finite"),
    ],
)
def test_what_is_no_table_is_refused(x, y, says):
    with pytest.raises(ArgumentError, match=says):
        table("bad", x, y)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"turns": (0.0,)}, "`domain` must be the x-range"),
        ({"domain": (1.0, -1.0)}, "domain"),
        ({"domain": 3.0}, "`domain` must be two numbers"),
        ({"domain": (-1.0, 1.0), "inverse": np.sqrt}, "`inverse` must be None for a curve that"),
        ({"domain": (-1.0, math.nan)}, "domain"),
        ({"domain": (-1.0, 1.0), "turns": (0.5, 0.2)}, "`turns` must rise"),
        ({"domain": (-1.0, 1.0), "turns": (2.0,)}, "`turns` must rise"),
        ({"domain": (-1.0, 1.0), "turns": (math.nan,)}, "turns"),
    ],
)
def test_bad_turns_are_refused(fields, says):
    with pytest.raises(ArgumentError, match=says):
        Curve("bad", np.square, 0.0, 1.0, **fields)


def test_a_turn_that_is_not_given_is_named():
    wrong = Curve("wave", np.sin, -1.0, 1.0, domain=(-4.0, 9.0), turns=(math.pi / 2,))
    with pytest.raises(ArgumentError, match="wave also turns near"):
        wrong.thresholds(3)


def test_a_curve_that_does_not_reach_its_limits_is_refused():
    with pytest.raises(ArgumentError, match="does not cross"):
        dataclasses.replace(WAVE, hi=2.0).thresholds(4)


@pytest.mark.parametrize("bits", [0, 17, 2.5, True])
def test_what_is_no_number_of_bits_is_refused(bits):
    with pytest.raises(ArgumentError, match="`bits` must be"):
        curve("tanh").thresholds(bits)


def test_quantise_refuses_what_is_no_number():
    with pytest.raises(ArgumentError, match="`x` must be finite"):
        curve("tanh").quantise([0.0, math.nan], 3)
    assert curve("tanh").quantise(0.0, 1).shape == ()


def used(made: Curve):
    """Converted with, as a converter of two bits does."""
    hash(made)
    return made.quantise([0.1], 2), made.outputs(2), made.directions(2)


WAVES = {"f": np.sin, "lo": -0.9, "hi": 0.9, "domain": (-3.0, 3.0), "turns": None}
POINTS = {"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 3.0]}
# Every public function and method, with arguments that it takes.
DOORS = {
    "Curve": (
        lambda **given: used(Curve(**given)),
        {"name": "n", "f": np.tanh, "lo": -0.9, "hi": 0.9, "inverse": np.arctanh, "domain": None,
         "turns": None, "placement": None},
    ),
    "Curve that turns": (lambda **given: used(Curve("n", **given)), WAVES),
    "Placement": (
        lambda **given: used(Curve("n", np.tanh, -1, 1, placement=Placement(**given))),
        {"bits": 2, "thresholds": (-0.5, 0.0, 0.5), "outputs": (1.0, 2.0, 3.0, 4.0)},
    ),
    "curve": (lambda curve: used(globals()["curve"](curve)), {"curve": "tanh"}),
    "linear": (lambda **given: used(linear(**given)), {"lo": -1, "hi": 1}),
    "table": (lambda **given: used(table(**given)), {"name": "t", **POINTS}),
    "lloyd_max": (lloyd_max, {"curve": "tanh", "bits": 2, "x": np.linspace(-2, 2, 99)}),
    "placed": (
        lambda **given: used(curve("tanh").placed(**given)),
        {"thresholds": [-0.5, 0.0, 0.5], "outputs": [1.0, 2.0, 3.0, 4.0]},
    ),
    "quantise": (curve("tanh").quantise, {"x": [0.1], "bits": 3}),
    "solve": (curve("tanh").solve, {"y": np.array([0.1])}),
    "crossings": (curve("gelu").crossings, {"y": np.array([0.1, 0.2])}),
    **{
        f"{name}, {kind}": (getattr(each, name), {"bits": 2})
        for name in ("lsb", "thresholds", "edges", "codes", "outputs", "directions", "steps", "tie")
        for kind, each in (("turns", CURVES["gelu"]), ("placed", linear().placed([-0.5, 0, 0.5])))
    },
}  # fmt: skip


@pytest.mark.parametrize("bad", [None, 3, "foo", "", [], {}, math.nan, np.zeros((2, 2)), object()])
@pytest.mark.parametrize(("door", "name"), [(d, name) for d in DOORS for name in DOORS[d][1]])
def test_what_is_no_argument_is_refused_by_name(door, name, bad):
    function, given = DOORS[door]
    function(**given)
    said = f"`{name}`"
    try:
        function(**{**given, name: bad})
    except AimcError as error:
        said = str(error)
    # A number may be one, and yet none of a curve.
    assert f"`{name}`" in said or isinstance(bad, int | list)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"f": None}, "`f` must be a function of an array, but is None"),
        ({"lo": math.nan}, "`lo` must be finite"),
        ({"hi": math.inf}, "`hi` must be finite"),
        ({"lo": 2}, "`hi` must be greater than 2, but is 1"),
        ({"inverse": 3}, "`inverse` must be a function of an array, but is 3"),
        ({"name": None}, "`name` must be a text, but is None"),
        ({"placement": (2, [0.0], [0.0, 1.0])}, "`placement` must be one that `placed` made"),
        ({"placement": Placement(2, (0.0,), (1.0,) * 4)}, "must lead through 4 codes, but leads t"),
    ],
)
def test_what_is_no_curve_is_refused_where_it_is_made(fields, says):
    with pytest.raises(ArgumentError, match=says):
        Curve(**{"name": "n", "f": np.tanh, "lo": -1, "hi": 1, **fields})


def test_an_inverse_that_is_none_is_refused():
    with pytest.raises(ArgumentError, match="`inverse` must take and give an array"):
        Curve("n", np.tanh, -1, 1, lambda y: "foo").thresholds(3)


def test_only_a_curve_with_a_domain_has_crossings():
    with pytest.raises(ArgumentError, match="`domain` must be the x-range of a curve that turns"):
        curve("tanh").crossings(np.array([0.1]))
