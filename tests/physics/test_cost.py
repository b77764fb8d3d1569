"""Laws of the bill: cells pay what the network dissipates, parts add up, and each part scales with
what it is made of.
"""

import dataclasses
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimc
from aimc import Crossbar, Wires, cost
from aimc.cost import cells
from aimc.cost.bill import COMPONENTS
from aimc.cost.reads import CONVERTERS, CURVED
from aimc.cost.stages import KINDS
from aimc.cost.watch import Watched
from aimc.errors import AimcError, ArgumentError
from aimc.parts import ivcurve
from aimc.parts.driver import VoltageDriver

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)


@pytest.fixture
def hardware():
    return aimc.load("ideal-5bit").replace(rows=16, cols=8)


def build(hardware, rows=16, cols=8):
    w = np.tile(np.linspace(-1, 1, rows)[:, None], (1, cols))
    return hardware.program(w, np.random.default_rng(0), "tanh")


def adds_up(bill):
    for what in ("energy", "area", "latency"):
        values = [getattr(part, what) for part in bill.parts]
        assert all(value >= 0 for value in values)
        assert getattr(bill, what) == approx(sum(values), rel=1e-14)
        assert getattr(bill, what) > 0
    assert [p.name for p in bill.parts] == [n for n in COMPONENTS if bill.part(n).source]
    assert all(p.name in bill.table() for p in bill.parts)
    assert str(bill) == bill.table()


wires = st.builds(
    Wires,
    r_row=st.sampled_from([0.0, 0.35, 50.0]),
    r_col=st.sampled_from([0.0, 2.0]),
    r_source=st.sampled_from([0.0, 100.0]),
    r_sense=st.sampled_from([0.0, 10.0]),
    drive=st.sampled_from(["left", "right", "both"]),
    sense=st.sampled_from(["bottom", "top", "both"]),
    idle=st.sampled_from(["grounded", "floating", "gated"]),
)


@given(wires, st.integers(0, 2**32 - 1), st.booleans())
def test_cells_pay_the_power_of_the_solver_times_time(wires, seed, straight):
    """E / T = sum over slices of (share of the window) x (power delivered), to 1e-12."""
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-6, 150e-6, (7, 5))
    crossbar = Crossbar(g, wires, iv=None if straight else ivcurve.Sinh(a=3.0))
    duration = rng.integers(0, 8, (3, 7)) / 8.0
    pulse = 0.2 * rng.choice([-1.0, 1.0], (3, 7))
    power = cells.delivered(crossbar, duration, pulse)
    for n in range(3):
        slow = 0.0
        for k in range(8):  # the eighths of the window, whether anything changes or not
            v = np.where(duration[n] > k / 8, pulse[n], 0.0)
            at = crossbar.solve(v[None]).power
            assert at.delivered[0] == approx(sum(part[0] for part in at[1:]), rel=1e-9)
            slow += at.delivered[0] / 8
        assert power[n] == approx(slow, rel=1e-12 if straight else 1e-9, abs=1e-30)


def test_a_trace_gives_the_energy_of_its_reads(hardware, rng):
    hardware = hardware.replace(wires=Wires(1.0, 1.0, 20.0, 10.0))
    macro = build(hardware)
    x = rng.uniform(-1, 1, (20, 16))
    each = [cost.bill(macro, trace=macro.trace(one)).part("cells").energy for one in x]
    assert cost.bill(macro, trace=macro.trace(x)).part("cells").energy == approx(
        np.mean(each), rel=1e-12
    )
    full = macro.trace(np.ones((1, 16)))
    power = macro.crossbar.solve(full.v / macro.x_max).power.delivered[0]
    energy = cost.bill(macro, trace=full).part("cells").energy
    assert energy == approx(power * macro.x_max * hardware.driver.window, rel=1e-12)


