"""One sentence said in several accents."""

from functools import cache

import matplotlib.pyplot as plt
import torch

from ..data.audio import resample
from .sound import log_mel


def said_in(spoken, feature, reference):
    """One sentence in several accents, as a figure: a mel spectrogram each, the sounds marked that differ.

    `spoken` maps an accent to (samples, rate, times), as `pronunciation.listen` returns them; the sounds are compared
    with those of the accent `reference`. `feature` is a LogMel whose `seconds` hold the longest sound.
    """
    figure, panels = plt.subplots(len(spoken), 1, figsize=(9.5, 1.75 * len(spoken)), sharex=True, sharey=True)
    extract = feature.build()
    for ax, (accent, (samples, rate, times)) in zip(panels, spoken.items(), strict=True):
        sound = torch.from_numpy(resample(samples, rate, feature.sample_rate))
        x = extract(sound[None], torch.tensor([len(sound)]))[0][0, 0]  # (bands, frames)
        log_mel(x, feature, ax, colorbar=False, low=float(x.max()) - 60)
        for start, end, said in differing(times, spoken[reference][2]):
            ax.axvspan(start, end, color="none", ec="white", linewidth=1.3)
            ax.text((start + end) / 2, 0.97, said, transform=ax.get_xaxis_transform(), ha="center", va="top", color="w")
        ax.set_title(accent, loc="left")
        ax.set(xlabel="", ylabel="")
    panels[-1].set_xlabel("time (s)")
    figure.supylabel("mel band, centre in Hz", fontsize=11)
    return figure


def differing(times, reference):
    """The sounds that another way of saying it has not; both are lists of (sound, second at which it begins).

    Returns a list of (begin, end, sound), with "-" where sounds were dropped.

    >>> differing([("s", 0.0), ("a", 0.1), ("", 0.3)], [("T", 0.0), ("a", 0.1), ("", 0.3)])
    [(0.0, 0.1, 's')]
    """
    own, other = ([sound.strip("',") for sound, _ in some] for some in (times, reference))
    out = []
    for first, last in _changes(own, other):
        if first == last or own[first]:  # silence is no sound
            start, end = times[first][1], times[last][1]
            out.append((start, max(end, round(start + 0.04, 3)), own[first] if first < last else "-"))
    return out


def _changes(own, other):
    """Where `own` differs from `other`, by the fewest changes (Levenshtein, 1966): (first, last), equal if dropped."""

    @cache
    def fewest(i, k):  # of own[:i] and other[:k]
        if not i or not k:
            return [(n, n + 1) for n in range(i)] or [(0, 0)] * k
        replaced = [(i - 1, i)] if own[i - 1] != other[k - 1] else []
        dropped = [(min(i, len(own) - 1),) * 2]
        return min(
            fewest(i - 1, k - 1) + replaced, fewest(i - 1, k) + [(i - 1, i)], fewest(i, k - 1) + dropped, key=len
        )

    return fewest(len(own), len(other))
