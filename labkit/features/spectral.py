"""Features that start from a spectrogram: their settings, and how they are computed for whole batches."""

import math
import warnings
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from ..errors import LabError, LabWarning
from ..settings import Count, Decibel, Hertz, NotNegative, Positive, settings
from .feature import Feature


@settings
class Spectral(Feature):
    """What the spectral features share: frames, the power spectrum, mel bands and their logarithm."""

    window_ms: Positive = 40.0  # length of a frame (a Hann window), in milliseconds
    hop_ms: Positive = 20.0  # step from frame to frame
    n_fft: Count | None = None  # samples of the Fourier transform, at least the window's
    n_mels: Annotated[int, Field(ge=1, le=1000)] = 40  # mel bands between f_min and f_max
    f_min: NotNegative = 0.0  # Hz
    f_max: Positive | None = None  # Hz; half the sample rate if None
    mel_scale: Literal["htk", "slaney"] = "htk"
    mel_norm: Literal["slaney"] | None = None  # filters of equal height, or of equal area
    log: Literal["db", "ln", "none"] = "db"  # 10 log10, natural logarithm, or the power as it is
    # Power below which the logarithm is cut; a sine of full scale is some 40 dB above 1.
    floor: Annotated[float, Field(ge=1e-30, le=1e6)] = 1e-10
    top_db: Annotated[Decibel, Field(gt=0)] | None = None  # cut what is so far below the clip's loudest; not streamable
    mel_rate: Hertz | None = None  # Hz that the mel filters are made for, if not the sample rate: an audit's mistake
    # Subtract from each band its mean over the clip (Atal, JASA 55, 1974): on a logarithmic scale this takes away the
    # microphone, the room, the level, and much of the voice. Not streamable.
    clip_mean: bool = False

    mel = True  # whether frequencies are gathered in mel bands
    time_axis = 1  # of x, the batch is 0

    def __post_init__(self):
        super().__post_init__()
        short = self.samples is not None and self.samples < self.window
        if self.hop < 1 or self.window < 2 or self.fft < self.window or short:
            what = f"A window of {self.window} samples, a hop of {self.hop}, n_fft={self.n_fft}, seconds={self.seconds}"
            raise LabError(f"{what}: n_fft and seconds must hold a window, the hop a sample. Change one of them.")
        nyquist = (self.mel_rate or self.sample_rate) / 2
        if not self.f_min < (self.f_max or nyquist) <= nyquist:
            why = f"f_min={self.f_min} must be below f_max={self.f_max} (None is {nyquist} Hz, the most there can be)"
            raise LabError(f"{why}. Change one of them.")
        frames = self.steps(self.samples or self.sample_rate)
        self.need_memory(max(frames * max(self.fft, self.width), self.fft * self.n_mels))

    @property
    def window(self):  # in samples, as `hop` and `fft`
        return round(self.window_ms * self.sample_rate / 1000)

    @property
    def hop(self):
        return round(self.hop_ms * self.sample_rate / 1000)

    @property
    def fft(self):
        return self.n_fft or self.window

    @property
    def shortest(self):  # filled up to `seconds` any clip will do, else it must fill a window
        return self.window if self.samples is None else 1

    def steps(self, samples):
        return 1 + samples // self.hop

    @property
    def width(self):  # numbers in a frame
        return self.n_mels if self.mel else self.fft // 2 + 1

    @property
    def shape(self):
        frames = None if self.samples is None else self.steps(self.samples)
        return (1, self.width, frames) if self.time_axis == 3 else (frames, self.width)

    @property
    def streamable(self):
        return self.top_db is None and not self.clip_mean and self.trim is None

    def build(self):
        return SpectralExtractor(self)


@settings
class LogMel(Spectral):
    """Mel spectrogram as an image: (batch, 1, bands, frames); lengths in frames."""

    time_axis = 3


@settings
class Spectrogram(LogMel):
    """Spectrogram as an image, (batch, 1, frequencies, frames): settings of mel bands change nothing."""

    mel = False


@settings
class MelFrames(Spectral):
    """Mel spectrogram as a sequence, for recurrent models: (batch, frames, bands); lengths in frames."""


@settings
class MFCC(Spectral):
    """Mel-frequency cepstral coefficients (Davis, Mermelstein, 1980): (batch, frames, features); lengths in frames."""

    n_mfcc: Count = 13  # coefficients: cosine transform of the log-mel spectrum, slow changes over frequency first
    deltas: Annotated[int, Field(ge=0, le=2)] = 2  # 1 appends the slope over time, 2 the slope of the slope, too
    delta_width: Annotated[int, Field(ge=1, le=999)] = 7  # frames that a slope is fitted over, odd

    def __post_init__(self):
        super().__post_init__()
        if self.n_mfcc > self.n_mels:
            raise LabError(f"n_mfcc={self.n_mfcc} may not exceed n_mels={self.n_mels}. Change one.")
        if self.delta_width % 2 == 0 or self.delta_width < 3:
            raise LabError(f"delta_width={self.delta_width} must be odd and at least 3. Change it.")

    @property
    def width(self):
        return self.n_mfcc * (1 + self.deltas)


class SpectralExtractor(nn.Module):
    """Computes a `Spectral` feature: `extractor(waveforms, lengths)` gives (x, lengths)."""

    def __init__(self, feature):
        super().__init__()
        self.feature = feature
        self.cepstrum = hasattr(feature, "n_mfcc")
        window = torch.hann_window(feature.window, periodic=True, dtype=torch.float64).float()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", mel_filters(feature) if feature.mel else None, persistent=False)
        silent = {"none": 0.0, "ln": math.log(feature.floor), "db": 10 * math.log10(feature.floor)}[feature.log]
        self.silence = 0.0 if self.cepstrum or feature.clip_mean else silent  # the feature's value without sound
        self.before = feature.fft // 2 - (feature.fft - feature.window) // 2  # samples of a window before its time
        if self.cepstrum:
            self.register_buffer("dct", cosines(feature.n_mfcc, feature.n_mels), persistent=False)

    def forward(self, waveforms, lengths):
        feature = self.feature
        waveforms, _, lengths = feature.fit(waveforms, lengths)  # (batch, samples)
        samples, window = waveforms.shape[1], feature.window
        if samples < feature.shortest:
            needs = f"a window of {window} ({feature.window_ms:g} ms at {feature.sample_rate} Hz)"
            raise LabError(f"A clip of {samples} samples is shorter than {needs}. Leave it out, or shorten window_ms.")
        # Frame t is centred on sample t * hop. The zeros around fill a batch, too: a clip alone gets the same.
        count = feature.steps(samples)
        after = (count - 1) * feature.hop + window - self.before - samples
        padded = nn.functional.pad(waveforms, (self.before, max(after, 0)))
        mel = self.spectrum(padded.unfold(1, window, feature.hop)[:, :count])  # (batch, frames, frequencies)
        if feature.mel:
            mel = mel @ self.filters  # (batch, frames, bands)
        lengths = feature.steps(lengths)  # frames centred inside the clip
        mask = (torch.arange(count, device=mel.device) < lengths[:, None])[..., None]  # (batch, frames, 1)
        mel = self.logarithm(mel, mask)
        if feature.clip_mean:
            mel = mel - (mel * mask).sum(1, keepdim=True) / lengths[:, None, None]
        if self.cepstrum:
            blocks = [mel @ self.dct]  # (batch, frames, coefficients)
            for _ in range(feature.deltas):
                blocks.append(delta(blocks[-1], lengths, feature.delta_width))
            return torch.cat(blocks, dim=-1) * mask, lengths  # (batch, frames, features)
        mel = torch.where(mask, mel, self.silence)  # in dB, 0 would be loud
        return (mel.transpose(1, 2)[:, None] if feature.time_axis == 3 else mel), lengths  # (batch, 1, bands, frames)

    def spectrum(self, frames):
        """Power spectrum |STFT|^2: from (batch, frames, window) to (batch, frames, frequencies)."""
        real, imaginary = torch.view_as_real(torch.fft.rfft(frames * self.window, n=self.feature.fft)).unbind(-1)
        return torch.addcmul(real * real, imaginary, imaginary)

    def logarithm(self, mel, mask):
        """The feature's `log`, `floor` and `top_db`; `mask`, (batch, frames, 1), says which frames are of the clip."""
        if self.feature.log == "none":
            return mel
        level = mel.clamp(min=self.feature.floor).log()
        if self.feature.log == "db":
            level = level * (10 / math.log(10))
        if self.feature.top_db is not None:
            loudest = level.masked_fill(~mask, -math.inf).amax(dim=(1, 2), keepdim=True)
            level = torch.maximum(level, loudest - self.feature.top_db)
        return level


