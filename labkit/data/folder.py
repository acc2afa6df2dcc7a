"""Your own recordings: a folder for each class, or a table of path, label and speaker.

    recordings/                      or    recordings/
        yes/ana_1.wav                          clips.csv       path,label,speaker
        yes/luis_1.wav                         take1.wav       take1.wav,yes,ana
        no/ana_1.flac                          take2.wav       take2.wav,yes,luis

In a file name, the speaker is what stands before the first `_`. Speakers are asked for because a network that is
tested on the people it was trained on looks much better than it is.
"""

import os
import unicodedata
import warnings
from pathlib import Path, PurePosixPath

import pandas as pd

from ..errors import LabError, LabWarning, choose
from .corpus import PARTS, parts_filled
from .headers import counted, scan, usable
from .layout import NOISE, make_corpus, read_cells

TABLE = "clips.csv"
NEEDED = ["path", "label", "speaker"]
MEASURED = ["seconds", "bytes", "rate", "channels"]  # columns that are filled from the files
OTHER_WORDS = {"training": "train", "val": "validation", "valid": "validation", "dev": "validation", "testing": "test"}
UNREADABLE = {".m4a", ".aac", ".mp4", ".mov", ".webm", ".wma", ".amr", ".3gp"}  # what phones like to write
WHY = "A model that has heard a person before knows that voice, so the lab keeps each person in one part only."
HOW = (
    f"Name the files SPEAKER_anything.wav, or write {TABLE} with the columns {', '.join(NEEDED)}; "
    'if all of them are one person, say so: load(folder, speaker="ana").'
)


def load(root, *, sample_rate=16_000, speaker=None):
    """Read recordings of your own from a folder, or from a table, whatever its name; what cannot be used is counted.

    A column split ("train", "validation" or "test") of the table is obeyed (without one, a hash of the speaker
    decides), all others are kept as text. `sample_rate`: in Hz, of most files. `speaker`: the one person in all clips.
    """
    root = Path(os.path.abspath(root))
    if not root.exists():
        raise LabError(f"{root} does not exist. Make it, with one folder for each class: {root.name}/yes/ana_1.wav.")
    table = root if root.is_file() else root / TABLE
    folder = table.parent
    clips, notes = _from_table(table, speaker) if table.is_file() else _from_folders(folder)
    if speaker:
        clips["speaker"] = _same(speaker)
    headers = scan(folder, list(clips.path))
    scanned, problems = usable(headers, folder.name)
    clips = clips.merge(scanned, on="path")
    kinds = {Path(path).suffix.lower() for path in headers.path[headers.problem.notna()]} & UNREADABLE
    convert = [f"Convert {kind} files to WAV (`ffmpeg -i clip{kind} clip.wav`)." for kind in sorted(kinds)]
    notes = [*notes, *problems, *convert]
    if clips.empty:
        raise LabError(f"No recording in {root} can be used. {' '.join(notes)} {HOW}")
    as_class = clips.speaker.str.lower() == clips.label.str.lower()
    told = counted(clips.path[clips.speaker == ""], "clips do not say who speaks")
    told += counted(clips.path[as_class], "clips have a speaker who is called as the class")
    if told:
        raise LabError(f"{root}: {' '.join(told)} {WHY} {HOW}")
    given = "split" in clips
    clips["split"] = clips.split.str.lower().replace(OTHER_WORDS) if given else parts_filled(clips.speaker)
    for part in clips.split.unique():
        choose(part, dict.fromkeys(PARTS), f"part (column split of {table})")
    shared = (clips.groupby("speaker").split.nunique() > 1).any()
    protocol = "by_clip_leaky" if shared else "official" if given else "by_speaker"
    if doubts := " ".join(_doubts(clips)):
        warnings.warn(f"{root}: {doubts}", LabWarning, stacklevel=2)
    licence = "your own: ask every speaker before you pass the recordings on"
    return make_corpus(folder, clips, notes, sample_rate=sample_rate, licence=licence, protocol=protocol)


