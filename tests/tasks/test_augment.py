import pytest
import torch

from aimc.tasks.augment import augment, blank, cut, warp


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def test_same_seed_gives_the_same_variants():
    waves, noise = torch.rand(5, 4000) - 0.5, [torch.rand(9000) - 0.5]
    one, two, other = (augment(waves, noise, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert one.abs().max() <= 1


def test_warp_without_change_is_the_clip():
    waves = torch.rand(2, 1000)
    same = warp(waves, torch.ones(2), torch.zeros(2))
    torch.testing.assert_close(same, waves, atol=1e-3, rtol=0)


def test_warp_shifts_and_fills_with_zeros():
    waves = torch.arange(1.0, 11.0)[None]
    left = warp(waves, torch.ones(1), torch.tensor([3.0]))
    expected = torch.tensor([4.0, 5, 6, 7, 8, 9, 10, 0, 0, 0])
    torch.testing.assert_close(left[0], expected, atol=1e-4, rtol=0)
    right = warp(waves, torch.ones(1), torch.tensor([-2.0]))
    expected = torch.tensor([0.0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    torch.testing.assert_close(right[0], expected, atol=1e-4, rtol=0)


def test_faster_is_higher():
    time = torch.arange(16000) / 16000
    fast = warp(torch.sin(2 * torch.pi * 400 * time)[None], torch.tensor([1.1]), torch.zeros(1))
    peak = torch.fft.rfft(fast[0] * torch.hann_window(16000)).abs().argmax()
    assert abs(int(peak) - 440) <= 1


def test_cut_gives_stretches_of_the_recordings(generator):
    noise = [torch.arange(500.0), 1000 + torch.arange(700.0)]
    clips = cut(noise, 50, 100, generator)
    assert torch.equal(clips.diff(dim=1), torch.ones(50, 99))
    assert {bool(start >= 1000) for start in clips[:, 0]} == {False, True}


def test_blank_clears_one_run_of_at_most_eight_frames(generator):
    left = blank(torch.ones(200, 51, 4), generator)
    assert torch.equal(left.amin(2), left.amax(2))
    cleared = (left[:, :, 0] == 0).int()
    assert cleared.sum(1).max() == 8
    assert (cleared.diff(dim=1) == 1).sum(1).max() <= 1
