"""Standard normal numbers in single precision, many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from aimc.kernels.base.jit import exact

Words = NDArray[np.uint32]


@intrinsic
def _single(typing: Any, bits: Any) -> Any:
    """The float32 with these 32 bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.uint32), build


@intrinsic
def _word(typing: Any, value: Any) -> Any:
    """The 32 bits of a float32."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.uint32))

    return types.uint32(types.float32), build


@exact
def words(state: Words, out: Words) -> None:
    """Random words of many generators side by side, xoshiro128++ [Blackman, Vigna 2021].

    state  (4, lanes)   uint32, no lane all zero, overwritten
    out    (n, lanes)   uint32, overwritten
    """
    one, two, three, four = state[0], state[1], state[2], state[3]
    for k in range(len(out)):
        row = out[k]
        for j in range(state.shape[1]):
            a, b, c, d = one[j], two[j], three[j], four[j]
            total = np.uint32(a + d)
            row[j] = np.uint32(
                np.uint32(np.uint32(total << np.uint32(7)) | np.uint32(total >> np.uint32(25))) + a
            )
            t = np.uint32(b << np.uint32(9))
            c ^= a
            d ^= b
            one[j] = a ^ d
            two[j] = b ^ c
            three[j] = c ^ t
            four[j] = np.uint32(d << np.uint32(11)) | np.uint32(d >> np.uint32(21))


_F = np.float32
_LOG = tuple(_F(2.0 / n) for n in (1, 3, 5, 7, 9))
_LN2, _TOP = _F(np.log(2.0)), _F(32 + 127)
_SIN = tuple(_F(v) for v in (1.0, -1 / 6, 1 / 120, -1 / 5040))
_COS = tuple(_F(v) for v in (1.0, -1 / 2, 1 / 24, -1 / 720, 1 / 40320))
_TURN, _EIGHTH = _F(np.pi / 2 * 2.0**-30), _F(np.pi / 4)
_ZERO, _ONE, _HALF, _TWO, _ROOT2 = _F(0), _F(1), _F(0.5), _F(2), _F(np.sqrt(2))
_ROOT_HALF = _F(np.sqrt(0.5))


@exact
def normals(words: Words, out: NDArray[np.float32]) -> None:
    """Standard normal numbers, two from two random words [Box, Muller 1958].

    words  (2 n,)   uint32
    out    (2 n,)   float32, overwritten; |out| < 6.8
    """
    n = len(words) // 2
    for k in range(n):
        # Radius: the natural logarithm of (word + 1/2) 2^-32 from exponent and mantissa.
        bits = _word(_F(words[k]) + _HALF)  # pyright: ignore[reportCallIssue]
        e = _F(np.int32(bits >> np.uint32(23)))
        m = _single(np.uint32((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)))  # pyright: ignore[reportCallIssue]
        large = m > _ROOT2
        m = m * _HALF if large else m
        e = e + _ONE if large else e
        s = (m - _ONE) / (m + _ONE)
        q = s * s
        log = s * (_LOG[0] + q * (_LOG[1] + q * (_LOG[2] + q * (_LOG[3] + q * _LOG[4]))))
        radius = np.sqrt(max(_TWO * ((_TOP - e) * _LN2 - log), _ZERO)) * _ROOT_HALF
        # Angle: 30 bits within a quarter turn, two bits for the signs.
        low = words[n + k]
        a = _F(np.int32(low >> np.uint32(2))) * _TURN - _EIGHTH
        q = a * a
        sin = a * (_SIN[0] + q * (_SIN[1] + q * (_SIN[2] + q * _SIN[3])))
        cos = _COS[0] + q * (_COS[1] + q * (_COS[2] + q * (_COS[3] + q * _COS[4])))
        x, y = radius * (cos - sin), radius * (cos + sin)
        out[k] = x if low & np.uint32(1) else -x
        out[n + k] = y if low & np.uint32(2) else -y
