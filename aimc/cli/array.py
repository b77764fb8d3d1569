"""`aimc simulate`: one array, random weights, measured against the exact product."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import typer

from aimc import cards, plots
from aimc.cli import show
from aimc.cli.options import Simulate
from aimc.curves import curve as named_curve
from aimc.macro import Macro
from aimc.parts.wires import Wires


def simulate(given: Simulate) -> None:
    """Programs, reads, compares, prints; figures and JSON into `out`."""
    hardware = cards.load(given.card)
    if given.bits is not None:
        hardware = hardware.replace(bits=given.bits)
    rows, cols = given.rows or hardware.rows, given.cols or hardware.cols
    function, out = named_curve(given.curve), given.out
    if out is not None:
        show.folder(out)
    rng = np.random.default_rng(given.seed)
    w, x = drawn(rng, rows, cols, given.batch, given.curve)
    macro = hardware.program(w, rng, function)
    error = (macro(x, rng) - function.f(x @ w)) / macro.lsb

    levels = hardware.adc.bits
    alone = (function.quantise(x @ w, levels) - function.f(x @ w)) / macro.lsb
    ramps = [r for part in macro.macros for _, r in part.ramps]
    result: dict[str, Any] = {
        "rms_error_lsb": _rms(error),
        "max_error_lsb": float(np.abs(error).max()),
        "rms_quantisation_lsb": _rms(alone),
        "rms_weight_error": _rms(macro.w - w) / float(np.abs(w).max()),
        "current_lost": _lost(macro.macros[0]),
        "ramps_of": "linear partial sums" if len(macro.stacks) > 1 else given.curve,
        "max_inl_lsb": max(float(np.abs(r.inl()).max(initial=0.0)) for r in ramps),
        "max_dnl_lsb": max(float(np.abs(r.dnl()).max(initial=0.0)) for r in ramps),
        "arrays": macro.arrays,
        "cells": macro.cells,
    }
    settings = show.settings(
        hardware,
        rows=rows,
        cols=cols,
        curve=given.curve,
        batch=given.batch,
        seed=given.seed,
        bits=levels,
    )
    text = show.as_json({**settings, **result})
    if given.json:
        typer.echo(text)
    else:
        _print(str(macro), result)
    if out is not None:
        first, name = macro.macros[0], hardware.name
        ramp, standing = first.ramps[0][1], first.crossbar.solve(_every_row_on(first))
        figures = {
            "conductance-map": plots.conductance_map(first),
            "voltage-map": plots.voltage_map(standing, label=f"{name}, {first.condition}"),
            "transfer-curve": plots.transfer_curve(ramp, name),
            "ramp-levels": plots.ramp_levels(ramp, name),
        }
        made = show.figures(out, figures)
        show.wrote(*made, show.write_text(out / "simulate.json", text + "\n"))


def drawn(
    rng: np.random.Generator, rows: int, cols: int, batch: int, curve: str
) -> tuple[np.ndarray, np.ndarray]:
    """Random weights (rows, cols) and inputs (batch, rows) for a converter of that curve."""
    std = 0.25 if curve == "linear" else 1.0  # of a pre-activation: four of them in +-1
    w = rng.normal(0.0, std * np.sqrt(3.0 / rows), size=(rows, cols))
    return w, rng.uniform(-1.0, 1.0, size=(batch, rows))


def _print(macro: str, result: dict[str, Any]) -> None:
    ramp = "partial ramps" if result["ramps_of"] == "linear partial sums" else "ramp"
    rows = [
        ("rms error", f"{result['rms_error_lsb']:.3f} LSB"),
        ("of a perfect converter", f"{result['rms_quantisation_lsb']:.3f} LSB"),
        ("largest error", f"{result['max_error_lsb']:.2f} LSB"),
        ("weights off by (rms)", f"{result['rms_weight_error']:.2%} of the largest"),
        ("current lost in wires", f"{result['current_lost']:.2%} with every row on"),
        (f"{ramp}, max |INL|", f"{result['max_inl_lsb']:.3f} LSB"),
        (f"{ramp}, max |DNL|", f"{result['max_dnl_lsb']:.3f} LSB"),
    ]
    typer.echo(macro + "\n")
    out = show.console()
    out.print(show.columns(rows=rows))
    if result["ramps_of"] == "linear partial sums":
        out.print("\nrows are split: INL and DNL are of the linear converters of the partial sums")


def _lost(macro: Macro) -> float:
    """Share of the current of the same cells without wires that wire resistance takes when every
    row is driven."""
    v, crossbar = _every_row_on(macro), macro.crossbar
    bare = dataclasses.replace(crossbar, wires=Wires(idle=crossbar.wires.idle))
    return float(1.0 - crossbar.read(v).sum() / bare.read(v).sum())


def _every_row_on(macro: Macro) -> np.ndarray:
    """Row voltages (1, rows) of a read with full activations [V]."""
    return np.full((1, macro.crossbar.g.shape[0]), macro.hardware.driver.v_read)


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(error))))
