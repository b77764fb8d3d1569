"""The netlists under netlists/golden are what the export writes, byte for byte, and plain ngspice
runs them where they stand and answers what stands beside them.

Two lines of the header may differ: the version of aimc, and the digest of the card's numbers, which
is another where a part has got a new field.

After a wanted change: `python tests/golden/golden.py`, and read the difference.
"""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from aimc import spice
from aimc.spice import lint, raw, runners

_spec = importlib.util.spec_from_file_location("golden", Path(__file__).parent / "golden.py")
assert _spec is not None
assert _spec.loader is not None
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)
NETLISTS = golden.netlists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the golden netlists and the models that they include."""
    place = tmp_path_factory.mktemp("netlists")
    for name in ("golden", "models"):
        shutil.copytree(golden.FOLDER.parent / name, place / name)
    return place / "golden"


@pytest.fixture(scope="module")
def ngspice():
    if shutil.which("ngspice") is None:
        pytest.skip(f"ngspice is not installed: {runners.INSTALL}")


@pytest.mark.parametrize("name", NETLISTS)
def test_the_export_is_the_golden_netlist_to_the_byte(name, tmp_path):
    place = tmp_path / "golden"
    for file in NETLISTS[name].write(place / f"{name}.cir"):
        kept = golden.FOLDER.parent / file.resolve().relative_to(tmp_path.resolve())
        assert circuit(kept) == circuit(file)


def circuit(file):
    """The bytes of a deck, the two lines of its header aside that say what wrote it."""
    text = file.read_bytes()
    text = re.sub(rb"^\* aimc [\w.+]+, ", b"* aimc, ", text, flags=re.MULTILINE)
    return re.sub(rb"^\* [0-9a-f]{64}$", b"* digest", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", NETLISTS)
def test_no_number_shows_what_it_was_rounded_by(name):
    netlist = NETLISTS[name]
    text = netlist.text + netlist.measure(f"{name}.cir")
    assert re.findall(r"[0-9.]*(?:0000000|9999999)[0-9]+(?:e[-+]?[0-9]+)?", text) == []


@pytest.mark.parametrize("name", NETLISTS)
def test_the_measure_deck_ends_once_and_includes_what_does_not_end(name):
    netlist = NETLISTS[name]
    deck = netlist.measure("deck.cir")
    lint.check({lint.DECK: deck, **dict(netlist.includes)})
    assert [line for line in deck.splitlines() if line == ".end"] == [".end"]
    assert deck.endswith("\n.end\n")


def test_nothing_else_is_there():
    kept = {p.name for p in golden.FOLDER.iterdir() if p.suffix != ".raw"} - {"README.md"}
    wanted = {f"{name}{suffix}" for name in NETLISTS for suffix in (".cir", ".txt")}
    wanted |= {f"{name}.measure.cir" for name, each in NETLISTS.items() if each.measures}
    assert kept == wanted


@pytest.mark.parametrize("name", NETLISTS)
def test_the_answers_are_those_of_the_simulator(name):
    assert (golden.FOLDER / f"{name}.txt").read_text() == golden.answers()[name]


@pytest.mark.spice
@pytest.mark.parametrize("name", NETLISTS)
def test_plain_ngspice_runs_them_where_they_stand(ngspice, folder, name):
    printed = ""
    for deck in (f"{name}.cir", f"{name}.measure.cir"):
        if (folder / deck).is_file():
            done = subprocess.run(
                ["ngspice", "-n", "-b", deck], cwd=folder, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "rror" not in done.stdout + done.stderr
            printed = done.stdout
    answer = (folder / f"{name}.txt").read_text()
    if name.startswith("macro"):
        check_measures(printed, answer)
    elif len(NETLISTS[name].plan.v) > 1:
        plots = raw.read(folder / "inputs.raw")
        cols = NETLISTS[name].plan.crossbar.g.shape[1]
        currents = [[plot[f"i(vs{j})"][0] for j in range(cols)] for plot in plots]
        wanted = [list(map(float, line.split())) for line in answer.splitlines()[1:]]
        np.testing.assert_allclose(currents, wanted, rtol=1e-6)
    else:
        said = [float(v) for v in re.findall(r"^\s*vs\d+#branch\s+(\S+)", printed, re.M)]
        wanted = list(map(float, answer.splitlines()[1].split()))
        np.testing.assert_allclose(sorted(said), sorted(wanted), rtol=1e-5)


def check_measures(printed, answer):
    said = {k: float(v) for k, v in re.findall(r"^(\w+)\s+=\s+(\S+)", printed, re.M)}
    lines = [line.split() for line in answer.splitlines()]
    for n in range(2):
        u, code = np.array(lines[1 + n], float), np.array(lines[4 + n], int)
        for j in range(4):
            assert said[f"u{j}_{n}"] == pytest.approx(u[j], abs=1e-4)
            flips = [said[f"flip{j}_{n}_{k}"] > 0.5 for k in range(31)]
            assert code[j] == (flips.index(True) if any(flips) else 31)
    levels = np.array(lines[7], float)
    assert np.abs([said[f"level0_{k}"] for k in range(31)] - levels).max() < 1e-4


@pytest.mark.spice
@pytest.mark.parametrize("name", NETLISTS)
def test_they_agree_with_the_simulator(ngspice, name):
    result = NETLISTS[name].run()
    if name.startswith("macro"):
        macro, x, _ = golden.macros()[name]
        assert spice.compare(macro.trace(x), result)
    else:
        crossbar, v = golden.crossbars()[name]
        assert spice.compare(crossbar.solve(v), result)
