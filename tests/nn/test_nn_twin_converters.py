"""A twin converts as the chip that it was made from: any converter, any curve, any driver."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

import aimc
from aimc import nn
from aimc.converters import SARADC, FlashADC, LinearRampADC, imperfections
from aimc.converters.ramp import RampADC
from aimc.curves import CURVES, Curve
from aimc.nn.training.tiles import Conversions, convert
from aimc.nn.training.twin import Twin
from aimc.parts.device import Device, Drift, WriteError
from aimc.parts.driver import VoltageDriver
from aimc.parts.effects import ReadNoise

DEVICE = Device(g_max=150e-6, on_write=(WriteError(1e-6),))
ERRORS = (imperfections.ComparatorOffset(2e-3), imperfections.CapacitorMismatch(0.02))


class Shifted(RampADC):
    """A stranger: a ramp whose levels all stand 3 mV too high."""

    def decide(self, levels, circuit):
        return super().decide(levels, circuit) + 3e-3


KINDS = {
    "ramp": RampADC,
    "one ramp for two columns": partial(RampADC, columns_per_ramp=2),
    "linear ramp": partial(LinearRampADC, table_bits=7),
    "coarse table": LinearRampADC,
    "sar": partial(SARADC, table_bits=7, unit_mismatch=0.05),
    "flash": FlashADC,
    "stranger": Shifted,
}
FALLING = Curve("falling", lambda x: -x, -1, 1, lambda y: -y)
SHAPES = {name: CURVES[name] for name in ("sigmoid", "linear", "gelu", "silu")}


@pytest.mark.parametrize("bits", [2, 5, 7])
@pytest.mark.parametrize("function", [*SHAPES.values(), FALLING], ids=lambda c: c.name)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_converter_and_of_the_curve_without_errors(
    kind, function, bits, rng
):
    ramp = KINDS[kind](bits, imperfections=ERRORS).program(function, DEVICE, rng)
    ramp = ramp.shared_by(5, rng)
    conversions = Conversions.of([(slice(0, 5), ramp)])
    theta = function.thresholds(bits)
    low, high = float(theta[0]) - 0.5, float(theta[-1]) + 0.5
    u = torch.from_numpy(rng.uniform(low, high, (400, 5))).float()
    exact = u.double().numpy()
    seen = ramp.columns.sampled(exact * ramp.gain * ramp.common)
    for strength, wanted in (
        (1.0, ramp.outputs[ramp.convert(seen)]),
        (0.0, function.quantise(exact, bits)),
    ):
        y = convert(u, conversions.at(strength)).numpy()
        wrong = np.abs(y - wanted) > 1e-5
        assert wrong.mean() < 0.002  # single precision, next to a level


class Curved(VoltageDriver):
    """A stranger: a DAC whose steps are finer at small activations, seen in its pulses alone."""

    def pulses(self, x):
        x = np.clip(x, -self.x_max, self.x_max)
        v = self.v_read * np.sign(x) * np.rint(7 * np.sqrt(np.abs(x))) ** 2 / 49
        return self.lengths(v), v


def pair(hardware, rng, curve="tanh"):
    """A chip and the converters of a twin of the very same array, without errors of its cells."""
    layer = nn.Linear(30, 12, bias=False, curve=curve)
    twin = Twin(layer, "weight", hardware)
    twin.draw(layer.matrices(), 1.0, np.random.default_rng(3), True)
    layer.program(hardware, np.random.default_rng(3))
    z = torch.from_numpy(rng.uniform(-1, 1, (400, 30)))
    return twin, layer.chips["weight"], z


@pytest.mark.parametrize("curve", ["tanh", "gelu", "silu"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_of_a_chip_gives_its_codes(kind, curve, rng):
    adc = KINDS[kind](5, imperfections=ERRORS)
    twin, chip, z = pair(aimc.load("ideal-5bit").replace(adc=adc), rng, curve)
    with torch.no_grad():
        assert float((twin(z) - chip.read(z)).abs().gt(1e-5).float().mean()) < 0.005


@pytest.mark.parametrize("kind", ["ramp", "linear ramp", "sar", "flash"])
def test_what_cells_lose_with_age_is_lost_once(kind, rng):
    """Where a ramp's own cells lose the same nothing is left of it, else a gain error is."""
    hardware = aimc.load("ideal-5bit")
    device = dataclasses.replace(hardware.device, on_age=(Drift(0.05),))
    aged = hardware.replace(device=device, age=1e6, adc=KINDS[kind](5))
    twin, chip, z = pair(aged, rng)
    with torch.no_grad():
        assert float((twin(z) - chip.read(z)).abs().gt(1e-5).float().mean()) < 0.005


@pytest.mark.parametrize("curve", ["gelu", "silu"])
def test_a_network_is_trained_on_curves_that_turn(curve, rng):
    layer = nn.Linear(3, 2, curve=curve)
    twin = Twin(layer, "weight", aimc.load("taox-1t1r-128"))
    twin.draw(layer.matrices(), 1.0, rng, True)
    twin(torch.rand(20, 3) * 2 - 1).sum().backward()
    assert layer.weight.grad is not None
    assert float(layer.weight.grad.abs().min()) > 0.0


def test_columns_capacitors_charges_and_the_supply_are_those_of_the_chip(rng):
    """One seed: the twin's array is the chip's, so nearly every output is."""
    parts = (
        imperfections.ComparatorOffset(5e-3),
        imperfections.CapacitorMismatch(0.2),
        imperfections.ChargeInjection(2e-15, 2e-15),
        imperfections.ReadVoltageError(0.2),
    )
    hardware = aimc.load("ideal-5bit").replace(imperfections=parts)
    twin, chip, z = pair(hardware, rng)
    with torch.no_grad():
        assert float((twin(z) == chip.read(z).float()).float().mean()) > 0.98
    ideal, _, _ = pair(aimc.load("ideal-5bit"), rng)
    with torch.no_grad():
        assert float((ideal(z) == chip.read(z).float()).float().mean()) < 0.8


def test_a_driver_of_ones_own_carries_the_same_in_a_twin_as_in_a_chip(rng):
    hardware = aimc.load("ideal-5bit").replace(driver=Curved(0.2))
    twin, chip, z = pair(hardware, rng)
    with torch.no_grad():
        assert float((twin(z) == chip.read(z).float()).float().mean()) > 0.98


NOISES = {
    "sampled": {"imperfections": (imperfections.ThermalNoise(3e5),)},
    "decided": {"imperfections": (imperfections.ComparatorNoise(5e-3),)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", NOISES)
def test_noise_of_a_converter_spreads_a_twins_outputs_as_a_chips(noise, kind, rng):
    """One draw a read; what decides several times within a code spreads a sixth less."""
    adc = KINDS[kind](5, **NOISES[noise])
    same_spread(aimc.load("ideal-5bit").replace(adc=adc), rng)


@pytest.mark.parametrize("kind", ["ramp", "flash"])
def test_read_noise_of_a_converters_own_cells_spreads_a_twins_outputs_as_a_chips(kind, rng):
    """Few rows of large cells: the array's own noise is small beside that of the levels."""
    hardware = aimc.load("ideal-5bit").replace(adc=KINDS[kind](5))
    noise = (ReadNoise(3e-6),)
    same_spread(hardware.replace(on_read=noise), rng)


def same_spread(hardware, rng):
    twin, chip, z = pair(hardware, rng)
    with torch.no_grad():
        twins, chips = (
            torch.stack([read(z) for _ in range(30)]).std(0).mean() for read in (twin, chip.read)
        )
    assert float(chips) > 0.005
    assert float(twins) == pytest.approx(float(chips), rel=0.2)
