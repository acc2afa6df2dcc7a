"""Three published mel-spectrogram CNNs, M1 to M3, and one table of what differs between them.

A student study trained three networks on Speech Commands, each "at 8 kHz" and "at 16 kHz". All share one plan: two
convolutions, three linear layers. `VARIANTS` holds every version, so a new row is a new entry.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from ..errors import choose
from ..models import Dropout, inside, register
from ..settings import Count
from . import check_room

KERNEL, POOL = 3, 3


@register("mel_cnn")
class MelCNN(nn.Module):
    """Convolution and pool, twice; then three linear layers. No batch norm."""

    takes, one_length = "images", True
    layout = torch.channels_last  # the same numbers, in the order that a CPU convolves fastest

    def __init__(
        self,
        shape,  # (1, bands, frames)
        classes,
        channels: tuple[Count, Count] = (8, 16),  # after each convolution
        hidden: Annotated[int, Field(ge=2)] = 256,  # of the first linear layer; the second has half of it
        # after each convolution, and after each of the first two linear layers
        dropout: tuple[Dropout, Dropout, Dropout, Dropout] = (0.0, 0.0, 0.0, 0.0),
    ):
        super().__init__()
        left = shape[1:]
        for _ in range(2):  # convolution and pool
            left = [(side - KERNEL + 1) // POOL for side in left]
        check_room(shape, *left)
        self.convolution1 = nn.Conv2d(1, channels[0], KERNEL)
        self.convolution2 = nn.Conv2d(channels[0], channels[1], KERNEL)
        self.pool = nn.MaxPool2d(POOL)
        self.linear1 = nn.Linear(channels[1] * left[0] * left[1], hidden)
        self.linear2 = nn.Linear(hidden, hidden // 2)
        self.scores = nn.Linear(hidden // 2, classes)
        self.drop = nn.ModuleList(nn.Dropout(fraction) for fraction in dropout)
        self.to(memory_format=self.layout)

    def forward(self, x, lengths):
        # x: (batch, 1, bands, frames)
        x = quiet_beyond(x, lengths).contiguous(memory_format=self.layout)
        x = self.drop[0](self.pool(self.convolution1(x).relu()))  # (batch, 8, bands / 3, frames / 3)
        x = self.drop[1](self.pool(self.convolution2(x).relu()))  # (batch, 16, bands / 9, frames / 9)
        x = self.drop[2](self.linear1(x.flatten(1)).relu())  # (batch, hidden)
        x = self.drop[3](self.linear2(x).relu())  # (batch, hidden / 2)
        return self.scores(x)  # (batch, classes)


def quiet_beyond(x, lengths):
    """Fill what lies beyond each clip with the quietest value of that clip: (batch, 1, bands, frames).

    The linear layers look at every place of the spectrogram, so padding must hold *something*. Zero would not do: on a
    scale of decibels it is loud.
    """
    mask = inside(x.shape[3], lengths)[:, None, None]  # (batch, 1, 1, frames)
    quietest = x.masked_fill(~mask, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
    return torch.where(mask, x, quietest)


# The table. A variant is an experiment in three words (front-end, dropout, training), each looked up in a dict.

LONG = {"window_ms": 25.0, "hop_ms": 12.5}
FRONTS = {
    # Mel power without a logarithm, not normalised; the zeros after a short clip count as signal.
    "power 16k": {**LONG, "n_mels": 128, "log": "none"},
    # "8 kHz": the mel filters were told 8,000 Hz, the sound kept its 16,000 samples a second.
    "power 8k": {**LONG, "n_mels": 128, "log": "none", "mel_rate": 8000},
    "log, 40": {"n_mels": 40, "window_ms": 20.0, "hop_ms": 10.0, "n_fft": 512},
    "log, 80": {**LONG, "n_mels": 80},
    # 201 frequencies allow at most 89 mel bands at 16 kHz; over 4,000 Hz they allow 128.
    "true 16k": {**LONG, "n_mels": 80, "normalise": True},
    "true 8k": {"sample_rate": 8000, "n_mels": 128, "window_ms": 50.0, "hop_ms": 25.0, "normalise": True},
}
DROPOUTS = {"convolutions": (0.5, 0.5, 0.0, 0.0), "middle": (0.0, 0.3, 0.3, 0.0), "everywhere": (0.3, 0.3, 0.3, 0.3)}
ADAM = {"optimiser": "adam", "rate": 0.01, "batch": 256, "epochs": 10, "weight_decay": 0.0, "clip_norm": None}
TRAININGS = {
    # Their OneCycle was made for epochs * batches steps and moved on once an epoch. (M1's for 5 epochs starts alike.)
    "by epoch": ADAM | {"schedule_step": "epoch"},
    "by epoch, decay": ADAM | {"schedule_step": "epoch", "weight_decay": 1e-4},
    "constant": ADAM | {"schedule": "constant"},  # StepLR(20) never steps in 10 epochs
    "fast": ADAM | {"schedule": "constant", "rate": 0.05, "batch": 100},
    "by batch": ADAM,
}


@dataclass(frozen=True)
class Variant:
    """One row of the study."""

    front: str  # keys of FRONTS, DROPOUTS, TRAININGS
    dropout: str
    training: str
    parameters: int  # trainable, with 35 classes
    published: float | None = None  # accuracy on 35 words (official lists) in their README
    notebook: float | None = None  # and in the outputs of their saved notebook
    note: str = ""


LOST = "a run that they did not keep"
VARIANTS = {
    "M1-8k": Variant("power 8k", "convolutions", "by epoch, decay", 464_899, 0.64, 0.64),
    "M1-16k": Variant("log, 40", "convolutions", "by epoch, decay", 161_795, 0.55, note="RuntimeError there"),
    "M2-8k": Variant("power 8k", "convolutions", "constant", 464_899, None, 0.40),
    "M2-16k": Variant("power 16k", "convolutions", "constant", 464_899, None, 0.22),
    "M2-8k README": Variant("power 8k", "convolutions", "fast", 464_899, 0.62, note=LOST),
    "M2-16k README": Variant("power 16k", "convolutions", "fast", 464_899, 0.63, note=LOST),
    "M3-8k": Variant("power 8k", "middle", "by epoch", 464_899, 0.71, 0.71),
    "M3-16k": Variant("power 16k", "everywhere", "by epoch", 464_899, 0.60, 0.60),
    "M1-16k README": Variant("log, 80", "convolutions", "by epoch, decay", 301_059, note="a count without a run"),
    "M3-8k repaired": Variant("true 8k", "middle", "by batch", 198_659),
    "M3-16k repaired": Variant("true 16k", "everywhere", "by batch", 301_059),
}


def settings(name):
    """Feature, model and recipe of a variant, as `Experiment.from_dict` reads them."""
    variant = choose(name, VARIANTS, "variant of the mel CNN")
    return {
        "feature": {"name": "log_mel", "normalise": False, "padding": "signal", **FRONTS[variant.front]},
        "model": {"name": "mel_cnn", "dropout": DROPOUTS[variant.dropout]},
        "recipe": dict(TRAININGS[variant.training]),
    }


# One factor at a time, from M3-8k as it was run: what changes, as settings by part of the experiment.
AUDIT = {
    "as run (M3-8k)": {},
    "true 8 kHz": {"feature": {"sample_rate": 8000, "window_ms": 50.0, "hop_ms": 25.0, "mel_rate": None}},
    "logarithm": {"feature": {"log": "db"}},
    "normalised": {"feature": {"normalise": True}},
    "schedule by batch": {"recipe": {"schedule_step": "batch"}},
    "rate held at 0.0004": {"recipe": {"schedule": "constant", "rate": 4e-4}},  # what theirs hardly left
    "no dropout": {"model": {"dropout": (0.0, 0.0, 0.0, 0.0)}},
    "dropout as M1, M2": {"model": {"dropout": DROPOUTS["convolutions"]}},
    "dropout everywhere": {"model": {"dropout": DROPOUTS["everywhere"]}},
    "batch 64": {"recipe": {"batch": 64}},
    "rate 0.003": {"recipe": {"rate": 0.003}},
    "30 epochs": {"recipe": {"epochs": 30}},
}
