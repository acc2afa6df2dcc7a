"""The recurrent networks of R1's first stage ("Resultados_1"), as they were: to be compared with, not to be imitated.

They read the last frame, and they normalise over an axis that is rarely meant: `BatchNorm1d(frames)` takes an input of
shape (batch, frames, hidden) for one with as many channels as frames. So each frame has one mean, variance, scale and
shift for all of its outputs; and since one frame is read out, those of all others are never used.
"""

from typing import Literal

import pandas as pd
from torch import nn

from ..errors import LabError
from ..models import register
from ..models.rnn import Readout, Recurrent
from ..settings import Count, Layers

WINDOWS = (20, 40, 80, 120)  # ms, half a window apart
Init = Literal["uniform", "orthogonal"]  # recurrent weights: torch's own (as published), or matrices that keep lengths
ACCURACIES = {  # percent, 35 words, at each of WINDOWS
    "RNN": (11.76, 63.24, 77.57, 77.18),
    "GRU": (81.73, 82.10, 82.31, 82.02),
    "LSTM": (76.86, 77.04, 78.29, 80.86),
    "RNN bi": (11.68, 70.12, 78.20, 78.70),
    "GRU bi": (80.50, 79.82, 79.95, 80.96),
    "LSTM bi": (73.09, 76.66, 77.87, 80.69),
}
PUBLISHED = pd.DataFrame.from_dict(ACCURACIES, orient="index", columns=WINDOWS)


@register("r1_lstm", layer=nn.LSTM)
@register("r1_gru", layer=nn.GRU)
class Resultados(Recurrent):
    """Recurrent layers, batch normalisation over the number of the frame, one frame read out, one linear layer."""

    streamable = False  # a stream has no end, and the normalisation has parameters for each frame

    def __init__(
        self,
        shape,  # (frames, features): the number of frames is part of the network
        classes,
        hidden: Count = 64,  # in the study: of the GRU and the LSTM
        layers: Layers = 2,
        bidirectional=False,
        readout: Readout = "last",  # with the feature's padding="signal", as in the study, zeros after the clip count
        init: Init = "uniform",
    ):
        super().__init__(shape, classes, hidden, layers, bidirectional, readout)
        if shape[0] is None:
            raise LabError("This network has two parameters for each frame. Set seconds in the feature.")
        if init == "orthogonal":
            # Such weights keep the length of what they carry from frame to frame (Saxe et al., arXiv 1312.6120). Those
            # of torch shrink it to about 0.58 each time: `hidden` terms of variance 1/(3 hidden) are summed.
            for layer in (*self.forwards, *self.backwards):
                for gate in layer.weight_hh_l0.data.split(layer.hidden_size):
                    nn.init.orthogonal_(gate)
        self.norm = nn.BatchNorm1d(shape[0])

    def forward(self, x, lengths):
        # x: (batch, frames, features)
        outputs = self.norm(self.frames(x, lengths))  # (batch, frames, hidden), frames taken for channels
        return self.head(self.readout(outputs, lengths))  # (batch, classes)


@register("r1_rnn", layer=nn.RNN)
class ResultadosRNN(Resultados):
    """R1's plain recurrent network: one layer of 256."""

    def __init__(self, shape, classes, hidden: Count = 256, layers: Layers = 1, **options):
        super().__init__(shape, classes, hidden, layers, **options)
