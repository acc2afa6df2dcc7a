"""What all features share: the sample rate they need and the length that clips are fitted to."""

from typing import Literal

import torch
from torch import nn

from ..errors import LabError
from ..settings import Count, Positive, settings

TICK, MARGIN = 0.01, 0.02  # seconds: how finely `trim` looks, and what it keeps on both sides of the word


@settings
class Feature:
    """What all features share."""

    sample_rate: Count = 16_000  # Hz; clips are resampled to it
    seconds: Positive | None = 1.0  # longer clips are cropped, shorter ones filled with zeros; None keeps every length
    padding: Literal["masked", "signal"] = "masked"  # whether models ignore the filled zeros, or take them for sound
    normalise: bool = True  # subtract the mean and divide by the standard deviation, both of the training part
    # Trim what comes before and after the word, more than so many dB below the loudest place, keeping MARGIN. In
    # training this comes before an augmentation adds noise. Not streamable.
    trim: Positive | None = None

    def __post_init__(self):
        if self.seconds is None and (self.padding == "signal" or self.trim is not None):
            raise LabError(f"padding={self.padding!r} and trim={self.trim} need a length to fit to. Set seconds.")

    @property
    def samples(self):
        """Length that clips are fitted to, in samples; None if they keep theirs."""
        return None if self.seconds is None else round(self.seconds * self.sample_rate)

    @property
    def shortest(self):
        """Fewest samples that a clip may have."""
        return 1

    def steps(self, samples):
        """Length of so many samples along the time axis of the feature."""
        return samples

    @property
    def reads(self):
        """Samples of a clip to read, at most; None for all: a clip that is trimmed may have its word late."""
        return self.samples if self.trim is None else None

    def cut(self, waveforms, lengths):
        """Apply `trim` to clips of shape (batch, samples); the result is as wide as its longest clip."""
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
        """Apply `trim` and `seconds` to clips of shape (batch, samples), which are zero beyond their lengths."""
        waveforms, lengths = self.cut(waveforms, lengths)
        if self.samples is None:
            return waveforms, lengths
        missing = self.samples - waveforms.shape[1]  # below zero, it crops
        return nn.functional.pad(waveforms, (0, missing)), lengths.clamp(max=self.samples)

    def valid(self, waveforms, lengths):
        """Lengths that count as signal, of clips that were fitted: (batch,)."""
        return lengths if self.padding == "masked" else torch.full_like(lengths, waveforms.shape[1])


class Normalise(nn.Module):
    """First layer of a model: subtract the mean of the training part, divide by its standard deviation (`spread`)."""

    def __init__(self, mean, spread):  # both broadcast against the features of one clip
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    def forward(self, x):
        return (x - self.mean) / self.spread
