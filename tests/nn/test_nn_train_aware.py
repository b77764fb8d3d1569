"""Training for the hardware: twins are the chips, a run is repeatable and outlives a kill."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import aimc
from aimc import Wires, nn
from aimc.errors import ArgumentError, DataError
from aimc.nn.convert import converted
from aimc.nn.training.twin import Twin
from aimc.parts.device import Device, StuckAt, WriteError

HERE = Path(__file__).parent


class Comparison:
    """Whether the last of four inputs is larger than the first."""

    label = "comparison"
    steps = 10

    def course(self, model, seed):
        self.seed = seed
        return self

    def batch(self, step):
        x = torch.rand(64, 4, 1, generator=torch.Generator().manual_seed(7919 * self.seed + step))
        return 2 * x - 1, (x[:, -1, 0] > x[:, 0, 0]).long()

    def forward(self, model, inputs, state):
        return model(inputs), None


class Net(torch.nn.Module):
    def __init__(self, kind="LSTM", hidden=8):
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(1, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def net(kind="LSTM", seed=0):
    torch.manual_seed(seed)
    return nn.calibrate(Net(kind), 2 * torch.rand(200, 4, 1) - 1)


def twinned(model, hardware, strength=1.0, seed=0):
    """The model with twins for chips, drawn once."""
    model = converted(model, ())
    rng = np.random.default_rng(seed)
    for layer in model.modules():
        if isinstance(layer, nn.AnalogLayer):
            matrices = layer.matrices()
            for name in matrices:
                twin = Twin(layer, name, hardware)
                layer.twins[name] = twin
                twin.draw(matrices, strength, rng, True)
    return model


def twin_of(weight, hardware, seed=0, strength=1.0, **ranges):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, **ranges)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
    return twinned(torch.nn.Sequential(layer), hardware, strength, seed)[0].twins["weight"]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("size", [{}, {"rows": 6, "cols": 5}])
def test_without_errors_a_twin_is_the_chip(kind, size):
    """Also where the matrix is spread over several arrays; single precision moves few codes."""
    hardware = aimc.load("ideal-5bit").replace(**size)
    model = net(kind)
    x = 2 * torch.rand(200, 4, 1) - 1
    chip = nn.program(model, hardware, np.random.default_rng(0))(x)
    twin = twinned(model, hardware)(x)
    assert float((chip - twin).abs().gt(1e-4).float().mean()) < 0.02


def test_strength_scales_every_error_and_zero_leaves_the_rounding(rng):
    weight = rng.uniform(-0.5, 0.5, (12, 20))
    noisy, ideal = aimc.load("taox-1t1r-128"), aimc.load("ideal-5bit")
    off = {s: twin_of(weight, noisy, strength=s).w.T - torch.tensor(weight) for s in (1.0, 0.5)}
    torch.testing.assert_close(0.5 * off[1.0], off[0.5], atol=1e-6, rtol=0)
    z = torch.from_numpy(rng.uniform(-1, 1, (50, 20)))
    quiet, none = twin_of(weight, noisy, strength=0.0), twin_of(weight, ideal)
    assert float((quiet(z) - none(z)).abs().gt(1e-4).float().mean()) < 0.01


def test_cells_have_the_errors_of_the_device(rng):
    """A pair of cells of error sigma: sqrt(2) sigma w_max / (g_max - g_min) a weight."""
    sigma, hardware = 3e-6, aimc.load("ideal-5bit")
    device = Device(g_max=150e-6, g_min=20e-6, on_write=(WriteError(sigma),))
    weight = rng.uniform(-0.4, 0.4, (60, 60))
    weight[0, 0] = 0.4
    error = twin_of(weight, hardware.replace(device=device)).w.T.detach().numpy() - weight
    assert error.std() == pytest.approx(np.sqrt(2) * sigma * 0.4 / 130e-6, rel=0.05)
    assert error.mean() == pytest.approx(0, abs=1e-3)


def test_stuck_cells_drop_weights_anew_for_every_step(rng):
    hardware = aimc.load("ideal-5bit")
    device = dataclasses.replace(hardware.device, on_write=(StuckAt(0.2, 0.0),))
    weight = rng.choice([-1.0, 1.0], (60, 60))
    twin = twin_of(weight, hardware.replace(device=device))
    first = twin.w.T.detach().numpy()
    twin.draw(twin.layer.matrices(), 1.0, np.random.default_rng(1), False)
    second = twin.w.T.detach().numpy()
    for w in (first, second):
        assert np.mean(np.abs(w - weight) > 0.5) == pytest.approx(0.2, abs=0.03)
    assert np.mean((first == weight) != (second == weight)) > 0.1


def test_wires_take_the_same_from_a_twin_as_from_the_array(rng):
    hardware = aimc.load("ideal-5bit").replace(wires=Wires(2.0, 2.0, 10.0, 10.0))
    weight = rng.uniform(-0.5, 0.5, (30, 40))
    twin = twin_of(weight, hardware)
    macro = twin.tiles[0].macro
    seen = hardware.mapping.to_weight(macro.crossbar.transfer, hardware.device, macro.w_max)
    np.testing.assert_allclose(twin.w.detach().numpy(), seen, atol=1e-6)
    assert np.abs(seen).sum() < 0.99 * np.abs(weight).sum()


def test_a_noisy_twin_errs_as_much_as_chips_do(rng):
    """Root mean square error against the float layer, over twenty of each."""
    hardware = aimc.load("taox-1t1r-128").replace(bits=8)
    weight, z = rng.normal(0, 0.3, (16, 60)), torch.from_numpy(rng.uniform(-1, 1, (200, 60)))
    layer = nn.Linear(60, 16, bias=False, y_range=6.0)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        wanted = z @ torch.as_tensor(weight).T
        chips = [
            (nn.program(layer, hardware, np.random.default_rng(s))(z) - wanted).square().mean()
            for s in range(20)
        ]
        twins = [
            (twin_of(weight, hardware, s, y_range=6.0)(z) - wanted).square().mean()
            for s in range(20)
        ]
    assert np.sqrt(np.mean(twins)) == pytest.approx(np.sqrt(np.mean(chips)), rel=0.1)


def test_gradients_are_those_of_the_float_function_where_nothing_saturates(rng):
    hardware = aimc.load("ideal-5bit").replace(bits=12)
    layer = nn.Linear(1, 2, bias=False, x_scale=1.0, y_range=0.5)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.4], [0.9]]))
    twinned(torch.nn.Sequential(layer), hardware)
    x = torch.tensor([[0.3], [0.9], [1.5]], requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None
    np.testing.assert_allclose(y.detach()[:2], [[0.12, 0.27], [0.36, 0.5]], atol=5e-4)
    np.testing.assert_allclose(x.grad, [[1.3], [0.4], [0.0]], atol=1e-6)
    np.testing.assert_allclose(layer.weight.grad, [[0.3 + 0.9 + 1.0], [0.3]], atol=1e-3)


def test_a_learned_range_grows_where_results_are_clipped():
    layer = nn.Linear(1, 1, bias=False, x_scale=1.0, y_range=0.5)
    with torch.no_grad():
        layer.weight.fill_(0.9)
    log_range = torch.tensor(np.log(0.5), requires_grad=True)
    twin = Twin(layer, "weight", aimc.load("ideal-5bit").replace(bits=10), log_range)
    twin.draw(layer.matrices(), 1.0, np.random.default_rng(0), True)
    y = twin(torch.tensor([[0.9], [0.2]]))
    np.testing.assert_allclose(y.detach(), [[0.5], [0.18]], atol=2e-3)
    y.sum().backward()
    assert log_range.grad is not None
    assert float(log_range.grad) == pytest.approx(0.5, abs=5e-3)  # dy/dR R: of the clipped alone


RECIPE = nn.Recipe(epochs=6, rate=0.03, averaging=0.9)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_training_for_the_hardware_gains_on_chips(kind):
    task, hardware = Comparison(), aimc.load("taox-1t1r-128").replace(bits=2)
    model = nn.train(net(kind), task, recipe=RECIPE)
    aware = nn.train(model, task, hardware, recipe=RECIPE)
    x, wanted = (
        torch.cat(p) for p in zip(*map(task.course(None, 12).batch, range(9)), strict=True)
    )

    def loss(model):
        chips = [nn.program(model, hardware, np.random.default_rng(s)) for s in range(5)]
        with torch.no_grad():
            return np.mean([float(torch.nn.functional.cross_entropy(c(x), wanted)) for c in chips])

    assert loss(aware) < 0.9 * loss(model)


def same(one, two):
    return all(torch.equal(one.state_dict()[n], two.state_dict()[n]) for n in one.state_dict())


def test_a_seed_gives_the_same_weights_and_leaves_all_else_alone():
    task, hardware, model = Comparison(), aimc.load("taox-1t1r-128"), net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    recipe = dataclasses.replace(RECIPE, epochs=1, distill=0.5)
    one, two, other = (nn.train(model, task, hardware, seed=s, recipe=recipe) for s in (1, 1, 2))
    assert torch.equal(torch.rand(2), expected)
    assert same(one, two)
    assert one.head.aimc_ranges == two.head.aimc_ranges != model.head.aimc_ranges
    assert not same(one, other)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    assert not one.training


@pytest.mark.parametrize("aware", [False, True])
def test_a_run_that_is_stopped_anywhere_continues_to_the_same_weights(aware, tmp_path):
    hardware = aimc.load("taox-1t1r-128") if aware else None
    recipe = dataclasses.replace(RECIPE, epochs=3, weight_noise=0.02, distill=0.3, refresh=4)
    whole = nn.train(net(), Comparison(), hardware, recipe=recipe)
    path = tmp_path / "run" / "state.safetensors"

    class Stopped(Comparison):
        left = 0

        def batch(self, step):
            Stopped.left -= 1
            if not Stopped.left:
                raise KeyboardInterrupt
            return super().batch(step)

    options = {"recipe": recipe, "checkpoint": nn.Checkpoint(path, 3)}
    for Stopped.left in (7, 11, 2):
        with pytest.raises(KeyboardInterrupt):
            nn.train(net(), Stopped(), hardware, **options)
    resumed = nn.train(net(), Comparison(), hardware, **options)
    assert same(whole, resumed)
    assert whole.head.aimc_ranges == resumed.head.aimc_ranges
    assert same(whole, nn.train(net(), Stopped(), hardware, **options))  # finished: no step more
    assert [file.name for file in path.parent.iterdir()] == ["state.safetensors"]


KILLED = """
import os, signal, sys, torch, aimc
sys.path.insert(0, sys.argv[1])
from test_nn_train_aware import *
torch.set_num_threads(1)

