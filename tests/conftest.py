import os

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")

# A law is tried on the same examples everywhere, and a first call may compile a kernel.
settings.register_profile("aimc", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("aimc")


@pytest.fixture
def rng():
    import numpy as np

    return np.random.default_rng(20250127)
