"""Reading and resampling sound."""

import glob
import itertools
import os
import shutil
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from ..errors import LabError, LabWarning, choose
from ..files import atomic_folder, cache, digest, need_disk, read_json, write_json

SCALE = 32768  # int16 steps in an amplitude of 1


def read_audio(path, rate=None):
    """Read a sound file as one channel.

    Parameters
    ----------
    path : str or Path
        Any format libsndfile reads: WAV, FLAC, OGG, MP3.
    rate : int, optional
        Resample to this rate in Hz; by default the file's own.

    Returns
    -------
    tuple of (numpy.ndarray, int)
        Samples between -1 and 1, float32 of shape (samples,), and their rate in Hz.

    Raises
    ------
    LabError
        If there is no such file, or it is empty, damaged or not audio.
    """
    import soundfile

    if not Path(path).is_file():
        raise LabError(
            f"There is no file {path}. Check the name, or run `python -m labkit check` to see what is found."
        )
    try:
        samples, native = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise LabError(f"{path} cannot be read as audio ({error}). Record or download it again.") from error
    if not len(samples):
        raise LabError(f"{path} holds no samples. Record or download it again.")
    if not np.isfinite(samples).all():
        raise LabError(f"{path} holds values that are not numbers. Export it again as 16-bit PCM.")
    samples = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    return (samples, native) if rate is None else (resample(samples, native, rate), rate)


def resample(samples, rate, target):
    """Change the sample rate, without aliasing (soxr, high quality).

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,), float32.
    rate, target : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        Shape (samples * target / rate,), float32.

    Examples
    --------
    >>> resample(np.zeros(16_000, "float32"), 16_000, 8_000).shape
    (8000,)
    """
    import soxr

    return samples if rate == target else soxr.resample(samples, rate, target, quality="HQ")


def decode(root, paths, rate, native=False, block=64):
    """Decode many files, in other threads and ahead of their use where that is faster.

    Parameters
    ----------
    root : Path
    paths : list of str
    rate : int
        Hz.
    native : bool
        Whether most have this rate already.
    block : int
        Clips that a thread decodes at a time.

    Yields
    ------
    tuple of (str, numpy.ndarray, list of str, str or None)
        Path, int16 samples, what was adapted, and the problem if there is one; in the order of `paths`.
    """
    # Plain WAV files are nearly all Python: a thread would only wait for the lock that its user holds, and slow down
    # torch's threads besides. For all else threads suffice: libsndfile and soxr work outside that lock.
    if native and all(path.lower().endswith(".wav") for path in paths[:block]):
        yield from ((path, *_decode(place(root, path), rate)) for path in paths)
        return
    threads = os.cpu_count() or 1
    blocks = iter([paths[start : start + block] for start in range(0, len(paths), block)])
    with ThreadPoolExecutor(threads) as pool:

        def begin(some):
            return some, pool.submit(lambda: [_decode(place(root, path), rate) for path in some])

        ahead = deque(begin(some) for some in itertools.islice(blocks, 2 * threads + 2))  # little audio in flight
        while ahead:
            some, future = ahead.popleft()
            for path, result in zip(some, future.result(), strict=True):
                yield path, *result
            ahead.extend(begin(some) for some in itertools.islice(blocks, 1))


def place(root, path):
    """Where a clip lies. (A link to a corpus' folder has other neighbours than the folder: ".." is of the link.)"""
    return Path(os.path.normpath(root / path))


def _decode(path, rate):
    """(int16 samples, what was adapted, problem or None) of one file."""
    import soundfile

    nothing = np.zeros(0, np.int16)
    try:
        with soundfile.SoundFile(path) as file:
            if file.samplerate == rate and file.channels == 1 and file.subtype == "PCM_16":
                samples, did = file.read(dtype="int16"), []
                if len(samples) and not samples.any():
                    did.append("silent, and kept")
                return samples, did, None if len(samples) else "no samples"
            did = ["resampled"] * (file.samplerate != rate) + ["mixed to one channel"] * (file.channels > 1)
        samples, _ = read_audio(path, rate)
    except (LabError, soundfile.LibsndfileError, RuntimeError, OSError) as error:
        # Records keep this sentence, and where the file lies concerns nobody else.
        return nothing, [], str(error).replace(repr(str(path)), path.name).replace(str(path), path.name)
    peak = np.abs(samples).max(initial=0)
    if peak == 0:
        did.append("silent, and kept")
    if peak > 1.01:  # resampling may overshoot a little; more than that was loud in the file
        did.append("clipped at full scale")
    return np.clip(np.rint(samples * SCALE), -SCALE, SCALE - 1).astype(np.int16), did, None


def bars():
    """Whether progress bars are wanted; LABKIT_BARS=off is set where notebooks run unattended."""
    return os.environ.get("LABKIT_BARS", "on") != "off"
