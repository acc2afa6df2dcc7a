"""Drawings of a corpus: how many clips of what, by whom, how long. `clips` is its table."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn

from ..data.corpus import PARTS
from .canvas import legend_above

AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")


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


def crosstab(clips, rows="area", columns="age"):
    """Clips of each pair of values, such as accent and age (darker: more clips), and their speakers in brackets."""
    named = clips.assign(**{name: clips[name].where(clips[name] != "", "not given") for name in (rows, columns)})
    groups = named.groupby([rows, columns], observed=True).speaker
    found = sorted(named[columns].unique(), key=lambda name: (AGES.index(name) if name in AGES else len(AGES), name))
    counts, speakers = (groups.agg(how).unstack(fill_value=0)[found] for how in ("size", "nunique"))
    written = (counts.map("{:,}".format) + speakers.map("\n({})".format)).where(counts > 0, "")
    ax = plt.figure(figsize=(2.6 + 1.05 * counts.shape[1], 1.2 + 0.55 * counts.shape[0])).subplots()
    look = {"cmap": "cividis_r", "annot_kws": {"size": 9}, "cbar_kws": {"label": "clips"}}
    seaborn.heatmap(counts, ax=ax, vmin=0, annot=written, fmt="", **look)
    ax.set(xlabel=columns, ylabel="")
    ax.tick_params(length=0, rotation=0)
    return ax


def largest_cell(clips, columns=("area", "age")):
    """The pair of values that most clips share, its share of all clips, and the number of speakers behind it."""
    groups = clips.groupby(list(columns), observed=True)
    values = groups.size().idxmax()
    return values, groups.size().max() / len(clips), groups.speaker.nunique()[values]
