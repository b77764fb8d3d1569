import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aimc.errors import DataError
from aimc.tasks import KeywordSpotting, speech_commands
from aimc.tasks.corpus import CLASSES, KEYWORDS, SILENCE, UNKNOWN

REAL = Path(
    os.environ.get(
        "AIMC_SPEECH_COMMANDS",
        Path(__file__).parents[3] / "shared" / "data" / "speech_commands",
    )
)


def test_classes_and_splits_are_what_the_folder_and_its_lists_say(folder):
    corpus = speech_commands.load(folder)
    assert corpus.label == "Speech Commands, 72 clips, 12 cut to a second"
    for name, speakers in (("train", "a0 a1 a2"), ("validation", "b0"), ("test", "c0 c1")):
        split = corpus.splits[name]
        assert {s for s in split.speakers if s} == set(speakers.split())
        counts = np.bincount(split.labels, minlength=12)
        each = len(speakers.split())
        assert counts[:UNKNOWN].tolist() == [each] * 10
        assert counts[UNKNOWN] == 2 * each
        assert counts[SILENCE] == each  # a tenth of the keyword clips
        assert split.waves.shape == (13 * each, 16000)
        assert split.waves.dtype == np.int16


def test_clips_hold_the_samples_of_their_files_cropped_or_padded_to_a_second(folder):
    split = speech_commands.load(folder).splits["train"]
    for k, word in ((CLASSES.index("yes"), "yes"), (CLASSES.index("go"), "go")):
        (first, *_) = np.flatnonzero(split.labels == k)
        (path,) = folder.glob(f"{word}/{split.speakers[first]}_nohash_0.*")
        samples, _ = soundfile.read(path, dtype="int16")
        kept = min(16000, len(samples))
        np.testing.assert_array_equal(split.waves[first, :kept], samples[:kept])
        assert not split.waves[first, kept:].any()
    assert {len(soundfile.read(p)[0]) for p in folder.glob("yes/*")} == {12000, 16000, 20000}


def test_loading_twice_gives_the_same_clips(folder):
    one, two = speech_commands.load(folder), speech_commands.load(folder)
    for name, split in one.splits.items():
        np.testing.assert_array_equal(split.waves, two.splits[name].waves)


def test_splits_hear_different_parts_of_the_noise(folder):
    # A ramp instead of noise tells where each second was cut.
    length = 20 * 16000
    soundfile.write(
        folder / "_background_noise_" / "hiss.wav",
        np.arange(length, dtype=np.int16) % 32000 + 1,
        16000,
    )
    parts = {
        split: speech_commands.load(folder).noise[0] for split in ("train", "validation", "test")
    }
    assert all(len(part) == length for part in parts.values())
    from aimc.tasks.corpus import NOISE_PART, noise_part

    edges = [NOISE_PART[split] for split in ("train", "validation", "test")]
    assert edges[0][1] <= edges[1][0]
    assert edges[1][1] <= edges[2][0]
    lengths = [len(noise_part([np.arange(length, dtype=np.int16)], split)[0]) for split in parts]
    assert sum(lengths) == length


def cut(folder):
    path = folder / "yes" / "a0_nohash_0.wav"
    path.write_bytes(path.read_bytes()[:-1000])


def hushed(folder, pattern):
    """Two-second clips cut in the silence before the word."""
    for path in folder.glob(pattern):
        soundfile.write(path, np.concatenate([np.zeros(16000), np.full(16000, 0.5)]), 16000)
        if "noise" in pattern:
            soundfile.write(path, np.zeros(32000), 16000)


def others(folder):
    for word in KEYWORDS:
        (folder / word).rename(folder / f"say_{word}")
    for path in folder.glob("*_list.txt"):
        path.write_text("".join(f"say_{line}\n" for line in path.read_text().split()))
        for word in ("bed", "cat"):
            path.write_text(path.read_text().replace(f"say_{word}", word))


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_24", 0), ("PCM_32", 0), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_samples_are_of_full_scale_in_every_format(folder, subtype, step):
    """Floating-point samples were cast to whole numbers: silence."""
    path = folder / "yes" / "a0_nohash_0.wav"
    wave = soundfile.read(path)[0]
    soundfile.write(path, wave, 16000, subtype)
    read = speech_commands.read(path)
    assert read.dtype == np.int16
    np.testing.assert_allclose(read / 32768, wave, rtol=0, atol=max(step, 2**-15))
    assert np.abs(read).max() > 9000