def _from_folders(root):
    """(clips, notes) of CLASS/SPEAKER_anything.*"""
    files = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]
    files = [path for path in files if path.parts[0] != NOISE and not any(part[0] == "." for part in path.parts)]
    deep = [path.as_posix() for path in files if len(path.parts) > 2]
    notes = counted(deep, "files left out (deeper than CLASS/file)", f"{root.name}: ")
    shallow = [path for path in files if len(path.parts) == 1]
    notes += counted(shallow, "files left out (in no class folder)", f"{root.name}: ")
    rows = []
    for path in [path for path in files if len(path.parts) == 2]:
        name, underscore, _ = _same(path.stem).partition("_")
        rows.append((path.as_posix(), _same(path.parts[0]), name if underscore else ""))
    if not rows:
        raise LabError(
            f"{root} has no folder with recordings. {' '.join(notes) or 'It holds no files.'} "
            f"Make one folder for each class, such as {root.name}/yes/ana_1.wav, or write {TABLE} beside the files."
        )
    return pd.DataFrame(rows, columns=NEEDED), notes


def _from_table(table, speaker):
    """(clips, notes) of a table."""
    needed = NEEDED[:2] if speaker else NEEDED
    head, lines = read_cells(table, needed, f"{WHY} {HOW} Save the table as `CSV UTF-8`.")
    for number, cells in lines.items():
        if len(cells) != len(head):
            wrong = f"Line {number} of {table} has {len(cells)} columns, the first line has {len(head)}."
            raise LabError(f"{wrong} Put a name that holds a comma in double quotes.")
    rows = pd.DataFrame(list(lines.values()), columns=head, index=list(lines), dtype=str)
    rows = rows.drop(columns=[*MEASURED, ""], errors="ignore")
    rows["label"] = [_same(label) for label in rows.label]
    rows["speaker"] = [_same(name) for name in rows.speaker] if "speaker" in rows else ""
    if speaker and (others := sorted(set(rows.speaker) - {"", _same(speaker)})):
        raise LabError(f"{table} names the speakers {others[:5]}, but speaker={speaker!r} was given. Leave one out.")
    found = rows.path.map(lambda path: _find(table.parent, path))
    notes, good = [], pd.Series(True, rows.index)
    for bad, reason in (
        (rows.label == "", "no label"),
        (rows.path == "", "no path"),
        (found.isna(), f"not below {table.parent.name}"),
        (found == "", "missing file"),
    ):
        lines = [f"line {number} ({path!r})" for number, path in rows.path[good & bad].items()]
        notes += counted(lines, f"lines left out ({reason})", f"{table.name}: ")
        good &= ~bad
    return rows.assign(path=found)[good], notes


def _find(folder, path):
    """A path of the table as the corpus writes it; "" if there is no such file, None if it may not be used."""
    inside = PurePosixPath(path.replace("\\", "/"))
    if Path(inside).is_relative_to(folder.resolve()):
        inside = PurePosixPath(Path(inside).relative_to(folder.resolve()).as_posix())
    if inside.is_absolute() or ".." in inside.parts or str(inside)[1:2] == ":":
        return None
    # An accented letter may be written as one sign or as two (macOS); the table and the disk need not agree.
    forms = (str(inside), *(unicodedata.normalize(form, str(inside)) for form in ("NFC", "NFD")))
    return next((form for form in forms if (folder / form).is_file()), "")


def _doubts(clips):
    """Sentences on what a split by these speakers cannot give, and on names that look like no names."""
    names = sorted(clips.speaker.unique())
    listed = f"{len(names)} ({', '.join(names[:5])}{' ...' if len(names) > 5 else ''})"
    parts = clips.groupby("speaker").split.nunique()
    leak = "speakers are in more than one part (results will look better than they are: leave out the column split)"
    yield from counted(parts.index[parts > 1], leak)
    if len(names) > 5 and clips.speaker.is_unique:
        yield f"Each clip seems to be spoken by another person: {listed}. If not so, the parts share voices. {HOW}"
    alike = [name for name in names if name != name.lower() and name.lower() in names]
    yield from counted(alike, "speakers are also written in small letters (if they are one person, write one name)")
    if empty := [part for part in PARTS if part not in set(clips.split)]:
        yield (
            f"The speakers are {listed}, so nobody is left for {' and '.join(empty)}. Record more people, write a "
            f"column split into {TABLE}, or use a protocol for few speakers (folds, leave_one_speaker_out)."
        )


def _same(name):
    """One way of writing accented letters, so that a class is not two."""
    return unicodedata.normalize("NFC", name.strip())
