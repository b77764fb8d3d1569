import warnings

import numpy as np
import pytest
import torch

from aimc.errors import ArgumentError
from aimc.tasks import features
from aimc.tasks.features import Normalise, mfcc


@pytest.fixture
def waves(rng):
    noise = rng.normal(0, 0.1, (3, 16000))
    noise[1] *= np.linspace(0, 1, 16000)
    noise[2, 8000:] = 0.3 * np.sin(2 * np.pi * 700 / 16000 * np.arange(8000))
    return torch.from_numpy(noise).float()


def test_mfcc_equals_librosa(waves):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of librosa's own imports
        import librosa

        expected = [
            librosa.feature.mfcc(
                S=librosa.power_to_db(
                    librosa.feature.melspectrogram(
                        y=wave,
                        sr=16000,
                        n_fft=640,
                        hop_length=320,
                        center=True,
                        pad_mode="constant",
                        n_mels=features.BANDS,
                        fmin=20,
                        fmax=4000,
                    ),
                    top_db=None,
                ),
                n_mfcc=40,
            ).T
            for wave in waves.numpy()
        ]
    got = mfcc(waves)
    assert got.shape == (3, 51, 40)
    np.testing.assert_allclose(got, np.stack(expected), atol=2e-3)  # of values to 600


def test_every_mel_band_holds_a_bin():
    assert (features.mel_bands().sum(0) > 0).all()


def test_cosines_are_orthonormal():
    product = features.cosines().T @ features.cosines()
    torch.testing.assert_close(product, torch.eye(40), atol=1e-5, rtol=0)


def test_mel_scale_and_its_inverse():
    frequency = torch.tensor([20.0, 440.0, 1000.0, 4000.0], dtype=torch.float64)
    torch.testing.assert_close(features.hertz(features.mel(frequency)), frequency)


def test_integers_are_fractions_of_full_scale(waves):
    whole = (waves * 32768).round().clamp(-32768, 32767)
    torch.testing.assert_close(mfcc(whole.to(torch.int16)), mfcc(whole / 32768))


def test_batches_change_nothing(waves, monkeypatch):
    together = mfcc(waves)
    monkeypatch.setattr(features, "CHUNK", 1)
    torch.testing.assert_close(mfcc(waves), together, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", [(16000,), (2, 8000)])
def test_clip_must_last_a_second(shape):
    with pytest.raises(ArgumentError, match=r"`waves` must have shape \(clips, 16000\), but"):
        mfcc(torch.zeros(shape))


def test_normalised_features_are_bounded_and_standard(waves):
    found = mfcc(waves)
    mean, std = found.flatten(0, 1).mean(0), found.flatten(0, 1).std(0)
    inputs = Normalise(mean, std, width=3.0)(found)
    assert inputs.abs().max() <= 1
    unclipped = 3 * Normalise(mean, std, width=1e3)(found) * 1e3 / 3
    torch.testing.assert_close(unclipped.flatten(0, 1).std(0), torch.ones(40), atol=1e-3, rtol=0)
