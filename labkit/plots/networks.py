"""Pictures of networks: the layers with the shapes between them, filters, activations, effects, where it looks."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import LabError
from .sound import array, axes, mel_ticks, times

WORDS = {"Conv2d": "conv", "MaxPool2d": "max pool", "Linear": "linear", "Broadcast": "broadcast block"}
CONTAINERS = (nn.ModuleList, nn.ModuleDict)
PER_ROW = 6
WHITE = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}  # behind a number on a line


@dataclass(frozen=True)
class Step:
    """One layer at work.

    Parameters
    ----------
    name, kind : str
    shape : tuple of int
        Of what it puts out, without the batch.
    parameters : int
    values : torch.Tensor
        What it put out, shape (batch, ...).
    """

    name: str
    kind: str
    shape: tuple
    parameters: int
    values: torch.Tensor


@torch.no_grad()
def layers(network, x, lengths):
    """What each layer of a network puts out for a batch, in the order of work.

    Lists of layers are opened; blocks made of several layers count as one. Dropout changes no shape and is left out.

    Parameters
    ----------
    network : torch.nn.Module
    x, lengths : torch.Tensor
        As its `forward` takes them.

    Returns
    -------
    list of Step
        The input is the first.
    """
    steps, handles = [Step("input", "picture" if x.ndim == 4 else "input", tuple(x.shape[1:]), 0, x)], []

    def watch(name, layer):
        def note(layer, given, got):
            values = got[0] if isinstance(got, tuple) else got
            steps.append(Step(name, _kind(layer), tuple(values.shape[1:]), _count(layer), values.detach()))

        handles.append(layer.register_forward_hook(note))

    def walk(module, prefix=""):
        for name, layer in module.named_children():
            if isinstance(layer, CONTAINERS):
                walk(layer, f"{prefix}{name} ")
            elif not isinstance(layer, nn.Dropout):
                watch(prefix + (str(int(name) + 1) if name.isdecimal() else name), layer)

    walk(network)
    training = network.training
    try:
        network.eval()(x, lengths)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return steps


def _count(layer):
    return sum(weight.numel() for weight in layer.parameters())


def _kind(layer):
    if isinstance(layer, nn.Sequential):
        return _kind(layer[0])
    word = WORDS.get(type(layer).__name__, type(layer).__name__)
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        size = layer.kernel_size
        word += " {}x{}".format(*(size if isinstance(size, tuple) else (size, size)))
    return word


def diagram(steps):
    """A network as a row of boxes: each as high as its picture has bands, and as wide as it has frames.

    Parameters
    ----------
    steps : list of Step
        From `layers`.

    Returns
    -------
    matplotlib.figure.Figure
        Each box says what made it, its shape, and how many parameters that took.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    rows = [steps[start : start + PER_ROW] for start in range(0, len(steps), PER_ROW)]
    sides = [_sides(step.shape) for step in steps]
    top, widest = (max(side[axis] for side in sides) for axis in (0, 1))
    figure, panels = plt.subplots(len(rows), 1, figsize=(9.5, 2.25 * len(rows)), squeeze=False)
    for ax, row in zip(panels[:, 0], rows, strict=True):
        for place, step in enumerate(row):
            height, width = (np.sqrt(a / b) for a, b in zip(_sides(step.shape), (top, widest), strict=True))
            height, width = max(0.9 * height, 0.06), max(0.74 * width, 0.05)
            colour = "C1" if step.kind.startswith("linear") else "C0" if step.parameters else "0.6"
            look = {"facecolor": colour, "alpha": 0.35, "edgecolor": colour, "linewidth": 1.5}
            ax.add_patch(Rectangle((place - width / 2, -height / 2), width, height, **look))
            if step is not steps[-1]:
                ax.annotate("", (place + 0.62, 0), (place + 0.42, 0), arrowprops={"arrowstyle": "->", "color": "0.4"})
            made = f"{step.name}\n{step.kind}" if step.kind != step.name else step.name
            ax.text(place, 0.56, made, ha="center", va="bottom", fontsize=10)
            shape = " × ".join(f"{size:,}" for size in step.shape)
            cost = f"\n{step.parameters:,} param." if step.parameters else ""
            ax.text(place, -0.56, shape + cost, ha="center", va="top", fontsize=10)
        ax.set(xlim=(-0.55, PER_ROW - 0.35), ylim=(-1.05, 1.05))
        ax.axis("off")
    panels[-1, 0].texts[-1].set_fontweight("bold")
    return figure


def _sides(shape):
    """(bands, frames) of a shape; a vector is high and one frame wide."""
    return tuple(shape[-2:]) if len(shape) == 3 else (shape[0], 1) if len(shape) == 1 else (shape[1], shape[0])


