"""The scripts that the documentation prints run as they stand."""

import re
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_simulate(python, tmp_path):
    out = python("-W", "error", SCRIPTS / "simulate.py", cwd=tmp_path)
    error = re.search(r"rms error ([\d.]+) LSB", out)
    assert error
    assert 0.0 < float(error[1]) < 3.0
