"""Thresholds and outputs of least mean square error for a given distribution (Lloyd-Max)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from aimc.curves.curve import MAX_BITS, Curve
from aimc.curves.named import curve as named
from aimc.curves.segments import values
from aimc.errors import as_array, as_count, must
from aimc.kernels.read.clusters import contiguous

if TYPE_CHECKING:
    from aimc.arrays import ArrayLike, NDArray


def lloyd_max(curve: str | Curve, bits: int, x: ArrayLike) -> Curve:
    """`curve` with the thresholds that minimise the mean square error of its output over samples.

    x: pre-activations (n,) as they occur. Each code stands for the mean of the outputs f(x) that
    have it, and output edges lie midway between two codes' outputs: the conditions of Lloyd [IEEE
    Trans. Inf. Theory 28 (1982) 129] and Max [IRE Trans. Inf. Theory 6 (1960) 7]. What meets them
    and errs least is not approached by iteration but found: optimal groups of sorted outputs are
    contiguous, so dynamic programming gives the global minimum, in a time of 2^bits n log n and a
    memory of 4 x 2^bits n bytes for n different outputs.

    The curve's lo and hi move out to the outputs of the samples where these lie beyond. Raises
    ArgumentError where fewer than 2^bits different outputs occur, f is not finite, or samples leave
    the domain of a curve that turns.
    """
    curve = named(curve)
    as_count("bits", bits, 1, MAX_BITS)
    x = as_array("x", x, (None,))
    if (
        curve.turns
        and curve.domain
        and not curve.domain[0] <= x.min() <= x.max() <= curve.domain[1]
    ):
        raise must(
            "x", f"lie within the domain {curve.domain}", f"spans {x.min():g} to {x.max():g}"
        )
    f = values(curve.name, curve.f, x)
    if not np.isfinite(f).all():
        raise must(
            "x", "have finite outputs", f"{curve.name} is not finite at {x[~np.isfinite(f)][0]:g}"
        )
    y, count = np.unique(f, return_counts=True)
    if y.size < 2**bits:
        raise must("x", f"give {2**bits} different outputs or more", f"gives {y.size}")
    outputs = cluster_means(y, count, 2**bits)
    edges = (outputs[1:] + outputs[:-1]) / 2
    wide = dataclasses.replace(
        curve, lo=min(curve.lo, float(y[0])), hi=max(curve.hi, float(y[-1])), placement=None
    )
    if wide.turns:
        thresholds, _ = wide.crossings(edges)
    elif wide.falling:
        thresholds, outputs = wide.solve(edges)[::-1], outputs[::-1]
    else:
        thresholds = wide.solve(edges)
    return wide.placed(thresholds, outputs)


def cluster_means(y: NDArray[np.float64], weight: NDArray[Any], k: int) -> NDArray[np.float64]:
    """Means (k,) of the k groups of rising values `y` (n,) with the least sum of weight times
    squared distance from the mean."""
    weight = weight.astype(np.float64)
    centre = float(np.average(y, weights=weight))  # sums of squares lose no digits to the mean
    zero = np.zeros(1)
    none, one, two = (
        np.concatenate((zero, np.cumsum(weight * (y - centre) ** power))) for power in (0, 1, 2)
    )
    starts = contiguous(none, one, two, k)
    w, first = (np.diff(each[np.append(starts, y.size)]) for each in (none, one))
    return centre + first / w
