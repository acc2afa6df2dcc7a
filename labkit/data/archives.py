"""Unpack archives that somebody else made: nothing outside the folder, no links, no bombs."""

import gzip
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError

BLOCK = 1 << 20  # bytes copied at a time
LONGEST_HEADER = 4 << 20  # bytes; tarfile reads a header into memory whole, however long it says it is
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))}


DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # zipfile, of a way of packing that it does not know
    RecursionError,  # tarfile, of headers without end
)


class BadArchive(LabError):
    """The archive is damaged, or holds something that must not be unpacked."""


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to; beyond that it is taken for a bomb.

    Parameters
    ----------
    size : int
        Bytes of all files together.
    files : int
        Number of files and folders.
    ratio : float
        Unpacked bytes for each byte of the archive. Speech packs to about half; zeros pack to a thousandth.
    """

    size: int
    files: int
    ratio: float = 50


@dataclass(frozen=True)
class Member:
    """One entry: `kind` is "file", "folder", or in words what else; `place` is its end, in bytes of the archive."""

    name: str
    kind: str
    size: int
    place: int
    open: object = None
    info: object = None


def unpack(archive, folder, limits, *, strip=0, only=(), progress=None):
    """Write the files of a .tar.gz or .zip into a folder.

    Only names and contents are taken over: no owners, rights, links or devices. The caller gives a temporary folder
    (`files.atomic_folder`), as what was written before a bad member was met stays there.

    Parameters
    ----------
    archive : Path
        Recognised by its first bytes, not by its name.
    folder : Path
        Exists.
    limits : Limits
    strip : int
        Drop so many leading folders of each name (1 for what GitHub makes).
    only : tuple of str
        Keep only names that begin with one of these, after stripping; empty keeps all. Names of the others are
        checked too.
    progress : callable, optional
        Called with (bytes of the archive done, bytes of the archive).

    Returns
    -------
    tuple of int
        Number of files and of bytes written.

    Raises
    ------
    BadArchive
        Names the first member that is damaged, lies outside the folder, is a link or a device, or is too much.
    """
    archive, folder = Path(archive), Path(folder)
    packed = archive.stat().st_size
    most = min(limits.size, max(BLOCK, int(limits.ratio * packed)))
    made, count, files, total = {folder}, 0, 0, 0
    with _damage(archive):
        for member in _reader(archive)(archive, limits):
            count += 1
            if count > limits.files:
                raise _refused(
                    archive, member.name, f"it is number {count:,}, and {limits.files:,} were expected at most"
                )
            parts = _safe_parts(archive, member.name)[strip:]
            if progress:
                progress(min(member.place, packed), packed)
            if total + member.size > most:
                raise _refused(
                    archive,
                    member.name,
                    f"it makes {(total + member.size) / 1e6:,.1f} MB, {most / 1e6:,.1f} MB allowed",
                )
            if not parts or only and not "/".join(parts).startswith(tuple(only)):
                continue
            if member.kind not in ("file", "folder"):
                raise _refused(archive, member.name, f"it is a {member.kind}, and only files and folders are unpacked")
            if isinstance(member.info, tarfile.TarInfo) and hasattr(tarfile, "data_filter"):
                _second_opinion(archive, member, folder)
            target = folder.joinpath(*parts)
            inside = target if member.kind == "folder" else target.parent
            if inside not in made:
                made.add(_make(archive, member, inside))
            if member.kind == "file":
                _copy(archive, member, target)
                files, total = files + 1, total + member.size
    if progress:
        progress(packed, packed)
    return files, total


def _make(archive, member, folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(archive, member.name, "its folder is also the name of a file") from error
    return folder


def _copy(archive, member, target):
    """Write one file; never more than the bytes that were announced and counted against the limit."""
    try:
        file = open(target, "xb")
    except FileExistsError as error:
        raise _refused(archive, member.name, "the name comes twice (capitals may differ)") from error
    left = member.size
    with file, member.open() as source:
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                break
            file.write(block)
    if left:
        raise _refused(archive, member.name, "its size is not the one announced")


def _safe_parts(archive, name):
    """The folders and the file of a member's name, if it may be written below a folder on any system."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/"):
        reason = "the path is absolute"
    elif ".." in parts:
        reason = "the path climbs out of its folder"
    elif "\\" in name or ":" in name:
        reason = "on Windows the path leads elsewhere"
    elif any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        reason = "the name holds unreadable characters"
    elif any(part[-1] in ". " or part.split(".")[0].rstrip().upper() in RESERVED for part in parts):
        reason = "Windows cannot have a file of this name"
    else:
        return parts
    raise _refused(archive, name, reason)


