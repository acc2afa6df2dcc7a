"""Pictures of results: how a training went, what was confused, who is better and how sure that is."""

import numpy as np

from .sound import axes


def training_curves(runs, figure=None):
    """Loss and accuracy over the epochs, on training and validation clips; a ring marks the epoch that was kept.

    Parameters
    ----------
    runs : Run, or dict from name to Run, or list of Run
        Instead of a Run also its history: a DataFrame, or a list with a dict per epoch.
    figure : matplotlib.figure.Figure, optional
        An empty one to draw on.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    figure = figure or plt.figure(figsize=(8, 3.2))
    loss, accuracy = figure.subplots(1, 2)
    named = _named(runs)
    for number, (name, (history, best)) in enumerate(named.items()):
        colour = f"C{number % 10}"
        prefix = f"{name}: " if len(named) > 1 else ""
        epochs = [row["epoch"] for row in history]
        size = 4 if len(epochs) <= 25 else 0  # many marks would hide the line
        for part, style, marker in (("train", "--", "o"), ("validation", "-", "s")):
            look = {"color": colour, "linestyle": style, "marker": marker, "markersize": size, "label": prefix + part}
            if len(named) == 1:
                look["color"] = "C1" if part == "validation" else "C0"
            loss.plot(epochs, [row[f"{part}_loss"] for row in history], **look)
            accuracy.plot(epochs, [100 * row[f"{part}_accuracy"] for row in history], **look)
        if best:
            height = 100 * history[best - 1]["validation_accuracy"]
            accuracy.plot(best, height, "o", markersize=11, markerfacecolor="none", markeredgecolor="black")
    loss.set(xlabel="epoch", ylabel="loss (nats)")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    last = max([row["epoch"] for history, _ in named.values() for row in history], default=1)
    for ax in (loss, accuracy):
        ax.set_xlim(0.5, last + 0.5)
        ax.xaxis.get_major_locator().set_params(integer=True)
    loss.set_ylim(bottom=0)
    if any(history for history, _ in named.values()):
        handles, names = loss.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure


def _named(runs):
    """{name: (history as a list of dicts, best epoch or 0)}"""
    if isinstance(runs, dict):
        many = runs
    elif isinstance(runs, list | tuple) and runs and not isinstance(runs[0], dict):
        many = {f"{run.experiment.model} seed {run.experiment.seed}": run for run in runs}
    else:
        many = {"": runs}
    out = {}
    for name, run in many.items():
        best = run.record["best_epoch"] if hasattr(run, "record") else 0
        history = getattr(run, "history", run)
        out[name] = (history if isinstance(history, list) else history.to_dict("records"), best)
    return out


def confusion(table, figure=None):
    """Confusion matrix: each row in percent of its clips; the numbers are written where there is room for them.

    Parameters
    ----------
    table : pandas.DataFrame
        Clips, true labels down and predicted ones across (`Run.confusion()`).
    figure : matplotlib.figure.Figure, optional
        An empty one to draw on.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt
    import seaborn

    classes = len(table)
    written = classes <= 12
    side = max(3.2, (0.62 if written else 0.235) * classes)
    figure = figure or plt.figure(figsize=(side + 1.9, side + 0.9))
    ax = figure.subplots()
    totals = table.sum(axis=1)
    percent = 100 * table.div(totals.where(totals > 0, 1), axis=0)
    seaborn.heatmap(
        percent,
        ax=ax,
        cmap="cividis",
        vmin=0,
        vmax=100,
        square=True,
        annot=percent.round().astype(int) if written else False,
        fmt="d",
        annot_kws={"size": 10},
        linewidths=0.5 if written else 0,
        cbar_kws={"label": "percent of the true class's clips", "shrink": 0.8},
    )
    ax.set(xlabel="predicted", ylabel="true")
    positions = np.arange(classes) + 0.5
    long = max(len(str(name)) for name in table.columns) > 8
    ax.set_xticks(positions, table.columns, rotation=90 if classes > 5 or long else 0)
    ax.set_yticks(positions, table.index, rotation=0)
    ax.tick_params(length=0)
    return figure


def accuracies(table, ax=None, *, chance=None, majority=None, guess=None):
    """Accuracies as dots with their intervals, beside chance and the most frequent class.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per configuration, its name in the index; `mean`, `low` and `high` between 0 and 1 (as
        `metrics.speaker_interval` returns them). `low` and `high` may be missing.
    ax : matplotlib.axes.Axes, optional
    chance, majority, guess : float, optional
        Shares between 0 and 1: of guessing at random, of always saying the most frequent class, of the student.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 1.4 + 0.42 * len(table)))
    places = np.arange(len(table))[::-1]
    mean = 100 * table["mean"].to_numpy()
    if {"low", "high"} <= set(table.columns):
        ax.hlines(places, 100 * table["low"], 100 * table["high"], color="C0", linewidth=2)
    ax.plot(mean, places, "o", color="C0", markersize=8)
    marks = (
        ("chance", chance, ":", "0.3"),
        ("most frequent class", majority, "--", "0.3"),
        ("guess", guess, "-.", "C1"),
    )
    for name, value, style, colour in marks:
        if value is not None:
            ax.axvline(100 * value, linestyle=style, color=colour, label=f"{name}: {100 * value:.1f}%", linewidth=1.5)
    for place, value in zip(places, mean, strict=True):
        ax.annotate(
            f"{value:.1f}%",
            (value, place),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=10,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    ax.set_yticks(places, table.index.astype(str))
    ax.set(xlabel="accuracy (%)", xlim=(0, 102), ylim=(-0.6, len(table) - 0.3))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax


def ranking(values, ax=None, *, groups=None, marked=(), unit=""):
    """A dot for each word (or speaker, or model), least first.

    Parameters
    ----------
    values : pandas.Series
        Indexed by name.
    ax : matplotlib.axes.Axes, optional
    groups : dict of str to str, optional
        From name to the group that gives its dot colour and shape.
    marked : iterable of str
        Names to point at, such as the student's guess.
    unit : str
        Label of the axis.

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = values.sort_values()
    ax = axes(ax, (max(4, 1.6 + 0.23 * len(values)), 3.6))
    of = [(groups or {}).get(name, "") for name in values.index]
    places = np.arange(len(values))
    for number, group in enumerate(dict.fromkeys(groups.values()) if groups else [""]):
        mine = [name == group for name in of]
        look = {"marker": "osD^v"[number % 5], "color": f"C{number}", "label": group or None}
        ax.plot(places[mine], values[mine], linestyle="", markersize=8, **look)
    ax.vlines(places, values.min(), values, color="0.85", linewidth=1, zorder=0)
    for place in [place for place, name in zip(places, values.index, strict=True) if name in set(marked)]:
        ax.annotate(
            "guess", (place, values.iloc[place]), (0, 9), textcoords="offset points", rotation=90, ha="center", size=10
        )
    ax.set_xticks(places, values.index.astype(str), rotation=90 if len(values) > 8 else 0)
    ax.set(ylabel=unit, xlim=(-0.7, len(values) - 0.3))
    ax.margins(y=0.18)
    if groups:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2, handletextpad=0.2)
    return ax
