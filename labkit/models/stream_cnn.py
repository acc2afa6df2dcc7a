"""A small network that listens without end: `word_cnn` with layers that look back only, and a mean over a second.

Each convolution is *causal*: its kernel covers the present frame and frames before, never those to come. So a stream
can be read block by block, if each layer keeps the few frames that its next outputs need, and no convolution is
computed twice (Rybakov et al., arXiv 2005.06720).
"""

import torch
from torch import nn

from ..settings import Count
from . import inside, register
from .word_cnn import WordCNN


class Causal(nn.Module):
    """A convolution over (bands, frames) that ends at the present frame, and its batch norm."""

    def __init__(self, before, after, kernel, stride=(1, 1), groups=1):
        super().__init__()
        self.past = kernel[1] - 1  # frames before the present one that the kernel sees
        self.convolution = nn.Conv2d(before, after, kernel, stride, (kernel[0] // 2, 0), groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x, kept=None):
        """The outputs (None if there are too few frames for one), and the frames to keep for the next."""
        # x: (batch, before, bands, frames); kept: the frames before them, None (zeros) where a clip begins
        x = nn.functional.pad(x, (self.past, 0)) if kept is None else torch.cat([kept, x], 3)
        stride = self.convolution.stride[1]
        outputs = max(0, (x.shape[3] - self.past - 1) // stride + 1)
        return self.norm(self.convolution(x)) if outputs else None, x[..., outputs * stride :]


class Block(nn.Module):
    """Look back channel by channel, mix the channels, add what came in."""

    def __init__(self, width, kernel, dropout):
        super().__init__()
        self.along = Causal(width, width, (1, kernel), groups=width)
        self.mix = Causal(width, width, (1, 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, kept=None):
        # x: (batch, width, 1, frames)
        looked, kept = self.along(x, kept)
        return self.dropout((x + self.mix(looked)[0]).relu()), kept


@register("stream_cnn")
class StreamCNN(WordCNN):
    """Causal convolutions, the mean over the last frames, one linear layer."""

    takes = "frames"
    layer, block = Causal, Block
    streamable = True
    stride = 2  # frames of the feature for one output

    # window: frames that the mean runs over, each of them two of the feature's: 50 are a second where the hop is 10 ms
    def __init__(self, shape, classes, kernel: Count = 7, window: Count = 50, **options):
        super().__init__(shape, classes, kernel=kernel, **options)
        self.window = window

    def vectors(self, x, kept):
        """A vector for each second frame, (batch, 2 hidden, outputs) or None, and what the layers `kept` by then."""
        kept = list(kept)
        x = x.transpose(1, 2)[:, None].contiguous(memory_format=self.layout)  # (batch, 1, bands, frames)
        x, kept[0] = self.conv1(x, kept[0])
        if x is None:  # one frame alone, and its turn is the next
            return None, kept
        x, kept[1] = self.conv2(x.relu(), kept[1])  # (batch, channels, bands / 4, outputs)
        x = x.relu().flatten(1, 2)[:, :, None].contiguous(memory_format=self.layout)  # all bands: one column each
        x = self.column(x)[0].relu()  # (batch, hidden, 1, outputs)
        for number, block in enumerate(self.blocks, 2):
            x, kept[number] = block(x, kept[number])
        return self.expand(x)[0].relu()[:, :, 0], kept

    def forward(self, x, lengths):
        # x: (batch, frames, bands)
        x, _ = self.vectors(x, [None] * (2 + len(self.blocks)))  # (batch, 2 hidden, frames / 2)
        ends = (lengths + 1) // 2  # frames of a clip: what follows is padding, which no frame before has seen
        recent = inside(x.shape[2], ends) & ~inside(x.shape[2], ends - self.window)  # (batch, frames / 2)
        return self.head((x * recent[:, None]).sum(2) / recent.sum(1, keepdim=True))  # (batch, classes)

    def step(self, x, state=None):
        """Logits after every second frame of `x`, as from `forward` up to there; and the state to go on from."""
        # x: (batch, frames, bands); logits: (batch, outputs, classes), the first after the first frame
        kept, recent, seen = state or ([None] * (2 + len(self.blocks)), None, 0)
        x, kept = self.vectors(x, kept)
        if x is None:
            return kept[0].new_zeros(len(kept[0]), 0, self.head.out_features), (kept, recent, seen)
        counts = torch.arange(seen + 1, seen + x.shape[2] + 1, device=x.device).clamp(max=self.window)
        seen += x.shape[2]
        # The mean over the last frames: those before the beginning are zeros, and do not count.
        x = nn.functional.pad(x, (self.window - 1, 0)) if recent is None else torch.cat([recent, x], 2)
        mean = nn.functional.avg_pool1d(x, self.window, 1) * self.window / counts  # (batch, 2 hidden, outputs)
        return self.head(mean.transpose(1, 2)), (kept, x[:, :, x.shape[2] - (self.window - 1) :], seen)
