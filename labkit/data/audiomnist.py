"""AudioMNIST (Becker et al., arXiv 1807.03418): ten digits in English, sixty speakers, 48 kHz.

    data/SPEAKER/DIGIT_SPEAKER_R.wav      speakers 01 to 60, R from 0 to 49
    data/audioMNIST_meta.txt              JSON: a table of each speaker's age, gender, accent ...

Its authors publish which speakers they tested together: five groups for digits; and for gender four groups of 24
speakers, half of them women (github.com/soerenab/AudioMNIST, audiomnist/train/splits.py). `splits` makes folds of them.
"""

import json
import os
import re
from pathlib import Path

import pandas as pd

from ..errors import LabError
from ..synthetic.digits import META
from .corpus import SYNTHETIC_MARKER, Corpus
from .headers import audio_files, scan, usable

WINDOW = 1.0  # seconds that Becker et al. place every clip in
FIELDS = {  # column of the table: its name in the metadata
    "age": "age",
    "gender": "gender",
    "accent": "accent",
    "native": "native speaker",
    "origin": "origin",
    "room": "recordingroom",
    "date": "recordingdate",
}
SAME = {"vr-romm": "vr-room"}  # the same room, mistyped
_NAME = re.compile(r"(?:.*/)?(?P<folder>\d+)/(?P<label>\d)_(?P<speaker>\d+)_(?P<repetition>\d+)\.wav")


def _names(*numbers):
    return tuple(f"{number:02}" for number in numbers)


# Of a task, the groups in order: fold k validates on one and tests on the next.
GROUPS = {
    "digit": (
        _names(12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50),
        _names(26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51),
        _names(28, 56, 7, 19, 35, 1, 6, 16, 23, 34, 46, 53),
        _names(36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54),
        _names(43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55),
    ),
    "gender": (
        _names(43, 28, 52, 48, 53, 41),
        _names(58, 59, 60, 7, 23, 38),
        _names(36, 47, 56, 2, 44, 50),
        _names(26, 12, 57, 25, 37, 45),
    ),
}


def fold(task, number):
    """Which speakers validate and test in a published fold; the other groups train.

    Parameters
    ----------
    task : {"digit", "gender"}
    number : int
        From 0; the digit task has five, the gender task four.

    Returns
    -------
    dict
        From the name of each speaker of the task to their part.

    Examples
    --------
    >>> fold("digit", 0)["12"], fold("digit", 0)["26"], fold("digit", 0)["01"]
    ('validation', 'test', 'train')
    """
    groups = GROUPS[task]
    if not 0 <= number < len(groups):
        raise LabError(f"AudioMNIST has no fold {number} of the {task} task. Take one from 0 to {len(groups) - 1}.")
    parts = {number: "validation", (number + 1) % len(groups): "test"}
    return {name: parts.get(place, "train") for place, names in enumerate(groups) for name in names}


