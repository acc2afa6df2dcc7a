"""The runs of a panel beside each other: curves, a table, a chart."""

import pandas as pd

from .. import plots
from ..metrics.scores import speaker_interval
from .panel import empty_figure

SHOWN = 12  # runs in the chart; the table has all


def drawn_curves(present, others, chance, guess, epochs):
    """Training curves of the run under way, with the validation curves of earlier runs in grey.

    Parameters
    ----------
    present : Run, or list of dict
        A finished run, or the history of one that is not.
    others : list of Run
    chance : float
    guess : float or None
        Shares between 0 and 1.
    epochs : int
        Width of an empty picture.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = empty_figure(8.5, 3.2)
    plots.training_curves(present, figure=figure)
    loss, accuracy = figure.axes
    lines = [("chance", chance, ":", "0.3")] + ([] if guess is None else [("your guess", guess, "-.", "C3")])
    for name, value, style, colour in lines:
        accuracy.axhline(100 * value, color=colour, linestyle=style, linewidth=1.2)
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "size": 10}
        accuracy.annotate(name, (1, 100 * value), (-2, 3), color=colour, **place)
    for number, run in enumerate(others[-5:]):
        history = run.history
        label = "earlier runs" if number == 0 else None
        look = {"color": "0.7", "linewidth": 1, "zorder": 1, "label": label}
        accuracy.plot(history.epoch, 100 * history.validation_accuracy, **look)
    accuracy.set(ylim=(0, 102))
    if not isinstance(present, list) or present:
        if others:
            longest = max(len(run.history) for run in others[-5:])
            accuracy.set_xlim(right=max(accuracy.get_xlim()[1], longest + 0.5))
        return figure
    for ax in (loss, accuracy):
        ax.set(xlim=(0.5, max(epochs, 1) + 0.5), ylim=(0, 1 if ax is loss else 102))
    loss.annotate("press Train", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
    return figure


def compared(runs, guess=None):
    """Runs as a table, and their validation accuracies as a chart.

    Returns
    -------
    tuple of (pandas.DataFrame, matplotlib.figure.Figure)
        A row per run, numbered from 1; `low` and `high` are the 95% interval by bootstrap over speakers.
    """
    rows = []
    for run in runs:
        experiment, predictions = run.experiment, run.predictions("validation")
        interval = {"low": float("nan"), "high": float("nan")}
        if predictions.speaker.nunique() > 1:
            interval = speaker_interval([predictions])
        rows.append(
            {
                "model": experiment.model.name,
                "settings": ", ".join(_different(experiment)) or "–",
                "parameters": run.record["parameters"],
                "epochs": len(run.history),
                "validation_accuracy": run.validation["accuracy"],
                "low": interval["low"],
                "high": interval["high"],
                "chance": run.validation["chance"],
                "majority": run.validation["majority"],
                "s_per_epoch": run.record["seconds_per_epoch"],
                "corpus": run.record["corpus"]["name"],
            }
        )
    table = pd.DataFrame(rows, index=range(1, len(rows) + 1))
    figure = empty_figure(8.5, 1.5 + 0.42 * min(len(table), SHOWN))
    last = table.tail(SHOWN)
    dots = last.rename(columns={"validation_accuracy": "mean"}).set_axis([f"{n}: {m}" for n, m in last.model.items()])
    lines = {name: last[name].iloc[-1] for name in ("chance", "majority")}
    ax = plots.accuracies(dots, figure.subplots(), **lines, guess=guess)
    ax.set_xlabel("validation accuracy (%), 95% interval over speakers")
    return table, figure


def listed(table, run):
    """The table of `compared` as HTML, with what it was measured on above it."""
    corpus = run.record["corpus"]
    made = f" ({plots.STAMP})" if corpus["synthetic"] else ""
    about = f"Validation part of {corpus['name']}{made}, split {run.record['protocol']}; 95% interval from low to high."
    html = plots.as_html(table.drop(columns="corpus"))
    return f'<div style="line-height: 1.5">{about}</div><div style="overflow-x: auto; line-height: 1.5">{html}</div>'


def _different(experiment):
    """What differs from the defaults, in words."""
    values = experiment.to_dict()
    words = [f"{name}={value}" for name, value in experiment.model.options]
    for part in ("feature", "recipe"):
        words += [f"{name}={value}" for name, value in values.get(part, {}).items() if name not in ("name", "epochs")]
    return words + ([f"seed={experiment.seed}"] if experiment.seed else [])
