"""The self-checks of 01_exploration: several right answers pass, and each usual mistake is named."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.fft import dct, idct
from tiny import table_corpus

from labkit.checks.exploration import check_parts, check_smoothing, check_window
from labkit.data import parts_by_speaker
from labkit.features.spectral import cosines

WAVES = cosines(40, 40).double().numpy()  # (bands, coefficients), as in the notebook


def with_matrix(log_mel, n):
    return log_mel @ WAVES[:, :n] @ WAVES[:, :n].T


def with_scipy(log_mel, n):
    coefficients = dct(log_mel, norm="ortho")
    coefficients[:, n:] = 0
    return idct(coefficients, norm="ortho")


def with_torch(log_mel, n):
    kept = torch.from_numpy(WAVES[:, :n])
    return torch.from_numpy(log_mel) @ kept @ kept.T


def frame_by_frame(log_mel, n):
    return [sum((frame @ WAVES[:, k]) * WAVES[:, k] for k in range(n)) for frame in log_mel]


@pytest.mark.parametrize("smooth", [with_matrix, with_scipy, with_torch, frame_by_frame])
def test_smoothing_may_be_written_in_several_ways(smooth, capsys):
    assert check_smoothing(smooth)
    assert capsys.readouterr().out.startswith("Right.")


def first_bands(log_mel, n):
    kept = log_mel.copy()
    kept[:, n:] = 0
    return kept


def unscaled(log_mel, n):
    waves = np.cos(np.pi / 40 * (np.arange(40)[:, None] + 0.5) * np.arange(n))
    return log_mel @ waves @ waves.T


@pytest.mark.parametrize(
    "smooth, words",
    [
        (lambda log_mel, n: log_mel, "the same for 1 and for 40"),
        (lambda log_mel, n: with_matrix(log_mel, 13), "the same for 1 and for 40"),
        (lambda log_mel, n: log_mel @ WAVES[:, :n], "you return the 13 coefficients"),
        (lambda log_mel, n: log_mel @ WAVES[:, -n:] @ WAVES[:, -n:].T, "*first* n"),
        (lambda log_mel, n: log_mel @ WAVES[:, 1 : n + 1] @ WAVES[:, 1 : n + 1].T, "coefficient 0 is missing"),
        (lambda log_mel, n: 2 * with_matrix(log_mel, n), "Are the cosines scaled"),
        (unscaled, "Are the cosines scaled"),
        (first_bands, "13 *bands*"),
        (lambda log_mel, n: log_mel if n == 40 else np.tile(log_mel.mean(0), (7, 1)), "smooth over time"),
        (lambda log_mel, n: with_matrix(log_mel, n).T, "Keep the shape"),
        (lambda log_mel, n: with_matrix(log_mel, n)[0], "Keep the shape"),
        (lambda log_mel, n: np.log(with_matrix(log_mel, n) - 1000), "not finite"),
        (lambda log_mel, n: log_mel @ np.ones((3, 3)), "fails: ValueError"),
        (lambda log_mel, n: None, "returns None"),
        (lambda log_mel: log_mel, "fails: TypeError"),
        (None, "fails: TypeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_mistakes_in_smoothing_are_named(smooth, words, capsys):
    assert not check_smoothing(smooth)
    assert words in capsys.readouterr().out


def measured(hertz):
    """The first window whose tone is no wider than the distance, as in the notebook's table."""
    for ms in np.arange(1, 200, 0.5):
        tone = np.abs(np.fft.rfft(np.hanning(int(ms * 16)), 16_000))
        if 2 * (tone > tone.max() / 2).sum() - 1 <= hertz:
            return ms
    return None


