"""Read noise through the wires: the first-order standard deviation against exact re-solves."""

import numpy as np
import pytest

import aimc
from aimc.crossbar import Crossbar
from aimc.kernels.noise import alone
from aimc.kernels.noise import forms as noise
from aimc.kernels.wires import network
from aimc.parts.device import Device, ReadNoise, StuckAt
from aimc.parts.wires import Wires


@pytest.mark.parametrize(
    "wires",
    [
        {"r_row": 1.0, "r_col": 1.0, "r_source": 1.0, "r_sense": 1.0},
        {"r_row": 5.0, "r_col": 5.0, "r_source": 100.0, "r_sense": 20.0, "drive": "right"},
        {"r_row": 5.0, "r_col": 2.0, "r_source": 0.0, "r_sense": 20.0, "sense": "both"},
        {
            "r_row": 2.0,
            "r_col": 5.0,
            "r_source": 9.0,
            "r_sense": 9.0,
            "active": np.arange(24) % 3 > 0,
        },
    ],
)
def test_first_order_is_the_spread_of_exact_reads(wires, rng):
    draws, rows, cols = 6000, 24, 16
    g = rng.uniform(30e-6, 150e-6, (rows, cols))
    sigma = rng.uniform(0.5e-6, 3e-6, (rows, cols))
    v = rng.uniform(0.02, 0.2, (1, rows))
    top = Wires(**{k: r for k, r in wires.items() if k != "active"}).topology(g.shape)
    top = top.floating(wires.get("active"))
    gain = network.noise_gain(g, top)
    std = network.noise_std(g, v, sigma, gain, top)[0]
    noisy = g + sigma * rng.normal(size=(draws, rows, cols))
    exact = network.reads(noisy, np.repeat(v, draws, axis=0), top)[0]
    ratio = std / exact.std(axis=0)
    # The spread of a sample's standard deviation is 1 / sqrt(2 draws) = 0.9 %.
    assert np.abs(ratio - 1).max() < 4 / np.sqrt(2 * draws)
    assert abs(ratio.mean() - 1) < 0.01
    naive = np.sqrt(v**2 @ sigma**2)[0] / exact.std(axis=0)
    assert abs(naive.mean() - 1) > 2 * abs(ratio.mean() - 1)


def test_own_column_carries_the_noise(rng):
    """The variance from all cells, by the full adjoint, exceeds the own column's by < 0.5 %."""
    top = Wires(3.0, 3.0, 3.0, 3.0).topology((32, 32))
    g = rng.uniform(2e-6, 150e-6, (32, 32))
    v = rng.uniform(0, 0.2, (1, 32))
    clean = network.solve(g, v, top)
    u = (clean.row_voltage - clean.col_voltage)[0]
    # Column j driven at its sense terminal, the rows grounded: the transposed array.
    back = network.solve(g[::-1, ::-1].T, np.eye(32), top)
    a = (back.row_voltage - back.col_voltage).transpose(0, 2, 1)[:, ::-1, ::-1][::-1]
    assert np.allclose(network.noise_gain(g, top), np.einsum("jij->ij", a), atol=1e-3)
    full = np.einsum("ij,nij->n", u**2, a**2)
    own = np.einsum("ij,ij->j", u**2, np.einsum("jij->ij", a) ** 2)
    assert np.all(own <= full)
    assert np.all(full < 1.005 * own)


def test_without_wires_it_is_the_ideal_spread(rng):
    g, sigma = rng.uniform(0, 1e-4, (9, 4)), rng.uniform(0, 1e-6, (9, 4))
    v = rng.normal(size=(5, 9))
    gain = network.noise_gain(g, Wires().topology(g.shape))
    assert np.allclose(gain, 1.0, rtol=1e-15)
    std = network.noise_std(g, v, sigma, gain, Wires().topology(g.shape))
    assert np.allclose(std, np.sqrt(v**2 @ sigma**2), rtol=1e-14)


@pytest.mark.parametrize("drive", ["left", "both"])
@pytest.mark.parametrize("ohm", [0.1, 3.0])
def test_forms_found_once_give_what_a_solve_for_each_read_gives(drive, ohm, rng):
    g, sigma = rng.uniform(0, 1e-4, (40, 30)), rng.uniform(0, 1e-6, (40, 30))
    inputs = [rng.uniform(-0.2, 0.2, (70, 40)), np.full((1, 40), 0.2)]
    top = Wires(ohm, ohm, 5.0, 1.0, drive).topology(g.shape)
    gain = network.noise_gain(g, top)
    found, small = (noise.forms(g, s, top) for s in (sigma, 1e-13 * sigma))
    assert found.error < (5e-3 if ohm < 1 else noise.MOST_ERROR)
    for v in inputs:
        each = network.noise_std(g, v, sigma, gain, top, tol=1e-9)
        for scale in (1.0, 1e150, 1e-150):
            got = noise.std(scale * v, found) / scale
            np.testing.assert_allclose(got, each, rtol=2 * found.error)
            assert np.sqrt(np.mean((got / each - 1) ** 2)) < 0.5 * found.error
        np.testing.assert_allclose(noise.std(v, small), 1e-13 * each, rtol=2 * found.error)


