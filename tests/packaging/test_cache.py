"""Compiled kernels follow all of their sources, in whatever file these are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import aimc

CALLED = """from aimc.kernels.base.jit import inner
@inner
def plus(x):
    return x + {}
"""
CALLER = """from aimc.kernels.base.jit import jit
from aimc.kernels.called import plus
@jit
def result(x):
    return plus(x)
"""


def test_a_kernel_is_compiled_anew_where_what_it_calls_has_changed(tmp_path):
    kernels = tmp_path / "aimc" / "kernels"
    shutil.copytree(Path(aimc.__file__).parent / "kernels" / "base", kernels / "base")
    for folder in (kernels.parent, kernels):
        (folder / "__init__.py").touch()
    (kernels / "caller.py").write_text(CALLER)
    for more in (1, 20):  # of another length: Python knows its own cache by time and size
        (kernels / "called.py").write_text(CALLED.format(more))
        code = "from aimc.kernels.caller import result; print(result(1))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        assert int(done.stdout) == 1 + more
