"""Tables as colours: what was confused, and accuracy by network and window."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn


def confusion(table, figure=None):
    """A confusion matrix, such as `Run.confusion()`, with each row in percent of its clips. Gives a figure."""
    classes = len(table)
    written = classes <= 12
    side = max(3.2, (0.62 if written else 0.235) * classes)
    figure = figure or plt.figure(figsize=(side + 1.9, side + 0.9))
    totals = table.sum(axis=1)
    percent = 100 * table.div(totals.where(totals > 0, 1), axis=0)
    look = {"annot": percent.round().astype(int), "fmt": "d", "annot_kws": {"size": 10}, "linewidths": 0.5}
    look = look if written else {}
    bar = {"label": "percent of the true class's clips", "shrink": 0.8}
    ax = figure.subplots()
    seaborn.heatmap(percent, ax=ax, cmap="cividis", vmin=0, vmax=100, square=True, cbar_kws=bar, **look)
    ax.set(xlabel="predicted", ylabel="true")
    places = np.arange(classes) + 0.5
    upright = classes > 5 or max(len(str(name)) for name in table.columns) > 8
    ax.set_xticks(places, table.columns, rotation=90 if upright else 0)
    ax.set_yticks(places, table.index, rotation=0)
    ax.tick_params(length=0)
    return figure


def heatmaps(tables, figure=None, *, unit="accuracy (%)", across="window (ms)"):
    """Tables of shares, by title, side by side: same rows, but each its own scale, for tasks differ. Gives a figure."""
    rows = len(next(iter(tables.values())))
    figure = figure or plt.figure(figsize=(3.6 * len(tables) + 0.6, 0.42 * rows + 1.7))
    panels = np.atleast_1d(figure.subplots(1, len(tables)))
    bar = {"location": "bottom", "label": unit, "shrink": 0.8}
    look = {"annot": True, "fmt": ".1f", "annot_kws": {"size": 10}, "cmap": "cividis", "linewidths": 0.5}
    for number, (ax, (title, table)) in enumerate(zip(panels, tables.items(), strict=True)):
        seaborn.heatmap(100 * table.astype(float), ax=ax, cbar_kws=bar, yticklabels=not number, **look)
        ax.set(xlabel=across, ylabel="", title=title)
        ax.tick_params(length=0)
        ax.set_xticklabels([f"{column:g}" for column in table.columns], rotation=0)
    panels[0].set_yticklabels(table.index, rotation=0)
    return figure
