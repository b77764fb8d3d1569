import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")

# A law is tried on the same examples everywhere, and a first call may compile a kernel.
settings.register_profile("aimc", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("aimc")


@pytest.fixture
def rng():
    return np.random.default_rng(20250127)


@pytest.fixture(scope="session")
def python():
    """Runs Python in a process of its own and gives what it printed."""

    def run(*args, cwd=None):
        done = subprocess.run(
            [sys.executable, *map(str, args)], capture_output=True, text=True, cwd=cwd
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run
