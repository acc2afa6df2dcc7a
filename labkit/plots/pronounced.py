"""Pictures of accents: who is in the corpus, and one sentence said in each of them."""

import numpy as np

from .sound import axes, log_mel

AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")


def crosstab(clips, rows="area", columns="age", ax=None):
    """How many clips and speakers there are of each pair, such as accent and age, as a picture.

    Parameters
    ----------
    clips : pandas.DataFrame
        Table of a corpus.
    rows, columns : str
        Columns of it; "" is shown as "not given".
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        The darker, the more clips; in each field clips, and below them speakers.
    """
    import seaborn

    named = clips.assign(**{name: clips[name].where(clips[name] != "", "not given") for name in (rows, columns)})
    groups = named.groupby([rows, columns], observed=True).speaker
    found = sorted(named[columns].unique(), key=lambda name: (AGES.index(name) if name in AGES else len(AGES), name))
    counts, people = (groups.agg(how).unstack(fill_value=0)[found] for how in ("size", "nunique"))
    written = np.array(
        [
            [f"{count:,}\n({speakers})" if count else "" for count, speakers in zip(*both, strict=True)]
            for both in zip(counts.to_numpy(), people.to_numpy(), strict=True)
        ]
    )
    ax = axes(ax, (2.6 + 1.05 * counts.shape[1], 1.2 + 0.55 * counts.shape[0]))
    look = {"cmap": "cividis_r", "annot_kws": {"size": 9}, "cbar_kws": {"label": "clips"}}
    seaborn.heatmap(counts, ax=ax, vmin=0, annot=written, fmt="", **look)
    ax.set(xlabel=columns, ylabel="")
    ax.tick_params(length=0)
    ax.set_yticks(ax.get_yticks(), [text.get_text() for text in ax.get_yticklabels()], rotation=0)
    ax.set_xticks(ax.get_xticks(), [text.get_text() for text in ax.get_xticklabels()], rotation=0)
    return ax


def largest_cell(clips, columns=("area", "age")):
    """The pair of values that most clips share, and its share of all clips.

    Returns
    -------
    tuple of (tuple of str, float, int)
        The values, the share, and the number of speakers behind it.
    """
    groups = clips.groupby(list(columns), observed=True)
    values = groups.size().idxmax()
    return values, groups.size().max() / len(clips), groups.speaker.nunique()[values]


def said_in(spoken, feature, reference):
    """One sentence in several accents, one mel picture below the other, with the sounds marked that differ.

    Parameters
    ----------
    spoken : dict
        From accent to (samples, rate, times), as `pronunciation.listen` returns them.
    feature : LogMel
        With `seconds` as long as the longest sound.
    reference : str
        The accent whose sounds the others are compared with.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt
    import torch

    from ..data.audio import resample

    figure, panels = plt.subplots(len(spoken), 1, figsize=(9.5, 1.75 * len(spoken)), sharex=True, sharey=True)
    extract = feature.build()
    for ax, (accent, (samples, rate, times)) in zip(panels, spoken.items(), strict=True):
        sound = torch.from_numpy(resample(samples, rate, feature.sample_rate))
        picture = extract(sound[None], torch.tensor([len(sound)]))[0][0, 0]
        log_mel(picture, feature, ax, colorbar=False, low=float(picture.max()) - 60)
        for start, end, said in differing(times, spoken[reference][2]) if accent != reference else ():
            ax.axvspan(start, end, color="none", ec="white", linewidth=1.3)
            ax.text((start + end) / 2, 0.97, said, transform=ax.get_xaxis_transform(), ha="center", va="top", color="w")
        ax.set_title(accent, loc="left")
        ax.set(xlabel="", ylabel="")
    panels[-1].set_xlabel("time (s)")
    figure.supylabel("mel band, centre in Hz", fontsize=11)
    return figure


def differing(times, reference):
    """The sounds that another way of saying it has not.

    Parameters
    ----------
    times, reference : list of (str, float)
        Sounds and where they begin, in seconds.

    Returns
    -------
    list of (float, float, str)
        Beginning and end in seconds, and the sounds; "-" where some were dropped.

    Examples
    --------
    >>> differing([("s", 0.0), ("a", 0.1), ("", 0.3)], [("T", 0.0), ("a", 0.1), ("", 0.3)])
    [(0.0, 0.1, 's')]
    """
    own, other = ([sound.strip("',") for sound, _ in some] for some in (times, reference))
    out = []
    for first, last, changed in _runs(own, other):
        start, end = times[first][1], times[last][1]
        said = " ".join(own[first:last]) if changed else "-"
        out.append((start, max(end, round(start + 0.04, 3)), said))
    return out


def _runs(own, other):
    """What changed from `other` to `own`, by the fewest changes (Levenshtein, 1966): (first, last, anything left)."""
    cost = np.zeros((len(own) + 1, len(other) + 1), int)
    cost[:, 0], cost[0, :] = np.arange(len(own) + 1), np.arange(len(other) + 1)
    for i, mine in enumerate(own, 1):
        for k, theirs in enumerate(other, 1):
            cost[i, k] = min(cost[i - 1, k - 1] + (mine != theirs), cost[i - 1, k] + 1, cost[i, k - 1] + 1)
    changes, i, k = [], len(own), len(other)
    while i or k:
        if i and k and cost[i, k] == cost[i - 1, k - 1] + (own[i - 1] != other[k - 1]):
            i, k = i - 1, k - 1
            if own[i] != other[k]:
                changes.append((i, i + 1, True))
        elif i and cost[i, k] == cost[i - 1, k] + 1:
            i -= 1
            changes.append((i, i + 1, True))
        else:
            k -= 1
            changes.append((min(i, len(own) - 1), min(i, len(own) - 1), False))
    return [change for change in changes[::-1] if not change[2] or own[change[0]]]  # silence is no sound
