"""The bill follows the macro as it stands: its read voltage and temperature, its converter, the
rests of its ramp, its resolution; and each layer of a model as often as it runs.
"""

import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimc
from aimc import Condition, Wires, cost
from aimc.converters.base import ADC
from aimc.converters.imperfections import ReadVoltageError
from aimc.converters.linear import LinearRamp
from aimc.converters.ramp import ProgrammedRamp
from aimc.cost.watch import Watched
from aimc.errors import ArgumentError
from aimc.parts import ivcurve
from aimc.parts.device import Device, TemperatureCoefficient
from aimc.parts.driver import Driver, PulseDriver, VoltageDriver
from aimc.parts.mapping import DifferentialPair

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)

volts = st.sampled_from([0.1, 0.15, 0.2, 0.25, 0.3])


@pytest.fixture(scope="module")
def hardware():
    return aimc.load("taox-1t1r-128").replace(rows=16, cols=8, wires=Wires())


def build(hardware, curve="tanh"):
    return hardware.program(np.random.default_rng(1).normal(size=(16, 8)), np.random.default_rng(2),
                            curve)  # fmt: skip


def spent(macro, x, v_read):
    """sum |q| V^2 sum g T, by hand: q the pulse as a share of the window, rounded to n 2^-bits."""
    bits, t_step = macro.hardware.driver.bits, macro.hardware.driver.t_step
    most = 1 - 2.0**-bits
    q = np.rint(np.clip(x, -most, most) * 2**bits) / 2**bits
    return (np.abs(q) @ macro.crossbar.g.sum(axis=1)).mean() * v_read**2 * 2**bits * t_step


@given(volts, st.sampled_from([None, 250.0, 300.0, 360.0]))
def test_cells_pay_for_the_voltage_and_temperature_that_they_are_read_at(v_read, temperature):
    hardware = aimc.load("taox-1t1r-128").replace(
        rows=16, cols=8, wires=Wires(), temperature=TemperatureCoefficient(1e-3, -1e-3)
    )
    macro = build(hardware).under(Condition(v_read=v_read, temperature=temperature))
    x = np.random.default_rng(3).uniform(-1, 1, (50, 16))
    told = cost.bill(macro, trace=macro.trace(x)).part("cells").energy
    assert told == approx(spent(macro, x, v_read), rel=1e-12)
    full = macro.crossbar.g.sum() * v_read**2 * hardware.driver.window
    assert cost.bill(macro, activity=1.0).part("cells").energy == approx(full, rel=1e-12)
    (ramp,) = macro.converters
    assert isinstance(ramp, ProgrammedRamp)
    on = ramp.g_steps.sum() + (np.abs(ramp.pulses).sum(axis=-1) * ramp.g_bias).sum()
    told = cost.bill(macro).part("ramp columns").energy
    assert told == approx(on * v_read**2 * hardware.adc.t_step, rel=1e-12)


@given(volts)
def test_with_wires_cells_pay_for_the_square_of_the_voltage(v_read):
    """Currents of linear cells follow the voltage, so that power goes with its square."""
    macro = build(aimc.load("taox-1t1r-128").replace(rows=16, cols=8, wires=Wires(5.0, 5.0, 50.0)))
    x = np.random.default_rng(3).uniform(-1, 1, (50, 16))
    nominal, other = (
        [
            cost.bill(m, trace=m.trace(x)).part("cells").energy,
            *(cost.bill(m).part(name).energy for name in ("cells", "ramp columns")),
        ]
        for m in (macro, macro.under(Condition(v_read=v_read)))
    )
    for before, after in zip(nominal, other, strict=True):
        assert after == approx(before * (v_read / 0.2) ** 2, rel=1e-12)


def test_cells_pay_for_the_supply_of_their_chip(hardware):
    macro = build(hardware.replace(imperfections=(ReadVoltageError(0.05),)))
    assert macro.supply != 1
    x = np.random.default_rng(3).uniform(-1, 1, (50, 16))
    told = cost.bill(macro, trace=macro.trace(x)).part("cells").energy
    v_read = macro.supply * hardware.driver.v_read
    assert told == approx(spent(macro, x, v_read), rel=1e-12)


@pytest.mark.parametrize("kind", ["voltages", "pulses"])
def test_curved_cells_pay_volts_times_their_current(hardware, kind):
    """sum v i(g, v) T, also in the ramp's column."""
    hardware = hardware.replace(iv=ivcurve.Sinh(a=3.0))
    if kind == "voltages":
        hardware = hardware.replace(driver=VoltageDriver(0.2, 5, t_int=32e-9))
    macro = build(hardware).under(Condition(v_read=0.25))
    driver, g = hardware.driver, macro.crossbar.g
    x = np.random.default_rng(3).uniform(-1, 1, (20, 16))
    share, v = driver.pulses(x)
    v = v * 1.25
    current = np.asarray(hardware.device.iv.evaluate(
        np.broadcast_to(g, (20, *g.shape)), np.broadcast_to(v[:, :, None], (20, *g.shape))
    )[0]).sum(axis=2)  # fmt: skip
    power = (share * v * current).sum(axis=1).mean()
    told = cost.bill(macro, trace=macro.trace(x)).part("cells").energy
    assert told == approx(power * driver.window, rel=1e-9)
    (ramp,) = macro.converters
    assert isinstance(ramp, ProgrammedRamp)
    cells = np.concatenate((ramp.g_steps, ramp.g_bias))
    times = np.concatenate((np.ones(ramp.g_steps.size), np.abs(ramp.pulses).sum(axis=-1)))
    i = hardware.device.iv.evaluate(cells, np.full_like(cells, 0.25))[0]
    told = cost.bill(macro).part("ramp columns").energy
    assert told == approx((times * i).sum() * 0.25 * hardware.adc.t_step, rel=1e-12)


