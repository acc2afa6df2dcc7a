"""Varying the clips that a model is trained on: moved, faster, louder, in noise, partly hidden.

A batch is varied as a whole, on its device. What happens to a clip is drawn from (seed, epoch, clip) alone: the order
of the batches, their size and an interruption change nothing.
"""

import math
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from ..data.audio import read_audio
from ..data.corpus import UNKNOWN
from ..errors import LabError
from ..files import digest
from ..settings import Decibel, Few, Fraction, NotNegative, settings

# Columns of the draws: what each random number of a clip decides. Two for each mask follow, then three for nonwords.
SPEED, SHIFT, NOISE_START, SNR, NOISY, GAIN, MASKS = range(7)
NONWORD = -3


@settings
class Augmentation:
    """How clips are varied each time they are trained on; by default, not at all."""

    shift: NotNegative = 0.0  # seconds a clip may move either way; zeros fill the gap
    speed: Annotated[float, Field(ge=0, lt=1)] = 0.0  # fraction faster or slower; pitch moves along
    gain: Decibel = 0.0  # dB louder or softer
    noise: Fraction = 0.0  # fraction of clips in noise: the corpus' background noises, or made noise if it has none
    snr_low: Annotated[float, Field(ge=-200, le=200)] = 5.0  # speech against noise in dB, between these two
    snr_high: Annotated[float, Field(ge=-200, le=200)] = 25.0
    noise_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0  # of each background noise; the rest is for a test
    # Fractions of the clips that are made nonwords, with the class "unknown".
    pieces: Fraction = 0.0  # a piece of the word is left, or noise alone
    backwards: Fraction = 0.0  # played backwards, as a whole or sound by sound
    # Hidden stretches of time and of mel bands (SpecAugment, arXiv 1904.08779), set to the band's mean over the clip.
    time_masks: Few = 0
    time_mask: NotNegative = 0.2  # longest hidden stretch in seconds
    band_masks: Few = 0
    band_mask: Fraction = 0.2  # widest hidden stretch, as a fraction of the bands

    def __post_init__(self):
        if self.others > 1:
            raise LabError(f"pieces={self.pieces} and backwards={self.backwards} exceed 1 together. Lower one of them.")
        if self.snr_low > self.snr_high:
            raise LabError(f"snr_low={self.snr_low} is above snr_high={self.snr_high}. Exchange them.")

    @property
    def waveforms(self):
        """Whether it changes the waveform, so that features are computed anew in each epoch."""
        return any((self.shift, self.speed, self.gain, self.noise, self.others))

    @property
    def others(self):
        """Fraction of the clips that are made nonwords."""
        return self.pieces + self.backwards

    @property
    def masks(self):
        """Number of stretches of the feature that it hides."""
        return self.time_masks + self.band_masks


