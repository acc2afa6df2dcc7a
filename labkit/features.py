"""From waveforms to what a model sees: MFCC with deltas, log-mel pictures, raw samples.

Every feature works on whole batches, on any device, and each clip's result depends on that clip alone: neither on its
neighbours nor on the zeros that fill a batch.

The defaults are torchaudio's (HTK mel scale, filters of equal height, periodic Hann window). librosa's differ: Slaney
scale and filters of equal area; `mel_scale="slaney", mel_norm="slaney"` gives those.
"""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import nn

from .errors import LabError, LabWarning, check_types, choose


@dataclass(frozen=True)
class Feature:
    """What all features share: the rate they need and the length they are fitted to.

    Parameters
    ----------
    sample_rate : int
        Hz. The waveform store resamples to it.
    seconds : float, optional
        Crop longer clips to this length and fill shorter ones with zeros; None keeps every length.
    padding : {"masked", "signal"}
        Whether the filled zeros are outside the clip (its true length is passed on, models ignore the rest) or count as
        signal, as in most published student systems.
    offset : float
        Start of the clip inside `seconds`, in seconds, when zeros are filled.
    normalise : bool
        Subtract mean and divide by spread of each feature, both measured on the training part.
    """

    sample_rate: int = 16_000
    seconds: float | None = 1.0
    padding: str = "masked"
    offset: float = 0.0
    normalise: bool = True

    def __post_init__(self):
        check_types(self)
        choose(self.padding, {"masked": 1, "signal": 1}, "kind of padding")
        if self.sample_rate <= 0 or (self.seconds is not None and self.seconds <= 0) or self.offset < 0:
            raise LabError(f"{self}: rate and seconds must be above zero, offset not below. Change these settings.")
        if self.padding == "signal" and self.seconds is None:  # a clip would depend on the longest of its batch
            raise LabError("padding='signal' fills every clip to one length, so it needs one. Set seconds.")

    @property
    def samples(self):
        """Length that clips are fitted to, in samples; None if they keep theirs."""
        return None if self.seconds is None else round(self.seconds * self.sample_rate)

    def fit(self, waveforms, lengths):
        """Apply `seconds`, `offset` and `padding`.

        Parameters
        ----------
        waveforms : torch.Tensor
            Shape (batch, samples), zero beyond each clip's length.
        lengths : torch.Tensor
            Shape (batch,), in samples.

        Returns
        -------
        tuple of torch.Tensor
        """
        if self.samples is not None:
            before = min(round(self.offset * self.sample_rate), self.samples)
            waveforms = nn.functional.pad(waveforms, (before, 0))[:, : self.samples]
            waveforms = nn.functional.pad(waveforms, (0, self.samples - waveforms.shape[1]))
            lengths = (lengths + before).clamp(max=self.samples)
        if self.padding == "signal":
            lengths = torch.full_like(lengths, waveforms.shape[1])
        return waveforms, lengths


@dataclass(frozen=True)
class Raw(Feature):
    """The samples themselves: (batch, 1, samples); lengths in samples."""

    normalise: bool = False

    streamable = True
    look_ahead = 0.0
    time_axis = 2

    @property
    def shape(self):
        return (1, self.samples)

    def build(self):
        return lambda waveforms, lengths: _raw(*self.fit(waveforms, lengths))


def _raw(waveforms, lengths):
    return waveforms[:, None], lengths


