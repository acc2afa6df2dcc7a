"""Who is better, and how sure that is: dots with their intervals, a row for each network, change or voice.

Tables hold shares between 0 and 1 and are drawn in percent; names stand in the index, the first on top.
"""

import numpy as np

from .canvas import WHITE, axes, legend_above, mark, note, share_line


def accuracies(table, ax=None, *, chance=None, majority=None, guess=None):
    """Accuracies (`mean`) with their intervals (`low` to `high`, if known), beside chance and the student's guess."""
    ax = axes(ax, (8, 1.4 + 0.42 * len(table)))
    _dots(ax, table, color="C0")
    marks = ("chance", chance, ":", "0.3"), ("most frequent class", majority, "--", "0.3"), ("guess", guess, "-.", "C1")
    for name, share, style, colour in marks:
        if share is not None:
            ax.axvline(100 * share, linestyle=style, color=colour, label=f"{name}: {100 * share:.1f}%", linewidth=1.5)
    _written(ax, table, [f"{100 * mean:.1f}%" for mean in table["mean"]])
    ax.set(xlabel="accuracy (%)", xlim=(0, 102))
    return legend_above(ax, 3) if ax.get_legend_handles_labels()[0] else ax


def effects(table, ax=None, *, guess=()):
    """Changes of the accuracy (`mean`, `low`, `high`), grey where the interval includes zero; `guess` holds names."""
    ax = axes(ax, (8, 1.2 + 0.4 * len(table)))
    ax.axvline(0, color="0.3", linewidth=1)
    clear = ((table.low > 0) | (table.high < 0)).to_numpy()
    _dots(ax, table, clear, color="C0", label="differs from zero")
    _dots(ax, table, ~clear, "D", color="0.5", label="no difference shown")
    guessed = ["  (your guess)" if name in set(guess) else "" for name in table.index]
    _written(ax, table, [f"{100 * mean:+.1f}{more}" for mean, more in zip(table["mean"], guessed, strict=True)])
    ax.set(xlabel="change in accuracy (points)")
    ax.margins(x=0.08)
    return legend_above(ax, 2)


def _rows(table):
    return np.arange(len(table))[::-1]


def _dots(ax, table, chosen=slice(None), marker="o", color=None, label=None):
    """A dot in each of the chosen rows, and a line from `low` to `high`."""
    rows, percent = _rows(table)[chosen], 100 * table[chosen]
    if {"low", "high"} <= set(table.columns):
        ax.hlines(rows, percent.low, percent.high, color=color, linewidth=2)
    ax.plot(percent["mean"], rows, marker, color=color, markersize=8, label=label)


def _written(ax, table, words):
    """A name beside each row and words above each dot."""
    for row, mean, text in zip(_rows(table), table["mean"], words, strict=True):
        note(ax, text, (100 * mean, row), (0, 8), fontsize=10, bbox=WHITE)
    ax.set_yticks(_rows(table), table.index.astype(str))
    ax.set_ylim(-0.6, len(table) - 0.2)


def by_voice(table, ax=None, *, chance=None):
    """Accuracy on each voice, a mark per column (a way to test): the line shows by how much the columns differ."""
    ax = axes(ax, (8, 1.3 + 0.42 * len(table)))
    percent = 100 * table.astype(float)
    lowest = percent.min(axis=1)
    ax.hlines(_rows(table), lowest, percent.max(axis=1), color="0.7", linewidth=2, zorder=1)
    for number, name in enumerate(table):
        ax.plot(percent[name], _rows(table), linestyle="", **mark(number, str(name), 8))
    for row, value in zip(_rows(table), lowest, strict=True):
        note(ax, f"{value:.0f}", (value, row), (-9, 0), "right", va="center")
    share_line(ax.axvline, "chance", chance)
    ax.set_yticks(_rows(table), table.index.astype(str))
    ax.set(xlabel="accuracy (%)", xlim=(0, 102), ylim=(-0.6, len(table) - 0.4))
    return legend_above(ax)


def ranking(values, ax=None, *, groups=None, marked=(), unit=""):
    """A dot for each name in a Series, least first; its group gives it colour and shape, `marked` were guessed."""
    values = values.sort_values()
    ax = axes(ax, (max(4, 1.6 + 0.23 * len(values)), 3.6))
    places, group_of = np.arange(len(values)), values.index.map(groups or dict.fromkeys(values.index, ""))
    for number, group in enumerate(dict.fromkeys(groups.values()) if groups else [""]):
        chosen = group_of == group
        ax.plot(places[chosen], values[chosen], linestyle="", **mark(number, group or None, 8))
    ax.vlines(places, values.min(), values, color="0.85", linewidth=1, zorder=0)
    for place in places[values.index.isin(list(marked))]:
        note(ax, "guess", (place, values.iloc[place]), (0, 9), rotation=90, size=10)
    ax.set_xticks(places, values.index.astype(str), rotation=90 if len(values) > 8 else 0)
    ax.set(ylabel=unit, xlim=(-0.7, len(values) - 0.3))
    ax.margins(y=0.18)
    return legend_above(ax, handletextpad=0.2) if groups else ax
