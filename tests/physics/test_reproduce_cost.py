"""Published energy, area and time beside those of the cost card."""

from functools import partial

import numpy as np
import pytest

from aimc import cards, cost, reproduce
from aimc.reproduce import bottleneck, table1

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)


@pytest.fixture(scope="module")
def rows():
    return {row.what: row for row in reproduce.run("table1").rows}


def test_the_figure_shows_every_column_of_every_quantity():
    """Small and large networks on logarithmic axes, as printed; no two stand at the same place."""
    table = reproduce.run("table1")
    rows = {row.what: row for row in table.rows}
    figure = table.draw()
    for axes, what in zip(
        figure.axes, ("memory", "area", "power", "throughput", "efficiency", "by area"), strict=True
    ):
        own = [rows[f"{column.label}: {what}"] for column in table1.COLUMNS]
        published, simulated = axes.lines
        assert list(np.asarray(published.get_ydata())) == [row.expected for row in own]
        assert list(np.asarray(simulated.get_ydata())) == [row.measured for row in own]
        assert axes.get_yscale() == "log"
        low, high = axes.get_ylim()
        assert all(low < row.measured < high for row in own)


def test_the_figure_of_the_bottleneck_shows_the_published_range_and_every_bill():
    figure = reproduce.run("bottleneck").draw()
    ratios, *panels = figure.axes
    band = ratios.patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == bottleneck.PUBLISHED  # pyright: ignore[reportAttributeAccessIssue]
    for line, kind in zip(ratios.lines, ("linear ramp", "sar"), strict=False):
        told = [bottleneck.nonlinear(bottleneck.bills(n)[kind]) for n in (1, 2, 3, 4)]
        assert list(np.asarray(line.get_ydata())) == told
    bills = bottleneck.bills(4)
    for axes, what, scale in zip(
        panels, ("latency", "energy", "area"), (1e9, 1e9, 1e6), strict=True
    ):
        top = max(bar.get_y() + bar.get_height() for bar in axes.patches)  # pyright: ignore[reportAttributeAccessIssue]
        assert top == approx(max(getattr(b, what) for b in bills.values()) * scale)


def test_memory_is_exact(rows):
    """1.125 kB is exact; 633 x 8064 / 8 / 1024 = 623.1 rounds to the 623 that is printed."""
    for bits in (5, 8):
        assert rows[f"KWS, {bits} bits: memory"].measured == 1.125
        assert round(rows[f"NLP, {bits} bits: memory"].measured) == 623


def test_all_columns_come_within_ten_percent_of_one_card(rows):
    for column in table1.COLUMNS:
        for what in ("area", "power", "efficiency", "by area"):
            row = rows[f"{column.label}: {what}"]
            assert abs(row.difference) < 0.1, row
        row = rows[f"{column.label}: throughput (derived: efficiency x power)"]
        assert abs(row.difference) < 0.1, row


def test_throughput_lies_within_the_rounding_of_what_is_printed(rows):
    for label, half in (("KWS, 5 bits", 0.005), ("KWS, 8 bits", 0.005), ("NLP, 5 bits", 0.05),
                        ("NLP, 8 bits", 0.05)):  # fmt: skip
        row = rows[f"{label}: throughput"]
        assert abs(row.measured - row.expected) < half + 0.01 * row.expected, row


def test_the_fit_gives_the_numbers_on_the_card():
    found, card = table1.fit(), cost.load()
    for element, quantity in (("integrator", "power"), ("routing", "wire_energy"),
                              ("alu", "serves")):  # fmt: skip
        fitted = found.elements[element].values[quantity]
        assert card.elements[element].values[quantity] == approx(fitted, rel=1e-4)
        assert quantity in card.elements[element].fitted


def test_the_fit_is_the_least_squares():
    """No other value of either energy comes closer to the published efficiencies."""
    card = cost.load()

    def missed(with_):
        energies = [cost.bill_of(c.layer(), with_).energy for c in table1.COLUMNS]
        wanted = [2e-12 * c.weights / c.tops_per_watt for c in table1.COLUMNS]
        return sum((e / w - 1) ** 2 for e, w in zip(energies, wanted, strict=True))

    for element, quantity in (("integrator", "power"), ("routing", "wire_energy")):
        value = card.elements[element].values[quantity]
        for factor in (0.98, 1.02):
            assert missed(card.replace(element, **{quantity: factor * value})) > missed(card)


