"""The condition that a chip is read under."""

from __future__ import annotations

from dataclasses import dataclass

from aimc.errors import as_count, as_number
from aimc.units import HOTTEST, show


@dataclass(frozen=True)
class Condition:
    """Under what a programmed chip is read. Conditions replace each other, they do not pile up.

    age: since programming [s]; temperature: of the cells as they are read [K], by the device's
    `temperature`, None: that at which they were written; v_read: read voltage [V], None: the chip's
    own; bits: resolution that converters are read with, None: all; only a ramp of cells (RampADC)
    can be read with fewer than it has. stored_at: temperature at which the chip aged [K], by the
    device's `retention`; None: that which its ageing is given for. What hardware cannot follow, it
    refuses when it is put under the condition. Raises ArgumentError, for temperatures of more than
    1000 K too.
    """

    age: float = 0.0
    temperature: float | None = None
    v_read: float | None = None
    bits: int | None = None
    stored_at: float | None = None

    def __post_init__(self) -> None:
        as_number("age", self.age, minimum=0)
        for name, most in (("temperature", HOTTEST), ("v_read", None), ("stored_at", HOTTEST)):
            if getattr(self, name) is not None:
                as_number(name, getattr(self, name), maximum=most, above=0)
        if self.bits is not None:
            as_count("bits", self.bits, 1)

    def __str__(self) -> str:
        stored = "" if self.stored_at is None else f" stored at {show(self.stored_at, 'K')}"
        parts = [f"age {show(self.age, 's')}{stored}"]
        parts += [] if self.temperature is None else [f"read at {show(self.temperature, 'K')}"]
        parts += [] if self.v_read is None else [show(self.v_read, "V")]
        parts += [] if self.bits is None else [f"{self.bits} bits"]
        return ", ".join(parts)


AS_WRITTEN = Condition()
"""At once, at the temperature and read voltage of the writing."""
