"""Speech Commands v0.01 and v0.02 (Warden, arXiv 1804.03209): one word per clip, 16 kHz, official lists.

The speaker is the hash in the file name, `WORD/HASH_nohash_N.wav`; the official validation and test lists
share no speaker with the rest, which is the training part. The lab's records were made with parts of v0.02, its cuts.
"""

import hashlib
import os
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ..errors import LabError
from ..files import atomic_folder, digest, need_disk, read_table, write_text
from .audio import bars, decode, wav_bytes
from .corpus import OWN
from .layout import LISTS, counted, make_corpus, read_layout, read_text

LAYOUT = "WORD/HASH_nohash_N.wav"
PATTERN = re.compile(r"(?P<label>[^/]+)/(?P<speaker>[0-9a-z]+)_nohash_(?P<repetition>\d+)\.wav")
SAMPLE_RATE = 16_000
PART_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
GET = "Run `python -m labkit download speech_commands`, or point LABKIT_DATA to the folder with the folders of words."
COPY = 'It says which speakers test. Copy the list from the official archive, or start the lab with corpus="folder".'


def load(root):
    """The corpus in a folder that holds a folder per word, `validation_list.txt` and `testing_list.txt`."""
    root = Path(os.path.abspath(root))  # so that "." has a name, too
    clips, notes = read_layout(root, PATTERN, LAYOUT, root.name, GET)
    clips["split"] = "train"
    for part, name in PART_LISTS.items():
        listed = {line.strip() for line in read_text(root / name, COPY).splitlines()} - {""}
        clips.loc[clips.path.isin(listed), "split"] = part
        if absent := len(listed) - (clips.split == part).sum():
            rest = f"the {part} part is what is here"
            notes.append(f"{root.name}: {name} names {absent} files that are not here; {rest}.")
    parts = {speaker: published_part(speaker) for speaker in clips.speaker.unique()}
    protocol = "official" if (clips.speaker.map(parts) == clips.split).all() else OWN
    return make_corpus(root, clips, notes, sample_rate=SAMPLE_RATE, licence="CC BY 4.0", protocol=protocol)


@cache  # many records name the same speakers
def published_part(speaker):
    """The part of a speaker by the publisher's rule (Warden, sec. 4): of the SHA-1 of the name, ten percent each."""
    percent = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 2**27 * 100 / (2**27 - 1)
    return "validation" if percent < 10 else "test" if percent < 20 else "train"


def protocol_of(record):
    """The protocol of a run record. The first edition called all lists official; its training speakers tell."""
    hashes = re.findall("^[0-9a-f]{8}$", "\n".join(record["training_speakers"]), re.MULTILINE)
    own = record["corpus"]["synthetic"] or {*map(published_part, hashes)} - {"train"}
    return OWN if record["protocol"] == "official" and own else record["protocol"]


def read_cut(name):
    """The list of a cut: path, part (or "noise"), samples, and sound, the hash that the waveform store keeps, too."""
    path = LISTS / f"{name}.csv.xz"
    return read_table(path, f"Restore it: `git checkout {path}`.", comment="#", dtype={"sound": str})


def cut(name, source, folder):
    """Write a cut into `folder`, out of the whole corpus in `source`; LabError if a clip is missing or differs.

    Each clip is filled up with zeros to the length in the list (the lab met some clips in that form), compared by its
    samples, and written with a plain header. So the corpus fingerprint, which counts bytes, is that of the records,
    whatever the publisher's headers hold. (Hard links would keep those headers. They would also change the times of the
    publisher's files, and every waveform store that holds one would be built again.)
    """
    clips = read_cut(name)
    need_disk(folder, 2 * clips.samples.sum(), name)
    missing, different = [], []
    with atomic_folder(folder) as temporary:
        bar = tqdm(clips.itertuples(), f"cutting {name}", len(clips), unit="clip", leave=False, disable=not bars())
        for clip, (found, _, problem, _) in zip(bar, decode(source, clips.path, SAMPLE_RATE), strict=True):
            samples = np.pad(found, (0, max(0, clip.samples - len(found))))
            if not (source / clip.path).exists():
                missing.append(clip.path)
            elif problem or digest(samples.tobytes(), 8) != clip.sound:
                different.append(clip.path)
            place = temporary / clip.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(wav_bytes(samples, SAMPLE_RATE))
        if missing or different:
            wrong = counted(missing, "files are missing") + counted(different, "files hold another sound")
            mend = f"Move that folder away and run `python -m labkit download {name}`: it fetches the corpus again."
            raise LabError(f"{name} cannot be cut out of {source}. {' '.join(wrong)} Nothing was written. {mend}")
        for part, file in PART_LISTS.items():
            write_text(temporary / file, "".join(f"{path}\n" for path in clips.path[clips.part == part]))
        for about in ("LICENSE", "README.md"):
            if (source / about).exists():
                shutil.copyfile(source / about, temporary / about)
