"""What is not ideal in a ramp converter shows in ngspice as it is computed: levels and codes."""

import numpy as np
import pytest

import aimc
from aimc import spice
from aimc.converters.imperfections import (
    CapacitorMismatch,
    ChargeInjection,
    ComparatorDelay,
    ComparatorHysteresis,
    ComparatorOffset,
    FiniteGain,
    Leakage,
    ReadVoltageError,
    Settling,
)
from aimc.errors import ArgumentError, SpiceError

pytestmark = [pytest.mark.spice, pytest.mark.usefixtures("ngspice")]
HARDWARE = aimc.load("taox-1t1r-128").replace(rows=8, cols=4, t_rest=0.3e-9)
PARTS = {
    "gain": (FiniteGain(200.0),),
    "settling": (Settling(0.4e-9),),
    "mismatch": (CapacitorMismatch(0.02),),
    "offset and hysteresis": (ComparatorOffset(5e-3), ComparatorHysteresis(0.02)),
    "read voltage": (ReadVoltageError(0.05),),
    "all": (
        FiniteGain(300.0), Settling(0.3e-9), CapacitorMismatch(0.02), ComparatorHysteresis(0.02),
        ComparatorOffset(5e-3), ReadVoltageError(0.05),
    ),
}  # fmt: skip


def programmed(rng, **fields):
    macro = HARDWARE.replace(**fields).program(rng.normal(0, 0.6, (8, 4)), rng, "sigmoid")
    return macro, rng.uniform(-1, 1, (3, 8))


@pytest.mark.parametrize("calibration", ["one-point", "multi-point"])
@pytest.mark.parametrize("name", PARTS)
def test_levels_and_codes_are_those_of_ngspice(name, calibration, rng):
    macro, x = programmed(rng, imperfections=PARTS[name], calibration=calibration)
    comparison = spice.compare(macro.trace(x), spice.netlist(macro, x).run())
    assert comparison, str(comparison)


@pytest.mark.parametrize("name", ["gain", "settling"])
def test_the_comparison_sees_what_is_left_out(name, rng):
    macro, x = programmed(rng, imperfections=PARTS[name])
    result = spice.netlist(macro, x).run()
    ideal = programmed(np.random.default_rng(0), imperfections=())[0].converters[0]
    assert np.abs(result.levels[0] - ideal.levels).max() > 1e-3 * np.ptp(ideal.levels)


def test_nonlinear_cells_bend_the_ramp_too(rng):
    card = aimc.load("taox-1t1r-128-nonlinear").replace(rows=4, cols=2)
    macro = card.program(rng.normal(0, 0.6, (4, 2)), rng, "tanh")
    x = rng.uniform(-1, 1, (2, 4))
    assert spice.compare(macro.trace(x), spice.netlist(macro, x).run())


@pytest.mark.parametrize("part", [ComparatorDelay(1e-10), ChargeInjection(1e-15), Leakage(1e-9)])
def test_what_has_no_model_is_refused(part, rng):
    macro, x = programmed(rng, imperfections=(part,))
    with pytest.raises(SpiceError, match="There is no SPICE model"):
        spice.netlist(macro, x)


def test_a_ramp_that_lags_needs_a_rest(rng):
    macro, x = programmed(rng, imperfections=PARTS["settling"], t_rest=0.0)
    with pytest.raises(ArgumentError, match="`t_rest` must be at least"):
        spice.netlist(macro, x)
