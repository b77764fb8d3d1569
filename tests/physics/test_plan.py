"""The contract of a read: every part, shipped or a stranger, through every executor.

`Macro.trace` is the reference. Where `ReadPlan.of` gives a plan, the kernel's and torch's codes are
the reference's in float64 without noise, and moments are equal with noise. Where it gives none, a
layer reads the macro, so that a stranger is never ignored.
"""

from dataclasses import dataclass

import numpy as np
import pytest

import aimc
from aimc.converters import SARADC, FlashADC, LinearRampADC
from aimc.converters import imperfections as bad
from aimc.converters.base import ADC
from aimc.converters.ramp import RampADC
from aimc.curves import curve
from aimc.macro import Hardware
from aimc.macro.plan import ReadPlan
from aimc.parts import effects
from aimc.parts.device import Device, Drift, ReadNoise, StuckAt, WriteError
from aimc.parts.driver import Driver, PulseDriver, VoltageDriver
from aimc.parts.ivcurve import Cubic, IVCurve, Sinh, Tabulated
from aimc.parts.mapping import DifferentialPair, Mapping, OffsetColumn
from aimc.parts.registry import named
from aimc.parts.sense import Integrator
from aimc.parts.transistor import SeriesTransistor, Transistor
from aimc.parts.wires import Wires

DEVICE = Device(150e-6, 1e-6, (WriteError(2.67e-6),))
BASE = Hardware(DEVICE, PulseDriver(0.2, 5), rows=12, cols=8, adc=RampADC(5))


@dataclass(frozen=True)
class Coarse(VoltageDriver):
    """A stranger: a DAC that rounds down to quarters."""

    def quantise(self, x):
        return np.floor(np.clip(x, -self.x_max, self.x_max) * 4) / 4


@dataclass(frozen=True)
class Saturating(Integrator):
    """A stranger: an amplifier that runs into its supply softly."""

    def integrate(self, i, window, c_fb):
        return 0.4 * np.tanh(i * (window / c_fb) / 0.4)


@dataclass(frozen=True)
class SharedMinus(Mapping):
    """A stranger, that of docs/extending.md: one column of g_mid for two outputs."""

    def lines(self, cols):
        return cols + (cols + 1) // 2

    def span(self, device):
        return (device.g_max - device.g_min) / 2

    def to_conductance(self, w, device, w_max):
        middle = (device.g_max + device.g_min) / 2
        g = np.full((w.shape[0], self.lines(w.shape[1])), middle)
        g[:, : w.shape[1]] += np.clip(w / w_max, -1, 1) * self.span(device)
        return g

    def combine(self, i):
        cols = 2 * i.shape[-1] // 3
        return i[..., :cols] - np.repeat(i[..., cols:], 2, axis=-1)[..., :cols]


@dataclass(frozen=True)
class Bent(RampADC):
    """A stranger: a ramp whose levels all stand 3 mV too high."""

    def decide(self, levels, circuit):
        return super().decide(levels, circuit) + 3e-3


@dataclass(frozen=True)
class DeadBand(Integrator):
    """A stranger: small voltages are lost."""

    def integrate(self, i, window, c_fb):
        u = i * (window / c_fb)
        return np.where(np.abs(u) < 0.03, 0.0, u)


@dataclass(frozen=True)
class Sloped(VoltageDriver):
    """A stranger that knows its rows: each has a gain of its own."""

    def pulses(self, x):
        v = self.drive(x) * np.linspace(0.9, 1.0, x.shape[1])
        return self.lengths(v), v


@dataclass(frozen=True)
class Limited(DifferentialPair):
    """A stranger: the difference of a pair is limited."""

    def combine(self, i):
        return np.clip(super().combine(i), -8e-6, 8e-6)


