"""The self-checks of 06_voice_mnist: several right answers pass, and each usual mistake is named."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from labkit.checks.voice_mnist import check_confused, check_count, check_noisy
from labkit.models import Model, count_parameters

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
ANSWERS = runpy.run_path(str(NOTEBOOKS / "solutions" / "06_voice_mnist.py"))

# ---- exercise 1: count


def by_hand(side, channels, pools, hidden, lost=2, bias=1, kernel=9, grey=1, classes=10):
    total, before = 0, grey
    for width, pool in zip(channels, pools, strict=True):
        total, before, side = total + (kernel * before + bias) * width, width, (side - lost) // pool
    widths = [before * side * side, *hidden, classes]
    return total + sum((widths[i] + bias) * widths[i + 1] for i in range(len(widths) - 1))


def built(side, channels, pools, hidden):
    model = Model("voice_mnist", channels=channels, pools=pools, hidden=hidden)
    return np.int64(count_parameters(model.build((1, side, side), 10)))


def planted(**mistake):
    return lambda *network: by_hand(*network, **mistake)


NOT_COUNTED = [
    (planted(lost=0), "2 shorter before its pool"),
    (planted(bias=0), "the biases are missing"),
    (planted(lost=1), "but the network has"),
    (planted(kernel=3), "but the network has"),
    (planted(kernel=1), "but the network has"),
    (planted(grey=3), "but the network has"),
    (planted(classes=11), "but the network has"),
    (lambda *network: by_hand(*network) + 1, "but the network has 6,446,986"),
    (lambda side, channels, pools, hidden: by_hand(side, channels, [1] * len(channels), hidden), "but the network"),
    (lambda side, channels, pools, hidden: by_hand(side, channels, pools, ()), "but the network has"),
    (lambda *network: 0, "= 0, but the network has"),
    (lambda *network: None, "should be a number, not None"),
    (lambda *network: network[9], "fails: IndexError"),
]

# ---- exercise 2: confused


def with_numpy(matrix):
    values = matrix.to_numpy().copy()
    np.fill_diagonal(values, -1)
    row, column = np.unravel_index(values.argmax(), values.shape)
    return matrix.index[row], matrix.columns[column]


def with_loops(matrix):
    pairs = [(said, heard) for said in matrix.index for heard in matrix.columns if said != heard]
    return [str(digit) for digit in max(pairs, key=lambda pair: matrix.loc[pair])]


def spoiling(matrix):
    for place in range(len(matrix)):
        matrix.iloc[place, place] = -1
    return matrix.stack().idxmax()


def both_ways(matrix):
    """The larger direction of the pair with the largest sum of both."""
    one, other = with_numpy(matrix + matrix.T.to_numpy())
    return (one, other) if matrix.loc[one, other] > matrix.loc[other, one] else (other, one)


def positions(matrix):
    values = matrix.to_numpy() * (1 - np.eye(len(matrix), dtype=int))
    return np.unravel_index(values.argmax(), values.shape)


def share_of_mistakes(matrix):
    wrong = matrix * (1 - np.eye(len(matrix), dtype=int))
    return with_numpy(wrong.div(wrong.sum(axis=1), axis=0))


NOT_CONFUSED = [
    (lambda matrix: with_numpy(matrix)[::-1], "3 was taken for 2, 42 times"),
    (positions, "are no names"),
    (lambda matrix: tuple(int(place) for place in positions(matrix)), "are no names"),
    (lambda matrix: with_numpy(matrix.div(matrix.sum(axis=1), axis=0)), "largest share of a row"),
    (share_of_mistakes, "largest share of a row"),
    (lambda matrix: with_numpy(matrix.div(matrix.sum(axis=0), axis=1)), "row 3, column 2"),
    (lambda matrix: with_numpy(matrix + matrix.T.to_numpy()), "both ways together"),
    (lambda matrix: with_numpy(matrix.T), "exchange them"),
    (lambda matrix: matrix.stack().idxmax(), "Leave it out"),
    (lambda matrix: ("3", "3"), "Leave it out"),
    (lambda matrix: ("1", "7"), "row 3, column 2"),
    (lambda matrix: ("0", "1"), "row 3, column 2"),
    (lambda matrix: with_numpy(-matrix), "the largest number off the diagonal"),
    (lambda matrix: ("3",), "the largest number off the diagonal"),
    (lambda matrix: 3, "fails: TypeError"),
    (lambda matrix: None, "fails: TypeError"),
    (lambda matrix: matrix.loc["ten"], "fails: KeyError"),
    (lambda matrix: 42, "fails: TypeError"),
    (both_ways, "both ways together"),
    (spoiling, "matrix.copy()"),
]

# ---- exercise 4: noisy


def power(x):
    return np.mean(x**2)


def scaled(ratio):
    """Noise scaled by a factor that is computed from the two powers and the SNR."""
    return lambda samples, noise, snr: samples + noise * ratio(power(samples), power(noise), snr)


def by_levels(samples, noise, snr):
    level = 10 * np.log10(power(samples)) - 10 * np.log10(power(noise)) - snr
    return samples + noise * 10 ** (level / 20)


def in_place(samples, noise, snr):
    samples += noise * np.sqrt(power(samples) / power(noise) / 10 ** (snr / 10))
    return samples


def speech_scaled(samples, noise, snr):
    return samples * np.sqrt(power(noise) / power(samples) * 10 ** (snr / 10)) + noise


NOISY = [
    ANSWERS["noisy"],
    scaled(lambda speech, noise, snr: np.sqrt(speech / noise) * 10 ** (-snr / 20)),
    by_levels,
]
NOT_NOISY = [
    (lambda samples, noise, snr: samples, "no noise was added"),
    (lambda samples, noise, snr: samples + noise, "as it is. Scale it first"),
    (scaled(lambda speech, noise, snr: np.sqrt(speech / noise * 10 ** (snr / 10))), "the sign of snr"),
    (scaled(lambda speech, noise, snr: speech / noise / 10 ** (snr / 10)), "square root"),
    (scaled(lambda speech, noise, snr: np.sqrt(speech / noise / 10 ** (snr / 20))), "by 10, not by 20"),
    (scaled(lambda speech, noise, snr: np.sqrt(speech / noise / np.exp(snr / 10))), "not of e"),
    (scaled(lambda speech, noise, snr: np.sqrt(speech / 10 ** (snr / 10))), "how loud the noise is"),
    (scaled(lambda speech, noise, snr: np.sqrt(1 / noise / 10 ** (snr / 10))), "how loud the speech is"),
    (scaled(lambda speech, noise, snr: -np.sqrt(speech / noise / 10 ** (snr / 10))), "subtracted"),
    (scaled(lambda speech, noise, snr: np.sqrt(speech / noise) / snr), "dB above the noise, and should be 10"),
    (scaled(lambda speech, noise, snr: 0.1), "dB above the noise, and should be 10"),
    (lambda samples, noise, snr: noise * 0.01, "Scale the noise, not the speech"),
    (speech_scaled, "Scale the noise, not the speech"),
    (lambda samples, noise, snr: (samples + noise)[:100], "should give (800,) numbers, not (100,)"),
    (lambda samples, noise: samples, "fails: TypeError"),
    (lambda samples, noise, snr: None, "should give (800,) numbers, not ()"),
    (in_place, "that you were given"),
]

CHECKS = {
    "count_parameters": (check_count, [by_hand, built, ANSWERS["count_parameters"]], NOT_COUNTED),
    "confused": (check_confused, [with_numpy, with_loops, ANSWERS["confused"]], NOT_CONFUSED),
    "noisy": (check_noisy, NOISY, NOT_NOISY),
}
RIGHT = [(name, number) for name, (_, right, _) in CHECKS.items() for number in range(len(right))]
MISTAKES = [(name, number) for name, (_, _, wrong) in CHECKS.items() for number in range(len(wrong))]


@pytest.mark.parametrize(("name", "number"), RIGHT)
def test_right_answers_pass(name, number, capsys):
    check, right, _ = CHECKS[name]
    assert check(right[number]) is right[number]
    assert capsys.readouterr().out.startswith("Right. ")


@pytest.mark.parametrize(("name", "number"), MISTAKES)
def test_each_planted_mistake_is_named(name, number, capsys, monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    check, _, mistakes = CHECKS[name]
    wrong, word = mistakes[number]
    assert check(wrong) is not wrong  # the notebook goes on with the lab's answer
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and word in said, said


def test_three_right_answers_and_ten_mistakes_are_tried_for_each():
    for name, (_, right, mistakes) in CHECKS.items():
        assert len(right) >= 3 and len(mistakes) >= 10, name
