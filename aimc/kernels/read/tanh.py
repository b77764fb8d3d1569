"""tanh without branches, the same bits in every cell and by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from aimc.kernels.base.jit import exact, exact_inner


@intrinsic
def _double(typing: Any, bits: Any) -> Any:
    """The float64 with these 64 bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), build


_FACTORIALS = tuple(1.0 / float(np.prod(np.arange(1.0, n + 1))) for n in range(1, 14))
_LOG2E, _LN2 = 1.0 / np.log(2.0), np.log(2.0)
_LN2_HIGH = float(np.float32(_LN2))
_LN2_LOW = 2.0**-60 * float(round((0.693147180559945309417232121458 - _LN2_HIGH) * 2.0**60))


@exact_inner
def tanh_of(x: float) -> float:
    """tanh in float64 to 2 units of the last place, without branches.

    (e - 1) / (e + 1) with e = exp(2 |x|) = 2^k exp(r), |r| <= ln 2 / 2, exp(r) - 1 by its series.
    """
    y = 2.0 * min(abs(x), 20.0)
    k = np.rint(y * _LOG2E)
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    p = _FACTORIALS[12]
    p = p * r + _FACTORIALS[11]
    p = p * r + _FACTORIALS[10]
    p = p * r + _FACTORIALS[9]
    p = p * r + _FACTORIALS[8]
    p = p * r + _FACTORIALS[7]
    p = p * r + _FACTORIALS[6]
    p = p * r + _FACTORIALS[5]
    p = p * r + _FACTORIALS[4]
    p = p * r + _FACTORIALS[3]
    p = p * r + _FACTORIALS[2]
    p = p * r + _FACTORIALS[1]
    p = p * r + 1.0
    power = _double((np.int64(k) + 1023) << 52)  # pyright: ignore[reportCallIssue]
    e = power * (p * r) + (power - 1.0)
    t = e / (e + 2.0)
    return -t if x < 0 else t


@exact
def tanh(x: NDArray[np.floating], y: NDArray[np.floating]) -> None:
    """y = tanh(x), both (n,) of one type; the same bits as within a cell."""
    for k in range(len(x)):
        y[k] = tanh_of(float(x[k]))
