"""What drawings share: axes to draw on, a matrix as an image, the legend above the axes, a line at a share."""

import matplotlib.pyplot as plt
import numpy as np

MARKERS = "osD^v"  # lines differ by them too, for readers who cannot tell their colours
WHITE = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}  # behind a number on a line


def axes(ax, size):
    """The axes given, or those of a new figure of `size` inches."""
    return plt.subplots(figsize=size)[1] if ax is None else ax


def array(values):
    """A tensor on any device, or an array, as an array."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def image(values, ax, x, y, *, low=None, high=None, cmap="viridis", smooth=False):
    """Draw a matrix whose columns are centred at `x` and whose rows at `y` (evenly spaced).

    `low` and `high` are the values of the darkest and the lightest colour; `smooth` averages where several values share
    a pixel, else each value is a rectangle of one colour.
    """
    half = [(axis[1] - axis[0]) / 2 if len(axis) > 1 else 0.5 for axis in (x, y)]
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
    look = {"cmap": cmap, "interpolation": "auto" if smooth else "nearest"}
    return ax.imshow(values, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high, **look)


def legend_above(ax, columns=4, **look):
    """The legend outside the axes, where it hides nothing."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, **look)
    return ax


def share_line(line, name, share, style=":"):
    """A line at a share between 0 and 1, named in percent; `line` is `ax.axhline` or `ax.axvline`."""
    if share is not None:
        line(100 * share, linestyle=style, color="0.3", label=f"{name}: {100 * share:.0f}%")
