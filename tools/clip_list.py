"""List the clips of a cut of Speech Commands, so that `python -m labkit download` can cut it out of the whole again.

    python -m tools.clip_list FOLDER

The folder has the publisher's layout and the name of the cut. The list is labkit/data/lists/NAME.csv.xz. The same
folder gives the same list; `xzdiff` shows what differs between two. A new cut also needs its entry in `DOWNLOADS`
(labkit/data/download.py).
"""

import argparse
import hashlib
from pathlib import Path

import pandas as pd

from labkit.data.audio import decode
from labkit.data.layout import LISTS
from labkit.data.speech_commands import SAMPLE_RATE, load
from labkit.errors import LabError
from labkit.files import write_text


def official(speaker):
    """The part that the publisher gives a speaker: by a hash of the name, a tenth validates and a tenth tests.

    The rule is in the corpus's README.md (Warden, arXiv 1804.03209).
    """
    place = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 2**27 / (2**27 - 1)
    return "validation" if place < 0.1 else "test" if place < 0.2 else "train"


def about(corpus):
    """The first lines of a list: what the cut is, and whose parts it has."""
    lines = [f"{corpus.name}: {len(corpus):,} clips of Speech Commands v0.02 (CC BY 4.0, arXiv 1804.03209)."]
    theirs = corpus.clips.speaker.map(official)
    if (theirs == corpus.clips.split).all():
        lines.append("Its parts are the publisher's.")
    else:
        held = " and ".join(f"{part} {count:,}" for part, count in theirs.value_counts().items())
        lines.append(f"Its parts are the lab's own: by the publisher's rule its clips are {held}.")
        lines.append("Never train on it, or choose with it, and test on a corpus that has the publisher's parts.")
    lines.append("samples: length at 16 kHz, zeros at the end included; sound: start of the SHA-256 of these samples.")
    return "".join(f"# {line}\n" for line in lines)


def clip_list(folder):
    """The text of the list of the cut in a folder."""
    corpus = load(folder)
    parts = dict.fromkeys(corpus.noises, "noise") | dict(zip(corpus.clips.path, corpus.clips.split, strict=True))
    rows = []
    for path, (samples, adapted, problem, sound) in zip(parts, decode(corpus.root, parts, SAMPLE_RATE), strict=True):
        if problem or "silent, and kept" not in adapted and adapted:
            raise LabError(f"{corpus.root / path}: {problem or adapted[0]}. A list names sound files of 16 kHz only.")
        rows.append((path, parts[path], len(samples), sound))
    table = pd.DataFrame(rows, columns=["path", "part", "samples", "sound"]).sort_values("path")
    return about(corpus) + table.to_csv(index=False, lineterminator="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the cut, in the publisher's layout")
    folder = parser.parse_args().folder
    path = LISTS / f"{folder.resolve().name}.csv.xz"
    text = clip_list(folder)
    write_text(path, text)
    print(f"{path}: {text.count('.wav,'):,} files, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
