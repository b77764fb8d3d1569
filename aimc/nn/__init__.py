"""The door to torch: layers on simulated arrays, and whole models programmed into chips.

`calibrate(model, x)` notes the ranges, `program(model, hardware, rng)` gives a chip: a copy of the
model whose Linear, RNN, LSTM and GRU layers are read from arrays, and `train(model, task,
hardware)` prepares a model for what chips do to it. The layers `Linear`, `RNN`,
`LSTM` and `GRU` take torch.nn's arguments and state_dicts, and train straight through the chip.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:  # pragma: no cover
    from aimc.errors import MissingExtra

    raise MissingExtra("torch", "torch") from _error

from aimc.nn.layers.base import AnalogLayer
from aimc.nn.layers.linear import Linear
from aimc.nn.layers.rnn import GRU, LSTM, RNN
from aimc.nn.program import calibrate, program, reprogram, under
from aimc.nn.report import macros, report
from aimc.nn.training.recipe import Checkpoint, Course, Recipe, Task
from aimc.nn.training.train import train
from aimc.nn.wires import transfers

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AnalogLayer",
    "Checkpoint",
    "Course",
    "Linear",
    "Recipe",
    "Task",
    "calibrate",
    "macros",
    "program",
    "report",
    "reprogram",
    "train",
    "transfers",
    "under",
]
