"""The scripts that the documentation prints run as they stand."""

import re
import shutil
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_simulate(python, tmp_path):
    out = python("-W", "error", SCRIPTS / "simulate.py", cwd=tmp_path)
    error = re.search(r"rms error ([\d.]+) LSB", out)
    assert error
    assert 0.0 < float(error[1]) < 3.0


@pytest.mark.spice
def test_netlist(python, tmp_path):
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: sudo apt-get install ngspice")
    out = python("-W", "error", SCRIPTS / "netlist.py", cwd=tmp_path)
    assert "codes equal: 4 of 4" in out
    assert out.endswith("ngspice agrees\n")
    assert (tmp_path / "macro.cir").is_file()
    assert (tmp_path / "models" / "cell_linear.lib").is_file()


def test_benchmark(python, tmp_path):
    out = python("-W", "error", SCRIPTS / "benchmark.py", cwd=tmp_path)
    line = re.compile(r"^(\S+) +([\d.]+)% \+- [\d.]+% +(\S+) J per step$", re.MULTILINE)
    found = {card: (float(accuracy), float(energy)) for card, accuracy, energy in line.findall(out)}
    assert set(found) == {"ideal-5bit", "taox-1t1r-128"}
    for accuracy, energy in found.values():
        assert 100 / 12 < accuracy <= 100
        assert 0 < energy < 1e-6
