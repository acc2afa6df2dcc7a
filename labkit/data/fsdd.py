"""The Free Spoken Digit Dataset (Zohar Jackson and contributors): ten digits, six voices, 8 kHz, 50 times each.

A file is called `recordings/DIGIT_NAME_R.wav`. FSDD's own advice is to test on the repetitions 0 to 4 and to train on
the others. That tests six voices on themselves, and fifty repetitions by one voice are nearly copies: the lab calls
such a split leaky (`by_clip_leaky`) and uses `leave_one_speaker_out`, six times.
"""

import os
import re
from pathlib import Path

from ..errors import LabError
from .corpus import SYNTHETIC_MARKER, Corpus
from .headers import audio_files, scan, usable

DIGITS = tuple("0123456789")
FOLDER = "recordings"
_NAME = re.compile(FOLDER + r"/(?P<label>[0-9])_(?P<speaker>[^_/]+)_(?P<repetition>\d+)\.wav")


def load(root):
    """Read a folder in the layout of FSDD.

    Parameters
    ----------
    root : Path
        Holds `recordings/DIGIT_NAME_R.wav`.

    Returns
    -------
    Corpus
        With the extra column `repetition`. Of its speakers in order, the first is tested, the second validates and
        the others train, until a split says otherwise; with fewer than three speakers all clips train.

    Raises
    ------
    LabError
        If the folder is missing or holds no clip of this kind.
    """
    root = Path(os.path.abspath(root))
    files = audio_files(root)
    named = [path for path in files if _NAME.fullmatch(path)]
    if not named:
        raise LabError(
            f"{root} holds no clips named {FOLDER}/DIGIT_NAME_R.wav, such as {FOLDER}/7_ana_0.wav. "
            "Run `python -m labkit download fsdd`, or point LABKIT_DATA to the folder that holds `recordings`."
        )
    notes = []
    if odd := sorted(set(files) - set(named)):
        notes.append(
            f"{root.name}: {len(odd)} files left out (the name is not {FOLDER}/DIGIT_NAME_R.wav), the first: {odd[0]}."
        )
    table, problems = usable(scan(root, named), root.name)
    if table.empty:
        raise LabError(f"No clip in {root} can be used. {' '.join((*notes, *problems))} Download the corpus again.")
    table = table.assign(**table.path.str.extract(_NAME).astype({"repetition": int}))
    names = sorted(table.speaker.unique())
    parts = {names[0]: "test", names[1]: "validation"} if len(names) > 2 else {}
    return Corpus(
        name=root.name,
        root=root,
        sample_rate=8_000,
        labels=tuple(digit for digit in DIGITS if digit in set(table.label)),
        licence="CC BY-SA 4.0",
        synthetic=(root / SYNTHETIC_MARKER).exists(),
        clips=table.assign(split=table.speaker.map(lambda name: parts.get(name, "train")))
        .drop(columns=["rate", "channels"])
        .reset_index(drop=True),
        skipped=(*notes, *problems),
        protocol="leave_one_speaker_out",
    )
