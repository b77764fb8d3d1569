"""Spoken keywords from a speech synthesiser: the data set that is used when no folder is given.

eSpeak NG (GPL-3, an optional extra, driven through ctypes) says ten keywords and other words in its
voices. A speaker is a voice with one accent; numbered variants of a voice (`klatt`, `klatt2`, ...)
count as one family, and a family is in one split. It is not recorded speech, and results on it say
nothing about people.
"""

import ctypes
import functools
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from scipy.signal import firwin, resample_poly

from aimc.errors import DataError, MissingExtra
from aimc.tasks.corpus import KEYWORDS, LENGTH, RATE, SPLITS, UNKNOWN, Corpus, Words, assemble

NAME = "synthetic (espeak-ng)"
OTHERS = (
    *("bed", "bird", "cat", "dog", "eight", "five", "four", "happy", "house", "marvin", "nine"),
    *("one", "seven", "sheila", "six", "three", "tree", "two", "wow", "zero", "learn", "visual"),
)
ACCENTS = ("en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-us-nyc", "en-029")
TAKES = {"train": 6, "validation": 4, "test": 4}  # of each keyword, by each speaker
SHARE = {"train": 0.7, "validation": 0.1, "test": 0.2}  # of the families of voices
PARTS = ("waves", "labels", "speakers")
VERSION = 1  # raise it when what follows makes other clips

