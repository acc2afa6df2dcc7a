"""A small network that listens without end: convolutions that look back only, and the mean of the last second.

The layers are those of `word_cnn`: two convolutions over the mel spectrogram, then separable convolutions along time
(TC-ResNet, Choi et al., arXiv 1904.03814). But each is *causal*: its kernel covers the present frame and frames before,
never those to come. So a stream can be read block by block, if each layer keeps the few frames that its next outputs
need, and no convolution is computed twice (Rybakov et al., arXiv 2005.06720).
"""

import torch
from torch import nn

from ..settings import Count, WholeNumber
from . import Dropout, register


class Causal(nn.Module):
    """A convolution over (bands, frames) that ends at the present frame, and its batch norm."""

    def __init__(self, before, after, kernel, stride=(1, 1), groups=1):
        super().__init__()
        self.past = kernel[1] - 1  # frames before the present one that the kernel sees
        self.convolution = nn.Conv2d(before, after, kernel, stride, (kernel[0] // 2, 0), groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x):
        # x: (batch, before, bands, frames); what was before the beginning counts as zero
        return self.norm(self.convolution(nn.functional.pad(x, (self.past, 0))))

    def step(self, x, rest):
        """As `forward` for the next frames; `rest` are the frames kept from those before, None at the beginning."""
        x = nn.functional.pad(x, (self.past, 0)) if rest is None else torch.cat([rest, x], 3)
        stride = self.convolution.stride[1]
        outputs = max(0, (x.shape[3] - self.past - 1) // stride + 1)
        rest = x[..., outputs * stride :]
        if not outputs:
            return None, rest
        return self.norm(self.convolution(x[..., : (outputs - 1) * stride + self.past + 1])), rest


class Block(nn.Module):
    """Look back channel by channel, mix the channels, add what came in."""

    def __init__(self, width, kernel, dropout):
        super().__init__()
        self.along = Causal(width, width, (1, kernel), groups=width)
        self.mix = Causal(width, width, (1, 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        # x: (batch, width, 1, frames)
        return self.dropout((x + self.mix(self.along(x))).relu())

    def step(self, x, rest):
        looked, rest = self.along.step(x, rest)
        return (x + self.mix(looked)).relu(), rest


@register("stream_cnn")
class StreamCNN(nn.Module):
    """Causal convolutions, the mean over the last frames, one linear layer."""

    takes = "frames"
    layout = torch.channels_last  # the same numbers, in the order that a CPU convolves fastest
    streamable = True
    stride = 2  # frames of the feature for one output

    def __init__(
        self,
        shape,  # (frames or None, bands)
        classes,
        hidden: Count = 64,  # channels along time
        channels: Count = 16,  # of the first two convolutions
        blocks: WholeNumber = 4,
        kernel: Count = 7,  # frames that a block's kernel sees; a frame here is two of the feature's
        window: Count = 50,  # frames that the mean runs over, the same ones: 50 are a second where the hop is 10 ms
        dropout: Dropout = 0.1,  # after each block
    ):
        super().__init__()
        rows = -(-shape[1] // 4)  # bands that are left after two steps of 2
        self.window = window
        self.picture1 = Causal(1, channels, (5, 5), (2, 2))
        self.picture2 = Causal(channels, channels, (3, 3), (2, 1))
        self.column = Causal(channels * rows, hidden, (1, 1))
        self.blocks = nn.ModuleList(Block(hidden, kernel, dropout) for _ in range(blocks))
        self.widen = Causal(hidden, 2 * hidden, (1, 1))
        self.scores = nn.Linear(2 * hidden, classes)
        self.to(memory_format=self.layout)

    def forward(self, x, lengths):
        # x: (batch, frames, bands)
        x = self.picture1(x.transpose(1, 2)[:, None].contiguous(memory_format=self.layout)).relu()
        x = self.picture2(x).relu()  # (batch, channels, bands / 4, frames / 2)
        x = self.column(self.upright(x)).relu()  # (batch, hidden, 1, frames / 2)
        for block in self.blocks:
            x = block(x)
        x = self.widen(x).relu()[:, :, 0]  # (batch, 2 hidden, frames / 2)
        ends = (lengths + 1) // 2  # frames of a clip: what follows is padding, which no frame before has seen
        time = torch.arange(x.shape[2], device=x.device)
        recent = ((time < ends[:, None]) & (time >= ends[:, None] - self.window))[:, None]  # (batch, 1, frames / 2)
        return self.scores((x * recent).sum(2) / recent.sum(2))  # (batch, classes)

    def upright(self, x):
        """All channels of all bands of a frame, one above the other: (batch, channels * bands, 1, frames)."""
        return x.flatten(1, 2)[:, :, None].contiguous(memory_format=self.layout)

    def step(self, x, state=None):
        """Go on with the next frames, (batch, frames, bands), from the `state` that the last call returned.

        Returns the scores after each second frame (the first, the third ...), (batch, outputs, classes), and the new
        state. They are what `forward` gives for all frames up to there.
        """
        rests, recent, seen = state or ([None] * (2 + len(self.blocks)), None, 0)
        rests = list(rests)
        x, rests[0] = self.picture1.step(x.transpose(1, 2)[:, None], rests[0])
        if x is None:  # one frame alone, and its turn is the next
            return rests[0].new_zeros(len(rests[0]), 0, self.scores.out_features), (rests, recent, seen)
        x, rests[1] = self.picture2.step(x.relu(), rests[1])
        x = self.column(self.upright(x.relu())).relu()  # (batch, hidden, 1, outputs)
        for number, block in enumerate(self.blocks, 2):
            x, rests[number] = block.step(x, rests[number])
        x = self.widen(x).relu()[:, :, 0]  # (batch, 2 hidden, outputs)
        counts = torch.arange(seen + 1, seen + x.shape[2] + 1, device=x.device).clamp(max=self.window)
        seen += x.shape[2]
        # The mean over the last frames: those before the beginning are zeros, and do not count.
        x = nn.functional.pad(x, (self.window - 1, 0)) if recent is None else torch.cat([recent, x], 2)
        mean = nn.functional.avg_pool1d(x, self.window, 1) * self.window / counts  # (batch, 2 hidden, outputs)
        kept = x[:, :, x.shape[2] - (self.window - 1) :]
        return self.scores(mean.transpose(1, 2)), (rests, kept, seen)
