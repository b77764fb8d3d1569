"""Converters to compare the ramp with, behind the same interface.

A linear ramp and a SAR resolve the pre-activation itself against a reference of their own, and a
digital table makes f of it: a read voltage that is off is a gain error of theirs. A flash converter
has the curve in its levels, each written into a memristor of its own.
"""

from aimc.converters.flash import FlashADC
from aimc.converters.linear import LinearRampADC
from aimc.converters.sar import SARADC

__all__ = ["SARADC", "FlashADC", "LinearRampADC"]
