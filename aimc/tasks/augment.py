"""Random variants of training clips, vectorised over the batch.

Time shift of +-100 ms and background noise (probability 0.8, gain up to 0.1) as in [Schaefer 2021,
code Intelligent-Microsystems-Lab/QuantizedLSTM]; change of speed and pitch together, and of
loudness, because few speakers were recorded; runs of frames blanked as in SpecAugment
[Park 2019, arXiv 1904.08779].
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

SHIFT = 1600  # samples: 100 ms
SPEED = 0.15
LOUDNESS = 6.0  # dB
NOISE_PROBABILITY, NOISE_GAIN = 0.8, 0.1
BLANK = 8  # frames at most


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Draws from [low, high)."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def augment(waves: Tensor, noise: list[Tensor], generator: Generator) -> Tensor:
    """A random variant of each clip.

    waves (clips, samples)  float in [-1, 1]
    noise                   recordings, float in [-1, 1], each longer than a clip
    returns (clips, samples), float in [-1, 1]
    """
    clips = len(waves)
    waves = warp(
        waves,
        uniform((clips,), 1 - SPEED, 1 + SPEED, generator),
        uniform((clips,), -SHIFT, SHIFT, generator),
    )
    gain = 10 ** (uniform((clips, 1), -LOUDNESS, LOUDNESS, generator) / 20)
    noisy = torch.rand((clips, 1), generator=generator) < NOISE_PROBABILITY
    level = uniform((clips, 1), 0, NOISE_GAIN, generator) * noisy
    return (waves * gain + level * cut(noise, clips, waves.shape[1], generator)).clamp(-1, 1)


def warp(waves: Tensor, speed: Tensor, shift: Tensor) -> Tensor:
    """Clips played faster or slower about their middle, then moved; linear interpolation.

    waves (clips, samples)
    speed (clips,)          times as fast
    shift (clips,)          samples to the left; zeros come in from beyond the ends
    """
    full = waves.shape[1] - 1  # grid_sample counts from -1 at the first sample to 1 at the last
    at = torch.linspace(-1, 1, full + 1) * speed[:, None] + 2 / full * shift[:, None]
    grid = torch.stack([at, torch.zeros_like(at)], -1)[:, None]
    return F.grid_sample(waves[:, None, None], grid, align_corners=True)[:, 0, 0]


def cut(noise: list[Tensor], clips: int, samples: int, generator: Generator) -> Tensor:
    """Random stretches of random recordings, shape (clips, samples)."""
    which = torch.randint(len(noise), (clips,), generator=generator).tolist()
    place = torch.rand(clips, generator=generator).tolist()
    starts = [int(p * (len(noise[k]) - samples)) for k, p in zip(which, place, strict=True)]
    return torch.stack([noise[k][s : s + samples] for k, s in zip(which, starts, strict=True)])


def blank(features: Tensor, generator: Generator) -> Tensor:
    """Up to `BLANK` consecutive frames of each clip set to 0, the mean of normalised features.

    features (clips, frames, coefficients)
    """
    clips, frames, _ = features.shape
    start = torch.randint(frames, (clips, 1), generator=generator)
    width = torch.randint(BLANK + 1, (clips, 1), generator=generator)
    frame = torch.arange(frames)
    return features * ~((frame >= start) & (frame < start + width))[:, :, None]
