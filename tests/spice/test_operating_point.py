"""A linear crossbar is the same circuit in ngspice: every node's voltage and every current.

The bound, 1e-11 of the largest value, is some hundred times what rounding makes.
"""

import errno
import itertools
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aimc
from aimc import Crossbar, Wires, spice
from aimc.errors import ArgumentError, SpiceError
from aimc.spice.dialects import named

NGSPICE = named("ngspice")
pytestmark = [pytest.mark.spice, pytest.mark.usefixtures("ngspice")]
TOPOLOGIES = list(itertools.product(["left", "right", "both"], ["bottom", "top", "both"]))


def assert_same(crossbar, v, bound=1e-11):
    found = spice.netlist(crossbar, v).run()
    solved = crossbar.solve(v)
    for name in ("row_voltage", "col_voltage", "current"):
        ours, theirs = getattr(solved, name), getattr(found, name)
        assert ours.shape == theirs.shape
        # A voltage is small where wires have little resistance; what it stands beside is v.
        scale = max(np.abs(ours).max(), 0.0 if name == "current" else np.abs(v).max())
        assert np.abs(ours - theirs).max() <= bound * scale, name


@pytest.mark.parametrize(("drive", "sense"), TOPOLOGIES)
@pytest.mark.parametrize("shape", [(8, 8), (5, 11), (16, 16), (32, 32)], ids=str)
def test_every_node_and_current_in_every_topology(shape, drive, sense, rng):
    g = rng.uniform(1e-6, 150e-6, shape) * (rng.random(shape) > 0.1)
    wires = Wires(0.35, 0.6, 40.0, 20.0, drive, sense)
    assert_same(Crossbar(g, wires), rng.normal(0, 0.2, (1, shape[0])))


def test_64_x_64(rng):
    g = rng.uniform(1e-6, 150e-6, (64, 64))
    assert_same(Crossbar(g, Wires(0.35, 0.35, 1.0, 1.0)), rng.normal(0, 0.2, (1, 64)))


OHM = st.sampled_from([0.0, 0.3, 50.0])


@settings(max_examples=40)
@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), OHM, OHM, OHM, OHM,
    st.sampled_from(TOPOLOGIES), st.floats(0, 1), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_wires_without_resistance_merge_and_open_cells_are_open(
    rows, cols, batch, r_row, r_col, r_source, r_sense, topology, closed, seed
):
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-6, 150e-6, (rows, cols)) * (rng.random((rows, cols)) < closed)
    wires = Wires(r_row, r_col, r_source, r_sense, *topology)
    text = spice.netlist(Crossbar(g, wires), np.ones(rows)).text
    assert text.count(" cell_linear g=") == np.count_nonzero(g)
    assert_same(Crossbar(g, wires), rng.normal(0, 0.2, (batch, rows)))


@settings(max_examples=30)
@given(
    st.integers(1, 5), st.integers(1, 5), OHM, OHM, OHM, OHM, st.sampled_from(TOPOLOGIES),
    st.sampled_from(["floating", "gated"]), st.floats(0.3, 1), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_idle_rows_float_or_are_gated(
    rows, cols, r_row, r_col, r_source, r_sense, topology, idle, closed, seed
):
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-6, 150e-6, (rows, cols)) * (rng.random((rows, cols)) < closed)
    v = rng.normal(0, 0.2, (1, rows)) * (rng.random((1, rows)) < 0.6)
    # A floating row hangs on its cells alone, a thousand million times less conducting than wires
    # without resistance: rounding in either solver is as much larger in its voltage.
    wires = Wires(r_row, r_col, r_source, r_sense, *topology, idle=idle)
    assert_same(Crossbar(g, wires), v, 1e-7)