def test_a_described_layer_has_the_curve_of_its_cells():
    device = Device(1e-4, iv=ivcurve.Sinh(a=3.0))
    hardware = aimc.load("ideal-5bit").replace(device=device, rows=16, cols=8, v_read=0.3)
    hardware = hardware.replace(mapping=DifferentialPair(w_max=1.0))
    macro = hardware.program(np.full((16, 8), 0.2), np.random.default_rng(0), "tanh")
    told = cost.bill_of(cost.layer("rnn", hardware, 8, 8))
    for name in ("cells", "ramp columns"):
        assert told.part(name).energy == approx(cost.bill(macro).part(name).energy), name


def test_watching_sees_the_read_voltage(hardware):
    macro = build(hardware).under(Condition(v_read=0.15))
    x = np.random.default_rng(3).uniform(-1, 1, (50, 16))
    watched = Watched()
    watched(macro, x)
    assert watched.mean(macro) == approx(spent(macro, x, 0.15), rel=1e-12)


def test_watching_an_array_with_wires_takes_less_than_its_reads():
    """A tenth of a read, measured; pairs of rows in an array of all reads took thirteen."""
    hardware = aimc.load("taox-1t1r-128")
    assert not hardware.wires.ideal
    rng = np.random.default_rng(0)
    macro = hardware.program(rng.normal(size=(128, 64)), rng, "tanh")
    x, watched = rng.uniform(-1, 1, (1000, 128)), Watched()
    times = {"read": [], "watched": []}
    for _ in range(4):  # the first compiles
        for name, work in (("read", lambda: macro(x, rng)), ("watched", lambda: watched(macro, x))):
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    assert min(times["watched"]) < 2 * min(times["read"])


def test_late_pulses_pay_for_their_length(hardware):
    """A trace with noise in the ends of pulses is billed with them, not rounded."""
    macro = build(hardware)
    trace = macro.trace(np.random.default_rng(3).uniform(-1, 1, (5, 16)))
    trace.v[:] *= 1.01
    told = cost.bill(macro, trace=trace).part("cells").energy
    energy = (np.abs(trace.v) @ macro.crossbar.g.sum(axis=1)).mean() * 0.2 * hardware.driver.window
    assert told == approx(energy, rel=1e-12)


@pytest.mark.parametrize("bits", [4, 5])
def test_a_sar_pays_for_its_bits_and_its_table(hardware, bits):
    """Energy a column and bit before the table, time (bits + 1) periods, a converter a column."""
    card, sar = cost.load(), aimc.converters.SARADC(bits, table_bits=7, t_step=2e-9)
    bill = cost.bill(build(hardware.replace(adc=sar)))
    part = bill.part("SAR converters")
    assert part.energy == approx(8 * 7**2 * card.of("sar", "energy"))
    assert part.latency == approx(8 * 2e-9)
    assert part.area == approx(8 * card.of("sar", "area"))
    assert bill.part("comparators and counters").energy == 0
    assert bill.part("ramp columns").area == 0
    table = bill.part("look-up units")
    assert table.energy == approx(8 * card.of("look_up", "energy"))
    assert table.latency == approx(card.period)
    assert cost.bill(build(hardware.replace(adc=sar), "linear")).part("look-up units").energy == 0


def test_a_linear_ramp_pays_for_all_its_levels_and_its_table(hardware):
    card = cost.load()
    adc = aimc.converters.LinearRampADC(5, table_bits=8)
    macro = build(hardware.replace(adc=adc))
    bill = cost.bill(macro)
    part = bill.part("comparators and counters")
    assert part.energy == approx(8 * 256 * card.of("converter", "energy"))
    assert part.latency == approx(256e-9)
    assert bill.part("ramp columns").area == 0
    assert bill.part("look-up units").energy == approx(8 * card.of("look_up", "energy"))
    both = cost.bill([macro, macro]).part("look-up units").energy
    assert both == approx(16 * card.of("look_up", "energy"))


