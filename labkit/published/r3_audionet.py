"""AudioNet: convolutions on the samples themselves (Becker et al., arXiv 1807.03418), and a GRU tried beside it.

A student study built both, on samples at 8 kHz. `VARIANTS` holds the published networks with their recipes.
"""

import itertools
from typing import Literal

import torch
from torch import nn

from ..models import Dropout, inside, register
from ..models.rnn import READOUTS
from ..settings import Count, Counts, Positive
from . import Variant, check_room, settings_in

BECKER = (100, 64, 128, 128, 128, 128)
STUDENT = (*BECKER, 128)


@register("audionet")
class AudioNet(nn.Module):
    """Convolutions of three samples, a pool of two after each, then three linear layers."""

    takes, one_length = "samples", True  # the linear layers look at every place of the window
    layout = torch.channels_last  # the same numbers, in the order that a CPU convolves fastest

    def __init__(
        self,
        shape,  # (1, samples)
        classes,
        widths: Counts = BECKER,  # channels after each convolution
        hidden: Counts = (1024, 512),  # widths of the linear layers before the head
        norm=False,  # batch norm after each convolution but the first
        dropout: Dropout = 0.5,  # after each linear layer before the head
        rectify=False,  # ReLU after these layers; Becker's files have none: two matrices in a row are one linear map
        std: Positive | None = None,  # of normally drawn initial weights, biases start at 0; None: PyTorch's own
    ):
        super().__init__()
        left = shape[1] // 2 ** len(widths)
        check_room(shape, left)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for before, after in itertools.pairwise((1, *widths)):
            # Height 1 and channels last: the same numbers as Conv1d, faster on a CPU.
            self.convolutions.append(nn.Conv2d(before, after, (1, 3), padding=(0, 1)))
            self.norms.append(nn.BatchNorm2d(after) if norm and self.norms else nn.Identity())
        sizes = (widths[-1] * left, *hidden)
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.head = nn.Linear(sizes[-1], classes)
        self.dropout = nn.Dropout(dropout)
        self.rectify = rectify
        if std is not None:
            for layer in (*self.convolutions, *self.linears, self.head):
                nn.init.normal_(layer.weight, std=std)
                nn.init.zeros_(layer.bias)

    def forward(self, x, lengths):
        # x: (batch, 1, samples); beyond its length a clip is silent, as it was when its window was filled with zeros
        x = (x[:, 0] * inside(x.shape[2], lengths))[:, None, None].contiguous(memory_format=self.layout)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # The largest of two, then ReLU: the same as ReLU first, on half as many numbers.
            x = nn.functional.max_pool2d(norm(convolution(x)), (1, 2)).relu()  # (batch, channels, 1, samples / 2)
        x = x.flatten(1)  # (batch, channels * samples that are left)
        for linear in self.linears:
            x = linear(x)
            x = self.dropout(x.relu() if self.rectify else x)  # (batch, hidden)
        return self.head(x)  # (batch, classes)


@register("sample_gru")
class SampleGRU(nn.Module):
    """A GRU straight on the samples. With the feature's padding="signal", as in the study, it also reads the zeros."""

    takes = "samples"

    def __init__(
        self,
        shape,  # (1, samples or None)
        classes,
        hidden: Count = 128,
        frame: Count = 1,  # samples that make one step; 1 is what the study did: 8,000 steps a second
        readout: Literal["last", "mean", "max"] = "last",  # the output at the last sample of the clip, or over all
    ):
        super().__init__()
        check_room(shape, (shape[1] or frame) // frame)
        self.readout, self.frame = READOUTS[readout], frame
        self.recurrent = nn.GRU(frame, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, samples)
        x, steps = x[:, 0] * inside(x.shape[2], lengths), x.shape[2] // self.frame
        x = x[:, : steps * self.frame].unflatten(1, (steps, self.frame))  # (batch, steps, frame)
        outputs = self.recurrent(x)[0]  # (batch, steps, hidden)
        return self.head(self.readout(outputs, (lengths // self.frame).clamp(1, steps)))  # (batch, classes)


# The table. Clips in 8,000 samples of which the rest is zero; the zeros count as signal, as they did there.

RAW = {"name": "raw", "sample_rate": 8000}
ZEROS = {**RAW, "padding": "signal"}
PLACED = {**ZEROS, "percentile": 95.0, "scatter": True}
SGD = {"optimiser": "sgd", "lr": 1e-4, "momentum": 0.9, "batch": 100, "epochs": 20}
SGD |= {"schedule": "constant", "weight_decay": 0.0, "clip_norm": None}
BENT = {"name": "audionet", "widths": STUDENT, "norm": True, "rectify": True}
REPAIRED = {"name": "raw_recurrent", "cell": "gru", "hidden": 64, "blocks": 2, "stride": 8}
VARIANTS = {  # parameters with ten classes, published or of the published architecture; accuracy in percent
    # 50,000 iterations. Its first pool looks at three samples there, at two here.
    "Becker": Variant(PLACED, {"name": "audionet", "std": 0.1}, SGD, 17_107_162, 92.53),
    # 20 epochs of 2,400 clips are 480 iterations. ReLU and dropout as Becker describes them are assumed.
    "student": Variant(PLACED, BENT, SGD, 8_900_314, 45.0),
    # Its width is not known: 128 here.
    "student's GRU": Variant(ZEROS, {"name": "sample_gru"}, {**SGD, "batch": 10}, published=10.0),
    "repaired GRU": Variant({**RAW, "percentile": 95.0}, REPAIRED, {"epochs": 12, "batch": 32, "lr": 4e-3}),
}
settings = settings_in(VARIANTS)
