"""Reading and resampling sound."""

import io
import os
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ..errors import LabError
from ..files import digest

SCALE = 32768  # int16 steps in an amplitude of 1
LOSSY = ("MP3", "OGG")  # formats whose samples differ by the platform that decodes them
AHEAD = 1024  # at most so many clips are decoded ahead of their use
RATES = 1_000, 384_000  # Hz, the lowest and the highest that a sound may have
MOST_SAMPLES = 1 << 27  # of all channels of one file: 2.3 hours at 16 kHz, half a gigabyte


def read_audio(path, sample_rate=None):
    """Read a sound file as one channel.

    Parameters
    ----------
    path : str or Path
        Any format libsndfile reads: WAV, FLAC, OGG, MP3.
    sample_rate : int, optional
        Resample to this rate in Hz; by default the file's own.

    Returns
    -------
    tuple of (numpy.ndarray, int)
        Samples between -1 and 1, float32 of shape (samples,), and their rate in Hz.
    """
    if not Path(path).is_file():
        raise LabError(f"There is no file {path}. Check the name, or see what `python -m labkit check` finds.")
    try:
        with soundfile.SoundFile(path) as file:
            samples, native = whole_sound(file), file.samplerate  # (samples, channels)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise LabError(f"{path} cannot be read as audio ({error}). Record or download it again.") from error
    if not len(samples):
        raise LabError(f"{path} holds no samples. Record or download it again.")
    if not np.isfinite(samples).all():
        raise LabError(f"{path} holds values that are not numbers. Export it again as 16-bit PCM.")
    samples = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    return (samples, native) if sample_rate is None else (resample(samples, native, sample_rate), sample_rate)


def refused(header):
    """Why a sound with this header (rate, frames, channels) is not read, "" if it is: no file may fill the memory."""
    if not RATES[0] <= header.samplerate <= RATES[1]:
        return f"its header says {header.samplerate:,} Hz"
    hours = header.frames / header.samplerate / 3600
    return f"its header promises {hours:,.1f} hours" if header.frames * header.channels > MOST_SAMPLES else ""


def whole_sound(file, dtype="float32"):
    """All samples of an open soundfile.SoundFile, (samples, channels); ValueError if some of them are lost."""
    if problem := refused(file):
        raise ValueError(problem)
    samples = file.read(dtype=dtype, always_2d=True)
    # Damage in the middle ends decoding early. Of an MP3, a part of a frame belongs to no sound.
    frame = 0 if file.format != "MP3" else 1152 if file.samplerate >= 32_000 else 576
    if file.frames - len(samples) > frame:
        promised, here = file.frames / file.samplerate, len(samples) / file.samplerate
        raise ValueError(f"damaged: promises {promised:.2f} s, {here:.2f} s can be decoded")
    return samples


def resample(samples, sample_rate, target):
    """Change the sample rate of float32 (samples,) to `target` Hz without aliasing (soxr, high quality)."""
    if samples.ndim != 1:  # soxr would take the first of two axes for time
        raise LabError(f"Sounds are resampled one by one, as (samples,), not {samples.shape}. Write a loop over them.")
    return samples if sample_rate == target else soxr.resample(samples, sample_rate, target, quality="HQ")


def decode(root, paths, sample_rate):
    """Yield what `decode_clip` makes of each path, in order."""
    clip = partial(decode_clip, sample_rate=sample_rate)
    files = [Path(os.path.normpath(root / path)) for path in paths]  # of a link, ".." is where the link lies
    with ThreadPool() as pool:
        for start in range(0, len(files), AHEAD):
            yield from pool.imap(clip, files[start : start + AHEAD], chunksize=16)


def decode_clip(path, sample_rate):
    """(int16 samples, what was adapted, problem or None, hash of its sound) of one file.

    The hash is of the samples as they lie in the file, so that WAV and FLAC of one sound have the same; of an MP3 or
    OGG it is of the file.
    """
    try:
        with soundfile.SoundFile(path) as file:
            adapted = ["resampled"] * (file.samplerate != sample_rate) + ["mixed to one channel"] * (file.channels > 1)
            if file.subtype == "PCM_16" and not adapted:
                samples = sound = whole_sound(file, "int16")[:, 0]
            else:
                samples, native = read_audio(path)
                sound, samples = int16(samples), resample(samples, native, sample_rate)
                if np.abs(samples).max(initial=0) > 1.01:  # resampling may overshoot a little
                    adapted.append("clipped at full scale")
                samples = int16(samples)
            sound = digest(path.read_bytes() if file.format in LOSSY else sound.tobytes(), 8)
    except (LabError, soundfile.LibsndfileError, RuntimeError, OSError, ValueError) as error:
        # Records keep this sentence, and where the file lies concerns nobody else.
        said = str(error).replace(repr(str(path)), path.name).replace(str(path), path.name)
        return np.zeros(0, np.int16), [], said, ""
    if not len(samples):
        return samples, [], "no samples", ""
    return samples, adapted + ["silent, and kept"] * (not samples.any()), None, sound


def int16(samples):
    """Samples between -1 and 1 as 16-bit numbers; what lies beyond is cut off."""
    return np.clip(np.rint(samples * SCALE), -SCALE, SCALE - 1).astype(np.int16)


def bars():
    """Whether progress bars are wanted; LABKIT_BARS=off is set where notebooks run unattended."""
    return os.environ.get("LABKIT_BARS", "on") != "off"


def wav_bytes(samples, sample_rate):
    """A sound as the content of a WAV file of 16 bits."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
