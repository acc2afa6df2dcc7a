"""What the readers of all corpora share: from a folder of sound files to a table of clips.

A reader makes a row for each file and writes into the column `problem` why it cannot be used. `measured` adds what the
headers of the files say, and counts each kind of problem in a sentence: nothing is left out in silence.
"""

import csv
import io
import os
import re
import stat
import struct
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from sys import intern

import numpy as np
import pandas as pd
import soundfile

from ..errors import LabError
from ..files import cache, digest, read_bytes
from ..synthetic import MARKER
from .audio import MOST_SAMPLES, RATES, refused
from .corpus import OWN, PARTS, Corpus, parts_by_speaker
from .pieces import STATE, kept

KINDS = (".wav", ".flac", ".ogg", ".mp3")
NOISE = "_background_noise_"  # a folder of noises, which are not clips
LISTS = Path(__file__).with_name("lists")  # NAME.csv.xz: the clips of a cut, a corpus that is part of another
LOST = 0.3  # seconds that a clip may be shorter than somebody else says
CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # signs that no name and no cell of a table should hold
HEADER = ["path", *STATE, "seconds", "sample_rate", "problem"]
VERSION = 7  # of what `_header` says; raise it, and files that were scanned before are read again


def audio_files(root, kinds=KINDS):
    """Files below `root`, sorted, whose names end as sounds do (of all if `kinds` is None): path, bytes, changed."""
    if not root.is_dir():
        get = "`python -m labkit check` says which corpora are found; set LABKIT_DATA to the folder of yours"
        name = root.name if (LISTS / f"{root.name}.csv.xz").exists() else "speech_commands"
        raise LabError(f"{root} is not a folder. {get}, or run `python -m labkit download {name}`.")
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name[0] != "."]
        below = f"{folder[len(os.path.join(root, '')) :]}/".lstrip("/").replace(os.sep, "/")
        names = [name for name in (*files, *folders) if name[0] != "."]
        found += [below + name for name in names if _expected(folder, name, kinds)]
    suspects = [] if "".join(found).isprintable() else found  # most often there is nothing to look at one by one
    if bad := [path for path in suspects if CONTROL.search(path) or path.encode(errors="ignore").decode() != path]:
        shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in bad[0])
        raise LabError(f"The name of {shown} in {root} is not text, or holds the end of a line. Rename it.")
    return states(root, sorted(found))


def _expected(folder, name, kinds):
    """Whether a name is for a clip, even if no file is there: a link to nowhere, or to a folder, is reported."""
    if name.lower().endswith(kinds or KINDS):
        return True
    path = os.path.join(folder, name)
    return kinds is None if os.path.isfile(path) else os.path.islink(path)


def read_layout(root, pattern, layout, name, mend, kinds=KINDS):
    """(table of the clips below `root` with a column for each group of the pattern, what was left out as sentences)."""
    rows, wrong = audio_files(root, kinds), f"named wrongly: {layout} is expected"
    rows = rows[~rows.path.astype(str).str.startswith(NOISE)].astype({"path": str})
    names = {path: pattern.fullmatch(path) for path in rows.path.tolist()}
    rows["problem"] = [None if found else wrong for found in names.values()]
    clips, notes = measured(root, rows, name, f"Clips are named {layout}. {mend}")
    groups = [names[path].groups(default="") for path in clips.path.tolist()]
    said = pd.DataFrame(groups, columns=list(pattern.groupindex))
    return clips.assign(**said.astype({name: int for name in said if name == "repetition"})), notes


def measured(root, rows, corpus, mend, durations=None):
    """(usable rows with what their headers say, a sentence for each problem).

    Where the publisher tells `durations`, seconds by path, files are not opened, but for the first, whose sample rate
    stands for all. That a clip is cut off shows when it is decoded.
    """
    rows, notes = usable(rows, corpus)
    files = rows if "changed" in rows else states(root, rows.path)
    files = files[["path", *STATE]].reset_index(drop=True)
    seconds = files.path.map(durations if durations is not None else {}).astype(float)
    told = (seconds > 0) & (files.bytes > 0)
    ask = ~told | (told & (told.cumsum() == 1))
    headers = scan(root, files[ask])
    rate = headers.sample_rate.max()
    told = files[~ask].assign(seconds=seconds[~ask], sample_rate=rate, problem=None)
    headers = pd.concat([headers, told]) if len(told) else headers
    headers, problems = usable(headers, corpus)
    clips, notes = rows.drop(columns=STATE, errors="ignore").merge(headers, on="path"), notes + problems
    if clips.empty:
        raise LabError(f"{root} holds no clips that can be used. {' '.join(notes) or 'It holds no sounds.'} {mend}")
    return clips, notes