@dataclass(frozen=True)
class Spectral(Feature):
    """What MFCC and LogMel share: frames, the power spectrum, mel bands and their logarithm.

    Parameters
    ----------
    window_ms, hop_ms : float
        Length of a frame (a Hann window) and the step between frames, in milliseconds.
    n_fft : int, optional
        Length of the Fourier transform in samples; by default as long as the window. Longer ones fill the frame with
        zeros on both sides: a finer grid over the same resolution.
    n_mels : int
        Number of mel bands between `f_min` and `f_max` (default: half the rate), in Hz.
    mel_scale : {"htk", "slaney"}
    mel_norm : {None, "slaney"}
        Filters of equal height, or of equal area.
    log : {"db", "ln", "none"}
        10 log10, natural logarithm, or the power as it is.
    floor : float
        Power below which the logarithm is cut. The transform is not divided by the window's gain, as in librosa and
        torchaudio, so a sine of full scale lies some 40 dB above 1.
    top_db : float, optional
        Also cut what lies so far below the loudest value *of the same clip*. Not streamable.
    """

    window_ms: float = 40.0
    hop_ms: float = 20.0
    n_fft: int | None = None
    n_mels: int = 40
    f_min: float = 0.0
    f_max: float | None = None
    mel_scale: str = "htk"
    mel_norm: str | None = None
    log: str = "db"
    floor: float = 1e-10
    top_db: float | None = None

    def __post_init__(self):
        super().__post_init__()
        choose(self.log, dict.fromkeys(("db", "ln", "none")), "logarithm")
        choose(self.mel_scale, dict.fromkeys(("htk", "slaney")), "mel scale")
        choose(self.mel_norm, dict.fromkeys((None, "slaney")), "mel norm")
        if self.hop < 1 or self.window < 2 or self.fft < self.window:
            raise LabError(
                f"A window of {self.window} samples, a hop of {self.hop} and n_fft {self.n_fft} do not fit together at "
                f"{self.sample_rate} Hz. n_fft must be at least the window, the hop at least one sample."
            )
        if self.n_mels < 1 or not 0 <= self.f_min < self.top <= self.sample_rate / 2 or self.floor <= 0:
            raise LabError(
                f"n_mels={self.n_mels}, f_min={self.f_min}, f_max={self.f_max}, floor={self.floor}: n_mels and floor "
                "must be above zero, f_min below f_max, and f_max at most half the rate "
                f"({self.sample_rate / 2:g} Hz). Change these."
            )

    @property
    def window(self):
        """Window in samples."""
        return round(self.window_ms * self.sample_rate / 1000)

    @property
    def hop(self):
        """Hop in samples."""
        return round(self.hop_ms * self.sample_rate / 1000)

    @property
    def fft(self):
        return self.n_fft or self.window

    @property
    def top(self):
        """Upper edge of the highest band in Hz."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def frames(self):
        """Number of frames of a fitted clip; None if lengths vary."""
        return None if self.samples is None else 1 + self.samples // self.hop

    @property
    def streamable(self):
        """Whether a frame can be computed without knowing the rest of the clip."""
        return self.top_db is None

    @property
    def look_ahead(self):
        """Seconds of sound after a frame's time that the frame needs (half the transform; frames are centred)."""
        return self.fft / 2 / self.sample_rate


@dataclass(frozen=True)
class LogMel(Spectral):
    """Mel spectrogram as a picture: (batch, 1, bands, frames); lengths in frames."""

    time_axis = 3

    @property
    def shape(self):
        return (1, self.n_mels, self.frames)

    def build(self):
        return SpectralExtractor(self)


@dataclass(frozen=True)
class MFCC(Spectral):
    """Mel-frequency cepstral coefficients: (batch, frames, features); lengths in frames.

    The cosine transform of the log-mel spectrum (Davis and Mermelstein, 1980): slow changes over frequency first.

    Parameters
    ----------
    n_mfcc : int
        Number of coefficients.
    deltas : int
        0, 1 (append the slope over time) or 2 (and the slope of the slope).
    delta_width : int
        Frames that a slope is fitted over, odd. Edge frames are repeated ("nearest").
    """

    n_mfcc: int = 13
    deltas: int = 2
    delta_width: int = 7

    time_axis = 1

    def __post_init__(self):
        super().__post_init__()
        odd = self.delta_width % 2 == 1 and self.delta_width >= 3
        if not 1 <= self.n_mfcc <= self.n_mels or self.deltas not in (0, 1, 2) or not odd:
            raise LabError(
                f"n_mfcc={self.n_mfcc}, n_mels={self.n_mels}, deltas={self.deltas}, delta_width={self.delta_width}: "
                "n_mfcc is at least 1 and may not exceed n_mels, deltas is 0, 1 or 2, "
                "delta_width is odd and at least 3. Change these."
            )

    @property
    def shape(self):
        return (self.frames, self.n_mfcc * (1 + self.deltas))

    def build(self):
        return SpectralExtractor(self)


FEATURES = {"mfcc": MFCC, "log_mel": LogMel, "raw": Raw}


