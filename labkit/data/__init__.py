"""Corpora: what was said, by whom, and where.

One registry serves every chapter. To add a corpus, write a module with `load(root) -> Corpus` and add a line here.
"""

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import LabError, choose
from ..files import home
from ..synthetic import MARKER
from ..synthetic.generate import make
from .corpus import Corpus, join, parts_by_speaker

__all__ = ["CORPORA", "Corpus", "find", "found", "join", "make_synthetic", "parts_by_speaker", "read"]


@dataclass(frozen=True)
class Entry:
    """Where a kind of corpus is found and how it is read."""

    name: str  # of a module of this package; it has load(root) -> Corpus
    real: tuple  # names of its folder below the data folder, the first one found being used
    download: str = ""  # name for `python -m labkit download`, empty if it cannot be downloaded
    maker: str = ""  # module of labkit.synthetic with the `SIZES` of its stand-in, empty if it has none

    def load(self, root):
        return import_module(f".{self.name}", __name__).load(root)

    def folders(self):
        """Names of all its folders below the data folder, real and synthetic."""
        made = f"synthetic_{self.name}"
        return (*self.real, made, f"{made}_full") if self.maker else self.real

    def synthesise(self, scale="lab"):
        """Make the stand-in unless it is there already; its folder."""
        sizes = import_module(f"..synthetic.{self.maker}", __name__).SIZES
        folder = data_folder() / self.folders()[-2 if scale == "lab" else -1]
        return make(folder, choose(scale, sizes, "size of the synthetic corpus"))


WORDS = ("speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02", "speech_commands")
CORPORA = {
    "speech_commands": Entry("speech_commands", WORDS, "speech_commands", maker="words"),
    "common_voice": Entry("common_voice", ("common_voice_es", "common_voice"), "common_voice_es", maker="spanish"),
    "fsdd": Entry("fsdd", ("fsdd", "free-spoken-digit-dataset"), "fsdd"),
    "audiomnist": Entry("audiomnist", ("audiomnist", "AudioMNIST"), "audiomnist", maker="digits"),
    "folder": Entry("folder", ("recordings",)),
}


def data_folder():
    """The folder that holds corpora: `data/` of the lab, or LABKIT_DATA where that is a folder."""
    asked = os.environ.get("LABKIT_DATA", "")
    return Path(asked) if asked not in ("", "auto", "real", "synthetic") else home() / "data"


def find(name="speech_commands", data="auto", scale="lab"):
    """Open a corpus, a key of `CORPORA`; `scale` is the size of the synthetic one, "lab" or "full".

    `data` is "auto" (the real one where it is present, else the synthetic one), "real", "synthetic", or a folder: the
    corpus itself or one that holds it.
    """
    entry, kept = choose(name, CORPORA, "corpus"), data_folder()
    if data not in ("auto", "real", "synthetic"):
        folder = Path(data) if Path(data).exists() else kept / data  # "recordings" means data/recordings
        inside = next((folder / name for name in entry.real if (folder / name).is_dir()), folder)
        known = {place for each in CORPORA.values() for place in each.folders()}
        holds = folder.absolute() == kept.absolute() and any((folder / place).is_dir() for place in known)
        if inside != folder or not holds:
            return entry.load(inside)
        data = "auto"  # the data folder itself, with synthetic or other corpora only
    real = [place for name in entry.real if (place := kept / name).is_dir() and not (place / MARKER).exists()]
    if data != "synthetic" and real:
        return entry.load(real[0])
    if data == "real" or not entry.maker:
        get = f"run `python -m labkit download {entry.download}`" if entry.download else "put your recordings there"
        raise LabError(f"{entry.real[0]} is not in {kept}: {get}, or set LABKIT_DATA to its folder.")
    return entry.load(entry.synthesise(scale))


def read(folder):
    """Open the corpus in a folder, of whatever kind it is: as the first of `CORPORA` that finds clips there."""
    problems = []
    for name, entry in CORPORA.items():
        try:
            return entry.load(Path(folder))
        except LabError as error:
            problems.append(f"As {name}: {error}")
    raise LabError(f"{folder} holds no corpus that the lab reads. {' '.join(problems)}")


def make_synthetic():
    """Make every synthetic corpus that is not there yet."""
    for entry in CORPORA.values():
        if entry.maker:
            entry.synthesise()


def found():
    """Names of the corpora that are present, each with its folder."""
    places = [(name, place) for name, entry in CORPORA.items() for place in entry.folders()]
    return [f"{name} ({place})" for name, place in places if (data_folder() / place).is_dir()]
