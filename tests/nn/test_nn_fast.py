"""Law: the kernel of all steps, torch's buffers and the macro give the same outputs."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import aimc
from aimc import nn
from aimc.converters.imperfections import ComparatorOffset
from aimc.kernels.noise import normals
from aimc.kernels.read import tanh
from aimc.nn.torch_plan import Buffers
from aimc.parts.device import ReadNoise
from aimc.parts.wires import Wires

IDEAL = aimc.load("ideal-5bit")
NOISES = {
    "quiet": {},
    "one sigma": {"on_read": (ReadNoise(2e-6),)},
    "own sigma": {"on_read": (ReadNoise(1e-6, 0.02),)},
    "through wires": {"on_read": (ReadNoise(1e-6, 0.02),), "wires": Wires(20.0, 20.0, 50.0, 9.0)},
}
KINDS = {
    "RNN": {},
    "LSTM": {},
    "GRU": {},
    "projected": {"proj_size": 3},
    "ramp": {},
    "both directions": {"bidirectional": True, "num_layers": 2},
}


def chips(kind, hardware, **options):
    """Two copies of one chip."""
    torch.manual_seed(0)
    name = kind if hasattr(torch.nn, kind) else "LSTM"
    model = getattr(torch.nn, name)(4, 6, **KINDS[kind])
    if kind == "ramp":
        options["cell_tanh"] = "ramp"
    return [nn.program(model, hardware, np.random.default_rng(1), **options) for _ in range(2)]


@pytest.fixture
def x():
    return 2 * torch.rand(9, 8, 4, generator=torch.Generator().manual_seed(2)) - 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    ("bits", "arrays"),
    [(1, {}), (5, {}), (8, {}), (5, {"rows": 4}), (5, {"rows": 4, "stack": 2, "cols": 7})],
)
def test_equal_to_the_macro_bit_for_bit(kind, noise, bits, arrays, x, monkeypatch):
    """Whatever the arrays that a matrix takes: row blocks and stacks have plans too."""
    size = {"cols": 10, **NOISES[noise], **arrays}
    hardware = IDEAL.replace(bits=bits, imperfections=(ComparatorOffset(2e-3),), **size)
    fast, slow = chips(kind, hardware)
    planned = [chip.plan(torch.float64) for chip in fast.chips.values()]
    assert planned
    assert None not in planned
    with torch.no_grad():
        got = fast(x.double())
        monkeypatch.setattr("aimc.nn.layers.bridge.Chip.plan", lambda self, dtype: None)
        expected = slow(x.double())
    assert torch.equal(got[0], expected[0])


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_float64_up_to_ties(kind, x):
    single = chips(kind, IDEAL.replace(bits=8), dtype=torch.float32)[0]
    double = chips(kind, IDEAL.replace(bits=8))[0]
    with torch.no_grad():
        assert (single(x)[0] - double(x)[0]).abs().mean() < 1e-3


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("rows", [128, 4])
def test_buffers_are_the_kernel(device, noise, dtype, rows):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    hardware = IDEAL.replace(**{**NOISES[noise], "rows": rows})
    chip = chips("LSTM", hardware, dtype=dtype)[0].chips["gates_l0"]
    plan = chip.plan(dtype)
    z = (2 * torch.rand(50, 10, generator=torch.Generator().manual_seed(3)) - 1).to(dtype)
    expected = torch.from_numpy(plan.read(z.numpy(), np.random.default_rng(4)))
    draws = torch.from_numpy(plan.draws(1, 50, np.random.default_rng(4))[0]).to(device)
    noisy = plan.arrays.noise
    assert bool(noisy.cross.size) == (noise == "through wires")
    assert plan.error <= (0.01 if noisy.cross.size else 0.0)
    got = Buffers.of(plan.arrays, torch.device(device))(z.to(device), draws).cpu()
    agree = (got == expected).double().mean()
    assert agree == 1 if dtype == torch.float64 else agree > 0.99


@pytest.mark.parametrize("noise", ["own sigma", "through wires"])
def test_float32_noise_has_the_macros_deviation(noise):
    device = IDEAL.replace(bits=12, **NOISES[noise])
    model = torch.nn.Linear(4, 6)
    x = torch.full((20000, 4), 0.5)
    spread = []
    for dtype in (torch.float64, torch.float32):
        chip = nn.program(model, device, np.random.default_rng(1), dtype=dtype)
        with torch.no_grad():
            spread.append(chip(x).double().std(dim=0))
    torch.testing.assert_close(spread[1], spread[0], rtol=0.04, atol=0)


def test_normals_are_normal(rng):
    state = rng.integers(1, 2**32, size=(4, 256), dtype=np.uint32)
    words = np.empty((4000, 256), np.uint32)
    normals.words(state, words)
    assert abs(words.mean() / 2**32 - 0.5) < 2e-3
    z = np.empty(words.size, np.float32)
    normals.normals(words.ravel(), z)
    moments = [(z.astype(float) ** k).mean() for k in range(1, 5)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.02)


def test_tanh_to_the_last_places():
    x = np.concatenate([np.linspace(-25, 25, 10001), [1e-300, -1e-10, 0.0]])
    y = np.empty_like(x)
    tanh.tanh(x, y)
    np.testing.assert_allclose(y, np.tanh(x), rtol=1e-15, atol=0)


def test_torch_keeps_its_threads():
    """numba's OpenMP layer would set those of everybody, once it is started."""
    code = (
        "import numpy as np, torch; before = torch.get_num_threads(); import aimc; "
        "from aimc import nn; "
        "chip = nn.program(torch.nn.LSTM(4, 6), aimc.load('taox-1t1r-128'), "
        "np.random.default_rng(0)); chip(torch.zeros(2, 3, 4)); "
        "assert before == torch.get_num_threads() == 1, torch.get_num_threads()"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
