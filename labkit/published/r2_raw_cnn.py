"""Convolutional networks on the samples themselves: M5, and convolutions in front of an LSTM or a GRU.

A student study took them as rivals of its mel CNNs. All read (batch, 1, samples) of the feature `raw`.
"""

import torch
from torch import nn

from ..errors import LabError, choose
from ..models import register

FIRST = 80  # samples under the first kernel: 5 ms at 16 kHz
POOL = 4


class Convolutions(nn.Module):
    """Blocks of convolution, batch norm, ReLU and pool over samples.

    Parameters
    ----------
    shape : (1, samples)
    widths : tuple of int
        Channels after each block. The first kernel has 80 samples, the others 3.
    stride : int
        Step of the first convolution in samples.
    name : str
        Of the model, for its complaint.
    """

    def __init__(self, shape, widths, stride, name):
        super().__init__()
        if len(shape) != 2 or shape[0] != 1 or shape[1] is None:
            raise LabError(f"{name} takes samples, (1, samples), not {shape}. Use the feature 'raw' with seconds=1.0.")
        self.stride = stride
        self.blocks = nn.ModuleList()
        for number, (before, width) in enumerate(zip((1, *widths), widths)):  # noqa: B905 (one longer on purpose)
            kernel, step = (3, 1) if number else (FIRST, stride)
            # Height 1 and channels last: the same numbers as Conv1d, in half of its time on a CPU.
            convolution = nn.Conv2d(before, width, (1, kernel), (1, step))
            pool = nn.MaxPool2d((1, POOL))
            self.blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(), pool))
        needs = next(n for n in range(FIRST, 10**6) if self.steps(n) >= 1)
        if shape[1] < needs:
            raise LabError(
                f"{name} needs clips of at least {needs:,} samples: {len(widths)} convolutions and pools must leave "
                f"something, and its first window alone has {FIRST}. This feature gives {shape[1]:,}. Raise seconds."
            )
        self.to(memory_format=torch.channels_last)

    def steps(self, samples):
        """Outputs that `samples` samples give (a number, or a tensor of numbers)."""
        samples = ((samples - FIRST) // self.stride + 1) // POOL
        for _ in range(len(self.blocks) - 1):
            samples = (samples - 2) // POOL
        return samples

    def forward(self, x, lengths):
        # x: (batch, 1, samples); an output that looks at padding lies beyond the lengths returned
        inside = torch.arange(x.shape[2], device=x.device) < lengths[:, None, None]
        x = (x * inside)[:, :, None].contiguous(memory_format=torch.channels_last)  # (batch, 1, 1, samples)
        for block in self.blocks:
            x = block(x)  # (batch, channels, 1, steps)
        return x[:, :, 0].transpose(1, 2), self.steps(lengths).clamp(min=1)  # (batch, steps, channels)


@register("m5")
class M5(nn.Module):
    """Four convolutions, the mean over time, one linear layer (Dai et al., arXiv 1610.00087; here half as wide).

    Parameters
    ----------
    shape : (1, samples)
    classes : int
    hidden : int
        Channels of the first two blocks; the others have twice as many.
    """

    def __init__(self, shape, classes, hidden=32):
        super().__init__()
        self.convolutions = Convolutions(shape, (hidden, hidden, 2 * hidden, 2 * hidden), 16, "m5")
        self.scores = nn.Linear(2 * hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, samples)
        x, lengths = self.convolutions(x, lengths)  # (batch, steps, channels)
        inside = (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]
        return self.scores((x * inside).sum(1) / lengths[:, None])  # (batch, classes)


CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


@register("raw_recurrent")
class RawRecurrent(nn.Module):
    """Convolutions that make some vectors a second (19 at 16 kHz), a recurrent layer over them, its last state.

    Parameters
    ----------
    shape : (1, samples)
    classes : int
    cell : {"lstm", "gru"}
    hidden : int
        Width of the recurrent layer and of the first two blocks; the last two have twice as many channels.
    blocks : int
        How many blocks of convolution and pool, 1 to 4.
    stride : int
        Step of the first convolution in samples.
    """

    def __init__(self, shape, classes, cell="lstm", hidden=128, blocks=4, stride=3):
        super().__init__()
        if not 1 <= blocks <= 4 or stride < 1 or hidden < 1:
            raise LabError(
                f"hidden={hidden}, blocks={blocks}, stride={stride}: hidden and stride are above zero, blocks is 1 to "
                "4. Change these."
            )
        widths = (hidden, hidden, 2 * hidden, 2 * hidden)[:blocks]
        self.convolutions = Convolutions(shape, widths, stride, "raw_recurrent")
        layer = choose(cell, CELLS, "recurrent layer")
        # One bias per gate would do; torch's layers have two, and the published counts include both.
        self.recurrent = layer(widths[-1], hidden, batch_first=True)
        self.scores = nn.Linear(hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, samples)
        x, lengths = self.convolutions(x, lengths)  # (batch, steps, channels)
        outputs = self.recurrent(x)[0]  # (batch, steps, hidden)
        last = outputs[torch.arange(len(x), device=x.device), lengths - 1]  # (batch, hidden)
        return self.scores(last)  # (batch, classes)