def load(root):
    """Read a folder in the layout of AudioMNIST.

    Parameters
    ----------
    root : Path
        Holds `data/`, or is that folder.

    Returns
    -------
    Corpus
        The label is the digit, "0" to "9". Extra columns: `repetition`, `age` (years; NaN where nobody knows),
        `gender`, `accent`, `native`, `origin`, `room`, `date` (text; "" where nobody knows). Parts are fold 0 of the
        digit task. Whatever is odd is told in `skipped`: speakers without clips or without metadata, ages that cannot
        be, clips longer than a second.

    Raises
    ------
    LabError
        If the folder holds no clips, or its metadata is missing or broken.
    """
    place = Path(os.path.abspath(root))
    name = place.name if (place / "data").is_dir() or place.name != "data" else place.parent.name
    place = place / "data" if (place / "data").is_dir() else place
    files = audio_files(place)
    matches = {path: _NAME.fullmatch(path) for path in files}
    named = [path for path, match in matches.items() if match and match["folder"] == match["speaker"]]
    if not named:
        raise LabError(
            f"{place} holds no clips named SPEAKER/DIGIT_SPEAKER_R.wav. Run `python -m labkit download audiomnist`, or "
            "point LABKIT_DATA to the folder that holds data/."
        )
    people, notes = read_metadata(place / META)
    if odd := [path for path in files if path not in set(named)]:
        notes.append(f"{name}: {len(odd)} files left out (the name does not say who speaks), the first: {odd[0]}.")
    table, problems = usable(scan(place, named), name)
    if table.empty:
        raise LabError(f"No clip in {place} can be used. {' '.join((*notes, *problems))} Download the corpus again.")
    table = table.assign(**table.path.str.extract(_NAME).drop(columns="folder").astype({"repetition": int}))
    notes += _compared(table, people, name)
    columns = {
        field: table.speaker.map(lambda who, field=field: people.get(who, {}).get(field, "")) for field in FIELDS
    }
    columns["age"] = pd.to_numeric(columns["age"], errors="coerce")
    synthetic = any((folder / SYNTHETIC_MARKER).exists() for folder in (place, place.parent))
    parts = fold("digit", 0)
    return Corpus(
        name=name,
        root=place,
        sample_rate=int(table.rate.mode()[0]),
        labels=tuple("0123456789"),
        licence="see LICENSE in its folder" if synthetic else "MIT",
        synthetic=synthetic,
        clips=table.assign(**columns, split=table.speaker.map(lambda who: parts.get(who, "train")))
        .drop(columns=["rate", "channels"])
        .reset_index(drop=True),
        skipped=(*notes, *problems),
    )


def read_metadata(path):
    """The table of speakers.

    Parameters
    ----------
    path : Path
        JSON.

    Returns
    -------
    tuple of (dict, list of str)
        From each speaker's name to a dict with the keys of `FIELDS`; and a sentence on each thing that was mended.

    Raises
    ------
    LabError
        If the file is missing, or is no such table.
    """
    again = f"Copy {META} from github.com/soerenab/AudioMNIST, or run `python -m labkit download audiomnist` again."
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LabError(f"{path} is missing, so nobody knows who the speakers are. {again}") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise LabError(f"{path} is broken ({error}). {again}") from error
    broken = [name for name, row in rows.items() if not isinstance(row, dict)] if isinstance(rows, dict) else ["all"]
    if broken or not rows:
        raise LabError(f"{path} is no table of speakers (look at {', '.join(broken[:3]) or 'all'}). {again}")
    people, notes = {}, []
    for name, row in rows.items():
        person = {column: _word(row.get(written, "")) for column, written in FIELDS.items()}
        person["accent"] = person["accent"].capitalize() if person["accent"].isalpha() else person["accent"]
        person["room"] = SAME.get(person["room"].lower(), person["room"].lower())
        if not (person["age"].isdecimal() and 0 < int(person["age"]) < 120):
            notes.append(f"{META}: speaker {name} is {person['age'] or 'of no age'}, which cannot be: left empty.")
            person["age"] = ""
        if person["gender"] not in ("female", "male"):
            notes.append(
                f"{META}: speaker {name} has the gender {person['gender']!r}, which is left empty. Mend it there."
            )
            person["gender"] = ""
        people[str(name)] = person
    return people, notes


def _word(value):
    return " ".join(str(value).split())


def _compared(table, people, name):
    """Sentences on speakers in one of clips and metadata only, and on clips that a second cannot hold."""
    speakers = set(table.speaker)
    if silent := sorted(set(people) - speakers):
        yield (
            f"{name}: {len(silent)} of {len(people)} speakers have no clips here ({_few(silent)}). "
            "Published folds need them all: run `python -m labkit download audiomnist`."
        )
    if unknown := sorted(speakers - set(people)):
        yield f"{name}: {META} says nothing of the speakers {_few(unknown)}: age, gender ... are empty. Add them there."
    long = table[table.seconds > WINDOW]
    if len(long):
        yield (
            f"{name}: {len(long)} clips are longer than {WINDOW:g} s, the first: {long.path.iloc[0]} "
            f"({long.seconds.iloc[0]:.2f} s). A feature with seconds={WINDOW:g} cuts their end: give it more seconds."
        )


def _few(names):
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
