"""The rivals of R2's mel CNNs, on the samples themselves: M5, and convolutions in front of an LSTM or a GRU."""

import itertools
from typing import Annotated, Literal

from pydantic import Field
from torch import channels_last, nn

from ..models import inside, register
from ..models.rnn import last_frame, mean_frames
from ..settings import Count
from . import check_room

FIRST = 80  # samples under the first kernel: 5 ms at 16 kHz; the other kernels have 3
POOL = 4


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
            block = (convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d((1, POOL)))
            self.blocks.append(nn.Sequential(*block))
        check_room(shape, self.steps(shape[1]))
        self.to(memory_format=channels_last)

    def steps(self, samples):
        """Outputs that `samples` samples give (a number, or a tensor of numbers)."""
        samples = ((samples - FIRST) // self.stride + 1) // POOL
        for _ in range(len(self.blocks) - 1):
            samples = (samples - 2) // POOL
        return samples

    def forward(self, x, lengths):
        # x: (batch, 1, samples); an output that looks at padding lies beyond the lengths returned
        x = (x[:, 0] * inside(x.shape[2], lengths))[:, None, None].contiguous(memory_format=channels_last)
        for block in self.blocks:
            x = block(x)  # (batch, channels, 1, steps)
        return x[:, :, 0].transpose(1, 2), self.steps(lengths).clamp(min=1)  # (batch, steps, channels)


@register("m5")
class M5(nn.Module):
    """Four convolutions, the mean over time, one linear layer (Dai et al., arXiv 1610.00087; here half as wide)."""

    takes, one_length = "samples", True

    def __init__(self, shape, classes, hidden: Count = 32):  # channels of the first two blocks; twice as many then
        super().__init__()
        self.convolutions = Convolutions(shape, (hidden, hidden, 2 * hidden, 2 * hidden), 16)
        self.scores = nn.Linear(2 * hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, samples)
        x, lengths = self.convolutions(x, lengths)  # (batch, steps, channels)
        return self.scores(mean_frames(x, lengths))  # (batch, classes)


@register("raw_recurrent")
class RawRecurrent(nn.Module):
    """Convolutions that make some vectors a second (19 at 16 kHz), a recurrent layer over them, its last state."""

    takes, one_length = "samples", True

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
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]  # two biases per gate, and the published counts include both
        self.recurrent = layer(widths[-1], hidden, batch_first=True)
        self.scores = nn.Linear(hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, samples)
        x, lengths = self.convolutions(x, lengths)  # (batch, steps, channels)
        outputs = self.recurrent(x)[0]  # (batch, steps, hidden)
        return self.scores(last_frame(outputs, lengths))  # (batch, classes)
