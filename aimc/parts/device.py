"""A memristor technology: its range, and what happens to a cell on writing, on reading, with age.

All conductances are in siemens, all times in seconds.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import as_a, as_array, as_number, as_real, as_rng, must, said
from aimc.parts.condition import Condition
from aimc.parts.effects import (
    Drift,
    Effect,
    FlickerReadNoise,
    Noise,
    PolynomialWriteError,
    ReadNoise,
    Relaxation,
    StuckAt,
    WriteError,
    WriteVerify,
    limited,
)
from aimc.parts.fields import part, parts, quantity
from aimc.parts.ivcurve import IVCurve
from aimc.parts.registry import Part, registered
from aimc.parts.temperature import Arrhenius, TemperatureCoefficient
from aimc.units import HOTTEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.arrays import Array, Generator


__all__ = [
    "Arrhenius", "Cells", "Device", "Drift", "Effect", "FlickerReadNoise", "Noise",
    "PolynomialWriteError", "ReadNoise", "Relaxation", "StuckAt", "TemperatureCoefficient",
    "WriteError", "WriteVerify", "branch",
]  # fmt: skip

_SPREAD = 1001  # cells


@registered("memristor")
class Device(Part):
    """A memristor technology. The effects act in the order given; a conductance is the slope at 0 V
    of the cell itself."""

    folder = "devices"

    g_max: float = quantity("S", "upper end of the range that can be targeted", above=0)
    g_min: float = quantity("S", "lower end of that range", default=0.0, minimum=0)
    on_write: tuple[Effect, ...] = parts(Effect, "act once, at programming", default=())
    on_age: tuple[Effect, ...] = parts(Effect, "act once, at the age of the chip", default=())
    on_read: tuple[Noise, ...] = parts(Noise, "act anew at every read", default=())
    iv: IVCurve | None = part(IVCurve, "of a cell; None: linear", default=None)
    temperature: TemperatureCoefficient | None = part(
        TemperatureCoefficient, "how a cell follows it; None: not", default=None
    )
    retention: Arrhenius | None = part(
        Arrhenius, "how ageing follows the temperature; None: not known", default=None
    )
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.g_min >= self.g_max:
            raise must("g_min", f"be below g_max = {self.g_max:g} S", f"is {self.g_min:g} S")

    @property
    def on_off(self) -> float:
        """g_max / g_min; infinite where g_min is zero."""
        return self.g_max / self.g_min if self.g_min else float("inf")

    def write(self, g_target: Any, rng: Generator) -> Array:
        """Conductances as the cells hold them after programming [S], never negative.

        g_target: any shape [S], within [g_min, g_max]; ArgumentError otherwise.
        """
        return self.written(g_target, rng).g

    def written(self, g_target: Any, rng: Generator) -> Cells:
        """`write`, and which of the cells are dead."""
        return self._apply(self.on_write, Cells(self.targeted("g_target", g_target)), rng, 0.0)

    def targeted(self, name: str, g: Any) -> Array:
        """Conductances of any shape [S] as they can be written; ArgumentError outside the range."""
        slack = 1e-9 * self.g_max
        g = as_array(name, g, _shape(name, g), self.g_min - slack, self.g_max + slack, empty=True)
        return np.maximum(g, 0.0)

    def rewrite(self, g_target: Any, rng: Generator) -> Array:
        """`write` for cells that are known to be sound: stuck cells are drawn once, not again."""
        errors = tuple(effect for effect in self.on_write if not isinstance(effect, StuckAt))
        return dataclasses.replace(self, on_write=errors).write(g_target, rng)

    def age(self, g: Any, t: float, rng: Generator) -> Array:
        """Conductances `g` [S] at time `t` [s] after programming; zero leaves them as they are.

        The same `rng` state at two times gives the same cells' drift exponents.
        """
        return self.aged(Cells(_conductances(g)), t, rng).g.copy()

    def aged(self, cells: Cells, t: float, rng: Generator) -> Cells:
        """`age` of cells some of which may be dead."""
        as_number("t", t, minimum=0)
        return self._apply(self.on_age, cells, rng, t) if t else cells

    def equivalent_age(self, condition: Condition) -> float:
        """The age [s], at the temperature that its ageing is given for, which the condition's makes
        where the chip was stored. Raises ArgumentError for a device whose retention is not known.
        """
        as_a("condition", condition, Condition)
        if condition.stored_at is None:
            return condition.age
        if self.retention is None:
            raise must(
                "stored_at", "be None for a device without retention",
                f"is {condition.stored_at!r} K", "Give the device an Arrhenius(activation_energy).",
            )  # fmt: skip
        return self.retention.equivalent(condition.age, condition.stored_at)

    def heated(self, g: Any, temperature: float | None) -> Array:
        """Conductances `g` [S] at `temperature` [K]; unchanged for None. Raises ArgumentError for a
        device that is not said how it follows the temperature."""
        g = _conductances(g)
        if temperature is None:
            return g.copy()
        as_number("temperature", temperature, maximum=HOTTEST, above=0)
        if self.temperature is None:
            raise must(
                "temperature", "be None for a device without a temperature coefficient",
                f"is {temperature!r} K", "Give the device a TemperatureCoefficient(off, on).",
            )  # fmt: skip
        made = self.temperature(g, self.g_max, temperature)
        return as_array(said(self.temperature, "__call__"), made, g.shape, 0, empty=True)

    def retained(self, condition: Condition) -> float:
        """What cells spread evenly over the range conduct under `condition`, over what they did
        when written: what an array and a ramp beside it have in common."""
        cells = np.linspace(self.g_min, self.g_max, _SPREAD)
        g = self.age(cells, self.equivalent_age(condition), np.random.default_rng(0))
        return float(self.heated(g, condition.temperature).sum() / cells.sum())

    def pulsed(self, g: Array, v_read: float, supply: float) -> Array:
        """Conductances [S] that cells `g` show while they are pulsed at `supply` times v_read [V]:
        their current over v_read."""
        if self.iv is None:
            return g * supply
        return self.iv.evaluate(g, np.full_like(g, v_read * supply))[0] / v_read

    def read(self, g: Any, rng: Generator, t: float = 0.0, dead: Any = False) -> Array:
        """Conductances `g` [S] as one read at age `t` [s] sees them: on average as they are."""
        as_rng(rng)
        held, sigma = _conductances(g), self.read_sigma(g, t, dead)
        if not self.on_read:
            return held.copy()
        return limited(held, sigma * rng.standard_normal(held.shape))

    def read_sigma(self, g: Any, t: float = 0.0, dead: Any = False) -> Array:
        """Standard deviation of one read of `g` at age `t` [S]; the parts add in quadrature. Cells
        that are `dead` have none."""
        g = _conductances(g)
        as_number("t", t, minimum=0)
        variance = np.zeros_like(g)
        for effect in self.on_read:
            sigma = effect.sigma(g, self.g_max, t)
            variance += as_array(said(effect, "sigma"), sigma, g.shape, 0, empty=True) ** 2
        return np.where(dead, 0.0, np.sqrt(variance))

    def _apply(self, effects: Sequence[Effect], cells: Cells, rng: Generator, t: float) -> Cells:
        as_rng(rng)
        g, dead = cells.g, cells.dead
        for effect in effects:
            if isinstance(effect, StuckAt):
                hit = effect.hits(g.shape, rng) & ~dead
                g, dead = np.where(hit, effect.g, g), dead | hit
                continue
            made = effect(g, rng, self.g_max, t)
            made = as_array(said(effect, "__call__"), made, g.shape, empty=True)
            g = np.where(dead, g, np.maximum(made, 0.0))
        return Cells(g, cells.when, dead)


def _shape(name: str, value: Any) -> tuple[None, ...]:
    """Any shape of so many dimensions as `value` has."""
    return (None,) * as_real(name, value).ndim


def _conductances(g: Any) -> Array:
    return as_array("g", g, _shape("g", g), minimum=0, empty=True)


def branch(rng: Generator, key: int) -> Generator:
    """A generator of its own for each `key` above zero, by the state of `rng`, which stays."""
    seed = copy.deepcopy(rng).integers(1, 2**63, size=4)
    return np.random.default_rng([key, *seed.tolist()])


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells as each was last written: g [S], `when`, in seconds after the first of them, and which
    are dead, so that they hold their g whatever comes; the last two of the shape of g, or one for
    all."""

    g: Array
    when: Any = 0.0
    dead: Any = False

    def __post_init__(self) -> None:
        for name, kind in (("when", np.float64), ("dead", np.bool_)):
            given = np.asarray(getattr(self, name), kind)
            if given.shape not in ((), self.g.shape):
                raise must(
                    name, f"have the shape of the cells, {self.g.shape}, or be one for all",
                    f"has shape {given.shape}",
                )  # fmt: skip
            object.__setattr__(self, name, np.broadcast_to(given, self.g.shape))

    def under(self, device: Device, condition: Condition, rng: Any) -> Cells:
        """As they stand under `condition`, each as old as its last writing makes it.

        What is written again draws its ageing anew, and changes no other cell's.
        """
        t = device.equivalent_age(condition)
        first = copy.deepcopy(rng)
        now = self.replaced(self.when == 0.0, device.aged(self, t, rng))
        for when in np.unique(self.when[(self.when > 0.0) & (self.when < t)]):
            own = branch(first, int(when.view(np.uint64)))
            now = now.replaced(self.when == when, device.aged(self, t - when, own))
        warm = device.heated(np.where(now.dead, 0.0, now.g), condition.temperature)
        return dataclasses.replace(now, g=np.where(now.dead, now.g, warm))

    def rewritten(self, there: Any, g: Array, t: float) -> Cells:
        """With the cells `there` written to `g` after t [s], those that are not dead."""
        return self.replaced(there & ~self.dead, Cells(g, t))

    def replaced(self, there: Any, others: Cells) -> Cells:
        """With the `others` in the place of the cells `there`."""
        pairs = zip(
            (others.g, others.when, others.dead), (self.g, self.when, self.dead), strict=True
        )
        return Cells(*(np.where(there, new, old) for new, old in pairs))