def test_random_inputs_pay_the_average(hardware, rng):
    """Rows of independent signs pay as if alone: E[v_i v_k] = 0."""
    hardware = hardware.replace(wires=Wires(5.0, 5.0, 100.0, 50.0), bits=8)
    macro = build(hardware)
    x = rng.uniform(-1, 1, (20000, 16))
    seen = cost.bill(macro, trace=macro.trace(x)).part("cells").energy
    assert seen == approx(cost.bill(macro, activity=0.5).part("cells").energy, rel=0.01)
    driver = VoltageDriver(0.2, 8, t_int=50e-9)
    macro = build(hardware.replace(driver=driver))
    seen = cost.bill(macro, trace=macro.trace(x)).part("cells").energy
    assert seen == approx(cost.bill(macro, activity=1 / 3).part("cells").energy, rel=0.02)


def test_without_wires_cells_cost_the_ohmic_heat(hardware):
    macro = build(hardware)
    driver = hardware.driver
    heat = macro.crossbar.g.sum() * driver.v_read**2 * driver.window
    assert cost.bill(macro, activity=1.0).part("cells").energy == approx(heat)
    assert cost.bill(macro, activity=0.25).part("cells").energy == approx(heat / 4)


def test_parts_sum_to_the_total(hardware, rng):
    adds_up(cost.bill(build(hardware)))
    adds_up(cost.bill(hardware.program(rng.normal(size=(40, 20)), rng, "tanh")))
    for kind in KINDS:
        for converter in CONVERTERS:
            layer = cost.layer(kind, hardware, 30, 12, converter=converter)
            bill = cost.bill_of(layer)
            adds_up(bill)
            assert bill.tops_per_watt == approx(1e-12 / bill.energy_per_op)
            assert bill.tops / bill.power == approx(bill.tops_per_watt)
            assert bill.tops_per_mm2 == approx(bill.tops / (bill.area * 1e6))


def test_the_schedule_has_no_gaps_and_ends_with_the_latency(hardware):
    lstm = cost.layer("lstm", hardware, 10, 8, cell_tanh="ramp")
    layers = [lstm, cost.layer("linear", hardware, 8, 4)]
    bill = cost.bill_of(layers)
    assert bill.phases[0].start == 0
    for before, after in zip(bill.phases, bill.phases[1:], strict=False):
        assert after.start == before.stop
    assert bill.phases[-1].stop == approx(bill.latency)
    names = [phase.name for phase in bill.phases]
    assert names[:2] == ["gates: read", "gates: convert"]
    assert (
        names.index("c = f c + i g") < names.index("tanh(c): read") < names.index("h = o tanh(c)")
    )
    for name in COMPONENTS:
        mine = sum(phase.latency for phase in bill.phases if phase.busy[0] == name)
        assert bill.part(name).latency == approx(mine)


def test_steps_repeat_what_is_recurrent(hardware):
    lstm, last = cost.layer("lstm", hardware, 10, 8), cost.layer("linear", hardware, 8, 4)
    once, last_alone = cost.bill_of([lstm, last]), cost.bill_of(last)
    many = cost.bill_of([lstm, last], steps=7)
    assert many.ops == 7 * once.ops - 6 * last_alone.ops
    assert many.latency == approx(7 * once.latency - 6 * last_alone.latency)
    assert many.area == once.area
    for name in ("cells", "integrators", "comparators and counters"):
        fixed = 6 * last_alone.part(name).energy
        assert many.part(name).energy == approx(7 * once.part(name).energy - fixed)


def test_cells_scale_with_the_square_of_the_read_voltage(hardware):
    low, high = (cost.bill(build(hardware.replace(v_read=v_read))) for v_read in (0.1, 0.3))
    for name in ("cells", "ramp columns"):
        assert high.part(name).energy == approx(9 * low.part(name).energy)
    for name in ("drivers", "sample and hold", "integrators", "comparators and counters"):
        assert high.part(name).energy == approx(low.part(name).energy)


def test_twice_the_columns_cost_twice_what_stands_in_columns(hardware):
    one, two = cost.bill(build(hardware)), cost.bill(build(hardware.replace(cols=16), cols=16))
    for name in ("cells", "integrators", "sample and hold", "comparators and counters"):
        assert two.part(name).energy == approx(2 * one.part(name).energy)
        assert two.part(name).area == approx(2 * one.part(name).area)
        assert two.part(name).latency == one.part(name).latency
    for name in ("drivers", "ramp columns"):
        assert two.part(name).energy == approx(one.part(name).energy)
        assert two.part(name).area == approx(one.part(name).area)
    assert two.ops == 2 * one.ops


