"""What stands on a card, each kind of part in a file of its own."""

from aimc.parts import condition, device, driver, ivcurve, mapping, sense, transistor, wires

__all__ = ["condition", "device", "driver", "ivcurve", "mapping", "sense", "transistor", "wires"]
