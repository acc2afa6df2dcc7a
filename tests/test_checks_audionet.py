"""The self-checks of 05_audiomnist_audionet: several right answers pass, and each usual mistake is named."""

import pytest
import torch

from labkit.checks.audionet import check_fold, check_parameters, check_placing
from labkit.data.splits import GROUPS
from labkit.models import Model, count_parameters

DIGITS = GROUPS["audiomnist_digit"]


def by_hand(widths, samples=8000, biases=1, pooled=True):
    total, before = 0, 1
    for width in widths:
        total += 3 * before * width + biases * width
        before, samples = width, samples // 2 if pooled else samples
    for inputs, width in ((before * samples, 1024), (1024, 512), (512, 10)):
        total += inputs * width + biases * width
    return total


def by_building(widths):
    return count_parameters(Model("audionet", widths=tuple(widths)).build((1, 8000), 10))


@pytest.mark.parametrize("count", [by_hand, by_building])
def test_parameters_may_be_counted_in_several_ways(count):
    assert check_parameters(count)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (lambda widths: by_hand(widths, biases=0), "the biases are missing"),
        (lambda widths: by_hand(widths, pooled=False), "each pool halves the samples"),
        (lambda widths: 17_107_162, "but there are 8,898,906"),
        (lambda widths: None, "should be a number, not None"),
        (lambda: 3, "fails: TypeError"),
    ],
)
def test_mistakes_in_counting_are_named(count, words, capsys):
    assert not check_parameters(count)
    assert words in capsys.readouterr().out


def place(clip, generator):
    window = torch.zeros(8000)
    first = int(torch.randint(0, 8000 - len(clip) + 1, (1,), generator=generator))
    window[first : first + len(clip)] = clip
    return window


def rolled(clip, generator):
    free = 8000 - len(clip)
    shift = torch.randint(0, free + 1, (1,), generator=generator).item()
    return torch.nn.functional.pad(clip, (0, free)).roll(shift)


@pytest.mark.parametrize("right", [place, rolled])
def test_clips_may_be_placed_in_several_ways(right):
    assert check_placing(right)


def changing(clip, generator):
    window = place(clip, generator)
    clip.zero_()
    return window


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda clip, generator: torch.nn.functional.pad(clip, (0, 8000 - len(clip))), "at 1 different places"),
        (lambda clip, generator: clip, "a tensor of 8000 samples, also for a clip of 7999"),
        (lambda clip, generator: place(clip.flip(0), generator), "the same samples in the same order"),
        (lambda clip, generator: place(clip[:2000], generator), "of 8000 samples, 2000 are in the window"),
        (
            lambda clip, generator: torch.nn.functional.pad(clip, (0, 8000 - len(clip))).roll(
                torch.randint(0, min(500, 8001 - len(clip)), (1,), generator=generator).item()
            ),
            "no clip begins after sample",
        ),
        (changing, "you change the clip"),
        (lambda clip: clip, "for a clip of 8000 samples, fails: TypeError"),
    ],
)
def test_mistakes_in_placing_are_named(wrong, words, capsys):
    assert not check_placing(wrong)
    assert words in capsys.readouterr().out


def parts(fold):
    groups = DIGITS
    validation, test = groups[fold], groups[(fold + 1) % 5]
    return {
        "train": {name for group in groups for name in group} - {*validation, *test},
        "validation": validation,
        "test": test,
    }


def next_validates(fold):
    groups = DIGITS
    rest = [name for number, group in enumerate(groups) for name in group if number not in (fold, (fold + 1) % 5)]
    return {"train": rest, "validation": groups[(fold + 1) % 5], "test": groups[fold]}


@pytest.mark.parametrize("right", [parts, next_validates])
def test_folds_may_be_made_in_several_ways(right):
    assert check_fold(right)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda fold: {**parts(fold), "train": [name for group in DIGITS for name in group]},
            "in train and in test",
        ),
        (lambda fold: {**parts(fold), "train": []}, "36 speakers are in no part"),
        (lambda fold: parts(0), "two folds test the same group"),
        (lambda fold: {"train": []}, "fails: KeyError"),
        (
            lambda fold: {"train": [], "validation": DIGITS[0], "test": sum(DIGITS[1:], ())},
            "test one whole group",
        ),
    ],
)
def test_mistakes_in_folds_are_named(wrong, words, capsys):
    assert not check_fold(wrong)
    assert words in capsys.readouterr().out
