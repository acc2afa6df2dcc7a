"""Recordings of oneself: kept one by one in a folder of the student's own, and used as a corpus."""

import os
import re
import unicodedata
import warnings

import numpy as np
import soundfile

from ..errors import LabError, LabWarning
from ..files import atomic_file
from . import data_folder
from .folder import TABLE, load

FULL_SCALE = 0.999
IN_A_ROW = 3  # samples at full scale: a loud voice touches it once, a clipped one stays there
QUIET_DB = -45.0  # a peak below this is a microphone that hears nothing
FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]')  # what some file system refuses in a name


def own_folder():
    """Where recordings of oneself are kept, and the corpus "folder" is looked for."""
    return data_folder() / "recordings"


def keep(samples, rate, word, speaker):
    """Write one recording, shape (samples,), into the folder as `word/speaker_number.wav` of 16 bits; its path."""
    check(samples)
    word, speaker = _name(word, "word"), _name(speaker, "speaker")
    folder = own_folder() / word
    if "_" in speaker:
        raise LabError(f"The speaker {speaker!r} has a `_`, which ends a speaker's name in a file name. Leave it out.")
    if word.lower() == speaker.lower():
        raise LabError(f"The speaker is called {speaker!r}, like the word. Write who speaks.")
    if (folder.parent / TABLE).exists():
        wrong = f"{folder.parent} is described by a table ({TABLE}), which does not list new files."
        raise LabError(f"{wrong} Move the table away, or set LABKIT_DATA to another folder.")
    taken = [int(found[1]) for path in folder.glob("*.wav") if (found := re.search(r"_(\d+)$", path.stem))]
    path = folder / f"{speaker}_{max(taken, default=0) + 1:03}.wav"
    with atomic_file(path) as temporary:
        soundfile.write(temporary, samples, rate, format="WAV", subtype="PCM_16")
    return path


def check(samples):
    """Raise LabError if a recording is empty, silent or clipped; else return its loudest moment in dB."""
    if not len(samples):
        raise LabError("The recording is empty. Record again, and speak while the level moves.")
    top = np.abs(samples).max()
    if not np.isfinite(top):
        raise LabError("The recording holds values that are not numbers. Export it again as 16-bit PCM.")
    level = 20 * np.log10(max(top, 1e-6))
    if level < QUIET_DB:
        mend = "Choose the right microphone in the browser's settings, or speak louder, and record again."
        raise LabError(f"Nothing was heard: the loudest moment is {level:.0f} dB. {mend}")
    full = np.abs(samples) >= FULL_SCALE
    if np.convolve(full, np.ones(IN_A_ROW)).max() >= IN_A_ROW:
        wrong = f"{int(full.sum()):,} samples are at the limit, so the shape of the loudest sounds is lost"
        raise LabError(f"The recording is clipped: {wrong}. Lower the microphone's level, and record again.")
    return float(level)


def around_word(samples, rate, seconds=1.0):
    """The part of so many seconds that holds the most energy, as the makers of Speech Commands cut theirs."""
    length = round(seconds * rate)
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabWarning)  # of few speakers: nobody is trained on them
        try:
            corpus = load(own_folder())
        except LabError:  # no folder, an empty one, or none of the recordings can be read
            return None
    known = [label for label in (labels or corpus.labels) if label in corpus.labels]
    if not known:
        return None
    corpus = corpus.only(labels=known)
    return corpus.with_clips(corpus.clips.assign(split="test"), protocol="all_test")


def _name(text, what):
    """A word or a speaker as a part of a file name."""
    name = unicodedata.normalize("NFC", str(text)).strip()
    if not name:
        raise LabError(f"There is no {what}. Write one, and keep the recording again.")
    if FORBIDDEN.search(name) or name[0] in "._" or name[-1] == "." or len(name.encode()) > 80:
        raise LabError(f"{name!r} cannot be the {what}: it names a file. Use letters, digits, spaces or hyphens.")
    return name
