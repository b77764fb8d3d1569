"""nn.program, nn.calibrate, nn.macros, nn.report on whole models."""

import hashlib
import subprocess
import sys
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.utils.prune

import aimc
from aimc import nn
from aimc.errors import ArgumentError, DataError
from aimc.parts.device import WriteError


class Speech(torch.nn.Module):
    """Nested, recurrent of all kinds, with a digital layer between."""

    def __init__(self):
        super().__init__()
        self.body = torch.nn.ModuleDict(
            {
                "lstm": torch.nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True),
                "gru": torch.nn.GRU(12, 5, batch_first=True),
                "rnn": torch.nn.RNN(5, 5, batch_first=True),
            }
        )
        self.norm = torch.nn.LayerNorm(5)
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(5, 3))

    def forward(self, x):
        for layer in self.body.values():
            x = layer(x)[0]
        return self.head(self.norm(x[:, -1]))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Speech().eval()


@pytest.fixture
def x():
    return 3 * torch.randn(9, 8, 4, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def fine():
    return aimc.load("ideal-5bit").replace(bits=12)


def test_a_programmed_model_answers_like_the_float_one(model, x, fine):
    nn.calibrate(model, x)
    chip = nn.program(model, fine, np.random.default_rng(1))
    with torch.no_grad():
        gap = (chip(x) - model(x)).abs().max()
    # A few inputs in a thousand saturate, and a layer norm follows.
    assert 0 < gap < 0.05


def test_the_original_is_left_alone(model, x, fine):
    nn.calibrate(model, x)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kinds = [type(module) for module in model.modules()]
    torch_state = torch.get_rng_state()
    chip = nn.program(model, fine, np.random.default_rng(1))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert [type(module) for module in model.modules()] == kinds
    assert not {id(p) for p in model.parameters()} & {id(p) for p in chip.parameters()}
    with torch.no_grad():
        for parameter in chip.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert chip.state_dict().keys() == before.keys()


def test_the_root_itself_may_be_a_layer(fine):
    layer = torch.nn.Linear(3, 2)
    chip = nn.program(layer, fine, np.random.default_rng(1))
    assert type(chip) is nn.Linear
    assert type(layer) is torch.nn.Linear


def test_a_layer_used_twice_is_one_chip(fine):
    layer = torch.nn.Linear(3, 3)
    chip = nn.program(
        torch.nn.Sequential(layer, torch.nn.Tanh(), layer), fine, np.random.default_rng(1)
    )
    assert chip[0] is chip[2]
    assert len(nn.macros(chip)) == 1


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_small_arrays_hold_the_same_model(fine, rng, kind):
    """Rows and columns split: parts converted linearly, added, then the curve."""
    torch.manual_seed(0)
    twin = getattr(torch.nn, kind)(20, 10)
    x = 2 * torch.rand(6, 5, 20) - 1
    small = fine.replace(rows=16, cols=8)
    chip = nn.program(twin, small, rng)
    assert np.all(np.array([macro.shape for macro in nn.macros(chip)]) <= (16, 8))
    # 20 + 10 weights and a bias: two blocks of rows. GRU's new_x and new_h: two each of both.
    assert len(nn.macros(chip)) == {"RNN": 2 * 2, "LSTM": 2 * 5, "GRU": 2 * 3 + 4 + 2}[kind]
    with torch.no_grad():
        torch.testing.assert_close(chip(x)[0], twin(x)[0], rtol=0, atol=2e-3)


def test_macros_in_order_of_programming(model, x, fine):
    nn.calibrate(model, x)
    chip = nn.program(model, fine, np.random.default_rng(1))
    shapes = [macro.w.shape for macro in nn.macros(chip)]
    # lstm: 2 layers x 2 directions; gru: gates, new_x, new_h; rnn; head. One bias row at least.
    cols = [24, 24, 24, 24, 10, 5, 5, 5, 3]
    assert [shape[1] for shape in shapes] == cols
    rows = np.array([shape[0] for shape in shapes])
    assert np.all(rows > [10, 10, 18, 18, 17, 12, 5, 10, 5])


def test_report_names_arrays_and_what_stayed_digital(model, x, fine):
    nn.calibrate(model, x)
    text = nn.report(nn.program(model, fine, np.random.default_rng(1), digital=["head"]))
    assert "gates_l1_reverse" in text
    assert "sigmoid, sigmoid, tanh, sigmoid" in text
    last = text.splitlines()[-1]
    assert "norm (LayerNorm)" in last
    assert "head.1 (Linear)" in last
    assert "lstm" not in last


def test_bias_rows_take_what_the_weights_leave_free_and_a_split_is_reported():
    """127 weights and a bias 1.6 times the largest: one array and less error; with a scale that is
    fixed two rows, so two arrays, which the report says."""
    torch.manual_seed(4)
    layer = nn.Linear(127, 64, curve="tanh")
    with torch.no_grad():
        layer.weight.uniform_(-0.2, 0.2)
        layer.bias.uniform_(-0.32, 0.32)[0] = 0.32
        x = torch.rand(200, 127) * 2 - 1
        wanted = layer(x)
        ideal, errors = aimc.load("ideal-5bit").replace(rows=128, cols=64), []
        fixed = float(layer.weight.abs().max())
        for hardware, arrays in ((ideal, 1), (ideal.replace(w_max=fixed), 2)):
            layer.program(hardware, np.random.default_rng(0))
            errors.append(float((layer(x) - wanted).square().mean()))
            assert f"arrays: {arrays}" in nn.report(layer)
            split = "partial sums added digitally: Linear weight (129 rows in 2)" in nn.report(
                layer
            )
            assert split == (arrays == 2)
    assert errors[0] < errors[1] / 2


def test_calibration_survives_a_deep_copy_and_scales_the_input(model, x, fine):
    assert nn.calibrate(model, x) is model
    ranges = deepcopy(model).body["lstm"].aimc_ranges
    assert ranges == {"x": pytest.approx(np.quantile(x.abs().numpy(), 0.999))}
    assert set(model.body["gru"].aimc_ranges) == {"x", "new_x_l0", "new_h_l0"}
    assert set(model.head[1].aimc_ranges) == {"x", "weight"}
    chip = nn.program(model, fine, np.random.default_rng(1))
    layer = chip.body["lstm"]
    assert layer.chips["gates_l0"].scale[0] == pytest.approx(ranges["x"] / fine.driver.x_max)
    assert layer.chips["gates_l0"].scale[-1] == 1
    with pytest.raises(ArgumentError, match="before programming"):
        nn.calibrate(chip, x)


def test_calibrated_inputs_that_are_mostly_zero(fine):
    layer = torch.nn.Linear(2000, 2)
    nn.calibrate(layer, torch.eye(2000)[:3])
    assert vars(layer)["aimc_ranges"]["x"] == 1


SEEDED = """
import sys
import numpy as np, torch, aimc
from aimc import nn
torch.manual_seed(0)
model = torch.nn.LSTM(4, 6)
chip = nn.program(model, aimc.load("taox-1t1r-128"), np.random.default_rng(int(sys.argv[1])))
with torch.no_grad():
    y = [chip(torch.linspace(-1, 1, 5 * 3 * 4).reshape(5, 3, 4))[0].numpy() for _ in range(2)]
print(__import__("hashlib").sha256(np.stack(y).tobytes()).hexdigest())
"""


def in_another_process(seed):
    command = [sys.executable, "-c", SEEDED, str(seed)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_one_seed_is_one_chip_in_any_process():
    """Its weights and its read noise."""
    torch.manual_seed(0)
    model = torch.nn.LSTM(4, 6)
    chip = nn.program(model, aimc.load("taox-1t1r-128"), np.random.default_rng(11))
    x = torch.linspace(-1, 1, 5 * 3 * 4).reshape(5, 3, 4)
    with torch.no_grad():
        y = np.stack([chip(x)[0].numpy() for _ in range(2)])
    here = hashlib.sha256(y.tobytes()).hexdigest()
    assert in_another_process(11) == here
    assert in_another_process(12) != here


def test_programming_errors_shift_the_outputs():
    """The wider the cells miss their targets, the further the outputs from the ideal chip's."""
    torch.manual_seed(0)
    model = torch.nn.LSTM(4, 6)
    x = 2 * torch.rand(10, 50, 4) - 1
    ideal = aimc.load("ideal-5bit")

    def outputs(std, seed):
        hardware = ideal.replace(on_write=(WriteError(std),))
        with torch.no_grad():
            return nn.program(model, hardware, np.random.default_rng(seed))(x)[0]

    exact = outputs(0.0, 0)
    assert torch.equal(outputs(0.0, 1), exact)
    gaps = [
        torch.stack([outputs(std, seed) - exact for seed in range(4)]).square().mean().sqrt()
        for std in (1e-6, 4e-6, 16e-6)
    ]
    assert 0 < 2 * gaps[0] < gaps[1] < gaps[2] / 2
    assert not torch.equal(outputs(4e-6, 0), outputs(4e-6, 1))


def test_a_deep_copy_of_a_chip_reads_on_by_itself():
    torch.manual_seed(0)
    chip = nn.program(torch.nn.RNN(4, 6), aimc.load("taox-1t1r-128"), np.random.default_rng(0))
    x = 2 * torch.rand(5, 3, 4) - 1
    with torch.no_grad():
        other = deepcopy(chip)
        first = [chip(x)[0] for _ in range(2)]
        assert torch.equal(other(x)[0], first[0])
        assert torch.equal(other(x)[0], first[1])
    assert vars(other)["chips"]["state_l0"].macro is vars(chip)["chips"]["state_l0"].macro


def test_layers_inside_torchs_own_transformer_stay_digital(fine):
    model = torch.nn.ModuleDict(
        {"t": torch.nn.TransformerEncoderLayer(8, 2), "head": torch.nn.Linear(8, 2)}
    )
    chip = nn.program(model, fine, np.random.default_rng(0))
    assert type(chip["t"].linear1) is torch.nn.Linear
    assert "t.linear1 (Linear)" in nn.report(chip)


def test_a_digital_layer_that_shares_its_weights_is_reported(fine):
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 4), "head": torch.nn.Linear(4, 5)})
    model["head"].weight = model["embed"].weight
    chip = nn.program(model, fine, np.random.default_rng(0))
    assert chip["head"].weight is chip["embed"].weight
    text = nn.report(chip)
    assert "arrays: 1" in text
    assert "embed (Embedding)" in text.splitlines()[-1]


