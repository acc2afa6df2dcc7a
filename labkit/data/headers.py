"""Read the headers of many audio files, once."""

import os
import re
from pathlib import Path

import pandas as pd
import soundfile

from ..errors import LabError
from ..files import atomic_file, cache, digest

KINDS = (".wav", ".flac", ".ogg", ".mp3")
VERSION = 2  # of what `_header` says; raise it, and files that were scanned before are read again


def audio_files(root):
    """Paths below `root`, relative and sorted, of the files whose names end as sound files do."""
    root = Path(root)
    if not root.is_dir():
        get = "run `python -m labkit download speech_commands`, or set LABKIT_DATA to the folder of yours"
        raise LabError(f"{root} is not a folder. `python -m labkit check` says which corpora are found; {get}.")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(folder).relative_to(root)
        found += [(inside / name).as_posix() for name in names if name.lower().endswith(KINDS) and name[0] != "."]
    if bad := [path for path in found if path.encode(errors="ignore").decode() != path]:
        shown = bad[0].encode(errors="backslashreplace").decode()  # it can neither be printed nor kept in a table
        raise LabError(f"The name of {shown} in {root} is not text. Rename it.")
    return sorted(found)


def scan(root, paths):
    """What the headers say of each file: a table, kept until a file's size or time changes.

    Its columns: `path`, `seconds`, `rate` (Hz), `channels`, `bytes`, and `problem`: None, or why the file is of no use.
    """
    root = Path(root)
    listing = [(path, *when_changed(root / path)) for path in paths]
    key = digest(repr((VERSION, str(root.resolve()), listing)).encode())
    kept = cache() / f"headers-{key}.csv"
    if kept.exists():
        table = pd.read_csv(kept, keep_default_na=False, dtype={"path": str, "problem": str})
    else:
        rows = [(path, *_header(root / path, size), size) for path, size, _ in listing]
        table = pd.DataFrame(rows, columns=["path", "seconds", "rate", "channels", "problem", "bytes"])
        with atomic_file(kept) as temporary:
            table.to_csv(temporary, index=False)
    table["problem"] = table.problem.where(table.problem != "", None)
    return table


def when_changed(path):
    """(bytes, time of the last change in nanoseconds) of a file; zeros where there is none."""
    try:
        status = os.stat(path)
        return status.st_size, status.st_mtime_ns
    except OSError:
        return 0, 0


def usable(table, corpus):
    """Part a scanned table into usable rows and a sentence for each kind of problem."""
    bad, notes = table[table.problem.notna()], []
    for kind, group in bad.groupby(bad.problem.str.split(":").str[0]):
        notes += counted(group.path + " (" + group.problem + ")", f"files left out ({kind})", f"{corpus}: ")
    return table[table.problem.isna()].drop(columns="problem"), notes


def counted(items, what, where=""):
    """A list with one sentence that counts some items and names the first; with none where there are no items."""
    items = list(items)
    return [f"{where}{len(items):,} {what}, the first: {items[0]}."] if items else []


def _header(path, size):
    """(seconds, rate, channels, problem or "") of one file."""
    if not path.is_file() or size == 0:
        return 0.0, 0, 0, "empty file" if path.is_file() else "missing file"
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError):
        return 0.0, 0, 0, "not audio"
    seconds = info.frames / info.samplerate
    problem = "" if info.frames else "no samples"
    # libsndfile reads what is there, and notes in its log where a header promises more (a stream promises all ones)
    shorter = re.search(r"(?:data|SSND|[Ss]ize|riff) *: (\d+) \(should be (\d+)\)", info.extra_info)
    if shorter and int(shorter[2]) < int(shorter[1]) < 0xFFFFFFFF:
        whole = seconds * int(shorter[1]) / max(int(shorter[2]), 1)
        problem = f"truncated: promises {whole:.2f} s, holds {seconds:.2f} s"
    if info.format == "MP3" and not problem and _cut_off(path.read_bytes()):
        problem = f"truncated: its last frame is cut off after {seconds:.2f} s"
    return round(seconds, 4), info.samplerate, info.channels, problem


# Kilobits a second by the number in a frame's header, for MPEG 1 and for MPEG 2 and 2.5, layer III (ISO/IEC 11172-3).
_KILOBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _cut_off(data):
    """Whether an MP3 file ends within a frame, as one does that was not copied whole; False where nobody can tell."""
    place = 0
    if data[:3] == b"ID3" and len(data) > 10:  # a tag, with its size in 7 bits a byte
        place = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    while place + 4 <= len(data):
        first, second, third = data[place : place + 3]
        version, layer, bits, rate = second >> 3 & 3, second >> 1 & 3, third >> 4, third >> 2 & 3
        if first != 255 or second < 224 or layer != 1 or version == 1 or bits in (0, 15) or rate == 3:
            return False  # another tag, or something this walk does not know
        kilobits = _KILOBITS[version != 3][bits]
        place += (144000 if version == 3 else 72000) * kilobits // _RATES[version][rate] + (third >> 1 & 1)
    return place > len(data)
