"""Pictures of recognition over time: a recording with what was heard in it, and hits against false alarms."""

import math

import numpy as np

from ..data.corpus import OTHER
from ..streaming import Decider
from .sound import array, axes

MOST = 4000  # points of a waveform that an eye can tell apart
NOTICED = 0.2  # a word whose probability stays below this everywhere is drawn grey, without a name


def timeline(
    samples, rate, labels, times, probabilities, found, *, decision=None, spoken=(), seconds=None, figure=None
):
    """A recording, how sure the network was of each word, and what it reported.

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,), between -1 and 1.
    rate : int
        Hz.
    labels : sequence of str
        Classes, in the order of the columns of `probabilities`; "other" is not drawn.
    times : numpy.ndarray
        Shape (rows,), in seconds, evenly spaced.
    probabilities : numpy.ndarray
        Shape (rows, classes).
    found : list of Detection
        Drawn as stretches from `start` to `end`, with their words.
    decision : Decision, optional
        Whose threshold is drawn, and over whose seconds the curves are averaged.
    spoken : sequence of (str, float, float)
        Word, start and end in seconds of what was said, where that is known.
    seconds : float, optional
        Draw so much of the beginning; by default all of it.
    figure : matplotlib.figure.Figure, optional
        An empty one to draw on.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    figure = figure or plt.figure(figsize=(9.5, 4.2))
    seconds = min(seconds or math.inf, len(samples) / rate)
    samples, found = samples[: round(seconds * rate)], [word for word in found if word.reported <= seconds]
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
    envelope(samples, rate, above)
    high = above.get_ylim()[1]
    for word, start, end in (each for each in spoken if each[2] <= seconds):
        above.hlines(high, start, end, color="0.3", linewidth=3)
        above.annotate(word, ((start + end) / 2, high), (0, 4), textcoords="offset points", ha="center", fontsize=9)
    if len(spoken):
        above.set_title("said", loc="left", fontsize=10, pad=16)
    probabilities = array(probabilities)
    if decision is not None and len(times) > 1:
        probabilities = Decider(labels, decision, times[1] - times[0]).smooth(probabilities)
    named = 0
    for label, curve in zip(labels, probabilities.T, strict=True):
        if label == OTHER or not len(curve):
            continue
        noticed = curve[times <= seconds].max(initial=0) >= NOTICED
        look = {"color": f"C{named % 10}", "label": label} if noticed else {"color": "0.8", "linewidth": 0.8}
        below.plot(times, 100 * curve, zorder=2 + noticed, **look)
        named += noticed
    if decision is not None:
        below.axhline(100 * decision.threshold, color="0.3", linestyle="--", linewidth=1, label="threshold")
    for number, word in enumerate(found):
        below.axvspan(word.start, word.end, color="C1", alpha=0.15, linewidth=0)
        below.plot(word.reported, 103, "v", color="black", markersize=5, clip_on=False)
        crowded = number and word.reported - found[number - 1].reported < seconds / 15
        place = (0, 17 if crowded and number % 2 else 5)
        below.annotate(word.word, (word.reported, 103), place, textcoords="offset points", ha="center", fontsize=10)
    below.set(xlabel="time (s)", ylabel="probability (%)", ylim=(0, 103), xlim=(0, max(seconds, 1e-3)))
    if found:
        below.set_title("reported", loc="left", fontsize=10, pad=29)
    if named or decision is not None:
        figure.legend(*below.get_legend_handles_labels(), loc="outside right center")
    return figure


def envelope(samples, rate, ax=None):
    """A long recording as its lowest and highest sample in each of many short stretches.

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,).
    rate : int
        Hz.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (9, 1.6))
    samples = array(samples)
    stretch = max(1, len(samples) // MOST)
    rows = samples[: len(samples) // stretch * stretch].reshape(-1, stretch)  # (stretches, samples of each)
    time = np.arange(len(rows)) * stretch / rate
    low, high = (rows.min(1), rows.max(1)) if len(rows) else (np.zeros(0), np.zeros(0))
    ax.fill_between(time, low, high, color="C0", linewidth=0.3)
    top = max(1e-3, float(abs(samples).max())) if len(samples) else 1.0
    ax.set(ylabel="amplitude\n(full scale 1)", ylim=(-1.05 * top, 1.05 * top))
    return ax


def operating(tables, ax=None, *, chosen=None):
    """What a threshold costs and what it saves: hits against false alarms, a point for each threshold.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        By name of the recording: a row per threshold with `threshold`, `hits` (share of the words said that were
        reported) and `false_alarms_per_hour`.
    ax : matplotlib.axes.Axes, optional
    chosen : float, optional
        The threshold that was chosen on validation data: a ring marks the point nearest to it.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (7.5, 3.8))
    most = 0.0
    for number, (name, table) in enumerate(tables.items()):
        table = table.sort_values("threshold")
        marker = "os^Dv"[number % 5]
        ax.plot(
            table.false_alarms_per_hour, 100 * table.hits, f"{marker}-", color=f"C{number}", markersize=4, label=name
        )
        most = max(most, float(table.false_alarms_per_hour.max()))
        if chosen is not None:
            at = table.iloc[(table.threshold - chosen).abs().argmin()]
            ring = {"markersize": 12, "markerfacecolor": "none", "markeredgecolor": "black"}
            ax.plot(
                at.false_alarms_per_hour, 100 * at.hits, "o", **ring, label=None if number else f"threshold {chosen:g}"
            )
    ax.set_xscale("symlog", linthresh=1)  # an hour without a false alarm has its place, too
    ax.set(xlabel="false alarms an hour", ylabel="words that were reported (%)")
    ax.set_xlim(-0.2, max(2.0, 1.5 * most))
    ax.set_ylim(0, 102)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax
