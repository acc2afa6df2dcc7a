"""Varying the clips that a model is trained on: moved, faster, louder, in noise, partly hidden.

Everything happens on the device, for a whole batch. What happens to a clip is drawn from (seed, epoch, clip) alone: the
order of the batches, their size and a resumed training change nothing.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..data.corpus import OTHER
from ..errors import LabError, check_types
from ..files import digest


@dataclass(frozen=True)
class Augmentation:
    """How clips are varied, each time they are trained on. Nothing is, by default.

    Parameters
    ----------
    shift : float
        Seconds that a clip is moved by at most, either way; zeros fill the gap.
    speed : float
        Share by which it is played faster or slower at most; 0.1 is 10%, and pitch moves along.
    gain : float
        dB by which it is louder or softer at most.
    noise : float
        Share of the clips that noise is added to: the corpus' own background noises, or made noise if it has none.
    snr_low, snr_high : float
        Speech against noise in dB, between these.
    noise_share : float
        Share of each background noise, from its beginning, that is used: what follows stays unheard, for a test.
    pieces, backwards : float
        Shares of the clips that are made something that is no word, so that a network learns to say so: a piece of
        the word or noise alone is left; or it is played backwards, as a whole or sound by sound. They count as the
        class "other" of the corpus.
    time_masks, band_masks : int
        Stretches of time, and of mel bands, that are hidden (SpecAugment, arXiv 1904.08779). What is hidden shows the
        clip's mean of that band, so that normalisation makes it nothing special.
    time_mask : float
        Longest hidden stretch in seconds.
    band_mask : float
        Widest hidden stretch as a share of the bands.

    Examples
    --------
    >>> Augmentation(shift=0.1).waveforms
    True
    """

    shift: float = 0.0
    speed: float = 0.0
    gain: float = 0.0
    noise: float = 0.0
    snr_low: float = 5.0
    snr_high: float = 25.0
    noise_share: float = 1.0
    pieces: float = 0.0
    backwards: float = 0.0
    time_masks: int = 0
    time_mask: float = 0.2
    band_masks: int = 0
    band_mask: float = 0.2

    def __post_init__(self):
        check_types(self)
        low = min(self.shift, self.gain, self.time_masks, self.time_mask, self.band_masks)
        if low < 0 or not (0 <= self.speed < 1 and 0 <= self.noise <= 1 and 0 <= self.band_mask <= 1):
            raise LabError(
                f"{self}: none may be below zero, speed is below 1, noise and band_mask are at most 1. Change these."
            )
        if not (0 < self.noise_share <= 1 and min(self.pieces, self.backwards) >= 0 and self.others <= 1):
            raise LabError(
                f"{self}: noise_share is above 0 and at most 1; pieces and backwards are shares of clips, at most 1 "
                "together. Change these."
            )
        if self.snr_low > self.snr_high:
            raise LabError(f"snr_low={self.snr_low} is above snr_high={self.snr_high}. Exchange them.")

    @property
    def waveforms(self):
        """Whether it changes the waveform, so that features are computed anew in each epoch."""
        return any((self.shift, self.speed, self.gain, self.noise, self.others))

    @property
    def others(self):
        """Share of the clips that are made something that is no word."""
        return self.pieces + self.backwards

    @property
    def masks(self):
        """Whether it hides parts of the feature."""
        return self.time_masks + self.band_masks > 0


class Augmenter:
    """Applies an `Augmentation` to the clips of one source.

    Parameters
    ----------
    settings : Augmentation
    feature : Feature
    paths : sequence of str
        Path of each clip: its name in the dice.
    noises : torch.Tensor
        One long row of noise at the feature's rate, float32, on the device; empty if none is added.
    other : int, optional
        Number of the class "other", for clips that are made no word.
    """

    def __init__(self, settings, feature, paths, noises, other=None):
        if settings.band_masks and (not hasattr(feature, "n_mels") or hasattr(feature, "n_mfcc")):
            raise LabError(
                f"band_masks hides mel bands, and {type(feature).__name__} has none. "
                "Use the feature 'log_mel' or 'mel_frames', or band_masks=0."
            )
        if settings.others and other is None:
            raise LabError(
                f"pieces={settings.pieces} and backwards={settings.backwards} need a class {OTHER!r}. Add it to the "
                "class table of the target: a pair of its name twice."
            )
        self.settings, self.feature, self.noises, self.other = settings, feature, noises, other
        self.keys = np.array([int(digest(path, 16), 16) for path in paths], dtype=np.uint64)

    def draw(self, index, seed, epoch):
        """Numbers between 0 and 1 for some clips: float32, shape (clips, 6 + 2 per mask + 3 for what is no word)."""
        count = 6 + 2 * (self.settings.time_masks + self.settings.band_masks) + 3
        start = np.uint64(int(digest([seed, epoch, "augment"], 16), 16))
        return torch.from_numpy(uniform(self.keys[index] ^ start, count))

    def waveforms(self, x, lengths, draws):
        """Move, stretch, add noise and change the level.

        Parameters
        ----------
        x : torch.Tensor
            Shape (batch, samples), zero beyond each clip's length.
        lengths : torch.Tensor
            Shape (batch,), in samples.
        draws : torch.Tensor
            What `draw` gave, on the device.

        Returns
        -------
        tuple of torch.Tensor
        """
        settings, rate = self.settings, self.feature.sample_rate
        if settings.shift or settings.speed:
            factor = 1 + settings.speed * (2 * draws[:, :1] - 1)  # (batch, 1)
            shift = (settings.shift * rate * (2 * draws[:, 1:2] - 1)).round()
            lengths = (lengths / factor[:, 0] + shift[:, 0]).round().long().clamp(min=1)
            if self.feature.samples is not None:
                lengths = lengths.clamp(max=self.feature.samples)
            x = moved(x, factor, shift, self.feature.samples or int(lengths.max()), bool(settings.speed))
        speech = x  # whose level the noise is measured against
        if settings.others:
            x = self.spoilt(x, lengths, draws)
        inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        if self.feature.padding == "signal":
            inside = torch.ones_like(inside)  # the zeros around count as recorded silence, which has noise too
        if settings.noise:
            circle = torch.cat([self.noises, self.noises[: x.shape[1]]])
            stretches = circle.unfold(0, x.shape[1], 1)  # of this length, from every sample on, without a copy
            noise = stretches[(draws[:, 2] * len(self.noises)).long()] * inside  # (batch, samples)
            snr = settings.snr_low + (settings.snr_high - settings.snr_low) * draws[:, 3]
            ratio = speech.square().sum(1) / noise.square().sum(1).clamp(min=1e-9) * 10 ** (-snr / 10)
            level = torch.where(draws[:, 4] < settings.noise, ratio.sqrt(), 0.0)
            x = x + noise * level[:, None]
        if settings.gain:
            x = x * 10 ** (settings.gain * (2 * draws[:, 5:6] - 1) / 20)
        return x * inside, lengths

    def targets(self, targets, draws):
        """Class of each clip: "other" for those that are made no word. Shape (batch,)."""
        return torch.where(draws[:, -3] < self.settings.others, self.other or 0, targets)

    def spoilt(self, x, lengths, draws):
        """Make some clips no word: play them backwards, leave a piece of the word, or nothing at all.

        A piece is what comes before 5 to 35% of the clip's energy has passed, or after all but so much has. Backwards
        is the whole, or the order of stretches of 0.12 s, about a sound of speech each.
        """
        settings = self.settings
        dice, kind, where = (draws[:, column, None] for column in (-3, -2, -1))  # (batch, 1) each
        last = lengths[:, None] - 1
        time = torch.arange(x.shape[1], device=x.device).expand_as(x)
        stretch = round(0.12 * self.feature.sample_rate)
        order = torch.where(kind < 0.5, last - time, (last // stretch - time // stretch) * stretch + time % stretch)
        backwards = x.gather(1, torch.where(time <= last, order, time).clamp(max=x.shape[1] - 1))
        passed = x.square().cumsum(1)  # (batch, samples)
        passed = passed / passed[:, -1:].clamp(min=1e-9)
        where = 0.05 + 0.3 * where
        left = ((kind < 0.4) & (passed < where)) | ((kind >= 0.4) & (kind < 0.8) & (passed > 1 - where))
        return torch.where(dice < settings.backwards, backwards, torch.where(dice < settings.others, x * left, x))

    def masks(self, x, lengths, draws):
        """Hide stretches of time and of bands.

        Parameters
        ----------
        x : torch.Tensor
            Features, as the feature shapes them.
        lengths : torch.Tensor
            Shape (batch,), in frames or samples.
        """
        settings, time = self.settings, self.feature.time_axis
        frames, band_axis = x.shape[time], 5 - time if x.ndim == 4 else 3 - time
        per_second = self.feature.steps(self.feature.sample_rate) - self.feature.steps(0)
        hidden = torch.zeros_like(x, dtype=torch.bool)
        column = 6
        for number in range(settings.time_masks + settings.band_masks):
            along_time = number < settings.time_masks
            size = lengths if along_time else torch.full_like(lengths, x.shape[band_axis])
            widest = settings.time_mask * per_second if along_time else settings.band_mask * x.shape[band_axis]
            width = torch.minimum(draws[:, column] * widest, size).floor()
            first = (draws[:, column + 1] * (size - width + 1)).floor()
            place = torch.arange(frames if along_time else x.shape[band_axis], device=x.device)
            stretch = (place >= first[:, None]) & (place < (first + width)[:, None])  # (batch, frames or bands)
            axis = time if along_time else band_axis
            hidden |= stretch.view([len(x)] + [x.shape[axis] if a == axis else 1 for a in range(1, x.ndim)])
            column += 2
        inside = torch.arange(frames, device=x.device) < lengths[:, None]
        inside = inside.view([len(x)] + [frames if axis == time else 1 for axis in range(1, x.ndim)])
        mean = (x * inside).sum(time, keepdim=True) / inside.sum(time, keepdim=True)
        return torch.where(hidden & inside, mean, x)


def moved(x, factor, shift, samples, between):
    """Play each row `factor` times as fast and `shift` samples later; zeros outside.

    Parameters
    ----------
    x : torch.Tensor
        Shape (batch, samples before).
    factor, shift : torch.Tensor
        Shape (batch, 1).
    samples : int
        Length of the result.
    between : bool
        Interpolate between samples, which a factor other than 1 needs.

    Returns
    -------
    torch.Tensor
        Shape (batch, samples).
    """
    place = (torch.arange(samples, device=x.device) - shift) * factor  # (batch, samples), in samples of x
    left = place.floor()
    index = left.clamp(-2, x.shape[1]).long() + 2
    x = nn.functional.pad(x, (2, 2))  # zeros on both sides: what lies outside
    if not between:
        return x.gather(1, index)
    return torch.lerp(x.gather(1, index), x.gather(1, index + 1), place.sub_(left).to(x.dtype))


def uniform(keys, count):
    """Random numbers between 0 and 1 that depend on a key only (SplitMix64; Steele et al., OOPSLA 2014).

    Parameters
    ----------
    keys : numpy.ndarray
        uint64, shape (clips,).
    count : int

    Returns
    -------
    numpy.ndarray
        float32, shape (clips, count).
    """
    with np.errstate(over="ignore"):
        z = keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def noise_bank(corpus, feature, device, share=1.0):
    """The corpus' background noises in one row, at the feature's rate; made noise (white and pink) if it has none.

    Parameters
    ----------
    corpus : Corpus
    feature : Feature
    device : torch.device
    share : float
        Of each background noise, from its beginning.

    Returns
    -------
    torch.Tensor
        float32, shape (samples,), on the device; longer than the feature's clips.
    """
    from ..data.audio import read_audio

    rate = feature.sample_rate
    if corpus.noises:
        rows = [read_audio(corpus.root / path, rate)[0] for path in corpus.noises]
        rows = [row[: math.ceil(share * len(row))] for row in rows]
    else:
        rng = np.random.default_rng(0)
        white = rng.standard_normal(10 * rate)
        spectrum = np.fft.rfft(rng.standard_normal(10 * rate))
        pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), 10 * rate)
        rows = [0.1 * row / row.std() for row in (white, pink)]
    row = np.concatenate(rows).astype(np.float32)
    longest = feature.samples or round(corpus.clips.seconds.max() * rate * 1.5) + rate
    row = np.tile(row, math.ceil(2 * longest / len(row))) if len(row) < 2 * longest else row
    return torch.from_numpy(row).to(device)
