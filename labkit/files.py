"""Files that are written whole or not at all, and where the lab keeps things."""

import gzip
import hashlib
import io
import json
import lzma
import os
import secrets
import shutil
import subprocess
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import LabError

WINDOWS = os.name == "nt"


def home():
    """Folder of the lab: the repository if labkit is installed from one, else the current folder."""
    repository = Path(__file__).resolve().parents[1]
    return repository if (repository / "notebooks").is_dir() else Path.cwd()


def commit():
    """The lab's commit, with "+" if labkit was changed since; None where it is no clone."""
    clone = Path(__file__).resolve().parents[1]
    if not (clone / ".git").exists():  # installed as a package
        return None
    git = ["git", "-C", str(clone)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "labkit"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # there is no git here
        return None
    return head.stdout.strip() + ("+" if changed.stdout else "")


COPY = "labkit-copy.json"  # marks a student's copy of the notebooks (tools/students)


def left_behind(name, otherwise):
    """Folder for what a notebook leaves behind: in the student's copy that it runs in, else in the lab."""
    copies = [folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / COPY).is_file()]
    return copies[0] / name if copies else home() / otherwise


def cache():
    """Folder for what can always be made again (waveform stores, header scans); LABKIT_CACHE overrides."""
    return Path(os.environ.get("LABKIT_CACHE") or home() / "data" / ".cache")


@contextmanager
def writing(path):
    """Make the folder of `path`, and turn each OSError of the block into a LabError that names `path`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        mend = "Free some disk space, or choose a folder you may write to (LABKIT_DATA, LABKIT_CACHE, LABKIT_RESULTS)."
        raise LabError(f"Could not write {path}: {error.strerror or error}. {mend}") from error


def _sync(path):
    """Flush a file, or a folder's list of names, to disk (Windows cannot do the latter and need not)."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def atomic_file(path):
    """Yield a hidden path beside `path`; on success it is synced and renamed to `path` in one step.

    A reader, or the next run after a crash, sees the old file or the new one, never half of one.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")  # a name that nobody else has
    with writing(path):
        try:
            yield temporary
            _sync(temporary)
            try:
                _rename(temporary, path)
            except OSError:
                if not (temporary.is_dir() and path.is_dir()):  # else a second kernel was quicker: its folder stays
                    raise
            _sync(path.parent)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            temporary.unlink(missing_ok=True)


def _rename(source, target):
    """Rename in one step. Windows refuses as long as a reader or a virus scanner has the target open: a moment."""
    for seconds in (0.05, 0.5, 2) if WINDOWS else ():
        with suppress(PermissionError):
            return os.replace(source, target)
        time.sleep(seconds)
    return os.replace(source, target)


@contextmanager
def atomic_folder(path):
    """As `atomic_file`, for a folder; if `path` appeared meanwhile, that one stays and ours is dropped."""
    with atomic_file(path) as temporary:
        temporary.mkdir()
        yield temporary
        parts = list(temporary.rglob("*"))
        if len(parts) > 100 and hasattr(os, "sync"):
            os.sync()  # for thousands of files far quicker than one by one
        else:
            for part in parts:
                _sync(part)


@contextmanager
def alone(lock, waiting=None, refusal=None):
    """Hold a lock between processes; the system frees it when a process ends, however it ends.

    If another process holds it: `waiting` is printed and we wait, or LabError is raised with the words of `refusal`.
    """
    from filelock import FileLock, Timeout

    with writing(lock):
        try:
            held = FileLock(lock).acquire(timeout=0)
        except Timeout:
            if refusal:
                raise LabError(refusal) from None
            if waiting:
                print(waiting, flush=True)
            held = FileLock(lock).acquire()
    with held:
        yield


def write_text(path, text):
    """Write a text, compressed where the path ends in .gz or .xz (smaller, slower); the same text is the same file."""
    packers = {".gz": lambda content: gzip.compress(content, mtime=0), ".xz": lzma.compress}
    with atomic_file(path) as temporary:
        temporary.write_bytes(packers.get(Path(path).suffix, bytes)(text.encode()))


def write_json(path, value):
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_table(path, table):
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_bytes(path):
    """What a file holds; OSError if the path is no file (a pipe or a device would never end)."""
    if not Path(path).is_file() and os.path.lexists(path):
        raise OSError("it is no file")
    return Path(path).read_bytes()


MOST_UNPACKED = 500_000_000  # bytes of a table: a few kilobytes may unpack to gigabytes


def unpacked(path, mend):
    """What `write_text` packed, as bytes; a file that is not whole raises LabError naming it and the mend."""
    packed = lzma if Path(path).suffix == ".xz" else gzip
    try:
        with packed.open(io.BytesIO(read_bytes(path))) as file:
            text = file.read(MOST_UNPACKED)
            if file.read(1):
                raise ValueError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
        return text
    except (OSError, EOFError, ValueError, MemoryError, zlib.error, lzma.LZMAError) as error:
        raise LabError(f"{path} is damaged ({error}). {mend}") from error


def read_table(path, mend, **how):
    """A table that `write_table` wrote; what is no table raises LabError naming it and the mend."""
    import pandas as pd  # here: the processes that speak do without

    try:
        return pd.read_csv(io.BytesIO(unpacked(path, mend)), keep_default_na=False, **how)
    except ValueError as error:
        raise LabError(f"{path} is damaged ({error}). {mend}") from error


def read_json(path, mend="Delete it and run again."):
    """Parse a JSON file; a missing or half-written one raises LabError naming it and the mend."""
    try:
        text = unpacked(path, mend) if Path(path).suffix == ".xz" and Path(path).exists() else read_bytes(path)
        return json.loads(text.decode("utf-8-sig"))  # some editors write a byte-order mark
    except FileNotFoundError as error:
        raise LabError(f"{path} does not exist. {mend}") from error
    except (ValueError, OSError, RecursionError) as error:
        raise LabError(f"{path} is not a complete JSON file ({error}). {mend}") from error


def digest(value, length=16):
    """Hash of a JSON value or bytes, as `length` hexadecimal digits."""
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(value).hexdigest()[:length]


def need_disk(folder, size, what):
    """Raise LabError unless `size` bytes (and a tenth more) are free where `folder` is or will be."""
    folder = Path(folder).absolute()
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    if free < 1.1 * size:
        raise LabError(
            f"{what} needs {size / 1e9:.2f} GB in {folder}, but only {free / 1e9:.2f} GB are free. Delete old waveform "
            "stores in data/.cache/stores, or set LABKIT_DATA and LABKIT_CACHE to another disk."
        )
