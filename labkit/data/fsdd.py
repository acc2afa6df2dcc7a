"""The Free Spoken Digit Dataset (Zohar Jackson and contributors): ten digits, six voices, 8 kHz, 50 times each.

FSDD's own advice is to test on the repetitions 0 to 4 and to train on the others. That tests six voices on themselves,
and fifty repetitions by one voice are nearly copies: the lab calls such a split leaky, and leaves one speaker out.
"""

import os
import re
from pathlib import Path

from .layout import make_corpus, read_layout

LAYOUT = "recordings/DIGIT_NAME_R.wav"
PATTERN = re.compile(r"recordings/(?P<label>[0-9])_(?P<speaker>[^_/]+)_(?P<repetition>\d+)\.wav")
GET = "Run `python -m labkit download fsdd`, or point LABKIT_DATA to the folder that holds `recordings`."


def load(root):
    """The corpus in a folder that holds `recordings`; its first speaker is tested, if there are at least three."""
    root = Path(os.path.abspath(root))
    clips, notes = read_layout(root, PATTERN, LAYOUT, root.name, GET)
    names = sorted(clips.speaker.unique())
    parts = {names[0]: "test", names[1]: "validation"} if len(names) > 2 else {}
    clips["split"] = [parts.get(name, "train") for name in clips.speaker]
    return make_corpus(root, clips, notes, sample_rate=8_000, licence="CC BY-SA 4.0", protocol="leave_one_speaker_out")