RATE_PARAMETER, PITCH_PARAMETER, RANGE_PARAMETER = 1, 3, 4  # speak_lib.h
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def cache_folder() -> Path:
    """Where synthesised clips are kept: `$AIMC_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("AIMC_CACHE")
    return Path(chosen) if chosen else user_cache_path("aimc")


def load(seed: int = 0) -> Corpus:
    """The synthetic corpus of that seed: from the cache, or synthesised (some seconds) and cached.

    Raises MissingExtra where espeakng-loader is not installed and nothing is cached, DataError
    where the cached clips are damaged or cannot be written.
    """
    recipe = [NAME, VERSION, seed, KEYWORDS, OTHERS, ACCENTS, TAKES, SHARE]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    path = cache_folder() / f"keywords-{key}.npz"
    if not path.is_file():
        Synthesiser()  # says what is missing, before a second process would
        _writable(path.parent)
        # The library's state outlives each word: only a fresh process speaks the same way again.
        code = f"from aimc.tasks.synthetic import write; write({seed}, {str(path)!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise DataError(f"{path} must be written by eSpeak NG, but it failed ({said[-1]}).")
    try:
        # Opened here because np.load leaves a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            words: dict[str, Words] = {
                split: _checked(*(file[f"{split}_{part}"] for part in PARTS)) for split in SPLITS
            }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} must be a cache of clips, but is damaged. Delete it.") from error
    return assemble(NAME, words, noise(np.random.default_rng((seed, 1))), path)


def _checked(waves: NDArray[Any], labels: NDArray[Any], speakers: NDArray[Any]) -> Words:
    """What the cache holds of a split; ValueError where it is not what `write` writes."""
    if (
        (waves.dtype, labels.dtype.kind, speakers.dtype.kind) != (np.int16, "i", "U")
        or not len(labels)
        or waves.shape != (len(labels), LENGTH)
        or speakers.shape != labels.shape
        or not 0 <= labels.min() <= labels.max() <= UNKNOWN
    ):
        raise ValueError("other arrays")
    return list(waves), labels.tolist(), speakers.tolist()


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(
            f"{folder} must be a folder to keep clips in, but cannot be written "
            f"({error.strerror}). Set AIMC_CACHE to another folder."
        ) from error


def synthesise(seed: int) -> dict[str, Words]:
    """Clips, labels and speakers of each split; the same for a seed in a fresh process."""
    rng = np.random.default_rng(seed)
    voice = Synthesiser()
    words = {}
    for split, speakers in divide(voice.voices(), np.random.default_rng(0)).items():
        waves, labels, names = [], [], []
        for number, speaker in enumerate(speakers):
            accent = ACCENTS[number % len(ACCENTS)]
            others = rng.choice(len(OTHERS), TAKES[split] * 2, replace=False)
            spoken = [*KEYWORDS * TAKES[split], *(OTHERS[k] for k in others)]
            for word in spoken:
                wave = voice.say(word, f"{accent}+{speaker}", rng)
                waves.append(place(wave, rng))
                labels.append(KEYWORDS.index(word) if word in KEYWORDS else UNKNOWN)
                names.append(speaker)
        words[split] = (waves, labels, names)
    return words


def divide(voices: list[str], rng: np.random.Generator) -> dict[str, list[str]]:
    """Voices to splits, whole families at a time; `f1` to `m8` are different people."""

    families = sorted({family(v) for v in voices})
    order = rng.permutation(len(families))
    first = round(SHARE["validation"] * len(families))
    second = first + round(SHARE["test"] * len(families))
    parts = {"train": order[second:], "validation": order[:first], "test": order[first:second]}
    return {
        split: [v for v in voices if family(v) in {families[k] for k in parts[split]}]
        for split in SPLITS
    }


def family(voice: str) -> str:
    """What numbered variants of a voice have in common."""
    return voice if re.fullmatch(r"[fm]\d", voice) else re.sub(r"(Robot|\d+)$", "", voice).lower()


def place(wave: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int16]:
    """A word at random loudness and position in a second of faint noise; (samples,) -> (16000,)."""
    room = max(0, LENGTH - len(wave))
    start = rng.integers(room // 4, room - room // 4 + 1)
    clip = np.zeros(LENGTH)
    clip[start : start + len(wave)] = wave[:LENGTH] / max(1.0, np.abs(wave).max())
    clip *= 10 ** rng.uniform(-0.8, -0.1)
    clip += 10 ** rng.uniform(-3.5, -1.7) * rng.standard_normal(LENGTH)
    return (np.clip(clip, -1, 1) * 32767).astype(np.int16)


def noise(rng: np.random.Generator, seconds: int = 60) -> list[NDArray[np.int16]]:
    """White, pink and brown noise: power density 1, 1/f and 1/f^2, a tenth of full scale rms."""
    recordings = []
    for slope in (0.0, 0.5, 1.0):
        spectrum = np.fft.rfft(rng.standard_normal(seconds * RATE))
        frequency = np.maximum(np.arange(len(spectrum)) / seconds, 20.0)
        wave = np.fft.irfft(spectrum / frequency**slope)
        recordings.append((np.clip(0.1 * wave / wave.std(), -1, 1) * 32767).astype(np.int16))
    return recordings


class Synthesiser:
    """eSpeak NG in this process. Its library keeps global state: one instance, one thread."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise MissingExtra("espeakng-loader", "speech") from error
        self.data = Path(espeakng_loader.get_data_path())
        self.library, rate = _start(espeakng_loader.get_library_path(), str(self.data))
        common = math.gcd(RATE, rate)
        self.ratio = RATE // common, rate // common
        longest = max(self.ratio)  # the low-pass that resample_poly would design for every word
        self.window = firwin(20 * longest + 1, 1 / longest)

    def voices(self) -> list[str]:
        """Names of the voice variants that the library has, sorted."""
        return sorted(path.name for path in (self.data / "voices" / "!v").iterdir())

    def say(self, word: str, voice: str, rng: np.random.Generator) -> NDArray[np.float64]:
        """`word` at a random rate and pitch, silence trimmed, 16 kHz, shape (samples,)."""
        parts: list[NDArray[np.int16]] = []

        @Callback
        def keep(samples, count, events):
            if samples and count > 0:
                parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return 0

        speak = self.library
        speak.espeak_SetSynthCallback(keep)
        if speak.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DataError(f"eSpeak NG must know the voice {voice}, but does not.")
        for parameter, low, high in (
            (RATE_PARAMETER, 120, 200),  # words a minute
            (PITCH_PARAMETER, 30, 70),
            (RANGE_PARAMETER, 20, 80),
        ):
            speak.espeak_SetParameter(parameter, int(rng.integers(low, high)), 0)
        speak.espeak_ng_SetRandSeed(int(rng.integers(1, 2**31)))
        text = word.encode()
        speak.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
        speak.espeak_Synchronize()
        wave = np.concatenate(parts).astype(float)
        loud = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
        return resample_poly(wave[loud[0] : loud[-1] + 1], *self.ratio, window=self.window)


@functools.cache
def _start(library_path: str, data_path: str) -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(library_path)
    text, integer, pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
    unsigned = ctypes.c_uint
    library.espeak_Synth.argtypes = [
        *(text, ctypes.c_size_t, unsigned, integer, unsigned, unsigned, pointer, pointer)
    ]
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    library.espeak_Initialize.argtypes = [integer, integer, text, integer]
    rate = library.espeak_Initialize(2, 0, data_path.encode(), 0)  # 2: synchronous, no playback
    if rate <= 0:
        raise DataError(f"{data_path} must hold the data of eSpeak NG, but it cannot start there.")
    return library, rate


def write(seed: int, target: str) -> None:
    """Synthesise the clips of a seed into an npz file, whole or not at all."""
    path = Path(target)
    arrays = {
        f"{split}_{part}": np.array(values)
        for split, words in synthesise(seed).items()
        for part, values in zip(PARTS, words, strict=True)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        np.savez(part, allow_pickle=False, **arrays)
        part.replace(path)
