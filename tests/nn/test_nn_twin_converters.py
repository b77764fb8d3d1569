"""The converters of a twin are ramps: the number of thresholds crossed, for any number of bits."""

import numpy as np
import pytest
import torch

from aimc.curves import CURVES, Curve
from aimc.nn.twin import Converters


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
