"""A small network of today for one spoken word: two-dimensional convolutions first, then convolutions along time.

Two convolutions make the mel spectrogram smaller. Then each frame's bands become one vector, and blocks of *separable*
convolutions look along time: one kernel per channel, then a matrix over the channels of each frame (MatchboxNet,
Majumdar and Ginsburg, arXiv 2004.08531; TC-ResNet, Choi et al., arXiv 1904.03814).
"""

import torch
from torch import nn

from ..errors import LabError
from ..settings import Count, Few
from . import Dropout, inside, register


def convolution(before, after, kernel, stride=(1, 1)):
    """A convolution over (bands, frames) with its batch norm, which makes a bias pointless."""
    middle = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, middle, bias=False), nn.BatchNorm2d(after))


class Separable(nn.Module):
    """Look along time channel by channel, mix the channels, add what came in."""

    def __init__(self, width, kernel, dropout):
        super().__init__()
        if kernel % 2 == 0:
            raise LabError(f"kernel={kernel} has no middle frame. Change it to an odd number.")
        self.along = nn.Conv2d(width, width, (1, kernel), padding=(0, kernel // 2), groups=width, bias=False)
        self.mix = convolution(width, width, (1, 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):
        # x: (batch, width, 1, frames); mask: (batch, 1, 1, frames), 1 in the clip and 0 beyond
        return self.dropout((x + self.mix(self.along(x * mask))).relu())


@register("word_cnn")
class WordCNN(nn.Module):
    """Two convolutions over the image, a few separable blocks along time, the mean over the clip, one linear layer."""

    takes = "images"
    layout = torch.channels_last  # the same numbers, in the order that a CPU convolves fastest
    layer, block = staticmethod(convolution), Separable

    def __init__(
        self,
        shape,  # (1, bands, frames or None)
        classes,
        hidden: Count = 64,  # channels along time
        channels: Count = 16,  # of the first two convolutions
        blocks: Few = 4,
        kernel: Count = 9,  # frames that a block's kernel sees, odd; a frame here is two of the feature's
        dropout: Dropout = 0.1,  # after each block
    ):
        super().__init__()
        rows = -(-shape[1] // 4)  # bands that are left after two steps of 2
        self.conv1 = self.layer(1, channels, (5, 5), (2, 2))
        self.conv2 = self.layer(channels, channels, (3, 3), (2, 1))
        self.column = self.layer(channels * rows, hidden, (1, 1))
        self.blocks = nn.ModuleList(self.block(hidden, kernel, dropout) for _ in range(blocks))
        self.expand = self.layer(hidden, 2 * hidden, (1, 1))
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, bands, frames)
        mask = inside(x.shape[3], lengths)[:, None, None]  # (batch, 1, 1, frames)
        x = self.conv1((x * mask).contiguous(memory_format=self.layout)).relu()
        mask = mask[..., ::2]
        x = self.conv2(x * mask).relu()  # (batch, channels, bands / 4, frames / 2)
        x = x.flatten(1, 2)[:, :, None]  # (batch, channels * bands / 4, 1, frames / 2)
        x = self.column(x.contiguous(memory_format=self.layout)).relu()  # (batch, hidden, 1, frames / 2)
        for block in self.blocks:
            x = block(x, mask)
        x = self.expand(x).relu()  # (batch, 2 hidden, 1, frames / 2)
        x = (x * mask).sum((2, 3)) / mask.sum((2, 3))  # the mean over the clip: (batch, 2 hidden)
        return self.head(x)  # (batch, classes)