def filters(weights):
    """The kernels of a first convolution, one picture each; orange adds, purple takes away.

    Parameters
    ----------
    weights : torch.Tensor
        Shape (channels, 1, bands, frames).

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    weights = array(weights)
    if weights.ndim != 4 or weights.shape[1] != 1:
        raise LabError(
            f"Only a first convolution's kernels can be drawn, (channels, 1, bands, frames), not {weights.shape}."
        )
    columns = min(8, len(weights))
    rows = -(-len(weights) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(1.15 * columns + 0.8, 1.25 * rows + 0.3), squeeze=False)
    bound = np.abs(weights).max()
    for number, ax in enumerate(panels.flat):
        ax.axis("off")
        if number < len(weights):
            drawn = ax.imshow(weights[number, 0], origin="lower", cmap="PuOr_r", vmin=-bound, vmax=bound)
            ax.set_title(str(number + 1), fontsize=10)
    figure.colorbar(drawn, ax=panels, label="weight", shrink=0.9, pad=0.02)
    return figure


def activations(steps, seconds, *, channels=6):
    """What the layers make of one clip: a row per layer that still has a picture, a column per channel.

    Parameters
    ----------
    steps : list of Step
        From `layers`, of a batch whose first clip is drawn.
    seconds : float
        Duration of the picture.
    channels : int
        Draw the strongest so many.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    pictures = [step for step in steps if len(step.shape) == 3 and min(step.shape[1:]) > 1]
    figure, panels = plt.subplots(len(pictures), channels, figsize=(9.5, 1.25 * len(pictures) + 0.5), squeeze=False)
    for row, step in zip(panels, pictures, strict=True):
        values = array(step.values[0].float())  # (channels, bands, frames)
        strongest = np.sort(np.argsort(-values.reshape(len(values), -1).std(axis=1))[:channels])
        for column, ax in enumerate(row):
            ax.set(xticks=[], yticks=[])
            if column >= len(strongest):
                ax.axis("off")
                continue
            extent = (0, seconds, 0, values.shape[1])
            ax.imshow(values[strongest[column]], origin="lower", aspect="auto", extent=extent)
            if len(values) > 1:
                ax.set_title(f"channel {strongest[column] + 1}", fontsize=9, pad=2)
        row[0].set_ylabel(
            f"{step.name}\n{step.shape[1]} × {step.shape[2]}", rotation=0, ha="right", va="center", fontsize=10
        )
        if row is panels[-1]:
            for ax in row:
                ax.set(xlabel="time (s)", xticks=[0, seconds])
    return figure


def effects(table, ax=None, *, guess=()):
    """What each change does, as a difference with its interval.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per change, its name in the index; `mean`, `low`, `high` as shares (`metrics.speaker_interval`).
    ax : matplotlib.axes.Axes, optional
    guess : iterable of str
        Names that the student pointed at.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 1.2 + 0.4 * len(table)))
    places = np.arange(len(table))[::-1]
    mean, low, high = (100 * table[key].to_numpy() for key in ("mean", "low", "high"))
    clear = (low > 0) | (high < 0)
    ax.axvline(0, color="0.3", linewidth=1)
    for shown, marker, colour in ((clear, "o", "C0"), (~clear, "D", "0.5")):
        label = "differs from zero" if marker == "o" else "no difference shown"
        ax.hlines(places[shown], low[shown], high[shown], color=colour, linewidth=2)
        ax.plot(mean[shown], places[shown], marker, color=colour, markersize=7, label=label)
    for place, value, name in zip(places, mean, table.index, strict=True):
        words = f"{value:+.1f}" + ("  (your guess)" if name in set(guess) else "")
        ax.annotate(words, (value, place), (0, 7), textcoords="offset points", ha="center", fontsize=10, bbox=WHITE)
    ax.set_yticks(places, table.index.astype(str))
    ax.set(xlabel="change in accuracy (points)", ylim=(-0.6, len(table) - 0.2))
    ax.margins(x=0.08)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return ax


def importance(values, feature, ax=None, *, label="fall of ln probability"):
    """Where a network looks, on the axes of the picture it looked at.

    Parameters
    ----------
    values : torch.Tensor
        Shape (bands, frames), from `saliency`.
    feature : Spectral
    ax : matplotlib.axes.Axes, optional
    label : str
        What is drawn.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from .sound import image

    ax = axes(ax, (8, 3))
    values = array(values)
    signed = values.min() < 0
    bound = max(np.abs(values).max(), 1e-9)
    look = {"low": -bound, "high": bound, "cmap": "PuOr_r"} if signed else {"low": 0, "high": bound, "cmap": "magma"}
    drawn = image(values, ax, times(feature, values.shape[1]), np.arange(len(values)), **look)
    ax.set(xlabel="time (s)", ylabel="mel band, centre in Hz", yticks=mel_ticks(feature)[0])
    ax.set_yticklabels(mel_ticks(feature)[1])
    ax.figure.colorbar(drawn, ax=ax, label=label, pad=0.01)
    return ax


def rate_range(table, ax=None, *, marks=None):
    """Loss against the learning rate of a range test.

    Parameters
    ----------
    table : pandas.DataFrame
        From `rate_range.rate_range`: `rate`, `loss`, `smooth`.
    ax : matplotlib.axes.Axes, optional
    marks : dict of str to float, optional
        Rates to point at, by name.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3.2))
    ax.plot(table.rate, table.loss, color="C0", alpha=0.3, linewidth=1, label="one batch")
    ax.plot(table.rate, table.smooth, color="C0", linewidth=2, label="running mean")
    for number, (name, rate) in enumerate((marks or {}).items()):
        style = ("--", ":", "-.")[number % 3]
        ax.axvline(rate, color=f"C{number + 1}", linestyle=style, label=f"{name}: {rate:.2g}")
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss (nats)", ylim=(0, 2.2 * table.smooth.iloc[0]))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return ax