def test_twice_the_arrays_cost_twice(hardware):
    one = cost.bill_of(cost.layer("linear", hardware, 16, 8))
    two = cost.bill_of(cost.layer("linear", hardware, 16, 16))
    for part in one.parts:
        if part.name not in ("buffers", "routing"):  # they share the inputs
            assert two.part(part.name).energy == approx(2 * part.energy)
            assert two.part(part.name).area == approx(2 * part.area)
    assert two.latency == one.latency


def test_one_more_bit_doubles_the_conversion(hardware):
    name = "comparators and counters"
    five, six = (cost.bill(build(hardware.replace(bits=bits))).part(name) for bits in (5, 6))
    assert six.energy == approx(2 * five.energy)
    assert six.latency == approx(2 * five.latency)


def test_published_conversion_of_128_columns(rng):
    """42.82 pJ and 32 ns at 5 bits and 1 GHz [Nat. Commun. 2025, s41467-025-65233-w]."""
    hardware = aimc.load("ideal-5bit").replace(cols=128)
    macro = hardware.program(rng.normal(size=(72, 128)), rng, "sigmoid")
    part = cost.bill(macro).part("comparators and counters")
    assert part.energy == approx(42.82e-12, rel=1e-4)
    assert part.latency == approx(32e-9)


def test_voltages_need_dacs_and_pulses_drivers(hardware):
    pulses = cost.bill(build(hardware))
    volts = cost.bill(build(hardware.replace(driver=VoltageDriver(0.2, 5, t_int=32e-9))))
    assert {"drivers"} == {p.name for p in pulses.parts} - {p.name for p in volts.parts}
    assert volts.part("DACs").energy == approx(5 * pulses.part("drivers").energy)


def test_macros_add_up_and_the_slowest_decides(hardware):
    fast, slow = build(hardware), build(hardware.replace(bits=7))
    both = cost.bill([fast, slow])
    one, other = cost.bill(fast), cost.bill(slow)
    assert both.energy == approx(one.energy + other.energy)
    assert both.area == approx(one.area + other.area)
    assert both.latency == other.latency > one.latency


def test_split_rows_pay_for_their_sums_and_the_look_ups(hardware, rng):
    tiled = hardware.program(rng.normal(size=(32, 20)), rng, "tanh")
    assert len(tiled.macros) == 6
    bill, arrays = cost.bill(tiled), cost.bill(list(tiled.macros))
    card = cost.load()
    assert bill.part("partial sums").energy == approx(20 * card.of("adder", "energy"))
    assert bill.part("look-up units").energy == approx(20 * card.of("look_up", "energy"))
    extra = bill.part("partial sums").energy + bill.part("look-up units").energy
    assert bill.energy == approx(arrays.energy + extra)
    wide = hardware.program(rng.normal(size=(16, 20)), rng, "tanh")
    assert cost.bill(wide).part("look-up units").energy == 0


def test_a_described_matrix_is_billed_as_the_programmed_one(hardware, rng):
    w = rng.choice([-0.2, 0.2], size=(40, 20))
    tiled = hardware.replace(w_max=1.0).program(w, rng, "linear")
    told = cost.bill_of(cost.layer("linear", hardware, 40, 20, usage=cost.Usage(fill=0.2)))
    assert told.ops == cost.bill(tiled).ops
    for part in cost.bill(tiled).parts:
        assert told.part(part.name).energy == approx(part.energy), part.name
        assert told.part(part.name).area == approx(part.area), part.name
        assert told.part(part.name).latency == approx(part.latency), part.name