def mel_filters(feature):
    """Triangular mel filters, shape (frequencies, bands); warns of bands so narrow that no frequency falls in."""
    bands, sample_rate = feature.n_mels, feature.mel_rate or feature.sample_rate
    edges = feature.f_min, feature.f_max or sample_rate / 2
    hz = torch.linspace(0, sample_rate // 2, feature.fft // 2 + 1)  # of the spectrum's frequencies
    filters = triangles(hz, *edges, bands, feature.mel_scale, feature.mel_norm)
    works = bands
    while works and not triangles(hz, *edges, works, feature.mel_scale).amax(0).all():
        works -= 1
    if empty := int((filters.amax(0) == 0).sum()):
        wrong = f"{empty} of {bands} mel bands are empty: n_fft {feature.fft} at {sample_rate} Hz is too coarse"
        warnings.warn(
            f"{wrong} for them. At most {works} bands work; or take a longer n_fft.", LabWarning, stacklevel=3
        )
    return filters


def triangles(hz, low, high, bands, scale="htk", norm=None):
    """Weight of each frequency, `hz`, in each band, (frequencies, bands): a triangle from centre to next centre.

    The centres are equally far apart in mel between `low` and `high` Hz; a triangle is 1 high or, with the norm
    "slaney", of area 1 (Slaney, Auditory Toolbox, 1998).
    """
    to_mel, to_hz = MEL_SCALES[scale]
    low, high = (float(to_mel(torch.tensor(edge, dtype=torch.float64))) for edge in (low, high))
    corner = to_hz(torch.linspace(low, high, bands + 2))  # Hz: the end of a triangle is the centre of the next
    width, distance = corner.diff(), corner - hz[:, None]  # (bands + 1,), (frequencies, bands + 2)
    rising, falling = -distance[:, :-2] / width[:-1], distance[:, 2:] / width[1:]
    weights = torch.minimum(rising, falling).clamp(min=0)
    return weights * (2 / (corner[2:] - corner[:-2])) if norm else weights


def _slaney_mel(hz):
    return torch.where(hz < 1000, hz * 3 / 200, 15 + 27 * (hz / 1000).log() / math.log(6.4))


def _slaney_hz(mel):
    return torch.where(mel < 15, mel * (200 / 3), 1000 * ((mel - 15) * (math.log(6.4) / 27)).exp())


# Hz to mel and back. HTK: the HTK book, eq. 5.13. Slaney: as Hz up to 1,000, then 27 steps for a factor of 6.4.
MEL_SCALES = {
    "htk": (lambda hz: 2595 * (1 + hz / 700).log10(), lambda mel: 700 * (10 ** (mel / 2595) - 1)),
    "slaney": (_slaney_mel, _slaney_hz),
}


def cosines(coefficients, bands):
    """The discrete cosine transform of a spectrum's bands, orthonormal: shape (bands, coefficients)."""
    place, k = torch.arange(bands) + 0.5, torch.arange(coefficients)
    waves = torch.cos(math.pi / bands * place[:, None] * k)  # column k has k half periods
    waves[:, 0] /= math.sqrt(2)
    return waves * math.sqrt(2 / bands)


def delta(x, lengths, width=7):
    """Slope over time by linear regression over `width` frames (HTK book, eq. 5.16): x is (batch, frames, features).

    At the edges the first and the last valid frame are repeated. Delta-deltas are this function applied twice, which is
    not librosa's `order=2`.
    """
    half, frames = width // 2, x.shape[1]
    last = (lengths - 1).clamp(min=0)
    index = torch.arange(-half, frames + half, device=x.device).clamp(min=0)
    index = torch.minimum(index, last[:, None])  # (batch, frames + 2 half)
    x = x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
    slope = 0
    for n in range(1, half + 1):
        slope = slope + n * (x[:, half + n : half + n + frames] - x[:, half - n : half - n + frames])
    return slope / (2 * sum(n * n for n in range(1, half + 1)))
