"""What warmth does to cells: to what they conduct, and to how fast they age."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import as_number, must
from aimc.parts.fields import quantity
from aimc.parts.registry import Part, registered
from aimc.units import BOLTZMANN, HOTTEST

if TYPE_CHECKING:
    from aimc.arrays import Array


@registered("linear")
class TemperatureCoefficient(Part):
    """g(T) = g (1 + alpha (T - t_ref)), alpha linear from `off` at g = 0 to `on` at g_max.

    First order in T: metallic filaments conduct less when warm (on < 0), semiconducting gaps more
    (off > 0).
    """

    off: float = quantity("1/K", "coefficient at g = 0")
    on: float = quantity("1/K", "coefficient at g_max")
    t_ref: float = quantity(
        "K", "temperature of the writing", default=300.0, above=0, maximum=HOTTEST
    )

    def __call__(self, g: Array, g_max: float, temperature: float) -> Array:
        """Conductances of cells `g` [S] at `temperature` [K]. Raises ArgumentError where the law
        leaves a cell none."""
        alpha = self.off + (self.on - self.off) * np.minimum(g / g_max, 1.0)
        kept = 1.0 + alpha * (temperature - self.t_ref)
        if np.any(kept <= 0.0, where=g > 0.0):
            rule = "leave each cell a conductance by its coefficient"
            raise must("temperature", rule, f"leaves none at {temperature:g} K")
        return np.maximum(g * kept, 0.0)


@registered("arrhenius")
class Arrhenius(Part):
    """How much sooner cells age when they are stored warm: t at a temperature T is as long as
    t exp(E_a / k (1 / T_ref - 1 / T)) at T_ref [Arrhenius' law of a process with one barrier].
    """

    activation_energy: float = quantity("J", "E_a", minimum=0)
    t_ref: float = quantity(
        "K", "that the device's ageing is given for", default=300.0, above=0, maximum=HOTTEST
    )

    def equivalent(self, t: float, temperature: float) -> float:
        """As long as `t` [s] at `temperature` [K], at the reference temperature [s]."""
        as_number("t", t, minimum=0)
        as_number("temperature", temperature, maximum=HOTTEST, above=0)
        barrier = self.activation_energy / BOLTZMANN
        return t * math.exp(min(barrier * (1.0 / self.t_ref - 1.0 / temperature), 700.0))
