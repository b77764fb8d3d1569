"""Laws of parts of one's own: what a method answers wrongly is told by its class and its name."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import aimc
from aimc import Condition, spice
from aimc.converters import SARADC
from aimc.converters.imperfections import Imperfection
from aimc.errors import ArgumentError, SpiceError
from aimc.macro.plan import ReadPlan
from aimc.parts.device import Effect, Noise, TemperatureCoefficient
from aimc.parts.driver import PulseDriver
from aimc.parts.mapping import DifferentialPair
from aimc.parts.sense import Integrator

BASE = aimc.load("taox-1t1r-128").replace(rows=6, cols=4)
WRONG = {
    "nothing": lambda good: None,
    "shape": lambda good: np.zeros((2, 2, 2)),
    "nan": lambda good: np.full(np.shape(good), np.nan),
    "text": lambda good: "foo",
}


def faulty(kind, method, wrong):
    """A class of that kind one method of which answers wrongly."""

    def answer(self, *given, **named):
        return wrong(getattr(super(made, self), method)(*given, **named))

    made = dataclass(frozen=True)(type("Faulty", (kind,), {method: answer}))
    return made


@dataclass(frozen=True)
class Same(Effect):
    def __call__(self, g, rng, g_max, t):
        return g


@dataclass(frozen=True)
class Quiet(Noise):
    def sigma(self, g, g_max, t):
        return 0.0 * g


def with_device(**fields):
    return BASE.replace(device=replace(BASE.device, **fields))


def with_imperfection(part):
    return BASE.replace(adc=replace(BASE.adc, imperfections=(part,)))


DOORS = [
    (Same, "__call__", lambda kind: with_device(on_write=(kind(),))),
    (Same, "__call__", lambda kind: with_device(on_age=(kind(),))),
    (Quiet, "sigma", lambda kind: with_device(on_read=(kind(),))),
    (TemperatureCoefficient, "__call__", lambda kind: with_device(temperature=kind(0.0, 0.0))),
    *((DifferentialPair, method, lambda kind: BASE.replace(mapping=kind()))
      for method in ("scale", "lines", "span", "to_conductance", "combine", "to_weight")),
    *((PulseDriver, method, lambda kind: BASE.replace(driver=kind(0.2, 5)))
      for method in ("quantise", "drive", "pulses", "lengths")),
    (Integrator, "integrate", lambda kind: BASE.replace(sense=kind())),
    (SARADC, "program", lambda kind: BASE.replace(adc=kind(5))),
    *((Imperfection, method, lambda kind: with_imperfection(kind()))
      for method in ("columns", "waveform", "decide", "noise", "edge", "supply")),
]  # fmt: skip


def use(hardware):
    rng = np.random.default_rng(0)
    macro = hardware.program(rng.normal(0, 0.3, (6, 4)), rng, "tanh")
    at = 320.0 if hardware.device.temperature else None
    return macro.under(Condition(10.0, temperature=at)).trace(rng.uniform(-1, 1, (3, 6)), rng)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("kind", "method", "put"), DOORS)
def test_a_wrong_answer_is_told_by_its_class_and_method(kind, method, put, wrong):
    with pytest.raises(ArgumentError, match=rf"`Faulty\.{method}\(\.\.\.\)` must"):
        use(put(faulty(kind, method, WRONG[wrong])))


@pytest.mark.parametrize(("kind", "method", "put"), DOORS)
def test_a_right_answer_is_taken(kind, method, put):
    use(put(faulty(kind, method, lambda good: good)))


@pytest.mark.parametrize(
    ("kind", "method", "put"),
    [each for each in DOORS if each[1] in ("sigma", "span", "scale", "lengths", "edge", "supply")],
)
def test_what_cannot_be_negative_is_refused(kind, method, put):
    wrong = faulty(kind, method, lambda good: -1.0 * (good + 1.0))
    with pytest.raises(ArgumentError, match=rf"`Faulty\.{method}\(\.\.\.\)` must be "):
        use(put(wrong))


def test_a_gain_that_a_netlist_does_not_have_is_refused_there():
    @dataclass(frozen=True)
    class Lossy(Integrator):
        def integrate(self, i, window, c_fb):
            return 0.9 * i * (window / c_fb)

        def gain(self, window, c_fb):
            return 0.9 * window / c_fb

    rng = np.random.default_rng(0)
    macro = BASE.replace(sense=Lossy()).program(rng.normal(0, 0.3, (6, 4)), rng)
    x = rng.uniform(-1, 1, (3, 6))
    plan = ReadPlan.of(macro)
    assert plan is not None
    np.testing.assert_array_equal(plan.read(x), macro(x))
    with pytest.raises(SpiceError, match="integrator Lossy"):
        spice.netlist(macro, x)


def test_a_target_beyond_the_range_names_the_mapping():
    wrong = faulty(DifferentialPair, "to_conductance", lambda good: 3.0 * good + 1e-4)
    with pytest.raises(ArgumentError, match=r"`Faulty\.to_conductance\(\.\.\.\)` must be at most"):
        use(BASE.replace(mapping=wrong()))
