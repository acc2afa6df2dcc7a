"""A network that needs no training: it hears a low and a high tone, and nothing else. For tests of what listens."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from labkit.features import MelFrames
from labkit.models.classifier import Classifier
from labkit.streaming import UNKNOWN

RATE = 16_000
TONES = {"low": 500, "high": 2000}  # Hz
LOUD = 15.0  # dB of a band, above which it counts as a tone


class Ears(nn.Module):
    """Scores of each frame: how far the band of each tone is above `LOUD`; 0 for anything else."""

    streamable = True

    def __init__(self, feature):
        super().__init__()
        filters = feature.build().filters  # (frequencies, bands)
        self.bands = [int(filters[round(hertz * feature.fft / RATE)].argmax()) for hertz in TONES.values()]

    def step(self, x, state=None):
        # x: (batch, frames, bands)
        return nn.functional.pad((x[..., self.bands] - LOUD).clamp(-5, 3), (0, 1)), None  # never wholly sure

    def forward(self, x, lengths):
        return self.step(x)[0][torch.arange(len(x)), lengths - 1]


def classifier():
    """What a detector takes."""
    feature = MelFrames(n_mels=20, normalise=False)
    return SimpleNamespace(
        experiment=SimpleNamespace(feature=feature),
        network=Classifier(Ears(feature)),
        labels=(*TONES, UNKNOWN),
        device=torch.device("cpu"),
        record={"decision": {"threshold": 0.6, "smoothing": 0.2, "refractory": 0.6}},
    )


def stream(*words, pause=0.7, seconds=0.5):
    """Tones with soft noise around them: float32, shape (samples,). The first begins after `pause`."""
    noise = 1e-4 * np.random.default_rng(0).standard_normal(round((pause + (pause + seconds) * len(words)) * RATE))
    time = np.arange(round(seconds * RATE)) / RATE
    for number, word in enumerate(words):
        start = round((pause + number * (pause + seconds)) * RATE)
        noise[start : start + len(time)] += 0.3 * np.sin(2 * np.pi * TONES[word] * time)
    return noise.astype(np.float32)
