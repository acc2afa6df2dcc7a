"""Settings of the features that start from a spectrogram."""

from typing import Annotated, Literal

from pydantic import Field

from ..errors import LabError
from ..settings import Count, NotNegative, Positive, settings
from .extract import SpectralExtractor
from .feature import Feature


@settings
class Spectral(Feature):
    """What the spectral features share: frames, the power spectrum, mel bands and their logarithm."""

    window_ms: Positive = 40.0  # length of a frame (a Hann window), in milliseconds
    hop_ms: Positive = 20.0  # step from frame to frame
    n_fft: Count | None = None  # samples of the Fourier transform, at least the window's
    n_mels: Count = 40  # mel bands between f_min and f_max
    f_min: NotNegative = 0.0  # Hz
    f_max: Positive | None = None  # Hz; half the sample rate if None
    mel_scale: Literal["htk", "slaney"] = "htk"
    mel_norm: Literal["slaney"] | None = None  # filters of equal height, or of equal area
    log: Literal["db", "ln", "none"] = "db"  # 10 log10, natural logarithm, or the power as it is
    floor: Positive = 1e-10  # power below which the logarithm is cut; a sine of full scale is some 40 dB above 1
    top_db: Positive | None = None  # cut what is so far below the loudest value of the same clip; not streamable
    mel_rate: Count | None = None  # Hz that the mel filters are made for, if not the sample rate: an audit's mistake
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
            needs = "n_fft and seconds must hold a window, the hop a sample."
            raise LabError(f"{what} do not fit together at {self.sample_rate} Hz. {needs}")
        nyquist = self.filter_rate / 2
        if not self.f_min < self.top <= nyquist:
            raise LabError(f"f_min={self.f_min} must be below f_max={self.top}, f_max at most {nyquist} Hz. Change it.")

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
    def filter_rate(self):
        return self.mel_rate or self.sample_rate

    @property
    def top(self):  # upper edge of the highest band in Hz
        return self.f_max or self.filter_rate / 2

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
    """Spectrogram as an image, without mel bands: (batch, 1, frequencies, frames); lengths in frames.

    Settings of mel bands change nothing. Becker et al. (arXiv 1807.03418) take 455 samples by 35 at 8 kHz, in dB.
    """

    mel = False


@settings
class MelFrames(Spectral):
    """Mel spectrogram as a sequence, for recurrent models: (batch, frames, bands); lengths in frames."""


@settings
class MFCC(Spectral):
    """Mel-frequency cepstral coefficients (Davis and Mermelstein, 1980): (batch, frames, features); lengths in frames.

    The cosine transform of the log-mel spectrum: slow changes over frequency first.
    """

    n_mfcc: Count = 13  # coefficients
    deltas: Annotated[int, Field(ge=0, le=2)] = 2  # 1 appends the slope over time, 2 the slope of the slope, too
    delta_width: Count = 7  # frames that a slope is fitted over, odd

    def __post_init__(self):
        super().__post_init__()
        if self.n_mfcc > self.n_mels:
            raise LabError(f"n_mfcc={self.n_mfcc} may not exceed n_mels={self.n_mels}. Change one.")
        if self.delta_width % 2 == 0 or self.delta_width < 3:
            raise LabError(f"delta_width={self.delta_width} must be odd and at least 3. Change it.")

    @property
    def width(self):
        return self.n_mfcc * (1 + self.deltas)
