"""Drawings of networks: the layers with the shapes between them, activations, where it looks."""

from dataclasses import dataclass
from functools import partial

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
    def shape(self):  # of what it puts out, without the batch
        return tuple(self.values.shape[1:])


@torch.no_grad()
def layers(network, x, lengths):
    """What each layer or block, but for dropout, puts out for a batch: a list of Step in order, the input first."""
    steps, handles = [Step("input", "picture" if x.ndim == 4 else "input", 0, x)], []

    def watch(module, prefix=""):
        for name, layer in module.named_children():
            if isinstance(layer, nn.ModuleList | nn.ModuleDict):
                watch(layer, f"{prefix}{name} ")
            elif not isinstance(layer, nn.Dropout):
                name = str(int(name) + 1) if name.isdecimal() else name
                handles.append(layer.register_forward_hook(partial(note, prefix + name)))

    def note(name, layer, inputs, outputs):
        values = outputs[0] if isinstance(outputs, tuple) else outputs
        steps.append(Step(name, _kind(layer), count_parameters(layer), values))

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
    if not isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        return word
    bands, frames = np.broadcast_to(layer.kernel_size, 2)
    return f"{word} {bands}x{frames}"


def diagram(steps):
    """The steps of `layers` as boxes, as high as they have bands and as wide as they have frames. Gives a figure."""
    rows = [steps[start : start + PER_ROW] for start in range(0, len(steps), PER_ROW)]
    tallest, widest = np.max([_sides(step.shape) for step in steps], axis=0)
    figure, panels = plt.subplots(len(rows), 1, figsize=(9.5, 2.25 * len(rows)), squeeze=False)
    for ax, row in zip(panels[:, 0], rows, strict=True):
        for place, step in enumerate(row):
            bands, frames = _sides(step.shape)
            height, width = max(0.9 * np.sqrt(bands / tallest), 0.06), max(0.74 * np.sqrt(frames / widest), 0.05)
            colour = "C1" if step.kind.startswith("linear") else "C0" if step.parameters else "0.6"
            corner = place - width / 2, -height / 2
            ax.add_patch(Rectangle(corner, width, height, color=colour, alpha=0.35, linewidth=1.5))
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
    """What each layer with bands and frames makes of the first clip: its channels that vary most. Gives a figure."""
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
    low, cmap = (-bound, "PuOr_r") if values.min() < 0 else (0, "magma")
    return mel_image(values, feature, axes(ax, (8, 3)), low=low, high=bound, cmap=cmap, label=label)
