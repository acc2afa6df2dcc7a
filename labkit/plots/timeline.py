"""Recognition over time: a recording with what was heard in it, and hits against false alarms."""

import matplotlib.pyplot as plt
import numpy as np

from ..data.corpus import UNKNOWN
from ..streaming import Decider
from .canvas import RING, array, mark, note

MOST = 4000  # stretches of a waveform that an eye can tell apart: of each the lowest and the highest sample is drawn
NOTICED = 0.2  # a word whose probability stays below this everywhere is drawn grey, without a name


def timeline(
    samples, sample_rate, labels, times, probabilities, found, *, decision, spoken=(), seconds=None, figure=None
):
    """The first `seconds` of a recording: how sure the network was of each word, and what it reported. Gives a figure.

    The first six are what `streaming.detect` takes and returns; `labels` are the run's. `decision` averages the curves
    and gives the threshold drawn, or one in the colour of each word. `spoken` has (word, start, end) of what was said,
    in seconds, where that is known.
    """
    figure = figure or plt.figure(figsize=(9.5, 4.2))
    seconds = min(seconds or np.inf, len(samples) / sample_rate)
    found = [word for word in found if word.reported <= seconds]
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
    samples = array(samples)[: round(seconds * sample_rate)]
    stretch = max(1, len(samples) // MOST)
    rows = samples[: len(samples) // stretch * stretch].reshape(-1, stretch)  # (stretches, samples of each)
    above.fill_between(
        np.arange(len(rows)) * stretch / sample_rate, rows.min(1), rows.max(1), color="C0", linewidth=0.3
    )
    high = 1.05 * np.abs(samples).max(initial=1e-3)
    above.set(ylabel="amplitude\n(full scale 1)", ylim=(-high, high))
    for word, start, end in spoken:
        if end <= seconds:
            above.hlines(high, start, end, color="0.3", linewidth=3)
            note(above, word, ((start + end) / 2, high), (0, 4), fontsize=9)
    above.set_title("said" if len(spoken) else "", loc="left", fontsize=10, pad=16)
    if len(times) > 1:
        probabilities = Decider(labels, decision, times[1] - times[0]).smooth(array(probabilities))
    named = 0
    for label, curve, needed in zip(labels, array(probabilities).T, decision.needs(labels), strict=True):
        noticed = curve[times <= seconds].max(initial=0) >= NOTICED
        look = {"color": f"C{named % 10}", "label": label} if noticed else {"color": "0.8", "linewidth": 0.8}
        if label != UNKNOWN:
            below.plot(times, 100 * curve, zorder=2 + noticed, **look)
            if noticed and decision.thresholds:  # equal ones lie side by side
                below.axhline(100 * needed, color=look["color"], linestyle=(4 * named, (4, 8)), linewidth=1)
            named += noticed
    line = {"color": "0.3", "linestyle": "--", "linewidth": 1, "label": "threshold"}
    below.plot([], [], **line) if decision.thresholds else below.axhline(100 * decision.threshold, **line)
    for number, word in enumerate(found):
        below.axvspan(word.start, word.end, color="C1", alpha=0.15, linewidth=0)
        below.plot(word.reported, 103, "v", color="black", markersize=5, clip_on=False)
        crowded = number % 2 and word.reported - found[number - 1].reported < seconds / 15
        note(below, word.word, (word.reported, 103), (0, 17 if crowded else 5), fontsize=10)
    below.set(xlabel="time (s)", ylabel="probability (%)", ylim=(0, 103), xlim=(0, max(seconds, 1e-3)))
    below.set_title("reported" if found else "", loc="left", fontsize=10, pad=29)
    figure.legend(*below.get_legend_handles_labels(), loc="outside right center")
    return figure


def operating(steps, kind="words, 20 dB", goal=(2, 0.85)):
    """Words found against false alarms in an hour of running speech: a curve for each step of a record.

    `kind` says which words. Whiskers are the 95% Poisson intervals of the false alarms at the budget of the `goal`, a
    pair of false alarms an hour and the fraction found; its place is the shaded corner.
    """
    ax = plt.figure(figsize=(8.5, 4.2)).subplots()
    for number, (name, step) in enumerate(steps.items()):
        rows = [(row["running speech"], row[kind]) for row in step["curve"]]
        look = mark(number, name)
        ax.plot([quiet["per_hour"] for quiet, _ in rows], [100 * words["hits"] for _, words in rows], **look)
        quiet, words = rows[[row["budget"] for row in step["curve"]].index(goal[0])]
        ax.hlines(100 * words["hits"], quiet["low"], quiet["high"], color=look["color"], linewidth=1.2, alpha=0.7)
        ax.plot(quiet["per_hour"], 100 * words["hits"], "o", label=None if number else "budget", **RING)
    ax.fill_between([-0.3, goal[0]], 100 * goal[1], 103, color="C2", alpha=0.15, linewidth=0)
    note(ax, "goal", (-0.2, 103), (0, -14), fontsize=10, ha="left")
    ax.set_xscale("symlog", linthresh=1)  # an hour without a false alarm has its place, too
    ax.set(xlabel="false alarms in an hour of running speech", xlim=(-0.3, None))
    ax.set(ylabel=f"{kind}: found (%)", ylim=(0, 103))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax
