"""Drawings of networks: layers with the shapes between them, activations, where a network looks."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from ..models import count_parameters
from .canvas import array
from .sound import mel_image

WORDS = {"Conv2d": "conv", "MaxPool2d": "max pool", "Linear": "linear", "Broadcast": "broadcast block"}
PER_ROW = 6  # layers of a diagram
CHANNELS = 6  # of each layer that are drawn


@dataclass(frozen=True)
class Step:
    """One layer at work."""

    name: str
    kind: str
    parameters: int
    values: torch.Tensor  # its output: (batch, ...)


def layers(network, x, lengths):
    """The output of each layer or block, dropout aside, for a batch: a list of Step in order, the input first."""
    steps = [Step("input", "picture" if x.ndim == 4 else "input", 0, x)]

    def watch(module, prefix=""):
        for name, layer in module.named_children():
            if isinstance(layer, nn.ModuleList | nn.ModuleDict):
                watch(layer, f"{prefix}{name} ")
            elif not isinstance(layer, nn.Dropout):
                name = str(int(name) + 1) if name.isdecimal() else name
                hooks.enter_context(layer.register_forward_hook(partial(note, prefix + name)))

    def note(name, layer, inputs, outputs):
        values = outputs[0] if isinstance(outputs, tuple) else outputs
        first = layer
        while isinstance(first, nn.Sequential):
            first = first[0]
        kind = WORDS.get(type(first).__name__, type(first).__name__)
        if isinstance(first, nn.Conv2d | nn.MaxPool2d):
            bands, frames = np.broadcast_to(first.kernel_size, 2)
            kind = f"{kind} {bands}x{frames}"
        steps.append(Step(name, kind, count_parameters(layer), values))

    with ExitStack() as hooks, torch.no_grad():
        hooks.callback(network.train, network.training)  # in the end it is as it was
        watch(network)
        network.eval()(x, lengths)
    return steps


def diagram(steps):
    """The steps of `layers` as boxes, as high as they have bands and as wide as they have frames. Gives a figure."""
    rows = [steps[start : start + PER_ROW] for start in range(0, len(steps), PER_ROW)]
    tallest, widest = np.max([_sides(step.values[0].shape) for step in steps], axis=0)
    figure, panels = plt.subplots(len(rows), 1, figsize=(9.5, 2.25 * len(rows)), squeeze=False)
    for ax, row in zip(panels[:, 0], rows, strict=True):
        for place, step in enumerate(row):
            bands, frames = _sides(step.values[0].shape)
            height, width = max(0.9 * np.sqrt(bands / tallest), 0.06), max(0.74 * np.sqrt(frames / widest), 0.05)
            colour = "C1" if step.kind.startswith("linear") else "C0" if step.parameters else "0.6"
            ax.bar(place, height, width, -height / 2, color=colour, edgecolor=colour, alpha=0.35, linewidth=1.5)
            if step is not steps[-1]:
                ax.annotate("", (place + 0.62, 0), (place + 0.42, 0), arrowprops={"arrowstyle": "->", "color": "0.4"})
            made = f"{step.name}\n{step.kind}" if step.kind != step.name else step.name
            ax.text(place, 0.56, made, ha="center", va="bottom", fontsize=10)
            shape = " × ".join(f"{size:,}" for size in step.values[0].shape)
            cost = f"\n{step.parameters:,} param." if step.parameters else ""
            ax.text(place, -0.56, shape + cost, ha="center", va="top", fontsize=10)
        ax.set(xlim=(-0.55, PER_ROW - 0.35), ylim=(-1.05, 1.05))
        ax.axis("off")
    panels[-1, 0].texts[-1].set_fontweight("bold")
    return figure


def _sides(shape):
    """(bands, frames) of a shape; a vector is high and one frame wide."""
    return shape[-2:] if len(shape) == 3 else (shape[0], 1) if len(shape) == 1 else (shape[1], shape[0])


def activations(steps, seconds):
    """What each layer with bands and frames makes of the first clip: its channels that vary most. Gives a figure."""
    steps = [step for step in steps if step.values.ndim == 4 and min(step.values.shape[2:]) > 1]
    figure, panels = plt.subplots(len(steps), CHANNELS, figsize=(9.5, 1.25 * len(steps) + 0.5), squeeze=False)
    for row, step in zip(panels, steps, strict=True):
        values = array(step.values[0].float())  # (channels, bands, frames)
        strongest = np.sort(np.argsort(-values.std(axis=(1, 2)))[:CHANNELS])
        for ax in row[len(strongest) :]:
            ax.axis("off")
        for ax, channel in zip(row, strongest, strict=False):
            ax.imshow(values[channel], origin="lower", aspect="auto", extent=(0, seconds, 0, values.shape[1]))
            ax.set_title(f"channel {channel + 1}" if len(values) > 1 else "", fontsize=9, pad=2)
            ax.set(xticks=[], yticks=[])
        name = f"{step.name}\n{values.shape[1]} × {values.shape[2]}"
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    for ax in panels[-1]:
        ax.set(xlabel="time (s)", xticks=[0, seconds])
    return figure


def importance(values, feature, ax=None, *, label="fall of ln probability"):
    """Where a network looks, shape (bands, frames) as from `interpret.occlusion`, on the axes of its feature."""
    values = array(values)
    bound = max(np.abs(values).max(), 1e-9)
    low, cmap = (-bound, "PuOr_r") if values.min() < 0 else (0, "magma")
    return mel_image(values, feature, ax, low=low, high=bound, cmap=cmap, label=label)
