"""The simplest feature: the samples themselves."""

from typing import Annotated

import torch
from pydantic import Field

from ..errors import LabError
from ..settings import settings
from .feature import Feature

STEP = 1 / 32768  # of a 16-bit sample, whose range is -1 to 1 here


@settings
class Raw(Feature):
    """The samples themselves: (batch, 1, samples); lengths in samples."""

    normalise: bool = False
    # Divide each clip by this percentile of its samples, plus 0.001 of a 16-bit step, so that all are about as loud
    # (Becker et al., arXiv 1807.03418, take 95). With padding="signal" the filled zeros count too, as they did there: a
    # clip that fills less than a tenth of the window is then divided by almost nothing.
    percentile: Annotated[float, Field(gt=0, le=100)] | None = None
    scatter: bool = False  # let each clip begin somewhere in the window: always at the same place, see `start_of`

    look_ahead = 0.0
    time_axis = 2

    def __post_init__(self):
        super().__post_init__()
        if self.scatter and self.seconds is None:
            raise LabError("scatter needs a window of one length. Set seconds, for example to 1.0.")

    @property
    def streamable(self):
        """Whether a step in time can be computed without knowing the rest of the clip."""
        return self.percentile is None and not self.scatter and self.trim is None

    @property
    def shape(self):
        return (1, self.samples)

    def build(self):
        return self.extract

    def extract(self, waveforms, lengths):
        clips, filled = self.fit(waveforms, lengths)
        x, valid = clips, self.valid(clips, filled)
        if self.percentile is not None:
            x = x / (quantile(clips, valid, self.percentile / 100) + 0.001 * STEP)
        if self.scatter:
            start = start_of(clips, filled)
            time = torch.arange(self.samples, device=x.device) - start[:, None]  # in the clip, below 0 before it
            x = x.gather(1, time % self.samples)  # the zeros behind the clip come before it
            valid = filled + start if self.padding == "masked" else valid
        return x[:, None], valid


def start_of(clips, lengths):
    """Where in its window each clip begins, in samples: as good as random, but decided by its sound alone.

    So it is the same in each epoch, in each batch and on every machine (multiplicative hashing: Knuth, vol. 3, 6.4).
    """
    total = (clips / STEP).round().long().sum(1)  # (batch,)
    room = clips.shape[1] - lengths + 1
    # The last 32 bits of the product look random and are read as a fraction of the free room.
    return total * 2654435761 % 2**32 * room // 2**32


def quantile(x, lengths, fraction):
    """As numpy.quantile, of each clip's own samples: from (batch, samples) to (batch, 1)."""
    inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
    x = x.masked_fill(~inside, torch.inf).sort(dim=1).values
    last = (lengths[:, None] - 1).clamp(min=0)  # (batch, 1)
    place = fraction * last
    below = place.floor().long()
    above = torch.minimum(below + 1, last)
    return torch.lerp(x.gather(1, below), x.gather(1, above), place - below)
