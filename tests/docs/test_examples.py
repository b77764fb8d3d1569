"""Every example of the README and of docs/ runs as it is printed, top to bottom of its page.

An example marked ```` ```python no-run ```` is left out. The scripts of tests/scripts run by
themselves, in `test_scripts.py`, and a page prints them as they stand there.
"""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = {path.read_text() for path in (ROOT / "tests" / "scripts").glob("*.py")}
FENCE = re.compile(r"^```python([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[str]:
    blocks = FENCE.findall(page.read_text())
    return [code for info, code in blocks if "no-run" not in info and code not in SCRIPTS]


ALL = [ROOT / "README.md", ROOT / "tests" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in ALL if examples(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_runs(page, tmp_path, monkeypatch):
    if page.name == "netlists.md" and shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: sudo apt-get install ngspice")
    monkeypatch.chdir(tmp_path)
    space = {"__name__": page.stem}
    for number, code in enumerate(examples(page), start=1):
        exec(compile(code, f"{page.name}, example {number}", "exec"), space)


@pytest.mark.parametrize("script", sorted(SCRIPTS), ids=lambda code: code.splitlines()[0][-40:])
def test_readme_prints_the_scripts(script):
    assert f"```python\n{script}```" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    "page", [page for page in ALL if page.parent.name != "changes"], ids=lambda page: page.stem
)
def test_paths_of_the_package_are_there(page):
    named = re.findall(r"`(aimc/[\w./]*)`", page.read_text())
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_test_file_has_its_law():
    laws = set(re.findall(r"^\| `([^`]+)`", (ROOT / "tests/README.md").read_text(), re.MULTILINE))
    files = (ROOT / "tests").glob("*/test_*.py")
    assert laws == {f"{path.parent.name}/{path.name}" for path in files}
