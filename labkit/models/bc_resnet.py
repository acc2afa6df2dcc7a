"""A network of today for one spoken word: broadcast residual blocks (BC-ResNet, Kim et al., arXiv 2106.04140).

A block looks at neighbouring bands of the spectrogram, averages over all bands, looks at neighbouring frames of what is
left (one row instead of twenty), and adds this row back to every band: it is *broadcast*. Most of the work is done on
one row, so a small network sees a whole word. Three things differ from the paper: for the sake of laptops the first
convolution also skips every second frame and plain batch norm replaces a norm for each of five groups of bands; and
the last depthwise convolution has a batch norm, too.
"""

from typing import Annotated

from pydantic import Field
from torch import channels_last, nn

from ..settings import Count
from . import Dropout, inside, register

Width = Annotated[int, Field(ge=4, multiple_of=4)]
# Per stage: width as a fraction of `hidden`, blocks, step over bands, distance between the frames a block looks at.
STAGES = ((1 / 2, 2, 1, 1), (3 / 4, 2, 2, 2), (1, 4, 2, 4), (5 / 4, 4, 1, 8))


def convolution(before, after, kernel, **options):
    """A convolution and its batch norm, which makes a bias pointless."""
    layer = nn.Conv2d(before, after, kernel, bias=False, **options)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # torch's own choice fades over so many layers
    return nn.Sequential(layer, nn.BatchNorm2d(after))


class Broadcast(nn.Module):
    """One broadcast residual block. If it changes the number of channels, a 1x1 convolution replaces the shortcut."""

    def __init__(self, before, after, stride, distance, dropout):
        super().__init__()
        self.expand = nn.Sequential(convolution(before, after, 1), nn.ReLU()) if before != after else None
        self.bands = convolution(after, after, (3, 1), stride=(stride, 1), padding=(1, 0), groups=after)
        self.frames = convolution(after, after, (1, 3), padding=(0, distance), dilation=(1, distance), groups=after)
        self.mix = nn.Conv2d(after, after, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x, mask):
        # x: (batch, channels, bands, frames); mask: (batch, 1, 1, frames), 1 in the clip and 0 beyond
        shortcut, x = (x, x) if self.expand is None else (0, self.expand(x))
        x = self.bands(x)
        row = x.mean(2, keepdim=True) * mask  # (batch, channels, 1, frames)
        row = self.dropout(self.mix(nn.functional.silu(self.frames(row))))
        return (shortcut + x + row).relu()  # the row is added to each band


@register("bc_resnet")
class BCResNet(nn.Module):
    """Twelve broadcast blocks in four stages, a mean over the clip, one linear layer."""

    takes = "images"
    layout = channels_last  # the same numbers, in the order that a CPU convolves fastest

    # hidden: 16 is the paper's BC-ResNet-1, 32 its -2; stride: of the first convolution over frames, 1 in the paper
    def __init__(self, shape, classes, hidden: Width = 32, stride: Count = 2, dropout: Dropout = 0.1):
        super().__init__()
        bands = -(-shape[1] // 8)  # that are left after three steps of 2
        self.stride = stride
        self.first = nn.Sequential(convolution(1, hidden, 5, stride=(2, stride), padding=2), nn.ReLU())
        width, self.blocks = hidden, nn.ModuleList()
        for fraction, blocks, over, distance in STAGES:
            for number in range(blocks):
                after = int(fraction * hidden)
                self.blocks.append(Broadcast(width, after, 1 if number else over, distance, dropout))
                width = after
        self.last = convolution(width, width, (bands, 5), padding=(0, 2), groups=width)  # all bands
        self.expand = nn.Sequential(convolution(width, 2 * hidden, 1), nn.ReLU())
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, bands, frames)
        mask = inside(x.shape[3], lengths)[:, None, None]  # (batch, 1, 1, frames)
        x = self.first((x * mask).contiguous(memory_format=channels_last))  # (batch, hidden, bands / 2, frames / 2)
        mask = mask[..., :: self.stride]
        for block in self.blocks:
            x = block(x, mask)
        x = self.expand(self.last(x * mask))  # (batch, 2 hidden, 1, frames / 2)
        x = (x * mask).sum((2, 3)) / mask.sum((2, 3))  # the mean over the clip: (batch, 2 hidden)
        return self.head(x)  # (batch, classes)
