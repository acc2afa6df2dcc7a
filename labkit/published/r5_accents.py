"""Recurrent networks of a published study of Spanish accents: LSTM against GRU over mel frames.

Its networks are torch's own layers, read at the last frame. Repaired ones need nothing from here: they are "lstm" and
"gru" with a readout over all valid frames.
"""

import itertools

from torch import nn

from ..errors import LabError, choose
from ..models import register
from ..models.rnn import Recurrent

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


@register("accent_net")
class AccentNet(Recurrent):
    """A recurrent network with dropout between its layers only, and further layers behind it.

    Parameters
    ----------
    shape : (frames or None, features)
    classes : int
    cell : {"gru", "lstm"}
    hidden : int
    layers : int
    bidirectional : bool
    readout : str
        As in `rnn`. "last" of a bidirectional layer has read one frame backwards.
    dropout : float
        Between the recurrent layers: with one layer there is no between, and it does nothing.
    head : tuple of int
        Widths of layers before the scores, each with SiLU and dropout.
    head_dropout : float

    Notes
    -----
    hidden=313 is the number of frames of a clip of five seconds in that study. Trainable parameters, for 64 bands and
    15 classes: LSTM 479,218, GRU 360,591; with two layers 1,265,474 and 950,283, bidirectional 958,421 and 721,167;
    the "advanced" GRU (two layers, head of 156 and 78) 1,007,988.
    """

    def __init__(
        self,
        shape,
        classes,
        cell="gru",
        hidden=313,
        layers=1,
        bidirectional=False,
        readout="last",
        dropout=0.4,
        head=(),
        head_dropout=0.2,
    ):
        kind = choose(cell, CELLS, "recurrent cell")
        super().__init__(shape, classes, kind, hidden, layers, bidirectional, readout, dropout)
        if any(not isinstance(width, int) or width < 1 for width in head) or not 0 <= head_dropout < 1:
            raise LabError(
                f"head={head!r}, head_dropout={head_dropout!r}: widths are whole numbers above zero, dropout is at "
                "least 0 and below 1. Change these."
            )
        sizes = [hidden * (1 + bidirectional), *head]
        steps = [
            layer
            for before, after in itertools.pairwise(sizes)
            for layer in (nn.Linear(before, after), nn.SiLU(), nn.Dropout(head_dropout))
        ]
        self.linear = nn.Sequential(*steps, nn.Linear(sizes[-1], classes))

    def forward(self, x, lengths):
        # x: (batch, frames, features)
        outputs = self.frames(x, lengths)  # (batch, frames, hidden)
        return self.linear(self.readout(outputs, lengths))  # (batch, classes)
