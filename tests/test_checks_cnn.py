"""The self-checks of 04_mel_cnn: several right answers pass, and each usual mistake is named."""

import runpy

import pytest
import torch

from labkit.checks.mel_cnn import check_differing, check_flat, check_hiding
from labkit.files import home


def stepwise(bands, frames):
    for _ in range(2):
        bands, frames = (bands - 2) // 3, (frames - 2) // 3
    return 16 * bands * frames


def at_once(bands, frames):
    return ((bands - 8) // 9) * ((frames - 8) // 9) * 16


def with_layers(bands, frames):
    layers = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.MaxPool2d(3), torch.nn.Conv2d(2, 16, 3))
    return torch.nn.functional.max_pool2d(layers(torch.zeros(1, 1, bands, frames)), 3).numel()


@pytest.mark.parametrize("flat", [stepwise, at_once, with_layers])
def test_sizes_may_be_counted_in_several_ways(flat):
    assert check_flat(flat) is flat


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
        (lambda bands, frames: stepwise(bands, frames) // 2, "those of the first convolution"),
        (lambda bands, frames: 16 * ((bands - 2) // 3) * ((frames - 2) // 3), "one convolution and one pool"),
        (lambda bands, frames: 16 * (bands - 4) * (frames - 4), "the convolutions only"),
        (lambda bands, frames: 8 * stepwise(bands, frames), "Only the last image is flattened"),
        (lambda bands: bands, "fails: TypeError"),
    ],
)
def test_mistakes_in_sizes_are_named(flat, words, capsys):
    check_flat(flat)
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


def column_by_column(picture, generator):
    first = int(torch.randint(0, 80, (1,), generator=generator))
    columns = [picture[:, frame] for frame in range(picture.shape[1])]
    columns[first : first + 12] = [torch.full_like(columns[0], picture.mean())] * 12
    return torch.stack(columns, 1)


@pytest.mark.parametrize("right", [hide, with_a_mask, column_by_column])
def test_hiding_may_be_written_in_several_ways(right):
    assert check_hiding(right) is right


def in_place(picture, generator):
    picture[:, 3:9] = picture.mean()
    return picture


def five_above_the_mean(picture, generator):
    hidden = hide(picture, generator)
    return torch.where(hidden == picture, picture, picture.mean() + 5)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (in_place, "image.clone()"),
        (lambda picture, generator: picture, "nothing was hidden"),
        (lambda picture, generator: hide(picture.T, generator).T, "Time is the second axis"),
        (lambda picture, generator: hide(picture, torch.Generator().manual_seed(4)), "always at the same place"),
        (lambda picture, generator: hide(picture, generator, 90), "the word may be gone"),
        (lambda picture, generator: picture * (torch.arange(101) > 50), "0 is no silence"),
        (five_above_the_mean, "0 is no silence"),
        (lambda picture, generator: hide(picture, torch.default_generator), "the same generator hides other"),
        (
            lambda picture, generator: (
                hide(picture, generator) if torch.rand(1, generator=generator) < 0.2 else picture.clone()
            ),
            "of 40 tries",
        ),
        (lambda picture, generator: picture[:, :50], "like the image"),
        (lambda picture, generator: picture + torch.eye(40, 101), "in every band"),
        (lambda picture, generator: torch.where(torch.arange(101) % 9 == 0, picture.mean(), picture), "one stretch"),
        (None, "fails: TypeError"),
    ],
)
def test_mistakes_in_hiding_are_named(wrong, words, capsys):
    check_hiding(wrong)
    assert words in capsys.readouterr().out


# ---- the settings in which two experiments differ


def flattened(experiment):
    return {f"{part}.{name}": value for part, values in experiment.items() for name, value in values.items()}


def by_names(first, second):
    first, second = flattened(first), flattened(second)
    return [
        name for name in {*first, *second} if not (name in first and name in second and first[name] == second[name])
    ]


def by_texts(first, second):
    sides = [{(name, repr(value)) for name, value in flattened(one).items()} for one in (first, second)]
    return {name for name, _ in sides[0] ^ sides[1]}


def by_loops(first, second):
    found = []
    for part in [*first, *(part for part in second if part not in first)]:
        mine, other = first.get(part, {}), second.get(part, {})
        for name in [*mine, *(name for name in other if name not in mine)]:
            if (name in mine) != (name in other) or mine[name] != other[name]:
                found.append(f"{part}.{name}")
    return tuple(found)


@pytest.mark.parametrize("right", [by_names, by_texts, by_loops])
def test_differences_may_be_found_in_several_ways(right):
    assert check_differing(right) is right


def common(first, second, get=False):
    first, second = flattened(first), flattened(second)
    names = {*first, *second} if get else {*first} & {*second}
    return [name for name in names if first.get(name) != second.get(name)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (common, "misses ['model.dropout']"),
        (lambda first, second: common(first, second, get=True), "None there is a value"),
        (lambda first, second: ["model.dropout"], "the same on both sides"),
        (lambda first, second: [], "misses ['feature.log']"),
        (lambda first, second: len(by_names(first, second)), "should be a list of texts"),
        (lambda first, second: by_names(first, second) * 2, "names a setting twice"),
        (lambda first, second: by_names(first, second)[:1], "misses ["),
        (lambda first, second: [name.split(".")[1] for name in by_names(first, second)], "the part and the setting"),
        (lambda first, second: [name for name in flattened(first)], "the same on both sides"),
        (lambda first, second: [part for part in first if first[part] != second.get(part)], "the part and the setting"),
        (lambda first, second: first ^ second, "fails: TypeError"),
        (
            lambda first, second: [f"{p}.{n}" for p in first for n in first[p] if first[p][n] != second[p][n]],
            "KeyError",
        ),
        (lambda first: [], "fails: TypeError"),
    ],
)
def test_mistakes_in_differences_are_named(wrong, words, capsys):
    check_differing(wrong)
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "check"), [("flat", check_flat), ("hide", check_hiding), ("differing", check_differing)]
)
def test_the_labs_own_answers_pass(name, check, capsys):
    answer = runpy.run_path(str(home() / "notebooks" / "solutions" / "04_mel_cnn.py"))[name]
    assert check(answer) is answer and "Right." in capsys.readouterr().out
