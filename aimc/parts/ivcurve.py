"""Current-voltage curves of memristor cells: how the current follows a large voltage.

A curve is scaled by each cell's conductance g, its slope at 0 V unless it says otherwise, which is
what a device writes, ages and reads. A cell behind a transistor is in `aimc.parts.transistor`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.errors import ArgumentError, as_array, must
from aimc.kernels.wires import cells
from aimc.parts.fields import quantities, quantity
from aimc.parts.registry import Part, registered

if TYPE_CHECKING:
    from aimc.arrays import Array, ArrayLike


class IVCurve(Part, ABC):
    """Small-signal conductance and voltage in, current and its slope out.

    Every curve passes through zero and rises strictly for g > 0; without a transistor its slope
    at 0 V is g. A cell of g = 0 is open: no current, no slope.
    """

    @abstractmethod
    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        """The current [A] and its slope di/du [S] of cells `g` [S] at `u` [V] across them.

        `g` and `u` have shapes that broadcast, such as (rows, cols) and (batch, rows, cols); both
        results have the broadcast shape, and each array of the last two dimensions is bit for bit
        what it is by itself. Raises ArgumentError where `g` is negative, either is not finite, or
        a voltage lies where the curve does not hold.
        """


def aligned(g: ArrayLike, u: ArrayLike) -> tuple[Array, Array, tuple[int, ...]]:
    """`g` as (1 or n, cells), `u` as (n, cells), as the kernels want them, and their shape.

    n counts the arrays of the last two dimensions, or is one. Raises ArgumentError.
    """
    g, u = _finite("g", g, minimum=0), _finite("u", u)
    shape = u.shape
    if g.shape != shape:
        try:
            shape = np.broadcast_shapes(g.shape, u.shape)
        except ValueError as error:
            rule = f"broadcast with `g` of shape {g.shape}"
            raise must("u", rule, f"has shape {u.shape}") from error
        if g.shape != shape[-2:]:
            g = np.broadcast_to(g, shape)
        u = np.broadcast_to(u, shape)
    lead, cells_ = math.prod(shape[:-2]), math.prod(shape[-2:])
    rows = 1 if g.shape == shape[-2:] else lead
    return _own(g.reshape(rows, cells_)), _own(u.reshape(lead, cells_)), shape


def _finite(name: str, value: Any, minimum: float | None = None) -> Array:
    if type(value) is np.ndarray and value.dtype == np.float64 and value.size:
        low, high = value.min(), value.max()
        if low > -np.inf and high < np.inf and (minimum is None or low >= minimum):
            return value
    try:
        given = np.atleast_1d(value)
    except ValueError as error:
        raise must(name, "be an array of real numbers", "has rows of unequal length") from error
    array = as_array(name, given, (None,) * given.ndim, minimum, empty=True)
    return array.reshape(np.shape(value))


def _own(array: Array) -> Array:
    """C-contiguous and writeable, the one kind of array that kernels are compiled for."""
    return np.require(array, requirements=("C", "W"))


@registered("sinh")
class Sinh(IVCurve):
    """Hopping or tunnelling through a gap, i = (g / a) sinh(a u).

    The voltage law of the Stanford/ASU compact model, i ~ sinh(V / V_0) with a = 1 / V_0
    [Jiang et al., SISPAD 2014], with its prefactor written as conductance. It holds for
    |a u| <= 700; beyond, the current is too large for a number.
    """

    a: float = quantity("1/V", "1 / V_0", above=0)

    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        """As IVCurve; relative error of rounding's size times the larger of 1 and |a u|."""
        g, u, shape = aligned(g, u)
        i, slope = np.empty_like(u), np.empty_like(u)
        if u.size:
            peak = self.a * np.maximum(u.max(axis=1), -u.min(axis=1))
            if peak.max() > 700:
                rule = f"lie within +-{700 / self.a:g} V, where a u is 700"
                raise must("u", rule, f"reaches {peak.max() / self.a:g} V")
            doublings = np.maximum(np.frexp(peak)[1] + 1, 0)
            cells.sinh(g, u, float(self.a), doublings.astype(np.int64), i, slope)
        return i.reshape(shape), slope.reshape(shape)


