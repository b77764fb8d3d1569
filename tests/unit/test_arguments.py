"""Laws of doors: whatever comes in the place of an argument, it works or is refused by its name."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import aimc
from aimc import Condition, Crossbar, cards, cost, plots
from aimc.converters import SARADC, FlashADC, LinearRampADC, metrics
from aimc.converters.base import Site
from aimc.converters.ramp import RampADC
from aimc.errors import AimcError
from aimc.macro import trim
from aimc.plots import arrays as plots_arrays
from aimc.plots import cost as plots_cost
from aimc.plots import ramps as plots_ramps
from aimc.plots.style import new_figure

BAD = {
    "none": None, "number": 3, "negative": -1, "nan": float("nan"), "text": "foo", "empty": (),
    "no numbers": [float("nan")], "list": [1], "ragged": [[1, 2], [3]], "object": object(),
}  # fmt: skip
ADCS = (RampADC(), SARADC(), FlashADC(), LinearRampADC())
HARDWARE = aimc.load("taox-1t1r-128").replace(rows=8, cols=4)
# Under which name the message has them.
ALSO = {"function": "`curve`", "card": "card"}


def rng():
    return np.random.default_rng(0)


W, X = rng().normal(0, 0.3, (8, 4)), rng().uniform(-1, 1, (64, 8))


def calls_of_macros():
    macro = HARDWARE.program(W, rng(), "tanh")
    yield "Hardware.program", HARDWARE.program, {"w": W, "rng": rng(), "curve": "tanh"}
    yield "Macro", macro, {"x": X, "rng": rng()}
    yield "Macro.digital", macro.digital, {"total": np.zeros((2, 4))}
    for of in (macro, macro.only):
        name, columns = type(of).__name__, [ramp.columns for _, ramp in macro.ramps]
        yield f"{name}.trace", of.trace, {"x": X, "rng": rng()}
        yield f"{name}.under", of.under, {"condition": Condition(1.0), "rng": rng()}
        yield f"{name}.recalibrated", of.recalibrated, {"rng": rng(), "method": "none"}
        yield f"{name}.trimmed", of.trimmed, {"columns": columns}
    steps = {"offset_step": 0.0, "gain_step": 0.0}
    yield "trim.columns", trim.columns, {"macro": macro, "w": W, "x": X, "rng": rng(), **steps}
    yield "trim.compensated", trim.compensated, {"macro": macro, "rng": rng(), "reads": 8}


def calls_of_converters(adc):
    device, ask = HARDWARE.device, {"fit": "best", "refer": "input"}
    asked = {"function": "tanh", "device": device}
    alone = adc.program("tanh", device, rng())
    made = alone.shared_by(4, rng())
    yield "program", adc.program, {**asked, "rng": rng(), "site": Site(), "chips": 2}
    if isinstance(adc, RampADC):
        yield "design", adc.design, asked
    yield "calibrated", adc.calibrated, {"made": made, "rng": rng(), "method": None}
    yield "convert", made.convert, {"u": np.zeros((2, 4)), "rng": rng()}
    yield "call", made, {"x": np.zeros((2, 4)), "rng": rng()}
    yield "decode", made.decode, {"code": np.zeros(3, int)}
    yield "shared_by", made.shared_by, {"cols": 4, "rng": rng()}
    yield "under", made.under, {"condition": Condition(1.0), "rng": rng(), "retained": 1.0}
    yield "recalibrated", made.recalibrated, {"rng": rng(), "method": None}
    for function in (metrics.inl, metrics.dnl):
        yield function.__name__, function, {"ramp": alone, **ask}
    for function in (metrics.missing_codes, metrics.monotone, metrics.errors,
                     metrics.transition_noise):  # fmt: skip
        yield function.__name__, function, {"ramp": alone}
    yield "transfer", metrics.transfer, {"ramp": alone, "x": np.zeros(3)}
    yield "enob", metrics.enob, {"ramp": alone, "points": 64, "cycles": 7, "rng": None}
    yield "code_density", metrics.code_density, {"ramp": alone, "samples": 4, "rng": None}
    yield "share_below", metrics.share_below, {"ramp": alone, "limit": 1.0}
    yield "compensated", trim.converter, {"ramp": alone}


def calls_of_cells():
    g, v, device = np.full((3, 2), 1e-5), np.zeros((1, 3)), HARDWARE.device
    crossbar = Crossbar(g)
    yield "Crossbar.read", crossbar.read, {"v": v, "rng": rng(), "duration": np.ones((1, 3))}
    yield "Crossbar.noise", crossbar.noise, {"v": v, "rng": rng()}
    yield "Crossbar.solve", crossbar.solve, {"v": v}
    yield "Device.write", device.write, {"g_target": g, "rng": rng()}
    yield "Device.rewrite", device.rewrite, {"g_target": g, "rng": rng()}
    yield "Device.age", device.age, {"g": g, "t": 1.0, "rng": rng()}
    yield "Device.equivalent_age", device.equivalent_age, {"condition": Condition()}
    yield "Device.retained", device.retained, {"condition": Condition()}
    yield "Device.heated", device.heated, {"g": g, "temperature": None}
    yield "Device.read", device.read, {"g": g, "rng": rng(), "t": 0.0}
    yield "Device.read_sigma", device.read_sigma, {"g": g, "t": 0.0}
    yield "Driver.drive", HARDWARE.driver.drive, {"x": X}
    yield "Driver.pulses", HARDWARE.driver.pulses, {"x": X}
    yield "Mapping.scale", HARDWARE.mapping.scale, {"w": W}
    fields = {"temperature": None, "v_read": 0.2, "bits": 3, "stored_at": None}
    yield "Condition", Condition, {"age": 0.0, **fields}
    yield "Site", Site, {"gain": 1.0, "v_read": 0.2, "c_array": 1e-12, "window": 0.0}


def calls_of_cards():
    yield "load", cards.load, {"card": "ideal-5bit"}
    yield "read", cards.read, {"card": "ideal-5bit"}
    yield "dump", cards.dump, {"hardware": HARDWARE, "source": "here"}
    yield "digest", cards.digest, {"hardware": HARDWARE}


def calls_of_plots():
    macro = HARDWARE.program(W, rng(), "tanh")
    ramp, label = macro.ramps[0][1], {"label": "of this"}
    axes = new_figure(2, 2).subplots()
    axes.set_xscale("log")
    bill = cost.bill(macro)
    point = plots_cost.Point("a", 5, 1e-9, 0.9)
    row = {"card": "a", "bits": 5, "training": "plain", "effects": "all", "hours": None,
           "energy_per_inference": 1e-9, "mean": 0.9}  # fmt: skip
    solution = macro.crossbar.solve(np.ones((1, 8)))
    yield "conductance_map", plots.conductance_map, {"macro": macro}
    yield "voltage_map", plots.voltage_map, {"solution": solution, "read": 0, **label}
    for function in (plots.transfer_curve, plots.ramp_levels, plots_ramps.transfer_over_chips):
        yield function.__name__, function, {"ramp": ramp, **label}
    yield "conversion", plots.conversion, {"result": None}  # and `spice`
    yield (
        "confusion_matrix",
        plots.confusion_matrix,
        {"counts": np.eye(2), "classes": ("a", "b"), **label},
    )
    accuracy = {"accuracy": {"a": [0.5]}, "float_accuracy": 0.9, **label}
    yield "accuracy_over_chips", plots.accuracy_over_chips, accuracy
    yield (
        "inl_over_chips",
        plots_ramps.inl_over_chips,
        {"ramps": {"a": ramp}, "shown": "a", **label},
    )
    yield "parts", plots_cost.parts, {"bills": {"a": bill}, **label}
    yield "stack", plots_cost.stack, {"axes": axes, "bills": {"a": bill}, "what": "area"}
    yield "timeline", plots_cost.timeline, {"bill": bill, **label}
    yield "efficiency", plots_cost.efficiency, {"bills": {"a": [bill]}, **label}
    yield "points", plots_cost.points, {"records": [{"rows": [row]}], "key": "mean"}
    best = {"measured": [point], "rising": True}
    yield "pareto", plots_cost.pareto, {**best, "measure": "accuracy"}
    yield "front", plots_cost.front, best
    yield "plain", plots_cost.plain, {"axis": axes.xaxis}
    yield "save", plots.save, {"figure": axes.figure, "path": "never.png"}


@cache
def doors() -> dict[str, tuple[Any, dict[str, Any]]]:
    found: dict[str, tuple[Any, dict[str, Any]]] = {}
    for name, function, good in (
        *calls_of_macros(), *calls_of_cells(), *calls_of_cards(), *calls_of_plots()
    ):  # fmt: skip
        found[name] = function, good
    for adc in ADCS:
        for name, function, good in calls_of_converters(adc):
            found[f"{type(adc).__name__} {name}"] = function, good
    return found


@pytest.mark.parametrize("what", BAD)
def test_whatever_comes_works_or_is_refused_by_its_name(what):
    for door, (function, good) in doors().items():
        for name in good:
            refused = None
            try:
                function(**{**good, name: BAD[what]})
            except AimcError as error:
                refused = str(error)
            except Exception as error:
                raise AssertionError(f"{door}, {name} = {BAD[what]!r}") from error
            assert refused is None or ALSO.get(name, f"`{name}`") in refused, (door, name)


@pytest.mark.parametrize("adc", ADCS, ids=lambda adc: type(adc).__name__)
def test_a_calibration_that_a_converter_has_not_is_refused(adc):
    macro = HARDWARE.replace(adc=adc).program(W, rng(), "tanh")
    with pytest.raises(AimcError, match="`method` must"):
        macro.recalibrated(rng(), "foo")
    if not isinstance(adc, RampADC):
        with pytest.raises(AimcError, match=f"be None for {type(adc).__name__}"):
            macro.recalibrated(rng(), "closed-loop")


def test_every_public_figure_is_asked():
    public = {
        name
        for module in (plots_arrays, plots_cost, plots_ramps)
        for name, each in vars(module).items()
        if callable(each) and each.__module__ == module.__name__ and name[0] != "_"
    }
    assert public - {"Point"} <= set(doors())


def test_noise_of_many_columns_at_once_is_not_measured():
    many = FlashADC().program("tanh", HARDWARE.device, rng()).shared_by(4, rng())
    with pytest.raises(AimcError, match="`ramp` must be of one chip and column"):
        metrics.enob(many, 64, 7, rng())
