"""Speech Commands v0.01 and v0.02 (Warden, arXiv 1804.03209): one word per clip, 16 kHz, official lists.

The speaker is the hash in the file name, `WORD/HASH_nohash_N.wav`; the official validation and test lists
share no speaker with the rest, which is the training part.
"""

import os
import re
from pathlib import Path

from .layout import make_corpus, read_layout, read_text

LAYOUT = "WORD/HASH_nohash_N.wav"
PATTERN = re.compile(r"(?P<label>[^/]+)/(?P<speaker>[0-9a-z]+)_nohash_(?P<repetition>\d+)\.wav")
GET = "Run `python -m labkit download speech_commands`, or point LABKIT_DATA to the folder with the folders of words."
COPY = 'It says which speakers test. Copy the list from the official archive, or start the lab with corpus="folder".'


def load(root):
    """The corpus in a folder that holds a folder per word, `validation_list.txt` and `testing_list.txt`."""
    root = Path(os.path.abspath(root))  # so that "." has a name, too
    clips, notes = read_layout(root, PATTERN, LAYOUT, root.name, GET)
    clips["split"] = "train"
    for part, name in (("validation", "validation_list.txt"), ("test", "testing_list.txt")):
        listed = {line.strip() for line in read_text(root / name, COPY).splitlines()} - {""}
        clips.loc[clips.path.isin(listed), "split"] = part
        if absent := len(listed) - (clips.split == part).sum():
            rest = f"the {part} part is what is here"
            notes.append(f"{root.name}: {name} names {absent} files that are not here; {rest}.")
    return make_corpus(root, clips, notes, sample_rate=16_000, licence="CC BY 4.0")
