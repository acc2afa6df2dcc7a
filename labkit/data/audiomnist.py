"""AudioMNIST (Becker et al., arXiv 1807.03418): ten digits in English, sixty speakers, 48 kHz.

data/SPEAKER/DIGIT_SPEAKER_R.wav      speakers 01 to 60, R from 0 to 49
data/audioMNIST_meta.txt              JSON: a table of each speaker's age, gender, accent ...
"""

import os
import re
from pathlib import Path

import pandas as pd

from ..errors import LabError
from ..files import read_json
from ..synthetic.digits import META
from .layout import counted, make_corpus, read_layout
from .splits import published_parts

WINDOW = 1.0  # seconds that Becker et al. place every clip in
FIELDS = {name: name for name in ("age", "gender", "accent", "origin")}  # column: its name in the metadata
FIELDS |= {"native": "native speaker", "room": "recordingroom", "date": "recordingdate"}
LAYOUT = "SPEAKER/DIGIT_SPEAKER_R.wav"
PATTERN = re.compile(r"(?:.*/)?(?P<speaker>\d+)/(?P<label>\d)_(?P=speaker)_(?P<repetition>\d+)\.wav")
GET = "Run `python -m labkit download audiomnist`, or point LABKIT_DATA to the folder that holds data/."
COPY = f"Copy {META} from github.com/soerenab/AudioMNIST, or run `python -m labkit download audiomnist` again."


def load(root):
    """The corpus in a folder that holds `data/`, or is that folder; its parts are fold 0 of the digit task.

    Extra columns: those of FIELDS; where nobody knows, `age` (years) is NaN and the others "".
    """
    root = Path(os.path.abspath(root))
    place = root / "data" if (root / "data").is_dir() else root
    name = place.parent.name if place.name == "data" else place.name
    clips, notes = read_layout(place, PATTERN, LAYOUT, name, GET)
    people, mended = read_metadata(place / META)
    clips = clips.join(people, on="speaker").fillna(dict.fromkeys(FIELDS, ""))
    clips["age"] = pd.to_numeric(clips.age, errors="coerce")
    clips["split"] = clips.speaker.map(published_parts("audiomnist_digit", 0)).fillna("train")
    notes += mended
    here, known, long = set(clips.speaker), set(people.index), clips.path[clips.seconds > WINDOW]
    absent = f"of {len(known)} speakers have no clips here (published folds need them all)"
    notes += counted(sorted(known - here), absent, f"{name}: ")
    added = f"speakers are not in {META} (add them there: their age, gender ... are empty)"
    notes += counted(sorted(here - known), added, f"{name}: ")
    cut = f"clips are longer than {WINDOW:g} s (a feature cuts their end: give it more seconds)"
    notes += counted(long, cut, f"{name}: ")
    return make_corpus(place, clips, notes, name=name, labels=tuple("0123456789"), licence="MIT", protocol="official")


def read_metadata(path):
    """(table with a row for each speaker, a sentence on each thing that was mended)."""
    rows = read_json(path, COPY)
    wrong = [name for name, row in rows.items() if not isinstance(row, dict)] if isinstance(rows, dict) else ["all"]
    if wrong or not rows:
        raise LabError(f"{path} is no table of speakers (look at {', '.join(wrong[:3]) or 'all'}). {COPY}")
    people = pd.DataFrame(index=list(rows))
    for column, field in FIELDS.items():
        people[column] = [" ".join(str(row.get(field, "")).split()) for row in rows.values()]
    people["accent"] = people.accent.map(lambda accent: accent.capitalize() if accent.isalpha() else accent)
    people["room"] = people.room.str.lower().replace("vr-romm", "vr-room")  # the same room, mistyped
    years = pd.to_numeric(people.age, errors="coerce")
    notes = []
    for column, good in (("age", years.between(1, 119)), ("gender", people.gender.isin(["female", "male"]))):
        for speaker, value in people[column][~good].items():
            notes.append(f"{META}: the {column} of speaker {speaker} cannot be {value!r}: left empty. Mend it there.")
        people[column] = people[column].where(good, "")
    return people, notes
