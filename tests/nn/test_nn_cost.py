"""The bill of a programmed model is that of the layers it is made of, on the data that it sees."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import aimc
from aimc import cost, nn
from aimc.errors import ArgumentError
from aimc.nn.layers.base import AnalogLayer

# Energies of picojoules and times of nanoseconds lie below the absolute tolerance of pytest.
approx = partial(pytest.approx, rel=1e-9, abs=0.0)


@pytest.fixture
def x():
    return torch.rand((3, 6, 20), generator=torch.Generator().manual_seed(3)) * 2 - 1


def programmed(cell, x, cell_tanh="digital", **options):
    torch.manual_seed(1)
    model = cell(20, 12, batch_first=True, **options)
    nn.calibrate(model, x)
    hardware = aimc.load("ideal-5bit").replace(rows=64, cols=24)
    return nn.program(model, hardware, np.random.default_rng(0), cell_tanh=cell_tanh), hardware


def same(chip, told):
    """But for the cells' energy, which depends on the weights."""
    bill, told = cost.bill(chip), cost.bill_of(told)
    assert [p.name for p in bill.parts] == [p.name for p in told.parts]
    assert bill.ops == told.ops
    assert [p.name.replace("_l0", "") for p in bill.phases] == [p.name for p in told.phases]
    for part in told.parts:
        mine = bill.part(part.name)
        assert mine.area == approx(part.area), part.name
        assert mine.latency == approx(part.latency), part.name
        if part.name not in ("cells", "ramp columns"):
            assert mine.energy == approx(part.energy), part.name


@pytest.mark.parametrize("tanh", ["digital", "ramp"])
@pytest.mark.parametrize("projection", [0, 5])
def test_an_lstm_costs_what_its_description_says(x, tanh, projection):
    chip, hardware = programmed(torch.nn.LSTM, x, tanh, bias=False, proj_size=projection)
    same(chip, cost.layer("lstm", hardware, 20, 12, projection=projection, cell_tanh=tanh))


def test_other_layers_cost_what_their_descriptions_say(x):
    chip, hardware = programmed(torch.nn.RNN, x, bias=False)
    same(chip, cost.layer("rnn", hardware, 20, 12))
    chip, hardware = programmed(torch.nn.GRU, x, bias=False)
    same(chip, cost.layer("gru", hardware, 20, 12))


class Silent(nn.Linear):
    """A layer of a user's own, whose author says nothing about its cost."""

    describe = AnalogLayer.describe  # pyright: ignore[reportAssignmentType]


class Squared(nn.Linear):
    """A layer of a user's own: the square of each result, by a processor."""

    def describe(self):
        (cell,) = super().describe()
        return (cell._replace(stages=(*cell.stages, cost.ElementWise("y^2", 12, 1))),)


def test_a_layer_of_a_users_own_is_billed_as_it_says_or_refused_by_name():
    hardware = aimc.load("ideal-5bit").replace(rows=64, cols=24)
    plain, squared, silent = (
        layer.program(hardware, np.random.default_rng(0))
        for layer in (nn.Linear(20, 12), Squared(20, 12), Silent(20, 12))
    )
    more = cost.bill(squared).energy - cost.bill(plain).energy
    assert more > 12 * cost.load().of("alu", "energy")  # and buffers
    with pytest.raises(ArgumentError, match="`Silent` must say what it does to be billed"):
        cost.bill(silent)


