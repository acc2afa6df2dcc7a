"""Pictures of networks: the layers with the shapes between them, activations, where it looks."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Rectangle
from torch import nn

from ..models import count_parameters
from .canvas import array, axes
from .sound import mel_image

WORDS = {"Conv2d": "conv", "MaxPool2d": "max pool", "Linear": "linear", "Broadcast": "broadcast block"}
PER_ROW = 6


@dataclass(frozen=True)
class Step:
    """One layer at work."""

    name: str
    kind: str
    parameters: int
    values: torch.Tensor  # what it put out: (batch, ...)

    @property
    def shape(self):
        """Of what it puts out, without the batch."""
        return tuple(self.values.shape[1:])


@torch.no_grad()
def layers(network, x, lengths):
    """What each layer of a network puts out for a batch: a list of Step in the order of work, the input first.

    Lists of layers are opened; blocks made of several layers count as one. Dropout changes no shape and is left out.
    """
    steps, handles = [Step("input", "picture" if x.ndim == 4 else "input", 0, x)], []

    def watch(module, prefix=""):
        for name, layer in module.named_children():
            if isinstance(layer, nn.ModuleList | nn.ModuleDict):
                watch(layer, f"{prefix}{name} ")
            elif not isinstance(layer, nn.Dropout):
                name = prefix + (str(int(name) + 1) if name.isdecimal() else name)
                handles.append(layer.register_forward_hook(note(name)))

    def note(name):
        def hook(layer, given, got):
            values = got[0] if isinstance(got, tuple) else got
            steps.append(Step(name, _kind(layer), count_parameters(layer), values.detach()))

        return hook

    watch(network)
    training = network.training
    try:
        network.eval()(x, lengths)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return steps


def _kind(layer):
    if isinstance(layer, nn.Sequential):
        return _kind(layer[0])
    word = WORDS.get(type(layer).__name__, type(layer).__name__)
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        size = layer.kernel_size
        word += " {}x{}".format(*(size if isinstance(size, tuple) else (size, size)))
    return word


def diagram(steps):
    """A network (as from `layers`) as rows of boxes: each as high as its output has bands, as wide as it has frames.

    Each box says what made it, its shape, and how many parameters that took. Returns a figure.
    """
    rows = [steps[start : start + PER_ROW] for start in range(0, len(steps), PER_ROW)]
    tallest, widest = np.max([_sides(step.shape) for step in steps], axis=0)
    figure, panels = plt.subplots(len(rows), 1, figsize=(9.5, 2.25 * len(rows)), squeeze=False)
    for ax, row in zip(panels[:, 0], rows, strict=True):
        for place, step in enumerate(row):
            bands, frames = _sides(step.shape)
            height, width = max(0.9 * np.sqrt(bands / tallest), 0.06), max(0.74 * np.sqrt(frames / widest), 0.05)
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
    return shape[-2:] if len(shape) == 3 else (shape[0], 1) if len(shape) == 1 else (shape[1], shape[0])


def activations(steps, seconds, *, channels=6):
    """What the layers (as from `layers`) make of the first clip of their batch, which lasts so many seconds.

    A row for each layer that still has bands and frames, a column for each of its channels that vary most. Returns a
    figure.
    """
    steps = [step for step in steps if len(step.shape) == 3 and min(step.shape[1:]) > 1]
    figure, panels = plt.subplots(len(steps), channels, figsize=(9.5, 1.25 * len(steps) + 0.5), squeeze=False)
    for row, step in zip(panels, steps, strict=True):
        values = array(step.values[0].float())  # (channels, bands, frames)
        strongest = np.sort(np.argsort(-values.std(axis=(1, 2)))[:channels])
        for ax in row[len(strongest) :]:
            ax.axis("off")
        for ax, channel in zip(row, strongest, strict=False):
            ax.imshow(values[channel], origin="lower", aspect="auto", extent=(0, seconds, 0, values.shape[1]))
            ax.set_title(f"channel {channel + 1}" if len(values) > 1 else "", fontsize=9, pad=2)
        for ax in row:
            ax.set(xticks=[], yticks=[])
        name = f"{step.name}\n{step.shape[1]} × {step.shape[2]}"
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    for ax in panels[-1]:
        ax.set(xlabel="time (s)", xticks=[0, seconds])
    return figure


def importance(values, feature, ax=None, *, label="fall of ln probability"):
    """Where a network looks, shape (bands, frames) as from `saliency`, on the axes of the feature it looked at."""
    values = array(values)
    bound = max(np.abs(values).max(), 1e-9)
    signed = {"low": -bound, "high": bound, "cmap": "PuOr_r"}
    look = signed if values.min() < 0 else {"low": 0, "high": bound, "cmap": "magma"}
    return mel_image(values, feature, axes(ax, (8, 3)), label, **look)