def _second_opinion(archive, member, folder):
    """Python's own filter (3.11.4 and later) must agree; ours come first because their messages are clearer."""
    try:
        tarfile.data_filter(member.info, str(folder))
    except tarfile.FilterError as error:
        raise _refused(archive, member.name, str(error)) from error


def _reader(archive):
    with open(archive, "rb") as file:
        start = file.read(64)
    for magic, reader in READERS.items():
        if start.startswith(magic):
            return reader
    page = " It looks like a web page: does your network ask you to log in?" if start.lstrip()[:1] == b"<" else ""
    raise BadArchive(
        f"{archive.name} is neither a .tar.gz nor a .zip (it begins with {start[:16]!r}).{page} Download it again."
    )


def _tar_members(archive, limits):
    with open(archive, "rb") as packed, gzip.GzipFile(fileobj=packed) as plain:
        # Each member may bring a few blocks of headers; more than that is a bomb made of headers.
        stream = _Bounded(plain, archive, limits.size + 4096 * limits.files + BLOCK)
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # or a bomb of tiny files would fill the memory
                kind = next((words for test, words in TAR_KINDS if test(info)), "thing of unknown kind")
                yield Member(info.name, kind, info.size, packed.tell(), lambda info=info: tar.extractfile(info), info)
        stream.finish()


TAR_KINDS = (
    (lambda info: info.issparse(), "file with holes"),
    (lambda info: info.isreg(), "file"),
    (lambda info: info.isdir(), "folder"),
    (lambda info: info.issym(), "symbolic link"),
    (lambda info: info.islnk(), "hard link"),
    (lambda info: info.isfifo(), "named pipe"),
    (lambda info: info.isdev(), "device"),
)


class _Bounded:
    """A stream that gives at most so many bytes, and never many at once."""

    def __init__(self, stream, archive, most):
        self.stream, self.archive, self.most = stream, archive, most

    def read(self, size=-1):
        if not 0 <= size <= LONGEST_HEADER:
            raise BadArchive(
                f"{self.archive.name} holds a header of {size:,} bytes. It is not the publisher's: delete it."
            )
        data = self.stream.read(size)
        self._check()
        return data

    def seek(self, place, whence=0):
        place = self.stream.seek(place, whence)
        self._check()
        return place

    def tell(self):
        return self.stream.tell()

    def seekable(self):
        return True

    def readable(self):
        return True

    def _check(self):
        if self.stream.tell() > self.most:
            raise BadArchive(
                f"{self.archive.name} unpacks to more than the {self.most / 1e6:,.0f} MB allowed. "
                "It is not the publisher's: delete it."
            )

    def finish(self):
        """Read to the end, so that gzip compares its checksum; tarfile takes a damaged header for the end."""
        while rest := self.read(BLOCK):
            if rest.strip(b"\0"):
                raise BadArchive(f"{self.archive.name} is damaged: its last part is not readable. Download it again.")


def _zip_members(archive, limits):
    with zipfile.ZipFile(archive) as packed:
        place = 0
        for info in packed.infolist():
            place += info.compress_size
            form = stat.S_IFMT(info.external_attr >> 16)  # the Unix kind of file; 0 where Windows packed it
            if info.flag_bits & 1:
                kind = "file with a password"
            elif form in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "folder" if info.is_dir() else "file"
            else:
                kind = "symbolic link" if form == stat.S_IFLNK else "device"
            # zipfile has already mended `filename`; what the archive really says is in `orig_filename`.
            yield Member(info.orig_filename, kind, info.file_size, place, lambda info=info: packed.open(info), info)


READERS = {b"\x1f\x8b": _tar_members, b"PK\x03\x04": _zip_members}  # first bytes of the file -> how to read it


@contextmanager
def _damage(archive):
    """Whatever the readers raise on a truncated or altered archive becomes one BadArchive."""
    try:
        yield
    except DAMAGE as error:
        raise BadArchive(f"{archive.name} is damaged ({error}). Nothing was unpacked: download it again.") from error


def _refused(archive, name, reason):
    shown = name if len(name) <= 80 else f"{name[:40]}...{name[-37:]}"
    return BadArchive(
        f"{archive.name} is not unpacked because of its member {shown!r}: {reason}. "
        "An archive of the publisher has no such member: delete yours and download it again."
    )
