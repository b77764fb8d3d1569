"""What was written is read back to the last bit; a crossbar of others is the same circuit."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aimc
from aimc import Crossbar, Wires, spice
from aimc.errors import ArgumentError, SpiceError
from aimc.spice import elements

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


@pytest.mark.parametrize("pieces", [2, 3])
@pytest.mark.parametrize("topology", list(itertools.product(DRIVES, SENSES)), ids=str)
@pytest.mark.parametrize("name", ["R", "Rw", "Rb", "Rs", "Rg", "Rc", "Rw1_1", "Rs2", "Rc3_2"])
def test_a_resistor_in_pieces_is_one(name, topology, pieces, rng):
    g, wires = rng.uniform(1e-6, 1e-4, (4, 3)), Wires(0.5, 0.7, 11.0, 13.0, *topology)
    lines = []
    for line in plain(g, wires, np.ones(4)).splitlines():
        words = line.split()
        if not line.startswith(name):
            lines.append(line)
            continue
        label, a, b, ohm = words
        nodes = [a, *(f"{label}_{k}" for k in range(1, pieces)), b]
        for k, (one, other) in enumerate(itertools.pairwise(nodes)):
            lines.append(f"{label}_{k} {one} {other} {float(ohm) / pieces!r}")
    found = spice.read("\n".join([*lines, ""]))
    np.testing.assert_allclose(found.g, g, rtol=1e-14)
    assert (found.wires.drive, found.wires.sense) == topology
    ohms = [getattr(found.wires, name) for name in ("r_row", "r_col", "r_source", "r_sense")]
    np.testing.assert_allclose(ohms, [0.5, 0.7, 11.0, 13.0], rtol=1e-14)


def test_an_open_first_cell_is_no_longer_end(rng):
    g, wires = rng.uniform(1e-6, 1e-4, (3, 3)), Wires(0.5, 0.7, 11.0, 13.0)
    for i, j in ((0, 0), (2, 0), (0, 2)):
        lines = plain(g, wires, np.ones(3)).splitlines()
        gone = f"Rc{i + 1}_{j + 1} "
        found = spice.read("\n".join([line for line in lines if not line.startswith(gone)] + [""]))
        rest = g.copy()
        rest[i, j] = 0
        np.testing.assert_allclose(found.g, rest, rtol=1e-14)
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
     ("3.3", 3.3), (".5u", 5e-7), ("1T", 1e12), ("2.5Gohm", 2.5e9), ("10mil", 254e-6),
     ("1mV", 1e-3)],
)  # fmt: skip
def test_numbers_as_spice_reads_them(text, value):
    assert elements.spice_number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["10a", "10x", "4k7", "{gg}", "1d3", "", "0x10", "1e999", "1e308k"]
)
def test_numbers_that_simulators_read_differently_are_refused(text):
    with pytest.raises(SpiceError, match="must be a number"):
        elements.spice_number(text)


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
        (GOOD.replace("Rw1_1 WL1_1 WL1_2 0.5", "Rw1_1 WL1_1 WL2_1 0.5"), "wl2_1 branches"),
        (GOOD.replace("Rw1_1 WL1_1 WL1_2 0.5\n", ""), "no wire leads from wl1_2"),
        (GOOD.replace(".op", "Rx WL1_1 BL1_2 150\n.op"), "rc1_2 is a second place"),
        (GOOD.replace(".op", "Rx WL1_1 WL2_1 1\n.op"), "wl1_1 branches"),
    ],
)
def test_what_is_no_crossbar_is_told(text, match):
    with pytest.raises(SpiceError, match=match) as caught:
        spice.read(text)
    assert caught.value.reason == "import"


CELLS = """two by two
V1 in1 0 0.2
V2 in2 0 0.1
R1 in1 out1 10k
R2 in1 out2 20k
R3 in2 out1 40k
R4 in2 out2 80k
Vs1 out1 0 0
Vs2 out2 0 0
.end
"""


@pytest.mark.parametrize(
    ("old", "new", "g"),
    [
        ("10k", "10k m=2", 2e-4), ("10k", "R = 10k", 1e-4), ("10k", "r=10k m = 4", 4e-4),
        (".end", ".end\nR9 in1 out1 1k", 1e-4), (".end", ".options reltol=1e-6\n.op", 1e-4),
        (".end", "R9 in1 out1 10k\n.end", 2e-4), ("\n", "\r\n", 1e-4),
        (".end", ".control\nrun\n.endc\nR9 in1 out1 10k", 2e-4),
        ("Vs", "Vx", 1e-4), ("out", "b", 1e-4),
    ],
)  # fmt: skip
def test_what_stands_in_a_netlist_of_others_is_applied(old, new, g):
    found = spice.read(CELLS.replace(old, new))
    np.testing.assert_allclose(found.g, [[g, 5e-5], [2.5e-5, 1.25e-5]], rtol=1e-14)
    assert found.wires == Wires()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("10k", "10k scale=2", "'scale=2' after it"), ("10k", "10k tc=1,2", "after it"),
        ("10k", "10k 2", "after it"), ("10k", "10k m=0", "must be greater than 0"),
        ("10k", "", "two nodes and a value"), ("10k", "{gg}", "must be a number"),
        ("R2 in1", "R1 in1", "r1 must stand once"), ("V2 in2", "V2 in1", "must have one source"),
        *((".end", f"{word}\n.end", "must be flat and plain") for word in (
            ".if (1)", ".else", ".include x.lib", ".lib x tt", ".options scale=2", ".temp 90",
            ".subckt a b", ".model r r tc1=1", ".options rshunt=1e6")),
        (".end", ".control\nalter r1 = 5\n.endc", "must stand as they are"),
        *((".end", f"R9 in1 x {ohm}\n.end", "must be a crossbar") for ohm in
          ("1", "5k", "15k", "1meg")),
        (".end", "R9 x y 1\n.end", "hangs in the air"),
        ("0 0\n", "0 1\n", "sense, out or col"),
    ],
)  # fmt: skip
def test_what_changes_a_netlist_of_others_is_refused(old, new, match):
    with pytest.raises(SpiceError, match=match) as caught:
        spice.read(CELLS.replace(old, new))
    assert caught.value.reason == "import"


@pytest.mark.parametrize("ohm", ["0.5", "0.7", "1k", "1meg"])
@pytest.mark.parametrize("node", ["WL1_1", "WL1_2", "BL1_1", "BL2_2"])
def test_a_resistor_that_leads_nowhere_is_refused(ohm, node):
    with pytest.raises(SpiceError) as caught:
        spice.read(GOOD.replace(".op", f"Rx {node} nowhere {ohm}\n.op"))
    assert caught.value.reason == "import"


def test_a_segment_that_skips_a_place_is_refused(rng):
    text = plain(rng.uniform(1e-6, 1e-4, (3, 3)), Wires(0.5, 0.7, 11.0, 13.0), np.ones(3))
    for gone in ("Rc2_2", "Rw2_1", "Rw2_2"):
        text = "\n".join(line for line in text.splitlines() if not line.startswith(gone))
    with pytest.raises(SpiceError):
        spice.read(text.replace(".op", "Rw2_1 WL2_1 WL2_3 0.5\n.op"))


@pytest.mark.parametrize("bad", [None, "", "  ", 3, b"x"])
def test_what_is_no_netlist_is_an_argument_error(bad):
    with pytest.raises(ArgumentError, match="`netlist` must be a path, or the text"):
        spice.read(bad)


@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_line_ends_and_case_do_not_matter(idle, rng):
    crossbar = Crossbar(rng.uniform(1e-6, 1e-4, (3, 2)), Wires(1.0, 1 / 3, drive="both", idle=idle))
    text = spice.netlist(crossbar, np.ones(3)).text
    for each in (text.upper(), text.replace("\n", "\r\n"), text.upper().replace("\n", "\r\n")):
        found = spice.read(each)
        assert np.array_equal(found.g, crossbar.g)
        assert found.wires == crossbar.wires


@pytest.mark.parametrize("dialect", ["ltspice", "xyce"])
def test_decks_for_these_dialects_are_read_back(dialect, rng):
    crossbar = Crossbar(rng.uniform(1e-6, 1e-4, (3, 2)), Wires(1.0, 1 / 3))
    found = spice.read(spice.netlist(crossbar, np.ones(3), dialect=dialect).text)
    assert np.array_equal(found.g, crossbar.g)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (".ends crossbar", "*", "must have its `.ends`"), ("r_row=1.0", "r_row=abc", "r_row must"),
        ("xcell2_1 ", "xcell9_9 ", "must lie in 3 x 2"), (" g=", " g={gg} h=", "must have a num"),
        ("* rows 3,", "* rows 99999999,", "must have its ports"), (" g=", " h=", "must be linear"),
        ("r_row=1.0", "r_row=-1", "r_row must"), ("r_row=1.0", "r_row=nan", "r_row must"),
    ],
)  # fmt: skip
def test_a_damaged_deck_is_told(old, new, match, rng):
    text = spice.netlist(
        Crossbar(rng.uniform(1e-6, 1e-4, (3, 2)), Wires(1.0, 1.0)), np.ones(3)
    ).text
    assert old in text
    with pytest.raises(SpiceError, match=match) as caught:
        spice.read(text.replace(old, new))
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
