"""A function takes at most eight arguments: what belongs together is one value."""

import ast
from pathlib import Path

import pytest

import aimc

PACKAGE = Path(aimc.__file__).parent
ROOMS = [path.name for path in sorted(PACKAGE.glob("*"))]
MOST = 8


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_has_more_than_eight_arguments(room):
    path = PACKAGE / room
    found = []
    for file in [path] if path.is_file() else path.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                a = node.args
                count = len(a.posonlyargs + a.args + a.kwonlyargs) + bool(a.vararg) + bool(a.kwarg)
                if count > MOST:
                    found.append(f"{file.name}:{node.lineno} has {count}")
    assert not found