class Subclass(torch.nn.Linear):
    pass


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (torch.nn.RNN(3, 2, nonlinearity="relu"), "`0` must have the nonlinearity 'tanh'"),
        (torch.nn.LSTMCell(3, 2), "`0` must be torch's Linear.*but is a LSTMCell"),
        (Subclass(3, 2), "but is a Subclass"),
        (torch.nn.LazyLinear(2), "Run the model once before"),
        (torch.nn.Conv1d(3, 2, 1), "`model` must hold a Linear"),
    ],
)
def test_what_cannot_go_on_an_array_is_refused(fine, module, message):
    with pytest.raises(ArgumentError, match=message):
        nn.program(torch.nn.Sequential(module), fine, np.random.default_rng(0))


def test_refused_layers_may_stay_digital(fine):
    model = torch.nn.Sequential(Subclass(3, 2), torch.nn.Linear(2, 2))
    chip = nn.program(model, fine, np.random.default_rng(0), digital=["0"])
    assert type(chip[0]) is Subclass
    with pytest.raises(ArgumentError, match="names 'none'"):
        nn.program(model, fine, np.random.default_rng(0), digital=["none"])
    with pytest.raises(ArgumentError, match="collection"):
        nn.program(model, fine, np.random.default_rng(0), digital="0")


