"""The exception tree, and the checks that every public door makes.

A message says what must hold, what came and, where it helps, what to do.
"""

from __future__ import annotations

import math
import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

Kind = TypeVar("Kind")


class AimcError(Exception):
    """Anything that `aimc` itself raises."""


class ArgumentError(AimcError, ValueError):
    """An argument has the wrong shape, value or kind."""


class CardError(AimcError, ValueError):
    """A card cannot be read, or says something that cannot be."""


class DataError(AimcError):
    """A data folder or file is missing, damaged or not what it must be."""


class MissingExtra(AimcError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is needed here; install it with: pip install 'aimc[{extra}]'")


class NotConverged(AimcError, ArithmeticError):
    """An iterative solver stopped above its tolerance; `.residual` says how far."""

    def __init__(self, message: str, residual: float) -> None:
        super().__init__(message)
        self.residual = residual


class SpiceError(AimcError):
    """A netlist or its simulation failed. `.reason` is one word for it, `.log` what was printed.

    Reasons: missing (no simulator), syntax, nodes (not in the circuit, or not in the answer),
    singular, rescued (gmin or source stepping), convergence, warning, timeout, killed, failed, raw
    (a result that cannot be read, or is not finite), unphysical (no answer of passive cells),
    import (a netlist that is no crossbar).
    """

    def __init__(self, message: str, reason: str, log: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.log = log


def must(name: str, rule: str, came: Any, hint: str = "") -> ArgumentError:
    """The error "`name` must `rule`, but `came`. `hint`", to be raised by the caller."""
    return ArgumentError(f"`{name}` must {rule}, but {came}." + (f" {hint}" if hint else ""))


def said(part: object, method: str) -> str:
    """The name of what a method of a part gave, which may be a user's own."""
    return f"{type(part).__name__}.{method}(...)"


def as_a(name: str, value: Any, kind: type[Kind], hint: str = "") -> Kind:
    """`value` itself; ArgumentError where it is not of that kind."""
    if not isinstance(value, kind):
        raise must(name, f"be of type {kind.__name__}", f"is {value!r}", hint)
    return value


def as_text(name: str, value: Any, empty: bool = False) -> str:
    """`value` itself; ArgumentError where it is no text that a UTF-8 file can hold, or is blank."""
    if not isinstance(value, str) or not (empty or value.strip()):
        raise must(name, "be a text" + ("" if empty else " that is not blank"), f"is {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise must(name, "be a text of whole characters", f"is {value!r}") from error
    return value


def as_array(
    name: str,
    value: ArrayLike,
    shape: tuple[int | None, ...] = (None, None),
    minimum: float | None = None,
    maximum: float | None = None,
    empty: bool = False,
) -> NDArray[Any]:
    """`value` as a C-contiguous float64 array of that shape, `None` standing for any length.

    Raises ArgumentError where it is not numeric, has another shape, is not finite, or leaves
    [minimum, maximum], or is empty where that is not allowed.
    """
    import numpy as np

    try:
        given = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise must(name, "be an array of real numbers", f"is {type(value).__name__}") from error
    if np.ma.isMaskedArray(value) or given.dtype.kind not in "biuf":
        came = "masked" if np.ma.isMaskedArray(value) else f"of dtype {given.dtype}"
        raise must(name, "be an array of real numbers", f"is {came}")
    array = np.asarray(given, dtype=np.float64, order="C")
    if np.ndim(value) != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise must(name, f"have shape {wanted}", f"has shape {np.shape(value)}")
    if array.size == 0:
        if empty:
            return array
        raise must(name, "not be empty", f"has shape {array.shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise must(name, "be finite", f"is {array[where]} at {where}")
    if minimum is not None and array.min() < minimum:
        where = tuple(int(k) for k in np.argwhere(array < minimum)[0])
        raise must(name, f"be at least {minimum:g}", f"is {array[where]:g} at {where}")
    if maximum is not None and array.max() > maximum:
        where = tuple(int(k) for k in np.argwhere(array > maximum)[0])
        raise must(name, f"be at most {maximum:g}", f"is {array[where]:g} at {where}")
    return array


def as_real(name: str, value: ArrayLike) -> NDArray[Any]:
    """`value` as float64, of any shape, whatever is not finite included; else ArgumentError."""
    import numpy as np

    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise must(name, "be real numbers", f"is {value!r}") from error


def as_batch(name: str, value: ArrayLike, width: int) -> NDArray[Any]:
    """`value` of shape (batch, width), or one of shape (width,), as an array (batch, width).

    The batch may be empty. Raises ArgumentError as `as_array`.
    """
    import numpy as np

    try:
        rows = np.atleast_2d(value)
    except ValueError as error:
        raise must(name, "be an array of real numbers", "has rows of unequal length") from error
    return as_array(name, rows, (None, width), empty=True)


def as_rng(rng: Any) -> Generator:
    """`rng` itself; ArgumentError where it is no numpy.random.Generator."""
    import numpy as np

    if not isinstance(rng, np.random.Generator):
        raise must(
            "rng",
            "be a numpy.random.Generator",
            f"is {type(rng).__name__}",
            "Use np.random.default_rng(seed).",
        )
    return rng


def as_number(
    name: str,
    value: Any,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
) -> float:
    """`value` as a finite float within [minimum, maximum] and greater than `above`."""
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError) as error:
        raise must(name, "be a number", f"is {value!r}") from error
    if not math.isfinite(number):
        raise must(name, "be finite", f"is {number}")
    if above is not None and number <= above:
        raise must(name, f"be greater than {above:g}", f"is {number:g}")
    if minimum is not None and number < minimum:
        raise must(name, f"be at least {minimum:g}", f"is {number:g}")
    if maximum is not None and number > maximum:
        raise must(name, f"be at most {maximum:g}", f"is {number:g}")
    return number


def as_count(name: str, value: Any, minimum: int = 1, maximum: int | None = None) -> int:
    """`value` as an int within [minimum, maximum]; a float or a bool is refused."""
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)
    except TypeError as error:
        raise must(name, "be a whole number", f"is {value!r}") from error
    if count < minimum:
        raise must(name, f"be at least {minimum}", f"is {count}")
    if maximum is not None and count > maximum:
        raise must(name, f"be at most {maximum}", f"is {count}")
    return count


def as_path(name: str, value: Any) -> Path:
    """`value`, a text or a path, as a Path."""
    if not isinstance(value, str | os.PathLike):
        raise must(name, "be a path", f"is {value!r}")
    return Path(value)


def as_flag(name: str, value: Any) -> bool:
    """`value` itself; ArgumentError where it is neither True nor False."""
    if not isinstance(value, bool):
        raise must(name, "be True or False", f"is {value!r}")
    return value
