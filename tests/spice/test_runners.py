"""Every way in which a run can fail is an error that says which, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from aimc import Crossbar, Wires, spice
from aimc.errors import ArgumentError, SpiceError
from aimc.spice import lint, log, raw
from aimc.spice.runners import Ngspice, NgspiceShared

DECKS = {
    "singular": "v1 a 0 dc 1\nc1 a b 1p\ng1 b c b c 1e-3\nr1 a 0 1k\n.op\n.save v(a)",
    "loop": "v1 a 0 dc 1\nv2 a 0 dc 2\nr1 a 0 1k\n.op\n.save v(a)",
    "unknown": "v1 a 0 dc 1\nq1 a 0 0 nothere\n.op\n.save v(a)",
    "undefined": "v1 a 0 dc 1\nr1 a 0 {nothere}\n.op\n.save v(a)",
    "words": "v1 a 0 dc 1\nr1 a 0 1k\nq7 bad\n.op\n.save v(a)",
    "chatter": "v1 a 0 dc 0 pulse(0 1 1n 1n 1n)\n"
               "b1 b 0 v = v(a) > 0.5 ? (v(c) > 0.5 ? 0 : 1) : 0\n"
               "r1 b c 1\nc1 c 0 1e-22\n.tran 1n 10n\n.save v(a)",
}  # fmt: skip
DECKS |= {
    "kept": "v1 a 0 dc 1\nr1 a 0 1k\n.op\n.save v(b)",
    "marks": "v1 a 0 dc 1\nr1 a 0 1k\n!!! what\n.op\n.save v(a)",
}
REASONS = {
    "kept": "nodes",
    "marks": "syntax",
    "singular": "singular",
    "loop": "singular",
    "unknown": "syntax",
    "undefined": "syntax",
    "words": "syntax",
    "chatter": "convergence",
}
SLOW = "* slow\nv1 a 0 dc 0 sin(0 1 1g)\nr1 a 0 1k\n.tran 1f 1\n.save v(a)\n.end\n"
GOOD = "* good\nv1 a 0 dc 1\nr1 a 0 1k\n.op\n.save v(a)\n.end\n"


def failure(runner, text):
    with pytest.raises(SpiceError) as caught:
        runner.run({"deck.cir": text}, "deck.cir")
    return caught.value


def working_in(folder):
    """Processes that work in a folder of this run; other tests run at the same time."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            found += [each] if str(each.readlink()).startswith(str(folder)) else []
    return found


@pytest.mark.spice
@pytest.mark.parametrize("name", DECKS)
def test_a_bad_circuit_is_named(ngspice, name):
    error = failure(Ngspice(timeout=60), f"* {name}\n{DECKS[name]}\n.end\n")
    assert error.reason == REASONS[name]
    assert error.log


@pytest.mark.spice
@pytest.mark.parametrize("name", DECKS)
def test_a_bad_circuit_is_named_by_the_shared_library_too(shared, name):
    error = failure(shared, f"* {name}\n{DECKS[name]}\n.end\n")
    assert error.reason == REASONS[name]


@pytest.mark.spice
@pytest.mark.parametrize(("name", "line"), [("words", "q7 bad"), ("marks", "!!! what")])
def test_a_line_that_is_not_understood_stands_in_the_message(ngspice, name, line):
    error = failure(Ngspice(), f"* {name}\n{DECKS[name]}\n.end\n")
    assert "line" in str(error)
    assert str(error).endswith(line)


@pytest.mark.parametrize("runner", [3, Ngspice, "ngspice"])
def test_what_is_no_runner_is_refused(runner):
    netlist = spice.netlist(Crossbar(np.full((2, 2), 1e-5)), np.ones(2))
    with pytest.raises(ArgumentError, match="`runner` must be a Runner"):
        netlist.run(runner)


@pytest.mark.spice
def test_a_vector_that_is_not_in_the_circuit(ngspice):
    (plot,) = Ngspice().run({"deck.cir": GOOD}, "deck.cir")
    assert plot["v(a)"] == [1.0]
    with pytest.raises(SpiceError, match=r"holds no such vector") as caught:
        plot["v(b)"]
    assert caught.value.reason == "nodes"


def test_a_missing_program_says_how_to_install_it():
    error = failure(Ngspice(program="no-such-ngspice"), GOOD)
    assert error.reason == "missing"
    assert "apt-get install ngspice" in str(error)


