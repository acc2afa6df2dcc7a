"""Recurrent classifiers: RNN, GRU and LSTM over frames, uni- or bidirectional."""

import torch
from torch import nn

from ..errors import LabError, choose
from . import register


def last_frame(outputs, lengths):
    """The output at the last valid frame. For bidirectional layers the backward half has then seen one frame."""
    return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]  # (batch, hidden)


def mean_frames(outputs, lengths):
    """The mean over valid frames."""
    mask = valid(outputs, lengths)
    return (outputs * mask).sum(1) / lengths[:, None]  # (batch, hidden)


def max_frames(outputs, lengths):
    """The largest value of each output over valid frames."""
    return outputs.masked_fill(~valid(outputs, lengths), -torch.inf).amax(1)  # (batch, hidden)


def both_ends(outputs, lengths):
    """Forward half at the last valid frame, backward half at the first: each direction has then read the whole clip."""
    half = outputs.shape[-1] // 2
    return torch.cat([last_frame(outputs[..., :half], lengths), outputs[:, 0, half:]], dim=-1)  # (batch, hidden)


def valid(outputs, lengths):
    """Which frames hold the clip, shape (batch, frames, 1)."""
    return (torch.arange(outputs.shape[1], device=outputs.device) < lengths[:, None])[..., None]


READOUTS = {"last": last_frame, "mean": mean_frames, "max": max_frames, "ends": both_ends}


class Recurrent(nn.Module):
    """A recurrent layer over frames, one vector read out, one linear layer.

    Parameters
    ----------
    shape : (frames or None, features)
    classes : int
    cell : torch.nn.RNN, GRU or LSTM
        The layer's class.
    hidden : int
        Width of each direction.
    layers : int
    bidirectional : bool
    readout : {"mean", "last", "max", "ends"}
        How the outputs over time become one vector; "ends" is for bidirectional layers.
    dropout : float
        Between layers (with one layer there is no between) and before the linear layer.
    """

    def __init__(self, shape, classes, cell, hidden, layers, bidirectional, readout, dropout):
        super().__init__()
        if len(shape) != 2 or shape[0] == 1 or shape[1] is None:  # raw samples are (1, samples)
            raise LabError(f"A recurrent model takes (frames, features), not {shape}. Use the feature 'mfcc'.")
        if not (_whole(hidden) and _whole(layers) and 0 <= dropout < 1):
            raise LabError(
                f"hidden={hidden!r}, layers={layers!r}, dropout={dropout!r}: hidden and layers are whole "
                "numbers above zero, dropout is at least 0 and below 1. Change these."
            )
        self.readout = choose(readout, READOUTS, "readout")
        if readout == "ends" and not bidirectional:
            raise LabError("One direction ends at the last frame only. Use readout='last', or bidirectional=True.")
        wide = hidden * (1 + bidirectional)
        sizes = [shape[1]] + [wide] * (layers - 1)
        self.forwards = nn.ModuleList(cell(size, hidden, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(cell(size, hidden, batch_first=True) for size in sizes if bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(wide, classes)

    def forward(self, x, lengths):
        # x: (batch, frames, features)
        outputs = self.frames(x, lengths)  # (batch, frames, hidden)
        vector = self.readout(outputs, lengths)  # (batch, hidden)
        return self.linear(self.dropout(vector))  # (batch, classes)

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
        """Go on from where the last block ended.

        Parameters
        ----------
        x : torch.Tensor
            Shape (batch, frames, features): the next frames.
        state : tuple, optional
            What the last call returned; None at the beginning.

        Returns
        -------
        tuple of (torch.Tensor, tuple)
            Scores after each frame, shape (batch, frames, classes): what `forward` gives for all up to there.
        """
        if self.backwards:
            raise LabError("Two directions need the end of the clip before they begin. Use bidirectional=False.")
        hidden, seen, summary = state or ([None] * len(self.forwards), 0, None)
        hidden = list(hidden)
        for number, layer in enumerate(self.forwards):
            x = self.dropout(x) if number else x
            x, hidden[number] = layer(x, hidden[number])  # (batch, frames, hidden)
        seen += x.shape[1]
        x, summary = RUNNING[self.readout](x, seen, summary)
        return self.linear(self.dropout(x)), (hidden, seen, summary)  # (batch, frames, classes)


def running_mean(outputs, seen, total):
    """The mean up to each frame; `seen` frames in all, with these; `total` sums those before."""
    sums = outputs.cumsum(1) + (0 if total is None else total)
    counts = torch.arange(seen - outputs.shape[1] + 1, seen + 1, device=outputs.device)
    return sums / counts[:, None], sums[:, -1:] if outputs.shape[1] else total


def running_max(outputs, seen, largest):
    """The largest value up to each frame."""
    x = outputs if largest is None else torch.cat([largest, outputs], 1)
    x = x.cummax(1).values
    return x[:, x.shape[1] - outputs.shape[1] :], x[:, -1:] if x.shape[1] else largest


# The readouts of a stream: what they give after each frame, and what they need to go on.
RUNNING = {
    last_frame: lambda outputs, seen, nothing: (outputs, None),
    mean_frames: running_mean,
    max_frames: running_max,
}


def _whole(number):
    return isinstance(number, int) and number > 0


def reverse(x, lengths):
    """Turn each clip round in time and leave its padding where it is: (batch, frames, features)."""
    time = torch.arange(x.shape[1], device=x.device)
    turned = torch.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)  # (batch, frames)
    return x.gather(1, turned[..., None].expand_as(x))


@register("rnn")
class RNN(Recurrent):
    """Plain recurrent network (Elman, 1990): h' = tanh(W x + U h + b)."""

    def __init__(self, shape, classes, hidden=128, layers=1, bidirectional=False, readout="mean", dropout=0.0):
        super().__init__(shape, classes, nn.RNN, hidden, layers, bidirectional, readout, dropout)


@register("gru")
class GRU(Recurrent):
    """Gated recurrent unit (Cho et al., arXiv 1406.1078)."""

    def __init__(self, shape, classes, hidden=128, layers=1, bidirectional=False, readout="mean", dropout=0.0):
        super().__init__(shape, classes, nn.GRU, hidden, layers, bidirectional, readout, dropout)


@register("lstm")
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with forget gate (Gers et al., 2000)."""

    def __init__(self, shape, classes, hidden=128, layers=1, bidirectional=False, readout="mean", dropout=0.0):
        super().__init__(shape, classes, nn.LSTM, hidden, layers, bidirectional, readout, dropout)
