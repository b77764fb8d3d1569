"""An ability is a method that answers None: nothing asks an object what attributes it has."""

import ast
from pathlib import Path

import aimc

PACKAGE = Path(aimc.__file__).parent
# At the edge: modules and tasks of the user's own, typer's parameters, numba's and threads' state,
# arrays, curves and classes before they are checked.
EDGES = {
    "cli/many.py", "crossbar.py", "kernels/base/threads.py", "nn/checkpoint.py",
    "nn/layers/base.py", "nn/training/run.py", "parts/registry.py",
}  # fmt: skip


def calls(name):
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == name:
                yield path.relative_to(PACKAGE).as_posix(), node


def test_no_hasattr():
    assert not [f"{path}:{node.lineno}" for path, node in calls("hasattr")]


def test_getattr_with_a_default_stands_at_the_edge():
    assert {path for path, node in calls("getattr") if len(node.args) > 2} <= EDGES
