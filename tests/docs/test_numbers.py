"""Numbers of a page that come from a results file are that file's, digit by digit."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

import aimc
from aimc.cli import results

ROOT = Path(aimc.__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
RECORDS = {
    file.name: json.loads(file.read_text())
    for file in (ROOT / "benchmarks" / "results").glob("*.json")
    if not file.name.startswith("speed-")
}


def printed(record, rows):
    """The table that a benchmark prints of a record's rows."""
    spoken = "accuracy" if "test_clips" in record else "bits/char"
    how = (".2%", -100, "clip") if spoken == "accuracy" else (".3f", 1, "character")
    console = Console(width=140, highlight=False, markup=False, emoji=False)
    with console.capture() as shown:
        console.print(results.table(record[rows], spoken, record["float"]["test"], *how))
    return [line.rstrip() for line in shown.get().splitlines()]


def numbers(record):
    """Everything that a record holds, as numbers of %, or nJ."""
    found = list(record["float"].values())
    for row in (*record["rows"], *record["origins"]):
        found += [row[name] for name in ("mean", "std", "worst", "best") if row[name] is not None]
        found += [*(row["interval_95"] or ()), row["energy_per_inference"]]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tables_are_what_the_results_print(page):
    tables = [printed(r, rows) for r in RECORDS.values() for rows in ("rows", "origins") if r[rows]]
    for block in re.findall(r"^```text\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        lines = [line.rstrip() for line in block.splitlines()]
        for at, line in enumerate(lines):
            if line.startswith("float ") and "model" not in line:
                assert any(table == lines[at - 1 :][: len(table)] for table in tables), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_names_a_results_file_says_its_numbers(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.split(r"\n\s*\n", prose):
        named = re.findall(r"results/([\w-]+\.json)", paragraph)
        said = re.findall(r"(\d+\.(\d+)) (%|nJ)", paragraph)
        if not named:
            assert page.name != "benchmarks.md" or not said, f"no results file: {paragraph}"
            continue
        held = [number for name in named for number in numbers(RECORDS[name])]
        for text, digits, unit in said:
            scale = 100 if unit == "%" else 1e9
            assert text in {f"{scale * number:.{len(digits)}f}" for number in held}, text


def test_points_between_bits_are_differences_of_the_record():
    rows = RECORDS["kws-lstm32-pretrained-5-4-3bit-aware.json"]["rows"]
    mean = {(r["training"], r["bits"]): r["mean"] for r in rows if r["effects"] == "all effects"}
    lost = {of: 100 * (mean[of, 5] - mean[of, 3]) for of in ("plain", "hardware-aware")}
    text = (ROOT / "docs" / "cost.md").read_text()
    assert f"gives {lost['hardware-aware']:.1f} points" in text
    assert f"one that was not gives {lost['plain']:.0f}." in text
