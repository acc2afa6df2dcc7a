"""What all features share, and the simplest: the samples themselves."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import LabError, check_types, choose

TICK, MARGIN = 0.01, 0.02  # seconds: how finely `trim` looks, and what it leaves around the word


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
    trim : float, optional
        Cut off what comes before and after the word: all that stays so many dB below the loudest place of the clip, but
        for `MARGIN`. In training it is cut before an augmentation adds noise. Not streamable.
    """

    sample_rate: int = 16_000
    seconds: float | None = 1.0
    padding: str = "masked"
    offset: float = 0.0
    normalise: bool = True
    trim: float | None = None

    def __post_init__(self):
        check_types(self)
        choose(self.padding, {"masked": 1, "signal": 1}, "kind of padding")
        if self.sample_rate <= 0 or (self.seconds is not None and self.seconds <= 0) or self.offset < 0:
            raise LabError(f"{self}: rate and seconds must be above zero, offset not below. Change these settings.")
        if self.padding == "signal" and self.seconds is None:  # a clip would depend on the longest of its batch
            raise LabError("padding='signal' fills every clip to one length, so it needs one. Set seconds.")
        if self.trim is not None and (self.trim <= 0 or self.seconds is None):
            raise LabError(f"trim={self.trim}, seconds={self.seconds}: trim is above zero and needs seconds. Set both.")

    @property
    def samples(self):
        """Length that clips are fitted to, in samples; None if they keep theirs."""
        return None if self.seconds is None else round(self.seconds * self.sample_rate)

    @property
    def shortest(self):
        """Fewest samples that a clip may have."""
        return 1

    def steps(self, samples):
        """Length along the time axis of the feature of so many samples."""
        return samples

    @property
    def reads(self):
        """Samples of a clip to read, at most; None for all: the word may come late in a clip that is then trimmed."""
        return self.samples if self.trim is None else None

    def cut(self, waveforms, lengths):
        """Apply `trim`: shapes as in `fit`, the result as wide as its longest clip."""
        if self.trim is None:
            return waveforms, lengths
        hop = round(TICK * self.sample_rate)
        power = nn.functional.avg_pool1d(waveforms.square()[:, None], 3 * hop, hop, hop, ceil_mode=True)[:, 0]
        loud = power >= power.amax(1, keepdim=True) * 10 ** (-self.trim / 10)  # (batch, ticks)
        margin, last = round(MARGIN / TICK), loud.shape[1] - 1
        start = (loud.int().argmax(1) - margin).clamp(min=0) * hop  # (batch,)
        end = torch.minimum((last - loud.int().flip(1).argmax(1) + margin + 1) * hop, lengths)
        index = torch.arange(int((end - start).max()), device=waveforms.device) + start[:, None]
        kept = waveforms.gather(1, index.clamp(max=waveforms.shape[1] - 1))
        return torch.where(index < end[:, None], kept, 0.0), end - start

    def fit(self, waveforms, lengths):
        """Apply `trim`, `seconds`, `offset` and `padding`.

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
        waveforms, lengths = self.cut(waveforms, lengths)
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
    """The samples themselves: (batch, 1, samples); lengths in samples.

    Parameters
    ----------
    percentile : float, optional
        Divide each clip by this percentile of its samples, plus 0.001 of a 16-bit step (Becker et al., arXiv
        1807.03418, take 95), so that all clips are much alike in loudness. With padding="signal" the zeros that fill
        the window count, too, as they did there: a clip that fills less than a tenth of its window is then divided by
        almost nothing.
    scatter : bool
        Let each clip begin anywhere in the window that it fits in, instead of at its start: always at the same place,
        which its samples decide, so that nobody has to remember it.
    """

    normalise: bool = False
    percentile: float | None = None
    scatter: bool = False

    look_ahead = 0.0
    time_axis = 2

    @property
    def streamable(self):
        """Whether a sample can be given without knowing the rest of the clip."""
        return self.percentile is None and not self.scatter and self.trim is None

    @property
    def shape(self):
        return (1, self.samples)

    def __post_init__(self):
        super().__post_init__()
        if self.scatter and self.seconds is None:
            raise LabError("scatter needs a window of one length. Set seconds, for example to 1.0.")
        if self.percentile is not None and not 0 < self.percentile <= 100:
            raise LabError(f"percentile={self.percentile} is none: it lies above 0 and is at most 100. Change it.")

    def build(self):
        return self.samples_of

    def samples_of(self, waveforms, lengths):
        """The feature: (batch, 1, samples), and lengths in samples."""
        clips, whole = replace(self, offset=0.0, padding="masked").fit(waveforms, lengths)
        waveforms, lengths = self.fit(waveforms, lengths)
        if self.scatter:
            # A hash of the samples: the fraction of a multiple of their sum (Knuth, vol. 3, 6.4), exact in integers.
            total = (clips * 32768).round().long().sum(1) * 2654435761 % 2**32  # (batch,)
            start = total * (self.samples - whole + 1) // 2**32
            index = (torch.arange(self.samples, device=clips.device) - start[:, None]) % self.samples
            waveforms = clips.gather(1, index)  # only zeros come round the end
            lengths = lengths if self.padding == "signal" else whole + start
        if self.percentile is not None:
            counted = torch.full_like(whole, clips.shape[1]) if self.padding == "signal" else whole
            waveforms = waveforms / (quantile(clips, counted, self.percentile / 100) + 0.001 / 32768)
        return waveforms[:, None], lengths


def quantile(x, lengths, share):
    """What this share of each clip's samples lies below: from (batch, samples) to (batch, 1), as numpy.percentile."""
    inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
    x = x.masked_fill(~inside, torch.inf).sort(dim=1).values
    place = share * (lengths[:, None] - 1).clamp(min=0)  # (batch, 1)
    below = place.floor().long()
    above = torch.minimum(below + 1, (lengths[:, None] - 1).clamp(min=0))
    return torch.lerp(x.gather(1, below), x.gather(1, above), place - below)


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
