"""Pictures of one sound: waveform, spectrogram, mel spectrogram, MFCC. Time in seconds, frequency in hertz."""

import numpy as np

FLOOR_DB = -60  # what is quieter is drawn as dark as this
HEARD = (100, 200, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz, marked on a mel axis


def waveform(samples, rate, ax=None, *, start=0.0, seconds=None):
    """Air pressure over time.

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,), between -1 and 1.
    rate : int
        Hz.
    ax : matplotlib.axes.Axes, optional
    start : float
        Draw from this time on, in seconds.
    seconds : float, optional
        Draw so much; by default to the end.

    Returns
    -------
    matplotlib.axes.Axes
    """
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

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,), between -1 and 1.
    rate : int
        Hz.
    window_ms, hop_ms : float
        Length of a frame and step between frames, in milliseconds.

    Returns
    -------
    tuple of numpy.ndarray
        Levels in dB, shape (frequencies, frames), 0 for a sine of full scale; frequencies in Hz; times in seconds.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    >>> level, frequency, time = levels(tone, 16_000, window_ms=40)
    >>> float(frequency[level[:, 100].argmax()]), abs(round(float(level[:, 100].max()), 1))
    (1000.0, 0.0)
    """
    samples = array(samples).astype(np.float64)
    window, hop = round(window_ms * rate / 1000), max(1, round(hop_ms * rate / 1000))
    fft = 2 ** int(np.ceil(np.log2(max(window, 1024))))  # zeros around the window: a finer grid, the same resolution
    hann = np.hanning(window + 1)[:-1]
    padded = np.pad(samples, (window // 2, window))
    starts = np.arange(0, len(samples) + 1, hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[starts] * hann  # (frames, window)
    size = np.abs(np.fft.rfft(frames, fft)).T * 2 / hann.sum()  # (frequencies, frames)
    return 20 * np.log10(np.maximum(size, 1e-10)), np.fft.rfftfreq(fft, 1 / rate), starts / rate


def spectrogram(samples, rate, ax=None, *, window_ms=25.0, hop_ms=5.0, top=None, colorbar=True, loudest=None):
    """Which frequencies are loud when, frequency on a linear axis.

    Parameters
    ----------
    samples, rate
        As for `waveform`.
    ax : matplotlib.axes.Axes, optional
    window_ms, hop_ms : float
    top : float, optional
        Highest frequency to draw, in Hz.
    colorbar : bool
    loudest : float, optional
        Level of the lightest colour in dB; by default the loudest of this sound. Give one number to compare sounds.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3))
    level, frequency, time = levels(samples, rate, window_ms, hop_ms)
    keep = frequency <= (top or rate / 2)
    loudest = level.max() if loudest is None else loudest
    drawn = image(level[keep], ax, time, frequency[keep], low=loudest + FLOOR_DB, high=loudest, smooth=True)
    ax.set(xlabel="time (s)", ylabel="frequency (Hz)", xlim=(0, len(samples) / rate), ylim=(0, top or rate / 2))
    if colorbar:
        ax.figure.colorbar(drawn, ax=ax, label="level (dB)", pad=0.01)
    return ax


def image(values, ax, x, y, *, low=None, high=None, cmap="viridis", smooth=False):
    """Draw a matrix whose columns lie at `x` and whose rows at `y` (evenly spaced).

    Parameters
    ----------
    values : numpy.ndarray
        Shape (rows, columns).
    ax : matplotlib.axes.Axes
    x, y : numpy.ndarray
        Centres of columns and of rows.
    low, high : float, optional
        Values of the darkest and the lightest colour.
    cmap : str
    smooth : bool
        Average where several values share a pixel; without it each value is a rectangle of one colour.

    Returns
    -------
    matplotlib.image.AxesImage
    """
    half = [(axis[1] - axis[0]) / 2 if len(axis) > 1 else 0.5 for axis in (x, y)]
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
    look = {"cmap": cmap, "interpolation": "auto" if smooth else "nearest"}
    return ax.imshow(values, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high, **look)


