"""The ramp converter whose ramp an extra column of cells bends.

The column is pulsed cell after cell onto an integrator. A step of the ramp is proportional to its
cell's conductance, so cells proportional to the differences of the thresholds theta_k = f^-1(y_k)
make the comparators put out f directly [Yang et al. 2025, Nat. Commun., arXiv 2411.18271]. Bias
cells, pulsed first and against the ramp, bring it to its start; one of them trims its middle.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aimc.curves import Curve, curve
from aimc.errors import as_count, as_number, must

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aimc.device import Device

    Array = NDArray[np.float64]

__all__ = ["Curve", "ProgrammedRamp", "RampADC", "curve"]


@dataclass(frozen=True)
class RampADC:
    """The description of a ramp converter.

    bits: resolution; 2^bits codes have 2^bits - 1 thresholds, one ramp step between each two.
    t_step: one step of the ramp [s]. ramp_cells: cells there are for the steps (None: 2^bits).
    bias_cells: cells there are for the start and the trim. calibration: "one-point" rewrites one
    bias cell so that the middle threshold, as measured, is where it must be. offset_std: standard
    deviation of the comparators' offsets, fixed for each column at programming [V].
    """

    bits: int = 5
    t_step: float = 1e-9
    ramp_cells: int | None = None
    bias_cells: int = 5
    calibration: Literal["one-point", "none"] = "one-point"
    offset_std: float = 0.0

    def __post_init__(self) -> None:
        as_count("bits", self.bits, 1, 16)
        as_number("t_step", self.t_step, above=0)
        if self.ramp_cells is not None:
            as_count("ramp_cells", self.ramp_cells, 1)
        as_count("bias_cells", self.bias_cells, 1)
        if self.calibration not in ("one-point", "none"):
            raise must("calibration", "be one of one-point, none", f"is {self.calibration!r}")
        as_number("offset_std", self.offset_std, minimum=0)

    def program(
        self, function: str | Curve, device: Device, rng: np.random.Generator
    ) -> ProgrammedRamp:
        """Writes the ramp column for `function` through `device`, with the device's errors.

        Raises ArgumentError where the curve is not strictly monotonic, or its steps do not fit
        the device's range with the cells there are.
        """
        function = curve(function)
        theta = function.thresholds(self.bits)
        scale, counts = self._steps(np.diff(theta), function, device)
        g_steps = device.write(np.repeat(np.diff(theta) * scale / counts, counts), rng)

        start = -theta[0] * scale
        pulses = max(1, math.ceil(abs(start) / (self.bias_cells * device.g_max) - 1e-12))
        target = bias_targets(start / pulses, self.bias_cells, device)
        g_bias = np.copysign(_write_used(device.write, target, rng), target)
        ramp = ProgrammedRamp(self, function, device, g_steps, counts, g_bias, pulses, scale)
        return ramp.trimmed(rng) if self.calibration == "one-point" else ramp

    def _steps(
        self, steps: Array, function: Curve, device: Device
    ) -> tuple[float, NDArray[np.int64]]:
        """Conductance for a step of one [S], and how many cells share each step.

        One cell a step, the largest at g_max. Where the smallest would fall below g_min, the
        larger steps are shared by as many cells as lift it to g_min.
        """
        if not steps.size:
            return device.g_max, np.zeros(0, np.int64)
        ratio = steps.max() / steps.min()
        shares = max(1, math.ceil(device.g_min * ratio / device.g_max - 1e-9))
        scale = shares * device.g_max / steps.max()
        counts = np.maximum(np.ceil(steps * scale / device.g_max - 1e-9), 1).astype(np.int64)
        cells = 2**self.bits if self.ramp_cells is None else self.ramp_cells
        if counts.sum() > cells:
            raise must(
                "curve",
                f"be programmable with {cells} ramp cells",
                f"{function.name} at {self.bits} bits has steps in the ratio {ratio:.4g}, which "
                f"needs {counts.sum()} cells of {device.g_min:g} to {device.g_max:g} S",
                "Use fewer bits, more ramp_cells, or a device with a larger on/off ratio.",
            )
        return float(scale), counts


@dataclass(frozen=True, eq=False)
class ProgrammedRamp:
    """A ramp column as its cells stand.

    g_steps (cells,) [S]: the ramp's cells in the order of their pulses, `counts` of them a step;
    g_bias (bias_cells,) [S]: the bias cells, with the sign of their pulse's effect on the start;
    pulses: clock periods that each bias cell is on. scale: conductance for a pre-activation step
    of one [S]. gain: volts for a pre-activation of one [V]; offset: the comparators' offsets [V].
    """

    adc: RampADC
    curve: Curve
    device: Device
    g_steps: Array
    counts: NDArray[np.int64]
    g_bias: Array
    pulses: int
    scale: float
    gain: float = 1.0
    offset: Any = 0.0

    @cached_property
    def thresholds(self) -> Array:
        """Thresholds that the cells make, as pre-activations, (2^bits - 1,)."""
        cells = np.concatenate(([0.0], np.cumsum(self.g_steps)))
        ends = np.concatenate(([0], np.cumsum(self.counts)))
        return (cells[ends] - self.pulses * self.g_bias.sum()) / self.scale

    @cached_property
    def levels(self) -> Array:
        """Voltages at which the ramp stands, one after the other, (2^bits - 1,) [V]."""
        return self.thresholds * self.gain

    @cached_property
    def _crossings(self) -> Array:
        return np.maximum.accumulate(self.levels)

    @property
    def periods(self) -> int:
        """Clock periods of a conversion: 2^bits, more where several cells share a step."""
        return max(2**self.adc.bits, self.g_steps.size)

    @property
    def pulsed(self) -> float:
        """Conductance times clock periods, summed over the pulses of one conversion [S]."""
        return float(self.g_steps.sum() + self.pulses * np.abs(self.g_bias).sum())

    @property
    def lsb(self) -> float:
        """Output step of one code, in the curve's unit."""
        return self.curve.lsb(self.adc.bits)

    @cached_property
    def outputs(self) -> Array:
        """The output of each code, (2^bits,): the middle of its interval."""
        return self.curve.outputs(self.adc.bits)

    def c_fb(self, v_read: float) -> float:
        """Feedback capacitor of the ramp's integrator for pulses of v_read [V], in [F]."""
        return v_read * self.adc.t_step * self.scale / self.gain

    def convert(self, u: Any, rng: np.random.Generator | None = None) -> NDArray[np.intp]:
        """Codes of comparator voltages `u` (..., cols) [V]: the steps made before the first that
        exceeds u. First crossing, not nearest level; a code is 0 to 2^bits - 1.
        """
        u = np.asarray(u, dtype=float)
        if np.isnan(u).any():
            raise must("u", "be a number", "holds NaN")
        return np.searchsorted(self._crossings, u - self.offset, side="right")

    def decode(self, code: Any) -> Array:
        """Outputs of codes, in the curve's unit. Raises ArgumentError outside 0 to 2^bits - 1."""
        code = np.asarray(code)
        if not np.issubdtype(code.dtype, np.integer):
            raise must("code", "be whole numbers", f"has dtype {code.dtype}")
        if code.size and (code.min() < 0 or code.max() >= self.outputs.size):
            raise must(
                "code",
                f"lie in 0 to {self.outputs.size - 1}",
                f"spans {code.min()} to {code.max()}",
            )
        return self.outputs[code]

    def inl(self) -> Array:
        """Integral nonlinearity at each threshold, output-referred [LSB], (2^bits - 1,).

        INL_k = (f(theta_k as built) - f(theta_k as meant)) / LSB, against the ideal curve, no
        line or end points fitted.
        """
        edges = self.curve.edges(self.adc.bits)
        sign = -1.0 if self.curve.falling else 1.0
        return sign * (self.curve.f(self.thresholds) - edges) / self.lsb

    def dnl(self) -> Array:
        """Differential nonlinearity of the inner codes, output-referred [LSB], (2^bits - 2,).

        DNL_k = width_k / LSB - 1, the difference of neighbouring INL.
        """
        return np.diff(self.inl())

    def aged(self, t: float, rng: np.random.Generator) -> ProgrammedRamp:
        """The ramp `t` seconds after programming: its cells drift as the array's do."""
        g_bias = self.device.age(np.abs(self.g_bias), t, rng)
        return dataclasses.replace(
            self,
            g_steps=self.device.age(self.g_steps, t, rng),
            g_bias=np.copysign(g_bias, self.g_bias),
        )

    def trimmed(self, rng: np.random.Generator) -> ProgrammedRamp:
        """One-point calibration: one bias cell is written again so that the measured middle
        threshold is met; what remains there is that cell's own write error, and what its range
        cannot reach. A cell that stands more than a fifth of g_max from its target counts as
        stuck, and the next is taken.
        """
        ideal = self.curve.thresholds(self.adc.bits)
        middle = ideal.size // 2
        error = (self.thresholds[middle] - ideal[middle]) * self.scale / self.pulses
        target = bias_targets(-ideal[0] * self.scale / self.pulses, self.g_bias.size, self.device)
        healthy = np.flatnonzero(np.abs(self.g_bias - target) <= 0.2 * self.device.g_max)
        if not healthy.size:
            return self
        cell = healthy[-1]
        wanted = np.array([_reachable(float(self.g_bias[cell]) + error, self.device)])
        g_bias = self.g_bias.copy()
        g_bias[cell] = np.copysign(_write_used(self.device.rewrite, wanted, rng), wanted)[0]
        return dataclasses.replace(self, g_bias=g_bias)

    def __str__(self) -> str:
        return (
            f"{self.curve.name} at {self.adc.bits} bits: {self.g_steps.size} ramp and "
            f"{np.count_nonzero(self.g_bias)} bias cells, "
            f"max |INL| {np.abs(self.inl()).max():.2f} LSB"
        )


