"""Settings of the features that start from a spectrogram."""

from dataclasses import dataclass

from ..errors import LabError, choose
from .extract import SpectralExtractor
from .feature import Feature


@dataclass(frozen=True)
class Spectral(Feature):
    """What MFCC, LogMel and MelFrames share: frames, the power spectrum, mel bands and their logarithm.

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
    mel_rate : int, optional
        Rate in Hz that the mel filters are made for; by default the rate of the sound, and only an audit wants
        another: filters for 8 kHz on sound of 16 kHz look at twice the frequencies that they name.
    clip_mean : bool
        Subtract from each band its mean over the clip (Atal, JASA 55, 1974): on a logarithmic scale that takes away
        the microphone, the room and the level, and much of what is one voice's. Not streamable.
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
    mel_rate: int | None = None
    clip_mean: bool = False

    mel = True  # whether frequencies are gathered in mel bands

    def __post_init__(self):
        super().__post_init__()
        choose(self.log, dict.fromkeys(("db", "ln", "none")), "logarithm")
        choose(self.mel_scale, dict.fromkeys(("htk", "slaney")), "mel scale")
        choose(self.mel_norm, dict.fromkeys((None, "slaney")), "mel norm")
        if self.mel_rate is not None and self.mel_rate < 2:
            raise LabError(f"mel_rate={self.mel_rate} is no sample rate. Write one in Hz, or None for the sound's own.")
        if self.hop < 1 or self.window < 2 or self.fft < self.window:
            raise LabError(
                f"A window of {self.window} samples, a hop of {self.hop} and n_fft {self.n_fft} do not fit together at "
                f"{self.sample_rate} Hz. n_fft must be at least the window, the hop at least one sample."
            )
        if self.samples is not None and self.samples < self.window:
            raise LabError(
                f"Clips of {self.samples} samples are shorter than a window of {self.window} ({self.window_ms:g} ms). "
                "Raise seconds, or shorten window_ms."
            )
        if self.n_mels < 1 or not 0 <= self.f_min < self.top <= self.filter_rate / 2 or self.floor <= 0:
            raise LabError(
                f"n_mels={self.n_mels}, f_min={self.f_min}, f_max={self.f_max}, floor={self.floor}: n_mels and floor "
                "must be above zero, f_min below f_max, and f_max at most half the rate "
                f"({self.filter_rate / 2:g} Hz). Change these."
            )

    @property
    def window(self):
        """Window in samples."""
        return round(self.window_ms * self.sample_rate / 1000)

    @property
    def shortest(self):
        """Fewest samples that a clip may have: filled up to `seconds` any will do, else it must fill a window."""
        return self.window if self.samples is None else 1

    @property
    def hop(self):
        """Hop in samples."""
        return round(self.hop_ms * self.sample_rate / 1000)

    @property
    def fft(self):
        return self.n_fft or self.window

    @property
    def filter_rate(self):
        """Rate that the mel filters are made for, in Hz."""
        return self.mel_rate or self.sample_rate

    @property
    def top(self):
        """Upper edge of the highest band in Hz."""
        return self.filter_rate / 2 if self.f_max is None else self.f_max

    def steps(self, samples):
        """Number of frames of so many samples."""
        return 1 + samples // self.hop

    @property
    def frames(self):
        """Number of frames of a fitted clip; None if lengths vary."""
        return None if self.samples is None else self.steps(self.samples)

    @property
    def streamable(self):
        """Whether a frame can be computed without knowing the rest of the clip."""
        return self.top_db is None and not self.clip_mean and self.trim is None

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
class Spectrogram(LogMel):
    """Spectrogram as a picture, a band per frequency of the transform: (batch, 1, frequencies, frames); no mel bands.

    The settings of mel bands say nothing here. Becker et al. (arXiv 1807.03418) take a window of 455 samples and a step
    of 35 at 8 kHz, in dB: 228 frequencies by 229 frames.
    """

    mel = False

    @property
    def shape(self):
        return (1, self.fft // 2 + 1, self.frames)


@dataclass(frozen=True)
class MelFrames(Spectral):
    """Mel spectrogram as a sequence, for recurrent models: (batch, frames, bands); lengths in frames."""

    time_axis = 1

    @property
    def shape(self):
        return (self.frames, self.n_mels)

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
