"""Changed sound for a trained network: `predictions(run, sound=level(-20))` changes the clips, not the network."""

import math

import torch

from ..errors import LabError


def level(db):
    """Louder or softer by so many dB; what goes beyond full scale is cut off, as a microphone would."""

    def sound(waveforms, rate):
        return (waveforms * 10 ** (db / 20)).clamp(-1, 1)

    return sound


def band(low, high):
    """What a microphone or a line lets through: half of the amplitude at `low` and `high` Hz, slopes of 0.4 octaves."""
    if not 0 < low < high:
        raise LabError(f"low={low}, high={high}: it should be 0 < low < high. Change these.")

    def sound(waveforms, rate):  # (batch, samples)
        samples = waveforms.shape[1]
        hertz = torch.fft.rfftfreq(2 * samples, 1 / rate, device=waveforms.device).clamp(min=1e-3)
        inside = torch.minimum((hertz / low).log2(), (high / hertz).log2())  # octaves from the nearer edge
        gain = 0.5 + 0.5 * torch.sin((inside / 0.2).clamp(-1, 1) * (math.pi / 2))
        return torch.fft.irfft(torch.fft.rfft(waveforms, 2 * samples) * gain)[:, :samples]

    return sound


def without_bands(run, first, last):
    """Mel bands from `first` up to `last` (not included) are set to their mean over the training part."""
    if not run.experiment.feature.normalise:
        raise LabError("The mean of a band is known where the feature is normalised. Set normalise=True.")
    mean = run.network.front.mean  # (1, bands, 1)

    def features(x):  # (batch, 1, bands, frames)
        x = x.clone()
        x[:, :, first:last] = mean[:, first:last]
        return x

    return features
