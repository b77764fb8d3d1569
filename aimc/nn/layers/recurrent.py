"""What the recurrent layers share: shapes, directions, stacked layers, the loop over time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from aimc.cost import Description, Reads
from aimc.errors import as_count, must
from aimc.kernels.base.blas import one_thread
from aimc.nn.layers.base import AnalogLayer
from aimc.nn.layers.bridge import Matrix
from aimc.nn.layers.fused import Stretch, sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.curves import Curve
    from aimc.nn.layers.base import Matrices

Tensor = torch.Tensor
State = tuple[Tensor, ...]


class Recurrent(AnalogLayer, torch.nn.RNNBase):
    """Mixed into torch's RNN, LSTM and GRU; a subclass says what its arrays hold and does a step.

    Input and state weights share the rows of an array; each row block is driven by the digital
    code of the layer's input or of the state, the bias rows by a constant.
    """

    def __init__(
        self, *args: Any, x_scale: float | None = None, y_range: float | None = None, **kwargs: Any
    ) -> None:
        sizes = ("input_size", "hidden_size", "num_layers")
        for name, value in {**dict(zip(sizes, args, strict=False)), **kwargs}.items():
            if name in sizes:
                as_count(name, value)
        try:
            super().__init__(*args, **kwargs)
        except (TypeError, ValueError) as error:
            given = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())])
            rule, kind = "be given what torch's takes", type(self).__name__
            raise must(kind, rule, f"is given {given}", f"torch: {error}") from error
        self._start(x_scale, y_range)

    def cell_matrices(self, end: str, inputs: tuple[tuple[str, int], ...]) -> dict[str, Matrix]:
        """The matrices of the cell whose parameters end in `end` ("_l0", "_l0_reverse").

        inputs: the sources of the rows that take the cell's input.
        """
        raise NotImplementedError

    def step(self, end: str, matrices: Matrices, x: Tensor, state: State) -> State:
        """One time step: x (batch, features), state of (batch, size) tensors, the output first."""
        raise NotImplementedError

    def kernel(self, end: str, stretch: Stretch) -> None:
        """All steps of `stretch` for the cell `end`, as `step` does them."""
        raise NotImplementedError

    def fusible(self, end: str) -> bool:
        """Whether `kernel` does all that `step` does."""
        return True

    def driven(
        self, end: str, x: Tensor, h: Tensor, inner: Tensor
    ) -> dict[str, tuple[Tensor, ...]]:
        """What drives each array of the cell `end` in many steps, all (time, batch, size).

        h: the output of the step before. inner: what `kernel` keeps of what is no state.
        """
        raise NotImplementedError

    def work(self, end: str) -> tuple[Any, ...]:
        """The stages of a step of the cell `end`, as `cost` knows them."""
        raise NotImplementedError

    def describe(self) -> tuple[Description, ...]:
        return tuple(Description(end, self.work(end), recurrent=True) for end in self.cells)

    def reads(self, name: str, *arrays: str) -> Reads:
        """One read of each of `arrays`, at the same time."""
        return Reads(name, tuple(self.chips[array].macro for array in arrays))

    def sweep(self, end: str, matrices: Matrices, x: Tensor, state: State) -> State:
        """The states after each step, each (time, batch, size), the output first.

        By one kernel for all steps where no gradient is asked for and the chips allow it.
        """
        chips = [chip for name, chip in self.chips.items() if name.endswith(end)]
        if chips and x.device.type == "cpu" and not torch.is_grad_enabled() and self.fusible(end):
            kept = self.hidden_size if self.probes else 0
            done = sweep(lambda stretch: self.kernel(end, stretch), chips, x, state, kept)
            if done is not None:
                seen, inner = done
                before = torch.cat([state[0][None], seen[0][:-1]])
                parts = self.driven(end, x, before, inner) if self.probes else {}
                for name, driving in parts.items():
                    self.show(name, torch.cat(driving, dim=2).flatten(0, 1))
                return seen
        steps = []
        for x_t in x:
            state = self.step(end, matrices, x_t, state)
            steps.append(state)
        return tuple(torch.stack(parts) for parts in zip(*steps, strict=True))

    @property
    def output_size(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Sizes of the tensors that a cell's state holds."""
        return (self.hidden_size,)

    def ends(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    @property
    def cells(self) -> list[str]:
        """The ends of the names of every cell's parameters."""
        return [end for layer in range(self.num_layers) for end in self.ends(layer)]

    def parameter(self, kind: str, end: str) -> Tensor:
        return self.cast(getattr(self, kind + end))

    def biases(self, end: str) -> tuple[Tensor | None, Tensor | None]:
        """(b_ih, b_hh) of a cell, or (None, None)."""
        if not self.bias:
            return None, None
        return self.parameter("bias_ih", end), self.parameter("bias_hh", end)

    def stacked(
        self,
        end: str,
        sources: tuple[tuple[str, int], ...],
        curves: tuple[str | Curve, ...],
        rows: slice = slice(None),
    ) -> Matrix:
        """Input weights, state weights and the sum of the biases in one matrix.

        rows: those of torch's (gates x hidden) parameters that it holds.
        """
        weight = [self.parameter(kind, end)[rows] for kind in ("weight_ih", "weight_hh")]
        b_ih, b_hh = self.biases(end)
        bias = None if b_ih is None or b_hh is None else (b_ih + b_hh)[rows]
        return Matrix(torch.cat(weight, dim=1), bias, sources, curves)

    def output_source(self, end: str) -> str:
        """What drives the rows that take a cell's output."""
        return "h"

    def matrices(self) -> dict[str, Matrix]:
        found: dict[str, Matrix] = {}
        inputs: tuple[tuple[str, int], ...] = (("x", self.input_size),)
        for layer in range(self.num_layers):
            ends = self.ends(layer)
            for end in ends:
                found |= self.cell_matrices(end, inputs)
            inputs = tuple((self.output_source(end), self.output_size) for end in ends)
        return found

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:  # pyright: ignore
        """(output, final state), in the shapes of torch.nn's layer of this name.

        `input` is (time, batch, features), (batch, time, features) with batch_first, (time,
        features), or a PackedSequence, whose sequences may have any order. Raises ArgumentError on
        other shapes and on NaN.
        """
        if isinstance(input, PackedSequence):
            padded, lengths = pad_packed_sequence(input, self.batch_first)
            output, final = self._run(padded, hx, lengths)
            ordered = input.unsorted_indices is None
            return pack_padded_sequence(output, lengths, self.batch_first, ordered), final
        return self._run(input, hx, None)

    def _run(self, input: Tensor, hx: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """`forward` of padded sequences; lengths: of each, None where all are full."""
        x = self.check_x(input, self.input_size)
        batched = x.ndim == 3
        if x.ndim not in (2, 3):
            raise must("input", "have 2 or 3 dimensions", f"has shape {tuple(x.shape)}")
        if not batched:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        states = self._initial(hx, x.shape[1], batched)
        matrices = cache(self.matrices)
        finals: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for end in self.ends(layer):
                back = end.endswith("reverse")
                with one_thread():  # many small products: a second thread of BLAS costs more
                    seen = self.sweep(
                        end, matrices, _reversed(x, lengths) if back else x, states[len(finals)]
                    )
                outputs.append(_reversed(seen[0], lengths) if back else seen[0])
                finals.append(tuple(_last(part, lengths) for part in seen))
            x = torch.cat(outputs, dim=2) if len(outputs) > 1 else outputs[0]
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        final = [torch.stack(parts).to(input) for parts in zip(*finals, strict=True)]
        if not batched:
            x, final = x.squeeze(1), [part.squeeze(1) for part in final]
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x.to(input), tuple(final) if len(final) > 1 else final[0]

    def _initial(self, hx: Any, batch: int, batched: bool) -> Sequence[State]:
        """A state for each layer and direction: from `hx`, in torch's shapes, or zeros."""
        cells = len(self.cells)
        sizes = self.state_sizes
        if hx is None:
            zeros = self.cast(torch.zeros(batch, max(sizes)))
            return [tuple(zeros[:, :size] for size in sizes)] * cells
        parts = tuple(hx) if len(sizes) > 1 and isinstance(hx, (tuple, list)) else (hx,)
        wanted = [(cells, batch, size) if batched else (cells, size) for size in sizes]
        came = [tuple(part.shape) if isinstance(part, Tensor) else type(part) for part in parts]
        if came != wanted:
            raise must("hx", f"be tensors of shapes {wanted}", f"has {came}")
        if not all(torch.isfinite(part).all() for part in parts):
            raise must("hx", "be finite", "holds NaN or infinity")
        rows = [self.cast(part if batched else part.unsqueeze(1)) for part in parts]
        if self.chips or self.twins:
            self._check_driven(rows[0])
        return list(zip(*(part.unbind(0) for part in rows), strict=True))

    def _check_driven(self, h: Tensor) -> None:
        """ArgumentError where the rows of a cell cannot carry its state, h (cells, batch, size).

        Rows of a projection that was calibrated saturate, as those of a calibrated input do.
        """
        for end, part in zip(self.cells, h, strict=True):
            source = self.output_source(end)
            if source in self.aimc_ranges or (source != "h" and self.y_range is not None):
                continue
            held = next(
                each for name, each in (self.chips or self.twins).items() if name.endswith(end)
            )
            full, largest = float(held.scale[-1]), float(part.detach().abs().max())
            if largest > full * (1 + 1e-6):
                rule = f"have an output state within +-{full:g}, which its rows carry"
                raise must("hx", rule, f"reaches {largest:g}")


def _reversed(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (time, batch, .) with each sequence backwards; its padding stays behind it."""
    if lengths is None:
        return x.flip(0)
    t = torch.arange(len(x))[:, None]
    return x[torch.where(t < lengths, lengths - 1 - t, t), torch.arange(x.shape[1])]


def _last(x: Tensor, lengths: Tensor | None) -> Tensor:
    """The last step of each sequence of x (time, batch, .)."""
    return x[-1] if lengths is None else x[lengths - 1, torch.arange(x.shape[1])]
