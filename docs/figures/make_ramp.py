"""Draws the figures of docs/ramp.md: `python docs/figures/make_ramp.py`."""

import tempfile
from pathlib import Path

from aimc.cli.options import Ramp
from aimc.cli.ramp import report

HERE = Path(__file__).parent

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        report(Ramp(card="taox-1t1r-128", curve="sigmoid", bits=5, out=out))
        (HERE / "ramp-inl.png").write_bytes((out / "ramp.png").read_bytes())
        (HERE / "ramp-transfer.png").write_bytes((out / "transfer.png").read_bytes())
