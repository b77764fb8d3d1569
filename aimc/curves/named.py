"""The curves that have a name, and curves from points."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from aimc.curves.curve import Curve
from aimc.errors import as_array, must

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

    from aimc.arrays import ArrayLike

# Scale and alpha of selu [Klambauer et al. 2017, arXiv 1706.02515].
_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772
# Beyond, the tails of the curves that turn are flat, or straight and above any hi.
_DOMAIN = (-50.0, 50.0)
_GELU_TURN = -0.7517915246935645  # Phi(x) + x phi(x) = 0
_W = float(special.lambertw(np.exp(-1.0)).real)  # silu is least, -W(1/e), at -1 - W(1/e)


def linear(lo: float = -1.0, hi: float = 1.0) -> Curve:
    """y = x, resolved between lo and hi."""
    return Curve("linear", _identity, lo, hi, _identity)


def table(name: str, x: ArrayLike, y: ArrayLike) -> Curve:
    """The curve through points (x, y), two or more, by monotonic cubic interpolation (PCHIP).

    Between neighbouring points it is monotonic, so it turns only at points; beyond the outermost it
    is flat. It is resolved between the least and the largest y. Raises ArgumentError where x does
    not rise, y is constant, shapes differ, or a number is not finite.
    """
    x = as_array("x", x, (None,))
    y = as_array("y", y, x.shape)
    if x.size < 2 or np.any(np.diff(x) <= 0):
        raise must("x", "be two or more rising numbers", f"is {x}")
    moving = np.flatnonzero(np.diff(y))
    if not moving.size:
        raise must("y", "not be constant", f"is {y[0]:g} everywhere")
    signs = np.sign(np.diff(y)[moving])
    turns = x[moving[1:][signs[1:] != signs[:-1]]]
    points = _Points(tuple(x.tolist()), tuple(y.tolist()))
    ends = (float(x[0]), float(x[-1]))
    return Curve(name, points, float(y.min()), float(y.max()), None, ends, tuple(turns.tolist()))


@dataclass(frozen=True)
class _Points:
    x: tuple[float, ...]
    y: tuple[float, ...]

    @functools.cached_property
    def _between(self) -> PchipInterpolator:
        from scipy.interpolate import PchipInterpolator

        return PchipInterpolator(self.x, self.y)

    def __call__(self, x: Any) -> Any:
        return self._between(np.clip(x, self.x[0], self.x[-1]))


def _identity(x: Any) -> Any:
    return x


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def _softplus_inverse(y: Any) -> Any:
    return y + np.log(-np.expm1(-y))


def _softsign(x: Any) -> Any:
    return x / (1 + np.abs(x))


def _softsign_inverse(y: Any) -> Any:
    return y / (1 - np.abs(y))


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _elu_inverse(y: Any, alpha: float = 1.0) -> Any:
    return np.where(y > 0, y, np.log1p(np.minimum(y, 0.0) / alpha))


def _selu(x: Any) -> Any:
    return _SCALE * _elu(x, _ALPHA)


def _selu_inverse(y: Any) -> Any:
    return _elu_inverse(y / _SCALE, _ALPHA)


def _hard_sigmoid(x: Any) -> Any:
    return np.clip(x / 6 + 0.5, 0.0, 1.0)


def _hard_sigmoid_inverse(y: Any) -> Any:
    return 6 * (y - 0.5)


def _hard_tanh(x: Any) -> Any:
    return np.clip(x, -1.0, 1.0)


def _gelu(x: Any) -> Any:
    return x * special.ndtr(x)


def _silu(x: Any) -> Any:
    return x * special.expit(x)


def _gaussian(x: Any) -> Any:
    return np.exp(-np.square(x))


CURVES = {
    "linear": linear(),
    "sigmoid": Curve("sigmoid", special.expit, 0.0, 1.0, special.logit),
    "tanh": Curve("tanh", np.tanh, -1.0, 1.0, np.arctanh),
    "softplus": Curve("softplus", _softplus, 0.0, 4.0, _softplus_inverse),
    "softsign": Curve("softsign", _softsign, -1.0, 1.0, _softsign_inverse),
    "elu": Curve("elu", _elu, -1.0, 3.0, _elu_inverse),
    "selu": Curve("selu", _selu, -_SCALE * _ALPHA, 3.0, _selu_inverse),
    "hard_sigmoid": Curve("hard_sigmoid", _hard_sigmoid, 0.0, 1.0, _hard_sigmoid_inverse),
    "hard_tanh": Curve("hard_tanh", _hard_tanh, -1.0, 1.0, _identity),
    "gelu": Curve(
        "gelu", _gelu, float(_gelu(_GELU_TURN)), 3.0, domain=_DOMAIN, turns=(_GELU_TURN,)
    ),
    "silu": Curve("silu", _silu, -_W, 3.0, domain=_DOMAIN, turns=(-1.0 - _W,)),
    "gaussian": Curve("gaussian", _gaussian, 0.0, 1.0, domain=_DOMAIN, turns=(0.0,)),
}
CURVES["swish"] = CURVES["silu"]


def curve(function: str | Curve) -> Curve:
    """The curve of that name, or the curve itself. ArgumentError for anything else."""
    if isinstance(function, Curve):
        return function
    if isinstance(function, str) and function in CURVES:
        return CURVES[function]
    raise must(
        "curve", f"be one of {', '.join(CURVES)} or a Curve", f"is {function!r}",
        "Any other function: aimc.Curve(name, f, lo, hi), with a domain where it turns, or "
        "aimc.curves.table(name, x, y).",
    )  # fmt: skip
