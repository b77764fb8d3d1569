import numpy as np
import pytest
import soundfile

from aimc.tasks.corpus import CLASSES, LENGTH, SILENCE, Split, assemble

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "bed", "cat")
SPEAKERS = {"train": ("a0", "a1", "a2"), "validation": ("b0",), "test": ("c0", "c1")}


def tone(frequency, samples=16000, gain=0.3):
    return gain * np.sin(2 * np.pi * frequency * np.arange(samples) / 16000)


@pytest.fixture
def folder(tmp_path):
    """The layout of Speech Commands: one clip a word and speaker, half of them FLAC."""
    root = tmp_path / "speech"
    lists = {"validation": [], "test": []}
    for k, word in enumerate(WORDS):
        (root / word).mkdir(parents=True)
        for split, speakers in SPEAKERS.items():
            for j, speaker in enumerate(speakers):
                suffix = ("wav", "flac")[(k + j) % 2]
                path = root / word / f"{speaker}_nohash_0.{suffix}"
                soundfile.write(path, tone(200 + 100 * k, samples=12000 + 4000 * j), 16000)
                if split in lists:  # the full set lists WAV even where a copy holds FLAC
                    lists[split].append(f"{word}/{speaker}_nohash_0.wav")
    (root / "validation_list.txt").write_text("\n".join(lists["validation"]) + "\n")
    (root / "testing_list.txt").write_text("\n".join(lists["test"]) + "\n")
    (root / "_background_noise_").mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * 16000)
    soundfile.write(root / "_background_noise_" / "hiss.wav", noise, 16000)
    return root


@pytest.fixture
def corpus():
    """Each class is a tone of its own, silence is noise: a problem that a small network learns."""
    rng = np.random.default_rng(0)
    words = {}
    for split, count in (("train", 12), ("validation", 4), ("test", 4)):
        labels = [label for label in range(SILENCE) for _ in range(count)]
        waves = [
            (32767 * (tone(250 * 1.25**label) + rng.normal(0, 0.01, LENGTH))).astype(np.int16)
            for label in labels
        ]
        words[split] = (waves, labels, [split] * len(labels))
    made = assemble("tones", words, [rng.normal(0, 1000, 4 * LENGTH).astype(np.int16)])
    assert isinstance(made.splits["train"], Split)
    assert len(CLASSES) == 12
    return made
