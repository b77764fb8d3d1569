"""Every model of the library is its formula, or scipy's solution of its differential equation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from aimc import shipped
from aimc.spice.runners import Ngspice

pytestmark = [pytest.mark.spice, pytest.mark.usefixtures("ngspice")]


def simulate(models, *lines):
    """The plot of a deck of these statements and models."""
    files = {
        f"{name}.lib": (shipped.path("netlists/models") / f"{name}.lib").read_text()
        for name in models
    }
    head = ["* test", *(f".include {name}" for name in files)]
    if not any("reltol" in line for line in lines):
        head.append(".options reltol=1e-12 abstol=1e-20 vntol=1e-15")
    (plot,) = Ngspice(timeout=60).run(
        {**files, "deck.cir": "\n".join([*head, *lines, ".end", ""])}, "deck.cir"
    )
    return plot


V = np.linspace(-0.5, 0.5, 41)


def curve(model, settings):
    """Currents of a cell over V."""
    plot = simulate(
        [model], "v1 a 0 dc 0", "v2 b 0 dc 0", f"x1 a b {model} {settings}",
        ".dc v1 -0.5 0.5 0.025", ".save i(v2)",
    )  # fmt: skip
    return plot["i(v2)"]


def test_linear_cell():
    assert_allclose(curve("cell_linear", "g=1.2345e-05"), 1.2345e-05 * V, rtol=1e-14, atol=1e-20)


@pytest.mark.parametrize("on", [0.0, 1.0])
def test_gated_cell(on):
    plot = simulate(
        ["cell_gated"], "v1 a 0 dc 0", "v2 b 0 dc 0", f"v3 on 0 dc {on!r}",
        "x1 a b on cell_gated g=2e-5", ".dc v1 -0.5 0.5 0.025", ".save i(v2)",
    )  # fmt: skip
    assert_allclose(plot["i(v2)"], on * 2e-5 * V, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("a", [0.5, 3.0, 10.0])
def test_sinh_cell(a):
    wanted = 2e-5 * np.sinh(a * V) / a
    assert_allclose(curve("cell_sinh", f"g=2e-5 a={a!r}"), wanted, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize(("n2", "n3"), [(0.0, 2e-5), (1e-6, 3e-5), (-2e-6, 0.0)])
def test_cubic_cell(n2, n3):
    wanted = 2e-5 * V + n2 * V**2 + n3 * V**3
    found = curve("cell_cubic", f"g=2e-5 n2={n2!r} n3={n3!r}")
    assert_allclose(found, wanted, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize(("g", "k", "v_gate"), [(1e-4, 1e-3, 1.2), (1e-3, 5e-4, 0.6)])
def test_1t1r_cell(g, k, v_gate):
    """The current through both, found by bisection on the node between them."""
    vt = 0.4

    def through(m):
        on = np.maximum(v_gate - vt - np.array([0.0, m]), 0.0) ** 2
        return k / 2 * (on[0] - on[1])

    middle = [brentq(lambda m, v=v: g * (v - m) - through(m), *sorted((0.0, v)), xtol=1e-16)
              if v else 0.0 for v in np.round(V, 12)]  # fmt: skip
    found = curve("cell_1t1r", f"g={g!r} v_gate={v_gate!r} vt={vt!r} k={k!r}")
    assert_allclose(found, [through(m) for m in middle], rtol=1e-9, atol=1e-18)
    half = float(middle[30])  # pyright: ignore[reportArgumentType] -- full output is off
    if half < v_gate - vt:
        triode = k * ((v_gate - vt) * half - half**2 / 2)
        assert found[30] == pytest.approx(triode, rel=1e-9)


@pytest.mark.parametrize(("v_gate", "clm"), [(0.9, 0.01), (0.6, 0.1)])
def test_transistor(v_gate, clm):
    """Triode and saturation forwards, triode backwards [Shichman and Hodges 1968]."""
    k, v_th = 5e-4, 0.4
    over = v_gate - v_th
    forward = np.where(over < V, k * over**2 / 2, k * (over * V - V**2 / 2)) * (1 + clm * np.abs(V))
    found = curve("transistor", f"k={k!r} v_gate={v_gate!r} v_th={v_th!r} clm={clm!r}")
    assert_allclose(found, forward, rtol=1e-9, atol=1e-18)


def test_wire_segment():
    """An RC low pass: each end has half of the capacitance."""
    r, c = 1e3, 2e-12
    plot = simulate(
        ["wire"], "v1 a 0 dc 0 pulse(0 1 0 1f 1f 1 2)", f"x1 a b wire r={r!r} c={c!r}",
        ".options reltol=1e-6", ".tran 10p 5n 0 10p", ".save v(b)",
    )  # fmt: skip
    assert_allclose(plot["v(b)"][5:], 1 - np.exp(-plot["time"][5:] / (r * c / 2)), atol=2e-4)


def test_switch():
    plot = simulate(
        ["switch_v"], "v1 a 0 dc 1", "von on 0 dc 0", "x1 a b on switch_v ron=10 roff=1e9",
        "r1 b 0 1e3", ".dc von 0 1 0.2", ".save v(b)",
    )  # fmt: skip
    closed = 1e3 / 1010
    opened = 1e3 / (1e9 + 1e3)
    assert_allclose(plot["v(b)"], [opened] * 3 + [closed] * 3, rtol=1e-9)


@pytest.mark.parametrize("gain", [None, 1e6, 1e3, 10.0])
def test_integrators(gain):
    """v(out) = -(q / c) A / (A + 1), which is -q / c for the ideal one, and holds; then reset."""
    model = "integrator_ideal" if gain is None else "integrator_opamp"
    setting = "" if gain is None else f" gain={gain!r}"
    plot = simulate(
        ["switch_v", model], "i1 0 a dc 0 pulse(0 1u 1n 10p 10p 1.99n 1)",
        "vr r 0 dc 0 pulse(0 1 6n 10p 10p 5n 1)", "vz z 0 dc 0",
        f"x1 a out r {model} c=1p ron=10{setting}",
        ".options reltol=1e-6", ".ic v(a)=0", ".tran 10p 8n 0 10p uic", ".save v(out) v(a)",
    )  # fmt: skip
    q, share = 1e-6 * 2e-9, 1.0 if gain is None else gain / (gain + 1)
    out = np.interp([0.9e-9, 2e-9, 4e-9, 5.9e-9, 7e-9], plot["time"], plot["v(out)"])
    # Half the charge, and half an edge, at 2 ns.
    assert_allclose(out, -np.array([0, (0.5 - 0.0025) * q, q, q, 0]) / 1e-12 * share, atol=2e-6)
    held = np.interp(4e-9, plot["time"], plot["v(a)"])
    assert held == pytest.approx(0.0 if gain is None else -out[2] / gain, abs=1e-9)


def test_sample_and_hold():
    plot = simulate(
        ["switch_v", "sample_hold"], "v1 a 0 dc 0 sin(0 1 100meg)",
        "vt t 0 dc 1 pulse(1 0 2n 10p 10p 1 2)", "x1 a out t sample_hold c=1f ron=10",
        ".options reltol=1e-6", ".tran 10p 8n 0 10p", ".save v(out)",
    )  # fmt: skip
    wave = np.interp([1e-9, 3e-9, 7e-9], plot["time"], plot["v(out)"])
    held = np.sin(2 * np.pi * 0.1 * 2.005)
    assert_allclose(wave, [np.sin(2 * np.pi * 0.1), held, held], atol=2e-3)


@pytest.mark.parametrize("offset", [0.0, 0.02, -0.03])
def test_comparator_flips_at_its_threshold(offset):
    plot = simulate(
        ["comparator"], "v1 a 0 dc 0", "v2 b 0 dc 0.1",
        f"x1 a b out comparator offset={offset!r}", ".dc v1 0 0.2 1e-4", ".save v(out) v(a)",
    )  # fmt: skip
    far = np.abs(plot["v(a)"] - 0.1 + offset) > 2e-5
    assert_allclose(plot["v(out)"][far], plot["v(a)"][far] > 0.1 - offset, atol=1e-12)


@pytest.mark.parametrize("delay", [1e-10, 1e-9])
def test_comparator_delay(delay):
    plot = simulate(
        ["comparator_delay"], "v1 a 0 dc 0 pulse(0 0.2 1n 1n 1n 10n 30n)", "v2 b 0 dc 0.1",
        f"x1 a b out comparator_delay offset=0.02 delay={delay!r}",
        ".options reltol=1e-6", ".tran 5p 6n 0 5p", ".save v(out)",
    )  # fmt: skip
    first = int(np.argmax(plot["v(out)"] > 0.5))
    at = np.interp(0.5, plot["v(out)"][first - 1 : first + 1], plot["time"][first - 1 : first + 1])
    assert at == pytest.approx(1.4e-9 + delay, abs=6e-12)


def memristor(model, settings, amplitude, frequency, reltol):
    period = 1 / frequency
    plot = simulate(
        [model], f"v1 a 0 dc 0 sin(0 {amplitude!r} {frequency!r})", "v2 b 0 dc 0",
        f"x1 a b {model} {settings}", f".options reltol={reltol!r} abstol=1e-15 vntol=1e-9",
        f".tran {period / 500!r} {2 * period!r} 0 {period / 2000!r}", ".save v(x1.x) i(v2)",
    )  # fmt: skip
    return plot["time"], plot["v(x1.x)"], plot["i(v2)"]


@pytest.mark.parametrize("amplitude", [0.35, 0.6])
def test_vteam(amplitude):
    r_on, r_off, v_on, v_off, k, a, p = 1e3, 1e5, -0.2, 0.2, 1e7, 3, 2
    frequency = 1e6
    time, x, i = memristor("memristor_vteam", "", amplitude, frequency, 1e-8)

    def volts(t):
        return amplitude * np.sin(2 * np.pi * frequency * t)

    def rate(t, x):
        v = volts(t)
        up = k * np.maximum(v / v_off - 1, 0) ** a * (1 - np.abs(x) ** (2 * p))
        down = -k * np.maximum(v / v_on - 1, 0) ** a * (1 - np.abs(1 - x) ** (2 * p))
        return up + down

    exact = solve_ivp(rate, (0, time[-1]), [0.5], "LSODA", time, rtol=1e-10, atol=1e-12,
                      max_step=1 / frequency / 200)  # fmt: skip
    assert np.ptp(exact.y[0]) > 0.2
    assert np.abs(x - exact.y[0]).max() < 2e-5
    assert_allclose(i, volts(time) / (r_on + (r_off - r_on) * x), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("amplitude", "frequency"), [(1.2, 1e4), (1.6, 1e6)])
def test_filament(amplitude, frequency):
    i0, d0, v0, vel, ea, gamma0, beta = 1e-3, 0.25, 0.25, 1e10, 0.6, 16, 0.8
    hop, t_ox, t_amb, r_th, d_min, d_max, width, fast = 0.25, 12, 298, 2100, 0.2, 1.7, 0.05, 1e9
    time, x, i = memristor("memristor_filament", "x0=1.2", amplitude, frequency, 1e-5)

    def volts(t):
        return amplitude * np.sin(2 * np.pi * frequency * t)

    def current(v, d):
        return i0 * np.exp(-d / d0) * np.sinh(60 * np.tanh(v / (60 * v0)))

    def rate(t, d):
        v = volts(t)
        kt = 8.617333262e-5 * (t_amb + r_th * np.abs(v * current(v, d)))
        gamma = gamma0 - beta * d**3
        raw = -vel * np.exp(-ea / kt) * np.sinh(60 * np.tanh(gamma * hop / t_ox * v / kt / 60))
        speed = fast * np.tanh(raw / fast)
        room = np.where(speed > 0, d_max - d, d - d_min)
        return speed * np.tanh(np.maximum(room, 0) / width)

    exact = solve_ivp(rate, (0, time[-1]), [1.2], "LSODA", rtol=1e-9, atol=1e-12,
                      max_step=1 / frequency / 500, dense_output=True)  # fmt: skip
    assert np.ptp(exact.y[0]) > 0.5
    # It switches abruptly: the gap is that of a moment less than 2e-4 periods away.
    late = 2e-4 / frequency
    near = np.stack([exact.sol(np.clip(time + shift, 0, time[-1]))[0] for shift in
                     np.linspace(-late, late, 9)])  # fmt: skip
    assert np.all(x > near.min(axis=0) - 1e-4)
    assert np.all(x < near.max(axis=0) + 1e-4)
    assert np.median(np.abs(x - exact.sol(time)[0])) < 2e-5
    assert_allclose(i, current(volts(time), x), rtol=1e-4, atol=1e-12)
