"""What all features share, the sample rate and the length that clips are fitted to; and the simplest: the samples."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from ..errors import LabError
from ..settings import Decibel, Hertz, Positive, settings

TICK, MARGIN = 0.01, 0.02  # seconds: how finely `trim` looks, and what it keeps on both sides of the word
MOST_NUMBERS = 10_000_000  # that a clip may have on its way to a feature: 2.6 GB for a batch of 64
STEP = 1 / 32768  # of a 16-bit sample, whose range is -1 to 1 here


@settings
class Feature:
    """What all features share."""

    sample_rate: Hertz = 16_000  # Hz; clips are resampled to it
    seconds: Positive | None = 1.0  # longer clips are cropped, shorter ones filled with zeros; None keeps every length
    padding: Literal["masked", "signal"] = "masked"  # whether models ignore the filled zeros, or take them for sound
    normalise: bool = True  # subtract the mean and divide by the standard deviation, both of the training part
    # Trim what comes before and after the word: what is so many dB below the loudest moment, but for MARGIN. In
    # training this comes before an augmentation adds noise. Not streamable.
    trim: Annotated[Decibel, Field(gt=0)] | None = None

    shortest = 1  # samples that a clip must have
    streamable = False  # whether it can be computed block by block

    def __post_init__(self):
        if self.seconds is None and (self.padding == "signal" or self.trim is not None):
            raise LabError(f"padding={self.padding!r} and trim={self.trim} need a length to fit to. Set seconds.")
        if self.samples == 0:
            raise LabError(f"seconds={self.seconds} is shorter than a sample. Change it.")
        self.need_memory(self.samples or 0)

    def need_memory(self, numbers):
        """LabError if a clip, of so many numbers as a feature, is so large that no batch of them fits into a memory."""
        if numbers > MOST_NUMBERS:
            what = f"{type(self).__name__} needs about {64 * 4 * numbers / 1e9:,.1f} GB for a batch of 64 clips"
            raise LabError(f"{what} with {self}. Lower seconds, sample_rate, n_fft or n_mels, or lengthen hop_ms.")

    @property
    def samples(self):
        """Length that clips are fitted to, in samples; None if they keep theirs."""
        return None if self.seconds is None else round(self.seconds * self.sample_rate)

    @property
    def reads(self):
        """Samples of a clip to read, at most; None for all: a clip that is trimmed may have its word late."""
        return self.samples if self.trim is None else None

    def steps(self, samples):
        """Length of so many samples along the time axis of the feature."""
        return samples

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
        """Clips (batch, samples) after `trim` and `seconds`, their lengths, and the lengths that count as sound."""
        waveforms, lengths = self.cut(waveforms, lengths)
        if self.samples is not None:
            waveforms = nn.functional.pad(waveforms, (0, self.samples - waveforms.shape[1]))  # below zero, it crops
            lengths = lengths.clamp(max=self.samples)
        signal = lengths if self.padding == "masked" else torch.full_like(lengths, waveforms.shape[1])
        return waveforms, lengths, signal


@settings
class Raw(Feature):
    """The samples themselves: (batch, 1, samples); lengths in samples."""

    normalise: bool = False
    # Divide each clip by this percentile of its samples, plus 0.001 of a 16-bit step, so that all are about as loud.
    # Becker et al. (arXiv 1807.03418) take 95, and let the filled zeros count: so does padding="signal".
    percentile: Annotated[float, Field(gt=0, le=100)] | None = None
    scatter: bool = False  # let each clip begin somewhere in the window, always at the same place

    time_axis = 2

    def __post_init__(self):
        super().__post_init__()
        if self.scatter and self.seconds is None:
            raise LabError("scatter needs a window of one length. Set seconds, for example to 1.0.")

    @property
    def shape(self):
        return (1, self.samples)

    def build(self):
        return self.extract

    def extract(self, waveforms, lengths):
        clips, lengths, signal = self.fit(waveforms, lengths)
        x, time = clips, torch.arange(clips.shape[1], device=clips.device)
        if self.percentile is not None:
            own = clips.masked_fill(time >= signal[:, None], torch.nan)  # nan is left out of the percentile
            x = clips / (own.nanquantile(self.percentile / 100, dim=1, keepdim=True) + 0.001 * STEP)
        if self.scatter:
            # As good as random, but decided by the sound alone, so the same in each epoch and batch: multiplicative
            # hashing (Knuth, vol. 3, 6.4), whose last 32 bits are a fraction of the free room.
            room = clips.shape[1] - lengths + 1
            start = (clips / STEP).round().long().sum(1) * 2654435761 % 2**32 * room // 2**32  # (batch,)
            x = x.gather(1, (time - start[:, None]) % self.samples)  # zeros from behind the clip come before it
            signal = lengths + start if self.padding == "masked" else signal
        return x[:, None], signal