@pytest.mark.parametrize("drive", ["left", "both"])
def test_one_row_alone_has_its_own_noise(drive, rng):
    """Nothing between rows: what wires add of others is zero, whatever the sign of that part."""
    g, sigma = rng.uniform(0, 1e-4, (40, 30)), rng.uniform(1e-7, 1e-6, (40, 30))
    top = Wires(1.0, 1.0, 5.0, 1.0, drive).topology(g.shape)
    found = noise.forms(g, sigma, top)
    one = 0.2 * np.eye(40)
    each = network.noise_std(g, one, sigma, network.noise_gain(g, top), top, tol=1e-9)
    assert np.all(found.diagonal + found.mean[:, None] * found.cross > 0)
    np.testing.assert_allclose(noise.std(one, found), each, rtol=4 * found.error)
    np.testing.assert_allclose(noise.std(-one, found), noise.std(one, found), rtol=1e-12)


def test_wires_that_take_too_much_are_solved_for_each_read(rng):
    g, sigma = rng.uniform(0, 1e-3, (120, 8)), rng.uniform(0, 1e-5, (120, 8))
    wires = Wires(30.0, 30.0, 5.0, 1.0)
    assert noise.forms(g, sigma, wires.topology(g.shape)).error > noise.MOST_ERROR
    crossbar, v = Crossbar(g, wires, sigma), rng.uniform(-0.2, 0.2, (3, 120))
    assert crossbar.noise_forms() is None
    top = wires.topology(g.shape)
    std = network.noise_std(g, v, sigma, network.noise_gain(g, top), top)
    drawn = std * np.random.default_rng(1).standard_normal(std.shape)
    np.testing.assert_allclose(crossbar.noise(v, np.random.default_rng(1)), drawn, rtol=1e-6)


def _kinds(rows, rng):
    one_sign = rng.uniform(0, 0.2, (40, rows))
    sparse = one_sign * (rng.random(one_sign.shape) < 0.3)
    return np.concatenate([rng.uniform(-0.2, 0.2, (40, rows)), one_sign, sparse])


def _gap(found, g, sigma, top, v):
    gain = network.noise_gain(g, top, tol=1e-6)
    exact = network.noise_std(g, v, sigma, gain, top, tol=1e-6)
    return np.abs(noise.std(v, found) / exact - 1).max()


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize(
    "weights", [lambda r, n: r.uniform(-1, 1, n), lambda r, n: r.normal(size=n)]
)
def test_forms_of_the_shipped_array_are_right_to_half_a_percent(weights, alike, rng):
    """With few diagonals too, where all cells have the same noise."""
    crossbar = aimc.load("taox-1t1r-128").program(weights(rng, (128, 64)), rng).crossbar
    assert crossbar.sigma is not None
    sigma = crossbar.sigma * (1.0 if alike else rng.uniform(0.1, 1.0, crossbar.g.shape))
    of = (crossbar.g, sigma, crossbar.wires.topology(crossbar.g.shape))
    found = noise.forms(*of)
    assert found.error < (5e-3 if alike else 1e-2)
    assert _gap(found, *of, _kinds(128, rng)) < 1.5 * found.error
    left, right, errors = noise.factored(found, 12)
    few = found._replace(diagonal=left @ right)
    assert _gap(few, *of, _kinds(128, rng)) < 1.5 * errors[-1]
    assert (errors[-1] < 5e-3) == alike


@pytest.mark.parametrize("sense", ["bottom", "both"])
@pytest.mark.parametrize("ohm", [0.1, 3.0])
def test_forms_know_their_error(ohm, sense, rng):
    g, sigma = rng.uniform(0, 1e-4, (40, 30)), rng.uniform(1e-7, 1e-6, (40, 30))
    top = Wires(ohm, ohm, 5.0, 1.0, "right", sense).topology(g.shape)
    found = noise.forms(g, sigma, top)
    v = _kinds(40, rng)
    assert _gap(found, g, sigma, top, v) < 1.5 * found.error  # both are samples
    each = noise.std(v, found)
    pairs = np.hypot(each[:, ::2], each[:, 1::2])
    np.testing.assert_allclose(noise.std(v, found.pairs()), pairs)


