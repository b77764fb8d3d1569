"""Law: with a fine converter and an ideal device a layer equals its torch.nn twin."""

import numpy as np
import pytest
import torch

import aimc
from aimc import nn

FINE = {"rtol": 0, "atol": 1e-3}


@pytest.fixture(scope="module")
def fine():
    return aimc.load("ideal-5bit").replace(bits=12)


def twins(kind, *args, **kwargs):
    """A torch layer, and the layer of aimc with its state_dict."""
    torch.manual_seed(1)
    reset = {"reset": kwargs.pop("reset")} if "reset" in kwargs else {}
    twin = getattr(torch.nn, kind)(*args, **kwargs)
    layer = getattr(nn, kind)(*args, **kwargs, **reset)
    layer.load_state_dict(twin.state_dict())
    return twin, layer


def inputs(*shape):
    generator = torch.Generator().manual_seed(2)
    return torch.rand(*shape, generator=generator) * 1.8 - 0.9


def flat(result):
    """Every tensor of a (nested) result."""
    return (
        [result] if isinstance(result, torch.Tensor) else [t for part in result for t in flat(part)]
    )


def assert_equal(twin, layer, x, *state):
    """Outputs, final states, gradients of parameters and of the input."""
    answers = []
    for module in (twin, layer):
        module.zero_grad()
        leaf = x.clone().requires_grad_()
        tensors = flat(module(leaf, *state))
        weights = [torch.linspace(0.5, 1, t.numel()).reshape(t.shape) / t.numel() for t in tensors]
        loss = sum(((t * w).sum() for t, w in zip(tensors, weights, strict=True)), torch.zeros(()))
        loss.backward()
        gradients = {name: p.grad for name, p in module.named_parameters()}
        answers.append((tensors, gradients | {"input": leaf.grad}))
    (expected, slopes), (tensors, found) = answers
    assert len(expected) == len(tensors)
    for a, b in zip(tensors, expected, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, **FINE)
    assert found.keys() == slopes.keys()
    steepest = max(slope.abs().max() for slope in slopes.values())
    for name, slope in slopes.items():
        gap = found[name] - slope
        assert gap.abs().max() <= 1e-3 * steepest, name
        # Also where a gradient is small: its relative error is that of small states.
        assert torch.linalg.norm(gap) <= 1e-2 * torch.linalg.norm(slope), name
    with torch.no_grad():
        for a, b in zip(flat(layer(x, *state)), tensors, strict=True):
            assert torch.equal(a, b)


RECURRENT = {
    "plain": ({}, (7, 5, 4)),
    "two layers": ({"num_layers": 2}, (7, 5, 4)),
    "both directions": ({"bidirectional": True, "num_layers": 2}, (7, 5, 4)),
    "batch first": ({"batch_first": True}, (5, 7, 4)),
    "without bias": ({"bias": False}, (7, 5, 4)),
    "not batched": ({"bidirectional": True}, (7, 4)),
}


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("case", RECURRENT)
def test_recurrent_layer_equals_its_twin(fine, kind, case):
    options, shape = RECURRENT[case]
    twin, layer = twins(kind, 4, 6, **options)
    layer.program(fine, np.random.default_rng(3))
    assert_equal(twin, layer, inputs(*shape))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}])
def test_projected_lstm_equals_its_twin(fine, options):
    twin, layer = twins("LSTM", 4, 6, proj_size=3, **options)
    layer.program(fine, np.random.default_rng(3))
    assert_equal(twin, layer, inputs(7, 5, 4))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_initial_state_is_taken(fine, kind):
    twin, layer = twins(kind, 4, 6, num_layers=2)
    layer.program(fine, np.random.default_rng(3))
    h = inputs(2, 5, 6)
    assert_equal(twin, layer, inputs(7, 5, 4), (h, 2 * h) if kind == "LSTM" else h)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("lengths", [[7, 5, 3, 2], [2, 7, 3, 5]])
