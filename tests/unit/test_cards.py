"""Laws of the cards: they round-trip exactly, and a number without unit or source is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import aimc
from aimc import cards, cost, shipped
from aimc.errors import CardError
from aimc.parts.device import StuckAt
from aimc.parts.ivcurve import Cubic, Tabulated
from aimc.parts.transistor import Transistor

DEVICES = sorted(path.stem for path in (shipped.path("circuits") / "devices").glob("*.toml"))
GOOD = """
about = "a test"
rows = 4
cols = 3
wires = "ideal"
source = "here"

[device]
g_max = "150 uS"
g_min = "0 S"
source = "there"

[[device.on_write]]
type = "write-error"
std = "2 uS"
source = "elsewhere"
unverified = ["std"]

[mapping]
type = "differential-pair"

[driver]
type = "pulse"
v_read = "200 mV"
bits = 5
t_step = "1 ns"
source = "here"

[sense]
swing = "0.5 V"
source = "here"

[adc]
type = "ramp"
bits = 5
t_step = "1 ns"
bias_cells = 5
source = {bits = "b", t_step = "t", bias_cells = "c"}
"""


def test_a_byte_order_mark_is_no_part_of_a_card(tmp_path):
    circuits = shipped.path("circuits")
    for kind, load in (("hardware", cards.load), ("costs", cost.load)):
        for file in (circuits / kind).glob("*.toml"):
            marked = tmp_path / file.name
            marked.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")
            assert load(marked) == load(file)


@pytest.fixture
def write(tmp_path):
    def write(*changes, name="mine.toml"):
        text = GOOD
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", cards.names())
def test_dump_loads_to_the_same_hardware(name, tmp_path):
    hardware = aimc.load(name)
    path = tmp_path / "dumped.toml"
    path.write_text(cards.dump(hardware))
    again = aimc.load(path)
    assert again == hardware
    assert again.name == hardware.name == name
    assert again.device.name == hardware.device.name
    assert cards.digest(again) == cards.digest(hardware)


@pytest.mark.parametrize("name", cards.names())
def test_shipped_card_states_each_source_and_can_be_programmed(name, rng):
    card = cards.read(name)
    assert card.about
    assert all(entry.source.strip() for entry in card.entries)
    assert any(entry.table == "driver" for entry in card.entries)
    macro = card.hardware.program(rng.normal(size=(8, 4)), rng, ("sigmoid", "tanh"))
    assert np.isfinite(macro(rng.uniform(-1, 1, (5, 8)), rng)).all()


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_card_loads(name, write):
    start, end = GOOD.index("[device]"), GOOD.index("[mapping]")
    hardware = aimc.load(write((GOOD[start:end], ""), ("rows", f'device = "{name}"\nrows')))
    assert hardware.device.name == name


def test_a_card_says_what_it_says(write):
    card = cards.read(write())
    hardware = card.hardware
    assert hardware.name == "mine"
    assert hardware.device.g_max == 150e-6
    assert hardware.driver.v_read == 0.2
    assert hardware.adc.t_step == 1e-9
    (entry,) = (e for e in card.entries if e.key == "std")
    assert entry == cards.Entry("device.on_write[0]", "std", "2 uS", "elsewhere", False)
    assert [e.source for e in card.entries if e.table == "adc"] == ["b", "t", "c"]


def test_a_part_may_lie_beside_the_card(write, tmp_path):
    (tmp_path / "thin.toml").write_text('r_row = "2 ohm"\nsource = "a guess"\n')
    hardware = aimc.load(write(('wires = "ideal"', 'wires = "thin.toml"')))
    assert hardware.wires.r_row == 2.0


def test_digest_is_of_the_numbers_alone(write):
    digest = cards.digest(aimc.load(write()))
    assert digest == cards.digest(aimc.load(write(('"here"', '"other"'), name="other.toml")))
    assert digest == cards.digest(aimc.load(write(('"150 uS"', '"0.00015 S"'))))
    assert digest != cards.digest(aimc.load(write(('"150 uS"', '"151 uS"'))))
    offset_column = ("differential-pair", "offset-column")
    assert digest != cards.digest(aimc.load(write(offset_column)))


def test_digest_is_the_same_in_another_process():
    code = "import aimc; print(aimc.cards.digest(aimc.load('pcm-256')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == cards.digest(aimc.load("pcm-256"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"150 uS"', '"150 uA"',
         "mine.toml: device.g_max must be a number with a unit in S, but is '150 uA'."),
        ('"150 uS"', "150e-6",
         "mine.toml: device.g_max must be a number with a unit in S, but is 0.00015."),
        ('"150 uS"', '"150"',
         "mine.toml: device.g_max must be a number with a unit in S, but is '150'."),
        ('"150 uS"', '"inf S"', "device.g_max must be a finite number"),
        ('"150 uS"', '["150 uS"]', "device.g_max must be a number with a unit in S, but is ["),
        ('"2 uS"', '"-2 uS"', "device.on_write[0]."),
        ("rows = 4", 'rows = "4"', "mine.toml: rows must be a valid integer, but is '4'."),
        ("rows = 4", "rows = 0", "`rows` must be at least 1, but is 0"),
        ("rows = 4\n", "", "mine.toml: rows must be given, but is missing."),
        ("rows = 4", "rosw = 4\nrows = 4", "rosw is an unknown key; allowed are"),
        ("rows = 4", "rosw = 4\nrows = 4", "Did you mean rows?"),
        ("bits = 5", "bits = 5\nbots = 1", "driver.bots is an unknown key; allowed are v_read"),
        ("bits = 5", "bits = true", "driver.bits must be a valid integer"),
        ('v_read = "200 mV"\n', "", "driver.v_read must be given, but is missing."),
        ('type = "pulse"', 'type = "plus"', "driver: type must be one of pulse, "),
        ('type = "pulse"', "type = 3", "driver: type must be one of"),
        ('type = "pulse"\n', "", "driver: type must be one of pulse, "),
        ('type = "write-error"', 'type = "writer"', "device.on_write[0]: type must be one of"),
        ("[mapping]\ntype = \"differential-pair\"", "", "mapping must be given, but is missing"),
        ('wires = "ideal"', 'wires = "idela"', "Did you mean ideal?"),
        ('wires = "ideal"', 'wires = "gone.toml"', "must be a file, but there is none"),
        ('wires = "ideal"', "wires = 3", "wires must be a table or the name of a card, but is 3"),
        ("[sense]", "[sense.more]\n[sense]", "sense.more is an unknown key"),
        ('source = "there"\n', "", "device.g_max must have a source, but it is None."),
        ('source = "there"', 'source = " "', "device.g_max must have a source"),
        ('source = "there"', "source = 3", "device.g_max must have a source"),
        ('t_step = "t", ', "", "adc.t_step must have a source, but source.t_step is missing"),
        ('t_step = "t"', 't_step = "t", nu = "x"', "source must name numbers of its table"),
        ('["std"]', '["sdt"]', "unverified must name numbers of its table, but names 'sdt'"),
        ('["std"]', '"std"', "unverified must be a list of keys, but is 'std'"),
        ('"0 S"', '"200 uS"', "`g_min` must be below g_max"),
        ("[[device.on_write]]", "[device.on_write]", "device.on_write must be a list of tables"),
        ("rows = 4", "rows = ", "mine.toml: must be a TOML file"),
    ],
)  # fmt: skip
def test_a_bad_card_is_refused_and_told_why(write, old, new, message):
    with pytest.raises(CardError) as error:
        aimc.load(write((old, new)))
    assert "mine.toml" in str(error.value) or "idela" in new or "gone" in new
    assert message in str(error.value)


def test_a_fault_in_a_part_is_named_by_the_file_it_stands_in(write, tmp_path):
    (tmp_path / "thin.toml").write_text('r_row = "2 uS"\nsource = "a guess"\n')
    with pytest.raises(CardError, match=r"^thin.toml: r_row must be a number with a unit in ohm"):
        aimc.load(write(('wires = "ideal"', 'wires = "thin.toml"')))


CURVE = """
[device.iv]
type = "transistor"
k = "4e-4 A/V^2"
v_gate = "0.9 V"
v_th = "400 mV"
clm = "0.01 1/V"
source = {k = "a", v_gate = "b", v_th = "c", clm = "d"}
unverified = ["clm"]

