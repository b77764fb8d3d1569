"""Quantities with a unit at the door, SI floats inside.

`parse("150 uS", "S")` gives 1.5e-4; a wrong dimension or a bare number is an error. The units are
pint's; "%" is allowed where a plain ratio is wanted.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING

from aimc.errors import ArgumentError

if TYPE_CHECKING:
    import pint

BOLTZMANN = 1.380649e-23
"""[J/K], exact in the SI of 2019."""
HOTTEST = 1000.0
"""Temperature up to which a circuit can be asked for [K]: beyond, no such circuit is left."""
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


@functools.cache
def _registry() -> pint.UnitRegistry:
    import pint

    return pint.UnitRegistry()


_UNIT = r"[A-Za-z\u00b5\u03bc\u03a9]+(?:(?:\^|\*\*)-?\d)?"
_QUANTITY = re.compile(
    r"\s*([+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|nan))"
    rf"(?:\s*(%|{_UNIT}(?:\s*[*/]\s*{_UNIT})*)|\s+(1(?:\s*/\s*{_UNIT})+))?\s*",
    re.ASCII,
)


@functools.lru_cache(maxsize=4096)
def parse(text: str, unit: str) -> float:
    """The value of `text`, one number and its unit, in `unit`.

    `unit` is an SI unit ("S", "ohm", "V", "s", "F", "S/V", "1/V") or "1" for a ratio. Raises
    ArgumentError where the text is no quantity, has another dimension, or is not finite.
    """
    import pint

    wanted = "number" if unit == "1" else f"number with a unit in {unit}"
    # pint alone would read "1,5 V" as 15 V and compute "9**9**9**9 V".
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ArgumentError(f"must be a {wanted}, but is {text!r}")
    try:
        quantity = _registry().Quantity(float(match[1]), match[2] or match[3] or "")
        value = float(quantity.to("" if unit == "1" else unit).magnitude)
    except (pint.PintError, AttributeError) as error:
        raise ArgumentError(f"must be a {wanted}, but is {text!r}") from error
    if not math.isfinite(value):
        raise ArgumentError(f"must be a finite {wanted}, but is {text!r}")
    return value


def show(value: float, unit: str, digits: int = 4) -> str:
    """`value` in engineering notation: `show(1.5e-4, "S")` is "150 uS"."""
    if unit == "1":
        return f"{value:.{digits}g}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    exponent = min(max(3 * math.floor(math.log10(abs(value)) / 3 + 1e-12), -15), 12)
    return f"{value / 10**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}"
