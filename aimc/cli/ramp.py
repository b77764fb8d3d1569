"""`aimc ramp`: the design of a ramp, and what chips make of it before and after calibration."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import typer

from aimc import cards
from aimc.cli import show
from aimc.cli.options import Ramp
from aimc.converters.base import Site
from aimc.converters.calibration import CALIBRATIONS
from aimc.converters.ramp import Design, ProgrammedRamp, RampADC
from aimc.cost.checks import one_of
from aimc.curves import curve as named_curve
from aimc.errors import must
from aimc.macro import Condition, Hardware
from aimc.plots import ramps as plots_ramp
from aimc.units import show as quantity

MOST = 2**23  # thresholds of all chips: 64 MiB an array


def report(given: Ramp) -> None:
    """Designs, programs, calibrates, prints; figures and JSON into `out`."""
    hardware, calibration, chips = cards.load(given.card), given.calibration, given.chips
    if not isinstance(hardware.adc, RampADC):
        came = f"{hardware.name} has a {type(hardware.adc).__name__}"
        raise must("card", "have a ramp converter", came)
    if calibration is not None:
        one_of("--calibration", calibration, CALIBRATIONS)
    adc = hardware.adc
    if given.bits is not None:
        adc = dataclasses.replace(adc, bits=given.bits)
    if chips * 2**adc.bits > MOST:
        rule = f"be at most {max(1, MOST >> adc.bits)} at {adc.bits} bits"
        raise must("--chips", rule, f"is {chips}")
    if given.out is not None:
        show.folder(given.out)
    design = adc.design(named_curve(given.curve), hardware.device)
    record = show.settings(
        hardware, curve=given.curve, bits=adc.bits, chips=chips, seed=given.seed, age=hardware.age,
        design=_designed(design),
    )  # fmt: skip
    if not design.fits:
        typer.echo(show.as_json(record) if given.json else str(design))
        design.check()
    ramps, record["calibrations"] = {}, {}
    for method in CALIBRATIONS if calibration is None else (calibration,):
        described = dataclasses.replace(adc, calibration=method)
        rng = np.random.default_rng(given.seed)
        made = described.program(design.curve, hardware.device, rng, _site(hardware, design), chips)
        stages = {"": made}
        if hardware.age:
            stages["aged"] = aged = made.under(Condition(hardware.age), rng)
            if method != "none":
                stages["again"] = aged.recalibrated(rng)
        ramps[method] = stages.get("aged", made)
        for stage, ramp in stages.items():
            name = f"{method}, {stage}" if stage else method
            record["calibrations"][name] = _measured(ramp, stage != "aged")
    shown = ramps.get(adc.calibration) or next(reversed(ramps.values()))
    record["cells"] = _cells(design, shown)
    record |= {
        "shown": shown.adc.calibration, "c_fb": shown.c_fb, "volts_per_unit": shown.gain,
        "periods": shown.periods, "conversion_time": shown.periods * (adc.t_step + adc.t_rest),
    }  # fmt: skip
    text = show.as_json(record)
    if given.json:
        typer.echo(text)
    else:
        _print(design, record)
    if given.out is not None:
        figures = {
            "ramp": plots_ramp.inl_over_chips(ramps, shown.adc.calibration, hardware.name),
            "transfer": plots_ramp.transfer_over_chips(
                shown, f"{hardware.name}, {shown.adc.calibration}"
            ),
        }
        files = show.figures(given.out, figures)
        show.wrote(*files, show.write_text(given.out / "ramp.json", text + "\n"))


def _site(hardware: Hardware, design: Design) -> Site:
    """Where the card's converters stand, for weights of which the largest is one."""
    driver, theta = hardware.driver, design.curve.thresholds(design.bits)
    volts = driver.v_read * driver.window * hardware.mapping.span(hardware.device)
    c_array = hardware.sense.c_fb or volts * (np.ptp(theta) or 1.0) / hardware.sense.swing
    grounded = hardware.wires.idle == "grounded"
    return Site(volts / c_array, driver.v_read, c_array, driver.window, grounded)