@pytest.mark.parametrize("idle", ["floating", "gated"])
def test_idle_rows_of_several_inputs(idle, rng):
    """Each input makes another circuit; the results are those of each by itself."""
    crossbar = Crossbar(rng.uniform(1e-6, 1e-4, (5, 4)), Wires(1.0, 2.0, 3.0, 4.0, idle=idle))
    v = rng.normal(0, 0.2, (4, 5)) * (rng.random((4, 5)) < 0.6)
    assert_same(crossbar, v, 1e-9)
    found = spice.netlist(crossbar, v).run()
    for k in range(4):
        single = spice.netlist(crossbar, v[k]).run()
        np.testing.assert_allclose(found.current[k], single.current[0], rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("batch", [1, 2])
def test_an_array_whose_rows_all_float_is_written_and_rests(batch, rng):
    crossbar = Crossbar(rng.uniform(1e-6, 1e-4, (3, 2)), Wires(1.0, idle="floating"))
    v = np.zeros((batch, 3))
    for dialect in spice.DIALECTS:
        assert spice.netlist(crossbar, v, dialect=dialect).text
    assert not np.any(spice.netlist(crossbar, v).run().current)


def test_many_inputs_are_their_single_runs(rng):
    crossbar = Crossbar(rng.uniform(1e-6, 150e-6, (4, 3)), Wires(1.0, 1.0, 1.0, 1.0))
    v = rng.normal(0, 0.2, (5, 4))
    v[3] = v[2]
    found = spice.netlist(crossbar, v).run()
    for k in range(5):
        single = spice.netlist(crossbar, v[k]).run()
        np.testing.assert_allclose(found.current[k], single.current[0], rtol=1e-14)


def test_the_macro_s_array_at_its_drivers_voltages(rng):
    macro = aimc.load("taox-1t1r-128").program(rng.normal(size=(8, 4)), rng)
    x = rng.uniform(-1, 1, (3, 8))
    found = spice.netlist(macro, x, analysis="op").run()
    combined = macro.hardware.mapping.combine(found.current)
    np.testing.assert_allclose(combined, macro.trace(x).i, rtol=1e-10)


def test_the_shared_library_gives_the_same_answers(shared, rng):
    crossbar = Crossbar(rng.uniform(1e-6, 150e-6, (4, 3)), Wires(1.0, 1.0, 1.0, 1.0))
    for batch in (1, 3):
        netlist = spice.netlist(crossbar, rng.normal(0, 0.2, (batch, 4)))
        ours, theirs = netlist.run(spice.Ngspice()), netlist.run(shared)
        for name in ("row_voltage", "col_voltage", "current"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name))


def test_the_text_is_the_circuit_s_alone(python, rng):
    code = (
        "import numpy as np; from aimc import Crossbar, Wires, spice;"
        "g = np.random.default_rng(3).uniform(1e-6, 1e-4, (3, 4));"
        "print(spice.netlist(Crossbar(g, Wires(1.0, 2.0)), np.ones(3), seed=3), end='')"
    )
    text = python("-c", code)
    assert text == python("-c", code)
    assert "* seed 3\n" in text
    assert f"* aimc {aimc.__version__}, written for ngspice\n" in text
    names = [line for line in text.splitlines() if not line.startswith("*")]
    assert names == [line.lower() for line in names]
    assert all(len(line) < 100 for line in text.splitlines())
    g = np.random.default_rng(3).uniform(1e-6, 1e-4, (3, 4))
    assert all(f"g={float(value)!r}" in text for value in g.flat)
    saved = " ".join(text.partition(".save ")[2].partition("\n.op")[0].split("\n+ ")).split()
    assert saved == sorted(saved)
    assert len(saved) == len(set(saved))


def test_write_puts_deck_and_models_side_by_side(tmp_path, rng):
    netlist = spice.netlist(Crossbar(rng.uniform(1e-6, 1e-4, (2, 2))), np.ones(2))
    files = netlist.write(tmp_path / "new" / "array.cir")
    assert files[0].read_text() == netlist.text
    assert {file.relative_to(tmp_path / "new").as_posix() for file in files} == {
        "array.cir",
        "models/cell_linear.lib",
    }
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        "array.cir",
        "cell_linear.lib",
    }


