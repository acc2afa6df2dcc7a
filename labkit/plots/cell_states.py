"""What the gates of a recurrent cell do over time."""

import numpy as np

from .sound import image, spectrogram, waveform


def over_time(samples, rate, quantities, times, wanted=("f", "i", "o", "c")):
    """What the units of a cell do while a word is spoken, under its waveform and its spectrogram.

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,).
    rate : int
        Hz.
    quantities : dict of str to torch.Tensor
        As `CellLayer.quantities` returns them, each of shape (frames, hidden).
    times : numpy.ndarray
        Middle of each frame in seconds.
    wanted : iterable of str
        Which to draw; those that the cell lacks are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    drawn = [name for name in wanted if name in quantities]
    figure, panels = plt.subplots(
        2 + len(drawn),
        1,
        figsize=(8.5, 2.6 + 1.45 * len(drawn)),
        sharex=True,
        height_ratios=[0.8, 1.2] + [1] * len(drawn),
    )
    waveform(samples, rate, panels[0])
    spectrogram(samples, rate, panels[1], colorbar=False)
    order = quantities[drawn[0]].mean(0).argsort().tolist()  # units in the same order everywhere
    for name, ax in zip(drawn, panels[2:], strict=True):
        values = quantities[name].detach().cpu().numpy()[:, order].T  # (hidden, frames)
        low, high, cmap = 0, 1, "viridis"  # a gate: closed to open
        if name in ("c", "g", "h"):
            high = max(1e-6, float(np.percentile(np.abs(values), 98))) if name == "c" else 1
            low, cmap = -high, "PuOr_r"
        drawing = image(values, ax, np.asarray(times), np.arange(len(values)), low=low, high=high, cmap=cmap)
        ax.set_ylabel(f"{name}\nunit")
        figure.colorbar(drawing, ax=ax, pad=0.01)
    for ax in panels[:-1]:
        ax.set_xlabel("")
    panels[-1].set(xlabel="time (s)", xlim=(0, len(samples) / rate))
    return figure
