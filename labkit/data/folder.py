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
from .headers import scan, usable
from .layout import NOISE, make_corpus, read_cells

TABLE = "clips.csv"
NEEDED = ["path", "label", "speaker"]
MEASURED = ["seconds", "bytes"]  # columns that are filled from the files
OTHER_WORDS = {"training": "train", "val": "validation", "valid": "validation", "dev": "validation", "testing": "test"}
UNREADABLE = {".m4a", ".aac", ".mp4", ".mov", ".webm", ".wma", ".amr", ".3gp"}  # what phones like to write
WHY = "A model that has heard a person before knows that voice, so the lab keeps each person in one part only."
HOW = (
    f"Name the files SPEAKER_anything.wav, or write {TABLE} with the columns {', '.join(NEEDED)}; "
    'if all of them are one person, say so: load(folder, speaker="ana").'
)


def load(root, *, sample_rate=16_000, speaker=None):
    """Read recordings of your own.

    Parameters
    ----------
    root : Path
        A folder with a folder for each class; or a folder that holds `clips.csv`; or the table itself, whatever its
        name. The table has the columns path (relative to it), label and speaker; a column split ("train",
        "validation" or "test") is obeyed, all others are kept as text.
    sample_rate : int
        The rate in Hz that most of them have; the waveform store resamples the others.
    speaker : str, optional
        The one person who speaks in all clips.

    Returns
    -------
    Corpus
        Split by a hash of the speaker unless the table says otherwise. Files that cannot be used are left out and
        counted in `skipped`.

    Raises
    ------
    LabError
        If there is nothing to load, or nobody says who speaks.
    """
    root = Path(os.path.abspath(root))
    speaker = _same(speaker or "")
    table = root if root.is_file() else root / TABLE
    folder = table.parent
    if not root.exists():
        raise LabError(f"{root} does not exist. Make it, with one folder for each class: {root.name}/yes/ana_1.wav.")
    clips, notes = _from_table(table, speaker) if table.is_file() else _from_folders(folder)
    if speaker:
        clips["speaker"] = speaker
    headers = scan(folder, list(clips.path))
    scanned, problems = usable(headers, folder.name)
    clips = clips.merge(scanned, on="path")
    notes += problems
    for kind in sorted({Path(path).suffix.lower() for path in headers.path[headers.problem.notna()]} & UNREADABLE):
        notes.append(f"Convert {kind} files to WAV (`ffmpeg -i clip{kind} clip.wav`).")
    if clips.empty:
        raise LabError(f"No recording in {root} can be used. {' '.join(notes)} {HOW}")
    _need_speakers(clips, root)
    protocol = "by_speaker"
    if "split" in clips:
        clips["split"] = clips.split.str.lower().replace(OTHER_WORDS)
        for part in clips.split.unique():
            choose(part, dict.fromkeys(PARTS), f"part (column split of {table})")
        shared = clips.groupby("speaker").split.nunique() > 1
        protocol = "by_clip_leaky" if shared.any() else "official"
    else:
        clips["split"] = parts_filled(clips.speaker)
    if doubts := " ".join(_doubts(clips)):
        warnings.warn(f"{root}: {doubts}", LabWarning, stacklevel=2)
    return make_corpus(
        folder,
        clips,
        notes,
        sample_rate=sample_rate,
        licence="your own: ask every speaker before you pass the recordings on",
        protocol=protocol,
    )


def _from_folders(root):
    """(clips, notes) of CLASS/SPEAKER_anything.*"""
    rows, loose, deep = [], [], []
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if not path.is_file() or inside.parts[0] == NOISE or any(part.startswith(".") for part in inside.parts):
            continue
        if len(inside.parts) == 2:
            name, underscore, _ = _same(path.stem).partition("_")
            rows.append((inside.as_posix(), _same(inside.parts[0]), name if underscore else ""))
        else:
            (loose if len(inside.parts) == 1 else deep).append(inside.as_posix())
    notes = [
        f"{root.name}: {len(left)} files left out ({why}), the first: {left[0]}."
        for left, why in ((deep, "deeper than CLASS/file"), (loose, "in no class folder"))
        if left
    ]
    if not rows:
        raise LabError(
            f"{root} has no folder with recordings. {' '.join(notes) or 'It holds no files.'} "
            f"Make one folder for each class, such as {root.name}/yes/ana_1.wav, or write {TABLE} beside the files."
        )
    return pd.DataFrame(rows, columns=NEEDED), notes


