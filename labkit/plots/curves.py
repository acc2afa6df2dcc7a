"""One quantity against another: epochs, iterations, learning rate, size, whatever a table holds."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from .canvas import RING, fraction_line, legend_above, mark

DRAWN = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")  # of a history


def training_curves(runs, figure=None):
    """Loss and accuracy over the epochs, on training and validation clips; a ring marks the epoch kept. Gives a figure.

    `runs` is a Run or a dict of Runs by name; a history (a DataFrame, or a list with a dict per epoch) does as well.
    """
    figure = figure or plt.figure(figsize=(8, 3.2))
    loss, accuracy = figure.subplots(1, 2)
    named, last = runs if isinstance(runs, dict) else {"": runs}, 0
    alone = len(named) == 1
    for number, (name, run) in enumerate(named.items()):
        history = pd.DataFrame(getattr(run, "history", run), columns=DRAWN)
        last = max(last, len(history))
        for part, style, marker in (("train", "--", "o"), ("validation", "-", "s")):
            look = {"linestyle": style, "marker": marker, "label": part if alone else f"{name}: {part}"}
            look["color"] = f"C{int(part == 'validation') if alone else number % 10}"
            look["markersize"] = 4 if len(history) <= 25 else 0  # many marks would hide the line
            loss.plot(history.epoch, history[f"{part}_loss"], **look)
            accuracy.plot(history.epoch, 100 * history[f"{part}_accuracy"], **look)
        if hasattr(run, "record"):
            best = run.record["best_epoch"]
            accuracy.plot(best, 100 * history.validation_accuracy.iloc[best - 1], "o", **RING)
    for ax, label in ((loss, "loss (nats)"), (accuracy, "accuracy (%)")):
        ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, max(last, 1) + 0.5))
        ax.xaxis.get_major_locator().set_params(integer=True)
    loss.set_ylim(bottom=0)
    if last:
        figure.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def against(table, x, group, ax=None, *, chance=None, joined=True):
    """Accuracy against the column `x` of a table, a line or, not `joined`, marks for each name in the column `group`.

    It has `mean`, and where they are known `low`, `high` (the interval) and `seeds`: a mark of one seed is hollow.
    """
    ax = ax or plt.figure(figsize=(8, 3.8)).subplots()
    for number, (name, rows) in enumerate(table.groupby(group, sort=False)):
        rows = rows.sort_values(x)
        if "low" in rows:
            ax.vlines(rows[x], 100 * rows.low, 100 * rows.high, color=f"C{number}", linewidth=1.5, alpha=0.5)
        look = mark(number, name, 7)
        (line,) = ax.plot(rows[x], 100 * rows["mean"], linestyle="-" if joined else "", **look)
        if "seeds" in rows:
            line.set_markevery(list(np.flatnonzero(rows.seeds > 1)))
            once = rows[rows.seeds == 1]
            ax.plot(once[x], 100 * once["mean"], **look | {"label": ""}, linestyle="", markerfacecolor="white")
    fraction_line(ax.axhline, "chance", chance)
    ax.set(ylabel="accuracy (%)", ylim=(0, 102))
    return legend_above(ax)
