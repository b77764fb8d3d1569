"""How much slower is an LSTM on simulated arrays than torch.nn.LSTM? One table, one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/speed/rnn.py [--json FILE]

Input x hidden, 50 steps, batch 64, five-bit converters and drivers. Milliseconds a sequence,
medians of `--repeat` rounds; `ratio` is to torch.nn.LSTM in float32 in the same run. Training is
one forward and one backward pass. The floor is the arrays' matrix products alone, one a step, by
the BLAS that the chip uses. "noise" is read noise of one sigma for all cells, whose sum is as cheap
as a constant output noise; "own sigma" gives every cell one of its own, which takes a second matrix
product. The card has wires and read noise, arrays of 128 x 64 weights, and where the rows take
several arrays their partial sums are added digitally. At last, microseconds of one input through
Linear 100 x 64, beside the kernel that reads it. aihwkit's LSTM is added where it is installed:
tiles in torch (TorchInferenceRPUConfig), 32 steps in and out, output noise, no other imperfection.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import aimc
from aimc import nn
from aimc.parts.device import ReadNoise

SIZES = ((40, 32), (128, 512))
STEPS, BATCH = 50, 64
CARD = "taox-1t1r-128"
Row = Callable[[torch.Tensor], torch.Tensor]


def aihwkit(inputs: int, hidden: int, training: bool) -> Row | None:
    try:
        from aihwkit.nn import AnalogLSTMCell, AnalogRNN
        from aihwkit.simulator.configs import TorchInferenceRPUConfig
    except ImportError:
        return None
    config = TorchInferenceRPUConfig()
    config.mapping.max_input_size = config.mapping.max_output_size = 0
    config.forward.inp_res = config.forward.out_res = 1 / 32
    config.forward.out_noise = 0.01
    config.forward.w_noise = 0.0
    model = AnalogRNN(AnalogLSTMCell, inputs, hidden, rpu_config=config).train(training)
    state = [tuple(torch.zeros(BATCH, hidden) for _ in range(2))]
    return lambda x: model(x, state)[0]


def products(inputs: int, hidden: int) -> Row:
    """What no read can be faster than: a matrix product for each step."""
    v, g = (np.ones(shape, np.float32) for shape in ((BATCH, inputs + hidden), (1, 4 * hidden)))
    g = np.repeat(g, inputs + hidden, axis=0)
    i = np.empty((BATCH, 4 * hidden), np.float32)

    def call(x: torch.Tensor) -> torch.Tensor:
        for _ in range(len(x)):
            np.matmul(v, g, out=i)
        return x

    return call


def rows(inputs: int, hidden: int) -> dict[str, tuple[Row, bool]]:
    """What is measured: by name, the call and whether it is trained."""
    torch.manual_seed(0)
    model = torch.nn.LSTM(inputs, hidden)
    base = aimc.load("ideal-5bit").replace(rows=1024, cols=2048)
    noisy = base.replace(on_read=(ReadNoise(1e-6),))
    own = base.replace(on_read=(ReadNoise(1e-7, 0.01),))

    def chip(hardware: aimc.Hardware, dtype: torch.dtype) -> Row:
        layer = nn.program(model, hardware, np.random.default_rng(0), dtype=dtype)
        return lambda x: layer(x)[0]

    double = torch.nn.LSTM(inputs, hidden).double()
    found: dict[str, tuple[Row | None, bool]] = {
        "torch.nn.LSTM": (lambda x: model(x)[0], False),
        "torch.nn.LSTM, float64": (lambda x: double(x.double())[0], False),
        "chip, float32, noise": (chip(noisy, torch.float32), False),
        "chip, float32": (chip(base, torch.float32), False),
        "chip, float32, own sigma": (chip(own, torch.float32), False),
        "chip, float64, noise": (chip(noisy, torch.float64), False),
        f"{CARD}, float32": (chip(aimc.load(CARD), torch.float32), False),
        "floor: products, float32": (products(inputs, hidden), False),
        "aihwkit": (aihwkit(inputs, hidden, False), False),
        "training: torch.nn.LSTM": (lambda x: model(x)[0], True),
        "training: chip, float32, noise": (chip(noisy, torch.float32), True),
        "training: chip, float64, noise": (chip(noisy, torch.float64), True),
        "training: aihwkit": (aihwkit(inputs, hidden, True), True),
    }
    return {name: (call, train) for name, (call, train) in found.items() if call is not None}


def once(call: Row, x: torch.Tensor, training: bool, times: int = 1) -> float:
    """Mean time of so many runs [ms]."""
    start = time.perf_counter()
    for _ in range(times):
        if training:
            call(x).sum().backward()
        else:
            with torch.no_grad():
                call(x)
    return 1e3 * (time.perf_counter() - start) / times


def measure(inputs: int, hidden: int, repeat: int) -> dict[str, float]:
    """Median times [ms] of rounds in which each row runs for some tenth of a second in turn, so
    that a slow moment of the machine meets all of them; after one run that is not counted."""
    x = 2 * torch.rand(STEPS, BATCH, inputs) - 1
    calls = rows(inputs, hidden)
    for call, training in calls.values():
        once(call, x, training)
    times = {
        name: max(1, int(100 / once(call, x, training))) for name, (call, training) in calls.items()
    }
    rounds = [
        {name: once(call, x, train, times[name]) for name, (call, train) in calls.items()}
        for _ in range(repeat)
    ]
    return {name: statistics.median(each[name] for each in rounds) for name in calls}


def one_input(card: str, dtype: torch.dtype) -> tuple[float, float]:
    """Median times [us] of one input through a Linear of 100 x 64 and through its kernel."""
    torch.manual_seed(0)
    chip = nn.program(
        torch.nn.Linear(100, 64), aimc.load(card), np.random.default_rng(0), dtype=dtype
    )
    (read,) = chip.chips.values()
    x, plan = torch.rand(1, 100), read.plan(dtype)
    assert plan is not None
    row = x.to(dtype).numpy()

    def median(call: Callable[[], object]) -> float:
        times = []
        for _ in range(2000):
            start = time.perf_counter_ns()
            call()
            times.append(time.perf_counter_ns() - start)
        return statistics.median(times) / 1e3

    with torch.no_grad():
        return median(lambda: chip(x)), median(lambda: plan.read(row, read.rng))


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    about: dict[str, Any] = {
        "machine": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
        **{name: version(name) for name in ("torch", "numpy", "numba", "aihwkit")},
    }
    print(*(f"{key}: {value}" for key, value in about.items()), sep="  ")
    result = {}
    for inputs, hidden in SIZES:
        ms = measure(inputs, hidden, args.repeat)
        result[f"{inputs} x {hidden}"] = ms
        print(f"\n{f'{inputs} x {hidden}':32} {'ms':>9} {'ms a step':>10} {'ratio':>7}")
        for name, value in ms.items():
            base = ms["training: torch.nn.LSTM" if "training" in name else "torch.nn.LSTM"]
            print(f"{name:32} {value:9.2f} {value / STEPS:10.4f} {value / base:7.2f}", flush=True)
    print(f"\n{'Linear 100 x 64, one input':32} {'us':>9} {'kernel us':>10} {'ratio':>7}")
    for card in ("ideal-5bit", CARD):
        for dtype in (torch.float32, torch.float64):
            layer, kernel = one_input(card, dtype)
            name = f"{card}, {str(dtype).removeprefix('torch.')}"
            result[f"one input, {name}"] = {"layer [us]": layer, "kernel [us]": kernel}
            print(f"{name:32} {layer:9.1f} {kernel:10.1f} {layer / kernel:7.2f}")
    if args.json:
        part = args.json.with_suffix(".part")
        part.write_text(json.dumps({"about": about, "ms": result}, indent=1) + "\n")
        part.replace(args.json)


if __name__ == "__main__":
    main()