def test_many_arrays_are_billed_as_quickly_as_few(hardware):
    """4 million arrays: kinds of blocks are counted, not walked through."""
    h = hardware.replace(rows=128, cols=64)
    start = time.perf_counter()
    bill = cost.bill_of(cost.layer("lstm", h, 100_000, 100_000))
    assert time.perf_counter() - start < 120
    assert bill.ops == 2 * 200_000 * 400_000
    wide, narrow = (cost.bill_of(cost.layer("linear", h, n, n)) for n in (1280, 640))
    for name in ("cells", "comparators and counters", "integrators"):
        assert wide.part(name).energy == approx(4 * narrow.part(name).energy)


def test_tall_arrays_sum_in_one_column(hardware):
    tall = cost.bill_of(cost.layer("rnn", hardware, 100, 8, usage=cost.Usage(tall=True)))
    assert tall.part("partial sums").energy == tall.part("look-up units").energy == 0
    short = cost.bill_of(cost.layer("rnn", hardware, 100, 8))
    assert short.part("partial sums").energy > 0
    assert short.part("comparators and counters").area > tall.part("comparators and counters").area


def test_only_curved_converters_spare_the_look_ups(hardware):
    bills = cost.compare(
        lambda kind: cost.layer("lstm", hardware, 8, 8, converter=kind, cell_tanh="ramp"),
        converters=CONVERTERS,
    )
    assert list(bills) == list(CONVERTERS)
    energy = cost.load().of("look_up", "energy")
    for kind, bill in bills.items():
        assert bill.name == kind
        looked = 0 if kind in CURVED else 5 * 8
        assert bill.part("look-up units").energy == approx(looked * energy)


def test_more_processors_take_less_time_and_the_same_energy(hardware):
    def bill(processors):
        layer = cost.layer("lstm", hardware, 8, 16, converter="sar")
        return cost.bill_of(layer, processors=processors)

    one, four = bill(1), bill(4)
    for name in ("look-up units", "element-wise units"):
        assert one.part(name).latency == approx(4 * four.part(name).latency)
        assert four.part(name).area == approx(4 * one.part(name).area)
        assert one.part(name).energy == four.part(name).energy


