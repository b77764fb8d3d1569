"""What `pip install` brings: one importable name, every card, nothing of the checkout."""

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARDS = sorted((ROOT / "circuits").rglob("*.toml"))


@pytest.fixture(scope="module")
def built(python, tmp_path_factory):
    """Folder with the sdist, and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    python("-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return out


@pytest.fixture(scope="module")
def names(built):
    (wheel,) = built.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(python, built, tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    (wheel,) = built.glob("*.whl")
    python("-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def test_only_aimc_is_importable(names):
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"aimc"}
    assert len(top) == 2


def test_wheel_holds_the_package_and_its_licence(names):
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "aimc").rglob("*.py")}
    assert modules <= set(names)
    assert "aimc/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_wheel_holds_every_circuit(names):
    assert CARDS
    assert {f"aimc/_shipped/{card.relative_to(ROOT).as_posix()}" for card in CARDS} <= set(names)


def test_wheel_holds_every_model_and_no_golden_netlist(names):
    models = sorted((ROOT / "netlists" / "models").glob("*.lib"))
    assert models
    assert {f"aimc/_shipped/{model.relative_to(ROOT).as_posix()}" for model in models} <= set(names)
    assert not any("golden" in name for name in names)


def test_sdist_can_build_and_test(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "Makefile", "tests/conftest.py"} <= files
    assert not any(name.startswith((".venv", ".git/")) for name in files)


def test_every_card_loads_from_the_installed_wheel(python, installed, tmp_path):
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import aimc;"
        "found = {name: str(aimc.load(name).name) for name in aimc.cards.names()};"
        "print(json.dumps([aimc.__file__, found]))"
    )
    file, found = json.loads(python("-c", code, installed, cwd=tmp_path))
    assert Path(file).is_relative_to(installed)
    assert set(found) == {card.stem for card in CARDS if card.parent.name == "hardware"}
