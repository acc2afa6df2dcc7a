"""One sentence said in several accents."""

from functools import cache

import matplotlib.pyplot as plt
import torch

from ..data.audio import resample
from .sound import log_mel


def said_in(spoken, feature, reference):
    """One sentence in several accents: a mel spectrogram each, with the sounds that differ from `reference`. A figure.

    `spoken` maps an accent to what `espeak.say` returns; `feature` is a LogMel that holds the longest.
    """
    figure, panels = plt.subplots(len(spoken), 1, figsize=(9.5, 1.75 * len(spoken)), sharex=True, sharey=True)
    extract = feature.build()
    for ax, (accent, (samples, rate, times)) in zip(panels, spoken.items(), strict=True):
        sound = torch.from_numpy(resample(samples, rate, feature.sample_rate))
        x = extract(sound[None], torch.tensor([len(sound)]))[0][0, 0]  # (bands, frames)
        log_mel(x, feature, ax, colorbar=False, low=float(x.max()) - 60).set_title(accent, loc="left")
        for start, end, said in differing(times, spoken[reference][2]):
            ax.axvspan(start, end, color="none", ec="white", linewidth=1.3)
            ax.text((start + end) / 2, 0.97, said, transform=ax.get_xaxis_transform(), ha="center", va="top", color="w")
        ax.label_outer()
        ax.set_ylabel("")
    figure.supylabel("mel band, centre in Hz", fontsize=11)
    return figure


def differing(times, reference):
    """The sounds, with their times, that differ from the reference's, as (begin, end, sound); "-": one was dropped."""
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
        change, at = [(i - 1, i)], min(i, len(own) - 1)
        same_or_replaced = fewest(i - 1, k - 1) + (change if own[i - 1] != other[k - 1] else [])
        return min(same_or_replaced, fewest(i - 1, k) + change, fewest(i, k - 1) + [(at, at)], key=len)

    return fewest(len(own), len(other))