class SpectralExtractor(nn.Module):
    """Computes a `Spectral` feature: `extractor(waveforms, lengths) -> (x, lengths)`.

    Parameters
    ----------
    feature : Spectral

    Notes
    -----
    The zeros that centre the first and the last frame are the same zeros that fill a batch, so a clip alone and a clip
    in a batch get the same frames.
    """

    def __init__(self, feature):
        super().__init__()
        self.feature = feature
        window = torch.hann_window(feature.window, periodic=True, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("filters", mel_filters(feature), persistent=False)  # (frequencies, bands)
        if isinstance(feature, MFCC):
            import torchaudio.functional as F

            self.register_buffer("dct", F.create_dct(feature.n_mfcc, feature.n_mels, norm="ortho"), persistent=False)

    def forward(self, waveforms, lengths):
        feature = self.feature
        waveforms, lengths = feature.fit(waveforms, lengths)  # (batch, samples)
        mel = self.power(waveforms) @ self.filters  # (batch, frames, bands)
        lengths = 1 + lengths // feature.hop  # frames centred inside the clip
        mask = torch.arange(mel.shape[1], device=mel.device) < lengths[:, None]  # (batch, frames)
        mel = self.logarithm(mel, mask)
        if isinstance(feature, LogMel):
            mel = torch.where(mask[..., None], mel, self.silence)  # in dB, 0 would be a loud picture
            return mel.transpose(1, 2)[:, None], lengths  # (batch, 1, bands, frames)
        blocks = [mel @ self.dct]  # (batch, frames, coefficients)
        for _ in range(feature.deltas):
            blocks.append(delta(blocks[-1], lengths, feature.delta_width))
        return torch.cat(blocks, dim=-1) * mask[..., None], lengths  # (batch, frames, features)

    @property
    def silence(self):
        """What a LogMel picture shows where there is no sound."""
        floor = {"db": 10 * math.log10(self.feature.floor), "ln": math.log(self.feature.floor), "none": 0.0}
        return floor[self.feature.log]

    def power(self, waveforms):
        """|STFT|^2, shape (batch, frames, frequencies)."""
        feature = self.feature
        # Frame t is centred on sample t * hop. torch.stft gives the same; cutting frames ourselves leaves them in the
        # order that the mel product wants, and a window shorter than the transform needs no zeros around it.
        before = feature.fft // 2 - (feature.fft - feature.window) // 2
        count = 1 + waveforms.shape[1] // feature.hop
        after = (count - 1) * feature.hop + feature.window - before - waveforms.shape[1]
        padded = nn.functional.pad(waveforms, (before, max(after, 0)))
        frames = padded.unfold(1, feature.window, feature.hop)[:, :count]  # (batch, frames, window), a view
        real, imaginary = torch.view_as_real(torch.fft.rfft(frames * self.window, n=feature.fft)).unbind(-1)
        return torch.addcmul(real * real, imaginary, imaginary)

    def logarithm(self, mel, mask):
        if self.feature.log == "none":
            return mel
        level = mel.clamp(min=self.feature.floor).log()
        level = level * (10 / math.log(10)) if self.feature.log == "db" else level
        if self.feature.top_db is not None:
            loudest = level.masked_fill(~mask[..., None], -math.inf).amax(dim=(1, 2), keepdim=True)
            level = torch.maximum(level, loudest - self.feature.top_db)
        return level


def mel_filters(feature):
    """Triangular mel filters, shape (frequencies, bands); warns of bands so narrow that no frequency falls in."""
    import torchaudio.functional as F

    def make(bands):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchaudio's own warning does not say what would work
            return F.melscale_fbanks(
                feature.fft // 2 + 1,
                feature.f_min,
                feature.top,
                bands,
                feature.sample_rate,
                feature.mel_norm,
                feature.mel_scale,
            )

    filters = make(feature.n_mels)
    if empty := int((filters.amax(0) == 0).sum()):
        works = next((bands for bands in range(feature.n_mels, 0, -1) if (make(bands).amax(0) > 0).all()), 0)
        warnings.warn(
            f"{empty} of {feature.n_mels} mel bands are empty: n_fft {feature.fft} at {feature.sample_rate} Hz is too "
            f"coarse for them. At most {works} bands work; or take a longer n_fft.",
            LabWarning,
            stacklevel=3,
        )
    return filters


def delta(x, lengths, width=7):
    """Slope over time by linear regression, edge frames repeated (HTK book, eq. 5.16).

    Parameters
    ----------
    x : torch.Tensor
        Shape (batch, frames, features).
    lengths : torch.Tensor
        Shape (batch,): valid frames; the last valid one is repeated, whatever the padding holds.
    width : int
        Odd number of frames.

    Returns
    -------
    torch.Tensor
        As `x`. Delta-deltas are this function applied twice, which is not librosa's `order=2`.
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


class Normalise(nn.Module):
    """First layer of a model: subtract mean, divide by spread, both of the training part.

    Parameters
    ----------
    mean, spread : torch.Tensor
        Shaped to broadcast against one clip's features.
    """

    def __init__(self, mean, spread):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    def forward(self, x):
        return (x - self.mean) / self.spread