PLANNED = {
    "pulses": {},
    "voltages": {"driver": VoltageDriver(0.2, 4)},
    "unrounded": {"driver": VoltageDriver(0.2)},
    "offset column": {"mapping": OffsetColumn()},
    "shared minus": {"mapping": SharedMinus()},
    "stuck cells": {"on_write": (StuckAt(0.1, 0.1),)},
    "write and verify": {"on_write": (effects.WriteVerify(2e-6),)},
    "polynomial error": {"on_write": (effects.PolynomialWriteError((1e-6, 2e-6), 150e-6),)},
    "relaxation": {
        "on_age": (effects.Relaxation((1.0, 1e3), ((1e-6,), (2e-6,)), 150e-6),), "age": 60.0,
    },
    "drift": {"on_age": (Drift(0.05, 0.01),), "age": 3600.0},
    "wires": {"wires": Wires(2.0, 2.0, 5.0, 5.0)},
    "linear ramp": {"adc": LinearRampADC(5)},
    "sar": {"adc": SARADC(5)},
    "flash": {"adc": FlashADC(5)},
    "bent ramp": {"adc": Bent(5)},
    "comparators": {"imperfections": (bad.ComparatorOffset(4e-3), bad.ComparatorDelay(0.3e-9))},
    "hysteresis": {"imperfections": (bad.ComparatorHysteresis(2e-3),)},
    "capacitors": {"imperfections": (bad.CapacitorMismatch(0.03),)},
    "charge": {"imperfections": (bad.ChargeInjection(2e-16, 2e-16),)},
    "amplifier": {"imperfections": (bad.FiniteGain(200.0), bad.Settling(0.2e-9))},
    "leakage": {"imperfections": (bad.Leakage(1e-9),)},
    "supply": {"imperfections": (bad.ReadVoltageError(0.05),)},
    "stack": {"stack": 3, "wires": Wires(2.0, 2.0, 5.0, 5.0)},
}  # fmt: skip
OWN_PATH = {
    "own driver": {"driver": Coarse(0.2)},
    "own integrator": {"sense": Saturating()},
    "dead band": {"sense": DeadBand()},
    "rows of their own": {"driver": Sloped(0.2, 5)},
    "limited differences": {"mapping": Limited()},
    "curved cells": {"iv": Sinh(2.0)},
    "cubic cells": {"iv": Cubic(k3=0.5)},
    "measured cells": {"iv": Tabulated((-0.4, 0.1, 0.2), (-4e-5, 1e-5, 2.5e-5))},
    "resistances behind cells": {"iv": SeriesTransistor(None, 1e3)},
    "transistors behind cells": {"iv": Transistor(None, 5e-4, 1.0, 0.4)},
    "thermal noise": {"imperfections": (bad.ThermalNoise(),)},
    "jitter": {"imperfections": (bad.ClockJitter(1e-10),)},
    "noisy ramp": {"imperfections": (bad.RampReadNoise(),), "on_read": (ReadNoise(1e-6),)},
    "floating rows": {"wires": Wires(2.0, 2.0, 5.0, 5.0, idle="floating")},
    "noisy comparators": {"imperfections": (bad.ComparatorNoise(3e-3),)},
}  # fmt: skip
READS = {"constant": ReadNoise(2e-6), "flicker": effects.FlickerReadNoise()}
CURVES = ["linear", "sigmoid", "softsign", "gelu", ("sigmoid", "sigmoid", "tanh", "sigmoid")]
SHAPES = [(12, 8), (30, 20)]


def made(change, shape=(30, 20), function="tanh", **more):
    rng = np.random.default_rng(3)
    hardware = BASE.replace(**change).replace(**more)
    w = rng.normal(0, 0.4, shape)
    return hardware.program(w, rng, function), rng.uniform(-1.1, 1.1, (200, shape[0]))


def by_torch(plan, x, draws):
    torch = pytest.importorskip("torch")
    from aimc.nn.torch_plan import Buffers

    buffers = Buffers.of(plan.arrays, torch.device("cpu"))
    return buffers(torch.from_numpy(x), torch.from_numpy(draws)).numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("part", PLANNED)
