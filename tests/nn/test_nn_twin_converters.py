"""The converters of a twin are ramps: the number of thresholds crossed, for any number of bits."""

from functools import partial

import numpy as np
import pytest
import torch

import aimc
from aimc import nn
from aimc.converters import imperfections
from aimc.curves import CURVES, Curve
from aimc.nn.training.tiles import Converters
from aimc.nn.training.twin import Twin
from aimc.parts.driver import VoltageDriver


@pytest.mark.parametrize("bits", [1, 3, 5, 6, 7, 9])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "linear", "falling"])
def test_outputs_are_those_of_the_first_crossing(bits, name, rng):
    function = CURVES.get(name) or Curve("falling", lambda x: -x, -1, 1, lambda y: -y)
    ideal = function.thresholds(bits)
    thresholds, offset = ideal + rng.normal(0, 0.01, ideal.shape), rng.normal(0, 0.1, 5)
    converters = Converters.of([(5, function, bits, thresholds, offset)])
    u = rng.uniform(-4, 4, (300, 5))
    for strength, edges, shift in ((0.0, ideal, 0.0), (1.0, thresholds, offset)):
        code = np.searchsorted(np.maximum.accumulate(edges), u - shift, side="right")
        y = converters(torch.from_numpy(u).float(), strength).numpy()
        wrong = np.abs(y - function.outputs(bits)[code]) > 1e-5
        assert wrong.mean() < 0.002  # single precision, next to a threshold


class Curved(VoltageDriver):
    """A stranger: a DAC whose steps are finer at small activations, seen in its pulses alone."""

    def pulses(self, x):
        x = np.clip(x, -self.x_max, self.x_max)
        v = self.v_read * np.sign(x) * np.rint(7 * np.sqrt(np.abs(x))) ** 2 / 49
        return self.lengths(v), v


def pair(hardware, rng):
    """A chip and the converters of a twin of the very same array, without errors of its cells."""
    layer = nn.Linear(30, 12, bias=False, curve="tanh")
    twin = Twin(layer, "weight", hardware)
    twin.draw(layer.matrices(), 1.0, np.random.default_rng(3), True)
    layer.program(hardware, np.random.default_rng(3))
    z = torch.from_numpy(rng.uniform(-1, 1, (400, 30)))
    return partial(twin, lambda: layer.matrices()["weight"]), layer.chips["weight"], z


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


@pytest.mark.parametrize(
    "part",
    [imperfections.ThermalNoise(3e5), imperfections.ComparatorNoise(5e-3)],
    ids=["sampled", "decided"],
)
def test_noise_of_a_converter_spreads_a_twins_outputs_as_a_chips(part, rng):
    hardware = aimc.load("ideal-5bit").replace(imperfections=(part,))
    twin, chip, z = pair(hardware, rng)
    with torch.no_grad():
        twins, chips = (
            torch.stack([read(z) for _ in range(30)]).std(0).mean() for read in (twin, chip.read)
        )
    assert float(chips) > 0.005
    assert float(twins) == pytest.approx(float(chips), rel=0.15)
