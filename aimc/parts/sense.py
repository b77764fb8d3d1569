"""Column currents to the voltage at the comparator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aimc.errors import as_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Integrator:
    """A charge integrator a column: u = i T / c_fb, with the column held at virtual ground.

    The feedback capacitor c_fb [F] sets how many volts a pre-activation of one makes. The ramp has
    a capacitor of its own; the ratio of the two is the gain that aligns array and ramp
    (`Macro.gain`). c_fb None lets programming choose it so that the converter's whole ramp takes
    `swing` [V]; a given c_fb is kept, and the ramp's capacitor follows it.
    """

    swing: float = 0.5
    c_fb: float | None = None

    def __post_init__(self) -> None:
        as_number("swing", self.swing, above=0)
        if self.c_fb is not None:
            as_number("c_fb", self.c_fb, above=0)

    def integrate(self, i: Array, window: float, c_fb: float) -> Array:
        """Voltage after integrating the mean current `i` [A] over `window` [s] on `c_fb` [F]."""
        return i * (window / c_fb)
