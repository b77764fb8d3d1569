"""No circle of imports anywhere in the package: for types, within functions, all counted."""

import ast
from pathlib import Path

import aimc

ROOT = Path(aimc.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imported(path):
    """The modules of the package that a file names, in whatever place."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = (f"{node.module}.{each.name}" for each in node.names)
            yield from (name if name in FILES else node.module for name in whole)


def test_no_module_imports_itself_by_way_of_others():
    """Modules that import nothing left are taken away, again and again; a circle remains."""
    left = {name: set(imported(path)) & FILES.keys() - {name} for name, path in FILES.items()}
    while free := {name for name, needs in left.items() if not needs}:
        left = {name: needs - free for name, needs in left.items() if name not in free}
    assert not left
