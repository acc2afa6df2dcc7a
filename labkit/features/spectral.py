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
    n_fft: Count | None = None  # samples of the Fourier transform; longer than the window, its grid is finer
    n_mels: Count = 40  # mel bands between f_min and f_max
    f_min: NotNegative = 0.0  # Hz
    f_max: Positive | None = None  # Hz; half the sample rate if None
    mel_scale: Literal["htk", "slaney"] = "htk"
    mel_norm: Literal["slaney"] | None = None  # filters of equal height, or of equal area
    log: Literal["db", "ln", "none"] = "db"  # 10 log10, natural logarithm, or the power as it is
    # Power below which the logarithm is cut. As in librosa and torchaudio the transform is not divided by the window's
    # gain, so a sine of full scale lies some 40 dB above 1.
    floor: Positive = 1e-10
    top_db: Positive | None = None  # cut what is so far below the loudest value of the same clip; not streamable
    # Hz that the mel filters are made for, if not the sample rate. Only an audit wants that: filters for 8 kHz on sound
    # of 16 kHz look at twice the frequencies that they name.
    mel_rate: Count | None = None
    # Subtract from each band its mean over the clip (Atal, JASA 55, 1974): on a logarithmic scale this takes away the
    # microphone, the room and the level, and much of what is one voice's. Not streamable.
    clip_mean: bool = False

    mel = True  # whether frequencies are gathered in mel bands

    def __post_init__(self):
        super().__post_init__()
        if self.hop < 1 or self.window < 2 or self.fft < self.window:
            raise LabError(
                f"A window of {self.window} samples, a hop of {self.hop} and n_fft={self.n_fft} do not fit together at "
                f"{self.sample_rate} Hz. n_fft must be at least the window, the hop at least one sample."
            )
        if self.samples is not None and self.samples < self.window:
            raise LabError(
                f"Clips of {self.samples} samples are shorter than a window of {self.window} ({self.window_ms:g} ms). "
                "Raise seconds, or shorten window_ms."
            )
        if not self.f_min < self.top <= self.filter_rate / 2:
            raise LabError(
                f"f_min={self.f_min:g} must be below f_max={self.top:g}, and f_max at most half the rate "
                f"({self.filter_rate / 2:g} Hz). Change these."
            )

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
    def top(self):
        """Upper edge of the highest band in Hz."""
        return self.filter_rate / 2 if self.f_max is None else self.f_max

    @property
    def shortest(self):
        """Fewest samples that a clip may have: filled up to `seconds` any will do, else it must fill a window."""
        return self.window if self.samples is None else 1

    def steps(self, samples):
        """Number of frames of so many samples."""
        return 1 + samples // self.hop

    @property
    def width(self):
        """Numbers in a frame."""
        return self.n_mels

    @property
    def shape(self):
        frames = None if self.samples is None else self.steps(self.samples)
        return (1, self.width, frames) if self.time_axis == 3 else (frames, self.width)

    @property
    def streamable(self):
        """Whether a frame can be computed without knowing the rest of the clip."""
        return self.top_db is None and not self.clip_mean and self.trim is None

    @property
    def look_ahead(self):
        """Seconds of sound after a frame's time that the frame needs (half the transform; frames are centred)."""
        return self.fft / 2 / self.sample_rate

    def build(self):
        return SpectralExtractor(self)


@settings
class LogMel(Spectral):
    """Mel spectrogram as an image: (batch, 1, bands, frames); lengths in frames."""

    time_axis = 3


@settings
class Spectrogram(LogMel):
    """Spectrogram as an image, a band per frequency of the transform: (batch, 1, frequencies, frames); no mel bands.

    The settings of mel bands say nothing here. Becker et al. (arXiv 1807.03418) take a window of 455 samples and a step
    of 35 at 8 kHz, in dB: 228 frequencies by 229 frames.
    """

    mel = False

    @property
    def width(self):
        return self.fft // 2 + 1


@settings
class MelFrames(Spectral):
    """Mel spectrogram as a sequence, for recurrent models: (batch, frames, bands); lengths in frames."""

    time_axis = 1


@settings
class MFCC(Spectral):
    """Mel-frequency cepstral coefficients: (batch, frames, features); lengths in frames.

    The cosine transform of the log-mel spectrum (Davis and Mermelstein, 1980): slow changes over frequency first.
    """

    n_mfcc: Count = 13  # coefficients
    deltas: Annotated[int, Field(ge=0, le=2)] = 2  # 1 appends the slope over time, 2 the slope of the slope, too
    delta_width: Count = 7  # frames that a slope is fitted over, odd; at the edges the outermost frame is repeated

    time_axis = 1

    def __post_init__(self):
        super().__post_init__()
        if self.n_mfcc > self.n_mels or self.delta_width % 2 == 0 or self.delta_width < 3:
            raise LabError(
                f"n_mfcc={self.n_mfcc} may not exceed n_mels={self.n_mels}, and delta_width={self.delta_width} is odd "
                "and at least 3. Change these."
            )

    @property
    def width(self):
        return self.n_mfcc * (1 + self.deltas)
