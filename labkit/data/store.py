"""The packed store that holds a corpus ready for batches: every clip in one memory-mapped row."""

import glob
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from ..errors import LabError, LabWarning
from ..files import atomic_folder, cache, digest, need_disk, read_json, write_json
from .audio import SCALE, bars, decode, place

STORE_VERSION = 1


@dataclass(frozen=True)
class Store:
    """All clips of a corpus as one memory-mapped row of int16 samples.

    Parameters
    ----------
    folder : Path
    rate : int
        Hz.
    audio : numpy.memmap
        int16, shape (all samples,).
    index : pandas.DataFrame
        Indexed by path: `offset` and `length`, in samples.
    problems : dict
        From path to reason, for the clips that could not be decoded (their length is 0).
    notes : tuple of str
        What was adapted: clips resampled, mixed to one channel, silent.
    """

    folder: Path
    rate: int
    audio: np.ndarray
    index: pd.DataFrame
    problems: dict
    notes: tuple

    def clip(self, path):
        """One clip, float32 between -1 and 1, shape (samples,)."""
        return self.batch([path])[0][0].astype(np.float32) / SCALE

    def batch(self, paths, samples=None):
        """Several clips, zero-padded at the end to one length.

        Parameters
        ----------
        paths : sequence of str
        samples : int, optional
            Length to pad or crop to; by default the longest of the batch.

        Returns
        -------
        tuple of (numpy.ndarray, numpy.ndarray)
            int16 of shape (batch, samples), and the valid lengths, int64 of shape (batch,).
        """
        rows = self.index.index.get_indexer(paths)
        if (rows < 0).any():
            raise LabError(
                f"{np.asarray(paths)[rows < 0][0]} is not in the store {self.folder.name}. "
                "Open the store of its corpus."
            )
        return self.rows(rows, samples)

    def rows(self, rows, samples=None):
        """As `batch`, for row numbers of `index`."""
        offsets, lengths = self.index.offset.values[rows], self.index.length.values[rows]
        samples = int(lengths.max()) if samples is None else samples
        lengths = np.minimum(lengths, samples)
        out = np.zeros((len(rows), samples), np.int16)
        for row, offset, length in zip(out, offsets, lengths, strict=True):
            row[:length] = self.audio[offset : offset + length]
        return out, lengths


def open_store(corpus, rate=None, progress=True):
    """The waveform store of a corpus, built at the first call and found again later.

    Parameters
    ----------
    corpus : Corpus
        Parts and subsets of one corpus share its store.
    rate : int, optional
        Hz; by default the corpus' own.
    progress : bool
        Show a bar while building.

    Returns
    -------
    Store

    Notes
    -----
    The folder's name is made of the files' names, sizes and times, so a changed corpus gets a new store and an open
    one is never touched. Two processes that build one at once take turns; a killed one leaves only a folder that
    nobody opens.
    """
    rate = rate or corpus.sample_rate
    content = digest([STORE_VERSION, rate, corpus.whole.values.tolist()], 12)
    times = digest([_time(place(corpus.root, path)) for path in corpus.whole.path], 6)
    stem = f"{corpus.name}-{rate}-{content}"
    folder = cache() / "stores" / f"{stem}-{times}"
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.parent / f"{stem}.lock")
            with lock:
                if not folder.is_dir():
                    if any(other.is_dir() for other in folder.parent.glob(f"{glob.escape(stem)}-*")):
                        warnings.warn(
                            f"Files of {corpus.name} were written again since its waveform store was built; "
                            f"building a new one. The old one lies in {folder.parent} and may be deleted.",
                            LabWarning,
                            stacklevel=2,
                        )
                    _clear_abandoned(folder.parent, stem)
                    _build(corpus, rate, folder, progress)
        except OSError as error:
            raise LabError(
                f"Could not write below {folder.parent}. Set LABKIT_CACHE to a folder you may write to."
            ) from error
    return _open(folder)


def _open(folder):
    try:
        about = read_json(folder / "about.json", f"Delete {folder} and run again.")
        index = pd.read_csv(folder / "index.csv", keep_default_na=False).set_index("path")
        length = int(index.length.sum())
        if (folder / "audio.int16").stat().st_size != 2 * max(length, 1):
            raise ValueError(f"audio.int16 does not hold the {length} samples of index.csv")
        audio = np.memmap(folder / "audio.int16", np.int16, "r", shape=(max(length, 1),))
        return Store(folder, about["rate"], audio, index, about["problems"], tuple(about["notes"]))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise LabError(f"The waveform store {folder} is damaged ({error}). Delete it and run again.") from error


def _build(corpus, rate, folder, progress):
    from tqdm.auto import tqdm

    paths = list(corpus.whole.path)
    if not paths:
        raise LabError(f"{corpus.name} has no clips, so there is nothing to store. Check its folder {corpus.root}.")
    seconds = corpus.clips.seconds.mean() * len(paths)
    need_disk(folder.parent, 2 * rate * seconds, f"The waveform store of {corpus.name}")
    lengths, problems = [], {}
    adapted = {"resampled": [], "mixed to one channel": [], "clipped at full scale": [], "silent, and kept": []}
    bar = tqdm(
        total=len(paths), unit="clip", desc=f"reading {corpus.name}", disable=not (progress and bars()), leave=False
    )
    with atomic_folder(folder) as temporary, bar:
        with open(temporary / "audio.int16", "wb") as file:
            for path, samples, did, problem in decode(corpus.root, paths, rate, native=rate == corpus.sample_rate):
                file.write(samples)
                lengths.append(len(samples))
                for what in did:
                    adapted[what].append(path)
                if problem:
                    problems[path] = problem
                bar.update()
            if not sum(lengths):
                file.write(b"\0\0")  # a memory map cannot be empty
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        table = pd.DataFrame({"path": paths, "offset": offsets, "length": lengths})
        table.to_csv(temporary / "index.csv", index=False)
        notes = [f"{len(found)} clips {what} (the first: {found[0]})" for what, found in adapted.items() if found]
        about = {"corpus": corpus.name, "rate": rate, "problems": problems, "notes": notes, "version": STORE_VERSION}
        write_json(temporary / "about.json", about)
    for note in notes:
        if rate == corpus.sample_rate or " resampled " not in note:  # another rate was asked for
            warnings.warn(f"{corpus.name}: {note}.", LabWarning, stacklevel=3)


def _time(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _clear_abandoned(folder, stem):
    """Remove what killed builds of this store left; the caller holds the lock, so nobody is writing it."""
    for left in folder.glob(f".{glob.escape(stem)}-*.partial"):
        shutil.rmtree(left, ignore_errors=True)
