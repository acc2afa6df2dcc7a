"""Reading and resampling sound, and the packed store that holds a corpus ready for batches."""

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

from .errors import LabError, LabWarning, choose
from .files import atomic_folder, cache, digest, need_disk, read_json, write_json

STORE_VERSION = 1
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
                            "building a new one. `python -m labkit stores --remove` drops the old one.",
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


def _time(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _clear_abandoned(folder, stem):
    """Remove what killed builds of this store left; the caller holds the lock, so nobody is writing it."""
    for left in folder.glob(f".{glob.escape(stem)}-*.partial"):
        shutil.rmtree(left, ignore_errors=True)


def stores():
    """All waveform stores on this machine.

    Returns
    -------
    list of (Path, int, float)
        Folder, size in bytes, and when it was made, in seconds since 1970.
    """
    rows = []
    for folder in sorted((cache() / "stores").glob("*")):
        if folder.is_dir():
            size = sum(file.stat().st_size for file in folder.iterdir())
            rows.append((folder, size, folder.stat().st_mtime))
    return rows


def outdated():
    """Stores of a corpus and rate that a newer store of the same replaces; their folders."""
    newest = {}
    for folder, _, _ in sorted(stores(), key=lambda row: row[2]):
        newest[folder.name.rsplit("-", 2)[0]] = folder
    return [folder for folder, _, _ in stores() if folder not in newest.values()]


def remove_store(name):
    """Remove one waveform store by its folder's name; returns the bytes freed."""
    sizes = {folder.name: (folder, size) for folder, size, _ in stores()}
    folder, size = choose(name, sizes, "waveform store")
    try:
        shutil.rmtree(folder)
    except OSError as error:  # Windows keeps files that a kernel has open
        raise LabError(
            f"{folder} is in use ({error.strerror}). Close the notebooks that use it and try again."
        ) from error
    return size