def bias_targets(start: float, cells: int, device: Device) -> Array:
    """Signed targets (cells,) [S] that sum to `start`; the last cell is the trim.

    The other cells are full; where that leaves the trim little room (outside a quarter to three
    quarters of g_max) they are lowered together so that it stands in the middle of its range.
    """
    need, g_max = abs(start), device.g_max
    full = min(int(need / g_max), cells - 1)
    trim = need - full * g_max
    if not 0.25 * g_max <= trim <= 0.75 * g_max:
        more = full + (trim > 0.5 * g_max)
        if 0 < more < cells and need - more * g_max <= 0.5 * g_max <= need:
            full, trim = more, 0.5 * g_max
    targets = np.zeros(cells)
    if full:
        targets[:full] = (need - trim) / full
    targets[-1] = _reachable(trim, device)
    return np.copysign(targets, start)


def _reachable(g: float, device: Device) -> float:
    """The nearest signed contribution: none at all (no pulse), or one within the range [S]."""
    size = min(abs(g), device.g_max)
    size = 0.0 if size < device.g_min / 2 else max(size, device.g_min)
    return math.copysign(size, g)


def _write_used(write: Any, target: Array, rng: np.random.Generator) -> Array:
    """Writes the cells with a target; one that is not pulsed adds nothing."""
    g = np.zeros_like(target)
    used = target != 0
    g[used] = write(np.abs(target[used]), rng)
    return g
