"""Drawings of a corpus: how many clips of what, by whom, how long. `clips` is its table."""

import matplotlib.pyplot as plt
import numpy as np

from ..data.corpus import PARTS
from .canvas import legend_above


def durations(clips, ax=None):
    """How long the clips are, a line per part; logarithmic, so that rare lengths are seen too."""
    ax = ax or plt.figure(figsize=(4.5, 3)).subplots()
    longest = max(clips.seconds.max(), 0.1)
    for part, style in zip(PARTS, ("-", "--", ":"), strict=True):
        own = clips.seconds[clips.split == part]
        ax.hist(own, 25, range=(0, longest), histtype="step", linestyle=style, linewidth=1.8, label=part)
    ax.set(xlabel="duration (s)", ylabel="clips", yscale="log", xlim=(0, longest * 1.03))
    return legend_above(ax)


def clips_per_speaker(clips, ax=None, *, guess=None):
    """How many speakers gave how many clips, part by part; a line where the student guessed."""
    ax = ax or plt.figure(figsize=(4.5, 3)).subplots()
    given = clips.groupby(["split", "speaker"], observed=True).size()
    step = -(-given.max() // 30)  # clips to a bar
    edges = np.arange(0.5, given.max() + step + 0.5, step)
    ax.hist([given.get(part, []) for part in PARTS], edges, stacked=True, label=PARTS)
    if guess is not None:
        ax.axvline(guess, color="black", linestyle="--", label=f"your guess: {guess:,}")
    ax.set(xlabel="clips of one speaker", ylabel="speakers", xlim=(0, None))
    return legend_above(ax)
