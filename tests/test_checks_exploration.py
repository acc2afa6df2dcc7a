"""The self-checks of 01_exploration: several right answers pass, and each usual mistake is named."""

import numpy as np
import pandas as pd
import pytest
import torch
import torchaudio.functional as F
from tiny import table_corpus

from labkit.checks.exploration import check_parts, check_smoothing, check_window
from labkit.data import parts_by_speaker

ALL = F.create_dct(40, 40, "ortho")  # (bands, coefficients)


def with_torch(log_mel, n):
    return log_mel @ ALL[:, :n] @ ALL[:, :n].T


def with_scipy(log_mel, n):
    from scipy.fft import dct, idct

    coefficients = dct(np.asarray(log_mel), norm="ortho")
    coefficients[:, n:] = 0
    return idct(coefficients, norm="ortho")


@pytest.mark.parametrize("smooth", [with_torch, with_scipy])
def test_smoothing_may_be_written_in_several_ways(smooth, capsys):
    assert check_smoothing(smooth)
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(
    "smooth, words",
    [
        (lambda log_mel, n: log_mel, "the same for 1 and for 40"),
        (lambda log_mel, n: log_mel @ ALL[:, :n], "you return the 13 coefficients"),
        (lambda log_mel, n: log_mel @ ALL[:, -n:] @ ALL[:, -n:].T, "*first* n"),
        (lambda log_mel, n: 2 * with_torch(log_mel, n), "Are the cosines scaled"),
        (lambda log_mel, n: log_mel.mean(0, keepdim=True).expand_as(log_mel) + 0 * n, "the same for 1"),
        (lambda log_mel, n: log_mel if n == 40 else log_mel.mean(0).expand_as(log_mel), "smooth over time"),
        (lambda log_mel, n: with_torch(log_mel, n).T, "Keep the shape"),
        (lambda log_mel, n: log_mel @ torch.ones(3, 3), "fails: RuntimeError"),
        (None, "fails: TypeError"),
    ],
)
def test_mistakes_in_smoothing_are_named(smooth, words, capsys):
    assert not check_smoothing(smooth)
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("window_ms", [60, 75.5, 100, np.int64(80)])
def test_several_windows_show_both(window_ms):
    assert check_window(window_ms)


@pytest.mark.parametrize(
    "window_ms, words",
    [(40, "two tones"), (150, "two clicks"), ("60", "a number of milliseconds"), (0, "between 1 and 1000")],
)
def test_a_window_that_hides_something_is_told_what(window_ms, words, capsys):
    assert not check_window(window_ms)
    assert words in capsys.readouterr().out


def test_parts_by_speaker_pass_however_they_are_made():
    clips = table_corpus(speakers=40).clips
    assert check_parts(clips, parts_by_speaker(clips.speaker, 0.2, 0.2))
    number = clips.speaker.str[1:].astype(int)
    chosen = [{0: "test", 1: "validation"}.get(n % 5, "train") for n in number]
    assert check_parts(clips, chosen) and check_parts(clips, np.array(chosen)) and check_parts(clips, pd.Series(chosen))


def test_too_little_to_learn_from_is_named(capsys):
    clips = table_corpus(speakers=40).clips
    number = clips.speaker.str[1:].astype(int)
    assert not check_parts(clips, ["train" if n % 5 == 0 else "validation" if n % 5 < 3 else "test" for n in number])
    assert "less than half" in capsys.readouterr().out


@pytest.mark.parametrize(
    "parts, words",
    [
        (lambda n: ["train", "validation", "test"] * (n // 3) + ["train"] * (n % 3), "in more than one part"),
        (lambda n: ["train", "test"] * (n // 2) + ["train"] * (n % 2), "in more than one part"),
        (lambda n: ["train"] * n, "'validation' has 0.0%"),
        (lambda n: ["train"] * (n - 1), "Give each clip one"),
        (lambda n: ["train"] * (n - 1) + ["dev"], "'dev'"),
        (lambda n: "train", "a list or a column"),
        (lambda n: None, "a list or a column"),
    ],
)
def test_mistakes_in_parts_are_named(parts, words, capsys):
    clips = table_corpus().clips
    assert not check_parts(clips, parts(len(clips)))
    assert words in capsys.readouterr().out


def test_one_speaker_in_two_of_three_parts_is_found(capsys):
    clips = table_corpus(speakers=40).clips
    parts = parts_by_speaker(clips.speaker, 0.2, 0.2).copy()
    shared = clips.speaker[parts == "train"].iloc[0]
    parts[clips.index[clips.speaker == shared][-1]] = "test"
    assert not check_parts(clips, parts)
    assert f"1 of 40 speakers are in more than one part, {shared} for one" in capsys.readouterr().out
