"""Who is better, and how sure that is: dots with their intervals, a row for each network, change or voice.

Tables hold shares between 0 and 1 and are drawn in percent; names stand in the index.
"""

import numpy as np

from .canvas import MARKERS, WHITE, axes, legend_above, share_line


def accuracies(table, ax=None, *, chance=None, majority=None, guess=None):
    """Accuracies with their intervals, beside chance, the most frequent class and the student's guess.

    `table` has the columns `mean`, `low` and `high`, as `metrics.speaker_interval` returns them; `low` and `high` may
    be missing.
    """
    ax = axes(ax, (8, 1.4 + 0.42 * len(table)))
    _dots(ax, table, np.full(len(table), True), color="C0")
    marks = ("chance", chance, ":", "0.3"), ("most frequent class", majority, "--", "0.3"), ("guess", guess, "-.", "C1")
    for name, share, style, colour in marks:
        if share is not None:
            ax.axvline(100 * share, linestyle=style, color=colour, label=f"{name}: {100 * share:.1f}%", linewidth=1.5)
    _written(ax, table, [f"{100 * mean:.1f}%" for mean in table["mean"]])
    ax.set(xlabel="accuracy (%)", xlim=(0, 102))
    return legend_above(ax, 3) if ax.get_legend_handles_labels()[0] else ax


def effects(table, ax=None, *, guess=()):
    """What each change does to the accuracy, with its interval; grey where that includes zero.

    `table` has the columns `mean`, `low` and `high`; `guess` are the names that the student pointed at.
    """
    ax = axes(ax, (8, 1.2 + 0.4 * len(table)))
    ax.axvline(0, color="0.3", linewidth=1)
    clear = ((table.low > 0) | (table.high < 0)).to_numpy()
    _dots(ax, table, clear, color="C0", label="differs from zero")
    _dots(ax, table, ~clear, marker="D", color="0.5", label="no difference shown")
    guessed = ["  (your guess)" if name in set(guess) else "" for name in table.index]
    _written(ax, table, [f"{100 * mean:+.1f}{more}" for mean, more in zip(table["mean"], guessed, strict=True)])
    ax.set(xlabel="change in accuracy (points)")
    ax.margins(x=0.08)
    return legend_above(ax, 2)


def _dots(ax, table, chosen, marker="o", color=None, label=None):
    """A dot in each of the chosen rows, the first on top, and a line from `low` to `high`."""
    places, percent = np.arange(len(table))[::-1][chosen], 100 * table[chosen]
    if {"low", "high"} <= set(table.columns):
        ax.hlines(places, percent.low, percent.high, color=color, linewidth=2)
    ax.plot(percent["mean"], places, marker, color=color, markersize=8, label=label)


def _written(ax, table, words):
    """A name beside each row and words above each dot."""
    places = np.arange(len(table))[::-1]
    look = {"textcoords": "offset points", "ha": "center", "fontsize": 10, "bbox": WHITE}
    for place, mean, text in zip(places, table["mean"], words, strict=True):
        ax.annotate(text, (100 * mean, place), (0, 8), **look)
    ax.set_yticks(places, table.index.astype(str))
    ax.set_ylim(-0.6, len(table) - 0.2)


def by_voice(table, ax=None, *, chance=None):
    """Accuracy on each voice, a mark per column (a way to test): the line shows by how much the columns differ."""
    ax = axes(ax, (8, 1.3 + 0.42 * len(table)))
    places = np.arange(len(table))[::-1]
    percent = 100 * table.astype(float)
    lowest = percent.min(axis=1)
    ax.hlines(places, lowest, percent.max(axis=1), color="0.7", linewidth=2, zorder=1)
    for number, name in enumerate(table):
        ax.plot(percent[name], places, MARKERS[number % 5], color=f"C{number}", markersize=8, label=str(name))
    for place, value in zip(places, lowest, strict=True):
        ax.annotate(f"{value:.0f}", (value, place), (-9, 0), textcoords="offset points", ha="right", va="center")
    share_line(ax.axvline, "chance", chance)
    ax.set_yticks(places, table.index.astype(str))
    ax.set(xlabel="accuracy (%)", xlim=(0, 102), ylim=(-0.6, len(table) - 0.4))
    return legend_above(ax)


def ranking(values, ax=None, *, groups=None, marked=(), unit=""):
    """A dot for each word (or speaker, or model), least first: `values` is a Series by name, in `unit`.

    `groups` maps a name to the group that gives its dot colour and shape; `marked` are the names that were guessed.
    """
    values = values.sort_values()
    ax = axes(ax, (max(4, 1.6 + 0.23 * len(values)), 3.6))
    places, of = np.arange(len(values)), values.index.map(groups or dict.fromkeys(values.index, ""))
    for number, group in enumerate(dict.fromkeys(groups.values()) if groups else [""]):
        look = {"color": f"C{number}", "markersize": 8, "label": group or None}
        ax.plot(places[of == group], values[of == group], MARKERS[number % 5], **look)
    ax.vlines(places, values.min(), values, color="0.85", linewidth=1, zorder=0)
    look = {"textcoords": "offset points", "rotation": 90, "ha": "center", "size": 10}
    for place in places[values.index.isin(list(marked))]:
        ax.annotate("guess", (place, values.iloc[place]), (0, 9), **look)
    ax.set_xticks(places, values.index.astype(str), rotation=90 if len(values) > 8 else 0)
    ax.set(ylabel=unit, xlim=(-0.7, len(values) - 0.3))
    ax.margins(y=0.18)
    return legend_above(ax, handletextpad=0.2) if groups else ax
