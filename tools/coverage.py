"""How often the lab's intervals hold the truth: `python -m tools.coverage` prints the table of docs/RESULTS.md.

Networks, people and their clips are drawn, so that the truth is known: the chance that a clip is named right is
logistic in the sum of a speaker's effect, a seed's and one that both have to themselves, all normal. Clips are right
or wrong. People say unequal numbers of clips, as in Speech Commands, where the standard deviation is about the mean.
"""

from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from labkit.metrics import bounds

SEEDS, SPEAKERS, ACCURACIES = (3, 5, 10), (6, 24, 126), (0.6, 0.9, 0.97)
# Standard deviations in logits. Between seeds the records on real speech show 0.09 (the median) and at most 0.66.
SPEAKER, SEED, BOTH = 0.8, 0.2, 0.4
OWN = 0.5  # of a speaker's effect, what another network does not share: std as a fraction of SPEAKER
CLIPS, SPREAD = 15, 0.8  # a speaker: mean number, std of its logarithm
POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)  # for means over a normal distribution


def simulate(accuracy, speakers, seeds, draws=2000, seed_std=SEED, rng=None):
    """Numbers of clips (draws, 1, speakers), and how many of them two equal configurations name right.

    `seeds` has a number for each side; the answers of a side are (draws, seeds, speakers).
    """
    rng = rng or np.random.default_rng([int(1000 * accuracy), speakers, *seeds])
    clips = rng.lognormal(np.log(CLIPS) - SPREAD**2 / 2, SPREAD, (draws, 1, speakers)).round().clip(1).astype(int)
    total = np.sqrt(SPEAKER**2 + seed_std**2 + BOTH**2)
    middle = brentq(lambda at: WEIGHTS @ expit(at + total * POINTS) / WEIGHTS.sum() - accuracy, -20, 20)
    shared, sides = rng.normal(size=(draws, 1, speakers)), []
    for number in seeds:
        speaker = np.sqrt(1 - OWN**2) * shared + OWN * rng.normal(size=(draws, 1, speakers))
        seed, both = rng.normal(size=(draws, number, 1)), rng.normal(size=(draws, number, speakers))
        chance = expit(middle + SPEAKER * speaker + seed_std * seed + BOTH * both)
        sides.append(rng.binomial(clips, chance))
    return clips, sides


def ends(clips, sides):
    """Mean, low and high of each draw, as `metrics.interval` has them of its tables; of a difference for two sides."""
    shares = clips[:, 0] / clips.sum(-1)
    signs = (1, -1)[: len(sides)]
    seeds = [sign * side.sum(-1) / clips.sum(-1) for sign, side in zip(signs, sides, strict=True)]
    mean = sum(one.mean(-1) for one in seeds)
    right = sum(sign * side.mean(1) for sign, side in zip(signs, sides, strict=True))  # (draws, speakers), in clips
    moved = (right / clips.sum(-1) - mean[:, None] * shares) / np.sqrt(1 - shares)
    return mean, *bounds(mean, moved, shares, seeds, len(sides) == 2)


def row(accuracy, speakers, seeds, draws=2000, seed_std=SEED):
    """How many intervals of an accuracy hold the truth; how many of a difference show one; the mean widths of both."""
    clips, sides = simulate(accuracy, speakers, (seeds, seeds), draws, seed_std)
    _, low, high = ends(clips, sides[:1])
    _, below, above = ends(clips, sides)
    return {
        "accuracy": accuracy,
        "seeds": seeds,
        "speakers": speakers,
        "coverage": ((low <= accuracy) & (accuracy <= high)).mean(),
        "width": (high - low).mean(),
        "false alarms": ((below > 0) | (above < 0)).mean(),
        "width of difference": (above - below).mean(),
    }


def rows(draws=2000, seed_std=SEED):
    """A row for each accuracy, number of seeds and number of speakers."""
    designs = product(ACCURACIES, SEEDS, SPEAKERS)
    return [row(accuracy, speakers, seeds, draws, seed_std) for accuracy, seeds, speakers in designs]


def main():
    print("| accuracy | seeds | speakers | coverage | mean width | false alarms | mean width of a difference |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for one in rows(draws=4000):
        shown = [f"{100 * one['accuracy']:.0f}%", str(one["seeds"]), str(one["speakers"])]
        shown += [f"{100 * one['coverage']:.1f}%", f"{100 * one['width']:.1f}"]
        shown += [f"{100 * one['false alarms']:.1f}%", f"{100 * one['width of difference']:.1f}"]
        print(f"| {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
