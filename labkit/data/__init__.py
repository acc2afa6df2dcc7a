"""Corpora: what was said, by whom, and where.

One registry serves every chapter. To add a corpus, write a module with `load(root) -> Corpus` and add a line here.
"""

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import LabError, choose
from ..files import home
from ..synthetic.generate import make
from .corpus import SYNTHETIC_MARKER, Corpus, parts_by_speaker
from .extra_voices import join

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

    def made(self, scale="lab"):
        """Name of the stand-in's folder below the data folder."""
        return f"synthetic_{self.name}" if scale == "lab" else f"synthetic_{self.name}_{scale}"

    def folders(self):
        """Names of all its folders, real and synthetic."""
        return (*self.real, *((self.made(), self.made("full")) if self.maker else ()))

    def synthesise(self, scale="lab"):
        """Make the stand-in unless it is there already; its folder."""
        sizes = import_module(f"..synthetic.{self.maker}", __name__).SIZES
        return make(data_folder() / self.made(scale), choose(scale, sizes, "size of the synthetic corpus"))


WORDS = ("speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02", "speech_commands")
ENTRIES = (
    Entry("speech_commands", WORDS, "speech_commands", maker="words"),
    Entry("common_voice", ("common_voice_es", "common_voice"), "common_voice_es", maker="spanish"),
    Entry("fsdd", ("fsdd", "free-spoken-digit-dataset"), "fsdd"),
    Entry("audiomnist", ("audiomnist", "AudioMNIST"), "audiomnist", maker="digits"),
    Entry("folder", ("recordings",)),
)
CORPORA = {entry.name: entry for entry in ENTRIES}


def data_folder():
    """The folder that holds corpora: `data/` of the lab, or LABKIT_DATA where that is a folder."""
    asked = os.environ.get("LABKIT_DATA", "")
    return Path(asked) if asked not in ("", "auto", "real", "synthetic") else home() / "data"


def find(name="speech_commands", data="auto", scale="lab"):
    """Open a corpus, a key of `CORPORA`; `scale` is the size of the synthetic one, "lab" or "full".

    `data` is "auto" (the real one where it is present, else the synthetic one), "real", "synthetic", or a folder: the
    corpus itself or one that holds it.
    """
    entry = choose(name, CORPORA, "corpus")
    if data not in ("auto", "real", "synthetic"):
        folder = Path(data)
        if not folder.exists() and (data_folder() / folder).exists():  # "recordings" means data/recordings
            folder = data_folder() / folder
        inside = next((folder / name for name in entry.real if (folder / name).is_dir()), folder)
        shared = folder.absolute() == data_folder().absolute() and not (folder / SYNTHETIC_MARKER).exists()
        made = any((folder / name / SYNTHETIC_MARKER).exists() for name in entry.folders())
        if inside != folder or not (shared and made):  # else where corpora are kept, with a synthetic one of this kind
            return entry.load(inside)
        data = "auto"
    places = [data_folder() / folder for folder in entry.real]
    real = next((place for place in places if place.is_dir() and not (place / SYNTHETIC_MARKER).exists()), None)
    if data != "synthetic" and real is not None:
        return entry.load(real)
    if data == "real" or not entry.maker:
        get = f"run `python -m labkit download {entry.download}`" if entry.download else "put your recordings there"
        raise LabError(f"{entry.real[0]} is not in {data_folder()}: {get}, or set LABKIT_DATA to its folder.")
    return entry.load(entry.synthesise(scale))


def read(folder):
    """Open the corpus in a folder, of whatever kind it is: as the first of `CORPORA` that finds clips there."""
    problems = []
    for name, entry in CORPORA.items():
        try:
            return entry.load(Path(folder))
        except LabError as error:
            problems.append(f"As {name}: {error}")
    raise LabError(f"{folder} holds no corpus that the lab reads. " + " ".join(problems))


def make_synthetic(scale="lab"):
    """Make every synthetic corpus that is not there yet; return their folders."""
    return [entry.synthesise(scale) for entry in CORPORA.values() if entry.maker]


def found(folder=None):
    """Names of the corpora present below `folder`, each with the folder it was found in."""
    folder = Path(folder or data_folder())
    places = [(name, place) for name, entry in CORPORA.items() for place in entry.folders()]
    return [f"{name} ({place})" for name, place in places if (folder / place).is_dir()]