def test_a_netlist_that_cannot_be_written_says_why(tmp_path, rng, monkeypatch):
    netlist = spice.netlist(Crossbar(rng.uniform(1e-6, 1e-4, (2, 2))), np.ones(2))
    (tmp_path / "file").touch()
    for path, said in (
        (tmp_path, "is a folder"), ("/", "is a folder"), ("", "is a folder"),
        ("/dev/full", "is a device"), ("/dev/null", "is a device"),
        ("/proc/nope/x.cir", "is refused: No such file or directory"),
        (tmp_path / "file" / "x.cir", "lies below the file"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=rf"`path` must be a file that can .* {said}"):
            netlist.write(path)
    for number, said in ((errno.EACCES, "is refused: Permission denied"),
                         (errno.ENOSPC, "finds a full disk. Free some space")):  # fmt: skip

        def refuse(self, data, number=number):
            raise OSError(number, os.strerror(number), str(self))

        monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
        with pytest.raises(ArgumentError, match=rf"`path` must be a file that can .* {said}"):
            netlist.write(tmp_path / "x.cir")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("models", ["My Models", "../a b/Deep", "a " + "very " * 30 + "long one"])
def test_models_may_lie_in_a_folder_with_blanks_and_capitals(models, tmp_path):
    crossbar = Crossbar(np.full((2, 2), 1e-5))
    netlist = spice.netlist(crossbar, np.ones(2), dialect=NGSPICE.including(models))
    np.testing.assert_allclose(netlist.run().current, 2e-5, rtol=1e-12)
    assert (tmp_path / "deck" / models / "cell_linear.lib") in netlist.write(
        tmp_path / "deck" / "a.cir"
    )


def test_nothing_is_written_into_the_header_but_a_seed_and_a_name(rng):
    crossbar = Crossbar(np.full((2, 2), 1e-5))
    for seed in ("a\nR1 0 1 k", "7", -1, 1.5, True):
        with pytest.raises(ArgumentError, match="`seed` must be"):
            spice.netlist(crossbar, np.ones(2), seed=seed)  # pyright: ignore
    for models in ('a"b', "a\nb", "a'b", "a;b", "a $ b", "a  b", "/models", "a\\b"):
        with pytest.raises(ArgumentError, match="`models` must be"):
            NGSPICE.including(models)
    hardware = aimc.load("ideal-5bit").replace(name="a\nR1 0 1 1k")
    macro = hardware.program(rng.normal(size=(2, 2)), rng)
    assert "\nR1" not in spice.netlist(macro, np.ones(2)).text


@pytest.mark.parametrize(
    ("name", "params", "match"),
    [
        ("cell_linear", {}, "parameters of cell_linear: g, g among them, but gives {}"),
        ("cell_linear", {"zz": 1.0}, "gives {'zz': 1.0} for cell"),
        ("cell_linear", {"g": 1e-5, "zz": 1.0}, "must give parameters of cell_linear"),
        ("cell_sinh", {"a": 1.0}, "g among them"), ("cell_linear", None, "gives None"),
        ("cell_linear", {"g": float("nan")}, "`cell: g` must be finite"),
        ("memristor_vteam", {}, "must give parameters of memristor_vteam"),
    ],
)  # fmt: skip
def test_parameters_that_a_cell_does_not_have_are_refused(name, params, match):
    crossbar = Crossbar(np.full((2, 2), 1e-5))
    with pytest.raises(ArgumentError, match=match):
        spice.netlist(crossbar, np.ones(2), cell=spice.CellModel(name, lambda g, i, j: params))
    with pytest.raises(ArgumentError, match="`cell` must be a CellModel"):
        spice.netlist(crossbar, np.ones(2), cell=spice.CellModel)  # pyright: ignore
    with pytest.raises(SpiceError, match="no model nothere"):
        spice.netlist(crossbar, np.ones(2), cell=spice.CellModel("nothere", lambda g, i, j: {}))
    good = spice.CellModel("cell_linear", lambda g, i, j: {"g": 2 * g})
    found = spice.netlist(crossbar, np.ones(2), cell=good).run()
    np.testing.assert_allclose(found.current, 4e-5, rtol=1e-12)


def test_what_cannot_be_a_netlist_is_refused(rng):
    crossbar = Crossbar(rng.uniform(1e-6, 1e-4, (2, 2)))
    with pytest.raises(ArgumentError, match="`circuit` must be a Macro or a Crossbar"):
        spice.netlist(crossbar.g, np.ones(2))  # pyright: ignore
    with pytest.raises(ArgumentError, match="`x` must have shape"):
        spice.netlist(crossbar, np.ones(3))
    with pytest.raises(ArgumentError, match="`dialect` must be one of ngspice"):
        spice.netlist(crossbar, np.ones(2), dialect="pspice")
    with pytest.raises(ArgumentError, match="`models` must be a relative path"):
        NGSPICE.including("/models")
    with pytest.raises(ArgumentError, match="`x` must not be empty"):
        spice.netlist(crossbar, np.ones((0, 2)))
    assert issubclass(SpiceError, aimc.errors.AimcError)
