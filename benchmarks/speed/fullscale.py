"""Does the language model of published size run on simulated chips? Arrays, memory, time a step.

    OMP_NUM_THREADS=1 python benchmarks/speed/fullscale.py [--card NAME] [--stack N] [--steps 10]

Embedding 128, LSTM of 2016 cells projected to 504: 633 x 8064 weights with the bias, the size of
Nat. Commun. 2025, s41467-025-56254-6, Table 1, as its 623 kB suggest. The weights are random and
untrained, so that bits per character are about those of a guess; what the chip does to the scores
is their rms difference from the float model's, over their spread. Weights, chip and characters are
those of the seed. Reads are in single precision. Rows that take more than one array are added
digitally, or, of `--stack` arrays above each other, by their charge. `--streams` texts are read
side by side, one character of each a step. Memory is
the largest of this process, all that Python and torch take included; needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import aimc
from aimc import nn
from aimc.tasks.character_modelling import SIZES
from aimc.tasks.charnet import CharNet

SYMBOLS = "abcdefghijklmnopqrstuvwxyz0123456789 .,;:!?-'\"\n()"  # fifty or so, as the texts have


def peak() -> float:
    """The largest memory of this process so far [GB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(card: str, stack: int, steps: int, streams: int, seed: int) -> dict[str, Any]:
    """One chip beside its float model."""
    torch.manual_seed(seed)
    model = CharNet(SYMBOLS, *SIZES["full"]).eval()
    codes = torch.randint(len(SYMBOLS), (streams, steps + 1))
    nn.calibrate(model, codes[:, :-1])
    started = time.perf_counter()
    hardware = aimc.load(card).replace(stack=stack)
    chip = nn.program(model, hardware, np.random.default_rng(seed), dtype=torch.float32)
    programming = time.perf_counter() - started
    bits, seconds, outputs, ready = {}, {}, {}, {}
    with torch.no_grad():
        for name, each in (("float", model), ("chip", chip)):
            started = time.perf_counter()
            each(codes[:, :1])  # compiles, and finds what the wires do
            ready[name] = time.perf_counter() - started
            started = time.perf_counter()
            outputs[name] = scores = each(codes[:, :-1])[0]
            seconds[name] = (time.perf_counter() - started) / steps
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), codes[:, 1:].flatten())
            bits[name] = float(loss) / np.log(2)
    error = (outputs["chip"] - outputs["float"]).square().mean().sqrt()
    macros = nn.macros(chip)
    return {
        "card": card,
        "weights": list(model.shape),
        "stack": stack,
        "conversions": len(macros),
        "arrays": sum(macro.arrays for macro in macros),
        "cells": sum(macro.crossbar.g.size for macro in macros),
        "streams": streams,
        "steps": steps,
        "seed": seed,
        "programming [s]": programming,
        "set-up [s]": ready["chip"],
        "chip [s a step]": seconds["chip"],
        "torch [s a step]": seconds["float"],
        "peak memory [GB]": peak(),
        "bits per character": bits,
        "rms difference over spread": float(error / outputs["float"].std()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--card", default="taox-1t1r-128")
    parser.add_argument("--stack", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = measure(args.card, args.stack, args.steps, args.streams, args.seed)
    machine = {
        "aimc": aimc.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    rows, cols = found["weights"]
    print("  ".join(f"{key}: {value}" for key, value in machine.items()))
    print(f"{args.card}, {rows} x {cols} LSTM weights with the bias, random and untrained")
    print(f"{found['arrays']} arrays, {found['cells'] / 1e6:.1f} million cells, "
          f"stacks of {args.stack}")  # fmt: skip
    print(f"programmed in {found['programming [s]']:.1f} s, ready in {found['set-up [s]']:.1f} s")
    print(f"a step of {args.streams} texts: {1e3 * found['chip [s a step]']:.1f} ms on the chip, "
          f"{1e3 * found['torch [s a step]']:.1f} ms in torch")  # fmt: skip
    print(f"peak memory {found['peak memory [GB]']:.1f} GB")
    bits, apart = found["bits per character"], found["rms difference over spread"]
    print(f"bits per character: {bits['chip']:.3f} on the chip, {bits['float']:.3f} in torch")
    print(f"scores differ by {apart:.0%} of their spread (rms)")
    if args.json:
        args.json.write_text(json.dumps({**machine, **found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
