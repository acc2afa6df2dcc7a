"""Speech Commands v0.01 and v0.02 (Warden, arXiv 1804.03209): one word per clip, 16 kHz, official lists.

The speaker is the hash in the file name, `WORD/HASH_nohash_N.wav`; the official validation and test lists
share no speaker with the rest, which is the training part.
"""

import os
import re
from pathlib import Path

from ..errors import LabError
from .corpus import SYNTHETIC_MARKER, Corpus
from .headers import audio_files, scan, usable

NOISE = "_background_noise_"
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
_NAME = re.compile(r"(?P<label>[^/]+)/(?P<speaker>[0-9a-z]+)_nohash_(?P<repetition>\d+)\.wav")


def load(root):
    """Read a folder in the layout of Speech Commands.

    Parameters
    ----------
    root : Path
        Holds a folder per word, `validation_list.txt` and `testing_list.txt`. The lists may name absent files.

    Returns
    -------
    Corpus
        With the extra column `repetition`.

    Raises
    ------
    LabError
        If the folder is missing, holds no clips, or lacks a list.
    """
    root = Path(os.path.abspath(root))  # so that "." has a name, too
    files = audio_files(root)
    clips = [path for path in files if not path.startswith(NOISE)]
    named = [path for path in clips if _NAME.fullmatch(path)]
    if not named:
        raise LabError(
            f"{root} holds no clips named WORD/HASH_nohash_N.wav. Run `python -m labkit download speech_commands`, "
            "or point LABKIT_DATA to the folder that holds the folders of words."
        )
    notes = []
    if odd := sorted(set(clips) - set(named)):
        notes.append(f"{root.name}: {len(odd)} files left out (the name does not say who speaks), the first: {odd[0]}.")
    table, problems = usable(scan(root, named), root.name)
    if table.empty:
        raise LabError(f"No clip in {root} can be used. {' '.join((*notes, *problems))} Download the corpus again.")
    match = table.path.str.extract(_NAME)
    table = table.assign(**match.astype({"repetition": int}), split="train").drop(columns=["rate", "channels"])
    for part, name in (("validation", "validation_list.txt"), ("test", "testing_list.txt")):
        listed = _read_list(root / name)
        table.loc[table.path.isin(listed), "split"] = part
        if absent := len(listed) - (table.split == part).sum():
            notes.append(
                f"{root.name}: {name} names {absent} files that are not here; the {part} part is what is here."
            )
    return Corpus(
        name=root.name,
        root=root,
        sample_rate=16_000,
        labels=tuple(sorted(table.label.unique())),
        licence="see LICENSE in its folder" if (root / SYNTHETIC_MARKER).exists() else "CC BY 4.0",
        synthetic=(root / SYNTHETIC_MARKER).exists(),
        clips=table.reset_index(drop=True),
        noises=tuple(path for path in files if path.startswith(NOISE)),
        skipped=(*notes, *problems),
    )


def _read_list(path):
    if not path.exists():
        raise LabError(
            f"{path} is missing, so nobody knows which speakers are kept for testing. "
            "Copy the list from the official archive, or load the folder as your own: "
            'labkit.start(..., corpus="folder").'
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabError(
            f"{path} is not a text in UTF-8 ({error}). Copy the list from the official archive again."
        ) from error
    return {line.strip() for line in text.splitlines() if line.strip()}
