"""The condition that a chip is read under."""

from __future__ import annotations

from dataclasses import dataclass

from aimc.errors import as_count, as_number
from aimc.units import show


@dataclass(frozen=True)
class Condition:
    """Under what a programmed chip is read. Conditions replace each other, they do not pile up.

    age: since programming [s]; temperature: of the cells as they are read [K], None: that at which
    they were written; v_read: read voltage [V], None: the chip's own; bits: resolution that ramps
    are read with, None: all. stored_at: temperature at which the chip aged [K], by the device's
    `retention`; None: that which its ageing is given for. Raises ArgumentError.
    """

    age: float = 0.0
    temperature: float | None = None
    v_read: float | None = None
    bits: int | None = None
    stored_at: float | None = None

    def __post_init__(self) -> None:
        as_number("age", self.age, minimum=0)
        for name in ("temperature", "v_read", "stored_at"):
            if getattr(self, name) is not None:
                as_number(name, getattr(self, name), above=0)
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
