"""What was written is read back to the last bit; a crossbar of others is the same circuit."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aimc
from aimc import Crossbar, Wires, spice
from aimc.errors import SpiceError
from aimc.spice import grid

DRIVES, SENSES = ("left", "right", "both"), ("bottom", "top", "both")
OHM = st.sampled_from([0.0, 0.35, 1 / 3, 50.0])


@given(
    st.integers(1, 6), st.integers(1, 6), OHM, OHM, OHM, OHM, st.sampled_from(DRIVES),
    st.sampled_from(SENSES), st.sampled_from(["grounded", "floating", "gated"]),
    st.floats(0, 1), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_round_trip(rows, cols, r_row, r_col, r_source, r_sense, drive, sense, idle, closed, seed):
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-7, 1e-3, (rows, cols)) * (rng.random((rows, cols)) < closed)
    crossbar = Crossbar(g, Wires(r_row, r_col, r_source, r_sense, drive, sense, idle))
    found = spice.read(spice.netlist(crossbar, np.arange(rows) * 0.1).text)
    assert np.array_equal(found.g, crossbar.g)
    assert found.wires == crossbar.wires


def test_a_macro_s_array_is_read_from_its_deck(rng, tmp_path):
    macro = aimc.load("taox-1t1r-128").program(rng.normal(size=(8, 4)), rng, "tanh")
    spice.netlist(macro, np.ones(8)).write(tmp_path / "macro.cir")
    found = spice.read(tmp_path / "macro.cir")
    assert np.array_equal(found.g, macro.crossbar.g)
    assert found.wires == macro.crossbar.wires


def plain(g, wires, v, node="{kind}{i}_{j}", sensed=True):
    """A crossbar as others write it: resistors, no hierarchy, cells by their resistance."""
    rows, cols = g.shape
    lines = ["a crossbar"]

    def name(kind, i, j):
        return node.format(kind=kind, i=i + 1, j=j + 1)

    def resistor(label, a, b, ohm):
        lines.append(f"R{label} {a} {b} {float(ohm)!r}")

    driven = {"left": [0], "right": [cols - 1], "both": [0, cols - 1]}[wires.drive]
    ended = {"top": [0], "bottom": [rows - 1], "both": [0, rows - 1]}[wires.sense]
    for i in range(rows):
        lines.append(f"Vrow{i + 1} drive{i + 1} 0 DC {float(v[i])!r}")
        for j in driven:
            resistor(f"s{i + 1}_{j}", f"drive{i + 1}", name("WL", i, j), wires.r_source)
        for j in range(cols - 1):
            resistor(f"w{i + 1}_{j + 1}", name("WL", i, j), name("WL", i, j + 1), wires.r_row)
    for j in range(cols):
        end = f"sense{j + 1}" if sensed else "GND"
        for i in ended:
            resistor(f"g{j + 1}_{i}", name("BL", i, j), end, wires.r_sense)
        for i in range(rows - 1):
            resistor(f"b{i + 1}_{j + 1}", name("BL", i, j), name("BL", i + 1, j), wires.r_col)
        if sensed:
            lines.append(f"Vsense{j + 1} sense{j + 1} 0 0")
        for i in range(rows):
            resistor(f"c{i + 1}_{j + 1}", name("WL", i, j), name("BL", i, j), 1 / g[i, j])
    return "\n".join([*lines, ".op", ".end", ""])


@settings(max_examples=60)
@given(
    st.integers(2, 6), st.integers(2, 6), st.sampled_from(list(itertools.product(DRIVES, SENSES))),
    st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_a_netlist_of_others_is_the_same_circuit(rows, cols, topology, sensed, seed):
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-6, 1e-4, (rows, cols))
    wires = Wires(0.5, 0.7, 11.0, 13.0, *topology)
    if wires.sense == "both" and not sensed:
        return  # Both ends of every column at ground: nothing tells where one begins.
    v = rng.normal(0, 0.2, rows)
    found = spice.read(plain(g, wires, v, sensed=sensed))
    np.testing.assert_allclose(found.g, g, rtol=1e-14)
    assert found.wires == wires


@pytest.mark.spice
def test_a_netlist_of_others_has_the_currents_that_ngspice_finds(ngspice, rng):
    g, v = rng.uniform(1e-6, 1e-4, (5, 4)), rng.normal(0, 0.2, 5)
    text = plain(g, Wires(2.0, 3.0, 11.0, 13.0, "right", "bottom"), v)
    text = text.replace(".op", ".op\n.save i(vsense1) i(vsense2) i(vsense3) i(vsense4)")
    (plot,) = spice.Ngspice().run({"deck.cir": text}, "deck.cir")
    currents = [plot[f"i(vsense{j + 1})"][0] for j in range(4)]
    np.testing.assert_allclose(spice.read(text).read(v[None])[0], currents, rtol=1e-10)


def test_without_wires_the_numbers_in_the_names_order_rows_and_columns():
    lines = ["no wires"]
    g = np.arange(1, 25).reshape(12, 2) * 1e-6
    for i in range(12):
        lines.append(f"V{i} row{i} 0 0.1")
        lines += [f"R{i}_{j} row{i} out{j} {float(1 / g[i, j])!r}" for j in range(2)]
    lines += [f"Vs{j} out{j} 0 0" for j in range(2)]
    found = spice.read("\n".join([*lines, ".end", ""]))
    np.testing.assert_allclose(found.g, g, rtol=1e-14)
    assert found.wires == Wires()


def test_an_open_cell_of_others_is_zero(rng):
    g = rng.uniform(1e-6, 1e-4, (3, 3))
    text = plain(g, Wires(0.5, 0.7, 11.0, 13.0), np.ones(3))
    text = "\n".join(line for line in text.splitlines() if not line.startswith("Rc2_2")) + "\n"
    g[1, 1] = 0
    np.testing.assert_allclose(spice.read(text).g, g, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1k", 1e3), ("4.7K", 4700), ("1meg", 1e6), ("2m", 2e-3), ("10kohm", 1e4), ("1e3", 1e3),
     ("3.3", 3.3), (".5u", 5e-7), ("1T", 1e12), ("2.5Gohm", 2.5e9)],
)  # fmt: skip
def test_numbers_as_spice_reads_them(text, value):
    assert grid.spice_number(text) == pytest.approx(value, rel=1e-15)


GOOD = plain(np.full((2, 2), 1e-5), Wires(0.5, 0.7, 11.0, 13.0), np.ones(2))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("t\nR1 a 0 1k\n", "driven rows and grounded columns"),
        ("t\nV1 a 0 1\n", "there are none"),
        ("t\nV1 a b 1\nR1 a b 1k\n", "must have an end at ground"),
        ("t\nV1 a 0 1\nR1 a b x\n", "must be a number"),
        ("t\nV1 a 0 1\nR1 a b 0\n", "must be greater than 0"),
        ("t\nV1 a 0 1\nM1 a b c d nmos\n", "R and V elements only"),
        (
            GOOD.replace("Rw1_1 WL1_1 WL1_2 0.5", "Rw1_1 WL1_1 WL1_2 0.9"),
            "must have one resistance",
        ),
        (GOOD.replace("Rw1_1 WL1_1 WL1_2 0.5", "Rw1_1 WL1_1 WL2_1 0.5"), "must be a crossbar"),
    ],
)
def test_what_is_no_crossbar_is_told(text, match):
    with pytest.raises(SpiceError, match=match) as caught:
        spice.read(text)
    assert caught.value.reason == "import"


def test_a_deck_that_was_changed_is_told(rng, tmp_path):
    text = spice.netlist(
        Crossbar(rng.uniform(1e-6, 1e-4, (3, 2)), Wires(1.0, 1.0)), np.ones(3)
    ).text
    for old, new in (("rh0_0 ", "rh9_9 "), (", drive left", ", drive both"), ("* rows", "* lines"),
                     ("cell_linear g", "cell_cubic g")):  # fmt: skip
        assert old in text
        with pytest.raises(SpiceError) as caught:
            spice.read(text.replace(old, new))
        assert caught.value.reason == "import"
    with pytest.raises(SpiceError, match="must be a netlist"):
        spice.read(tmp_path / "none.cir")