def usable(rows, corpus, what="files"):
    """(rows without a `problem`, a sentence for each kind of problem: its text up to a colon)."""
    bad, notes = rows[rows.problem.notna()], []
    for kind, group in bad.groupby(bad.problem.map(lambda problem: problem.split(":")[0])):
        notes += counted(group.path + " (" + group.problem + ")", f"{what} left out ({kind})", f"{corpus}: ")
    return rows[rows.problem.isna()].drop(columns="problem"), notes


def counted(items, what, where=""):
    """A list with one sentence that counts some items and names the first; empty where there are no items."""
    items = list(items)
    return [f"{where}{len(items):,} {what}, the first: {items[0]}."] if items else []


def make_corpus(root, clips, notes, *, licence, name="", labels=(), sample_rate=None, protocol=OWN):
    """The Corpus of a table; what is not given is found there. It is called leaky wherever its parts share speakers."""
    if "split" not in clips:
        filled = (parts_by_speaker(clips.speaker, seed=seed) for seed in range(1000))
        if clips.speaker.nunique() >= len(PARTS):  # of 20 people, one in ten is often nobody
            filled = (parts for parts in filled if parts.nunique() == len(PARTS))
        clips, protocol = clips.assign(split=next(filled)), "by_speaker"
    leaky = (clips.groupby("speaker").split.nunique() > 1).any()
    synthetic = any((folder / MARKER).exists() for folder in (root, root.parent))
    protocol = OWN if synthetic and protocol == "official" else protocol  # it stands in for a publisher's corpus
    noises = [f"{NOISE}/{path}" for path in audio_files(root / NOISE).path] if (root / NOISE).is_dir() else []
    return Corpus(
        name=name or root.name,
        root=root,
        sample_rate=sample_rate or int(clips.sample_rate.mode()[0]),
        labels=tuple(labels or sorted(clips.label.unique())),
        licence="see LICENSE in its folder" if synthetic else licence,
        synthetic=synthetic,
        clips=clips.drop(columns=["sample_rate", "changed"]).reset_index(drop=True),
        changed=clips.set_index("path").changed,
        noises=tuple(noises),
        skipped=tuple(notes),
        protocol="by_clip_leaky" if leaky else protocol,
    )


def read_text(path, mend):
    """The text of a file, with or without a byte-order mark."""
    try:
        return io.TextIOWrapper(io.BytesIO(read_bytes(path)), "utf-8-sig").read()  # with "\n" at each line's end
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read as text in UTF-8 ({error}). {mend}") from error


def read_table(path, needed, mend, quoting=csv.QUOTE_MINIMAL):
    """A table of commas, semicolons or tabs, as text: (rows by line number, cells of each line that does not fit)."""
    text = read_text(path, mend)  # pandas would fill up short lines, and nobody would know
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max("\t,;", key=first.count), quoting=quoting, strict=True)
    try:
        lines = dict((reader.line_num, [intern(cell.strip()) for cell in cells]) for cells in reader)
    except csv.Error as error:
        raise LabError(f"Line {reader.line_num} of {path} cannot be read ({error}). {mend}") from error
    head = [cell.lower() for cell in lines.pop(1, [])]
    if missing := [column for column in needed if column not in head]:
        raise LabError(f"{path} lacks the columns {missing}: it has {head[:12]}. {mend}")
    if twice := [name for name in head if name and head.count(name) > 1]:
        raise LabError(f"{path} has two columns of one name, {twice[0]}. Rename one of them.")
    lines = {number: cells for number, cells in lines.items() if any(cells)}
    odd = {number: cells for number, cells in lines.items() if len(cells) != len(head)}
    fit = {number: lines[number] for number in lines.keys() - odd}
    return pd.DataFrame.from_dict(fit, orient="index", columns=head, dtype=str).sort_index(), odd