[device.iv.cell]
type = "cubic"
k3 = ["1.3 1/V^2", "-0.1 1/V^2"]
k3_slope = "-2 1/V^2/mS"
source = "e"

[mapping]"""


def test_a_cell_may_have_a_curve_and_a_curve_a_cell(write):
    card = cards.read(write(("[mapping]", CURVE)))
    cell = Cubic(k3=(1.3, -0.1), k3_slope=-2000.0)
    assert card.hardware.device.iv == Transistor(cell, 4e-4, 0.9, 0.4, 0.01)
    assert cards.Entry("device.iv", "clm", "0.01 1/V", "d", False) in card.entries
    text = "1.3 1/V^2, -0.1 1/V^2"
    assert cards.Entry("device.iv.cell", "k3", text, "e", True) in card.entries
    linear = CURVE[: CURVE.index("[device.iv.cell]")] + "[mapping]"
    iv = aimc.load(write(("[mapping]", linear))).device.iv
    assert isinstance(iv, Transistor)
    assert iv.cell is None
    assert aimc.load(write()).device.iv is None
    sweep = (
        'type = "tabulated"\nvoltage = ["-1 V", "0 V", "1 V"]\ncurrent = ["-3 uA", "0 A", "2 uA"]'
    )
    table = f'[device.iv]\n{sweep}\nsource = "f"\n[mapping]'
    iv = aimc.load(write(("[mapping]", table))).device.iv
    assert iv == Tabulated((-1.0, 0.0, 1.0), (-3e-6, 0.0, 2e-6))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"transistor"', '"triode"', "device.iv: type must be one of cubic, series-transistor,"),
        ('"400 mV"', '"1 V"', "device.iv.`v_gate` must be above v_th = 1 V, but is 0.9 V."),
        ('"4e-4 A/V^2"', '"4e-4 A/V"', "device.iv.k must be a number with a unit in A/V^2, but is"),
        ('clm = "0.01 1/V"\n', "", "device.iv.clm must be given, but is missing."),
        ("k3_slope", "k3_slop", "device.iv.cell.k3_slop is an unknown key; allowed are k2, k3,"),
        ('source = "e"\n', "", "device.iv.cell.k3 must have a source"),
        ('[device.iv.cell]\ntype = "cubic"', '[device.iv.cell]\ntype = "read-noise"',
         "device.iv.cell: type must be one of cubic, series-transistor"),
    ],
)  # fmt: skip
def test_a_bad_curve_is_refused_and_told_why(write, old, new, message):
    assert old in CURVE
    with pytest.raises(CardError) as error:
        aimc.load(write(("[mapping]", CURVE.replace(old, new))))
    assert message in str(error.value)


def test_an_unknown_card_names_its_neighbours():
    with pytest.raises(CardError, match="Did you mean taox-1t1r-128") as error:
        aimc.load("taox-1t1r-182")
    assert all(name in str(error.value) for name in cards.names())
    with pytest.raises(CardError, match="must be a file"):
        aimc.load(Path("nowhere.toml"))


def test_binary_is_no_card(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match=r"binary.toml: must be a TOML file"):
        aimc.load(path)


def test_ratios_take_percent(write):
    effect = '[[device.on_write]]\ntype = "stuck-at"\nfraction = "1 %"\nsource = "x"\n\n[mapping]'
    assert aimc.load(write(("[mapping]", effect))).device.on_write[1] == StuckAt(0.01)
