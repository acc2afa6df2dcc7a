"""The runs of a panel beside each other: curves, a table, a chart."""

import pandas as pd

from .. import plots
from ..metrics import speaker_interval
from .panel import empty_figure

SHOWN = 12  # runs in the chart; the table has all
BEHIND = 5  # earlier runs whose curves are drawn


def drawn_curves(present, earlier, chance, guess, epochs):
    """Curves of a run, or of the history of one under way; `earlier` runs in grey; `epochs` is an empty one's width."""
    figure = empty_figure(8.5, 3.2)
    plots.training_curves(present, figure=figure)
    loss, accuracy = figure.axes
    for name, value, style, colour in (("chance", chance, ":", "0.3"), ("your guess", guess, "-.", "C3")):
        if value is not None:
            accuracy.axhline(100 * value, color=colour, linestyle=style, linewidth=1.2)
            beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
            accuracy.annotate(name, (1, 100 * value), (-2, 3), color=colour, size=10, **beside)
    histories = [run.history for run in earlier[-BEHIND:]]
    for number, history in enumerate(histories):
        label = None if number else "earlier runs"
        accuracy.plot(history.epoch, 100 * history.validation_accuracy, color="0.7", linewidth=1, zorder=1, label=label)
    accuracy.set(ylim=(0, 102))
    if isinstance(present, list) and not present:
        loss.set(xlim=(0.5, max(epochs, 1) + 0.5), ylim=(0, 1))
        accuracy.set(xlim=(0.5, max(epochs, 1) + 0.5))
        loss.annotate("press Train", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
    elif histories:
        accuracy.set_xlim(right=max(accuracy.get_xlim()[1], max(map(len, histories)) + 0.5))
    return figure


def compared(runs, guess=None):
    """Runs as a table (a row each, from 1, with a 95% interval by bootstrap over speakers), and as a chart."""
    rows = []
    for run in runs:
        predictions = run.predictions("validation")
        interval = speaker_interval([predictions]) if predictions.speaker.nunique() > 1 else {}
        rows.append(
            {
                "model": run.experiment.model.name,
                "settings": ", ".join(_different(run.experiment)) or "–",
                "parameters": run.record["parameters"],
                "epochs": len(run.history),
                "validation_accuracy": run.validation["accuracy"],
                "low": interval.get("low", float("nan")),
                "high": interval.get("high", float("nan")),
                "chance": run.validation["chance"],
                "majority": run.validation["majority"],
                "s_per_epoch": run.record["seconds_per_epoch"],
                "corpus": run.record["corpus"]["name"],
            }
        )
    table = pd.DataFrame(rows, index=range(1, len(rows) + 1))
    last = table.tail(SHOWN)
    dots = last.rename(columns={"validation_accuracy": "mean"}).set_axis([f"{n}: {m}" for n, m in last.model.items()])
    figure = empty_figure(8.5, 1.5 + 0.42 * len(last))
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
