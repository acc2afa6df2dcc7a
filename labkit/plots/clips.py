"""Pictures of a corpus: how many clips of what, by whom, how long."""

import numpy as np

from ..data.corpus import PARTS
from .sound import axes


def counts(clips, by="label", ax=None, *, guess=None):
    """Number of clips of each word (or of any column), part by part.

    Parameters
    ----------
    clips : pandas.DataFrame
        Table of a corpus.
    by : str
        Column to count.
    ax : matplotlib.axes.Axes, optional
    guess : float, optional
        What the student expected for each bar: drawn as a line.

    Returns
    -------
    matplotlib.axes.Axes
    """
    table = clips.groupby([by, "split"], observed=True).size().unstack(fill_value=0)
    table = table.reindex(columns=[part for part in PARTS if part in table])
    ax = axes(ax, (max(4, 1.6 + 0.24 * len(table)), 3.6))
    below = np.zeros(len(table))
    for part in table:
        ax.bar(np.arange(len(table)), table[part], 0.8, below, label=part, color=_colour(part))
        below += table[part].values
    if guess is not None:
        ax.axhline(guess, color="black", linestyle="--", label=f"your guess: {guess:,}")
    ax.set_xticks(np.arange(len(table)), table.index.astype(str), rotation=90 if len(table) > 8 else 0)
    ax.set(
        xlabel="" if by == "label" else by,
        ylabel="clips",
        xlim=(-0.6, len(table) - 0.4),
        ylim=(0, 1.02 * max(below.max(), guess or 0)),
    )
    return _legend_above(ax)


def durations(clips, ax=None):
    """How long the clips are, a line per part; logarithmic, so that rare lengths are seen too."""
    ax = axes(ax, (4.5, 3))
    longest = max(float(clips.seconds.max()), 0.1)
    edges = np.linspace(0, longest * 1.0001, 26)
    for part, style in zip(PARTS, ("-", "--", ":"), strict=True):
        seconds = clips.seconds[clips.split == part]
        ax.hist(seconds, edges, histtype="step", linestyle=style, linewidth=1.8, label=part)
    ax.set(xlabel="duration (s)", ylabel="clips", yscale="log", xlim=(0, longest * 1.03))
    return _legend_above(ax)


def clips_per_speaker(clips, ax=None, *, guess=None):
    """How many speakers gave how many clips, part by part.

    Parameters
    ----------
    clips : pandas.DataFrame
    ax : matplotlib.axes.Axes, optional
    guess : float, optional
        What the student expected: drawn as a line.
    """
    ax = axes(ax, (4.5, 3))
    given = clips.groupby(["speaker", "split"], observed=True).size().rename("clips").reset_index()
    most = given.clips.max()
    step = max(1, int(np.ceil(most / 30)))
    _stacked(ax, given, "clips", np.arange(0.5, most + step + 0.5, step))
    if guess is not None:
        ax.axvline(guess, color="black", linestyle="--", label=f"your guess: {guess:,}")
    ax.set(xlabel="clips of one speaker", ylabel="speakers", xlim=(0, max(1.03 * (most + step), 1.05 * (guess or 0))))
    return _legend_above(ax)


def _stacked(ax, table, column, edges):
    parts = [part for part in PARTS if (table.split == part).any()]
    values = [table[column][table.split == part] for part in parts]
    ax.hist(values, edges, stacked=True, label=parts, color=[_colour(part) for part in parts])


def _colour(part):
    return f"C{PARTS.index(part)}"


def _legend_above(ax):
    """The legend outside the axes, where it hides nothing."""
    columns = 4 if ax.figure.get_figwidth() * ax.get_position().width > 4.5 else 2
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, handlelength=1.2, columnspacing=1
    )
    return ax
