"""The packed store that holds a corpus ready for batches: every clip in one memory-mapped row."""

import os
import shutil
import warnings
from dataclasses import dataclass
from glob import escape

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..errors import LabError, LabWarning
from ..files import alone, atomic_folder, cache, digest, need_disk, read_json, read_table, write_json, write_table
from .audio import bars, decode
from .layout import when_changed

STORE_VERSION = 4


@dataclass(frozen=True)
class Store:
    """All clips of a corpus as one row of samples."""

    audio: np.ndarray  # memory-mapped int16, (all samples,)
    index: pd.DataFrame  # by path: offset and length, in samples, and `sound`, a hash of what the file holds
    problems: dict  # from path to reason, for clips that could not be decoded (their length is 0)
    notes: tuple  # what was adapted: clips resampled, mixed to one channel, clipped, silent

    def rows(self, rows, samples=None):
        """Clips by their rows in `index`: int16 (batch, samples), padded with zeros or cropped, and their lengths."""
        offsets, lengths = self.index.offset.values[rows], self.index.length.values[rows]
        samples = int(lengths.max()) if samples is None else samples
        lengths = np.minimum(lengths, samples)
        out = np.zeros((len(rows), samples), np.int16)
        for row, offset, length in zip(out, offsets, lengths, strict=True):
            row[:length] = self.audio[offset : offset + length]
        return out, lengths


def open_store(corpus, sample_rate=None, progress=True):
    """The waveform store of a corpus and its parts at a rate in Hz (by default its own), built at the first call."""
    sample_rate = sample_rate or corpus.sample_rate
    # Names, sizes and times of the files: a changed corpus gets a new store, and an open one is never touched.
    files = (os.path.normpath(os.path.join(corpus.root, path)) for path in corpus.whole.path)
    times = [when_changed(file)[1] for file in files]
    content = digest([STORE_VERSION, sample_rate, corpus.whole.values.tolist(), times], 12)
    folder = cache() / "stores" / f"{corpus.name}-{sample_rate}-{content}"
    if not folder.is_dir():
        with alone(folder.with_name(f"{folder.name}.lock")):  # a second process waits, and then finds it
            if not folder.is_dir():
                for left in folder.parent.glob(f".{escape(folder.name)}.*.partial"):  # by a killed process
                    shutil.rmtree(left, ignore_errors=True)
                build_store(corpus, sample_rate, folder, progress)
    return read_store(folder)


def read_store(folder):
    """A store that was built; LabError if it is damaged."""
    try:
        mend = f"Delete {folder} and run again."
        about = read_json(folder / "about.json", mend)
        index = read_table(folder / "index.csv.gz", mend, dtype={"path": str, "sound": str}).set_index("path")
        samples = max(int(index.length.sum()), 1)
        audio = np.memmap(folder / "audio.int16", np.int16, "r")
        if len(audio) != samples:
            raise ValueError(f"audio.int16 does not hold the {samples} samples of index.csv.gz")
        return Store(audio, index, about["problems"], tuple(about["notes"]))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise LabError(f"The waveform store {folder} is damaged ({error}). Delete it and run again.") from error


def build_store(corpus, sample_rate, folder, progress=True):
    """Decode every clip of the whole corpus into `folder`; warn of what had to be adapted."""
    paths = list(corpus.whole.path)
    if not paths:
        raise LabError(f"{corpus.name} has no clips, so there is nothing to store. Check its folder {corpus.root}.")
    if not corpus.root.is_dir():
        mend = "Connect its disk, or open it again where it lies now (each machine of a sweep needs it)."
        raise LabError(f"The folder of {corpus.name}, {corpus.root}, is not here. {mend}")
    need_disk(
        folder, 2 * sample_rate * corpus.clips.seconds.mean() * len(paths), f"The waveform store of {corpus.name}"
    )
    lengths, sounds, problems, adapted = [], [], {}, {}
    with atomic_folder(folder) as temporary:
        with open(temporary / "audio.int16", "wb") as file:
            quiet = not (progress and bars())
            bar = tqdm(paths, f"reading {corpus.name}", unit="clip", leave=False, disable=quiet)
            decoded = decode(corpus.root, paths, sample_rate)
            for path, (samples, changes, problem, sound) in zip(bar, decoded, strict=True):
                file.write(samples)
                lengths.append(len(samples))
                sounds.append(sound)
                for change in changes:
                    adapted.setdefault(change, []).append(path)
                if problem:
                    problems[path] = problem
            if not sum(lengths):
                file.write(b"\0\0")  # a memory map cannot be empty
        offsets = np.cumsum(lengths) - lengths
        index = pd.DataFrame({"path": paths, "offset": offsets, "length": lengths, "sound": sounds})
        write_table(temporary / "index.csv.gz", index)
        notes = [f"{len(some)} clips {change} (the first: {some[0]})" for change, some in sorted(adapted.items())]
        write_json(temporary / "about.json", {"problems": problems, "notes": notes})
    for note in notes:
        if sample_rate == corpus.sample_rate or " resampled " not in note:  # another rate was asked for
            warnings.warn(f"{corpus.name}: {note}.", LabWarning, stacklevel=3)
