"""Laws of the wire network, over random arrays up to 40 x 40 and all topologies.

The reference is a sparse nodal solve of the same circuit (`reference.py`).
"""

import importlib.util
import threading
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimc.crossbar import Crossbar
from aimc.errors import ArgumentError, NotConverged
from aimc.kernels.wires import network
from aimc.parts.wires import Wires

_spec = importlib.util.spec_from_file_location("reference", Path(__file__).parent / "reference.py")
assert _spec is not None
assert _spec.loader is not None
_reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_reference)
nodal = _reference.nodal


def wired(g, *ohm, active=None, **wires):
    """The wires of an array or several."""
    return Wires(*ohm, **wires).topology(g.shape[-2:]).floating(active)


OHM = (0.0, 0.3, 2.0, 50.0)


@st.composite
def circuits(draw, side=40, floating=True):
    """g [S], v [V] and the topology of a random array, with open cells."""
    rows, cols = draw(st.integers(1, side)), draw(st.integers(1, side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wires = {n: draw(st.sampled_from(OHM)) for n in ("r_row", "r_col", "r_source", "r_sense")}
    wires["drive"] = draw(st.sampled_from(["left", "right", "both"]))
    wires["sense"] = draw(st.sampled_from(["bottom", "top", "both"]))
    if floating and draw(st.booleans()):
        wires["active"] = rng.random(rows) < 0.6
    g = rng.uniform(1e-6, 150e-6, (rows, cols)) * (rng.random((rows, cols)) > 0.1)
    return g, rng.normal(0.0, 0.2, (3, rows)), wires


def close(a, b, tol):
    return np.abs(a - b).max() <= tol * np.abs(b).max()


@given(circuits())
def test_transfer_and_solve_are_the_nodal_solution(circuit):
    g, v, wires = circuit
    row, col, current = nodal(g, v, **wires)
    solved = network.solve(g, v, wired(g, **wires))
    assert close(v @ network.transfer(g, wired(g, **wires)), current, 1e-11)
    assert close(solved.current, current, 1e-11)
    assert np.abs(solved.row_voltage - row).max() < 1e-11
    assert np.abs(solved.col_voltage - col).max() < 1e-11
    assert solved.residual < 1e-12


@pytest.mark.parametrize("wires", [{}, {"drive": "both", "sense": "both"}, {"drive": "right"}])
def test_transfer_at_256(wires, rng):
    g, v = rng.uniform(2e-6, 150e-6, (256, 256)), rng.uniform(0, 0.2, (2, 256))
    wires = {"r_row": 1.0, "r_col": 0.7, "r_source": 3.0, "r_sense": 0.0, **wires}
    *_, current = nodal(g, v, **wires)
    assert close(v @ network.transfer(g, wired(g, **wires)), current, 1e-11)
    assert close(network.reads(g, v, wired(g, **wires))[0], current, 1e-9)


@given(circuits())
def test_current_law_at_every_node(circuit):
    """Currents along the wires, by Ohm's law, add up to those of the cells."""
    g, v, wires = circuit
    wires = {**wires, "r_row": 1.0, "r_col": 1.0, "drive": "left", "sense": "bottom"}
    wires.pop("active", None)
    s = network.solve(g, v, wired(g, **wires))
    cell = g * (s.row_voltage - s.col_voltage)
    along = -np.diff(s.row_voltage, axis=2)
    down = -np.diff(s.col_voltage, axis=1)
    floor = 1e-13  # rounding of 1 V over 1 ohm
    assert np.abs(along - np.cumsum(cell[:, :, :0:-1], axis=2)[:, :, ::-1]).max(initial=0) < floor
    assert np.abs(down - np.cumsum(cell, axis=1)[:, :-1]).max(initial=0) < floor
    assert np.abs(s.current - cell.sum(axis=1)).max() < floor


@given(circuits(floating=False))
def test_reciprocity(circuit):
    """Driving the columns and sensing the rows gives the transpose [Tellegen]."""
    g, _, wires = circuit
    ends = {"left": "top", "right": "bottom", "both": "both"}
    turned = {
        "r_row": wires["r_col"],
        "r_col": wires["r_row"],
        "r_source": wires["r_sense"],
        "r_sense": wires["r_source"],
        "drive": {b: a for a, b in ends.items()}[wires["sense"]],
        "sense": ends[wires["drive"]],
    }
    assert close(
        network.transfer(g.T, wired(g.T, **turned)).T, network.transfer(g, wired(g, **wires)), 1e-12
    )


@given(circuits(), st.sampled_from(["r_row", "r_col", "r_source", "r_sense"]))
def test_more_wire_never_adds_current(circuit, which):
    """The sum over the transfer matrix is a conductance between two terminals: Rayleigh's law."""
    g, _, wires = circuit
    wires.pop("active", None)
    less = network.transfer(g, wired(g, **wires)).sum()
    more = network.transfer(g, wired(g, **{**wires, which: wires[which] + 10.0})).sum()
    assert more <= less * (1 + 1e-12)


@given(circuits(floating=False))
def test_without_wire_resistance_it_is_g_bit_for_bit(circuit):
    g, _, wires = circuit
    ideal = {**wires, "r_row": 0.0, "r_col": 0.0, "r_source": 0.0, "r_sense": 0.0}
    assert np.array_equal(network.transfer(g, wired(g, **ideal)), g)
    nearly = {n: 1e-9 if r == 0.0 else r for n, r in ideal.items()}
    assert close(network.transfer(g, wired(g, **nearly)), g, 1e-9) or not g.any()


@given(circuits())
def test_superposition(circuit):
    g, v, wires = circuit
    a, b, c = network.solve(
        g, np.array([v[0], v[1], 2 * v[0] - 3 * v[1]]), wired(g, **wires)
    ).current
    assert np.abs(2 * a - 3 * b - c).max() <= 1e-12 * np.abs([a, b]).max() * 5


@given(circuits())
def test_mirrored_topologies(circuit):
    """The same computation where one end is driven and sensed; with both ends to rounding."""
    g, _, wires = circuit
    other = {"left": "right", "right": "left", "top": "bottom", "bottom": "top", "both": "both"}
    here = network.transfer(g, wired(g, **wires))
    wide = network.transfer(g[:, ::-1], wired(g, **{**wires, "drive": other[wires["drive"]]}))[
        :, ::-1
    ]
    turned = {**wires, "sense": other[wires["sense"]]}
    if "active" in wires:
        turned["active"] = wires["active"][::-1]
    high = network.transfer(g[::-1], wired(g[::-1], **turned))[::-1]
    for there, ends in ((wide, wires["drive"]), (high, wires["sense"])):
        assert close(there, here, 1e-12)
        assert ends == "both" or np.array_equal(there, here)


@settings(max_examples=30)
@given(circuits(side=24), st.integers(0, 2**32 - 1))
def test_ill_conditioned(circuit, seed):
    """Wires of 1 mohm to 1 kohm with cells of 1 nS to 10 mS and open ones: right to 1e-8."""
    g, v, wires = circuit
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-9, -2, g.shape) * (g > 0)
    for name in ("r_row", "r_col", "r_source", "r_sense"):
        wires[name] = 10 ** rng.uniform(-3, 3)
    *_, current = nodal(g, v, **wires)
    assert close(v @ network.transfer(g, wired(g, **wires)), current, 1e-8)
    assert close(network.solve(g, v, wired(g, **wires)).current, current, 1e-8)


def test_ladder_has_its_known_answer():
    """A 1 x 1 array is a series connection; two cells on a column share the sense resistance."""
    cell = np.full((1, 1), 1e-3)
    assert np.isclose(
        network.transfer(cell, wired(cell, 5, 5, 100, 400, "left", "top"))[0, 0], 1 / 1500
    )
    # Rows at 1 V through 1 kohm cells meet at the column; 500 ohm to ground: 1 V * (1/1000)/2.
    cells = np.full((2, 1), 1e-3)
    got = network.transfer(cells, wired(cells, 0, 0, 0, 500.0))
    assert np.allclose(got, 0.5e-3, rtol=1e-14)


@given(circuits(side=12), st.integers(1, 6))
def test_noisy_reads_are_reads_of_their_own_arrays(circuit, batch):
    g, _, wires = circuit
    rng = np.random.default_rng(batch)
    many = g * rng.uniform(0.9, 1.1, (batch, *g.shape))
    v = rng.normal(size=(batch, len(g)))
    got, residual = network.reads(many, v, wired(many, **wires))
    expected = [nodal(a, b[None], **wires)[2][0] for a, b in zip(many, v, strict=True)]
    assert close(got, np.array(expected), 1e-9)
    assert residual < 1e-9
    start = network.solve(g, v, wired(g, **wires)).col_voltage
    assert close(
        network.reads(many, v, wired(many, **wires), guess=start)[0], np.array(expected), 1e-9
    )


@given(circuits(side=24), st.integers(0, 2**32 - 1))
def test_every_read_may_have_its_own_silent_rows(circuit, seed):
    """`active` and `gate` a read: sources disconnected, cells switched off."""
    g, v, wires = circuit
    wires.pop("active", None)
    on = np.random.default_rng(seed).random(v.shape) < 0.6
    floats = network.reads(g, v, wired(g, **wires, active=on))[0]
    gated = network.reads(g, v, wired(g, **wires), gate=on)[0]
    for n, mask in enumerate(on):
        one = nodal(g, v[n : n + 1], **wires, active=mask)[2]
        assert np.abs(floats[n] - one).max() <= 1e-9 * max(np.abs(one).max(), 1e-9)
        one = nodal(g * mask[:, None], v[n : n + 1], **wires)[2]
        assert np.abs(gated[n] - one).max() <= 1e-9 * max(np.abs(one).max(), 1e-9)


@given(circuits(floating=False))
def test_single_precision_errs_by_its_own_rounding(circuit):
    g, v, wires = circuit
    exact = v @ network.transfer(g, wired(g, **wires))
    single = network.transfers(g[None], wired(g[None], **wires), dtype=np.float32)
    assert single.dtype == np.float32
    assert np.abs(v @ single[0] - exact).max() <= 1e-4 * np.abs(exact).max()


@given(circuits(floating=False))
def test_admittances(circuit):
    """Symmetric [reciprocity]; what rows at 1 V draw together is what the columns give."""
    g, _, wires = circuit
    if wires["drive"] == "both":
        with pytest.raises(ArgumentError, match=r"`wires\.drive` must be left or right"):
            _ = Crossbar(g, Wires(**wires)).admittances
        return
    y = network.admittances(g, wired(g, **wires))
    assert np.allclose(y, y.T, rtol=1e-10, atol=1e-12 * np.abs(y).max())
    alone = np.array([network.transfer(g, wired(g, **wires))[i].sum() for i in range(len(g))])
    assert np.allclose(y.sum(axis=0), alone, rtol=1e-9, atol=1e-12 * np.abs(y).max())


WIRES = {"r_row": 1.0, "r_col": 2.0, "r_source": 3.0, "r_sense": 4.0}


def test_a_forked_child_has_threads_of_its_own(python, tmp_path):
    """The pool's threads do not survive a fork; its memory would wait for them for ever."""
    script = tmp_path / "fork.py"
    script.write_text(
        "import os\nimport numpy as np\nfrom aimc.kernels.wires import network\n"
        "from aimc.parts.wires import Wires\n"
        "top = Wires(1.0, 1.0, 1.0, 1.0).topology((64, 64))\n"
        "g = np.random.default_rng(0).uniform(1e-6, 1e-4, (4, 64, 64))\n"
        "before = network.transfers(g, top)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    after = network.transfers(g, top)\n"
        "    os._exit(0 if np.array_equal(after, before) else 1)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    assert python("-W", "ignore", script).strip() == "0"


def test_batch_is_single_bit_for_bit_on_any_threads(rng):
    g = rng.uniform(2e-6, 150e-6, (7, 40, 70))
    v = rng.uniform(0, 0.2, (7, 40))
    threads = numba.get_num_threads()
    one_by_one = np.stack([network.transfer(a, wired(a, **WIRES)) for a in g])
    reads = np.concatenate(
        [network.reads(a, b[None], wired(a, **WIRES))[0] for a, b in zip(g, v, strict=True)]
    )
    try:
        for count in {1, threads}:
            numba.set_num_threads(count)
            assert np.array_equal(network.transfers(g, wired(g, **WIRES)), one_by_one)
            assert np.array_equal(network.reads(g, v, wired(g, **WIRES))[0], reads)
    finally:
        numba.set_num_threads(threads)


def test_callers_in_threads(rng):
    g, v = rng.uniform(2e-6, 150e-6, (4, 64, 64)), rng.uniform(0, 0.2, (4, 8, 64))
    expected = [network.transfer(a, wired(a, **WIRES)) for a in g]
    got = {}

    def call(k):
        got[k] = network.transfer(g[k], wired(g[k], **WIRES))
        network.solve(g[k], v[k], wired(g[k], **WIRES))

    callers = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(np.array_equal(a, b) for a, b in ((got[k], expected[k]) for k in range(4)))


def test_arguments_are_left_alone(rng):
    g, v = rng.uniform(2e-6, 150e-6, (9, 5)), rng.normal(size=(2, 9))
    kept = g.copy(), v.copy()
    network.transfer(g, wired(g, **WIRES))
    network.solve(g, v, wired(g, **WIRES))
    network.reads(g, v, wired(g, **WIRES))
    assert np.array_equal(g, kept[0])
    assert np.array_equal(v, kept[1])


def test_what_cannot_be_solved_is_said(rng):
    """Overflow, and a tolerance below what doubles hold, end in an error, never in an answer."""
    g = rng.uniform(0, 1e308, (6, 6))
    with pytest.raises(NotConverged) as caught:
        network.reads(g, np.full((1, 6), 1e200), wired(g, **WIRES))
    assert not caught.value.residual < 1
    g = np.full((4, 4), 1e308)
    with pytest.raises(NotConverged):
        network.transfer(g, wired(g, 1e300, 1e300, 1.0, 1.0))