class Augmenter:
    """Applies an `Augmentation` to the clips of one part, whose paths seed their random draws.

    `noises` comes from `noise_bank`; `other` is the number of the class of nonwords.
    """

    def __init__(self, settings, feature, paths, noises, other=None):
        if settings.band_masks and (not hasattr(feature, "n_mels") or hasattr(feature, "n_mfcc")):
            wrong = f"band_masks hides mel bands, and {type(feature).__name__} has none."
            raise LabError(f"{wrong} Use the feature 'log_mel' or 'mel_frames', or band_masks=0.")
        if settings.others and other is None:
            wrong = f"pieces={settings.pieces} and backwards={settings.backwards} need a class {UNKNOWN!r}."
            raise LabError(f"{wrong} Add it to the class table of the target: a pair of its name twice.")
        self.settings, self.feature, self.other = settings, feature, other
        if noises is not None:  # half of it once more at its end, so that a clip may begin anywhere in it
            self.starts, self.circle = len(noises), torch.cat([noises, noises[: len(noises) // 2]])
        self.keys = np.array([int(digest(path, 16), 16) for path in paths], dtype=np.uint64)

    def draw(self, index, seed, epoch):
        """Random numbers between 0 and 1 for some clips, a column for each thing that is decided: (clips, columns)."""
        start = np.uint64(int(digest([seed, epoch, "augment"], 16), 16))
        return torch.from_numpy(uniform(self.keys[index] ^ start, MASKS + 2 * self.settings.masks + 3))

    def waveforms(self, x, lengths, draws):
        """Move, stretch, add noise and change the level of waveforms (batch, samples), zero beyond their lengths."""
        settings, sample_rate = self.settings, self.feature.sample_rate
        either_way = 2 * draws[:, :, None] - 1  # between -1 and 1; a column of it is (batch, 1)
        if settings.shift or settings.speed:
            factor = 1 + settings.speed * either_way[:, SPEED]
            shift = (settings.shift * sample_rate * either_way[:, SHIFT]).round()
            lengths = (lengths / factor[:, 0] + shift[:, 0]).round().long().clamp(min=1, max=self.feature.samples)
            x = moved(x, factor, shift, self.feature.samples or int(lengths.max()))
        speech = x  # whose level the noise is measured against
        if settings.others:
            x = self.nonwords(x, lengths, draws)
        inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]  # (batch, samples)
        if self.feature.padding == "signal":
            inside = torch.ones_like(inside)  # the zeros around count as recorded silence, which has noise too
        if settings.noise:
            stretches = self.circle.unfold(0, x.shape[1], 1)  # of this length, from every sample on, without a copy
            noise = stretches[(draws[:, NOISE_START] * self.starts).long()] * inside  # (batch, samples)
            snr = settings.snr_low + (settings.snr_high - settings.snr_low) * draws[:, SNR]
            ratio = speech.square().sum(1) / noise.square().sum(1).clamp(min=1e-9) * 10 ** (-snr / 10)
            level = torch.where(draws[:, NOISY] < settings.noise, ratio.sqrt(), 0.0)
            x = x + noise * level[:, None]
        if settings.gain:
            x = x * 10 ** (settings.gain * either_way[:, GAIN] / 20)
        return x * inside, lengths

    def targets(self, targets, draws):
        """Class of each clip, (batch,): "unknown" for nonwords."""
        return torch.where(draws[:, NONWORD] < self.settings.others, self.other or 0, targets)

    def nonwords(self, x, lengths, draws):
        """Turn some clips into nonwords: play them backwards, or leave a piece of the word, or nothing at all."""
        nonword, way, size = draws[:, NONWORD:, None].unbind(1)  # (batch, 1) each
        time, last = torch.arange(x.shape[1], device=x.device), lengths[:, None] - 1
        backwards = nonword < self.settings.backwards
        sound = round(0.12 * self.feature.sample_rate)  # samples of about one sound of speech
        sound_by_sound = (last // sound - time // sound) * sound + time % sound
        order = torch.where(way < 0.5, last - time, sound_by_sound).clamp(max=x.shape[1] - 1)  # (batch, samples)
        order = torch.where(backwards & (time <= last), order, time)
        passed = x.square().cumsum(1)  # energy up to each sample
        passed = passed / passed[:, -1:].clamp(min=1e-9)  # as a fraction of the clip's
        left = 0.05 + 0.3 * size  # fraction of the energy that a piece, the beginning or the end, has left
        piece = torch.where(way < 0.4, passed < left, passed > 1 - left) & (way < 0.8)
        return x.gather(1, order) * (piece | backwards | (nonword >= self.settings.others))

    def masks(self, x, lengths, draws):
        """Hide stretches of time and of bands in features, as the feature shapes them; lengths in steps of time."""
        settings, steps = self.settings, self.feature.steps
        if not settings.masks:
            return x
        axis = self.feature.time_axis - x.ndim  # counted from the end
        y = x.movedim(axis, -1).flatten(0, -3)  # (batch, bands, frames), whatever the feature
        bands, frames = y.shape[1:]
        inside = (torch.arange(frames, device=x.device) < lengths[:, None])[:, None]  # (batch, 1, frames)
        mean = (y * inside).sum(2, keepdim=True) / inside.sum(2, keepdim=True)  # (batch, bands, 1)
        per_second = steps(self.feature.sample_rate) - steps(0)
        pairs = draws[:, MASKS:NONWORD].unflatten(1, (-1, 2))  # (batch, masks, 2)
        time, band = pairs.split([settings.time_masks, settings.band_masks], dim=1)
        time = hidden(time, settings.time_mask * per_second, lengths[:, None], frames)[:, None]
        band = hidden(band, settings.band_mask * bands, bands, bands)[:, :, None]
        y = torch.where((time | band) & inside, mean, y)
        return y.movedim(-1, axis).view_as(x)


def hidden(pairs, widest, size, count):
    """Which of `count` places the masks hide: each at most `widest`, among the first `size`; bool, (batch, count)."""
    width = (pairs[..., 0] * widest).clamp(max=size).floor()  # (batch, masks)
    first = (pairs[..., 1] * (size - width + 1)).floor()
    place = torch.arange(count, device=pairs.device)
    return ((place >= first[..., None]) & (place < (first + width)[..., None])).any(1)


def moved(x, factor, shift, samples):
    """Play each row of x `factor` times as fast and `shift` samples later, zeros outside: (batch, samples)."""
    place = (torch.arange(samples, device=x.device) - shift) * factor  # (batch, samples), in samples of x
    left = place.floor()
    index = left.clamp(-2, x.shape[1]).long() + 2
    x = nn.functional.pad(x, (2, 2))  # zeros on both sides: what lies outside
    return torch.lerp(x.gather(1, index), x.gather(1, index + 1), place.sub_(left).to(x.dtype))


def uniform(keys, count):
    """Random numbers from 0 to 1, (clips, count), of uint64 keys (clips,): SplitMix64 (Steele et al., OOPSLA 2014)."""
    z = keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def noise_bank(corpus, feature, device, fraction=1.0):
    """A row of noise, longer than two clips: the first `fraction` of each noise of the corpus, else white and pink."""
    sample_rate = feature.sample_rate
    if corpus.noises:
        rows = [read_audio(corpus.root / path, sample_rate)[0] for path in corpus.noises]
        rows = [row[: math.ceil(fraction * len(row))] for row in rows]
    else:
        rng = np.random.default_rng(0)
        white, other = rng.standard_normal((2, 10 * sample_rate))
        spectrum = np.fft.rfft(other)
        pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), 10 * sample_rate)
        rows = [0.1 * row / row.std() for row in (white, pink)]
    row = torch.from_numpy(np.concatenate(rows).astype(np.float32)).to(device)
    longest = feature.samples or round(corpus.clips.seconds.max() * sample_rate * 1.5) + sample_rate
    return row.tile(max(1, math.ceil(2 * longest / len(row))))
