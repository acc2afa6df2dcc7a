"""Your own recordings: a folder for each class, or a table of path, label and speaker.

    recordings/                      or    recordings/
        yes/ana_1.wav                          clips.csv       path,label,speaker
        yes/luis_1.wav                         take1.wav       take1.wav,yes,ana
        no/ana_1.flac                          take2.wav       take2.wav,yes,luis

In a file name, the speaker is what stands before the first `_`.
"""

import os
import re
import unicodedata
import warnings
from pathlib import Path

import pandas as pd

from ..errors import LabError, LabWarning, choose
from .corpus import PARTS
from .layout import CONTROL, counted, make_corpus, measured, read_layout, read_table

TABLE = "clips.csv"
LAYOUT = "CLASS/SPEAKER_anything.wav"
PATTERN = re.compile(r"(?P<label>[^/]+)/(?:(?P<speaker>[^/_]*)_)?[^/]*")
NEEDED = ["path", "label", "speaker"]
OTHER_WORDS = {"training": "train", "val": "validation", "valid": "validation", "dev": "validation", "testing": "test"}
WHY = "A model that has heard a person before knows that voice, so the lab keeps each person in one part only."
HOW = (
    f"Make one folder for each class, {LAYOUT}, or write {TABLE} with the columns {', '.join(NEEDED)}; "
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
    if table.is_file():
        clips, notes = measured(folder, _from_table(table, speaker), folder.name, HOW)
    else:
        clips, notes = read_layout(folder, PATTERN, LAYOUT, folder.name, HOW, kinds=None)
    if speaker:
        clips["speaker"] = speaker
    for column in ("label", "speaker"):  # an accented letter may be written as one sign or as two: let a class be one
        clips[column] = clips[column].str.strip().str.normalize("NFC")
    as_class = clips.speaker.str.lower() == clips.label.str.lower()
    told = counted(clips.path[clips.speaker == ""], "clips do not say who speaks")
    told += counted(clips.path[as_class], "clips have a speaker with the name of the class")
    if told:
        raise LabError(f"{root}: {' '.join(told)} {WHY} {HOW}")
    if "split" in clips:
        clips["split"] = clips.split.str.lower().replace(OTHER_WORDS)
        for part in clips.split.unique():
            choose(part, dict.fromkeys(PARTS), f"part (column split of {table})")
    licence = "your own: ask every speaker before you pass the recordings on"
    corpus = make_corpus(folder, clips, notes, sample_rate=sample_rate, licence=licence)
    if doubts := _doubts(corpus.clips):
        warnings.warn(f"{root}: {' '.join(doubts)}", LabWarning, stacklevel=2)
    return corpus


def _from_table(table, speaker):
    """A row for each line of a table."""
    rows, odd = read_table(table, NEEDED[:2] if speaker else NEEDED, f"{WHY} {HOW} Save the table as `CSV UTF-8`.")
    for number, cells in odd.items():
        wrong = f"Line {number} of {table} has {len(cells)} columns, the first line has {len(rows.columns)}."
        raise LabError(f"{wrong} Put a name that holds a comma in double quotes.")
    rows = rows.drop(columns=["seconds", "bytes", "sample_rate", ""], errors="ignore")  # measured, not believed
    rows = rows if "speaker" in rows else rows.assign(speaker="")
    if speaker and (others := sorted(set(rows.speaker) - {"", speaker})):
        raise LabError(f"{table} names the speakers {others[:5]}, but speaker={speaker!r} was given. Leave one out.")
    found = rows.path.map(lambda path: _find(table.parent, path))
    problem = pd.Series(None, rows.index, dtype=object)
    for bad, why in (
        (found == "", "missing file"),
        (found.isna(), f"not below {table.parent.name}"),
        (rows.path == "", "no path"),
        (rows.label == "", "no label"),
    ):
        problem[bad] = [f"{why}: line {number} of {table.name}" for number in rows.index[bad]]
    return rows.assign(path=found.where(problem.isna(), rows.path), problem=problem)


def _find(folder, path):
    """A path of the table as the corpus writes it; "" if there is no such file, None if it may not be used."""
    whole = folder.resolve() / path.replace("\\", "/")  # a full path stays as it is
    if not whole.is_relative_to(folder.resolve()) or ".." in whole.parts or (path[1:2] == ":" and os.name != "nt"):
        return None
    inside = whole.relative_to(folder.resolve()).as_posix()
    forms = (inside, *(unicodedata.normalize(form, inside) for form in ("NFC", "NFD")))  # macOS writes NFD
    return next((form for form in forms if os.path.isfile(folder / form) and not CONTROL.search(form)), "")


def _doubts(clips):
    """Sentences on what a split by these speakers cannot give, and on names that look like no names."""
    names = sorted(clips.speaker.unique())
    listed = f"{len(names)} ({', '.join(names[:5])}{' ...' if len(names) > 5 else ''})"
    leak = "speakers are in more than one part (results will look better than they are: leave out the column split)"
    alike = [name for name in names if name != name.lower() and name.lower() in names]
    same = "speakers are also written in small letters (if they are one person, write one name)"
    parts = clips.groupby("speaker").split.nunique()
    doubts = counted(parts.index[parts > 1], leak) + counted(alike, same)
    if len(names) > 5 and clips.speaker.is_unique:
        doubts.append(f"Each clip seems to be by another person: {listed}. If it is not, the parts share voices. {HOW}")
    if empty := [part for part in PARTS if part not in set(clips.split)]:
        doubts.append(
            f"The speakers are {listed}, so nobody is left for {' and '.join(empty)}. Record more people, write a "
            f"column split into {TABLE}, or use a protocol for few speakers (folds, leave_one_speaker_out)."
        )
    return doubts
