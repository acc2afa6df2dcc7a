"""A feature computed from blocks of samples: the same frames as for the whole recording, none computed twice."""

from dataclasses import replace

import torch

from ..errors import LabError
from ..features import Spectral


class StreamingFeature:
    """Frames of a spectral feature, as far as the sound that came allows.

    A frame is centred on its time, so it needs sound that comes after: half a window of it, and for deltas the frames
    that a slope is fitted over. It comes out as soon as that sound is there.

    Parameters
    ----------
    feature : MFCC, MelFrames or LogMel
        Its `seconds`, `offset` and `padding`, which fit a clip to a length, do not apply to a stream.

    Attributes
    ----------
    period : float
        Seconds from frame to frame.
    look_ahead : float
        Seconds of sound after a frame's time that it needs.
    """

    def __init__(self, feature):
        if not isinstance(feature, Spectral) or not feature.streamable:
            raise LabError(
                f"{feature} cannot be computed block by block: it has no frames, or top_db, clip_mean or trim need the "
                "whole clip. Use mel_frames or mfcc without these."
            )
        self.feature = replace(feature, seconds=None, offset=0.0, padding="masked")
        self.extract = self.feature.build()
        self.period = feature.hop / feature.sample_rate
        self.slopes = [Slope(feature.delta_width) for _ in range(getattr(feature, "deltas", 0))]
        late = sum(slope.half for slope in self.slopes)
        self.before = self.extract.before  # samples of a frame's window that lie before its time
        self.waits = max(feature.window, feature.hop)  # samples at hand before a frame is made and its hop dropped
        self.look_ahead = (self.waits - self.before) / feature.sample_rate + late * self.period
        self.reset()

    def reset(self):
        """Start anew, as if nothing had been heard."""
        self.samples, self.given = 0, 0  # samples that came; frames that were computed
        self.rest = torch.zeros(1, self.before)  # samples that frames to come need; zeros centre the first
        self.waiting = [None] * len(self.slopes)  # frames that came before their slopes
        for slope in self.slopes:
            slope.reset()

    @torch.no_grad()
    def push(self, samples):
        """Frames that the next samples complete.

        Parameters
        ----------
        samples : torch.Tensor
            Shape (samples,), float32, at the feature's rate; any number of them.

        Returns
        -------
        torch.Tensor
            Shape (1, frames, features); often with no frames at all.
        """
        self.samples += len(samples)
        self.rest = torch.cat([self.rest, samples[None]], 1)  # (1, samples)
        frames = max(0, (self.rest.shape[1] - self.waits) // self.feature.hop + 1)
        return self._slopes(self._frames(frames))

    @torch.no_grad()
    def flush(self):
        """The last frames, with zeros where no sound came any more; afterwards it starts anew."""
        frames = self.feature.steps(self.samples) - self.given if self.samples else 0
        missing = (frames - 1) * self.feature.hop + self.waits - self.rest.shape[1]
        self.rest = torch.nn.functional.pad(self.rest, (0, max(0, missing)))
        out = self._slopes(self._frames(frames), last=True)
        self.reset()
        return out

    def _frames(self, number):
        """So many frames from the samples at hand, without slopes: (1, frames, bands or coefficients)."""
        self.given += number
        hop, window = self.feature.hop, self.feature.window
        if not number:
            width = self.feature.n_mfcc if self.extract.cepstrum else self.feature.n_mels
            return torch.zeros(1, 0, width)
        frames = self.rest.unfold(1, window, hop)[:, :number]  # (1, frames, window)
        self.rest = self.rest[:, number * hop :]
        mel = self.extract.spectrum(frames) @ self.extract.filters  # (1, frames, bands)
        mel = self.extract.logarithm(mel, None)
        return mel @ self.extract.dct if self.extract.cepstrum else mel

    def _slopes(self, frames, last=False):
        """Append the slopes; a frame waits until the slope of each order is known."""
        blocks = [frames]
        for slope in self.slopes:
            blocks.append(slope.push(blocks[-1], last))
        ready = blocks[-1].shape[1]
        for number in range(len(self.slopes)):
            held = self.waiting[number]
            held = blocks[number] if held is None else torch.cat([held, blocks[number]], 1)
            blocks[number], self.waiting[number] = held[:, :ready], held[:, ready:]
        return torch.cat(blocks, -1)  # (1, frames, features)


class Slope:
    """`labkit.features.delta` of a stream: the slope at a frame, once `width // 2` more frames have come."""

    def __init__(self, width):
        self.half = width // 2
        self.reset()

    def reset(self):
        self.rest = None  # frames that slopes to come need

    def push(self, x, last=False):
        """Slopes that the next frames complete, of shape (1, frames, features); all of them if these are the last."""
        if self.rest is None and x.shape[1]:
            self.rest = x[:, :1].expand(-1, self.half, -1)  # the first frame repeated, as at the edge of a clip
        if self.rest is None:
            return x
        x = torch.cat([self.rest, x], 1)
        if last:
            x = torch.cat([x, x[:, -1:].expand(-1, self.half, -1)], 1)
        frames = x.shape[1] - 2 * self.half
        if frames <= 0:
            self.rest = x
            return x[:, :0]
        slope = 0
        for n in range(1, self.half + 1):
            slope = slope + n * (x[:, self.half + n :][:, :frames] - x[:, self.half - n :][:, :frames])
        self.rest = x[:, frames:]
        return slope / (2 * sum(n * n for n in range(1, self.half + 1)))
