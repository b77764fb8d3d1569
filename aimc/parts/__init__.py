"""What stands on a card, each kind of part in a file of its own."""

from aimc.parts import device, driver, ivcurve, mapping, sense, transistor, wires

__all__ = ["device", "driver", "ivcurve", "mapping", "sense", "transistor", "wires"]
