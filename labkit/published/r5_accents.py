"""Recurrent networks of a published study of Spanish accents: LSTM against GRU over mel frames, the last one read."""

from typing import Literal

from torch import nn

from ..models import Dropout, register
from ..models.rnn import Readout, Recurrent
from ..settings import Count, Counts, Layers


@register("accent_net")
class AccentNet(Recurrent):
    """A recurrent network with dropout between its layers only, and further layers behind it."""

    def __init__(
        self,
        shape,  # (frames or None, features)
        classes,
        cell: Literal["gru", "lstm"] = "gru",
        hidden: Count = 313,  # in the study: as many as frames in a clip of five seconds
        layers: Layers = 1,
        bidirectional=False,
        readout: Readout = "last",  # of a bidirectional layer, the last output has read one frame backwards
        dropout: Dropout = 0.4,  # between the recurrent layers: with one layer there is no between, and it does nothing
        dense: Counts = (),  # widths of layers before the head, each with SiLU and dropout
        dense_dropout: Dropout = 0.2,
    ):
        self.layer = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        super().__init__(shape, classes, hidden, layers, bidirectional, readout, dropout)
        width, steps = self.head.in_features, []
        for after in dense:
            steps += [nn.Linear(width, after), nn.SiLU(), nn.Dropout(dense_dropout)]
            width = after
        self.head = nn.Sequential(*steps, nn.Linear(width, classes))

    def forward(self, x, lengths):
        # x: (batch, frames, features)
        return self.head(self.readout(self.frames(x, lengths), lengths))  # (batch, classes)