def test_wrong_arguments_are_named(fine):
    model = torch.nn.Linear(3, 2)
    with pytest.raises(ArgumentError, match=r"`hardware` must be a Hardware.*aimc\.load"):
        nn.program(model, "ideal-5bit", np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`rng` must be a numpy"):
        nn.program(model, fine, 7)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`model` must be a torch"):
        nn.program(np.eye(3), fine, np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`hardware` must be given"):
        nn.reprogram(nn.Linear(3, 2), np.random.default_rng(0))
    with torch.no_grad():
        model.weight[0, 0] = torch.nan
    with pytest.raises(ArgumentError, match="`weight` must be finite"):
        nn.program(model, fine, np.random.default_rng(0))


def programmed(kind, fine):
    return nn.program(getattr(torch.nn, kind)(4, 6), fine, np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["Linear", "RNN", "LSTM", "GRU"])
def test_bad_inputs_are_refused(fine, kind):
    layer = programmed(kind, fine)
    good = torch.zeros(5, 3, 4)
    for bad, message in [
        (torch.zeros(5, 3, 7), r"4 features .* has shape \(5, 3, 7\)"),
        (torch.zeros(0, 3, 4), "not be empty"),
        (torch.full_like(good, torch.nan), "`input` must be finite"),
        (good.long(), "real numbers, but is dtype torch.int64"),
        (good.numpy(), "real numbers, but is ndarray"),
        (good + 2, r"within \[-1, 1\].*reaches 2.*nn\.calibrate"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            layer(bad)


def test_bad_states_are_refused(fine):
    layer = programmed("LSTM", fine)
    x = torch.zeros(5, 3, 4)
    with pytest.raises(ArgumentError, match=r"`hx` must be tensors of shapes"):
        layer(x, (torch.zeros(1, 3, 6), torch.zeros(1, 2, 6)))
    with pytest.raises(ArgumentError, match="`hx` must be finite"):
        layer(x, (torch.zeros(1, 3, 6), torch.full((1, 3, 6), torch.nan)))
    with pytest.raises(ArgumentError, match="`hx`"):
        layer(x, torch.zeros(1, 3, 6))
    with pytest.raises(ArgumentError, match="2 or 3 dimensions"):
        layer(torch.zeros(2, 5, 3, 4))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_state_that_rows_cannot_carry_is_refused(fine, kind):
    """Not what an LSTM's cell holds: that stays digital."""
    layer = getattr(torch.nn, kind)(4, 6, num_layers=2)
    chip = nn.program(layer, fine, np.random.default_rng(0))
    x, h, c = torch.zeros(5, 3, 4), torch.ones(2, 3, 6), torch.full((2, 3, 6), 3.0)
    chip(x, (h, c) if kind == "LSTM" else h)
    h[1, 2, 3] = -1.5
    with pytest.raises(ArgumentError, match=r"`hx` must have an output state within \+-1.*1\.5"):
        chip(x, (h, c) if kind == "LSTM" else h)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projected_state_goes_as_far_as_its_converter_unless_calibrated(fine):
    layer = torch.nn.LSTM(4, 6, proj_size=2)
    x, c = torch.rand(5, 3, 4), torch.zeros(1, 3, 6)
    chip = nn.program(layer, fine, np.random.default_rng(0))
    full = float(vars(chip)["chips"]["gates_l0"].scale[-1])
    chip(x, (torch.full((1, 3, 2), full), c))
    with pytest.raises(ArgumentError, match="`hx` must have an output state"):
        chip(x, (torch.full((1, 3, 2), 1.1 * full), c))
    nn.calibrate(layer, x)
    chip = nn.program(layer, fine, np.random.default_rng(0))
    chip(x, (torch.full((1, 3, 2), 9.0), c))


def test_options_are_checked():
    with pytest.raises(ArgumentError, match="`reset` must be"):
        nn.GRU(3, 2, reset="never")
    with pytest.raises(ArgumentError, match="`nonlinearity` must be 'tanh'"):
        nn.RNN(3, 2, nonlinearity="relu")
    with pytest.raises(ArgumentError, match="`x_scale` must be greater than 0"):
        nn.Linear(3, 2, x_scale=0.0)
    with pytest.raises(ArgumentError, match="curve"):
        nn.Linear(3, 2, curve="relu")


def ten_times(module: object, inputs: object, output: Any) -> Any:
    return 10 * output


def test_what_torch_calls_around_a_layer_is_not_lost(fine):
    """A hook that makes the output ten times as large would be: so it is refused."""
    layer = torch.nn.Linear(3, 2)
    hook = layer.register_forward_hook(ten_times)
    for convert in (
        lambda: nn.program(torch.nn.Sequential(layer), fine, np.random.default_rng(0)),
        lambda: nn.calibrate(torch.nn.Sequential(layer), torch.zeros(1, 3)),
    ):
        with pytest.raises(ArgumentError, match=r"`0` must have no hooks .* but has forward_hooks"):
            convert()
    hook.remove()
    chip = nn.program(torch.nn.Sequential(layer), fine, np.random.default_rng(0))
    x = torch.full((1, 3), 0.5)
    with torch.no_grad():
        plain = chip(x)
        chip[0].register_forward_hook(ten_times)
        torch.testing.assert_close(chip(x), 10 * plain)
    layer.forward = lambda x: x  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ArgumentError, match="a forward of its own"):
        nn.program(torch.nn.Sequential(layer), fine, np.random.default_rng(0))


def test_a_transformer_layer_alone_has_nothing_for_an_array(fine):
    """Its fast path reads the weights inside, so layers put there would never be read."""
    for model in (torch.nn.TransformerEncoderLayer(8, 2), torch.nn.MultiheadAttention(8, 2)):
        with pytest.raises(ArgumentError, match="`model` must hold a Linear"):
            nn.program(model.eval(), fine, np.random.default_rng(0))


def test_weights_computed_before_every_call_are_refused(fine):
    layer = torch.nn.Linear(3, 2)
    torch.nn.utils.prune.random_unstructured(layer, "weight", 0.5)
    for convert in (
        lambda: nn.program(layer, fine, np.random.default_rng(0)),
        lambda: nn.calibrate(layer, torch.zeros(1, 3)),
    ):
        with pytest.raises(ArgumentError, match=r"`model` must be one that can be copied.*prune"):
            convert()
    torch.nn.utils.prune.remove(layer, "weight")
    assert nn.program(layer, fine, np.random.default_rng(0)).chips


def test_a_programmed_chip_refuses_a_state_dict_which_its_arrays_would_not_take(model, x, fine):
    state = model.state_dict()
    chip = nn.program(nn.calibrate(model, x), fine, np.random.default_rng(1))
    with pytest.raises(ArgumentError, match="Load it into the float model, then program that"):
        chip.load_state_dict(state)
    model.load_state_dict(chip.state_dict())


def test_a_file_keeps_the_calibration_and_so_with_a_seed_the_chip(model, x, fine, tmp_path):
    nn.calibrate(model, x)
    nn.save(model, tmp_path / "model.safetensors")
    other = nn.load(Speech().eval(), tmp_path / "model.safetensors")
    chips = [nn.program(each, fine, np.random.default_rng(1)) for each in (model, other)]
    with pytest.raises(ArgumentError, match="`model` must be in floating point to be saved"):
        nn.save(chips[0], tmp_path / "chip.safetensors")
    with torch.no_grad():
        assert torch.equal(*(chip(x) for chip in chips))
    with pytest.raises(DataError, match="must be a checkpoint of this model"):
        nn.load(torch.nn.Linear(3, 2), tmp_path / "model.safetensors")
    bare = Speech().eval()
    bare.load_state_dict(model.state_dict())
    text = nn.report(nn.program(bare, fine, np.random.default_rng(1)))
    assert "not calibrated: body.lstm, body.gru, body.rnn, head.1" in text
    assert "not calibrated" not in nn.report(chips[1])


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
def test_a_chip_is_not_traced_or_exported_to_a_constant(fine, rng):
    chip = nn.program(torch.nn.Linear(3, 2), fine, rng).requires_grad_(False)
    for make in (
        lambda: torch.jit.trace(chip, (torch.rand(4, 3),)),
        lambda: torch.export.export(chip, (torch.rand(4, 3),), strict=False),
    ):
        with pytest.raises(ArgumentError, match="must be read itself, not traced or exported"):
            make()


class Past(torch.nn.Module):
    """A layer whose weights are read past it."""

    def __init__(self):
        super().__init__()
        self.e, self.f = torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.f(torch.nn.functional.linear(x, self.e.weight))


def test_a_layer_that_is_read_past_is_no_analog_layer(fine):
    x = torch.rand(20, 3)
    with pytest.raises(ArgumentError, match=r"reach every layer .* but leave out e\. Name"):
        nn.calibrate(Past(), x)
    nn.calibrate(Past(), x, digital=["e"])
    chip = nn.program(Past(), fine, np.random.default_rng(0))
    text = nn.report(chip, x / 10)
    assert "never read by these inputs: e weight" in text


def test_losses_are_counted_from_the_batch_at_hand(fine):
    """By hand, of one layer: what saturates, what is too small for a pulse, what a bias takes."""
    torch.manual_seed(0)
    model, x = torch.nn.Linear(4, 3), torch.randn(500, 4)
    with torch.no_grad():
        model.bias.fill_(0.1)
    hardware = fine.replace(bits=5)
    chip: Any = nn.program(nn.calibrate(model, x), hardware, np.random.default_rng(0))
    state = chip.chips["weight"].rng.bit_generator.state
    reached, span = (vars(model)["aimc_ranges"][name] for name in ("x", "weight"))
    step = reached / 2**5
    for factor in (0.2, 1.0, 3.0):
        (loss,) = nn.losses(chip, factor * x)
        size, y = (factor * x).abs(), model(factor * x).detach()
        assert (loss.layer, loss.array, loss.reads) == ("Linear", "weight", 500)
        assert loss.inputs_clipped == pytest.approx(float((size > reached).double().mean()))
        assert loss.inputs_zeroed == pytest.approx(
            float((size < step / 2).double().mean()), abs=0.03
        )
        assert loss.results_clipped == pytest.approx(
            float((y.abs() > span).double().mean()), abs=1e-9
        )
        with torch.no_grad():
            error = float((chip(factor * x) - y).square().mean().sqrt() / y.std())
        assert loss.error == pytest.approx(error, rel=1e-2)
        assert f"{loss.inputs_clipped:.2%}" in nn.report(chip, factor * x)
    assert chip.chips["weight"].rng.bit_generator.state == state
    largest = float(model.weight.detach().abs().max()) * reached / hardware.driver.x_max
    narrow = nn.program(model, hardware.replace(w_max=largest / 2), np.random.default_rng(0))
    (loss,) = nn.losses(narrow, x)
    over = model.weight.detach().abs() * reached / hardware.driver.x_max > largest / 2
    assert loss.weights_clipped == pytest.approx(float(over.double().mean()))
    with torch.no_grad():
        model.bias[0] = 100.0
    high = nn.program(model, hardware, np.random.default_rng(0))
    assert nn.losses(high, x)[0].bias > 2
    assert "bias rows above the largest weight, whose scale they set: Linear" in nn.report(high, x)
    with pytest.raises(ArgumentError, match="`model` must be programmed"):
        nn.losses(model, x)
