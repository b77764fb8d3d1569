import importlib.util
import shutil

import pytest

from aimc.spice import runners


@pytest.fixture(scope="session")
def ngspice():
    """Skips where there is no ngspice."""
    if shutil.which("ngspice") is None:
        pytest.skip(f"ngspice is not installed: {runners.INSTALL}")


@pytest.fixture(scope="session")
def shared(ngspice):
    """The runner of ngspice's shared library; skips where PySpice or the library is missing."""
    if importlib.util.find_spec("PySpice") is None:
        pytest.skip("PySpice is not installed: pip install 'aimc[spice]'")
    if runners._library() is None:
        pytest.skip("ngspice's shared library is not installed: sudo apt-get install libngspice0")
    return runners.NgspiceShared()