@pytest.mark.parametrize("reference", ["tracking", "fixed"])
def test_a_flash_pays_for_a_comparator_a_level(hardware, reference):
    """2^5 - 1 comparators a column, one period, and the cells of the levels at their voltage."""
    card, flash = cost.load(), aimc.converters.FlashADC(5, t_step=3e-9, reference=reference)
    macro = build(hardware.replace(adc=flash)).under(Condition(v_read=0.3))
    bill = cost.bill(macro)
    part = bill.part("flash comparators")
    assert part.energy == approx(8 * 31 * card.of("converter", "energy"))
    assert part.area == approx(8 * 31 * card.of("converter", "area"))
    assert part.latency == approx(3e-9)
    levels, (made,) = bill.part("flash levels"), macro.converters
    assert levels.area == approx(31 * card.of("cell", "area"))
    v = 0.3 if reference == "tracking" else 0.2
    assert levels.energy == approx(made.g.sum() * v**2 * 3e-9)
    assert bill.part("look-up units").energy == 0


def test_a_converter_without_a_known_cost_is_refused(hardware):
    class Odd(ADC[LinearRamp]):
        def make(self, curve, device, rng, site, lead):
            return LinearRamp(self, curve, site)

    with pytest.raises(ArgumentError, match=r"whose cost is known.* Derive it from"):
        cost.layer("rnn", hardware.replace(adc=Odd()), 8, 8)


def test_a_driver_of_unknown_cost_is_refused(hardware):
    class Light(Driver):
        @property
        def window(self):
            return 1e-9

        def pulses(self, x):
            return np.ones(np.shape(x)), self.drive(x)

        def lengths(self, v, supply=1.0):
            return np.ones(np.shape(v))

    said = "`driver` must be one of PulseDriver, VoltageDriver.* Derive it from PulseDriver where"
    with pytest.raises(ArgumentError, match=said):
        cost.bill(build(hardware.replace(driver=Light(0.2, 5))))

    class Late(PulseDriver):
        """Derived, it is billed as what it is derived from."""

    driver = hardware.driver
    late = build(hardware.replace(driver=Late(driver.v_read, driver.bits, t_step=driver.t_step)))
    assert cost.bill(late).part("drivers") == cost.bill(build(hardware)).part("drivers")


@pytest.mark.parametrize("kind", ["sar", "flash", "linear ramp", "ramp"])
def test_an_own_converter_is_billed_alike_programmed_and_described(hardware, kind):
    adcs = {
        "sar": aimc.converters.SARADC(5, table_bits=8),
        "flash": aimc.converters.FlashADC(5),
        "linear ramp": aimc.converters.LinearRampADC(5, table_bits=7),
        "ramp": aimc.RampADC(5, t_rest=0.5e-9),
    }
    own = hardware.replace(adc=adcs[kind])
    bill, told = cost.bill(build(own)), cost.bill_of(cost.layer("rnn", own, 8, 8))
    for part in bill.parts:
        assert told.part(part.name).area == approx(part.area), part.name
        assert told.part(part.name).latency == approx(part.latency), part.name
        if part.name not in ("cells", "ramp columns", "flash levels"):  # not as written
            assert told.part(part.name).energy == approx(part.energy), part.name


def test_rests_of_the_ramp_take_time_and_the_power_that_stands(hardware):
    """T + 2^n (t_step + t_rest); integrators and held columns for as long, pulses no longer."""
    card, quick = cost.load(), cost.bill(build(hardware))
    slow = cost.bill(build(hardware.replace(t_rest=0.5e-9)))
    assert slow.latency == approx(32e-9 + 32 * 1.5e-9)
    integrators = 8 * card.of("integrator", "power") * 80e-9
    assert slow.part("integrators").energy == approx(integrators)
    held = 16 * card.of("sample_hold", "power") * 80e-9
    assert slow.part("sample and hold").energy == approx(held)
    for name in ("cells", "comparators and counters", "ramp columns"):
        assert slow.part(name).energy == approx(quick.part(name).energy)
    told = cost.bill_of(cost.layer("rnn", hardware.replace(t_rest=0.5e-9), 8, 8))
    assert told.latency == approx(80e-9)


def test_fewer_bits_are_billed_as_fewer(hardware):
    macro = build(hardware).under(Condition(bits=3))
    bill, card = cost.bill(macro), cost.load()
    assert bill.bits == 3
    part = bill.part("comparators and counters")
    assert part.latency == approx(8e-9)
    assert part.energy == approx(8 * 8 * card.of("converter", "energy"))
    (ramp,) = macro.converters
    assert isinstance(ramp, ProgrammedRamp)
    last = np.abs(ramp.goal - ramp.curve.thresholds(3)[-1]).argmin()  # the last level that is read
    on = ramp.g_steps[: ramp.counts[:last].sum()].sum()
    on += (np.abs(ramp.pulses[:, : last + 1]).sum(axis=-1) * ramp.g_bias).sum()
    assert bill.part("ramp columns").energy == approx(on * 0.2**2 * 1e-9)


def test_a_table_of_another_kind_in_one_product(hardware):
    """Macros of several kinds: each its own converter, the slowest sets the pace."""
    slow = build(hardware.replace(adc=aimc.converters.LinearRampADC(5, table_bits=8)))
    both = cost.bill([build(hardware), slow])
    assert both.part("comparators and counters").latency == approx(256e-9)
    assert both.part("ramp columns").area > 0
    assert both.part("look-up units").energy == approx(8 * cost.load().of("look_up", "energy"))