def test_a_missing_library_says_how_to_install_it(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = failure(NgspiceShared(), GOOD)
    assert error.reason == "missing"
    assert "pip install 'aimc[spice]'" in str(error)


def test_a_program_that_is_no_program(tmp_path):
    broken = tmp_path / "ngspice"
    broken.write_text("not a program")
    broken.chmod(0o755)
    assert failure(Ngspice(program=str(broken)), GOOD).reason == "missing"


def test_a_program_that_says_nothing(tmp_path):
    silent = tmp_path / "ngspice"
    silent.write_text("#!/bin/sh\nexit 3\n")
    silent.chmod(0o755)
    error = failure(Ngspice(program=str(silent)), GOOD)
    assert error.reason == "failed"
    assert "status 3" in str(error)


@pytest.mark.spice
def test_a_run_beyond_its_time_is_ended(ngspice, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    start = time.monotonic()
    error = failure(Ngspice(timeout=0.5), SLOW)
    assert error.reason == "timeout"
    assert time.monotonic() - start < 120  # by itself it would run for hours
    assert until(lambda: not working_in(tmp_path) and not list(tmp_path.iterdir()))


@pytest.mark.spice
def test_the_shared_library_beyond_its_time_is_ended(shared):
    assert failure(NgspiceShared(timeout=3), SLOW).reason == "timeout"


@pytest.mark.spice
def test_a_killed_simulator_is_told(ngspice, monkeypatch):
    started = []
    original = subprocess.Popen

    def popen(*args, **kwargs):
        process = original(*args, **kwargs)
        if "ngspice" in args[0][0]:
            started.append(process.pid)
            threading.Timer(0.3, os.kill, (process.pid, signal.SIGKILL)).start()
        return process

    monkeypatch.setattr(subprocess, "Popen", popen)
    error = failure(Ngspice(timeout=60), SLOW)
    assert error.reason == "killed"
    assert "SIGKILL" in str(error)
    assert started


def heeding():
    """In a child: heed what a test started in the background, or by `nohup`, would ignore."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def until(done):
    """Whether it comes to be done; what ends with its parent does so a moment later."""
    deadline = time.monotonic() + 120
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done()


def alive(pid):
    """Whether a process runs, and is not one that has ended and that nobody has asked for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.spice
def test_ctrl_c_ends_a_check_and_its_simulator(ngspice):
    command = [sys.executable, "-m", "aimc", "check", "ideal-5bit", "--rows", "64", "--batch", "64"]
    check = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    )

    def children():
        listed = ["ps", "-o", "pid=,args=", "--ppid", str(check.pid)]
        lines = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
        return [line.split()[0] for line in lines.splitlines() if "deck.cir" in line]

    deadline = time.monotonic() + 60
    while not (started := children()) and time.monotonic() < deadline:
        time.sleep(0.02)
    check.send_signal(signal.SIGINT)
    try:
        _, said = check.communicate(timeout=120)
    finally:
        check.kill()
    assert started
    assert check.returncode == 130
    assert said.strip() == "interrupted"
    assert until(lambda: not any(map(alive, started)))


@pytest.mark.spice
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_no_simulator_and_no_folder_outlive_a_killed_process(ngspice, tmp_path, how):
    code = f"from aimc.spice import Ngspice; Ngspice().run({{'deck.cir': {SLOW!r}}}, 'deck.cir')"
    ours = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=heeding,
    )

    def watching():
        listed = ["ps", "-o", "args=", "--ppid", str(ours.pid)]
        said = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
        return "read -r" in said and "deck.cir" in said

    try:
        assert until(lambda: working_in(tmp_path) and watching())
        assert list(tmp_path.glob("aimc-spice-*"))
    finally:
        ours.send_signal(getattr(signal, how))
        try:
            ours.wait(120)
        finally:
            ours.kill()
    assert until(lambda: not working_in(tmp_path) and not list(tmp_path.iterdir()))


@pytest.mark.spice
def test_many_runs_leave_no_memory_process_or_file(ngspice, rng, tmp_path, monkeypatch):
    """`benchmarks/speed/spice_runs.py` does the same a thousand times.

    In a folder of its own: other tests run at the same time, and their files are no leak.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    netlist = spice.netlist(Crossbar(rng.uniform(1e-6, 1e-4, (8, 4)), Wires(1, 1)), np.ones(8))
    memory = []
    for k in range(40):
        netlist.run(Ngspice())
        if k >= 10:
            memory.append(resident())
    assert memory[-1] - memory[0] < 2e6
    assert not list(tmp_path.iterdir())
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    assert until(lambda: not children.exists() or not children.read_text().split())


def resident():
    """Memory of this process [byte]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Note: Starting dynamic gmin stepping\n", "rescued"),
        ("Warning: source stepping failed\nNote: Transient op started\n", "rescued"),
        ("Warning: singular matrix:  check node b\nNote: Starting gmin stepping\n", "singular"),
        ("doAnalyses: TRAN:  Timestep too small; time = 1.5e-09\n", "convergence"),
        ("Undefined parameter [foo]\nError: circuit not parsed.\n", "syntax"),
        ("ERROR, N_GLOBAL_NODES overflow\n", "syntax"),
        ("Warning: something new\n", "warning"),
        ("Error: something new\n", "warning"),
    ],
)
def test_the_log_decides(text, reason):
    with pytest.raises(SpiceError) as caught:
        log.check(text)
    assert caught.value.reason == reason