def when_changed(path):
    """(bytes, time of the last change in nanoseconds) of a file; zeros where there is none.

    A program may set the time of a file's content; that of its entry (on Windows its birth) it cannot set.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    is_file = stat.S_ISREG(status.st_mode)
    return (status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)) if is_file else (0, 0)


def states(root, paths):
    """A table of files: path, bytes, changed."""
    found = np.array([when_changed(f"{root}{os.sep}{path}") for path in paths], np.int64).reshape(-1, 2)
    return pd.DataFrame({"path": list(paths), STATE[0]: found[:, 0], STATE[1]: found[:, 1]})


def scan(root, files):
    """What the headers of some files (path, bytes, changed) say: also seconds, sample_rate in Hz, and a problem."""

    def headers(some, _, bar):
        rows = []
        with ThreadPool() as pool:
            for row in pool.imap(header, some.itertuples(index=False), chunksize=64):
                rows.append(row)
                bar.update()
        return pd.DataFrame(rows, columns=HEADER)

    def header(file):
        return *file, *_header(root / file.path, file.bytes)

    folder = cache() / f"headers-{digest([VERSION, str(root.resolve())], 12)}"
    table = kept(folder, files, headers, f"headers of {root.name}").reset_index().reindex(columns=HEADER)
    return table.assign(problem=table.problem.where(table.problem != "", None))


def _header(path, size):
    """(seconds, sample_rate, problem or "") of one file."""
    if size == 0:
        return 0.0, 0, "empty file" if os.path.isfile(path) else "missing file"
    if path.suffix == ".wav" and (plain := _plain_header(path, size)):
        return *plain, ""
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError):
        kind = path.suffix.lower()  # phones like to write .m4a and the like
        convert = f": if it is, convert it with `ffmpeg -i clip{kind} clip.wav`"
        return 0.0, 0, "not audio" + convert * (kind not in KINDS)
    if problem := refused(info):
        return 0.0, 0, f"not audio: {problem}"
    seconds = info.frames / info.samplerate
    problem = "" if info.frames else "no samples"
    if info.format == "WAV" and re.search("Unknown chunk marker|Chunk size .* > file length", info.extra_info):
        problem = f"damaged: holds more than the {seconds:.2f} s that its header promises"
    # libsndfile reads what is there, and notes in its log where a header promises more (a stream promises all ones)
    shorter = re.search(r"(?:data|SSND|[Ss]ize|riff) *: (\d+) \(should be (\d+)\)", info.extra_info)
    if shorter and int(shorter[2]) < int(shorter[1]) < 0xFFFFFFFF:
        whole = seconds * int(shorter[1]) / max(int(shorter[2]), 1)
        problem = f"truncated: promises {whole:.2f} s, holds {seconds:.2f} s"
    if info.format == "OGG" and not problem and _pages_lost(path.read_bytes()):
        problem = f"damaged: pages are missing from its {seconds:.2f} s"
    if info.format == "MP3" and not problem and _cut_off(path.read_bytes(), info.extra_info):
        problem = f"truncated: its last frame is cut off after {seconds:.2f} s"
    return round(seconds, 4), info.samplerate, problem


PLAIN = struct.Struct("<4sI8sIHHIIHH4sI")  # RIFF, bytes, WAVEfmt, 16, PCM, channels, Hz, bytes/s, 2, bits, data, bytes


def _plain_header(path, size):
    """(seconds, sample rate) of a WAV file of one channel and 16 bits that holds its sound and nothing else, or None.

    Such are the large corpora; libsndfile, which reads all kinds, takes five times as long.
    """
    with suppress(OSError, struct.error), open(path, "rb") as file:
        head, sound = file.read(PLAIN.size), size - PLAIN.size
        rate = int.from_bytes(head[24:28], "little")
        plain = PLAIN.pack(b"RIFF", size - 8, b"WAVEfmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", sound)
        if head == plain and sound % 2 == 0 < sound <= 2 * MOST_SAMPLES and RATES[0] <= rate <= RATES[1]:
            return round(sound / 2 / rate, 4), rate
    return None


def _pages_lost(data):
    """Whether an OGG file lacks one of its pages, which are numbered and say how long they are (RFC 3533, 6)."""
    place = number = 0
    while data[place : place + 4] == b"OggS" and int.from_bytes(data[place + 18 : place + 22], "little") == number:
        table = data[place + 27 : place + 27 + data[place + 26]]  # lengths of its segments
        place, number = place + 27 + len(table) + sum(table), number + 1
    return place != len(data)


# Kilobits a second by the number in a frame's header, for MPEG 1 and for MPEG 2 and 2.5, layer III (ISO/IEC 11172-3).
_KILOBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _cut_off(data, log):
    """Whether an MP3 file ends before it should, as one does that was not copied whole; False where nobody can tell."""
    tag = re.search(r"header length[\s:]*(\d+)", log)
    start = place = int(tag[1]) if tag else 0
    name = max(data.find(b"Xing", start, start + 48), data.find(b"Info", start, start + 48))
    if name > 0 and data[name + 7] & 2:  # the first frame says how many bytes there are
        count = name + 8 + 4 * (data[name + 7] & 1)
        return len(data) - start < int.from_bytes(data[count : count + 4], "big")
    while place + 4 <= len(data):  # else from frame to frame
        first, second, third = data[place : place + 3]
        version, layer, bits, hertz = second >> 3 & 3, second >> 1 & 3, third >> 4, third >> 2 & 3
        if first != 255 or second < 224 or layer != 1 or version == 1 or bits in (0, 15) or hertz == 3:
            return False  # another tag, or something this walk does not know
        samples = 144000 if version == 3 else 72000
        place += samples * _KILOBITS[version != 3][bits] // _HERTZ[version][hertz] + (third >> 1 & 1)
    return place > len(data)
