"""Self-checks for the exercises of 06_voice_mnist."""

import numpy as np
import pandas as pd

from ..models import Model, count_parameters
from . import attempt, check, compare, need

SERIES = (  # bands and frames, channels, pools, hidden
    (64, (32, 64), (2, 2), (512,)),
    (128, (32,), (2,), (16,)),
    (64, (8, 16, 32), (1, 2, 2), (64, 32)),
    (30, (), (), (20,)),
    (41, (4,), (1,), ()),
)
DIGITS = list("0123456789")


@check("You can now say what a network costs before you build it.", blank="06_voice_mnist.count_parameters")
def check_count(count):
    """Does `count_parameters(side, channels, pools, hidden)` give the parameters of voice_mnist with ten classes?"""
    for side, channels, pools, hidden in SERIES:
        network = Model("voice_mnist", channels=channels, pools=pools, hidden=hidden).build((1, side, side), 10)
        right, flat, padded = count_parameters(network), side, side  # sides without and with padding
        for pool in pools:
            flat, padded = (flat - 2) // pool, padded // pool
        width = (*hidden, 10)[0] * (channels or (1,))[-1]  # weights of the first linear layer for each pixel
        mistakes = {
            right - sum(channels) - sum(hidden) - 10: "the weights are right, the biases are missing: one per output.",
            right + width * (padded**2 - flat**2): "a convolution makes each side 2 shorter before its pool.",
        }
        said = f"count_parameters({side}, {channels}, {pools}, {hidden})"
        otherwise = f"the network has {right:,}. Count each layer on paper for this one."
        compare(said, count, [side, channels, pools, hidden], right, mistakes, otherwise)


@check("Rows are what was said: now the sentence is the right way round.", blank="06_voice_mnist.confused")
def check_confused(confused):
    """Does `confused(matrix)`, true digits down, name the most frequent mistake as (said, taken for)?"""
    rng = np.random.default_rng(0)
    for said, heard in ("32", "95", "06"):
        matrix = pd.DataFrame(rng.integers(0, 20, (10, 10)) + 2500 * np.eye(10, dtype=int), DIGITS, DIGITS)
        matrix.loc["7"] = [0, 0, 0, 0, 10, 0, 0, 40, 0, 0]  # a rare digit: the largest share of a row
        matrix.loc["8", "1"], matrix.loc["1", "8"], matrix.loc[said, heard], matrix.loc[heard, said] = 30, 29, 42, 0
        kept = matrix.copy()
        with attempt("confused(matrix)"):
            answer = tuple(confused(matrix))
        need(matrix.equals(kept), "you change the table that others need: work on matrix.copy().")
        need(all(isinstance(name, str) for name in answer), f"{answer} are no names: take them from matrix.index.")
        need(answer != (heard, said), f"exchange them: rows are what was said. {said} was taken for {heard}, 42 times.")
        need(len({*answer}) != 1 or len(answer) < 2, "the diagonal holds what was right. Leave it out.")
        need({*answer} != {"8", "1"}, "8 and 1 are 59 mistakes only both ways together. Count one way: 42 is more.")
        need(answer != ("7", "4"), "that is the largest share of a row: 10 clips of 50. Count clips: 42 is more.")
        need(answer == (said, heard), f"{answer}: the largest number off the diagonal is row {said}, column {heard}.")


@check("The speech is as far above the noise as it should be.", blank="06_voice_mnist.noisy")
def check_noisy(noisy):
    """Does `noisy(samples, noise, snr)` add the noise so that its power lies `snr` dB below that of the samples?"""
    generator = np.random.default_rng(0)
    for snr in (10, -3):
        samples, noise = 0.1 * generator.normal(size=800), 3 * generator.normal(size=800)
        kept, wide = (samples.copy(), noise.copy()), np.mean(samples**2) / np.mean(noise**2)
        said = f"noisy(samples, noise, {snr})"
        with attempt(said):
            answer = np.asarray(noisy(samples, noise, snr), dtype=float)
        untouched = np.array_equal(samples, kept[0]) and np.array_equal(noise, kept[1])
        need(untouched, "you change the samples or the noise that you were given. Compute new ones.")
        need(answer.shape == samples.shape, f"{said} should give {samples.shape} numbers, not {answer.shape}.")
        added = answer - samples
        need(np.abs(added).max() > 1e-9, "no noise was added: the samples come back as they were.")
        factor = np.mean(added * noise) / np.mean(noise**2)
        whole = np.allclose(added, factor * noise, atol=1e-6)
        need(whole, "take the noise away and the samples should be left as they were. Scale the noise, not the speech.")
        right = np.sqrt(wide / 10 ** (snr / 10))
        mistakes = {
            "the noise was added as it is. Scale it first.": 1.0,
            "the sign of snr is exchanged: a large snr means little noise.": np.sqrt(wide * 10 ** (snr / 10)),
            "power is the square of the samples: multiply the noise by the square root of the ratio.": right**2,
            "10 dB are a factor of 10 in power, so divide snr by 10, not by 20.": np.sqrt(wide / 10 ** (snr / 20)),
            "decibels are powers of ten, not of e: 10 ** (snr / 10).": np.sqrt(wide / np.exp(snr / 10)),
            "the scale ignores how loud the noise is. Divide by its power.": right * np.sqrt(np.mean(noise**2)),
            "the scale ignores how loud the speech is. Use its power.": right / np.sqrt(np.mean(samples**2)),
            "the noise is subtracted. Add it.": -right,
        }
        for sentence, wrong in mistakes.items():
            need(abs(factor - wrong) > 1e-6 * abs(wrong), sentence)
        found = 10 * np.log10(wide / factor**2)
        need(abs(found - snr) < 0.01, f"{said}: the speech is {found:.1f} dB above the noise, and should be {snr}.")
