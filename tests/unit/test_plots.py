"""Each figure shows the numbers it was given, needs no display, and is written whole or not."""

import subprocess
import sys

import numpy as np
import pytest

import aimc
from aimc import plots
from aimc.converters.base import ADC
from aimc.converters.ramp import RampADC
from aimc.curves import CURVES
from aimc.errors import ArgumentError
from aimc.parts import registry
from aimc.plots import ramps as plots_ramps

CLASSES = ("yes", "no", "silence")


@pytest.fixture(scope="module")
def macro():
    rng = np.random.default_rng(0)
    hardware = aimc.load("ideal-5bit").replace(rows=12, cols=6)
    return hardware.program(rng.normal(size=(12, 6)), rng, "tanh")


@pytest.fixture(scope="module")
def ramp(macro):
    return macro.ramps[0][1]


def labels(figure):
    return [label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel())]


def test_conductance_map_shows_every_cell(macro):
    figure = plots.conductance_map(macro)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(shown, macro.crossbar.g * 1e6)
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == macro.crossbar.g.size  # pyright: ignore[reportAttributeAccessIssue]
    assert "conductance [uS]" in labels(figure)


def test_transfer_curve_of_an_ideal_ramp_stays_within_half_an_lsb(ramp):
    figure = plots.transfer_curve(ramp)
    x, error = map(np.asarray, figure.axes[1].lines[0].get_data())
    theta = ramp.curve.thresholds(5)
    inside = (x > theta[0]) & (x < theta[-1])
    assert inside.sum() > 1000
    assert np.abs(error[inside]).max() == pytest.approx(0.5, abs=0.05)
    assert {"pre-activation", "output", "error [LSB]"} <= set(labels(figure))


def test_ramp_levels_shows_built_beside_ideal(ramp):
    figure = plots.ramp_levels(ramp)
    ideal, built = (np.asarray(line.get_ydata()) for line in figure.axes[0].lines)
    np.testing.assert_allclose(built, ramp.levels * 1e3)
    np.testing.assert_allclose(built, ideal, atol=1e-9)
    np.testing.assert_allclose(np.asarray(figure.axes[1].lines[1].get_ydata()), ramp.inl())
    assert "level [mV]" in labels(figure)


def test_one_bit_ramp_can_be_drawn(macro):
    one_bit = macro.hardware.replace(bits=1)
    ramp = one_bit.program(np.eye(3), np.random.default_rng(0), "sigmoid").ramps[0][1]
    assert plots.ramp_levels(ramp).axes
    assert plots.transfer_curve(ramp).axes


def test_confusion_matrix_shows_shares_of_the_true_class():
    counts = np.array([[8, 2, 0], [0, 5, 0], [0, 0, 0]])
    figure = plots.confusion_matrix(counts, CLASSES, "a test")
    shown = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(shown, [[80, 20, 0], [0, 100, 0], [0, 0, 0]])
    assert figure.axes[0].get_title() == "a test\n86.7% of 15 correct"
    with pytest.raises(ArgumentError, match="`counts` must have shape \\(3, 3\\)"):
        plots.confusion_matrix(counts[:2], CLASSES)


def test_accuracy_over_chips_shows_every_chip():
    figure = plots.accuracy_over_chips({"one": [0.5, 0.7], "two": [0.9]}, 0.95, "the data")
    for line, percent in zip(figure.axes[0].lines, (95, [50, 70], 60), strict=False):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), percent)
    assert figure.axes[0].get_title() == "the data"
    for empty in ({}, {"one": []}):
        with pytest.raises(ArgumentError, match="`accuracy` must"):
            plots.accuracy_over_chips(empty, 0.9)


@pytest.mark.parametrize("kind", registry.named(ADC).values())
def test_every_figure_draws_every_converter_and_curve(kind):
    """One column of a converter, many columns of a macro, and many chips; old ones too."""
    cells = aimc.load("taox-1t1r-128").device
    hardware = aimc.load("ideal-5bit").replace(rows=6, cols=3, adc=kind(), device=cells)
    for curve in CURVES:
        rng = np.random.default_rng(0)
        macro = hardware.program(rng.normal(0, 0.3, (6, 3)), rng, curve)
        alone = kind().program(curve, cells, rng)
        chips = kind().program(curve, cells, rng, chips=4)
        for made, count in ((macro.ramps[0][1], 3), (alone, 1), (chips, 4)):
            lines = count if made.levels.ndim > 1 else 1
            figure = plots.transfer_curve(made, "a card")
            assert len(figure.axes[0].lines) == 1 + lines
            assert figure.axes[0].get_title().startswith(f"a card, {made.curve.name}")
            assert len(plots.ramp_levels(made).axes[0].lines) == 1 + lines
            assert plots_ramps.transfer_over_chips(made).axes
            assert plots_ramps.inl_over_chips({"one": made, "two": made}).axes


def test_a_figure_names_its_state_and_counts_what_it_shows():
    hardware = aimc.load("taox-1t1r-128-aged")
    made = RampADC().program("tanh", hardware.device, np.random.default_rng(0), chips=1)
    old = made.under(aimc.Condition(hardware.age), np.random.default_rng(0))
    figure = plots_ramps.inl_over_chips({"one-point": old}, label="a card")
    assert figure.axes[0].get_title() == "a card, tanh at 5 bits, age 86.4 ks"
    assert figure.axes[1].get_title("left").startswith("one-point, age 86.4 ks: ")
    assert "mean of 1 chip" in figure.axes[1].get_legend_handles_labels()[1]
    macro = hardware.replace(rows=4, cols=2).program(np.eye(4, 2), np.random.default_rng(0))
    assert plots.conductance_map(macro).get_suptitle() == f"{hardware.name}, age 86.4 ks"


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_save_leaves_one_whole_file(ramp, tmp_path, suffix):
    path = plots.save(plots.ramp_levels(ramp), tmp_path / "deep" / f"ramp.{suffix}")
    assert path.stat().st_size > 1000
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_save_leaves_nothing_and_keeps_what_was_there(ramp, tmp_path):
    path = tmp_path / "ramp.nonsense"
    path.write_text("old")
    with pytest.raises(ValueError, match="nonsense"):
        plots.save(plots.ramp_levels(ramp), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_no_folder(ramp, tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(ArgumentError, match="`path` must lie in a folder"):
        plots.save(plots.ramp_levels(ramp), tmp_path / "file" / "a.png")


def test_plots_need_no_pyplot():
    code = "import aimc.plots, sys; print('matplotlib.pyplot' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
