"""Fetch real corpora, or cut them out of fetched ones: one registry, one function, `python -m labkit download NAME`.

A download goes to `data/.downloads/`, is checked there, and unpacked under a temporary name that is changed in one
step: a corpus folder that exists is complete.
"""

import errno
import hashlib
import shutil
import stat
import tarfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath

import requests
from tqdm.auto import tqdm
from urllib3 import Retry
from urllib3.exceptions import HTTPError, ProtocolError

from ..errors import LabError, choose
from ..files import alone, atomic_folder, need_disk, writing
from . import CORPORA, data_folder
from .audio import bars
from .speech_commands import cut

BLOCK = 1 << 15  # bytes; a stall or a kill loses less than two of them
TIMEOUT = 30  # seconds without a byte after which a connection counts as cut
RETRY = Retry(4, backoff_factor=2, status_forcelist=(408, 429, 500, 502, 503, 504), respect_retry_after_header=False)
MOST_FILES = 250_000  # members of an archive
MOST_AFTER = 1 << 20  # zeros that fill its last block
# What a file system says to a damaged archive: of a name, or of one that comes twice. None: a reader's own error.
REFUSED = (None, errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST, errno.ENOTDIR)


class BadArchive(LabError):
    """The archive is damaged, or holds something that must not be unpacked."""


@dataclass(frozen=True)
class Download:
    """Where a corpus comes from, and what is expected of it."""

    title: str
    page: str  # the publisher's, for people
    licence: str
    folder: str  # where it goes, below the data folder
    proof: str  # a file or folder inside that every complete copy has
    url: str = ""  # of the archive; empty if a person has to fetch it, and `how` says how
    how: str = ""
    size: int = 0  # bytes of the archive, about: twice as many are refused
    unpacked: int = 0  # bytes of its files, about: twice as many are refused
    sha256: str = ""  # of the archive, where it is published
    source: str = ""  # of a cut: name of the corpus that it is a part of; lists/ says which clips it takes