def test_forms_without_wires_or_noise(rng):
    g = rng.uniform(0, 1e-4, (9, 4))
    ideal = Wires().topology(g.shape)
    v = rng.normal(size=(5, 9))
    found = noise.forms(g, np.full(g.shape, 1e-6), ideal)
    assert found.error == 0.0
    assert found.cross.shape == (9, 0)
    np.testing.assert_allclose(noise.std(v, found), 1e-6 * np.sqrt(v**2 @ np.ones((9, 4))))
    silent = noise.forms(g, np.zeros(g.shape), Wires(1.0, 1.0).topology(g.shape))
    assert not noise.std(v, silent).any()


def _fields(g, weight, top):
    """What 1 V on each row adds to each cell's share in its column's noise, (cols, rows of input,
    rows of cells)."""
    at = network.solve(g, np.eye(len(g)), top)
    return ((at.row_voltage - at.col_voltage) * weight).transpose(2, 0, 1)


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_what_other_lines_carry_back_is_of_second_order(drive, sense, rng):
    """A quarter of the wires' resistance: a sixteenth of what `alone` leaves out, or less."""
    g = rng.uniform(2e-6, 150e-6, (24, 20))
    g[3], g[:, 5] = 0.0, 0.0
    missed = []
    for ohm in (4.0, 1.0):
        top = Wires(ohm, 2 * ohm, 3 * ohm, 0.0, drive, sense).topology(g.shape)
        mirror = (top.rows, top.cols)
        of = alone.alone(np.ascontiguousarray(g[mirror]), top)
        fields = _fields(g, np.ones(g.shape), top)
        own = np.einsum("jki,jki->kj", fields, fields)
        exact = network.noise_gain(g, top, tol=1e-9)
        missed.append(
            (
                np.abs(of.gain[mirror] / exact - 1).max(),
                np.abs(of.own(np.ones(g.shape))[mirror] / own - 1).max(),
            )
        )
    assert np.all(np.array(missed[1]) < np.maximum(np.array(missed[0]) / 12, 2e-6))
    assert max(missed[0]) < 1e-2


@pytest.mark.parametrize(("n", "ohm", "ratio"), [(32, 0.35, 1.0), (64, 3.0, 1.2)])
def test_what_the_first_order_leaves_out_between_columns(n, ohm, ratio, rng):
    """A cell that draws more leaves less for its row's others: each column varies as it should, but
    their sum varies too much, by what `Wires` says."""
    g, v = rng.uniform(2e-6, 150e-6, (n, n)), rng.uniform(0, 0.2, (1, n))
    sums, columns = [], []
    for kind in ("first-order", "exact"):
        crossbar = Crossbar(g, Wires(ohm, ohm, noise=kind), np.full(g.shape, 2.67e-6))
        i = crossbar.read(np.repeat(v, 2000, axis=0), np.random.default_rng(1))
        sums.append(i.sum(axis=1).std())
        columns.append(np.sqrt(i.var(axis=0).mean()))
    assert columns[0] / columns[1] == pytest.approx(1, abs=0.02)
    assert sums[0] / sums[1] == pytest.approx(ratio, abs=0.06)


@pytest.mark.parametrize("ohm", [0.0, 2.0])
@pytest.mark.parametrize("kind", ["exact", "first-order"])
def test_open_cells_pass_no_current(kind, ohm, rng):
    wires, v = Wires(ohm, ohm, noise=kind), rng.uniform(-0.2, 0.2, (50, 6))
    device = Device(1e-4, on_write=(StuckAt(1.0, 0.0),), on_read=(ReadNoise(1e-6),))
    cells = device.written(np.full((6, 4), 5e-5), rng)
    sigma = device.read_sigma(cells.g, 0.0, cells.dead)
    assert not Crossbar(cells.g, wires, sigma).read(v, rng).any()
    if kind == "exact":  # nor do those of whom only their conductance is known
        assert not Crossbar(cells.g, wires, np.full((6, 4), 1e-6)).read(v, rng).any()


def test_exact_noise_keeps_the_mean_however_large_it_is(rng):
    """Errors beyond what a cell conducts are held at both ends alike."""
    g = rng.uniform(1e-6, 1e-5, (6, 4))
    crossbar = Crossbar(g, Wires(noise="exact"), 2.0 * g)
    v, reads = np.full(6, 0.2), 40_000
    i = crossbar.read(np.tile(v, (reads, 1)), rng)
    assert np.all(np.abs(i.mean(0) - v @ g) < 4.5 * i.std(0) / np.sqrt(reads))
