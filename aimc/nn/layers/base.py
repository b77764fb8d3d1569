"""What every analog layer shares: float parameters, and chips once it is programmed."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from aimc.cost import OnArrays
from aimc.curves import linear
from aimc.errors import as_number, as_rng, must
from aimc.macro import Hardware
from aimc.nn.layers.bridge import Chip, Matrix, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from aimc.converters.base import Converter
    from aimc.macro import Macro

    Matrices = Callable[[], dict[str, Matrix]]

Tensor = torch.Tensor

QUANTILE = 0.999
"""Share of the magnitudes seen in calibration that a range holds."""


class AnalogLayer(torch.nn.Module, OnArrays):
    """A torch layer whose matrices can be programmed into arrays.

    Mixed into the layer of torch.nn with the same name, so parameters, their names and their
    initial values are torch's. Before `program` it computes in floating point; after it, `forward`
    reads the chip, and gradients pass straight through to the float parameters. Changed parameters
    reach the chip with the next `program`.

    x_scale: the input that drives a row fully: inputs are divided by it, the weights of their rows
    multiplied. y_range: linear conversions span +-y_range. Where None, both come from
    `aimc_ranges`, which `nn.calibrate` fills; failing that, inputs must stay within +-1 and the
    span follows from the weights (see `linear_range`). twins: what training reads where there are
    no chips yet, by the names of arrays.
    """

    options: ClassVar[tuple[str, ...]] = ("x_scale", "y_range")

    def _start(self, x_scale: float | None, y_range: float | None) -> None:
        for name, value in (("x_scale", x_scale), ("y_range", y_range)):
            if value is not None:
                as_number(name, value, above=0)
        self.x_scale, self.y_range = x_scale, y_range
        self.aimc_ranges: dict[str, float] = {}
        self.hardware: Hardware | None = None
        self.dtype = torch.float64
        self.chips: dict[str, Chip] = {}
        self.twins: dict[str, Rehearsal] = {}
        self.probes = ()
        self.observing = False

    @property
    def programmed(self) -> bool:
        return bool(self.chips)

    def matrices(self) -> dict[str, Matrix]:
        """The matrices that go on arrays, by name, in the order of programming."""
        raise NotImplementedError

    def program(
        self, hardware: Hardware, rng: np.random.Generator, dtype: torch.dtype = torch.float64
    ) -> Self:
        """Write the present parameters into new chips of `hardware`, and return the layer.

        dtype: of reads and of what is computed between them; programming is in float64. All draws
        come from `rng`, including the seed of the chips' read noise. Raises ArgumentError where a
        parameter is not finite.
        """
        if not isinstance(hardware, Hardware):
            raise must(
                "hardware", "be a Hardware", f"is {hardware!r}", "`aimc.load(name)` gives one."
            )
        as_rng(rng)
        for name, parameter in self.named_parameters(recurse=False):
            if not torch.isfinite(parameter).all():
                raise must(name, "be finite", "holds NaN or infinity")
        self.aimc_ranges = as_ranges(self.aimc_ranges)
        if dtype not in (torch.float64, torch.float32):
            raise must("dtype", "be torch.float64 or torch.float32", f"is {dtype!r}")
        self.dtype = torch.float64
        matrices = self.matrices()
        self.chips = {name: self.written(name, matrices, hardware, rng) for name in matrices}
        self.hardware = hardware
        self.dtype = dtype
        return self

    def written(
        self, name: str, matrices: dict[str, Matrix], hardware: Hardware, rng: np.random.Generator
    ) -> Chip:
        """A chip of matrix `name`, programmed with the draws of `rng`."""
        matrix, curves = matrices[name], matrices[name].curves
        if curves == ("linear",):
            span = self.linear_range(name, matrices, hardware)
            curves = (linear(-span, span),)
        return Chip.write(matrix, self.scale(matrix, matrices, hardware), curves, hardware, rng)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: Any, local_metadata: Any, strict: Any, missing_keys: Any,
        unexpected_keys: Any, error_msgs: Any,
    ) -> None:  # fmt: skip
        """torch's, for float parameters; ArgumentError where arrays hold others."""
        if self.chips:
            raise must(
                "model", "be in floating point to take a state_dict",
                "is programmed: its arrays would keep what they hold",
                "Load it into the float model, then program that.",
            )  # fmt: skip
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def alter(
        self, macro: Callable[[Macro], Macro], ramp: Callable[[Converter], Converter]
    ) -> None:
        """Puts what `macro` makes of its chips' macros, and `ramp` of converters that stand by
        themselves, in their place."""
        self.chips = {
            name: dataclasses.replace(chip, macro=macro(chip.macro))
            for name, chip in self.chips.items()
        }

    def settings(self) -> dict[str, object]:
        """What it takes beside torch's arguments, by name; None where it is left open."""
        return {name: getattr(self, name) for name in self.options}

    def extra_repr(self) -> str:
        """torch's summary, what it does not have, and the hardware that holds the layer."""
        parts = [f"{name}={v}" for name, v in self.settings().items() if v is not None]
        parts += [f"on {self.hardware.name}"] if self.hardware else []
        return ", ".join([super().extra_repr(), *parts])

    def linear_range(self, name: str, matrices: dict[str, Matrix], hardware: Hardware) -> float:
        """Half the span of the linear conversion of matrix `name`.

        y_range, or the calibrated range, or four standard deviations of the result for inputs
        spread evenly over their scale s: |b| + 4 s ||w||_2 / sqrt(3), at most |b| + s ||w||_1, of
        the column where it is largest.
        """
        if self.y_range is not None:
            return self.y_range
        if name in self.aimc_ranges:
            return self.aimc_ranges[name]
        matrix = matrices[name]
        w = np.abs(matrix.weight.detach().cpu().numpy()) * self.scale(matrix, matrices, hardware)
        spread = np.minimum(4 / np.sqrt(3) * np.linalg.norm(w, axis=1), w.sum(axis=1))
        if matrix.bias is not None:
            spread = spread + np.abs(matrix.bias.detach().cpu().numpy())
        return float(spread.max()) or 1.0

    def input_scale(self, hardware: Hardware) -> float:
        """The input that drives a row fully: the largest calibrated one drives it to x_max."""
        if self.x_scale is not None:
            return self.x_scale
        return self.aimc_ranges["x"] / hardware.driver.x_max if "x" in self.aimc_ranges else 1.0

    def scale(self, matrix: Matrix, matrices: dict[str, Matrix], hardware: Hardware) -> np.ndarray:
        """(rows,): what drives each row of `matrix` fully."""

        def full(source: str) -> float:
            if source == "x":
                return self.input_scale(hardware)
            return 1.0 if source == "h" else self.linear_range(source, matrices, hardware)

        return np.concatenate([np.full(count, full(source)) for source, count in matrix.sources])

    def read(self, name: str, matrices: Matrices, *inputs: Tensor) -> Tensor:
        """One read of array `name`: inputs (batch, rows of the block) -> (batch, cols).

        matrices: gives them by name, and is asked where the float parameters are needed.
        """
        z = inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)
        if self.chips:
            self.show(name, z)
            return self.chips[name](lambda: matrices()[name], z)
        if self.twins:
            return self.twins[name](z)
        matrix = matrices()[name]
        y = matrix.activate(z, matrix.curves)
        if self.observing and matrix.curves == ("linear",):
            self._observe(name, y)
        return y

    def show(self, name: str, z: Tensor) -> None:
        """Shows the probes reads of array `name` with inputs z (reads, rows of the block)."""
        if self.probes:
            x = self.chips[name].activations(z)
            for probe in self.probes:
                probe(self.chips[name].macro, x)

    def check_x(self, x: Tensor, features: int) -> Tensor:
        """`x` (..., features) where the parameters are, in the layer's dtype, checked."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            what = f"dtype {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
            raise must("input", "be a tensor of real numbers", f"is {what}")
        held = self.chips or self.twins
        tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        if held and (tracing or torch.compiler.is_compiling()):
            raise must(
                "model", "be read itself, not traced or exported", "is on arrays",
                "A graph would keep what they gave for this one input. Take the float model.",
            )  # fmt: skip
        if x.is_meta:
            raise must("input", "hold values", "is on the device meta")
        if x.ndim == 0 or x.shape[-1] != features or x.numel() == 0:
            raise must(
                "input",
                f"have {features} features in its last dimension and not be empty",
                f"has shape {tuple(x.shape)}",
            )
        x = self.cast(x)
        largest = _largest(x.detach())
        if not math.isfinite(largest):
            raise must("input", "be finite", "holds NaN or infinity")
        if self.observing:
            self._observe("x", x)
        if held and self.x_scale is None and "x" not in self.aimc_ranges and largest > 1:
            raise must(
                "input",
                "be within [-1, 1] for a layer that was not calibrated",
                f"reaches {largest:g}",
                "Run `nn.calibrate(model, x)` before `nn.program`, or give the layer an `x_scale`.",
            )
        return x

    def cast(self, value: Tensor) -> Tensor:
        """`value` as the layer computes with it; the gradient finds its way back."""
        first = next(one for one in self._parameters.values() if one is not None)
        if value.dtype is self.dtype and value.device == first.device:
            return value
        return value.to(first.device, self.dtype)

    def _observe(self, name: str, value: Tensor) -> None:
        """Widen range `name` to hold QUANTILE of the non-zero magnitudes of `value`."""
        size = value.detach().abs().cpu().numpy().ravel()
        size = size[size > 0]
        if len(size):
            seen = float(np.quantile(size, QUANTILE))
            self.aimc_ranges[name] = max(seen, self.aimc_ranges.get(name, 0.0))


def _largest(x: Tensor) -> float:
    """The largest magnitude in x; NaN where it holds one."""
    if x.device.type != "cpu":
        return float(x.abs().max())
    values = x.numpy()  # on few numbers numpy is the quicker of the two
    return max(float(values.max()), -float(values.min()))


def adopt(layer: AnalogLayer, twin: torch.nn.Module) -> AnalogLayer:
    """`layer` (built without storage) with the very parameters, mode and ranges of `twin`."""
    for name, _ in list(layer.named_parameters(recurse=False)):
        value = getattr(twin, name)
        if not isinstance(value, torch.nn.Parameter):
            value = torch.nn.Parameter(value.detach().clone())
        setattr(layer, name, value)
    layer.train(twin.training)
    layer.aimc_ranges = as_ranges(getattr(twin, "aimc_ranges", {}))
    return layer


def as_ranges(value: object) -> dict[str, float]:
    """A copy of calibrated ranges by name; ArgumentError where one is no number above 0."""
    if not isinstance(value, dict):
        raise must("aimc_ranges", "be a dict of ranges, as `nn.calibrate` notes", f"is {value!r}")
    return {str(k): as_number(f"aimc_ranges[{k!r}]", v, above=0) for k, v in value.items()}
