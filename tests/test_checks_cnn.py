"""The self-checks of 04_mel_cnn: several right answers pass, and each usual mistake is named."""

import pytest
import torch

from labkit.checks.mel_cnn import check_flat, check_hiding


def stepwise(bands, frames):
    for _ in range(2):
        bands, frames = (bands - 2) // 3, (frames - 2) // 3
    return 16 * bands * frames


def at_once(bands, frames):
    return ((bands - 8) // 9) * ((frames - 8) // 9) * 16


@pytest.mark.parametrize("flat", [stepwise, at_once])
def test_sizes_may_be_counted_in_several_ways(flat):
    assert check_flat(flat)


@pytest.mark.parametrize(
    ("flat", "words"),
    [
        (lambda bands, frames: stepwise(bands, frames) // 16, "that is one channel"),
        (lambda bands, frames: 16 * (bands // 9) * (frames // 9), "count the pools only"),
        (lambda bands, frames: 16 * (bands - 8) / 9 * (frames - 8) / 9, "whole numbers"),
        (lambda bands, frames: bands * frames, "M1 to M3 flatten 1,664"),
        (lambda bands, frames: None, "should be a number, not None"),
        (1664, "fails: TypeError"),
        (lambda bands, frames: 1664, r"flatten 1,024"),
    ],
)
def test_mistakes_in_sizes_are_named(flat, words, capsys):
    assert not check_flat(flat)
    assert words in capsys.readouterr().out


def hide(picture, generator, most=20):
    width = int(torch.randint(0, most + 1, (1,), generator=generator))
    first = int(torch.randint(0, picture.shape[1] - width + 1, (1,), generator=generator))
    hidden = picture.clone()
    hidden[:, first : first + width] = picture.mean()
    return hidden


def with_a_mask(picture, generator):
    time = torch.arange(picture.shape[1])
    middle = torch.randint(0, picture.shape[1], (1,), generator=generator)
    return torch.where((time - middle).abs() < 8, picture.mean(1, keepdim=True), picture)


@pytest.mark.parametrize("right", [hide, with_a_mask])
def test_hiding_may_be_written_in_several_ways(right):
    assert check_hiding(right)


def in_place(picture, generator):
    picture[:, 3:9] = picture.mean()
    return picture


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (in_place, "picture.clone()"),
        (lambda picture, generator: picture, "nothing was hidden"),
        (lambda picture, generator: hide(picture.T, generator).T, "Time is the second axis"),
        (lambda picture, generator: hide(picture, torch.Generator().manual_seed(4)), "always at the same place"),
        (lambda picture, generator: hide(picture, generator, 90), "the word may be gone"),
        (lambda picture, generator: picture * (torch.arange(101) > 50), "0 is no silence"),
        (lambda picture, generator: picture[:, :50], "like the picture"),
        (lambda picture, generator: picture + torch.eye(40, 101), "in every band"),
        (lambda picture, generator: torch.where(torch.arange(101) % 9 == 0, picture.mean(), picture), "one stretch"),
        (None, "fails: TypeError"),
    ],
)
def test_mistakes_in_hiding_are_named(wrong, words, capsys):
    assert not check_hiding(wrong)
    assert words in capsys.readouterr().out
