"""Drawings of sounds: samples of shape (samples,) between -1 and 1, at `sample_rate` Hz, or a feature of them."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch

from ..data.audio import resample
from ..features import LogMel
from .canvas import array, image, mark

FLOOR_DB = -60  # level of the darkest colour, compared with the lightest
HEARD = (100, 200, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz, marked on a mel axis


def waveform(samples, sample_rate, ax=None):
    """Air pressure over time."""
    ax = ax or plt.figure(figsize=(8, 2)).subplots()
    ax.plot(np.arange(len(samples)) / sample_rate, array(samples), color="C0", linewidth=0.8)
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set(xlabel="time (s)", ylabel="amplitude\n(full scale 1)")
    ax.margins(x=0)
    return ax


def levels(samples, sample_rate, window_ms=25.0, hop_ms=5.0):
    """Level of each frequency in each frame: a short-time Fourier transform with a Hann window.

    Returns levels in dB, shape (frequencies, frames), 0 for a sine of full scale; frequencies in Hz; times in seconds.
    """
    samples = torch.as_tensor(array(samples), dtype=torch.float64)
    window, hop = round(window_ms * sample_rate / 1000), max(1, round(hop_ms * sample_rate / 1000))
    fft = 2 ** int(np.ceil(np.log2(max(window, 1024))))  # zeros around the window: a finer grid, the same resolution
    hann = torch.hann_window(window, dtype=torch.float64)
    spectrum = torch.stft(samples, fft, hop, window, hann, pad_mode="constant", return_complex=True)
    size = 2 * spectrum.abs() / hann.sum()  # (frequencies, frames)
    level = 20 * size.clamp(min=1e-10).log10().numpy()
    return level, np.fft.rfftfreq(fft, 1 / sample_rate), np.arange(level.shape[1]) * hop / sample_rate


def spectrogram(samples, sample_rate, ax=None, *, window_ms=25.0, hop_ms=5.0, colorbar=True, sounds=()):
    """Which frequencies are loud when; the lightest colour is the loudest level of this sound.

    `sounds` are marked: pairs of a name and the second at which it begins, as `espeak.say` gives them.
    """
    ax = ax or plt.figure(figsize=(8, 3)).subplots()
    level, frequency, time = levels(samples, sample_rate, window_ms, hop_ms)
    label = "level (dB)" if colorbar else None
    image(level, ax, time, frequency, low=level.max() + FLOOR_DB, high=level.max(), label=label)
    ax.set(xlabel="time (s)", ylabel="frequency (Hz)", xlim=(0, len(samples) / sample_rate), ylim=(0, sample_rate / 2))
    for name, start in sounds:
        ax.axvline(start, color="white", linestyle=":")
        ax.annotate(name, (start, 1), (3, -3), ax.get_xaxis_transform(), "offset points", color="white", va="top")
    return ax


def log_mel(x, feature, ax=None, *, colorbar=True, high=None):
    """Mel spectrogram, shape (bands, frames), as `feature` gives it; `high` is the level of the lightest colour."""
    values = array(x).reshape(x.shape[-2:])
    high = values.max() if high is None else high
    low = high + FLOOR_DB if feature.log == "db" else None
    label = {"db": "level (dB)", "ln": "level (ln of power)", "none": "power"}[feature.log]
    return mel_image(values, feature, ax, low=low, high=high, label=label if colorbar else None)


def mel_image(values, feature, ax=None, **look):
    """Any values of shape (bands, frames), a row per band, marked with its frequency in Hz."""
    ax = ax or plt.figure(figsize=(8, 3)).subplots()
    image(values, ax, times(feature, values.shape[1]), np.arange(len(values)), **look)
    ax.set(xlabel="time (s)", ylabel="mel band, centre in Hz")
    ax.set_yticks(*mel_ticks(feature))
    return ax


def mfcc(x, feature, ax=None, *, block=0):
    """MFCC, shape (frames, features), a row per coefficient: themselves (block 0), their slope (1), its slope (2)."""
    ax = ax or plt.figure(figsize=(8, 3)).subplots()
    first = int(block == 0 and feature.n_mfcc > 1)  # coefficient 0, the level of the frame, is far larger than the rest
    rows = np.arange(first, feature.n_mfcc)
    values = array(x).reshape(x.shape[-2:]).T[block * feature.n_mfcc + rows]  # (coefficients, frames)
    bound = max(np.percentile(np.abs(values), 94), 1e-6)  # the lowest coefficients are far larger than the rest
    look = {"low": -bound, "high": bound, "cmap": "PuOr_r", "extend": "both"}
    label = ("dB", "dB per frame", "dB per frame²")[block] if feature.log == "db" else ""
    image(values, ax, times(feature, values.shape[1]), rows, label=label, **look)
    ax.set(xlabel="time (s)", ylabel="coefficient", yticks=rows[:: max(1, len(rows) // 6)])
    return ax


def deltas(x, feature):
    """MFCC and their deltas, one under the other, as a figure; see `mfcc`."""
    names = ("MFCC", "delta: how fast they change", "delta-delta: how fast the change changes")
    blocks = 1 + feature.deltas
    figure, panels = plt.subplots(blocks, 1, figsize=(8, 0.6 + 1.7 * blocks), sharex=True, squeeze=False)
    for block, ax in enumerate(panels[:, 0]):
        mfcc(x, feature, ax, block=block).set_title(names[block], loc="left")
        ax.label_outer()
    return figure


def times(feature, frames):
    """Time of the middle of each frame in seconds, shape (frames,)."""
    return np.arange(frames) * feature.hop / feature.sample_rate


def mel_ticks(feature):
    """Where a mel axis is marked: positions in bands, 0 being the centre of the lowest, and the frequencies there."""
    import librosa

    bands, top = feature.n_mels, feature.f_max or feature.sample_rate / 2
    edges = librosa.mel_frequencies(bands + 2, fmin=feature.f_min, fmax=top, htk=feature.mel_scale == "htk")
    ticks = {}
    for hertz, position in zip(HEARD, np.interp(HEARD, edges, np.arange(-1, bands + 1)), strict=True):
        if -0.5 <= position <= bands - 0.5 and position - max(ticks, default=-bands) > bands / 16:  # not crowded
            ticks[float(position)] = f"{hertz:,}"
    return list(ticks), list(ticks.values())


def said_in(spoken, reference):
    """One sentence in several accents: a mel spectrogram each, with the sounds that differ from `reference`. A figure.

    `spoken` maps an accent to what `espeak.say` returns. The reference has all of its sounds written in.
    """
    longest = max(len(samples) / sample_rate for samples, sample_rate, _ in spoken.values())
    feature = LogMel(n_mels=48, window_ms=25, hop_ms=8, seconds=longest)
    figure, panels = plt.subplots(len(spoken), 1, figsize=(9.5, 1.75 * len(spoken)), sharex=True, sharey=True)
    extract = feature.build()
    for ax, (accent, (samples, sample_rate, times)) in zip(panels, spoken.items(), strict=True):
        sound = torch.from_numpy(resample(samples, sample_rate, feature.sample_rate))
        x, _ = extract(sound[None], torch.tensor([len(sound)]))  # (1, 1, bands, frames)
        log_mel(x, feature, ax, colorbar=False).set_title(accent, loc="left")
        place = {"transform": ax.get_xaxis_transform(), "va": "top", "color": "w"}
        for start, end, said in differing(times, spoken[reference][2]):
            ax.axvspan(start, end, color="none", ec="white", linewidth=1.3)
            ax.text((start + end) / 2, 0.97, said, ha="center", **place)
        for said, start in times if accent == reference else ():
            ax.text(start, 0.97, said.strip("'_:"), fontsize=9, **place)
        ax.label_outer()
        ax.set_ylabel("")
    figure.supylabel("mel band, centre in Hz", fontsize=11)
    return figure


def answers(x, feature, probabilities, labels, marks=()):
    """A mel spectrogram, (bands, frames), and what a network would answer if the clip ended at each frame. A figure.

    `probabilities` are of shape (frames, classes), `labels` their classes; `marks` as `differing` gives them.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(9.5, 4.6), sharex=True)
    log_mel(x, feature, above, colorbar=False).set_xlabel("")
    for number, (label, curve) in enumerate(zip(labels, array(probabilities).T, strict=True)):
        below.plot(times(feature, len(curve)), 100 * curve, markevery=8, **mark(number, label))
    for start, end, said in marks:
        above.axvspan(start, end, color="none", ec="white", linewidth=1.3)
        below.axvspan(start, end, color="0.85", zorder=0)
        below.text((start + end) / 2, 103, said, ha="center")
    below.set(xlabel="time (s)", ylabel="probability (%)", ylim=(-2, 102))
    figure.legend(*below.get_legend_handles_labels(), loc="outside right center")
    return figure


def differing(times, reference):
    """The sounds, with their times, that differ from the reference's, as (begin, end, sound); "-": one was dropped."""
    own, other = ([sound.strip("',") for sound, _ in some] for some in (times, reference))

    @cache
    def fewest(i, k):
        """The fewest changes (Levenshtein, 1966) from other[:k] to own[:i]: (first, last), equal if one was dropped."""
        if not i or not k:
            return [(n, n + 1) for n in range(i)] or [(0, 0)] * k
        change, at = [(i - 1, i)], min(i, len(own) - 1)
        same_or_replaced = fewest(i - 1, k - 1) + (change if own[i - 1] != other[k - 1] else [])
        return min(same_or_replaced, fewest(i - 1, k) + change, fewest(i, k - 1) + [(at, at)], key=len)

    out = []
    for first, last in fewest(len(own), len(other)):
        if first == last or own[first]:  # silence is no sound
            start, end = times[first][1], times[last][1]
            out.append((start, max(end, round(start + 0.04, 3)), own[first] if first < last else "-"))
    return out
