import hashlib

import numpy as np
import pytest

from aimc.errors import DataError, MissingExtra
from aimc.tasks import KeywordSpotting, synthetic

SMALL = """
import sys
from aimc.tasks import synthetic
synthetic.TAKES = dict.fromkeys(synthetic.TAKES, 1)
synthetic.Synthesiser.voices = lambda self: ["f1", "f2", "klatt", "klatt2", "m1", "m3", "Andy"]
synthetic.write(0, sys.argv[1])
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory, python):
    """Seven voices, written by each of two processes."""
    pytest.importorskip("espeakng_loader", reason="the speech synthesiser is not installed")
    paths = [tmp_path_factory.mktemp("clips") / "clips.npz" for _ in range(2)]
    for path in paths:
        python("-c", SMALL, path)
    return paths


def test_two_processes_speak_the_same(small):
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in small)
    with np.load(small[0]) as one, np.load(small[1]) as two:
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])
    assert len(first) == len(second)


def test_clips_are_a_second_of_sound_with_every_keyword(small):
    with np.load(small[0]) as file:
        waves, labels = file["train_waves"], file["train_labels"]
    assert waves.shape == (len(labels), 16000)
    assert waves.dtype == np.int16
    assert set(labels) == set(range(11))
    assert (np.abs(waves.astype(int)).max(1) > 1000).all()


def test_voices_of_a_family_are_in_one_split():
    voices = ["f1", "f2", "f3", "klatt", "klatt2", "klatt6", "steph", "steph3", "Andy", "zac", "m1"]
    parts = synthetic.divide(voices, np.random.default_rng(0))
    assert sorted(v for part in parts.values() for v in part) == sorted(voices)
    families = [{synthetic.family(v) for v in part} for part in parts.values()]
    assert len(set.union(*families)) == sum(len(f) for f in families)
    assert synthetic.family("klatt") == synthetic.family("klatt6")
    assert synthetic.family("f1") != synthetic.family("f2")


def test_noise_is_white_pink_and_brown():
    for wave, slope in zip(synthetic.noise(np.random.default_rng(0)), (0, -1, -2), strict=True):
        power = np.abs(np.fft.rfft(wave / 32768)) ** 2
        f = np.arange(len(power)) / 60
        low, high = ((f > a) & (f < 2 * a) for a in (100, 1600))
        measured = np.log2(power[high].mean() / power[low].mean()) / 4
        assert measured == pytest.approx(slope, abs=0.1)


def test_cache_is_named_synthetic_and_read_again(small, tmp_path, monkeypatch):
    monkeypatch.setenv("AIMC_CACHE", str(tmp_path / "cache"))

    def fake(command, **_):
        target = command[-1].split("'")[1]
        synthetic.Path(target).write_bytes(small[0].read_bytes())
        return synthetic.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(synthetic.subprocess, "run", fake)
    task = KeywordSpotting()
    monkeypatch.setattr(synthetic.subprocess, "run", None)
    assert KeywordSpotting().label == task.label
    assert task.label.startswith("synthetic (espeak-ng), ")
    people = [{s for s in split.speakers if s} for split in task.corpus.splits.values()]
    assert len(set.union(*people)) == sum(len(p) for p in people)


def test_without_the_synthesiser_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("AIMC_CACHE", str(tmp_path))
    monkeypatch.setitem(synthetic.sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtra, match=r"pip install 'aimc\[speech\]'"):
        KeywordSpotting()


def test_damaged_cache_is_named(tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader", reason="the speech synthesiser is not installed")
    monkeypatch.setenv("AIMC_CACHE", str(tmp_path))

    def fake(command, **_):
        synthetic.Path(command[-1].split("'")[1]).write_bytes(b"PK")
        return synthetic.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(synthetic.subprocess, "run", fake)
    with pytest.raises(DataError, match=r"keywords-.*is damaged. Delete it"):
        KeywordSpotting()


def test_cut_cache_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setenv("AIMC_CACHE", str(tmp_path))
    whole = small[0].read_bytes()

    def fake(command, **_):
        synthetic.Path(command[-1].split("'")[1]).write_bytes(whole[: len(whole) // 2])
        return synthetic.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(synthetic.subprocess, "run", fake)
    with pytest.raises(DataError, match=r"keywords-.*is damaged. Delete it"):
        synthetic.load()


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("train_waves", lambda a: a / 32768, "damaged"),
        ("train_waves", lambda a: a[:, :8000], "damaged"),
        ("test_labels", lambda a: a + 1, "damaged"),
        ("test_labels", lambda a: a[1:], "damaged"),
        ("validation_speakers", lambda a: np.arange(len(a)), "damaged"),
        ("train_waves", lambda a: 0 * a, "must hold sound"),
    ],
)
def test_cache_of_other_content_is_named(small, tmp_path, monkeypatch, part, change, message):
    monkeypatch.setenv("AIMC_CACHE", str(tmp_path))
    with np.load(small[0]) as file:
        arrays = {**file}
    arrays[part] = change(arrays[part])

    def fake(command, **_):
        np.savez(command[-1].split("'")[1], **arrays)
        return synthetic.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(synthetic.subprocess, "run", fake)
    with pytest.raises(DataError, match=rf"keywords-.*{message}"):
        synthetic.load()


def test_cache_folder_that_is_a_file_is_named(tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader", reason="the speech synthesiser is not installed")
    taken = tmp_path / "cache"
    taken.write_text("")
    monkeypatch.setenv("AIMC_CACHE", str(taken))
    with pytest.raises(DataError, match=r"cache must be a folder .* Set AIMC_CACHE"):
        synthetic.load()


def test_failed_synthesis_is_told_in_one_line(tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader", reason="the speech synthesiser is not installed")
    monkeypatch.setenv("AIMC_CACHE", str(tmp_path))

    def fake(command, **_):
        stderr = "Traceback (most recent call last):\n  ...\nMemoryError: no room\n"
        return synthetic.subprocess.CompletedProcess(command, 1, stderr=stderr)

    monkeypatch.setattr(synthetic.subprocess, "run", fake)
    with pytest.raises(DataError, match=r"it failed \(MemoryError: no room\)\.$") as caught:
        synthetic.load()
    assert "Traceback" not in str(caught.value)


def test_failed_write_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "synthesise", lambda seed: {"train": ([0], [0], [object()])})
    with pytest.raises(ValueError, match="Object arrays"):
        synthetic.write(0, str(tmp_path / "clips.npz"))
    assert not list(tmp_path.iterdir())