class Killed(Comparison):
    def batch(self, step):
        if step == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step)

model = nn.train(net(), Killed(), aimc.load("taox-1t1r-128"), recipe=RECIPE,
                 checkpoint=nn.Checkpoint(sys.argv[2], 5) if sys.argv[2] else None)
print({name: value.double().numpy().tobytes().hex() for name, value in model.state_dict().items()})
"""


def test_a_killed_process_resumes_to_identical_weights(tmp_path):
    def run(path, step):
        args = [sys.executable, "-c", KILLED, str(HERE), str(path), str(step)]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(args, capture_output=True, text=True, env=env)

    path = tmp_path / "run.safetensors"
    killed = run(path, 33)
    assert killed.returncode == -signal.SIGKILL
    assert path.is_file()
    resumed, whole = run(path, -1), run("", -1)
    assert resumed.returncode == whole.returncode == 0, resumed.stderr + whole.stderr
    assert resumed.stdout == whole.stdout != ""


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    path, task = tmp_path / "run.safetensors", Comparison()
    recipe = dataclasses.replace(RECIPE, epochs=1)
    options = {"recipe": recipe, "checkpoint": path}
    nn.train(net(), task, **options)
    with pytest.raises(DataError, match="must be a checkpoint of this very run"):
        nn.train(net(), task, seed=1, **options)
    with pytest.raises(DataError, match="must be a checkpoint of this very run"):
        nn.train(net(), task, aimc.load("ideal-5bit"), **options)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"run\.safetensors must be a checkpoint in safetensors"):
        nn.train(net(), task, **options)


def largest(model):
    return max(float(p.detach().abs().max()) for p in model.parameters())


@pytest.mark.parametrize("card", [None, "ideal-5bit"])
def test_weights_stay_within_the_limit(card):
    recipe = dataclasses.replace(RECIPE, epochs=1, weight_limit=0.1, averaging=0.0)
    hardware, small = card and aimc.load(card), net()
    with torch.no_grad():
        for p in small.parameters():
            p.clamp_(-0.09, 0.09)
    model = nn.train(small, Comparison(), hardware, recipe=recipe)
    assert largest(model) == pytest.approx(0.1, abs=1e-6)


def test_schedules_begin_peak_and_end_where_they_say():
    recipe = nn.Recipe(rate=0.01, warmup=0.25, strength=2.0, rise=0.5)
    assert recipe.rate_at(0.0) == pytest.approx(0.0004)
    assert recipe.rate_at(0.25) == pytest.approx(0.01)
    assert recipe.rate_at(1.0) == pytest.approx(0.0, abs=1e-12)
    assert [recipe.strength_at(p) for p in (0.0, 0.25, 0.5, 1.0)] == [0.0, 1.0, 2.0, 2.0]
    assert dataclasses.replace(recipe, rise=0.0).strength_at(0.0) == 2.0


def test_only_the_teacher_counts_with_distill_one():
    """A student that is its own teacher, without rounding to speak of, has nothing to learn."""
    recipe = nn.Recipe(epochs=1, distill=1.0, decay=0.0, averaging=0.0, ranges=False)
    hardware, model = aimc.load("ideal-5bit").replace(bits=12), net()
    trained = nn.train(model, Comparison(), hardware, recipe=recipe)
    plain = dataclasses.replace(recipe, distill=0.0)
    other = nn.train(model, Comparison(), hardware, recipe=plain)

    def moved(to):
        return max(float((a - b).detach().abs().max()) for a, b in zip(
            model.parameters(), to.parameters(), strict=True))  # fmt: skip

    assert moved(trained) < moved(other)


def test_what_cannot_be_trained_is_refused():
    task, hardware = Comparison(), aimc.load("ideal-5bit")
    with pytest.raises(ArgumentError, match=r"must be a torch\.nn\.Module"):
        nn.train("net", task)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="`hardware` must be a Hardware or None"):
        nn.train(net(), task, "ideal-5bit")  # pyright: ignore[reportArgumentType]
    relu = torch.nn.Sequential(torch.nn.RNN(1, 2, nonlinearity="relu"))
    with pytest.raises(ArgumentError, match="must have the nonlinearity 'tanh'"):
        nn.train(relu, task, hardware)
    with pytest.raises(ArgumentError, match="hold a layer that can go on an array"):
        nn.train(torch.nn.Sequential(torch.nn.Tanh()), task, hardware)
    with pytest.raises(ArgumentError, match="must be in floating point, but is programmed"):
        nn.train(nn.program(net(), hardware, np.random.default_rng(0)), task)
    with pytest.raises(ArgumentError, match="`refresh` must be at least 1"):
        nn.Recipe(refresh=0)
    with pytest.raises(ArgumentError, match="`distill` must be at most 1"):
        nn.Recipe(distill=2.0)
    broken = net()
    broken.head.bias.data[0] = float("nan")
    with pytest.raises(ArgumentError, match="must have a finite loss, but has nan at step 0"):
        nn.train(broken, task)