def test_every_part_has_one_answer_from_every_executor(part, shape):
    macro, x = made(PLANNED[part], shape)
    plan = ReadPlan.of(macro)
    assert plan is not None
    expected = macro(x)
    np.testing.assert_array_equal(plan.read(x), expected)
    np.testing.assert_array_equal(by_torch(plan, x, np.empty((200, 0))), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("function", CURVES, ids=str)
def test_every_curve_has_one_answer_from_every_executor(function, shape):
    macro, x = made({}, shape, function)
    plan = ReadPlan.of(macro)
    assert plan is not None
    np.testing.assert_array_equal(plan.read(x), macro(x))
    np.testing.assert_array_equal(by_torch(plan, x, np.empty((200, 0))), macro(x))


@pytest.mark.parametrize("part", OWN_PATH)
def test_what_has_no_plan_says_so_and_a_layer_reads_the_macro(part):
    torch = pytest.importorskip("torch")
    from aimc import nn

    macro, _ = made(OWN_PATH[part])
    assert ReadPlan.of(macro) is None
    model = torch.nn.Linear(6, 5)
    chip = nn.program(model, BASE.replace(**OWN_PATH[part]), np.random.default_rng(0))
    (read,) = chip.chips.values()
    x = torch.rand(50, 6, dtype=torch.float64)
    rows = np.hstack([x.numpy() / read.scale[:6], np.full((50, read.bias_rows), read.x_max)])
    expected = read.macro(rows, np.random.default_rng(7))
    object.__setattr__(read, "rng", np.random.default_rng(7))
    with torch.no_grad():
        np.testing.assert_array_equal(chip(x).numpy(), expected)


KINDS = (effects.Effect, Mapping, Driver, Integrator, ADC, bad.Imperfection, IVCurve)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_registered_part_is_tried(kind):
    """A part that is registered and in no case of this file has no contract."""
    cases = [
        {},
        *PLANNED.values(),
        *OWN_PATH.values(),
        *({"on_read": (n,)} for n in READS.values()),
    ]
    met = set()
    for case in cases:
        hardware = BASE.replace(**case)
        device, adc = hardware.device, hardware.adc
        met |= {type(each) for each in (*device.on_write, *device.on_age, *device.on_read)}
        met |= {type(each) for each in (hardware.mapping, hardware.driver, hardware.sense, adc)}
        met |= {type(device.iv), *map(type, adc.imperfections)}
    shipped = {cls for cls in named(kind).values() if cls.__module__.startswith("aimc.")}
    assert shipped <= met


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", ["flicker", "constant"])
@pytest.mark.parametrize("wires", [Wires(), Wires(2.0, 2.0, 5.0, 5.0)], ids=["no wires", "wires"])
@pytest.mark.parametrize("stack", [1, 2])
def test_moments_with_noise_are_equal(shape, wires, stack, noise):
    """4000 reads of one input: bit for bit in double precision, in distribution in single."""
    change = {"on_read": (READS[noise],), "wires": wires, "g_min": 2e-6}
    change["on_write"] = (effects.WriteError(0.2e-6),)
    macro, x = made(change, shape, bits=9, stack=stack)
    x = np.repeat(x[:1], 4000, axis=0)
    expected = macro(x, np.random.default_rng(5))
    double, single = ReadPlan.of(macro), ReadPlan.of(macro, np.float32)
    assert double is not None
    assert single is not None
    np.testing.assert_array_equal(double.read(x, np.random.default_rng(5)), expected)
    reads = single.read(x.astype(np.float32), np.random.default_rng(6))
    error = expected.std(axis=0) / np.sqrt(len(x))
    assert (np.abs(reads.mean(axis=0) - expected.mean(axis=0)) < 6 * error + 1e-3).all()
    np.testing.assert_allclose(reads.std(axis=0), expected.std(axis=0), rtol=0.08)
    draws = single.draws(1, len(x), np.random.default_rng(6))[0]
    torch_reads = by_torch(single, x.astype(np.float32), draws)
    assert np.mean(torch_reads == reads) > 0.98


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("function", ["linear", "sigmoid", "softsign"])
def test_ties_go_up_in_single_precision_as_in_double(function, shape):
    """Exact cells whose sums stand on thresholds: of 200 reads, all are ties in some column."""
    rng = np.random.default_rng(0)
    thresholds = curve(function).thresholds(5)
    hardware = BASE.replace(device=Device(150e-6), driver=VoltageDriver(0.2))
    w = np.zeros(shape)
    w[0] = rng.choice(thresholds, shape[1])
    x = np.zeros((200, shape[0]))
    x[:, 0] = 1.0
    macro = hardware.replace(partial_range=8.0).program(w, rng, function)
    double, single = (ReadPlan.of(macro, dtype) for dtype in (np.float64, np.float32))
    assert double is not None
    assert single is not None
    np.testing.assert_array_equal(single.read(x), double.read(x).astype(np.float32))
    if shape[0] <= 12:
        expected = curve(function).quantise(w[0], 5)
        np.testing.assert_allclose(double.read(x)[0], expected, rtol=1e-12)


def test_a_mapping_combines_currents_and_not_transfers():
    macro, x = made({"mapping": Limited()}, (12, 8))
    trace = macro.trace(x)
    currents = macro.crossbar.read(trace.v)
    np.testing.assert_allclose(trace.i, Limited().combine(currents), rtol=1e-12, atol=1e-18)
    assert np.abs(trace.i).max() == 8e-6


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["pcm-256", "reram-wan-256"])
def test_few_rows_have_a_plan_in_single_precision(name, seed):
    """Inputs that drive no cell with noise tell nothing of it, and divide nothing by zero."""
    rng = np.random.default_rng(seed)
    macro = aimc.load(name).program(rng.normal(size=(3, 3)), rng)
    assert ReadPlan.of(macro, np.float32) is not None


def test_a_plan_names_what_it_holds():
    """The matrices of all row blocks below each other; one table of levels a converter."""
    macro, _ = made({}, (30, 20), "tanh")
    plan = ReadPlan.of(macro)
    assert plan is not None
    arrays = plan.arrays
    assert arrays.edges.tolist() == [0, 10, 20, 30]
    assert arrays.matrix.shape == (30, 20)
    assert arrays.levels.base.shape == (3, 20)
    assert arrays.sums.size == 32
    assert curve("tanh").thresholds(5).size == 31
