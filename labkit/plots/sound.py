"""Drawings of one sound: samples of shape (samples,) between -1 and 1, at `rate` Hz, or a feature of them."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from .canvas import array, axes, image

FLOOR_DB = -60  # what is quieter is drawn as dark as this
HEARD = (100, 200, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz, marked on a mel axis


def waveform(samples, rate, ax=None, *, start=0.0, seconds=None):
    """Air pressure over time: so many `seconds` from `start` on, by default all."""
    ax = axes(ax, (8, 2))
    samples = array(samples)
    first = round(start * rate)
    part = samples[first : None if seconds is None else first + round(seconds * rate)]
    ax.plot((first + np.arange(len(part))) / rate, part, color="C0", linewidth=0.8)
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set(xlabel="time (s)", ylabel="amplitude\n(full scale 1)")
    ax.margins(x=0)
    return ax


def levels(samples, rate, window_ms=25.0, hop_ms=5.0):
    """Level of each frequency in each frame: a short-time Fourier transform with a Hann window.

    Returns levels in dB, shape (frequencies, frames), 0 for a sine of full scale; frequencies in Hz; times in seconds.
    """
    samples = torch.as_tensor(array(samples), dtype=torch.float64)
    window, hop = round(window_ms * rate / 1000), max(1, round(hop_ms * rate / 1000))
    fft = 2 ** int(np.ceil(np.log2(max(window, 1024))))  # zeros around the window: a finer grid, the same resolution
    hann = torch.hann_window(window, dtype=torch.float64)
    spectrum = torch.stft(samples, fft, hop, window, hann, pad_mode="constant", return_complex=True)
    size = 2 * spectrum.abs() / hann.sum()  # (frequencies, frames)
    level = 20 * size.clamp(min=1e-10).log10().numpy()
    return level, np.fft.rfftfreq(fft, 1 / rate), np.arange(level.shape[1]) * hop / rate


def spectrogram(samples, rate, ax=None, *, window_ms=25.0, hop_ms=5.0, top=None, colorbar=True):
    """Which frequencies are loud when, up to `top` Hz; the lightest colour is the loudest level of this sound."""
    ax = axes(ax, (8, 3))
    level, frequency, time = levels(samples, rate, window_ms, hop_ms)
    top, loudest, label = top or rate / 2, level.max(), "level (dB)" if colorbar else None
    keep = frequency <= top
    image(level[keep], ax, time, frequency[keep], low=loudest + FLOOR_DB, high=loudest, smooth=True, label=label)
    ax.set(xlabel="time (s)", ylabel="frequency (Hz)", xlim=(0, len(samples) / rate), ylim=(0, top))
    return ax


def log_mel(x, feature, ax=None, *, colorbar=True, low=None, high=None):
    """Mel spectrogram, shape (bands, frames), as `feature` gives it: a row per band, marked with its frequency in Hz.

    `low` and `high` are the levels of the darkest and the lightest colour.
    """
    values = array(x).reshape(x.shape[-2:])
    high = values.max() if high is None else high
    low = max(values.min(), high + FLOOR_DB) if low is None and feature.log == "db" else low
    units = {"db": "level (dB)", "ln": "level (ln of power)", "none": "power"}
    label = units[feature.log] if colorbar else None
    return mel_image(values, feature, axes(ax, (8, 3)), low=low, high=high, label=label)


def mel_image(values, feature, ax, **look):
    """Any values of shape (bands, frames) on the axes of a mel spectrogram."""
    _over_frames(values, feature, ax, np.arange(len(values)), **look)
    ax.set(ylabel="mel band, centre in Hz")
    ax.set_yticks(*mel_ticks(feature))
    return ax


def mfcc(x, feature, ax=None, *, block=0):
    """MFCC, shape (frames, features), a row per coefficient: themselves (block 0), their slope (1), its slope (2)."""
    ax = axes(ax, (8, 3))
    first = int(block == 0 and feature.n_mfcc > 1)  # coefficient 0, the level of the frame, is far larger than the rest
    rows = np.arange(first, feature.n_mfcc)
    values = array(x).reshape(x.shape[-2:]).T[block * feature.n_mfcc + rows]  # (coefficients, frames)
    bound = max(np.percentile(np.abs(values), 94), 1e-6)  # the lowest coefficients are far larger than the rest
    label = ("dB", "dB per frame", "dB per frame²")[block] if feature.log == "db" else ""
    _over_frames(values, feature, ax, rows, low=-bound, high=bound, cmap="PuOr_r", label=label, extend="both")
    ax.set(ylabel="coefficient", yticks=rows[:: max(1, len(rows) // 6)])
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

    top = feature.f_max or feature.sample_rate / 2
    lowest, highest, *mels = librosa.hz_to_mel([feature.f_min, top, *HEARD], htk=feature.mel_scale == "htk")
    positions, names = [], []
    for hertz, mel in zip(HEARD, mels, strict=True):
        position = float((mel - lowest) / (highest - lowest) * (feature.n_mels + 1) - 1)
        crowded = positions and position - positions[-1] <= feature.n_mels / 16
        if -0.5 <= position <= feature.n_mels - 0.5 and not crowded:
            positions.append(position)
            names.append(f"{hertz:,}")
    return positions, names


def _over_frames(values, feature, ax, rows, **look):
    """An image with a column per frame; the axis ends where the clip ends."""
    time = times(feature, values.shape[1])
    ax.set(xlabel="time (s)", xlim=(0, max(time[-1], feature.hop / feature.sample_rate)))
    image(values, ax, time, rows, **look)