def _designed(design: Design) -> dict[str, Any]:
    return {
        "fits": design.fits, "resolved": design.resolved, "steps": design.steps.size,
        "cells": design.cells, "available": design.available, "ratio": design.ratio,
        "smallest_step": design.smallest, "write_error": design.sigma.tolist(),
        "missing_codes": design.missing, "start": design.start,
        "proposals": design.proposals(),
    }  # fmt: skip


def _measured(ramp: ProgrammedRamp, calibrated: bool) -> dict[str, Any]:
    """Worst errors of each chip, and what its calibration took, where that has just been."""
    inl = np.abs(ramp.inl()).max(axis=-1, initial=0.0)
    dnl = np.abs(ramp.dnl()).max(axis=-1, initial=0.0)
    done = ramp.report if calibrated else None
    return {
        "mean_inl_before": float(np.mean(inl if done is None else done.before)),
        "mean_inl": float(inl.mean()),
        "worst_inl": float(inl.max()),
        "mean_dnl": float(dnl.mean()),
        "worst_dnl": float(dnl.max()),
        "share_below_1_lsb": float(np.mean(np.maximum(inl, dnl) < 1.0)),
        "writes": 0.0 if done is None else float(np.mean(done.writes)),
        "reads": 0 if done is None else done.reads,
        "memory": 0 if done is None else done.memory,
    }


def _cells(design: Design, ramp: ProgrammedRamp) -> list[dict[str, Any]]:
    """Each step of the ramp: from which threshold, of how many cells, as meant and on one chip."""
    theta = design.curve.thresholds(design.bits)
    g = np.split(ramp.g_steps[0], np.cumsum(design.counts)[:-1])
    return [
        {"step": k + 1, "from": float(theta[k]), "to": float(theta[k + 1]),
         "cells": int(design.counts[k]), "target": float(design.steps[k]),
         "written": float(g[k].sum())}
        for k in range(design.steps.size)
    ]  # fmt: skip


def _print(design: Design, record: dict[str, Any]) -> None:
    out = show.console()
    verdict = "can be programmed" if design.resolved else "can be programmed, but codes will miss"
    cells = f"with cells of {design.device.name or 'this device'}"
    typer.echo(f"{record['card']}: {design}\n{verdict}, {cells}\n")
    rows = (
        (str(each["step"]), f"{each['from']:+.4f} to {each['to']:+.4f}", str(each["cells"]),
         quantity(each["target"], "S"), quantity(each["written"], "S"))
        for each in record["cells"]
    )  # fmt: skip
    chip = f"one chip, {record['shown']}" + (", aged" if record["age"] else "")
    out.print(show.columns("step", "threshold", "cells", "target", chip, rows=rows))
    chips = show.count(record["chips"], "chip")
    out.print(f"\nworst |INL| and |DNL| of a chip [LSB], over {chips}")
    if record["age"]:
        out.print(
            f"aged: {quantity(record['age'], 's')} after programming, for an array as old; "
            "again: calibrated then"
        )
    head = ("calibration", "INL before", "INL", "largest", "DNL", "largest", "below 1 LSB",
            "writes", "reads", "memory")  # fmt: skip
    worst = ("mean_inl_before", "mean_inl", "worst_inl", "mean_dnl", "worst_dnl")
    rows = (
        (name, *(f"{each[what]:.3f}" for what in worst), f"{each['share_below_1_lsb']:.1%}",
         f"{each['writes']:.3g}", str(each["reads"]), f"{each['memory']} bits")
        for name, each in record["calibrations"].items()
    )  # fmt: skip
    out.print(show.columns(*head, rows=rows))
    out.print(
        f"\nfeedback capacitor  {quantity(record['c_fb'], 'F')}, "
        f"{quantity(record['volts_per_unit'], 'V')} for a pre-activation of one\n"
        f"conversion          {record['periods']} clock periods, "
        f"{quantity(record['conversion_time'], 's')}"
    )
