"""A feature computed from blocks of samples: the same frames as for the whole recording."""

import torch

from ..errors import LabError
from ..features import Spectral, delta


class StreamingFeature:
    """Frames of an MFCC or mel feature, each as soon as its sound is there; settings of length do not apply.

    A frame is centred on its time, so it needs `look_ahead` seconds of sound that comes after: half a window, and for
    deltas the frames that a slope is fitted over.
    """

    def __init__(self, feature):
        if not isinstance(feature, Spectral) or not feature.streamable:
            why = "it has no frames, or top_db, clip_mean or trim need the whole clip"
            raise LabError(f"{feature} cannot be computed block by block: {why}. Use mel_frames or mfcc without these.")
        self.feature, self.extract = feature, feature.build()
        self.width = feature.n_mfcc if self.extract.cepstrum else feature.n_mels
        self.orders = getattr(feature, "deltas", 0)
        self.late = self.orders * (feature.delta_width // 2) if self.orders else 0  # frames that the slopes wait for
        self.period = feature.hop / feature.sample_rate  # seconds from frame to frame
        self.waits = max(feature.window, feature.hop)  # samples at hand before a frame is made and its hop dropped
        self.look_ahead = (self.waits - self.extract.before) / feature.sample_rate + self.late * self.period
        self.reset()

    def reset(self):
        self.heard, self.made = 0, 0  # samples that came; frames that were computed
        self.samples = torch.zeros(1, self.extract.before)  # those that frames to come need; zeros centre the first
        self.frames, self.given = torch.zeros(1, 0, self.width), 0  # those that slopes need; how many came out already

    @torch.no_grad()
    def push(self, samples):
        """Frames, shape (1, frames, features), that the next samples, shape (samples,), complete; often none."""
        self.heard += len(samples)
        self.samples = torch.cat([self.samples, samples[None]], 1)
        number = max(0, (self.samples.shape[1] - self.waits) // self.feature.hop + 1)
        return self._with_slopes(self._frames(number), self.late)

    @torch.no_grad()
    def flush(self):
        """The last frames, with zeros where no sound came any more; afterwards it starts anew."""
        number = self.feature.steps(self.heard) - self.made if self.heard else 0
        missing = (number - 1) * self.feature.hop + self.waits - self.samples.shape[1]
        self.samples = torch.nn.functional.pad(self.samples, (0, max(0, missing)))
        out = self._with_slopes(self._frames(number), 0)
        self.reset()
        return out

    def _frames(self, number):
        """So many frames from the samples at hand, without slopes: (1, frames, bands or coefficients)."""
        if not number:
            return self.frames[:, :0]
        self.made += number
        frames = self.samples.unfold(1, self.feature.window, self.feature.hop)[:, :number]  # (1, frames, window)
        self.samples = self.samples[:, number * self.feature.hop :]
        mel = self.extract.logarithm(self.extract.spectrum(frames) @ self.extract.filters, None)  # (1, frames, bands)
        return mel @ self.extract.dct if self.extract.cepstrum else mel

    def _with_slopes(self, frames, wait):
        """Frames with their deltas, but for the last `wait`, whose slopes are not known yet."""
        self.frames = torch.cat([self.frames, frames], 1)
        blocks, count = [self.frames], self.frames.shape[1]
        for _ in range(self.orders):
            blocks.append(delta(blocks[-1], torch.tensor([count]), self.feature.delta_width) if count else self.frames)
        ready = max(self.given, count - wait)
        out = torch.cat(blocks, -1)[:, self.given : ready]  # (1, frames, features)
        drop = max(0, ready - self.late)  # slopes reach as far back as they reach ahead
        self.frames, self.given = self.frames[:, drop:], ready - drop
        return out
