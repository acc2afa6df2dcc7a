"""One quantity against another: epochs, iterations, learning rate, size, distance in time."""

import matplotlib.pyplot as plt
import numpy as np

from .canvas import MARKERS, WHITE, axes, legend_above, share_line


def training_curves(runs, figure=None):
    """Loss and accuracy over the epochs, on training and validation clips; a ring marks the epoch kept. Gives a figure.

    `runs` is a Run, a list of them or a dict from name to Run; instead of a Run also its history: a DataFrame, or a
    list with a dict per epoch.
    """
    figure = figure or plt.figure(figsize=(8, 3.2))
    loss, accuracy = figure.subplots(1, 2)
    named = _named(runs)
    for number, (name, (history, best)) in enumerate(named.items()):
        alone = len(named) == 1
        epochs = [row["epoch"] for row in history]
        for part, style, marker in (("train", "--", "o"), ("validation", "-", "s")):
            look = {"linestyle": style, "marker": marker, "label": part if alone else f"{name}: {part}"}
            look["color"] = f"C{int(part == 'validation') if alone else number % 10}"
            look["markersize"] = 4 if len(epochs) <= 25 else 0  # many marks would hide the line
            loss.plot(epochs, [row[f"{part}_loss"] for row in history], **look)
            accuracy.plot(epochs, [100 * row[f"{part}_accuracy"] for row in history], **look)
        if best:
            height = 100 * history[best - 1]["validation_accuracy"]
            accuracy.plot(best, height, "o", markersize=11, markerfacecolor="none", markeredgecolor="black")
    last = max([row["epoch"] for history, _ in named.values() for row in history], default=1)
    for ax, label in ((loss, "loss (nats)"), (accuracy, "accuracy (%)")):
        ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, last + 0.5))
        ax.xaxis.get_major_locator().set_params(integer=True)
    loss.set_ylim(bottom=0)
    if any(history for history, _ in named.values()):
        figure.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _named(runs):
    """{name: (history as a list of dicts, best epoch or 0)}"""
    if isinstance(runs, list | tuple) and runs and not isinstance(runs[0], dict):
        runs = {f"{run.experiment.model} seed {run.experiment.seed}": run for run in runs}
    out = {}
    for name, run in (runs if isinstance(runs, dict) else {"": runs}).items():
        history = getattr(run, "history", run)
        best = run.record["best_epoch"] if hasattr(run, "record") else 0
        out[name] = (history if isinstance(history, list) else history.to_dict("records"), best)
    return out


def over_iterations(runs, ax=None, *, marks=None, chance=None):
    """Validation accuracy against training iterations (logarithmic), a line for each of a dict of runs.

    `marks` maps names to numbers of iterations to point at.
    """
    ax = axes(ax, (8, 3.6))
    for number, (name, run) in enumerate(runs.items()):
        per_epoch = -(-run.record["clips"]["train"] // run.experiment.recipe.batch)
        look = {"marker": MARKERS[number % 5], "markersize": 4, "color": f"C{number}", "label": name}
        ax.plot(per_epoch * run.history.epoch, 100 * run.history.validation_accuracy, **look)
    for name, iterations in (marks or {}).items():
        ax.axvline(iterations, linestyle="--", color="0.3", linewidth=1.5)
        look = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "rotation": 90}
        ax.annotate(name, (iterations, 0.97), (-4, 0), ha="right", va="top", **look)
    share_line(ax.axhline, "chance", chance)
    ax.set(xlabel="iterations (batches trained on)", ylabel="validation accuracy (%)", xscale="log", ylim=(0, 102))
    return legend_above(ax, 2)


def sizes(table, ax=None, *, chance=None):
    """Accuracy against the number of parameters (logarithmic), a line per column.

    `table` has a row per network: `parameters`, and a column of shares per way to test. NaN: not measured.
    """
    ax = axes(ax, (8, 4))
    table = table.sort_values("parameters").astype(float)
    percent = 100 * table.drop(columns="parameters")
    for number, name in enumerate(percent):
        known = percent[name].dropna()
        look = {"marker": MARKERS[number % 5], "color": f"C{number}", "markersize": 7, "label": str(name)}
        ax.plot(table.parameters[known.index], known, **look)
    look = {"textcoords": "offset points", "ha": "center", "fontsize": 10, "bbox": WHITE}
    for place, (name, top) in enumerate(percent.max(axis=1).items()):
        above = 9 + 13 * (place % 2)  # names in two heights, so that neighbours stay apart
        ax.annotate(name, (table.parameters[name], top), (0, above), **look)
    share_line(ax.axhline, "chance", chance)
    ax.set(xscale="log", xlabel="parameters", ylabel="accuracy (%)", ylim=(0, 119), yticks=range(0, 101, 20))
    ax.margins(x=0.12)
    return legend_above(ax)


def rate_range(table, ax=None, *, marks=None):
    """Loss against the learning rate of a range test (`lr_finder.rate_range`); `marks` maps names to rates."""
    ax = axes(ax, (8, 3.2))
    ax.plot(table.rate, table.loss, color="C0", alpha=0.3, linewidth=1, label="one batch")
    ax.plot(table.rate, table.smooth, color="C0", linewidth=2, label="running mean")
    for number, (name, rate) in enumerate((marks or {}).items()):
        ax.axvline(rate, color=f"C{number + 1}", linestyle=("--", ":", "-.")[number % 3], label=f"{name}: {rate:.2g}")
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss (nats)", ylim=(0, 2.2 * table.smooth.iloc[0]))
    return legend_above(ax)


def gradients(curves, ax=None, *, share=1e-3, floor=1e-12):
    """Gradient norm against distance in time, each curve relative to its largest value, down to `floor`.

    `curves` maps a name to (norms by distance in frames, hop in ms), see `gradients.gradient_norms`; at `share` is a
    line: below it a frame counts as unheard.
    """
    ax = axes(ax, (7, 3.4))
    for number, (name, (norms, hop_ms)) in enumerate(curves.items()):
        norms = norms[~norms.isnan()]
        relative = (norms / norms.max()).clamp(min=floor / 10)
        style = ("-", "--", "-.", ":")[number % 4]
        ax.plot(hop_ms * np.arange(len(norms)), relative, style, color=f"C{number}", linewidth=2, label=name)
    ax.axhline(share, color="0.3", linewidth=1)
    look = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    ax.annotate(f"{share:g}", (1, share), (3, 0), **look)
    ax.set(xlabel="distance from the last frame (ms)", ylabel="gradient norm (relative)")
    ax.set(yscale="log", ylim=(floor, 3))
    ax.set_xlim(left=0)
    return legend_above(ax, 3)
