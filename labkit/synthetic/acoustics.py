"""What makes a clean voice sound recorded: a room, a microphone, noise, a level, a moment to begin."""

import hashlib
from dataclasses import dataclass

import numpy as np

NOISES = ("white", "pink", "brown", "hum", "babble")


@dataclass(frozen=True)
class Conditions:
    """Distributions of how clips are spoken and recorded; pairs are (lowest, highest) of a uniform one, if not said."""

    seed: int = 0
    # per session (the same in all clips of a speaker), of the voice
    pitch: tuple = (25, 75)  # espeak-ng's, 0 to 99
    rate: tuple = (135, 210)  # words a minute
    range: tuple = (25, 90)  # how much the pitch moves, 0 to 99
    # per clip, of the voice, and of the word's place in it
    pitch_step: float = 5.0  # standard deviation
    rate_step: float = 0.1  # standard deviation of the logarithm
    endings: tuple = ("", "!", "?", ".")  # one is appended to the text; they change the melody
    onset: tuple = (2.0, 2.5)  # where in the free time the word begins: parameters of a beta distribution
    short: float = 0.12  # probability that a clip is shorter than the whole second
    # per session, of the room and the microphone
    room: tuple = (0.08, 0.5)  # reverberation time T60, in seconds
    echo: tuple = (-24.0, -6.0)  # energy of the reverberation against the direct sound, in dB
    tilt: tuple = (-1.2, 1.2)  # slope of the microphone, in dB per octave around 1 kHz
    low_cut: tuple = (40, 200)  # where the microphone begins, in Hz, uniform in the logarithm
    high_cut: tuple = (3400, 7800)  # and where it ends
    # per session and per clip
    snr: tuple = (28.0, 8.0, 4.0)  # dB: mean, standard deviation per session, standard deviation per clip
    own_noise: float = 0.6  # probability that a clip has its session's kind of noise; else any kind
    level: tuple = (-23.0, 4.0, 2.5)  # RMS of the speech in dB below full scale; as for `snr`


def stream(*key):
    """A random generator that depends on `key` (strings and numbers), and not on what was drawn before."""
    value = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(int.from_bytes(value[:16], "little"))))


def decibels(ratio):
    """Amplitude factor of a level in dB."""
    return 10.0 ** (ratio / 20.0)


class Session:
    """The room, microphone, noise and level that all clips of one speaker share."""

    def __init__(self, conditions, rng, sample_rate):
        self.sample_rate = sample_rate
        decay = rng.uniform(*conditions.room)
        times = np.arange(1, int(decay * sample_rate)) / sample_rate
        tail = rng.standard_normal(len(times)) * 10.0 ** (-3.0 * times / decay) * (times > 0.002)
        tail *= decibels(rng.uniform(*conditions.echo)) / np.sqrt(np.sum(tail**2))
        self.impulse = np.concatenate([[1.0], tail])  # (samples,)
        self.tilt = rng.uniform(*conditions.tilt)
        self.low_cut = np.exp(rng.uniform(*np.log(conditions.low_cut)))
        self.high_cut = np.exp(rng.uniform(*np.log(conditions.high_cut)))
        self.noise = NOISES[rng.integers(len(NOISES))]
        self.snr = rng.normal(*conditions.snr[:2])
        self.level = rng.normal(*conditions.level[:2])
        self._responses = {}

    def _response(self, size):
        """Room and microphone as factors of a real FFT of `size` samples."""
        if size not in self._responses:
            hertz = np.maximum(np.fft.rfftfreq(size, 1 / self.sample_rate), 1.0)
            microphone = decibels(self.tilt * np.log2(np.clip(hertz, 60, 8000) / 1000))
            microphone /= np.sqrt(1 + (self.low_cut / hertz) ** 4) * np.sqrt(1 + (hertz / self.high_cut) ** 8)
            self._responses[size] = np.fft.rfft(self.impulse, size) * microphone
        return self._responses[size]

    def record(self, voice, samples, start, conditions, rng):
        """One clip (samples,): clean speech that begins at `start`, as heard in this session."""
        clip = np.zeros(samples)
        clip[start : start + len(voice)] = voice
        size = 1 << (samples + len(self.impulse) - 1).bit_length()
        clip = np.fft.irfft(np.fft.rfft(clip, size) * self._response(size), size)[:samples]
        spoken = clip[start : start + len(voice)]
        clip *= decibels(rng.normal(self.level, conditions.level[2])) / max(np.sqrt(np.mean(spoken**2)), 1e-9)
        loudness = np.sqrt(np.mean(spoken**2))
        kind = self.noise if rng.random() < conditions.own_noise else NOISES[rng.integers(len(NOISES))]
        behind = noise(kind, samples, self.sample_rate, rng) * loudness
        return clip + behind / decibels(rng.normal(self.snr, conditions.snr[2]))


def noise(kind, samples, sample_rate, rng):
    """Noise of one of `NOISES`, with an RMS of 1: shape (samples,)."""
    hertz = np.maximum(np.fft.rfftfreq(samples, 1 / sample_rate), 50.0)  # lower sound would only be power nobody hears
    if kind == "hum":
        times = np.arange(samples) / sample_rate
        mains = rng.choice([50.0, 60.0]) * rng.uniform(0.998, 1.002)
        sound = 0.15 * _coloured(hertz**-0.5, samples, rng)
        for harmonic in range(1, 9):
            sound += np.sin(2 * np.pi * (mains * harmonic * times + rng.random())) * rng.uniform(0.2, 1.0) / harmonic
    elif kind == "babble":
        # five streams with the spectrum of speech, each swelling about four times a second
        spectrum = 1 / (1 + (hertz / 500) ** 1.5)
        swell = np.exp(-0.5 * ((np.fft.rfftfreq(samples, 1 / sample_rate) - 4.0) / 2.0) ** 2)
        sound = sum(_coloured(spectrum, samples, rng) * np.exp(_coloured(swell, samples, rng)) for _ in range(5))
    else:
        sound = _coloured(hertz ** {"white": 0.0, "pink": -0.5, "brown": -1.0}[kind], samples, rng)
    return sound / np.sqrt(np.mean(sound**2))


def _coloured(amplitude, samples, rng):
    """Gaussian noise of RMS 1 with this amplitude spectrum (samples // 2 + 1,)."""
    spectrum = (rng.standard_normal(len(amplitude)) + 1j * rng.standard_normal(len(amplitude))) * amplitude
    sound = np.fft.irfft(spectrum, samples)
    return sound / np.sqrt(np.mean(sound**2))