def test_what_cannot_be_billed_is_refused(hardware):
    macro = build(hardware)
    with pytest.raises(ArgumentError, match="holds none"):
        cost.bill([])
    with pytest.raises(ArgumentError, match="`model` must be a Macro"):
        cost.bill(3)
    with pytest.raises(ArgumentError, match="`activity` must be at most 1"):
        cost.bill(macro, activity=2)
    with pytest.raises(ArgumentError, match="a trace of every macro"):
        cost.bill([macro, macro], trace=macro.trace(np.zeros(16)))
    with pytest.raises(ArgumentError, match="`converter` must be one of"):
        cost.layer("lstm", hardware, 3, 4, converter="magic")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`kind` must be one of"):
        cost.layer("cnn", hardware, 3, 4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`projection` must be 0 but for an LSTM"):
        cost.layer("gru", hardware, 3, 4, projection=2)
    for wrong in (np.zeros((3, 16)), 5, [5], "x"):
        with pytest.raises(ArgumentError, match="`trace` must be a Trace"):
            cost.bill(macro, trace=wrong)  # pyright: ignore[reportArgumentType]
    trace = macro.trace(np.zeros((2, 16)))
    with pytest.raises(ArgumentError, match="`trace` must hold a trace of every macro, but holds"):
        cost.bill(macro, trace=[trace, trace])
    with pytest.raises(ArgumentError, match="`trace` must have 16 rows"):
        cost.bill(macro, trace=dataclasses.replace(trace, v=trace.v[:, :3]))
    with pytest.raises(ArgumentError, match="`trace` must hold a read or more"):
        cost.bill(macro, trace=macro.trace(np.zeros((0, 16))))
    for costs in (None, 5):
        with pytest.raises(ArgumentError, match="`costs` must be a cost card"):
            cost.bill(macro, costs)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="arrays alone"):
        cost.bill(macro, steps=51)
    with pytest.raises(ArgumentError, match="`hardware` must be of type Hardware"):
        cost.layer("lstm", "taox-1t1r-128", 3, 4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`cell_tanh` must be one of digital, ramp"):
        cost.layer("lstm", hardware, 3, 4, cell_tanh="nope")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`describe` must give the layers"):
        cost.compare("lstm")  # pyright: ignore[reportArgumentType]
    for layers in ([], [3]):
        with pytest.raises(ArgumentError, match="`layers` must hold a Layer or more"):
            cost.bill_of(layers)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`name` must be one of cells, drivers"):
        cost.bill(macro).part("cell")
    three = cost.layer("lstm", hardware.replace(bits=3), 3, 4, converter="one-step")
    with pytest.raises(ArgumentError, match="`bits` must be 5"):
        cost.bill_of(three)
    with (
        pytest.raises(ArgumentError, match="`model` must be a programmed model"),
        cost.watch(macro),
    ):
        pass


WRONG = (3, -2.5, "x", None, [], [3], (None,), {}, {"a": 1}, b"x", object(), int, np.zeros(()),
         np.zeros((2, 3)))  # fmt: skip


def test_no_argument_of_another_kind_ends_in_an_error_of_python_s(hardware):
    """Each argument of each public function and method, in turn: taken, or refused in words."""
    card, macro = cost.load(), build(hardware)
    layer = cost.layer("rnn", hardware, 8, 4)
    bill, (element, *_) = cost.bill_of(layer), card.elements.values()

    def described(kind):
        return cost.layer("rnn", hardware, 8, 4, converter=kind)

    calls = [
        (cost.bill, {"model": macro, "costs": card, "trace": macro.trace(np.zeros(16)),
                     "activity": 0.5, "steps": 1, "every_step": ()}),
        (cost.bill_of, {"layers": layer, "costs": card, "processors": 2, "steps": 1}),
        (partial(cost.compare, described), {"costs": card, "converters": ("ramp",),
                                            "processors": 2, "steps": 1}),
        (cost.layer, {"kind": "lstm", "hardware": hardware, "inputs": 3, "size": 4,
                      "projection": 2, "converter": "sar", "cell_tanh": "ramp",
                      "usage": cost.Usage()}),
        (cost.Usage, {"activity": 0.5, "fill": 0.5, "tall": True}),
        (cost.Layer, {"name": "a", "stages": layer.stages, "times": 1}),
        (cost.LookUp, {"name": "a", "count": 3}),
        (cost.ElementWise, {"name": "a", "units": 3, "ops": 1}),
        (cost.load, {"costs": card}),
        (lambda model: cost.watch(model).__enter__(), {"model": macro}),
        (Watched().reads, {"macro": macro}),
        (Watched().mean, {"macro": macro}),
        (bill.part, {"name": "cells"}),
        (card.of, {"element": "cell", "quantity": "area"}),
        (card.at, {"node": 1e-8, "voltage": 1.0, "frequency": 1e9}),
        (card.replace, {"element": "cell", "area": 1.0}),
        (partial(dataclasses.replace, card), {f.name: getattr(card, f.name)
                                              for f in dataclasses.fields(card)}),
        (partial(dataclasses.replace, element), {f.name: getattr(element, f.name)
                                                 for f in dataclasses.fields(element)}),
    ]  # fmt: skip
    for function, right in calls:
        for name in right:
            for wrong in WRONG:
                try:
                    function(**{**right, name: wrong})
                except AimcError:
                    pass
                except Exception as error:
                    pytest.fail(f"{function}, {name}={wrong!r}: {error!r}")


def test_a_bill_can_be_written(hardware):
    bill = cost.bill_of(cost.layer("lstm", hardware, 8, 8))
    lines = bill.csv().splitlines()
    assert len(lines) == 1 + len(bill.parts)
    assert sum(float(line.split(",")[1]) for line in lines[1:]) == approx(bill.energy)
    written = bill.as_dict()
    assert sum(part["energy"] for part in written["parts"]) == approx(written["energy"])
    record = bill.record()
    assert sum(record["energy_by_component"].values()) == record["energy_per_inference"]


def test_frozen(hardware):
    bill = cost.bill(build(hardware))
    with pytest.raises(dataclasses.FrozenInstanceError):
        bill.ops = 3  # pyright: ignore[reportAttributeAccessIssue]