def test_a_harmless_log_passes():
    log.check("Note: No compatibility mode selected!\n\nCircuit: * x\n\nNo. of Data Rows : 1\n")
    log.check('Note: No ".plot", ".print", or ".fourier" lines; no simulations run\n')


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x1 a 0 nothere\n", "nothere is not defined"),
        (".subckt s a b c\nr1 a b 1\nr2 b c 1\n.ends\nv1 a 0 1\nx1 a 0 s\n", "has 3 ports"),
        ("v1 a b 1\nr1 a b 1\n", "nothing is grounded"),
        ("v1 a 0 1\nr1 a b 1\n", "Node b has one end only"),
        (".include none.lib\nv1 a 0 1\nr1 a 0 1\n", "which is not there"),
    ],
)
def test_what_ngspice_forgives_is_checked_before(text, match):
    with pytest.raises(SpiceError, match=match):
        lint.check({"deck.cir": "* title\n" + text + ".end\n"})


def test_a_file_that_is_included_ends_no_deck():
    circuit = "* title\nv1 a 0 1\nr1 a 0 1\n"
    lint.check({"deck.cir": "* title\n.include a.cir\n.end\n", "a.cir": circuit})
    with pytest.raises(SpiceError, match=r"must not end the deck, but a.cir has `.end`"):
        lint.check({"deck.cir": "* title\n.include a.cir\n.end\n", "a.cir": circuit + ".end\n"})


def test_an_answer_that_is_not_finite_is_told_by_its_vector(tmp_path):
    head = "Title: t\nPlotname: Operating Point\nFlags: real\nNo. Variables: 2\nNo. Points: 1\n"
    names = "Variables:\n\t0\tv(a)\tvoltage\n\t1\ti(v1)\tcurrent\n"
    for kind, body in {
        "Binary:\n": np.array([1.0, np.nan]).tobytes(), "Values:\n": b"0\t1.0\n\tinf\n",
    }.items():  # fmt: skip
        (tmp_path / "x.raw").write_bytes((head + names + kind).encode() + body)
        with pytest.raises(SpiceError, match=r"must be finite, but i\(v1\) is (nan|inf)") as caught:
            raw.read(tmp_path / "x.raw")
        assert caught.value.reason == "raw"


@pytest.mark.spice
def test_ascii_and_binary_raw_files_say_the_same(ngspice, tmp_path):
    body = "v1 a 0 dc 0.1\nr1 a b 1k\nr2 b 0 3k\n.save v(a) v(b) i(v1)\n"
    control = ".control\nset filetype={}\nop\nwrite {}\ndc v1 0 1 0.25\nset appendwrite\n"
    control += "write {}\nquit\n.endc\n.end\n"
    plots = {}
    for kind in ("ascii", "binary"):
        deck = tmp_path / f"{kind}.cir"
        deck.write_text("* raw\n" + body + control.format(kind, "x.raw", "x.raw"))
        command = ["ngspice", "-n", "-b", deck.name]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        plots[kind] = raw.read(tmp_path / "x.raw")
        (tmp_path / "x.raw").unlink()
    names = [plot.name for plot in plots["ascii"]]
    assert names == ["Operating Point", "DC transfer characteristic"]
    for ascii_, binary in zip(plots["ascii"], plots["binary"], strict=True):
        assert list(ascii_.vectors) == list(binary.vectors)
        for name, values in ascii_.vectors.items():
            np.testing.assert_allclose(values, binary[name], rtol=1e-14)


@pytest.mark.parametrize("cut", [10, 60, 100, -3])
def test_a_damaged_raw_file_is_named(tmp_path, cut):
    head = "Title: * t\nPlotname: Operating Point\nFlags: real\nNo. Variables: 1\nNo. Points: 1\n"
    head += "Variables:\n\t0\tv(a)\tvoltage\nBinary:\n"
    data = head.encode() + np.array([1.5]).tobytes()
    (tmp_path / "good.raw").write_bytes(data)
    assert raw.read(tmp_path / "good.raw")[0]["v(a)"] == [1.5]
    (tmp_path / "cut.raw").write_bytes(data[:cut])
    with pytest.raises(SpiceError, match="is damaged") as caught:
        raw.read(tmp_path / "cut.raw")
    assert caught.value.reason == "raw"


@pytest.mark.spice
@pytest.mark.parametrize("kind", ["program", "library"])
def test_no_init_file_of_the_user_has_a_say(ngspice, request, tmp_path, monkeypatch, kind):
    runner = request.getfixturevalue("shared") if kind == "library" else Ngspice()
    (tmp_path / ".spiceinit").write_text("set rndseed=1\necho Error: read\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    (plot,) = runner.run({"deck.cir": GOOD}, "deck.cir")
    assert plot["v(a)"] == [1.0]


def test_files_stay_near_their_deck():
    with pytest.raises(ArgumentError, match="must lie near the deck"):
        Ngspice().run({"deck.cir": GOOD, "../../../../x.lib": ""}, "deck.cir")


@pytest.mark.spice
def test_only_ngspice_is_run(ngspice):
    netlist = spice.netlist(Crossbar(np.full((2, 2), 1e-5)), np.ones(2), dialect="ltspice")
    with pytest.raises(ArgumentError, match="must be ngspice to be run here"):
        netlist.run()
