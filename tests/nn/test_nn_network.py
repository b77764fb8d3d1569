"""Law: in torch the transfer matrices are those of the kernels, for every topology."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aimc.errors import ArgumentError, NotConverged
from aimc.kernels.wires import network
from aimc.nn import wires as batched
from aimc.parts.wires import Wires

WIRES = Wires(1.0, 2.0, 3.0, 4.0)
OHM = (0.0, 0.3, 2.0, 50.0)


def kernels(g, w):
    return network.transfers(g, w.topology(g.shape[1:]))


def error(got, g, wires):
    expected = kernels(g, wires)
    assert got.shape == expected.shape
    return np.abs(got.double().numpy() - expected).max() / max(np.abs(expected).max(), 1e-300)


@st.composite
def circuits(draw, side=40):
    """Two arrays g [S] with open cells, and wires; every side of one cell comes up often."""
    sides = st.one_of(st.just(1), st.integers(1, side))
    shape = (2, draw(sides), draw(sides))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wires = Wires(
        *(draw(st.sampled_from(OHM)) for _ in range(4)),
        drive=draw(st.sampled_from(["left", "right", "both"])),
        sense=draw(st.sampled_from(["bottom", "top", "both"])),
    )
    return rng.uniform(1e-6, 150e-6, shape) * (rng.random(shape) > 0.1), wires


@given(circuits())
def test_equal_to_the_kernels(circuit):
    g, wires = circuit
    got = batched.transfers(g, wires, device="cpu")
    assert got.dtype == torch.float64
    assert error(got, g, wires) < 1e-10


@given(circuits())
def test_float32_errs_at_most_1e_4(circuit):
    g, wires = circuit
    got = batched.transfers(g, wires, device="cpu", dtype=torch.float32)
    assert got.dtype == torch.float32
    assert error(got, g, wires) < 1e-4


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_every_topology(drive, sense, rng):
    g = rng.uniform(2e-6, 150e-6, (2, 13, 37))
    for resistances in ((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 0.0, 0.0), (0.0, 0.0, 3.0, 4.0)):
        wires = Wires(*resistances, drive=drive, sense=sense)
        assert error(batched.transfers(g, wires, device="cpu"), g, wires) < 1e-10


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 130), (2, 130, 1), (2, 65, 100)])
def test_odd_shapes(shape, rng):
    g = rng.uniform(2e-6, 150e-6, shape)
    assert error(batched.transfers(g, WIRES, device="cpu"), g, WIRES) < 1e-10


@settings(max_examples=20)
@given(circuits())
def test_without_wire_resistance_it_is_g_bit_for_bit(circuit):
    g, wires = circuit
    ideal = Wires(drive=wires.drive, sense=wires.sense)
    given_tensor = torch.tensor(g)
    got = batched.transfers(given_tensor, ideal, device="cpu")
    assert torch.equal(got, given_tensor)
    assert got.data_ptr() != given_tensor.data_ptr()


@pytest.mark.parametrize("drive", ["left", "both"])
def test_gradient(drive):
    g = torch.rand((2, 3, 5), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wires = Wires(0.1, 0.2, 0.05, 0.3, drive=drive, sense="both")
    g.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: batched.transfers(x, wires, device="cpu"), g)


def test_chunks_change_nothing(rng):
    g = rng.uniform(2e-6, 150e-6, (7, 20, 30))
    whole = batched.transfers(g, WIRES, device="cpu")
    for limit in (1, 2**21):
        parts = batched.transfers(g, WIRES, device="cpu", limit=limit)
        torch.testing.assert_close(parts, whole, rtol=1e-13, atol=0)


def test_calls_grow_with_the_logarithm_of_the_sides(rng):
    def calls(side):
        g = rng.uniform(2e-6, 150e-6, (1, side, side))
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            batched.transfers(g, WIRES, device="cpu")
        return sum(
            event.count for event in seen.key_averages() if event.key == "aten::index_select"
        )

    assert calls(64) - calls(32) == calls(32) - calls(16)


def test_argument_is_left_alone(rng):
    g = torch.tensor(rng.uniform(2e-6, 150e-6, (2, 9, 5)))
    kept = g.clone()
    batched.transfers(g, Wires(1.0, 1.0, 1.0, 1.0, "both", "top"), device="cpu")
    assert torch.equal(g, kept)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("ends", [("left", "bottom"), ("both", "both")])
def test_cuda(ends, rng):
    g = rng.uniform(2e-6, 150e-6, (5, 100, 65))
    wires = Wires(1.0, 2.0, 3.0, 4.0, *ends)
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        got = batched.transfers(g, wires, dtype=dtype)
        assert got.is_cuda
        assert error(got.cpu(), g, wires) < tolerance


@pytest.mark.parametrize("kind", [torch.tensor, np.array])
@pytest.mark.parametrize(
    ("g", "says"),
    [
        ([[1e-6]], "`g` must have shape"),
        ([[[-1e-6]]], "`g` must be at least 0"),
        ([[[np.nan]]], "`g` must be finite"),
        ([[[np.inf]]], "`g` must be finite"),
        ([[[]]], "`g` must not be empty"),
        ([[[1e-6 + 1j]]], "`g` must be an array of real numbers"),
    ],
)
def test_bad_conductances(kind, g, says):
    with pytest.raises(ArgumentError, match=says):
        batched.transfers(kind(g), WIRES, device="cpu")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wires": 1.0}, "`wires` must be a Wires"),
        ({"dtype": torch.float16}, "`dtype` must be torch.float64 or torch.float32"),
        ({"device": "cuda:99"}, "`device` must be one that torch can use"),
        ({"device": "nowhere"}, "`device` must be one that torch can use"),
        ({"device": "meta"}, "`device` must be one that torch can use"),
        ({"limit": 0}, "`limit` must be at least 1"),
    ],
)
def test_bad_arguments(change, says):
    with pytest.raises(ArgumentError, match=says):
        batched.transfers(**{"g": np.full((1, 1, 1), 1e-6), "wires": WIRES, **change})


def test_what_cannot_be_solved_is_said():
    with pytest.raises(NotConverged):
        batched.transfers(np.full((1, 4, 4), 1e308), Wires(1e300, 1e300, 1.0, 1.0), device="cpu")
    with pytest.raises(NotConverged):
        batched.transfers(np.full((1, 4, 4), 1e300), WIRES, device="cpu", dtype=torch.float32)
