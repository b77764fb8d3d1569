"""Mel-frequency cepstral coefficients in torch, in librosa's convention.

Front end of the keyword task: 40 coefficients, 40 ms Hann window, 20 ms hop, 20 Hz to 4 kHz at
16 kHz [Schaefer 2021, code Intelligent-Microsystems-Lab/QuantizedLSTM]. That code uses 160 mel
bands; below 1 kHz they are narrower than the 25 Hz bins of a 640-point transform, so some are
empty. Here 80 bands are used, and each holds a bin.
"""

import functools
import math
from typing import Any

import torch
from torch import Tensor, nn

from aimc.errors import ArgumentError, must

SAMPLE_RATE = 16_000  # [Hz]
SAMPLES = 16_000  # of one clip: 1 s
COEFFICIENTS = 40
WINDOW = 640  # 40 ms
HOP = 320  # 20 ms
FRAMES = 1 + SAMPLES // HOP
BANDS = 80
F_MIN, F_MAX = 20.0, 4000.0  # [Hz]
FLOOR = 1e-10  # power below which the logarithm is cut off
CHUNK = 32  # clips at a time: their spectra stay in the cache


def mel(frequency: Tensor) -> Tensor:
    """Slaney's scale: linear to 1 kHz (15 mel), then 27 mel per factor 6.4 [Slaney 1998]."""
    return torch.where(
        frequency < 1000,
        frequency * 3 / 200,
        15 + 27 * torch.log(frequency.clamp(min=1e-3) / 1000) / math.log(6.4),
    )


def hertz(mels: Tensor) -> Tensor:
    """Inverse of `mel` [Hz]."""
    return torch.where(
        mels < 15, mels * 200 / 3, 1000 * torch.exp((mels - 15) * math.log(6.4) / 27)
    )


@functools.cache
def mel_bands() -> Tensor:
    """Triangles of unit area over the transform's bins, shape `(WINDOW // 2 + 1, BANDS)`."""
    bins = torch.arange(WINDOW // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / WINDOW
    ends = mel(torch.tensor([F_MIN, F_MAX], dtype=torch.float64))
    corner = hertz(torch.linspace(float(ends[0]), float(ends[1]), BANDS + 2, dtype=torch.float64))
    low, mid, high = corner[:-2], corner[1:-1], corner[2:]
    rise = (bins[:, None] - low) / (mid - low)
    fall = (high - bins[:, None]) / (high - mid)
    return (torch.minimum(rise, fall).clamp(min=0) * 2 / (high - low)).float()


@functools.cache
def cosines() -> Tensor:
    """Orthonormal DCT-II, shape `(BANDS, COEFFICIENTS)`."""
    n = torch.arange(BANDS, dtype=torch.float64)[:, None] + 0.5
    k = torch.arange(COEFFICIENTS, dtype=torch.float64)
    basis = torch.cos(math.pi / BANDS * n * k) * math.sqrt(2 / BANDS)
    basis[:, 0] /= math.sqrt(2)
    return basis.float()


def mfcc(waves: Tensor) -> Tensor:
    """MFCC of one-second clips.

    waves (clips, 16000)  int16, or float in [-1, 1]
    returns (clips, 51, 40) float32: `10 log10` of the mel power spectrum, DCT-II over the bands.
    Frames are centred on multiples of 20 ms, with zeros beyond both ends of the clip. Raises
    ArgumentError on another shape.
    """
    if waves.ndim != 2 or waves.shape[1] != SAMPLES:
        raise ArgumentError(
            f"`waves` must have shape (clips, {SAMPLES}), but has shape {tuple(waves.shape)}. "
            "Pad or crop each clip to one second at 16 kHz."
        )
    return torch.cat([_mfcc(part) for part in waves.split(CHUNK)])


def _mfcc(waves: Tensor) -> Tensor:
    waves = waves.float() / 32768 if waves.dtype == torch.int16 else waves.float()
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(
        waves, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True
    )
    power = spectrum.real.square() + spectrum.imag.square()
    bands = power.transpose(1, 2) @ mel_bands()
    return 10 * torch.log10(bands.clamp(min=FLOOR)) @ cosines()


class Normalise(nn.Module):
    """Features to the bounded inputs of hardware: `(x - mean) / (width std)`, clipped to [-1, 1].

    mean, std (40,)  of the training split; buffers, so they travel with the model's checkpoint
    width            standard deviations at full scale
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, width: float = 3.0) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

        self.register_load_state_dict_post_hook(_spread)

    def forward(self, features: Tensor) -> Tensor:
        """features (batch, frames, 40) of `mfcc` -> the same shape in [-1, 1]."""
        return ((features - self.mean) / (self.width * self.std)).clamp(-1, 1)


def _spread(module: Normalise, keys: Any) -> None:
    """ArgumentError where features that were loaded have no spread."""
    if not (module.std > 0).all():
        raise must("std", "be above 0", f"reaches {float(module.std.min()):g}")
