"""What all features share, and the simplest: the samples themselves."""

from dataclasses import dataclass

import torch
from torch import nn

from ..errors import LabError, check_types, choose


@dataclass(frozen=True)
class Feature:
    """What all features share: the rate they need and the length they are fitted to.

    Parameters
    ----------
    sample_rate : int
        Hz. The waveform store resamples to it.
    seconds : float, optional
        Crop longer clips to this length and fill shorter ones with zeros; None keeps every length.
    padding : {"masked", "signal"}
        Whether the filled zeros are outside the clip (its true length is passed on, models ignore the rest) or count as
        signal, as in most published student systems.
    offset : float
        Start of the clip inside `seconds`, in seconds, when zeros are filled.
    normalise : bool
        Subtract mean and divide by spread of each feature, both measured on the training part.
    """

    sample_rate: int = 16_000
    seconds: float | None = 1.0
    padding: str = "masked"
    offset: float = 0.0
    normalise: bool = True

    def __post_init__(self):
        check_types(self)
        choose(self.padding, {"masked": 1, "signal": 1}, "kind of padding")
        if self.sample_rate <= 0 or (self.seconds is not None and self.seconds <= 0) or self.offset < 0:
            raise LabError(f"{self}: rate and seconds must be above zero, offset not below. Change these settings.")
        if self.padding == "signal" and self.seconds is None:  # a clip would depend on the longest of its batch
            raise LabError("padding='signal' fills every clip to one length, so it needs one. Set seconds.")

    @property
    def samples(self):
        """Length that clips are fitted to, in samples; None if they keep theirs."""
        return None if self.seconds is None else round(self.seconds * self.sample_rate)

    def steps(self, samples):
        """Length along the time axis of the feature of so many samples."""
        return samples

    def fit(self, waveforms, lengths):
        """Apply `seconds`, `offset` and `padding`.

        Parameters
        ----------
        waveforms : torch.Tensor
            Shape (batch, samples), zero beyond each clip's length.
        lengths : torch.Tensor
            Shape (batch,), in samples.

        Returns
        -------
        tuple of torch.Tensor
        """
        if self.samples is not None:
            before = min(round(self.offset * self.sample_rate), self.samples)
            waveforms = nn.functional.pad(waveforms, (before, 0))[:, : self.samples]
            waveforms = nn.functional.pad(waveforms, (0, self.samples - waveforms.shape[1]))
            lengths = (lengths + before).clamp(max=self.samples)
        if self.padding == "signal":
            lengths = torch.full_like(lengths, waveforms.shape[1])
        return waveforms, lengths


@dataclass(frozen=True)
class Raw(Feature):
    """The samples themselves: (batch, 1, samples); lengths in samples."""

    normalise: bool = False

    streamable = True
    look_ahead = 0.0
    time_axis = 2

    @property
    def shape(self):
        return (1, self.samples)

    def build(self):
        return lambda waveforms, lengths: _raw(*self.fit(waveforms, lengths))


def _raw(waveforms, lengths):
    return waveforms[:, None], lengths


class Normalise(nn.Module):
    """First layer of a model: subtract mean, divide by spread, both of the training part.

    Parameters
    ----------
    mean, spread : torch.Tensor
        Shaped to broadcast against one clip's features.
    """

    def __init__(self, mean, spread):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    def forward(self, x):
        return (x - self.mean) / self.spread
