"""Recordings of oneself: kept one by one in a folder of the student's own, and used as a corpus."""

import os
import re
import unicodedata
import warnings

import numpy as np

from ..errors import LabError, LabWarning
from ..files import atomic_file
from . import data_folder
from .audio import wav_bytes
from .folder import TABLE, load

FULL_SCALE = 0.999
IN_A_ROW = 3  # samples at full scale: a loud voice touches it once, a clipped one stays there
QUIET_DB = -45.0  # a peak below this is a microphone that hears nothing
FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]|^[._]|\.$')  # what some file system refuses in a name, or hides


def own_folder():
    """Where recordings of oneself are kept, and the corpus "folder" is looked for."""
    return data_folder() / "recordings"


def keep(samples, sample_rate, word, speaker):
    """Write one recording, shape (samples,), into the folder as `word/speaker_number.wav` of 16 bits; its path."""
    check(samples)
    word, speaker = (unicodedata.normalize("NFC", str(text)).strip() for text in (word, speaker))
    for name, what in ((word, "word"), (speaker, "speaker")):
        if not name or FORBIDDEN.search(name) or len(name.encode()) > 80:
            raise LabError(f"{name!r} cannot be the {what}: it names a file. Use letters, digits, spaces or hyphens.")
    if "_" in speaker:
        raise LabError(f"The speaker {speaker!r} has a `_`, which ends a speaker's name in a file name. Leave it out.")
    if word.lower() == speaker.lower():
        raise LabError(f"The speaker is called {speaker!r}, like the word. Write who speaks.")
    if (own_folder() / TABLE).exists():
        wrong = f"{own_folder()} is described by a table ({TABLE}), which does not list new files."
        raise LabError(f"{wrong} Move the table away, or set LABKIT_DATA to another folder.")
    folder = own_folder() / word
    taken = [int(found[1]) for path in folder.glob("*.wav") if (found := re.search(r"_(\d+)$", path.stem))]
    path = folder / f"{speaker}_{max(taken, default=0) + 1:03}.wav"
    with atomic_file(path) as temporary:
        temporary.write_bytes(wav_bytes(samples, sample_rate))
    return path


def check(samples):
    """Raise LabError if a recording is empty, silent or clipped; else return its loudest moment in dB."""
    if not len(samples):
        raise LabError("The recording is empty. Record again, and speak while the level moves.")
    if not np.isfinite(samples).all():
        raise LabError("The recording holds values that are not numbers. Export it again as 16-bit PCM.")
    level = 20 * np.log10(max(np.abs(samples).max(), 1e-6))
    if level < QUIET_DB:
        mend = "Choose the right microphone in the browser's settings, or speak louder, and record again."
        raise LabError(f"Nothing was heard: the loudest moment is {level:.0f} dB. {mend}")
    full = np.abs(samples) >= FULL_SCALE
    if np.convolve(full, np.ones(IN_A_ROW)).max() >= IN_A_ROW:
        wrong = f"{int(full.sum()):,} samples are at the limit, so the shape of the loudest sounds is lost"
        raise LabError(f"The recording is clipped: {wrong}. Lower the microphone's level, and record again.")
    return float(level)


def around_word(samples, sample_rate, seconds=1.0):
    """The part of so many seconds that holds the most energy, as the makers of Speech Commands cut theirs."""
    length = round(seconds * sample_rate)
    if len(samples) <= length:
        return samples
    energy = np.cumsum(np.concatenate([[0.0], np.square(samples, dtype=np.float64)]))
    total = energy[length:] - energy[:-length]  # of the part that starts at each sample
    best = np.flatnonzero(total >= total.max() * (1 - 1e-6))
    start = (best[0] + best[-1]) // 2  # in the middle of those that hold the whole word
    return samples[start : start + length]


def yours(labels=None):
    """Your own recordings of `labels` (by default of all words), all in the test part; None where there are none.

    A network that was trained on others has never heard you.
    """
    if os.environ.get("LABKIT_DATA") == "synthetic":  # what is published from there shows no person
        return None
    try:
        with warnings.catch_warnings(action="ignore", category=LabWarning):  # few speakers: nobody trains on them
            corpus = load(own_folder())
        corpus = corpus.only(labels=[label for label in labels or corpus.labels if label in corpus.labels])
    except LabError:  # no folder, an empty one, no recording that can be read, or none of these words
        return None
    return corpus.with_clips(corpus.clips.assign(split="test"), protocol="all_test")