def test_every_cell_of_a_stack_is_billed(x):
    one = cost.bill(programmed(torch.nn.LSTM, x)[0])
    chip, _ = programmed(torch.nn.LSTM, x, num_layers=2, bidirectional=True)
    many = cost.bill(chip)
    reads = [phase.name for phase in many.phases if phase.name.endswith(": read")]
    assert reads == [f"gates{end}: read" for end in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")]
    assert many.part("cells").area == approx(
        sum(cost.bill([macro]).part("cells").area for macro in nn.macros(chip))
    )
    assert many.latency > 3 * one.latency


def test_watching_changes_nothing_and_counts_every_read(x):
    chip, _ = programmed(torch.nn.RNN, x)
    with torch.no_grad():
        before = chip(x)[0]
        with cost.watch(chip) as seen:
            again = chip(x)[0]
    assert torch.equal(before, again)
    (macro,) = nn.macros(chip)
    ones = macro.x_max * np.ones((18, macro.shape[0] - 32))
    state = torch.cat([torch.zeros(3, 1, 12), before[:, :-1]], dim=1)
    scale = next(iter(vars(chip)["chips"].values())).scale
    rows = np.concatenate([x.reshape(18, 20), state.reshape(18, 12)], axis=1) / scale
    trace = macro.trace(np.concatenate([rows, ones], axis=1))
    energy = cost.bill(macro, trace=trace).part("cells").energy
    assert seen.mean(macro) == approx(energy, rel=1e-6)  # torch hands on float32
    assert cost.bill(chip, trace=seen).part("cells").energy == approx(energy, rel=1e-6)


LAYERS = {
    "linear": lambda: torch.nn.Linear(20, 12),
    "rnn": lambda: torch.nn.RNN(20, 12),
    "lstm": lambda: torch.nn.LSTM(20, 12, num_layers=2, bidirectional=True),
    "projection": lambda: torch.nn.LSTM(20, 12, proj_size=5),
    "ramp": lambda: nn.LSTM(20, 12, cell_tanh="ramp"),
    "gru": lambda: torch.nn.GRU(20, 12),
    "gru before": lambda: nn.GRU(20, 12, reset="before"),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", LAYERS)
def test_watching_changes_no_bit_and_sees_what_every_read_is_driven_with(x, kind, dtype):
    """Noise on: outputs of two runs are equal with and without. What a probe is shown by the kernel
    of all steps is what it is shown step by step, as where gradients are asked for."""
    torch.manual_seed(1)
    model = nn.calibrate(LAYERS[kind](), x)
    hardware = aimc.load("taox-1t1r-128").replace(rows=64, cols=24)
    shown = {}
    for fused in (True, False):
        seen = shown[fused] = []
        quiet, loud = (
            nn.program(model, hardware, np.random.default_rng(0), dtype=dtype) for _ in range(2)
        )
        with torch.set_grad_enabled(not fused):
            loud.probes = (lambda macro, rows, to=seen: to.append((id(macro), rows)),)
            with cost.watch(loud) as trace:
                runs = [(quiet(x), loud(x)) for _ in range(2)]
        assert all(trace.mean(macro) > 0 for macro in nn.macros(loud))
        for wanted, came in runs:
            assert torch.equal(*(y if kind == "linear" else y[0] for y in (wanted, came)))
        order = [chip.macro for chip in loud.chips.values()]
        shown[fused] = [np.concatenate([r for m, r in seen if m == id(macro)]) for macro in order]
    if dtype == torch.float64:  # in single precision steps draw other noise than the kernel
        assert all(map(np.array_equal, shown[True], shown[False]))


def test_a_model_that_was_not_watched_has_no_trace(x):
    chip, _ = programmed(torch.nn.RNN, x)
    with cost.watch(chip) as seen:
        pass
    with pytest.raises(ArgumentError, match="Run the model inside"):
        cost.bill(chip, trace=seen)


def test_a_model_that_was_never_programmed_is_refused_and_told_what_to_do():
    """Neither watched in silence nor billed as nothing."""
    for model in (torch.nn.Sequential(torch.nn.Linear(3, 4)), nn.Linear(3, 4)):
        with pytest.raises(ArgumentError, match=r"holds none.*`nn.program\(model"):
            cost.bill(model)
        with (
            pytest.raises(ArgumentError, match=r"holds none.*`nn.program\(model"),
            cost.watch(model),
        ):
            pass
    with pytest.raises(ArgumentError, match="`model` must be a programmed model"):
        cost.watch(torch.nn.Linear).__enter__()


class Odd(nn.Linear):
    """A layer of a user's own that says something else than what it does."""

    said: Any = None

    def describe(self):
        return self.said


def test_what_a_layer_of_a_users_own_says_is_checked():
    layer = Odd(20, 12).program(aimc.load("ideal-5bit"), np.random.default_rng(0))
    for said in (3, "x", (3,), (cost.Description("", (3,)),)):  # pyright: ignore[reportArgumentType]
        layer.said = said
        with pytest.raises(ArgumentError, match="`Odd` must say what it does to be billed"):
            cost.bill(layer)


@pytest.mark.parametrize("steps", [3, [3], [["a"]], np.zeros(())])
def test_layers_are_named_by_words(x, steps):
    chip, _ = programmed(torch.nn.RNN, x)
    with pytest.raises(ArgumentError, match="`every_step` must hold names of layers"):
        cost.bill(chip, every_step=steps)


class Tagger(torch.nn.Module):
    """An LSTM and a readout, of every step or of the last alone."""

    def __init__(self, every):
        super().__init__()
        self.lstm = torch.nn.LSTM(20, 12, batch_first=True)
        self.readout = torch.nn.Linear(12, 5)
        self.every = every

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.readout(states if self.every else states[:, -1])


@pytest.mark.parametrize("every", [True, False])
def test_a_layer_without_state_is_billed_as_often_as_it_runs(x, every):
    """6 steps: the readout 6 times or once, as seen or as said; by hand from bills of arrays."""
    hardware = aimc.load("ideal-5bit").replace(rows=64, cols=24)
    chip = nn.program(Tagger(every), hardware, np.random.default_rng(0))
    with torch.no_grad(), cost.watch(chip) as seen:
        chip(x)
    readout = nn.macros(chip)[-1]
    assert seen.reads(readout) == (18 if every else 3)
    runs = 6 if every else 1
    gates = [macro for macro in nn.macros(chip) if macro is not readout]
    once = cost.bill([*gates]).part("integrators").energy
    last = cost.bill(readout).part("integrators").energy
    told = cost.bill(chip, trace=seen, steps=6)
    assert told.part("integrators").energy == approx(6 * once + runs * last)
    cells = sum(6 * seen.mean(macro) for macro in gates) + runs * seen.mean(readout)
    assert told.part("cells").energy == approx(cells)
    said = cost.bill(chip, steps=6, every_step=("readout",) if every else ())
    assert said.latency == approx(told.latency)
    assert said.ops == told.ops
    times = {phase.name: phase.times for phase in told.phases}
    assert times["weight: read"] == runs
    assert times["gates_l0: read"] == 6


def test_steps_of_nothing_are_refused(x):
    hardware = aimc.load("ideal-5bit").replace(rows=64, cols=24)
    chip = nn.program(torch.nn.Linear(20, 5), hardware, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="`steps` must be 1 where no layer has a state"):
        cost.bill(chip, steps=6)
    assert cost.bill(chip, steps=6, every_step=("Linear",)).ops == 6 * cost.bill(chip).ops
    with pytest.raises(ArgumentError, match="`every_step` must name layers without a state"):
        cost.bill(chip, steps=6, every_step=("lstm",))


def test_a_cell_state_behind_a_table_is_looked_up(x):
    """tanh(c) by a SAR of its own: its conversion, and a look-up of each unit."""
    hardware = aimc.load("ideal-5bit").replace(rows=64, cols=24)
    adc = aimc.converters.SARADC(5, table_bits=8)
    model = torch.nn.LSTM(20, 12, bias=False)
    chip = nn.program(model, hardware.replace(adc=adc), np.random.default_rng(0), cell_tanh="ramp")
    bill, card = cost.bill(chip), cost.load()
    assert bill.part("look-up units").energy == approx(5 * 12 * card.of("look_up", "energy"))
    assert bill.part("SAR converters").energy == approx(5 * 12 * 8**2 * card.of("sar", "energy"))


def test_defaults_of_program_and_description_agree(x):
    """The bill of a programmed LSTM is that of the described one, with no option given."""
    hardware = aimc.load("ideal-5bit").replace(rows=64, cols=24)
    chip = nn.program(torch.nn.LSTM(20, 12, bias=False), hardware, np.random.default_rng(0))
    same(chip, cost.layer("lstm", hardware, 20, 12))