def test_what_one_network_tells_of_the_other_is_printed(rows):
    """Computed here from the fits, relative to what is published: they do not agree."""
    text = "{}: energy of a step, fitted to {} alone"
    parts = {"KWS": table1.COLUMNS[:2], "NLP": table1.COLUMNS[2:]}
    for network, others in (("KWS", "NLP"), ("NLP", "KWS")):
        card = table1.fit(parts[network])
        for c in parts[others]:
            row = rows[text.format(c.label, network)]
            assert row.measured == approx(cost.bill_of(c.layer(), card).energy * 1e9)
            assert row.expected == approx(2e-3 * c.weights / c.tops_per_watt)
    found = rows[text.format("NLP, 5 bits", "KWS")], rows[text.format("KWS, 5 bits", "NLP")]
    assert [round(100 * row.difference) for row in found] == [-27, 44]
    wires = [row.measured for what, row in rows.items() if what.startswith("routing.wire_energy")]
    assert len(wires) == 5
    assert max(wires) - min(wires) > 1.5
    assert any("not identified" in note for note in reproduce.run("table1").notes)


def test_areas_owe_nothing_to_the_fitted_energies(rows):
    card = table1.unfitted(cost.load())
    for c in table1.COLUMNS:
        area = cost.bill_of(c.layer(), card).area * 1e6
        assert area == rows[f"{c.label}: area"].measured


@pytest.mark.parametrize(("bits", "step"), [(3, 66), (4, 98)])
def test_the_derived_law_of_time_holds_at_bits_that_were_not_fitted(rows, bits, step):
    """35 ns + 3.93 ns x 2^bits, from 5 and 8 bits."""
    row = rows[f"KWS, {bits} bits: step (derived law, a prediction)"]
    assert row.expected == step
    assert row.difference is not None
    assert abs(row.difference) < 0.05


def test_a_ramp_beside_a_one_step_converter():
    """32 ns and 42.82 pJ against 0.66 ns and 1.61 pJ for 128 columns at 5 bits."""
    rows = [row for row in reproduce.run("converters").rows if row.expected is not None]
    assert len(rows) == 7
    for row in rows:
        assert row.difference is not None
        assert abs(row.difference) < 0.05, row


def test_a_shared_sar_takes_what_its_source_says():
    """12.5 ns and 0.25 mW a bit for the 128 columns of an array, in 0.0012 mm2: 78 pJ at 5 bits."""
    rows = {row.what: row.measured for row in reproduce.run("converters").rows}
    assert rows["sar: time"] == approx(62.5)
    assert rows["sar: area"] == approx(1200)
    assert rows["sar: energy"] == approx(5**2 * 12.5 * 0.25)


@pytest.mark.parametrize("bits", [3, 5, 8])
def test_a_shared_sar_follows_its_bits(bits):
    """Its source has 100 ns and 2 mW at 8 bits, both linear in bits."""
    hardware = cards.load("taox-1t1r-128").replace(bits=bits, cols=128)
    layer = cost.layer("linear", hardware, 1, 128, converter="sar", usage=cost.Usage(tall=True))
    part = cost.bill_of(layer).part("SAR converters")
    assert part.latency == approx(100e-9 * bits / 8)
    assert part.energy == approx(200e-12 * (bits / 8) ** 2)


def test_look_ups_take_two_to_five_times_the_product():
    """5 H N_cyc / k cycles beside a read and a ramp of 2^5 each: 1.25 N_cyc."""
    for cycles in (1, 2, 3, 4):
        bill = bottleneck.bills(cycles)["linear ramp"]
        assert bottleneck.nonlinear(bill) == approx(1.25 * cycles)
    assert 2 <= 1.25 * 2 < 1.25 * 4 <= 5


def test_the_bottleneck_moves_to_the_look_ups():
    bills = bottleneck.bills(4)
    assert max(bills["ramp"].parts, key=lambda p: p.latency).name == "comparators and counters"
    for kind in ("linear ramp", "sar"):
        assert max(bills[kind].parts, key=lambda p: p.latency).name == "look-up units"
        assert bills[kind].latency > bills["ramp"].latency
    many = bottleneck.bills(4, processors=512)
    assert many["linear ramp"].latency < bills["linear ramp"].latency
    assert many["linear ramp"].area > bills["linear ramp"].area


def test_what_the_agreement_rests_on():
    """No fit makes up for arrays of 128 rows, larger cells or fuller weights."""
    whole = table1.differences(cost.load())
    assert max(abs(d) for column in whole.values() for d in column.values()) < 0.1
    short = table1.differences(table1.fit(tall=False), tall=False)
    assert short["NLP, 5 bits"]["area"] > 0.5
    larger = table1.differences(cost.load().replace("cell", area=0.07632e-12))
    assert larger["NLP, 5 bits"]["area"] > 0.4
    full = table1.differences(table1.fit(fill=0.5), fill=0.5)
    assert full["NLP, 8 bits"]["efficiency"] < -0.3
