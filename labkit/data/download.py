"""Fetch real corpora: one registry, one function. `python -m labkit download NAME` is its command.

A download goes to `data/.downloads/`, is checked there, and unpacked under a temporary name that is changed in one
step: a corpus folder that exists is complete.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ..errors import LabError, choose
from ..files import alone, atomic_folder, need_disk, read_json, write_json
from . import data_folder
from .archives import BadArchive, Limits, unpack
from .fetch import NetworkError, bar, fetch, size_of


@dataclass(frozen=True)
class Download:
    """Where a corpus comes from, and what is expected of it.

    Parameters
    ----------
    title, page, licence : str
        For people; `page` is the publisher's.
    url : str
        Of the archive; empty if the publisher wants each person to accept the terms first.
    folder : str
        Where it goes, below the data folder.
    proof : str
        A file or folder inside that every complete copy has.
    size, unpacked : int
        Bytes of the archive (about) and of the files in it (about).
    files : int
        Number of entries of the archive (about).
    sha256 : str, optional
        Where it is public knowledge; otherwise it is recorded at the first download and checked from then on.
    strip, only
        See `archives.unpack`.
    by_hand : str
        What to do without this program.
    """

    title: str
    page: str
    licence: str
    folder: str
    proof: str
    url: str = ""
    size: int = 0
    unpacked: int = 0
    files: int = 0
    sha256: str | None = None
    strip: int = 0
    only: tuple = ()
    by_hand: str = ""

    @property
    def archive(self):
        """Name of the archive in `data/.downloads`."""
        return self.folder + (".zip" if self.url.endswith(".zip") else ".tar.gz")

    @property
    def limits(self):
        """Twice of what is expected: room for a mended file or two, not for a bomb."""
        return Limits(size=2 * self.unpacked, files=2 * self.files)


DOWNLOADS = {
    "speech_commands": Download(
        title="Speech Commands v0.02: 35 English words",
        page="https://arxiv.org/abs/1804.03209",
        licence="CC BY 4.0",
        folder="speech_commands_v0.02",
        proof="testing_list.txt",
        # The same file as http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz, by a safe connection.
        url="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        size=2_428_923_189,
        unpacked=3_400_000_000,
        files=105_900,
        sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "speech_commands_v0.01": Download(
        title="Speech Commands v0.01: the first version, 30 words",
        page="https://arxiv.org/abs/1804.03209",
        licence="CC BY 4.0",
        folder="speech_commands_v0.01",
        proof="testing_list.txt",
        url="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.01.tar.gz",
        size=1_489_096_277,
        unpacked=2_100_000_000,
        files=64_800,
        sha256="743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    ),
    "fsdd": Download(
        title="Free Spoken Digit Dataset v1.0.10: ten digits, six speakers",
        page="https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC BY-SA 4.0",
        folder="fsdd",
        proof="recordings",
        url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
        size=16_500_000,
        unpacked=22_000_000,
        files=3_100,
        strip=1,
        only=("recordings/", "README.md", "metadata.py"),
    ),
    "audiomnist": Download(
        title="AudioMNIST: ten digits, sixty speakers, 48 kHz",
        page="https://github.com/soerenab/AudioMNIST",
        licence="MIT",
        folder="audiomnist",
        proof="data/audioMNIST_meta.txt",
        url="https://github.com/soerenab/AudioMNIST/archive/8d77a2d8754105541742115cefec1e537040a6cf.zip",
        size=1_000_000_000,
        unpacked=2_000_000_000,
        files=30_300,
        strip=1,
        only=("data/", "README.md", "LICENSE"),
    ),
    "common_voice_es": Download(
        title="Common Voice, Spanish: read sentences with accents",
        page="https://commonvoice.mozilla.org/en/datasets",
        licence="CC0, with terms to accept",
        folder="common_voice_es",
        proof="validated.tsv",
        by_hand="Common Voice asks each person to accept its terms, so this program cannot fetch it. Open {page} in a "
        "browser, choose Spanish (a Delta Segment is small enough to start with), accept the terms and download. "
        "Unpack the archive and move its folder `es` (the one with `clips` and the .tsv files) to {folder}.",
    ),
}


def present(name, data=None):
    """Whether a corpus is there, complete."""
    entry = choose(name, DOWNLOADS, "corpus to download")
    return (Path(data or data_folder()) / entry.folder / entry.proof).exists()


def download(name, data=None, *, keep_archive=False, network=None):
    """Fetch, check and unpack a corpus; what an interrupted call had fetched is used by the next.

    Parameters
    ----------
    name : str
        A key of `DOWNLOADS`.
    data : Path, optional
        The data folder.
    keep_archive : bool
        Leave the archive in `data/.downloads`.
    network : fetch.Network, optional
        How patient to be.

    Returns
    -------
    Path
        The folder of the corpus, in its publisher's layout.

    Raises
    ------
    LabError
        No network, no room, a wrong checksum, a tampered archive: the message names it and the next step.
    """
    entry = choose(name, DOWNLOADS, "corpus to download")
    data = Path(data or data_folder())
    folder = data / entry.folder
    if present(name, data):
        return folder
    if not entry.url:
        raise LabError(entry.by_hand.format(page=entry.page, folder=folder))
    store = data / ".downloads"
    taken = f"Another process is downloading {name}. Wait for it, or stop it and run again."
    with alone(store / f"{name}.lock", refusal=taken):
        if not present(name, data):  # the other process may just have finished
            _clear_place(entry, folder)
            archive = store / entry.archive
            partial = store / f"{entry.archive}.partial"
            fetched = size_of(archive) or size_of(partial)
            need_disk(data, entry.unpacked + max(0, entry.size - fetched), f"{name} (the archive and its files)")
            found = archive if archive.exists() else _fetch(entry, archive, partial, network)
            checksum = _check(entry, found, archive, data)
            _unpack(entry, archive, folder)
            _record(entry, archive, checksum, data)
            if not keep_archive:
                archive.unlink()
    return folder


def _clear_place(entry, folder):
    """Make room for the folder: drop what killed runs left, refuse to touch anything else."""
    for left in folder.parent.glob(f".{folder.name}.*.partial"):  # atomic_folder's; we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if folder.exists():
        raise LabError(
            f"{folder} exists but lacks {entry.proof}, so it is not a complete copy. "
            "Move it away or delete it, then run the command again."
        )


def _fetch(entry, archive, partial, network):
    print(f"{entry.title}\n{entry.url}\n{entry.size / 1e6:,.0f} MB, licence {entry.licence}", flush=True)
    try:
        fetch(entry.url, partial, most=2 * entry.size, network=network)
    except NetworkError as error:
        raise NetworkError(
            f"{error} Run the same command again when the network is better: it goes on from what is here. Or by hand: "
            f"fetch {entry.url} (about {entry.page}) with a browser, save it as {archive}, and run the same command."
        ) from error
    return partial


def _check(entry, found, archive, data):
    """Compare the checksum with the known one; only then does the file get its final name."""
    print("Checking ...", flush=True)
    with open(found, "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    recorded = _checksums(data).get(entry.url, {}).get("sha256")
    expected = entry.sha256 or recorded
    if expected not in (None, checksum):
        aside = _set_aside(found, archive)
        accept = f" If the publisher changed it on purpose, delete its entry in {data / 'checksums.json'} first."
        raise LabError(
            f"{archive.name} has the sha256 {checksum}, but {expected} is expected: it was changed by its publisher or "
            f"altered on its way. Nothing was unpacked, the file is kept as {aside} (delete it when you have seen it)."
            f"{'' if entry.sha256 else accept} Run the same command to download it again."
        )
    if found != archive:
        os.replace(found, archive)
        _forget(archive)
    return checksum


def _unpack(entry, archive, folder):
    print("Unpacking ...", flush=True)
    try:
        with atomic_folder(folder) as temporary, bar(total=archive.stat().st_size, unit="B", unit_scale=True) as shown:
            unpack(
                archive,
                temporary,
                entry.limits,
                strip=entry.strip,
                only=entry.only,
                progress=lambda done, _: shown.update(done - shown.n),
            )
            if not (temporary / entry.proof).exists():
                raise BadArchive(f"{archive.name} does not hold {entry.proof}: it is not the corpus that was expected.")
    except BadArchive as error:
        aside = _set_aside(archive, archive)
        raise BadArchive(
            f"{error} The archive is kept as {aside}. Run the same command to download it again; "
            f"if that does not help, ask where the publisher has it now: {entry.page}"
        ) from error


def _set_aside(found, archive):
    """Rename a file that must not be used; the next run starts from nothing."""
    aside = archive.with_name(f"{archive.name}.rejected")
    os.replace(found, aside)
    _forget(archive)
    return aside


def _forget(archive):
    Path(f"{archive}.partial.json").unlink(missing_ok=True)


def _checksums(data):
    path = data / "checksums.json"
    return read_json(path, "Delete it; checksums are then recorded anew.") if path.exists() else {}


def _record(entry, archive, checksum, data):
    """Remember the checksum of a download that was unpacked without complaint."""
    with alone(data / ".downloads" / "checksums.lock"):
        known = _checksums(data)
        if entry.url not in known:
            known[entry.url] = {"sha256": checksum, "bytes": size_of(archive), "date": date.today().isoformat()}
            write_json(data / "checksums.json", known)