GOOGLE = "https://storage.googleapis.com/download.tensorflow.org/data"
WORDS = partial(Download, page="https://arxiv.org/abs/1804.03209", licence="CC BY 4.0", proof="testing_list.txt")
CUT = partial(WORDS, source="speech_commands")  # its folder has its name, which records keep
DOWNLOADS = {
    "speech_commands": WORDS(
        title="Speech Commands v0.02: 35 English words",
        folder="speech_commands_v0.02",
        url=f"{GOOGLE}/speech_commands_v0.02.tar.gz",
        size=2_428_923_189,
        unpacked=3_400_000_000,
        sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "speech_commands_core": CUT("eight commands, four digits of v0.02, official parts", folder="speech_commands_core"),
    "speech_commands_4words": CUT("down, no, up, yes of v0.02, official parts", folder="speech_commands_4words"),
    "speech_commands_35words": CUT(
        "test speakers of v0.02, in the lab's own parts: do not mix it with the other cuts",
        folder="speech_commands_35words",
    ),
    "speech_commands_v0.01": WORDS(
        title="Speech Commands v0.01: the first version, 30 words",
        folder="speech_commands_v0.01",
        url=f"{GOOGLE}/speech_commands_v0.01.tar.gz",
        size=1_489_096_277,
        unpacked=2_100_000_000,
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
    ),
    "common_voice_es": Download(
        title="Common Voice, Spanish: read sentences with accents",
        page="https://commonvoice.mozilla.org/en/datasets",
        licence="CC0, with terms to accept",
        folder="common_voice_es",
        proof="validated.tsv",
        how="Choose the language (a Delta Segment is small enough to start with), accept the terms and download. "
        "Unpack it and move the folder with validated.tsv and `clips` here: data/common_voice_es.",
    ),
    "speech_accent_archive": Download(
        title="Speech Accent Archive: one English text read by people of many native languages",
        page="https://accent.gmu.edu",
        licence="CC BY-NC-SA 2.0, recordings one by one",
        folder="speech_accent_archive",
        proof="native_language/clips.csv",
        how="Save the recordings you want, cut each into pieces of five seconds, and name them LANGUAGE/SPEAKER_1.ogg "
        "to _3; write native_language/clips.csv with the columns path, label, speaker.",
    ),
}


def present(name, data=None):
    """Whether a corpus is there, complete."""
    entry = choose(name, DOWNLOADS, "corpus to download")
    return (Path(data or data_folder()) / entry.folder / entry.proof).exists()


def download(name, data=None, keep_archive=False):
    """Fetch, check and unpack a corpus below `data`; returns its folder. An interrupted call is continued by the next.

    A cut is taken out of its source, which is fetched first where it is not here. The archive is deleted in the end,
    unless `keep_archive` leaves it in `data/.downloads`.
    """
    entry, data = choose(name, DOWNLOADS, "corpus to download"), Path(data or data_folder())
    folder, archive = data / entry.folder, data / ".downloads" / Path(entry.url).name
    if present(name, data):
        return folder
    if not entry.url and not entry.source:
        raise LabError(
            f"{entry.title}: this program cannot fetch it ({entry.licence}). Open {entry.page} in a browser. "
            f"{entry.how} Then there is {folder / entry.proof}."
        )
    taken = f"Another process is downloading {name}. Wait for it, or stop it and run again."
    with alone(data / ".downloads" / f"{name}.lock", refusal=taken):
        if present(name, data):  # the other process has just finished
            return folder
        if folder.exists():
            wrong = f"{folder} exists but lacks {entry.proof}, so it is not a complete copy."
            raise LabError(f"{wrong} Move it away or delete it, then run the command again.")
        for left in data.glob(f".{entry.folder}.*.partial"):  # by a killed process
            shutil.rmtree(left, ignore_errors=True)
        if entry.source:
            places = [data / place for place in CORPORA[entry.source].real if (data / place).is_dir()]
            cut(name, places[0] if places else download(entry.source, data, keep_archive), folder)
            return folder
        here = max(_size(archive), _size(Path(f"{archive}.partial")))
        need_disk(data, entry.size - here + entry.unpacked, f"{name} (the archive and its files)")
        if not archive.exists():
            print(f"{entry.title}\n{entry.url}\n{entry.size / 1e6:,.0f} MB, licence {entry.licence}", flush=True)
            fetch(entry, archive)
        try:
            check(entry, archive)
            with atomic_folder(folder) as temporary:
                unpack(entry, archive, temporary)
        except BadArchive as error:
            aside = archive.replace(f"{archive}.rejected")
            raise BadArchive(
                f"{error} Nothing of it is used, and it is kept as {aside}. Run the same command to download it again; "
                f"if that does not help, ask where the publisher has it now: {entry.page}"
            ) from error
        if not keep_archive:
            archive.unlink()
    return folder


def fetch(entry, archive):
    """Download `entry.url` to `archive`, going on where an earlier attempt was cut. (pooch cannot resume.)"""
    begun = Path(f"{archive}.partial")
    with requests.Session() as session:
        session.get_adapter(entry.url).max_retries = RETRY
        while not archive.exists():
            before = _size(begun)
            try:
                _receive(session, entry, begun)
                begun.replace(archive)
            except (requests.RequestException, HTTPError) as error:
                here = f"{_size(begun) / 1e6:,.1f} MB are here and stay"
                if _size(begun) <= before:  # this attempt brought nothing
                    raise LabError(
                        f"{entry.url}: {error}; {here}. Run the same command again when the network is better: it goes "
                        f"on from what is here. Or by hand: fetch that address (about {entry.page}) with a browser, "
                        f"save it as {archive}, and run the same command."
                    ) from error
                print(f"The connection was cut ({error}); {here}. Trying again.", flush=True)


def _receive(session, entry, begun):
    """One request: append the rest of the file to `begun`; raises where it was cut."""
    have = _size(begun)  # of another version of the file, perhaps: then its sha256 or the checksum of a member is wrong
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}  # the archive's own bytes
    with session.get(entry.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        code, place = response.status_code, response.headers.get("Content-Range", "")
        if code == 416 and place == f"bytes */{have}":
            return  # the process was killed when all was here
        if code == 416 or code == 206 and not place.startswith(f"bytes {have}-"):
            begun.unlink(missing_ok=True)
            raise requests.HTTPError("the server has another version of the file")
        response.raise_for_status()
        have = have if code == 206 else 0
        size = have + int(response.headers.get("Content-Length", -have))  # 0: not announced
        bar = tqdm(total=size or None, initial=have, unit="B", unit_scale=True, disable=not bars())
        with bar, writing(begun), open(begun, "ab" if have else "wb") as file:
            for block in response.raw.stream(BLOCK, decode_content=False):
                file.write(block)
                bar.update(len(block))
                if file.tell() > 2 * entry.size:
                    file.truncate(0)
                    raise LabError(f"{entry.url} sends over twice the bytes that are expected: see {entry.page}.")
            if size and size != file.tell():
                raise ProtocolError("it ended before the end of the file")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def check(entry, archive):
    """Compare the archive's checksum with the published one, if there is one."""
    with open(archive, "rb") as file:
        if file.read(64).lstrip().startswith(b"<"):
            raise BadArchive(f"{archive.name} is a web page: does your network ask you to log in?")
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not entry.sha256:
        print(f"No checksum of {archive.name} is published: only its size and contents are checked.", flush=True)
    elif found != entry.sha256:
        raise BadArchive(f"{archive.name} has the sha256 {found}, but {entry.sha256} is expected: it was changed.")


def unpack(entry, archive, folder):
    """Write the files of an archive below `folder`: names and contents, no owners, rights or links."""
    name, room = "(none yet)", 2 * entry.unpacked
    top = int(entry.url.endswith(".zip"))  # GitHub packs everything into one folder, which is dropped
    try:
        for number, (name, kind, size, opened) in enumerate(tqdm(_members(archive), "unpacking", disable=not bars())):
            path = PureWindowsPath(name)  # knows "/", "\\" and "C:", as Windows does
            room -= abs(size)
            if path.anchor or ".." in path.parts:
                raise BadArchive("it leads out of the folder")
            if kind == "other":
                raise BadArchive("it is a link or a device")
            if number == MOST_FILES or room < 0:
                raise BadArchive(f"there are more than {MOST_FILES:,} files or {2 * entry.unpacked:,} bytes")
            if kind == "file":
                place = folder.joinpath(*path.parts[top:])
                place.parent.mkdir(parents=True, exist_ok=True)
                with open(place, "xb") as file, opened() as source:
                    shutil.copyfileobj(source, file)  # never more than the size that the header says
    except Exception as error:  # a damaged archive may make its reader fail in any way
        if getattr(error, "errno", None) not in REFUSED or isinstance(error, MemoryError):
            raise  # the machine's fault
        raise BadArchive(f"{archive.name} is damaged or was changed, at its member {name!r}: {error}.") from error
    if not (folder / entry.proof).exists():
        raise BadArchive(f"{archive.name} does not hold {entry.proof}: it is another corpus.")


def _members(archive):
    """Yield (name, kind, bytes, function that opens it) for each member of a .zip or .tar.gz."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                mode = stat.S_IFMT(info.external_attr >> 16)  # 0 where Windows packed it
                kind = "folder" if info.is_dir() else "file" if mode in (0, stat.S_IFREG) else "other"
                yield info.filename, kind, info.file_size, partial(packed.open, info)
        return
    with tarfile.open(archive, "r:gz") as packed:
        for info in packed:
            kind = "folder" if info.isdir() else "file" if info.isfile() else "other"
            yield info.name, kind, info.size, partial(packed.extractfile, info)
        after = 0
        while block := packed.fileobj.read(BLOCK):  # to the end, where gzip compares its own checksum
            after += len(block)
            if block.strip(b"\0") or after > MOST_AFTER:  # tarfile takes a damaged header for the end
                raise tarfile.ReadError("what follows cannot be read")
