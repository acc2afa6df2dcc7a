"""The packed store that holds a corpus ready for batches: clips decoded once, in files that are mapped into memory."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import LabError, LabWarning
from ..files import atomic_file, cache, digest, need_disk
from .audio import decode
from .layout import LOST, states
from .pieces import kept

STORE_VERSION = 5
COLUMNS = ["path", "bytes", "changed", "offset", "length", "sound", "adapted", "problem"]


@dataclass(frozen=True)
class Store:
    """The clips of a corpus, each as a row of samples."""

    audio: dict  # by the number of a piece: memory-mapped int16, (samples of its clips,)
    index: pd.DataFrame  # by path: piece, offset and length in samples, and `sound`, a hash of what the file holds
    problems: dict  # from path to reason, for clips that could not be decoded (their length is 0)
    notes: tuple  # what was adapted: clips resampled, mixed to one channel, clipped, silent

    def rows(self, rows, samples=None):
        """Clips by their rows in `index`: int16 (batch, samples), padded with zeros or cropped, and their lengths."""
        pieces, offsets, lengths = (self.index[name].to_numpy()[rows] for name in ("piece", "offset", "length"))
        samples = int(lengths.max()) if samples is None else samples
        lengths = np.minimum(lengths, samples)
        out = np.zeros((len(rows), samples), np.int16)
        for row, piece, offset, length in zip(out, pieces, offsets, lengths, strict=True):
            row[:length] = self.audio[piece][offset : offset + length]
        return out, lengths


def open_store(corpus, sample_rate=None, progress=True):
    """The waveform store of the clips of a corpus at a rate in Hz (by default its own).

    It lies in the cache, one for each folder and rate: clips that no corpus of this folder asked for before are decoded
    and added, in pieces (`pieces.kept`). A clip counts as it was when the corpus was read.
    """
    sample_rate, clips = sample_rate or corpus.sample_rate, corpus.clips
    if not len(clips):
        raise LabError(f"{corpus.name} has no clips, so there is nothing to store. Check its folder {corpus.root}.")
    folder = store_folder(corpus, sample_rate)
    files = clips[["path", "bytes", "seconds"]].assign(changed=_changed(corpus))
    fresh = []

    def add(some, piece, bar):
        if not corpus.root.is_dir():
            mend = "Connect its disk, or open it again where it lies now (each machine of a sweep needs it)."
            raise LabError(f"The folder of {corpus.name}, {corpus.root}, is not here. {mend}")
        if not fresh:
            need_disk(folder, 2 * sample_rate * some.seconds.mean() * bar.total, f"The waveform store of {corpus.name}")
        fresh.append(_decoded(corpus.root, some, sample_rate, piece, bar))
        return fresh[-1]

    index = kept(folder, files, add, f"reading {corpus.name}", progress)
    for note in _notes(pd.concat(fresh)) if fresh else ():
        if sample_rate == corpus.sample_rate or " resampled " not in note:  # another rate was asked for
            warnings.warn(f"{corpus.name}: {note}.", LabWarning, stacklevel=2)
    audio = {number: _mapped(folder, number, rows) for number, rows in index.groupby("piece")}
    return Store(audio, index, index.problem[index.problem != ""].to_dict(), _notes(index.reset_index()))


def store_folder(corpus, sample_rate):
    """Where the store of a corpus is kept."""
    place = digest([STORE_VERSION, str(corpus.root.resolve())], 12)
    return cache() / "stores" / f"{corpus.root.name}-{sample_rate}-{place}"


def _changed(corpus):
    """When each clip's file was last changed, in nanoseconds: as the corpus was read; now, of a table made by hand."""
    paths = corpus.clips.path
    place = np.array([-1]) if corpus.changed is None else corpus.changed.index.get_indexer(paths)  # -1: not there
    return states(corpus.root, paths).changed.to_numpy() if -1 in place else corpus.changed.to_numpy()[place]


def _decoded(root, files, sample_rate, piece, bar):
    """Decode some files into one file of samples; the table of what they hold."""
    rows, offset = [], 0
    with atomic_file(piece.with_suffix(".int16")) as temporary, open(temporary, "wb") as out:
        decoded = decode(root, list(files.path), sample_rate)
        for file, (samples, adapted, problem, sound) in zip(files.itertuples(), decoded, strict=True):
            here = len(samples) / sample_rate
            if not problem and file.seconds - here > LOST:
                samples, problem = samples[:0], f"truncated: {file.seconds:.2f} s promised, {here:.2f} s here"
            out.write(samples)
            state = (file.path, file.bytes, file.changed)
            rows.append((*state, offset, len(samples), sound, "; ".join(adapted), problem or ""))
            offset += len(samples)
            bar.update()
        if not offset:
            out.write(b"\0\0")  # a memory map cannot be empty
    return pd.DataFrame(rows, columns=COLUMNS)


def _notes(index):
    """A sentence for each way in which clips were adapted, with their number and the first."""
    adapted = index[["path", "adapted"]][index.adapted != ""]
    adapted = adapted.assign(adapted=adapted.adapted.str.split("; ")).explode("adapted")
    groups = sorted(adapted.groupby("adapted").path)
    return tuple(f"{len(paths)} clips {change} (the first: {paths.iloc[0]})" for change, paths in groups)


def _mapped(folder, number, rows):
    """The samples of one piece; LabError if it does not hold those of these rows of the index."""
    path = folder / f"{number:05}.int16"
    try:
        audio = np.memmap(path, np.int16, "r")
        if len(audio) < (rows.offset + rows.length).max():
            raise ValueError(f"{path.name} does not hold the samples of {number:05}.csv.gz")
        return audio
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise LabError(f"The waveform store {folder} is damaged ({error}). Delete it and run again.") from error