@registered("cubic")
class Cubic(IVCurve):
    """Small-signal expansion, i = g u (1 + k2 u + k3 u^2), of even and odd order.

    k2, k3: a number, or the coefficients of a polynomial in log10(g / 1 S), as
    CrossSim's model of Milo's cells gives i = g u + n2 u^2 + n3 u^3 with n2 = k2 g, n3 = k3 g.
    k3_slope is added times g, as measured cells ask for: k3 + k3_slope g falls with g
    [Nat. Commun. 2025, s41467-025-65233-w, source data]. The curve holds around 0 V as far as it
    rises, 1 + 2 k2 u + 3 k3 u^2 > 0, and voltages beyond are refused.
    """

    k2: tuple[float, ...] | float = quantities("1/V", "even order", default=0.0)
    k3: tuple[float, ...] | float = quantities("1/V^2", "odd order", default=0.0)
    k3_slope: float = quantity("1/V^2/S", "change of k3 with g", default=0.0)

    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        g, u, shape = aligned(g, u)
        k2, k3 = self._coefficients_of(g)
        i, slope = np.empty_like(u), np.empty_like(u)
        if cells.cubic(g, k2, k3, u, i, slope):
            raise _beyond(*np.broadcast_arrays(g, k2, k3, u))
        return i.reshape(shape), slope.reshape(shape)

    def _coefficients_of(self, g: Array) -> tuple[Array, Array]:
        """k2 [1/V] and k3 [1/V^2] of each cell; of an open one any number."""
        parts: Any = (self.k2, self.k3)
        k2, k3 = (np.full_like(g, part[-1]) for part in parts)
        if max(map(len, parts)) > 1:
            exponent = np.log10(g, where=g > 0, out=np.zeros_like(g))
            for k, part in zip((k2, k3), parts, strict=True):
                for coefficient in part[-2::-1]:
                    k *= exponent
                    k += coefficient
        if self.k3_slope:
            k3 += self.k3_slope * g
        return k2, k3


def _beyond(g: Array, k2: Array, k3: Array, u: Array) -> ArgumentError:
    """Why `Cubic` refuses: the first cell whose voltage lies beyond its rising range."""
    for cell in zip(g.flat, k2.flat, k3.flat, u.flat, strict=True):
        g_, k2_, k3_, u_ = map(float, cell)
        roots = np.roots((3 * k3_, 2 * k2_, 1.0))
        ends = roots.real[roots.imag == 0]
        low = max(ends[ends < 0], default=-math.inf)
        high = min(ends[ends > 0], default=math.inf)
        if not low < u_ < high:
            rule = f"lie between {low:g} and {high:g} V, where the curve of {g_:g} S rises"
            hint = "Give the cell a curve that holds there, such as Sinh or Tabulated."
            return must("u", rule, f"is {u_:g} V", hint)
    return must("u", "give a current that is a number", f"reaches {np.abs(u).max():g} V")


