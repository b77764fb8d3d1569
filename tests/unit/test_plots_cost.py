"""Figures of bills show the numbers of the bills."""

import json
from functools import partial

import numpy as np
import pytest

import aimc
from aimc import cost, plots
from aimc.cost.bill import COMPONENTS
from aimc.errors import ArgumentError
from aimc.plots import cost as plots_cost
from aimc.plots.cost import Point

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)


@pytest.fixture(scope="module")
def bills():
    hardware = aimc.load("taox-1t1r-128")
    return cost.compare(lambda kind: cost.layer("lstm", hardware, 12, 8, converter=kind))


def test_parts_stack_up_to_the_totals(bills, tmp_path):
    figure = plots_cost.parts(bills)
    for axes, what, scale in zip(
        figure.axes, ("energy", "area", "latency"), (1e9, 1e6, 1e9), strict=True
    ):
        for k, bill in enumerate(bills.values()):
            bars = [bar for bar in axes.patches if abs(bar.get_x() + 0.31 - k) < 1e-9]  # pyright: ignore[reportAttributeAccessIssue]
            height = sum(bar.get_height() for bar in bars)  # pyright: ignore[reportAttributeAccessIssue]
            assert height == approx(getattr(bill, what) * scale)
    assert plots.save(figure, tmp_path / "parts.png").stat().st_size > 1000


def test_the_timeline_shows_when_each_component_is_busy(bills, tmp_path):
    bill = bills["ramp"]
    axes = plots_cost.timeline(bill).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(axes.patches) == sum(len(phase.busy) for phase in bill.phases)
    for name in ("cells", "comparators and counters", "element-wise units"):
        bars = [bar for bar in axes.patches if round(bar.get_y() + 0.35) == names.index(name)]  # pyright: ignore[reportAttributeAccessIssue]
        busy = sum(phase.latency for phase in bill.phases if name in phase.busy)
        assert sum(bar.get_width() for bar in bars) == approx(busy * 1e9)  # pyright: ignore[reportAttributeAccessIssue]
    assert plots.save(plots_cost.timeline(bill), tmp_path / "t.svg").stat().st_size > 1000


def test_efficiency_shows_every_bill(bills):
    figure = plots_cost.efficiency({name: [bill] for name, bill in bills.items()})
    for line, bill in zip(figure.axes[0].lines, bills.values(), strict=True):
        assert line.get_ydata() == approx([bill.tops_per_watt])
        assert line.get_xdata() == [5]


def test_the_front_holds_what_nothing_beats():
    points = [
        Point("a", 3, 1.0, 0.5), Point("a", 5, 2.0, 0.9), Point("b", 5, 3.0, 0.8),
        Point("b", 8, 4.0, 0.95), Point("c", 8, 4.0, 0.94),
    ]  # fmt: skip
    assert [p.value for p in plots_cost.front(points)] == [0.5, 0.9, 0.95]
    assert [p.value for p in plots_cost.front(points, rising=False)] == [0.5]
    axes = plots_cost.pareto(points, "bits a character", rising=False).axes[0]
    assert axes.get_ylabel() == "bits a character"
    shown = np.concatenate([bars.lines[0].get_xdata() for bars in axes.containers])  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(
        np.sort(shown.astype(float)), np.sort([p.energy * 1e9 for p in points])
    )


def test_points_come_from_the_records_of_the_benchmark(bills):
    row = {
        "card": "mine", "bits": 5, "training": "plain", "hours": None, "mean": 0.8, "std": 0.01,
        **bills["ramp"].record(),
    }  # fmt: skip
    rows = [{**row, "effects": "quantised only"}, {**row, "effects": "all effects"}]
    record = json.loads(json.dumps({"rows": rows}))
    (point,) = plots_cost.points([record])
    assert point == ("mine", 5, bills["ramp"].energy, 0.8, 0.01)
    # A card without any imperfection has one row; an aged chip stands for no fresh one.
    ideal = {**rows[0], "card": "ideal", "std": None}
    aged = {**rows[1], "card": "old", "hours": 24}
    found = plots_cost.points([{"rows": [*rows, ideal, {**rows[0], "card": "old"}, aged]}])
    assert [p.label for p in found] == ["mine", "ideal"]
    assert found[1].spread is None
    with pytest.raises(ArgumentError, match="energy_per_inference"):
        plots_cost.points([{"rows": [{"card": "old", "bits": 5, "mean": 0.8}]}])


def test_bars_of_the_front_are_the_spread_over_chips():
    axes = plots_cost.pareto([Point("a", 5, 2e-9, 0.9, 0.01), Point("a", 3, 1e-9, 0.8)]).axes[0]
    (bars,) = axes.containers[0].lines[2]  # pyright: ignore[reportAttributeAccessIssue]
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[0.8, 0.8], [0.89, 0.91]])


def test_every_component_has_a_look_of_its_own():
    looks = [plots_cost._STYLES[name] for name in COMPONENTS]
    assert len(set(looks)) == len(COMPONENTS)


def test_phases_are_numbered_and_listed(bills):
    bill = bills["ramp"]
    axes, key = plots_cost.timeline(bill).axes
    assert [t.get_text() for t in axes.texts] == [str(k + 1) for k in range(len(bill.phases))]
    listed = key.texts[0].get_text().split("\n")
    for phase, line in zip(bill.phases, listed, strict=True):
        assert phase.name in line
        assert f"{phase.latency * 1e9:.4g} ns" in line


def test_nothing_to_show_is_refused():
    for function in (plots_cost.parts, plots_cost.efficiency, plots_cost.pareto):
        with pytest.raises(ArgumentError, match="hold one or more"):
            function({})  # pyright: ignore[reportArgumentType]
