"""Pictures of what a recogniser owes to known voices, to its size, and to single bands."""

import numpy as np

from .networks import WHITE
from .sound import axes, mel_ticks

MARKS = "osD^v"


def by_voice(table, ax=None, *, chance=None):
    """Accuracy on each voice, a mark per column: the length of the line is what the columns differ by.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per voice, its name in the index; a column per way to test, shares between 0 and 1.
    ax : matplotlib.axes.Axes, optional
    chance : float, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 1.3 + 0.42 * len(table)))
    places = np.arange(len(table))[::-1]
    percent = 100 * table.astype(float)
    ax.hlines(places, percent.min(axis=1), percent.max(axis=1), color="0.7", linewidth=2, zorder=1)
    for number, name in enumerate(table):
        ax.plot(percent[name], places, MARKS[number % 5], color=f"C{number}", markersize=8, label=str(name))
    lowest = percent.min(axis=1)
    for place, value in zip(places, lowest, strict=True):
        ax.annotate(f"{value:.0f}", (value, place), (-9, 0), textcoords="offset points", ha="right", va="center")
    if chance is not None:
        ax.axvline(100 * chance, linestyle=":", color="0.3", label=f"chance: {100 * chance:.0f}%")
    ax.set_yticks(places, table.index.astype(str))
    ax.set(xlabel="accuracy (%)", xlim=(0, 102), ylim=(-0.6, len(table) - 0.4))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return ax


def sizes(table, ax=None, *, chance=None):
    """Accuracy against the number of parameters (logarithmic), a line per column.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per network, its name in the index; `parameters`, and a column of shares per way to test. What was not
        measured is NaN.
    ax : matplotlib.axes.Axes, optional
    chance : float, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 4))
    table = table.sort_values("parameters")
    columns = [name for name in table if name != "parameters"]
    for number, name in enumerate(columns):
        known = table[table[name].notna()]
        look = {"marker": MARKS[number % 5], "color": f"C{number}", "markersize": 7, "label": str(name)}
        ax.plot(known.parameters.astype(float), 100 * known[name].astype(float), **look)
    tops = 100 * table[columns].astype(float).max(axis=1)
    for place, (name, top) in enumerate(tops.items()):  # names in two heights, so that neighbours stay apart
        at = (float(table.parameters[name]), float(top))
        look = {"textcoords": "offset points", "ha": "center", "fontsize": 10, "bbox": WHITE}
        ax.annotate(name, at, (0, 9 + 13 * (place % 2)), **look)
    if chance is not None:
        ax.axhline(100 * chance, linestyle=":", color="0.3", label=f"chance: {100 * chance:.0f}%")
    ax.set(xscale="log", xlabel="parameters", ylabel="accuracy (%)", ylim=(0, 119), yticks=range(0, 101, 20))
    ax.margins(x=0.12)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return ax


def removed_bands(table, feature, ax=None, *, whole=None, chance=None):
    """Accuracy where a group of mel bands is taken away, drawn under the frequencies of that group.

    Parameters
    ----------
    table : pandas.DataFrame
        `first`, `last` (bands; the last is not included), `mean` and perhaps `low`, `high`, shares between 0 and 1.
    feature : Spectral
    ax : matplotlib.axes.Axes, optional
    whole, chance : float, optional
        Shares: with all bands, and by guessing.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3.4))
    ax.hlines(100 * table["mean"], table["first"], table["last"], color="C0", linewidth=4, label="without these bands")
    if {"low", "high"} <= set(table.columns):
        ax.vlines((table["first"] + table["last"]) / 2, 100 * table["low"], 100 * table["high"], color="C0", alpha=0.5)
    for name, value, style in (("all bands", whole, "--"), ("chance", chance, ":")):
        if value is not None:
            ax.axhline(100 * value, linestyle=style, color="0.3", label=f"{name}: {100 * value:.0f}%")
    places, names = mel_ticks(feature)
    ax.set_xticks(places, names)
    ax.set(xlabel="bands taken away, centre in Hz", ylabel="accuracy (%)", ylim=(0, 105), xlim=(0, feature.n_mels))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax
