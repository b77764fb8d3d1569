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

from aimc.nn.checkpoint import load as load
from aimc.nn.checkpoint import save as save
from aimc.nn.layers.base import AnalogLayer as AnalogLayer
from aimc.nn.layers.linear import Linear as Linear
from aimc.nn.layers.rnn import GRU as GRU
from aimc.nn.layers.rnn import LSTM as LSTM
from aimc.nn.layers.rnn import RNN as RNN
from aimc.nn.program import calibrate as calibrate
from aimc.nn.program import program as program
from aimc.nn.program import reprogram as reprogram
from aimc.nn.program import under as under
from aimc.nn.report import losses as losses
from aimc.nn.report import macros as macros
from aimc.nn.report import report as report
from aimc.nn.training.recipe import Checkpoint as Checkpoint
from aimc.nn.training.recipe import Course as Course
from aimc.nn.training.recipe import Recipe as Recipe
from aimc.nn.training.recipe import Task as Task
from aimc.nn.training.train import train as train
from aimc.nn.wires import transfers as transfers
