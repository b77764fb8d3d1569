"""Reads a folder in the layout of Google Speech Commands [Warden 2018, arXiv 1804.03209].

`<word>/<speaker>_nohash_<n>.wav` (or `.flac`), `_background_noise_/`, `validation_list.txt`,
`testing_list.txt`. Every clip that no list names is for training. The ten keywords are classes,
all other words are "unknown"; validation and test use every unknown clip that their lists name.
"""

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimc.errors import DataError, MissingExtra
from aimc.tasks import texts
from aimc.tasks.corpus import KEYWORDS, RATE, UNKNOWN, Corpus, Words, assemble

NOISE_FOLDER = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
SUFFIXES = (".wav", ".flac")


def load(folder: str | Path) -> Corpus:
    """The 12-class corpus in `folder`; takes about a second per thousand clips.

    Raises DataError, naming the file, where the folder, a list, the noise recordings or every clip
    of a split is missing, where a listed clip does not exist, where two files hold the same clip,
    where a speaker is in two splits, where a file is damaged or not 16 kHz mono audio, where a
    split has no keyword, or where a class or the noise is silent. The corpus's label counts clips
    that are cut or silent, and names classes without clips.
    """
    root = Path(folder)
    if not root.is_dir():
        came = "is a file" if root.exists() else "does not exist"
        raise DataError(f"{root} must be a folder in the layout of Speech Commands, but {came}.")
    clips: dict[str, Path] = {}
    for path in sorted(root.glob("[!_.]*/*")):
        if path.suffix.lower() in SUFFIXES:
            first = clips.setdefault(f"{path.parent.name}/{path.stem}", path)
            if first != path:
                raise DataError(
                    f"{root} must hold each clip once, but {first} and {path} have the same name. "
                    "Delete one."
                )
    if not clips:
        raise DataError(
            f"{root} must hold folders named after words, with WAV or FLAC clips inside, but holds "
            "none. `KeywordSpotting.download(folder)` fetches the full data set."
        )
    listed = {split: _list(root / name, clips) for split, name in LISTS.items()}
    both = listed["validation"] & listed["test"]
    if both:
        raise DataError(
            f"{root / LISTS['test']} must name no clip of {LISTS['validation']}, "
            f"but names {min(both)}."
        )
    keys = {"train": set(clips) - listed["validation"] - listed["test"], **listed}
    words = {split: _words(root, split, sorted(keys[split]), clips) for split in keys}
    _disjoint(root, {split: set(speakers) for split, (_, _, speakers) in words.items()})
    return assemble("Speech Commands", words, _noise(root / NOISE_FOLDER), root)


def read(path: Path) -> NDArray[np.int16]:
    """Samples (samples,) of a 16 kHz mono WAV or FLAC file, full scale being that of its format
    (for floating-point samples 1); DataError where it is none, or leaves full scale."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtra("soundfile", "speech") from error
    try:
        wave: NDArray[Any]
        wave, rate = soundfile.read(path, dtype="float64")
        if path.suffix.lower() == ".wav":
            _whole(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(
            f"{path} must be a readable WAV or FLAC file, but is damaged ({error}). "
            "Replace or delete it."
        ) from error
    if rate != RATE:
        raise DataError(f"{path} must be sampled at {RATE} Hz, but is at {rate} Hz. Resample it.")
    if wave.ndim != 1:
        raise DataError(f"{path} must have one channel, but has {wave.shape[1]}.")
    if not len(wave):
        raise DataError(f"{path} must hold sound, but has no samples.")
    largest = float(np.abs(wave).max())
    if not largest <= 1:
        raise DataError(
            f"{path} must hold samples within [-1, 1], but reaches {largest:g}. Scale it."
        )
    return np.rint(32768 * wave).clip(-32768, 32767).astype(np.int16)


def _whole(path: Path) -> None:
    """OSError where a WAV file ends before its data chunk does; soundfile reads what is left."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        if file.read(12)[:4] != b"RIFF":
            return
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", header)
            start = file.tell()
            if name == b"data":
                unknown = 0xFFFFFFFF  # of a writer that could not seek back
                if size != unknown and start + size > end:
                    raise OSError(f"{end - start} of {size} bytes of samples")
                return
            file.seek(start + size + size % 2)


def _list(path: Path, clips: dict[str, Path]) -> set[str]:
    lines = texts.read(path, "list the clips of its split, one a line").split("\n")
    named = [Path(line.strip()) for line in lines if line.strip()]
    names = {(name.parent / name.stem).as_posix() for name in named}  # "." has no suffix to cut
    missing = sorted(names - set(clips))
    if missing:
        raise DataError(
            f"{path} must name clips that exist, but {missing[0]} (.wav or .flac) does not; "
            f"{len(missing)} of {len(names)} are missing."
        )
    return names


def _words(root: Path, split: str, keys: list[str], clips: dict[str, Path]) -> Words:
    if not keys:
        raise DataError(f"{root} must hold clips for the {split} split, but has none.")
    words = [key.split("/")[0] for key in keys]
    return (
        [read(clips[key]) for key in keys],
        [KEYWORDS.index(word) if word in KEYWORDS else UNKNOWN for word in words],
        [clips[key].name.split("_nohash_")[0] for key in keys],
    )


def _disjoint(root: Path, speakers: dict[str, set[str]]) -> None:
    for one, other in itertools.combinations(speakers, 2):
        shared = speakers[one] & speakers[other]
        if shared:
            raise DataError(
                f"{root} must keep each speaker in one split, but {min(shared)} is in {one} and in "
                f"{other}. Add all of a speaker's clips to the same list."
            )


def _noise(folder: Path) -> list[NDArray[np.int16]]:
    paths = [p for p in sorted(folder.glob("*")) if p.suffix.lower() in SUFFIXES]
    if not paths:
        raise DataError(
            f"{folder} must hold WAV or FLAC recordings of background noise, from which silence is "
            "cut, but holds none."
        )
    return [read(path) for path in paths]
