"""What a keyword data set is: one-second clips in three splits, and background noise."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimc.errors import DataError

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
CLASSES = (*KEYWORDS, "unknown", "silence")
UNKNOWN, SILENCE = CLASSES.index("unknown"), CLASSES.index("silence")
SPLITS = ("train", "validation", "test")
RATE = 16_000  # [Hz]
LENGTH = 16_000  # samples of a clip
QUIET = 16  # from the lowest to the highest sample of a clip without sound, of 65,536

# Each split cuts its silence from its own part of every recording, so no second is heard twice.
NOISE_PART = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
SILENCE_SHARE = 0.1  # silence clips per keyword clip [Warden 2018, arXiv 1804.03209]


# Waves (samples,), labels and speakers of the spoken clips of a split.
Words = tuple[list[NDArray[np.int16]], list[int], list[str]]


@dataclass(frozen=True)
class Split:
    """Clips of one split.

    waves (clips, 16000)  int16 at 16 kHz
    labels (clips,)       index into `CLASSES`
    speakers              who said each clip; "" for silence
    """

    waves: NDArray[np.int16]
    labels: NDArray[np.int64]
    speakers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def missing(self) -> list[str]:
        """The classes without a clip."""
        return [name for k, name in enumerate(CLASSES) if not (self.labels == k).any()]


@dataclass(frozen=True)
class Corpus:
    """A keyword data set: `splits` by name, and `noise` recordings (int16, 16 kHz)."""

    name: str
    splits: dict[str, Split]
    noise: tuple[NDArray[np.int16], ...]
    spoken: int  # clips with a word in them
    losses: tuple[str, ...] = ()  # what of the data is cut, silent or missing

    @property
    def label(self) -> str:
        """As printed beside every result, e.g. "Speech Commands, 7618 clips"; losses last."""
        return ", ".join([self.name, f"{self.spoken} clips", *self.losses])

    @cached_property
    def digest(self) -> str:
        """SHA-256 [hex] of all clips and noise."""
        found = hashlib.sha256()
        for name, split in self.splits.items():
            found.update(f"{name} {split.speakers}".encode())
            for part in (split.labels, split.waves):
                found.update(np.ascontiguousarray(part).data)
        for recording in self.noise:
            found.update(np.ascontiguousarray(recording).data)
        return found.hexdigest()


def fit(wave: NDArray[np.int16]) -> NDArray[np.int16]:
    """The first second of `wave` (samples,), filled with zeros at its end where it is shorter."""
    clip = np.zeros(LENGTH, np.int16)
    clip[: min(LENGTH, len(wave))] = wave[:LENGTH]
    return clip


def noise_part(noise: Sequence[NDArray[np.int16]], split: str) -> list[NDArray[np.int16]]:
    """That part of each noise recording which belongs to `split`; at least one second each."""
    start, stop = NOISE_PART[split]
    parts = [n[int(start * len(n)) : int(stop * len(n))] for n in noise]
    return [part if len(part) > LENGTH else np.resize(part, LENGTH + 1) for part in parts]


def silent(wave: NDArray[np.int16]) -> bool:
    """Whether no sound is in `wave` (samples,)."""
    return int(wave.max()) - int(wave.min()) <= QUIET


def assemble(
    name: str,
    words: dict[str, Words],
    noise: Sequence[NDArray[np.int16]],
    source: str | Path | None = None,
) -> Corpus:
    """A Corpus of `words[split] = (waves, labels, speakers)`, with silence cut from `noise`.

    Waves are cut or filled to a second. Silence is a tenth of a split's keyword clips, at least
    one, each at a random gain in [0, 1]; the draw is the same for every run and machine. What is
    cut, silent or missing is counted in `losses`. Raises DataError, naming `source` (None: `name`),
    where a split has no keyword, a class nothing but silent clips, or the noise no sound.
    """
    source = name if source is None else source
    if all(silent(recording) for recording in noise):
        raise DataError(f"{source} must hold background noise, but every recording is silent.")
    splits, cut, quiet, missing = {}, 0, 0, set[str]()
    for index, (split, (waves, labels, speakers)) in enumerate(words.items()):
        cut += sum(len(wave) > LENGTH for wave in waves)
        waves = [fit(wave) for wave in waves]
        still = np.array([silent(wave) for wave in waves])
        quiet += int(still.sum())
        if not any(label < UNKNOWN for label in labels):
            raise DataError(
                f"{source} must hold clips of keywords ({', '.join(KEYWORDS)}) in its {split} "
                "split, but holds none. Folders are named after the word that their clips say."
            )
        for label in sorted(set(labels)):
            if still[np.equal(labels, label)].all():
                raise DataError(
                    f"{source} must hold sound, but every clip of {CLASSES[label]!r} in its "
                    f"{split} split is silent in its first second."
                )
        rng = np.random.default_rng((12, index))
        count = max(1, round(SILENCE_SHARE * sum(label < UNKNOWN for label in labels)))
        splits[split] = Split(
            np.stack([*waves, *silence(noise_part(noise, split), count, rng)]),
            np.array([*labels, *[SILENCE] * count], np.int64),
            (*speakers, *[""] * count),
        )
        missing.update(splits[split].missing)
    losses = [f"{cut} cut to a second"] if cut else []
    losses += [f"{quiet} silent"] if quiet else []
    losses += [f"without {', '.join(c for c in CLASSES if c in missing)}"] if missing else []
    spoken = sum(len(waves) for waves, _, _ in words.values())
    return Corpus(name, splits, tuple(noise), spoken, tuple(losses))


def silence(
    parts: Sequence[NDArray[np.int16]], count: int, rng: np.random.Generator
) -> NDArray[np.int16]:
    """`count` clips of background noise, each at a gain from [0, 1], shape (count, 16000)."""
    clips: list[NDArray[Any]] = []
    for which in rng.integers(len(parts), size=count):
        part = parts[which]
        start = rng.integers(len(part) - LENGTH)
        clips.append(part[start : start + LENGTH] * rng.random())
    return np.stack(clips).astype(np.int16)
