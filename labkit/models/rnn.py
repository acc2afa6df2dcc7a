"""Recurrent classifiers: RNN, GRU and LSTM over frames, uni- or bidirectional."""

import torch
from torch import nn

from ..errors import LabError
from ..settings import Count, Layers, one_of
from . import Dropout, inside, register


def last_frame(outputs, lengths):
    """The output at the last valid frame. For bidirectional layers the backward half has then seen one frame."""
    return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]  # (batch, hidden)


def mean_frames(outputs, lengths):
    """The mean over valid frames."""
    mask = inside(outputs.shape[1], lengths)[..., None]  # (batch, frames, 1)
    return (outputs * mask).sum(1) / lengths[:, None]  # (batch, hidden)


def max_frames(outputs, lengths):
    """The largest value of each output over valid frames."""
    mask = inside(outputs.shape[1], lengths)[..., None]  # (batch, frames, 1)
    return outputs.masked_fill(~mask, -torch.inf).amax(1)  # (batch, hidden)


def both_ends(outputs, lengths):
    """Forward half at the last valid frame, backward half at the first: each direction has then read the whole clip."""
    half = outputs.shape[-1] // 2
    return torch.cat([last_frame(outputs[..., :half], lengths), outputs[:, 0, half:]], dim=-1)  # (batch, hidden)


READOUTS = {"last": last_frame, "mean": mean_frames, "max": max_frames, "ends": both_ends}
Readout = one_of(READOUTS, "readout")


@register("lstm", layer=nn.LSTM)  # Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000)
@register("gru", layer=nn.GRU)  # gated recurrent unit (Cho et al., arXiv 1406.1078)
@register("rnn", layer=nn.RNN)  # h' = tanh(W x + U h + b) (Elman, 1990)
class Recurrent(nn.Module):
    """Recurrent layers over frames, one vector read out, one linear layer."""

    takes = "frames"

    def __init__(
        self,
        shape,  # (frames or None, features)
        classes,
        hidden: Count = 128,  # width of each direction
        layers: Layers = 1,
        bidirectional=False,
        readout: Readout = "mean",  # how the outputs over time become one vector; "ends" needs two directions
        dropout: Dropout = 0.0,  # between layers (with one layer there is no between), and before the linear layer
    ):
        super().__init__()
        self.readout = READOUTS[readout]
        if readout == "ends" and not bidirectional:
            raise LabError("One direction ends at the last frame only. Use readout='last', or bidirectional=True.")
        wide = hidden * (1 + bidirectional)
        sizes = [shape[1]] + [wide] * (layers - 1)
        self.forwards = nn.ModuleList(self.layer(size, hidden, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(self.layer(size, hidden, batch_first=True) for size in sizes if bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(wide, classes)

    def forward(self, x, lengths):
        # x: (batch, frames, features)
        vector = self.readout(self.frames(x, lengths), lengths)  # (batch, hidden)
        return self.head(self.dropout(vector))  # (batch, classes)

    def frames(self, x, lengths):
        """Output of the last recurrent layer at each frame: (batch, frames, hidden or twice that)."""
        for number, layer in enumerate(self.forwards):
            x = self.dropout(x) if number else x
            outputs = layer(x)[0]  # padding comes after all that matters
            if self.backwards:
                # A backward layer reads the clip from its end; turned round, padding comes last here too.
                # (torch's own packed sequences do the same, up to four times slower on a CPU.)
                backward = reverse(self.backwards[number](reverse(x, lengths))[0], lengths)
                outputs = torch.cat([outputs, backward], dim=-1)
            x = outputs
        return x

    @property
    def streamable(self):
        """Whether it can listen without end: what `step` remembers of a minute ago fades. A mean does not."""
        return not self.backwards and self.readout is last_frame

    def step(self, x, state=None):
        """Logits after each frame of `x`, as from `forward` up to there; and the state to go on from."""
        if not self.streamable:
            raise LabError("This network needs the whole clip. Use bidirectional=False and readout='last'.")
        state = list(state or [None] * len(self.forwards))
        for number, layer in enumerate(self.forwards):
            x = self.dropout(x) if number else x  # (batch, frames, features or hidden)
            x, state[number] = layer(x, state[number])  # (batch, frames, hidden)
        return self.head(self.dropout(x)), state  # (batch, frames, classes)


def reverse(x, lengths):
    """Turn each clip round in time and leave its padding where it is: (batch, frames, features)."""
    time = torch.arange(x.shape[1], device=x.device)
    turned = torch.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)  # (batch, frames)
    return x.gather(1, turned[..., None].expand_as(x))
