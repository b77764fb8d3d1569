"""Column currents to the voltage at the comparator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimc.parts.fields import quantity
from aimc.parts.registry import Part, registered

if TYPE_CHECKING:
    from aimc.arrays import Array


@registered("integrator")
class Integrator(Part):
    """A charge integrator a column: u = i T / c_fb, with the column held at virtual ground.

    The feedback capacitor c_fb sets how many volts a pre-activation of one makes. The ramp has
    a capacitor of its own; the ratio of the two is the gain that aligns array and ramp
    (`Macro.gain`). c_fb None lets programming choose it so that the converter's whole ramp takes
    `swing`; a given c_fb is kept, and the ramp's capacitor follows it.
    """

    swing: float = quantity("V", "of the converter's whole ramp", default=0.5, above=0)
    c_fb: float | None = quantity("F", "feedback capacitor", default=None, above=0)

    def integrate(self, i: Array, window: float, c_fb: float) -> Array:
        """Voltage after integrating the mean current `i` [A] over `window` [s] on `c_fb` [F]."""
        return i * (window / c_fb)

    def gain(self, window: float, c_fb: float) -> float | None:
        """Volts for a mean current of one [V/A]; None where `integrate` is another's own, which is
        then asked in each read."""
        return window / c_fb if type(self).integrate is Integrator.integrate else None