@pytest.mark.parametrize("grad", [True, False])
def test_packed_sequences_equal_their_twins(fine, kind, lengths, grad):
    twin, layer = twins(kind, 4, 6, num_layers=2, bidirectional=True)
    layer.program(fine, np.random.default_rng(3))
    ordered = lengths == sorted(lengths, reverse=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        inputs(7, 4, 4), torch.tensor(lengths), enforce_sorted=ordered
    )
    with torch.set_grad_enabled(grad):
        expected, states = twin(packed)
        got, found = layer(packed)
    torch.testing.assert_close(got.data, expected.data, **FINE)
    assert torch.equal(got.batch_sizes, expected.batch_sizes)
    for a, b in zip(flat(found), flat(states), strict=True):
        torch.testing.assert_close(a, b, **FINE)
    if not ordered:
        assert torch.equal(got.unsorted_indices, expected.unsorted_indices)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 5, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_equals_its_twin(fine, shape, bias):
    twin, layer = twins("Linear", 4, 6, bias=bias)
    layer.program(fine, np.random.default_rng(3))
    assert_equal(twin, layer, inputs(*shape))


def test_linear_with_a_curve_is_the_activation_too(fine):
    twin, layer = twins("Linear", 4, 6)
    layer.curve = "sigmoid"
    layer.program(fine, np.random.default_rng(3))
    assert_equal(
        torch.nn.Sequential(twin, torch.nn.Sigmoid()), torch.nn.Sequential(layer), inputs(5, 4)
    )


def test_a_ramp_converts_the_cell_state(fine):
    twin, _ = twins("LSTM", 4, 6, num_layers=2)
    layer = nn.program(twin, fine, np.random.default_rng(3), cell_tanh="ramp")
    assert list(layer.ramps) == ["_l0", "_l1"]
    assert "by a ramp: LSTM" in nn.report(layer)
    assert_equal(twin, layer, inputs(7, 5, 4))
    coarse = nn.program(twin, fine.replace(bits=3), np.random.default_rng(3), cell_tanh="ramp")
    with torch.no_grad():
        _, (h, _) = coarse(inputs(7, 5, 4))
    # An odd number of eighths (the tanh) times an odd number of sixteenths (the gate).
    assert np.all(h.double().numpy() * 128 % 2 == 1)


def reset_first(twin, x):
    """The GRU with the gate before the product, one layer, from its equations."""
    h = torch.zeros(x.shape[1], twin.hidden_size)
    outputs = []
    for x_t in x:
        a = torch.nn.functional.linear(x_t, twin.weight_ih_l0, twin.bias_ih_l0).chunk(3, dim=1)
        w = twin.weight_hh_l0.chunk(3)
        b = twin.bias_hh_l0.chunk(3)
        r = torch.sigmoid(a[0] + h @ w[0].T + b[0])
        z = torch.sigmoid(a[1] + h @ w[1].T + b[1])
        n = torch.tanh(a[2] + (r * h) @ w[2].T + b[2])
        h = (1 - z) * n + z * h
        outputs.append(h)
    return torch.stack(outputs)


def test_gru_with_reset_before_the_product(fine):
    twin, layer = twins("GRU", 4, 6, reset="before")
    x = inputs(7, 5, 4)
    torch.testing.assert_close(layer(x)[0], reset_first(twin, x))
    layer.program(fine, np.random.default_rng(3))
    torch.testing.assert_close(layer(x)[0], reset_first(twin, x), **FINE)
    assert (twin(x)[0] - reset_first(twin, x)).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["Linear", "RNN", "LSTM", "GRU"])
def test_before_programming_a_layer_is_its_float_twin(kind):
    twin, layer = twins(kind, 4, 6)
    x = 10 * inputs(7, 5, 4)
    for a, b in zip(flat(layer(x)), flat(twin(x)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["Linear", "RNN", "LSTM", "GRU"])
def test_large_inputs_and_biases_keep_the_law(fine, kind):
    """x_scale moves the input's scale into the weights; a large bias takes several rows."""
    twin, layer = twins(kind, 4, 6)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            parameter.mul_(5 if "bias" in name else 0.2)
    layer.load_state_dict(twin.state_dict())
    layer.x_scale = 8.0
    layer.program(fine, np.random.default_rng(3))
    assert max(chip.bias_rows for chip in layer.chips.values()) > 1
    x = 8 * inputs(7, 5, 4)
    for a, b in zip(flat(layer(x)), flat(twin(x)), strict=True):
        # The input's step is 8 / 4096, and so is that of a linear result.
        torch.testing.assert_close(a, b, rtol=0, atol=4e-3)
