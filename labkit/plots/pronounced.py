"""One sentence said in several accents."""

from difflib import SequenceMatcher

from .sound import log_mel


def said_in(spoken, feature, reference):
    """One sentence in several accents, as a figure: a mel spectrogram each, the sounds marked that differ.

    `spoken` maps an accent to (samples, rate, times), as `pronunciation.listen` returns them; the sounds are compared
    with those of the accent `reference`. `feature` is a LogMel whose `seconds` hold the longest sound.
    """
    import matplotlib.pyplot as plt
    import torch

    from ..data.audio import resample

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

    Returns a list of (begin, end, sounds), with "-" where sounds were dropped.

    Examples
    --------
    >>> differing([("s", 0.0), ("a", 0.1), ("", 0.3)], [("T", 0.0), ("a", 0.1), ("", 0.3)])
    [(0.0, 0.1, 's')]
    """
    own, other = ([sound.strip("',") for sound, _ in some] for some in (times, reference))
    out = []
    for change, first, last, _, _ in SequenceMatcher(None, own, other, autojunk=False).get_opcodes():
        said = " ".join(own[first:last]).strip() if first < last else "-"
        if change != "equal" and said:  # silence is no sound
            start, end = times[min(first, len(times) - 1)][1], times[min(last, len(times) - 1)][1]
            out.append((start, max(end, round(start + 0.04, 3)), said))
    return out