def _from_table(table, speaker):
    """(clips, notes) of a table."""
    needed = [name for name in NEEDED if name != "speaker" or not speaker]
    head, lines = read_cells(table, needed, f"{WHY} {HOW} Save the table as `CSV UTF-8`.")
    for number, cells in lines.items():
        if len(cells) != len(head):
            raise LabError(
                f"Line {number} of {table} has {len(cells)} columns, the first line has {len(head)}. "
                "Put a name that holds a comma in double quotes."
            )
    rows = pd.DataFrame(list(lines.values()), columns=head, index=list(lines), dtype=str)
    rows = rows.drop(columns=[*MEASURED, ""], errors="ignore")
    rows["label"] = [_same(label) for label in rows.label]
    rows["speaker"] = [_same(name) for name in rows.speaker] if "speaker" in rows else speaker
    if speaker and (others := sorted(set(rows.speaker) - {"", speaker})):
        raise LabError(f"{table} names the speakers {others[:5]}, but speaker={speaker!r} was given. Leave one out.")
    reasons = pd.Series("", rows.index)
    found = rows.path.map(lambda path: _find(table.parent, path))
    reasons[found == ""] = "missing file"
    reasons[found.isna()] = f"not below {table.parent.name}"
    reasons[rows.path == ""] = "no path"
    reasons[rows.label == ""] = "no label"
    notes = [
        f"{table.name}: {len(bad)} lines left out ({reason}), the first: line {bad.index[0]} ({bad.path.iloc[0]!r})."
        for reason, bad in rows[reasons != ""].groupby(reasons)
    ]
    return rows.assign(path=found)[reasons == ""].reset_index(drop=True), notes


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


def _need_speakers(clips, place):
    """Nobody may be unknown, and a class is not a person."""
    unknown = clips[clips.speaker == ""]
    if len(unknown):
        raise LabError(
            f"Nobody says who speaks in {len(unknown):,} of {len(clips):,} clips of {place}, "
            f"the first: {unknown.path.iloc[0]}. {WHY} {HOW}"
        )
    same = clips[clips.speaker.str.lower() == clips.label.str.lower()]
    if len(same):
        raise LabError(
            f"In {same.path.iloc[0]} the speaker would be {same.speaker.iloc[0]!r}, which is the class "
            f"({len(same):,} clips of {place}). {WHY} {HOW}"
        )


def _doubts(clips):
    """Sentences on what a split by these speakers cannot give, and on names that look like no names."""
    speakers = clips.speaker.value_counts()
    names = f"{', '.join(sorted(speakers.index)[:5])}{' ...' if len(speakers) > 5 else ''}"
    parts = clips.groupby("speaker").split.nunique()
    if shared := list(parts[parts > 1].index):
        yield (
            f"The column split puts {len(shared)} speakers into more than one part, the first: {shared[0]}. "
            "The results will look better than they are; leave the column out to split by speaker."
        )
    if len(speakers) > 5 and speakers.max() == 1:
        yield (
            f"Each of the {len(clips)} clips seems to be spoken by another person ({names}). If that is not so, the "
            f"parts share voices. {HOW}"
        )
    if alike := [name for name in speakers.index if name != name.lower() and name.lower() in speakers.index]:
        yield (
            f"There are the speakers {alike[0]!r} and {alike[0].lower()!r}. If they are one person, the parts share a "
            "voice: write the name in one way."
        )
    if empty := [part for part in PARTS if part not in set(clips.split)]:
        yield (
            f"The speakers are {len(speakers)} ({names}), so nobody is left for {' and '.join(empty)}. Record more "
            f"people, write a column split into {TABLE}, or use a protocol for few speakers (folds, "
            "leave_one_speaker_out)."
        )


def _same(name):
    """One way of writing accented letters, so that a class is not two."""
    return unicodedata.normalize("NFC", name.strip())