def test_what_is_cut_silent_or_missing_is_said_beside_every_result(folder):
    for split, name in (("a2", None), ("b0", "validation"), ("c1", "testing")):
        (path,) = (folder / "up").glob(f"{split}*")
        path.unlink()
        if name:
            lines = (folder / f"{name}_list.txt").read_text().split()
            lines.remove(f"up/{path.stem}.wav")
            (folder / f"{name}_list.txt").write_text("\n".join(lines))
    hushed(folder, "no/a0*")
    label = KeywordSpotting(folder).label
    assert label == "Speech Commands, 69 clips, 12 cut to a second, 1 silent, without up"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f), "does not exist"),
        (lambda f: (shutil.rmtree(f), f.write_text("")), "is a file"),
        (lambda f: (shutil.rmtree(f), f.mkdir()), "holds none"),
        (lambda f: (f / "testing_list.txt").unlink(), "testing_list.txt must list"),
        (lambda f: (f / "validation_list.txt").write_bytes(b"\xff\xfe\x00"), "text in UTF-8"),
        (lambda f: (f / "testing_list.txt").write_text("yes/zz_nohash_0.wav"), "zz_nohash_0"),
        (lambda f: (f / "testing_list.txt").write_text(""), "the test split, but has none"),
        (
            lambda f: (f / "testing_list.txt").write_text("yes/b0_nohash_0.wav"),
            "must name no clip of validation_list.txt",
        ),
        (
            lambda f: (f / "testing_list.txt").write_text("yes/c0_nohash_0.wav"),
            "c0 is in train and in test",
        ),
        (lambda f: shutil.rmtree(f / "_background_noise_"), "background noise"),
        (lambda f: (f / "yes" / "a0_nohash_0.wav").write_bytes(b"RIFF, no more"), "is damaged"),
        (lambda f: (f / "yes" / "a0_nohash_0.wav").write_bytes(b""), "is damaged"),
        (cut, r"a0_nohash_0.wav .* is damaged \(\d+ of \d+ bytes of samples\)"),
        (
            lambda f: soundfile.write(f / "yes" / "a0_nohash_0.flac", np.zeros(16000), 16000),
            "a0_nohash_0.flac and .*a0_nohash_0.wav have the same name",
        ),
        (lambda f: (f / "testing_list.txt").write_text(".\n"), r"clips that exist, but \. \("),
        (
            lambda f: soundfile.write(f / "yes" / "a0_nohash_0.wav", np.zeros(8000), 8000),
            "at 8000 Hz",
        ),
        (
            lambda f: soundfile.write(f / "yes" / "a0_nohash_0.wav", np.zeros((16000, 2)), 16000),
            "one channel, but has 2",
        ),
        (
            lambda f: soundfile.write(f / "yes" / "a0_nohash_0.wav", np.zeros(0), 16000),
            "no samples",
        ),
        (
            lambda f: soundfile.write(
                f / "yes" / "a0_nohash_0.wav", np.full(16000, 9000.0), 16000, "FLOAT"
            ),
            r"within \[-1, 1\], but reaches 9000\. Scale it",
        ),
        (
            lambda f: soundfile.write(
                f / "yes" / "a0_nohash_0.wav", np.full(16000, np.nan), 16000, "FLOAT"
            ),
            "but reaches nan",
        ),
        (lambda f: hushed(f, "_background_noise_/*"), "every recording is silent"),
        (lambda f: hushed(f, "no/b0*"), "'no' in its validation split is silent"),
        (others, "must hold clips of keywords .* in its train split, but holds none"),
    ],
)
def test_bad_folder_says_which_file_and_what_must_hold(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        KeywordSpotting(folder)
    assert str(folder) in str(caught.value)
    assert " must " in str(caught.value)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no recordings in {REAL}")
def test_the_recordings_load_whole():
    corpus = speech_commands.load(REAL)
    assert corpus.label == "Speech Commands, 7618 clips"
    spoken = {name: int((s.labels != SILENCE).sum()) for name, s in corpus.splits.items()}
    assert spoken == {"train": 6452, "validation": 387, "test": 779}
    people = [{s for s in split.speakers if s} for split in corpus.splits.values()]
    assert len(set.union(*people)) == sum(len(p) for p in people)
