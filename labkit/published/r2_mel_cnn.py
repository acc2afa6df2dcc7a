"""R2's three mel-spectrogram CNNs, M1 to M3, each "at 8 kHz" and "at 16 kHz"; and their rivals on raw samples.

All three share one plan: two convolutions, three linear layers. The table `VARIANTS` holds what differs.
"""

import itertools
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from ..models import Dropout, inside, register
from ..models.rnn import last_frame, mean_frames
from ..settings import Count
from . import Variant, check_room, settings_in

FIRST = 80  # samples under the first kernel of the rivals: 5 ms at 16 kHz


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
        left = [((side - 2) // 3 - 2) // 3 for side in shape[1:]]
        check_room(shape, *left)
        self.convolution1 = nn.Conv2d(1, channels[0], 3)
        self.convolution2 = nn.Conv2d(channels[0], channels[1], 3)
        self.pool = nn.MaxPool2d(3)
        self.linear1 = nn.Linear(channels[1] * left[0] * left[1], hidden)
        self.linear2 = nn.Linear(hidden, hidden // 2)
        self.head = nn.Linear(hidden // 2, classes)
        self.drop = nn.ModuleList(nn.Dropout(fraction) for fraction in dropout)

    def forward(self, x, lengths):
        # x: (batch, 1, bands, frames)
        x = quiet_beyond(x, lengths).contiguous(memory_format=self.layout)
        x = self.drop[0](self.pool(self.convolution1(x).relu()))  # (batch, 8, bands / 3, frames / 3)
        x = self.drop[1](self.pool(self.convolution2(x).relu()))  # (batch, 16, bands / 9, frames / 9)
        x = self.drop[2](self.linear1(x.flatten(1)).relu())  # (batch, hidden)
        x = self.drop[3](self.linear2(x).relu())  # (batch, hidden / 2)
        return self.head(x)  # (batch, classes)


def quiet_beyond(x, lengths):
    """Fill the padding of (batch, 1, bands, frames) with each clip's quietest value; in decibels, 0 would be loud."""
    mask = inside(x.shape[3], lengths)[:, None, None]  # (batch, 1, 1, frames)
    quietest = x.masked_fill(~mask, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
    return torch.where(mask, x, quietest)


class Convolutions(nn.Module):
    """Blocks of convolution, batch norm, ReLU and pool over samples: `widths` are the channels after each."""

    def __init__(self, shape, widths, stride):
        super().__init__()
        self.stride = stride  # of the first convolution, in samples
        self.blocks = nn.ModuleList()
        for number, (before, width) in enumerate(itertools.pairwise((1, *widths))):
            kernel, step = (3, 1) if number else (FIRST, stride)
            # Height 1 and channels last: the same numbers as Conv1d, in half of its time on a CPU.
            convolution = nn.Conv2d(before, width, (1, kernel), (1, step))
            self.blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d((1, 4))))
        check_room(shape, self.steps(shape[1]))

    def steps(self, samples):
        """Outputs that `samples` samples give (a number, or a tensor of numbers)."""
        samples = ((samples - FIRST) // self.stride + 1) // 4
        for _ in range(len(self.blocks) - 1):
            samples = (samples - 2) // 4
        return samples

    def forward(self, x, lengths):
        # x: (batch, 1, samples); an output that looks at padding lies beyond the lengths returned
        x = (x[:, 0] * inside(x.shape[2], lengths))[:, None, None].contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)  # (batch, channels, 1, steps)
        return x[:, :, 0].transpose(1, 2), self.steps(lengths).clamp(min=1)  # (batch, steps, channels)


@register("m5")
class M5(nn.Module):
    """Four convolutions, the mean over time, one linear layer (Dai et al., arXiv 1610.00087; here half as wide)."""

    takes, one_length, layout = "samples", True, torch.channels_last

    def __init__(self, shape, classes, hidden: Count = 32):  # channels of the first two blocks; twice as many then
        super().__init__()
        self.convolutions = Convolutions(shape, (hidden, hidden, 2 * hidden, 2 * hidden), 16)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, x, lengths):
        x, lengths = self.convolutions(x, lengths)  # from (batch, 1, samples) to (batch, steps, channels)
        return self.head(mean_frames(x, lengths))  # (batch, classes)


@register("raw_recurrent")
class RawRecurrent(nn.Module):
    """Convolutions that make some vectors a second (19 at 16 kHz), a recurrent layer over them, its last state."""

    takes, one_length, layout = "samples", True, torch.channels_last

    def __init__(
        self,
        shape,  # (1, samples)
        classes,
        cell: Literal["lstm", "gru"] = "lstm",
        hidden: Count = 128,  # width of the recurrent layer and of two blocks; the last two blocks are twice as wide
        blocks: Annotated[int, Field(ge=1, le=4)] = 4,  # of convolution and pool
        stride: Count = 3,  # of the first convolution, in samples
    ):
        super().__init__()
        widths = (hidden, hidden, 2 * hidden, 2 * hidden)[:blocks]
        self.convolutions = Convolutions(shape, widths, stride)
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]  # two biases per gate; the published counts include both
        self.recurrent = layer(widths[-1], hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x, lengths):
        x, lengths = self.convolutions(x, lengths)  # from (batch, 1, samples) to (batch, steps, channels)
        return self.head(last_frame(self.recurrent(x)[0], lengths))  # (batch, classes)


# The table. A variant has a front-end, a place for dropout and a training.

BASE = {"name": "log_mel", "normalise": False, "padding": "signal"}  # the zeros after a short clip count as signal
LONG = BASE | {"window_ms": 25.0, "hop_ms": 12.5}
POWER_16K = LONG | {"n_mels": 128, "log": "none"}  # mel power without a logarithm
POWER_8K = POWER_16K | {"mel_rate": 8000}  # "8 kHz": the mel filters were told so, the sound kept its 16,000 samples
LOG_40 = BASE | {"n_mels": 40, "window_ms": 20.0, "hop_ms": 10.0, "n_fft": 512}
LOG_80 = LONG | {"n_mels": 80}
# The sound at 8,000 Hz, with the frames and bands of the study; the FFT is longer than the window, so that no band is
# empty.
TRUE_8K = LONG | {"sample_rate": 8000, "n_mels": 128, "n_fft": 400, "normalise": True}

CONVOLUTIONS = {"name": "mel_cnn", "dropout": (0.5, 0.5, 0.0, 0.0)}
MIDDLE = {"name": "mel_cnn", "dropout": (0.0, 0.3, 0.3, 0.0)}
EVERYWHERE = {"name": "mel_cnn", "dropout": (0.3, 0.3, 0.3, 0.3)}

BY_BATCH = {"optimiser": "adam", "lr": 0.01, "batch": 256, "epochs": 10, "weight_decay": 0.0, "clip_norm": None}
BY_EPOCH = BY_BATCH | {"schedule_step": "epoch"}  # their OneCycle, made for all batches, moved on once an epoch
DECAY = BY_EPOCH | {"weight_decay": 1e-4}
CONSTANT = BY_BATCH | {"schedule": "constant"}  # StepLR(20) never steps in 10 epochs
FAST = CONSTANT | {"lr": 0.05, "batch": 100}

# Parameters with 35 classes; accuracy on 35 words (official lists) in their README, and in their saved notebook.
LOST = "a run that they did not keep"
VARIANTS = {
    "M1-8k": Variant(POWER_8K, CONVOLUTIONS, DECAY, 464_899, 0.64, 0.64),
    "M1-16k": Variant(LOG_40, CONVOLUTIONS, DECAY, 161_795, 0.55, note="RuntimeError there"),
    "M2-8k": Variant(POWER_8K, CONVOLUTIONS, CONSTANT, 464_899, None, 0.40),
    "M2-16k": Variant(POWER_16K, CONVOLUTIONS, CONSTANT, 464_899, None, 0.22),
    "M2-8k README": Variant(POWER_8K, CONVOLUTIONS, FAST, 464_899, 0.62, note=LOST),
    "M2-16k README": Variant(POWER_16K, CONVOLUTIONS, FAST, 464_899, 0.63, note=LOST),
    "M3-8k": Variant(POWER_8K, MIDDLE, BY_EPOCH, 464_899, 0.71, 0.71),
    "M3-16k": Variant(POWER_16K, EVERYWHERE, BY_EPOCH, 464_899, 0.60, 0.60),
    "M1-16k README": Variant(LOG_80, CONVOLUTIONS, DECAY, 301_059, note="a count without a run"),
    "M3-8k repaired": Variant(TRUE_8K, MIDDLE, BY_BATCH, 464_899),
}
settings = settings_in(VARIANTS)
