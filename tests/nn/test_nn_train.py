"""Gradients through a chip, and training with chips in the loop."""

import numpy as np
import pytest
import torch

import aimc
from aimc import nn


@pytest.fixture(scope="module")
def fine():
    return aimc.load("ideal-5bit").replace(bits=12)


def test_a_saturated_input_or_result_has_no_gradient(fine, rng):
    layer = nn.Linear(1, 2, bias=False, x_scale=1.0, y_range=0.5)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.4], [0.9]]))
    layer.program(fine, rng)
    x = torch.tensor([[0.3], [0.9], [1.5]], requires_grad=True)
    y = layer(x)
    np.testing.assert_allclose(y.detach()[:2], [[0.12, 0.27], [0.36, 0.5]], atol=5e-4)
    y.sum().backward()
    assert x.grad is not None
    # 0.4 + 0.9; the second result clips; the input clips.
    np.testing.assert_allclose(x.grad, [[1.3], [0.4], [0.0]], atol=1e-6)


def test_a_custom_curve_has_its_numerical_slope(fine, rng):
    softsign = aimc.Curve("softsign", lambda u: u / (1 + np.abs(u)), -0.8, 0.8)
    layer = nn.Linear(3, 4, curve=softsign).program(fine, rng)
    x = (2 * torch.rand(6, 3) - 1).mul(0.9).requires_grad_()
    y = layer(x)
    u = torch.nn.functional.linear(x, layer.weight, layer.bias)
    expected = u / (1 + u.abs())
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-3)
    slope = torch.autograd.grad(y.sum(), x)[0]
    torch.testing.assert_close(slope, torch.autograd.grad(expected.sum(), x)[0], rtol=0, atol=1e-4)


def test_values_are_the_chips_and_not_the_floats(rng):
    """Three bits: only eight values come out, with and without gradients."""
    layer = nn.Linear(3, 40, curve="sigmoid")
    layer.program(aimc.load("ideal-5bit").replace(bits=3), rng)
    x = 2 * torch.rand(50, 3) - 1
    y = layer(x)
    assert y.requires_grad
    assert set((8 * y.detach().numpy() - 0.5).ravel()) <= set(range(8))
    with torch.no_grad():
        assert torch.equal(layer(x), y)


def last_is_larger(x):
    return (x[-1, :, 0] > x[0, :, 0]).long()


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_training_with_chips_in_the_loop_lowers_the_loss(kind):
    """A noisy three-bit chip, written anew after every step, learns to compare two inputs."""
    torch.manual_seed(0)
    hardware = aimc.load("taox-1t1r-128").replace(bits=3)
    rng = np.random.default_rng(0)
    model = torch.nn.ModuleDict(
        {"rnn": getattr(torch.nn, kind)(1, 8), "head": torch.nn.Linear(8, 2)}
    )
    chip = nn.program(model, hardware, rng)
    optimiser = torch.optim.Adam(chip.parameters(), lr=0.03)
    losses = []
    for _ in range(60):
        x = 2 * torch.rand(4, 64, 1) - 1
        logits = chip["head"](chip["rnn"](x)[0][-1])
        loss = torch.nn.functional.cross_entropy(logits, last_is_larger(x))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        nn.reprogram(chip, rng)
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


def test_a_chip_is_frozen_until_it_is_programmed_again(fine, rng):
    layer = nn.Linear(3, 2).program(fine, rng)
    x = torch.rand(4, 3)
    with torch.no_grad():
        before = layer(x)
        layer.weight.zero_()
        layer.bias.zero_()
        assert torch.equal(layer(x), before)
        nn.reprogram(layer, rng)
        assert layer(x).abs().max() < 1e-3