@pytest.mark.parametrize(
    "shortest_window",
    [
        lambda hertz: 2000 / hertz,
        lambda hertz: 1000 * np.float32(2) / hertz,
        lambda hertz: torch.tensor(40 * 51 / hertz),  # read from a row of the table
        measured,
    ],
)
def test_the_shortest_window_may_be_found_in_several_ways(shortest_window, capsys):
    assert check_window(shortest_window)
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(
    "shortest_window, words",
    [
        (lambda hertz: 40, "the same for 20 and for 100"),
        (lambda hertz: hertz, "need a *shorter* window"),
        (lambda hertz: hertz / 2000, "need a *shorter* window"),
        (lambda hertz: 2 / hertz, "is in seconds"),
        (lambda hertz: 1000 / hertz, "is half of it"),
        (lambda hertz: 1210 / hertz, "too short"),
        (lambda hertz: 100 - hertz / 2, "too short"),
        (lambda hertz: 4000 / hertz, "a shorter window does, too"),
        (lambda hertz: 32_000 / hertz, "a shorter window does, too"),  # in samples
        (lambda hertz: -2000 / hertz, "no length"),
        (lambda hertz: float("nan"), "no length"),
        (lambda hertz: None, "should be a number"),
        (lambda hertz: f"{2000 / hertz} ms", "should be a number"),
        (lambda hertz: 1 / 0, "fails: ZeroDivisionError"),
        (50, "fails: TypeError"),
    ],
)
def test_mistakes_in_the_shortest_window_are_named(shortest_window, words, capsys):
    assert not check_window(shortest_window)
    assert words in capsys.readouterr().out


def test_parts_by_speaker_pass_however_they_are_made():
    clips = table_corpus(speakers=40).clips
    assert check_parts(clips, parts_by_speaker(clips.speaker, 0.2, 0.2))
    number = clips.speaker.str[1:].astype(int)
    chosen = [{0: "test", 1: "validation"}.get(n % 5, "train") for n in number]
    assert check_parts(clips, chosen) and check_parts(clips, np.array(chosen)) and check_parts(clips, pd.Series(chosen))


def by_speaker(clips, *parts):
    """The clips' parts, where speaker n of the alphabet gets part n, and so on in turn."""
    order = {name: number for number, name in enumerate(sorted(clips.speaker.unique()))}
    return [parts[order[name] % len(parts)] for name in clips.speaker]


def one_shared(clips):
    parts = parts_by_speaker(clips.speaker, 0.2, 0.2).copy()
    shared = clips.speaker[parts == "train"].iloc[0]
    parts[clips.index[clips.speaker == shared][-1]] = "test"
    return parts


@pytest.mark.parametrize(
    "parts, words",
    [
        (lambda clips: np.random.default_rng(0).choice(["train", "validation", "test"], len(clips)), "more than one"),
        (lambda clips: ["train", "test"] * (len(clips) // 2) + ["train"] * (len(clips) % 2), "more than one"),
        (lambda clips: np.where(clips.label == "no", "train", "test"), "more than one"),  # by word
        (one_shared, "1 of 40 speakers are in more than one part"),
        (lambda clips: ["train"] * len(clips), "'validation' has 0.0%"),
        (lambda clips: by_speaker(clips, "train", "train", "test"), "'validation' has 0.0%"),
        (lambda clips: by_speaker(clips, "train", "validation", "validation", "test", "test"), "less than half"),
        (lambda clips: by_speaker(clips, "train", "train", "train", "dev", "test"), "'dev'"),
        (lambda clips: by_speaker(clips, 0, 0, 0, 1, 2), "have no part"),
        (lambda clips: by_speaker(clips, "train", "validation", None, "test"), "have no part"),
        (lambda clips: dict.fromkeys(clips.speaker, "train"), "Give each clip one"),  # of each speaker
        (lambda clips: ["train"] * (len(clips) - 1), "Give each clip one"),
        (lambda clips: "train", "a list or a column"),
        (lambda clips: None, "a list or a column"),
    ],
)
def test_mistakes_in_parts_are_named(parts, words, capsys):
    clips = table_corpus(speakers=40).clips
    assert not check_parts(clips, parts(clips))
    assert words in capsys.readouterr().out
