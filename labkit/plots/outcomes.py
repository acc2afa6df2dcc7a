"""What came out: accuracies with their intervals, a row for each network, change or voice; what was confused.

Tables hold fractions between 0 and 1 and are drawn in percent; names stand in the index, the first on top.
"""

import matplotlib.pyplot as plt
import numpy as np
import seaborn

from ..metrics import by_chance
from .canvas import WHITE, fraction_line, legend_above, mark, note


def accuracies(table, ax=None, *, chance=None, majority=None, guess=None):
    """Accuracies (`mean`) with their intervals (`low` to `high`, if known), beside chance and the student's guess."""
    ax = ax or plt.figure(figsize=(8, 1.4 + 0.42 * len(table))).subplots()
    _dots(ax, _rows(ax, table), table, [f"{100 * mean:.1f}%" for mean in table["mean"]])
    fraction_line(ax.axvline, "chance", chance)
    fraction_line(ax.axvline, "most frequent class", majority, "--")
    fraction_line(ax.axvline, "guess", guess, "-.", "C1")
    ax.set(xlabel=f"{_metric(table)} (%)", xlim=(0, 102))
    return legend_above(ax, 3) if ax.get_legend_handles_labels()[0] else ax


def effects(table, ax=None, *, guess=()):
    """Changes of the accuracy (`mean`, `low`, `high`), grey where the interval includes zero; `guess` holds names."""
    ax = ax or plt.figure(figsize=(8, 1.5 + 0.4 * len(table))).subplots()
    ax.axvline(0, color="0.3", linewidth=1)
    rows, clear = _rows(ax, table), ((table.low > 0) | (table.high < 0)).to_numpy()
    guessed = np.where(table.index.isin(list(guess)), "  (your guess)", "")
    words = (100 * table["mean"]).map("{:+.1f}".format) + guessed
    label = "differs from zero" + (" (one seed)" if "seeds" in table and table.seeds.min() == 1 else "")
    _dots(ax, rows[clear], table[clear], words[clear], label=label)
    _dots(ax, rows[~clear], table[~clear], words[~clear], "D", "0.5", "no difference shown")
    ax.set(xlabel=f"change in {_metric(table)} (points)\n" + by_chance(len(table)).replace("would", "\nwould"))
    ax.margins(x=0.08)
    return legend_above(ax, 2)


def by_voice(table, *, chance):
    """Accuracy on each voice, a mark per column (a way to test): the line shows by how much the columns differ."""
    ax = plt.figure(figsize=(8, 1.3 + 0.42 * len(table))).subplots()
    percent, rows = 100 * table.astype(float), _rows(ax, table)
    lowest = percent.min(axis=1)
    ax.hlines(rows, lowest, percent.max(axis=1), color="0.7", linewidth=2, zorder=1)
    for number, name in enumerate(table):
        ax.plot(percent[name], rows, linestyle="", **mark(number, str(name), 8))
    for row, value in zip(rows, lowest, strict=True):
        note(ax, f"{value:.0f}", (value, row), (-9, 0), "right", va="center")
    fraction_line(ax.axvline, "chance", chance)
    ax.set(xlabel="accuracy (%)", xlim=(0, 102))
    return legend_above(ax)


def _metric(table):
    """What a table of intervals holds, in words."""
    return table.metric.iloc[0].replace("_", " ") if "metric" in table else "accuracy"


def _rows(ax, table):
    """Where the rows of a table are drawn, each beside its name."""
    rows = np.arange(len(table))[::-1]
    ax.set_yticks(rows, table.index.astype(str))
    ax.set_ylim(-0.6, len(table) - 0.2)
    return rows


def _dots(ax, rows, table, words, marker="o", color="C0", label=None):
    """A dot in each row with words above it, and a line from `low` to `high`."""
    table = table.infer_objects()  # a table that was turned has none but objects
    if "low" in table and "high" in table:
        ax.hlines(rows, 100 * table.low, 100 * table.high, color=color, linewidth=2)
    ax.plot(100 * table["mean"], rows, marker, color=color, markersize=8, label=label)
    for row, mean, text in zip(rows, table["mean"], words, strict=True):
        note(ax, text, (100 * mean, row), (0, 8), fontsize=10, bbox=WHITE)


def ranking(values, *, groups, marked, unit):
    """A dot for each name in a Series, least first; its group gives it colour and shape, `marked` were guessed."""
    values = values.sort_values()
    ax = plt.figure(figsize=(max(4, 1.6 + 0.23 * len(values)), 3.6)).subplots()
    places, group_of = np.arange(len(values)), values.index.map(groups)
    for number, group in enumerate(dict.fromkeys(groups.values())):
        chosen = group_of == group
        ax.plot(places[chosen], values[chosen], linestyle="", **mark(number, group, 8))
    ax.vlines(places, values.min(), values, color="0.85", linewidth=1, zorder=0)
    for place in places[values.index.isin(list(marked))]:
        note(ax, "guess", (place, values.iloc[place]), (0, 9), rotation=90, size=10)
    ax.set_xticks(places, values.index.astype(str), rotation=90 if len(values) > 8 else 0)
    ax.set(ylabel=unit, xlim=(-0.7, len(values) - 0.3))
    ax.margins(y=0.18)
    return legend_above(ax, handletextpad=0.2)


def confusion(table, figure=None, of="clips"):
    """A confusion matrix, such as `Run.confusion()`, with each row in percent of its clips (or what `of` says)."""
    classes = len(table)
    written = classes <= 12
    side = max(3.2, (0.62 if written else 0.235) * classes)
    figure = figure or plt.figure(figsize=(side + 1.9, side + 0.9))
    totals = table.sum(axis=1)
    percent = 100 * table.div(totals.where(totals > 0, 1), axis=0)
    look = {"annot": written, "fmt": ".0f", "annot_kws": {"size": 10}, "linewidths": 0.5 if written else 0}
    look |= {"cmap": "cividis", "vmin": 0, "vmax": 100, "square": True, "xticklabels": True, "yticklabels": True}
    bar = {"label": f"percent of the true class's {of}", "shrink": 0.8}
    ax = seaborn.heatmap(percent, ax=figure.subplots(), cbar_kws=bar, **look)
    ax.set(xlabel="predicted", ylabel="true")
    ax.tick_params(length=0)
    ax.tick_params("y", rotation=0)  # seaborn turns the others where they would overlap
    return figure
