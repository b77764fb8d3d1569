"""Numbers of a page that come from a results file are that file's, digit by digit."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import aimc
from aimc import cost, reproduce
from aimc.cli import app, results
from aimc.reproduce import bottleneck, table1

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


COSTS = (ROOT / "docs" / "cost.md").read_text()


@pytest.mark.parametrize("name", ["bottleneck", "converters", "table1"])
def test_a_reproduced_table_is_printed_as_it_comes(name):
    assert f"```text\n{reproduce.run(name)}\n```" in COSTS


def test_the_bill_is_printed_as_it_comes():
    command = ["cost", "taox-1t1r-128", "--model", "lstm", "--hidden", "32", "--tall"]
    text = CliRunner().invoke(app, command).stdout
    assert f"```text\n{text}```" in COSTS


def test_what_is_left_of_the_lead_is_what_the_bills_say():
    hardware, tall = aimc.load("taox-1t1r-128"), cost.Usage(tall=True)
    for bits in range(3, 9):
        h = hardware.replace(bits=bits)
        found = cost.compare(lambda k, h=h: cost.layer("lstm", h, 40, 32, converter=k, usage=tall))
        cells = [f"{b.latency * 1e9:.1f} ns, {b.energy * 1e12:.1f} pJ" for b in found.values()]
        assert f"| {' | '.join([str(bits), *cells])} |" in COSTS
    times, more = [], []
    for cycles in (1, 2, 4):
        ramp, *others = bottleneck.bills(cycles).values()
        times.append(f"{others[0].latency / ramp.latency:.1f}")
        assert others[1].latency == pytest.approx(others[0].latency, rel=0.01)
        more.append([f"{100 * (b.energy / ramp.energy - 1):.0f} %" for b in others])
    assert f"{times[0]}, {times[1]} and {times[2]} times as long here" in COSTS
    (a, b), _, (c, d) = more
    assert f"{a} and {b} more energy at one cycle, {c} and {d} more at four" in COSTS


def test_what_one_network_tells_of_the_other_is_what_the_fits_say():
    rows = {row.what: row for row in table1.run(0).rows}
    for network, others, way in (("KWS", "NLP", "low"), ("NLP", "KWS", "high")):
        of = [
            f"{others}, {bits} bits: energy of a step, fitted to {network} alone" for bits in (5, 8)
        ]
        five, eight = (abs(round(100 * (rows[what].difference or 0))) for what in of)
        assert f"{five} % and {eight} % too {way}" in COSTS
