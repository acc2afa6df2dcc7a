"""What drawings share: a matrix as an image, marks, notes, the legend above the axes."""

import numpy as np

MARKERS = "osD^v"  # lines differ by them too, for readers who cannot tell their colours apart
WHITE = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}  # behind a number on a line
RING = {"markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black"}


def array(values):
    """A tensor on any device, or an array, as an array."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def image(values, ax, x, y, *, low=None, high=None, cmap="viridis", label=None, extend="neither"):
    """Draw a matrix whose columns are centred at `x` and whose rows at `y` (evenly spaced), with a colour bar if named.

    `low` and `high` are the values of the darkest and of the lightest colour. The axis ends at the last centre.
    """
    half = [(axis[1] - axis[0]) / 2 if len(axis) > 1 else 0.5 for axis in (x, y)]
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
    drawn = ax.imshow(values, cmap, vmin=low, vmax=high, origin="lower", aspect="auto", extent=extent)
    ax.set_xlim(x[0], max(x[-1], x[0] + half[0]))
    if label is not None:
        ax.figure.colorbar(drawn, ax=ax, label=label, pad=0.01, extend=extend)
    return drawn


def mark(number, name, size=4):
    """How the line or the dots with this number look: each has its colour and its marker."""
    return {"color": f"C{number}", "marker": MARKERS[number % 5], "markersize": size, "label": name}


def note(ax, text, place, offset, ha="center", **look):
    """Write a text beside a place; `offset` is in points."""
    ax.annotate(text, place, offset, textcoords="offset points", ha=ha, **look)


def legend_above(ax, columns=None, **look):
    """The legend outside the axes, where it hides nothing."""
    wide = ax.figure.get_figwidth() * ax.get_position().width > 4.5  # inches
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns or (4 if wide else 2), borderaxespad=0.2, **look)
    return ax


def fraction_line(line, name, fraction, style=":", color="0.3"):
    """A line at a fraction between 0 and 1, labelled in percent; `line` is `ax.axhline` or `ax.axvline`."""
    if fraction is not None:
        line(100 * fraction, linestyle=style, color=color, label=f"{name}: {100 * fraction:.3g}%")