def log_mel(x, feature, ax=None, *, colorbar=True, low=None, high=None):
    """Mel spectrogram: a row per band, marked with its frequency in Hz.

    Parameters
    ----------
    x : numpy.ndarray or torch.Tensor
        Shape (bands, frames); axes of length 1 before them are dropped.
    feature : Spectral
        The setting it was computed with: gives the times and the frequencies.
    ax : matplotlib.axes.Axes, optional
    colorbar : bool
    low, high : float, optional
        Levels of the darkest and the lightest colour.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3))
    values = array(x)
    values = values.reshape(values.shape[-2:])
    high = values.max() if high is None else high
    low = max(values.min(), high + FLOOR_DB) if low is None and feature.log == "db" else low
    drawn = image(values, ax, times(feature, values.shape[1]), np.arange(len(values)), low=low, high=high)
    ax.set(xlabel="time (s)", ylabel="mel band, centre in Hz", yticks=mel_ticks(feature)[0])
    ax.set_yticklabels(mel_ticks(feature)[1])
    _within(ax, feature, values.shape[1])
    if colorbar:
        units = {"db": "level (dB)", "ln": "level (ln of power)", "none": "power"}
        ax.figure.colorbar(drawn, ax=ax, label=units[feature.log], pad=0.01)
    return ax


def mfcc(x, feature, ax=None, *, block=0, colorbar=True):
    """MFCC, or their deltas: a row per coefficient.

    Coefficient 0 (the level of the whole frame) is many times larger than the others and is left out of block 0.

    Parameters
    ----------
    x : numpy.ndarray or torch.Tensor
        Shape (frames, features); axes of length 1 before them are dropped.
    feature : MFCC
    ax : matplotlib.axes.Axes, optional
    block : {0, 1, 2}
        The coefficients, their slope over time, the slope of the slope.
    colorbar : bool

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3))
    values = array(x)
    values = values.reshape(values.shape[-2:]).T  # (features, frames)
    first = block == 0 and feature.n_mfcc > 1
    rows = np.arange(int(first), feature.n_mfcc)
    values = values[block * feature.n_mfcc + rows]
    bound = max(np.percentile(np.abs(values), 94), 1e-6)  # the lowest coefficients are far larger than the rest
    drawn = image(values, ax, times(feature, values.shape[1]), rows, low=-bound, high=bound, cmap="PuOr_r")
    ax.set(xlabel="time (s)", ylabel="coefficient", yticks=rows[:: max(1, len(rows) // 6)])
    _within(ax, feature, values.shape[1])
    if colorbar:
        unit = ("dB", "dB per frame", "dB per frame²")[block]
        ax.figure.colorbar(drawn, ax=ax, label=unit if feature.log == "db" else "", pad=0.01, extend="both")
    return ax


def deltas(x, feature):
    """MFCC and their deltas, one under the other; see `mfcc`. Returns a Figure."""
    import matplotlib.pyplot as plt

    names = ("MFCC", "delta: how fast they change", "delta-delta: how fast the change changes")
    blocks = 1 + feature.deltas
    figure, panels = plt.subplots(blocks, 1, figsize=(8, 0.6 + 1.7 * blocks), sharex=True, squeeze=False)
    for block, ax in enumerate(panels[:, 0]):
        mfcc(x, feature, ax, block=block)
        ax.set_title(names[block], loc="left")
        if block + 1 < blocks:
            ax.set_xlabel("")
    return figure


def times(feature, frames):
    """Time of the middle of each frame in seconds, shape (frames,)."""
    return np.arange(frames) * feature.hop / feature.sample_rate


def mel_ticks(feature):
    """Where a mel axis is marked.

    Parameters
    ----------
    feature : Spectral

    Returns
    -------
    tuple of (list of float, list of str)
        Positions in bands, 0 being the centre of the lowest, and the frequencies there in Hz, those of `HEARD` that the
        bands reach.

    Examples
    --------
    >>> from labkit.features import LogMel
    >>> positions, names = mel_ticks(LogMel(n_mels=40))
    >>> names
    ['100', '500', '1,000', '2,000', '4,000']
    """
    low, high = (mel(hertz, feature.mel_scale) for hertz in (feature.f_min, feature.f_max or feature.sample_rate / 2))
    positions, names = [], []
    for hertz in HEARD:
        position = (mel(hertz, feature.mel_scale) - low) / (high - low) * (feature.n_mels + 1) - 1
        if -0.5 <= position <= feature.n_mels - 0.5 and (
            not positions or position - positions[-1] > feature.n_mels / 16
        ):
            positions.append(float(position))
            names.append(f"{hertz:,}")
    return positions, names


def mel(hertz, scale="htk"):
    """Frequency in mel: equal steps sound about equally large (Stevens, Volkmann and Newman, 1937).

    >>> round(float(mel(1000))), round(float(mel(1000, "slaney")), 6)
    (1000, 15.0)
    """
    hertz = np.asarray(hertz, dtype=np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    return np.where(hertz < 1000, 3 * hertz / 200, 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4))


def axes(ax, size):
    """The axes given, or those of a new figure of `size` inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size)[1]


def array(values):
    """A tensor on any device, or an array, as an array."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def _within(ax, feature, frames):
    """End the time axis where the clip ends."""
    last = (frames - 1) * feature.hop / feature.sample_rate
    ax.set_xlim(0, max(last, feature.hop / feature.sample_rate))
