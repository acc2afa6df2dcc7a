"""The runs of a panel beside each other: curves, a table, a chart."""

from itertools import pairwise

import pandas as pd

from .. import plots
from ..experiments import records
from ..metrics import absent, headline, interval, verdict
from ..plots.canvas import note
from .panel import empty_figure

SHOWN = 12  # runs in the chart; the table has all
BEHIND = 5  # earlier runs whose curves are drawn


def drawn_curves(present, earlier, chance, guess, epochs):
    """Curves of a run, or of a history so far, with earlier runs in grey; an empty picture has room for `epochs`."""
    figure = empty_figure(8.5, 3.2)
    plots.training_curves(present, figure=figure)
    loss, accuracy = figure.axes
    for name, value, style, colour, end in (("chance", chance, ":", "0.3", 1), ("your guess", guess, "-.", "C3", 0)):
        if value is not None:
            accuracy.axhline(100 * value, color=colour, linestyle=style, linewidth=1.2)
            look = {"color": colour, "size": 10, "xycoords": ("axes fraction", "data")}
            note(accuracy, name, (end, 100 * value), (2 - 4 * end, 3), ("left", "right")[end], **look)
    widths = [accuracy.get_xlim()[1]]
    for run in earlier[-BEHIND:]:
        accuracy.plot(run.history.epoch, 100 * run.history.validation_accuracy, color="0.7", linewidth=1, zorder=1)
        widths.append(len(run.history) + 0.5)
    if isinstance(present, list) and not present:
        widths = [max(epochs, 1) + 0.5]
        loss.set(xlim=(0.5, widths[0]), ylim=(0, 1))
        note(loss, "press Train", (0.5, 0.5), (0, 0), xycoords="axes fraction", color="0.4")
    accuracy.set(xlim=(0.5, max(widths)), ylim=(0, 102))
    return figure


def compared(runs, guess=None):
    """Runs as a table (a row each, from 1, with a 95% interval over speakers), as HTML, and as a chart."""
    metric = headline(runs[-1].validation)
    score = f"validation_{metric}"
    table = records.table(runs).rename(columns={metric: score})
    words = table.model.str.partition(" ")
    said = [run.predictions("validation") for run in runs]
    intervals = pd.DataFrame([interval([one], metric=metric) for one in said])
    table = table.assign(model=words[0], settings=words[2], low=intervals.low, high=intervals.high)
    about = "Validation part of {corpus}, split: {split}{absent}; 95% interval over speakers from low to high."
    about = about.format(**table.iloc[-1], absent=absent(said[-1], runs[-1].labels))
    columns = f"model settings seed parameters epochs {score} low high chance majority s_per_epoch"
    table = table[columns.split()].set_axis(range(1, len(runs) + 1))
    table.insert(2, "changed", ["", *(changed(*pair) for pair in pairwise(runs))])
    html = f'<div>{about}</div><div style="overflow-x: auto">{plots.as_html(table)}</div>'
    last = table.tail(SHOWN)
    dots = last.rename(columns={score: "mean"}).set_axis([f"{n}: {m}" for n, m in last.model.items()])
    figure = empty_figure(8.5, 1.5 + 0.42 * len(last))
    lines = {name: last[name].iloc[-1] for name in ("chance", "majority")}
    ax = plots.accuracies(dots, figure.subplots(), **lines, guess=guess)
    ax.set_xlabel(f"{score.replace('_', ' ')} (%), 95% interval over speakers, one seed each")
    return table, f'<div style="line-height: 1.5">{html}</div>', figure


def changed(one, other):
    """The settings in which a run differs from one before it, as in "lr 0.003 to 0.01"."""
    before, after = described(one.experiment), described(other.experiment)
    names = [name for name in after if name in before and before[name] != after[name]]
    return ", ".join(f"{name} {before[name]} to {after[name]}" for name in names)


def described(experiment):
    """All settings of an experiment by their own names."""
    kinds = {"model": experiment.model.name, "feature": type(experiment.feature).__name__, "seed": experiment.seed}
    recipe = vars(experiment.recipe) | vars(experiment.recipe.augmentation)
    recipe.pop("augmentation")
    return kinds | recipe | vars(experiment.feature) | experiment.model.full


def against(runs):
    """The sentence that compares the latest of some runs with the one before it."""
    one, other = (run.predictions("validation") for run in runs[-2:])
    told = f"What changed: {changed(*runs[-2:])}"
    if set(one.path) != set(other.path):
        return f"{told}. The two were validated on other clips."
    found = interval([other], [one], metric=headline(runs[-1].validation))
    return f"{told}; {verdict(found, f'run {len(runs)}', f'run {len(runs) - 1}')}"
