"""What the gates of a recurrent cell do over time."""

import matplotlib.pyplot as plt
import numpy as np

from .canvas import array, image
from .sound import spectrogram, waveform


def over_time(samples, rate, quantities, times, wanted=("f", "i", "o", "c")):
    """What the units of a cell do while a word is spoken, under its waveform and its spectrogram. Gives a figure.

    `quantities` maps names to (frames, hidden), as `CellLayer.quantities` returns them; `times` are the middles of the
    frames in seconds. Of those `wanted`, the ones that the cell has are drawn.
    """
    drawn = [name for name in wanted if name in quantities]
    heights, size = [0.8, 1.2] + [1] * len(drawn), (8.5, 2.6 + 1.45 * len(drawn))
    figure, panels = plt.subplots(len(heights), 1, figsize=size, sharex=True, height_ratios=heights)
    waveform(samples, rate, panels[0])
    spectrogram(samples, rate, panels[1], colorbar=False)
    order = quantities[drawn[0]].mean(0).argsort().tolist()  # units in the same order everywhere
    for name, ax in zip(drawn, panels[2:], strict=True):
        values = array(quantities[name])[:, order].T  # (hidden, frames)
        low, high, cmap = 0, 1, "viridis"  # a gate: closed to open
        if name in ("c", "g", "h"):
            high = max(1e-6, float(np.percentile(np.abs(values), 98))) if name == "c" else 1
            low, cmap = -high, "PuOr_r"
        image(values, ax, times, np.arange(len(values)), low=low, high=high, cmap=cmap, label="")
        ax.set_ylabel(f"{name}\nunit")
    panels[-1].set(xlabel="time (s)", xlim=(0, len(samples) / rate))
    for ax in panels:
        ax.label_outer()
    return figure