@registered("tabulated")
class Tabulated(IVCurve):
    """A measured curve: its shape, divided by its slope at 0 V and scaled by g.

    voltage and current of a sweep, both strictly rising through (0, 0), which is put in
    where the sweep passes it between two points. In between, piecewise cubic Hermite with the
    slopes of Fritsch and Butland (PCHIP) [SIAM J. Sci. Stat. Comput. 5, 300 (1984)], of three
    points at the ends; no slope exceeds 2.99 times a neighbouring secant, so that the curve rises
    strictly. Beyond the ends the curve is straight.

    The slope at 0 V is that of a cubic through (0, 0), fitted by least squares to the points within
    +-window, so that the noise of the two smallest points does not scale the whole curve; with
    fewer than four points there, that of the interpolant. normalised_at: the voltage at which g was
    measured, as current over voltage; the curve is then divided by that, and no slope is needed.
    """

    voltage: tuple[float, ...] = quantities("V", "of each point, rising")
    current: tuple[float, ...] = quantities("A", "at each voltage, rising")
    window: float | None = quantity(
        "V", "of the fit of the slope at 0 V; None: a third of the sweep", default=None, above=0
    )
    normalised_at: float | None = quantity(
        "V", "at which g is current over voltage; None: g is the slope at 0 V", default=None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("voltage", "current"):
            numbers = getattr(self, name)
            if len(numbers) < 2 or np.any(np.diff(numbers) <= 0):
                raise must(name, "be two or more strictly rising numbers", f"is {numbers}")
        v, i = self.voltage, self.current
        if len(v) != len(i):
            raise must("current", f"have the {len(v)} values of `voltage`", f"has {len(i)}")
        if not v[0] <= 0 <= v[-1]:
            raise must("voltage", "contain or bracket 0 V", f"goes from {v[0]:g} to {v[-1]:g} V")
        if any((a > 0) - (a < 0) != (b > 0) - (b < 0) for a, b in zip(v, i, strict=True)):
            raise must(
                "current",
                "have the sign of `voltage`, and be zero at 0 V",
                "does not pass through zero",
                "Subtract what the instrument shows at 0 V.",
            )
        if (at := self.normalised_at) is not None and not (at and v[0] <= at <= v[-1]):
            rule = f"be a voltage of the sweep, {v[0]:g} to {v[-1]:g} V, and not 0"
            raise must("normalised_at", rule, f"is {at:g} V")
        with np.errstate(all="ignore"):
            _, values, slopes, _ = self._table
        if not (np.isfinite(values).all() and np.isfinite(slopes).all() and slopes.min() > 0):
            raise must("voltage", "be spaced widely enough for a slope", f"is {v}")

    @cached_property
    def _table(self) -> tuple[Array, Array, Array, Any]:
        """Knots [V], values [V] and slopes [1] of the curve of unit slope, and its buckets."""
        v, i = np.asarray(self.voltage), np.asarray(self.current)
        if 0.0 not in self.voltage:
            at = np.searchsorted(v, 0.0)
            v, i = np.insert(v, at, 0.0), np.insert(i, at, 0.0)
        slopes, zero = _rising_slopes(v, i), int(np.searchsorted(v, 0.0))
        window = self.window or np.abs(v).max() / 3
        within = (np.abs(v) <= window * (1 + 1e-9)) & (v != 0.0)
        if within.sum() >= 4:
            x = v[within] / window
            fit = np.linalg.lstsq(np.stack((x, x**2, x**3), axis=1), i[within])[0][0] / window
            secant = np.diff(i[max(zero - 1, 0) : zero + 2]) / np.diff(
                v[max(zero - 1, 0) : zero + 2]
            )
            slopes[zero] = np.clip(fit, secant.min() / 3, 2.99 * secant.min())
        scale = slopes[zero]
        if (at := self.normalised_at) is not None:
            chord, unused = np.empty((1, 1)), np.empty((1, 1))
            cells.hermite(
                np.ones((1, 1)), np.full((1, 1), at), v, i, slopes, cells.buckets(v), chord, unused
            )
            scale = chord[0, 0] / at
        return v, i / scale, slopes / scale, cells.buckets(v)

    def evaluate(self, g: ArrayLike, u: ArrayLike) -> tuple[Array, Array]:
        g, u, shape = aligned(g, u)
        i, slope = np.empty_like(u), np.empty_like(u)
        cells.hermite(g, u, *self._table, i, slope)
        return i.reshape(shape), slope.reshape(shape)


def _rising_slopes(x: Array, y: Array) -> Array:
    """Slopes of the strictly rising PCHIP interpolant at its knots."""
    h = np.diff(x)
    secant = np.diff(y) / h
    if h.size == 1:
        return np.repeat(secant, 2)
    before, after = h[1:] + 2 * h[:-1], 2 * h[1:] + h[:-1]
    inner = (before + after) / (after / secant[:-1] + before / secant[1:])
    ends = [
        np.clip(a + (a - b) * ha / (ha + hb), a / 3, 3 * a)
        for a, b, ha, hb in ((*secant[:2], *h[:2]), (*secant[:-3:-1], *h[:-3:-1]))
    ]
    slopes = np.array([ends[0], *inner, ends[1]])
    steepest = 2.99 * np.minimum(np.append(secant, secant[-1]), np.append(secant[0], secant))
    return np.minimum(slopes, steepest)
