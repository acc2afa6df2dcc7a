"""Corpora: what was said, by whom, and where.

One registry serves every chapter. To add a corpus, write a module with `load(root) -> Corpus` and add a line here.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import LabError, choose
from ..files import home
from .corpus import SYNTHETIC_MARKER, Corpus, parts_by_speaker
from .extra_voices import join

__all__ = ["CORPORA", "Corpus", "find", "found", "join", "make_synthetic", "parts_by_speaker", "read"]


@dataclass(frozen=True)
class Entry:
    """Where a kind of corpus is found and how it is read.

    Parameters
    ----------
    module : str
        Module of this package that has `load(root) -> Corpus`.
    folders : tuple of str
        Names of its real folder, below the data folder, the first one found being used.
    download : str
        Name for `python -m labkit download`, empty if it cannot be downloaded.
    synthetic : str
        Function that makes a stand-in, empty if there is none.
    maker : str
        Module of `labkit.synthetic` that has that function.
    """

    module: str
    folders: tuple
    download: str = ""
    synthetic: str = ""
    maker: str = "words"

    @property
    def load(self) -> Callable:
        return import_module(f".{self.module}", __name__).load


CORPORA = {
    "speech_commands": Entry(
        "speech_commands",
        ("speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02", "speech_commands"),
        download="speech_commands",
        synthetic="speech_commands",
    ),
    "common_voice": Entry(
        "common_voice",
        ("common_voice_es", "common_voice"),
        download="common_voice_es",
        synthetic="common_voice",
        maker="spanish",
    ),
    "fsdd": Entry("fsdd", ("fsdd", "free-spoken-digit-dataset"), download="fsdd"),
    "audiomnist": Entry(
        "audiomnist",
        ("audiomnist", "AudioMNIST"),
        download="audiomnist",
        synthetic="audiomnist",
        maker="digits",
    ),
    "folder": Entry("folder", ("recordings",)),
}


def data_folder():
    """The folder that holds corpora: `data/` of the lab, or LABKIT_DATA where that is a folder."""
    asked = os.environ.get("LABKIT_DATA", "")
    return Path(asked) if asked not in ("", "auto", "real", "synthetic") else home() / "data"


def find(name="speech_commands", data="auto", scale="lab"):
    """Open a corpus, real or synthetic.

    Parameters
    ----------
    name : str
        A key of `CORPORA`.
    data : str or Path
        "auto" (the real one where it is present, else the synthetic one), "real", "synthetic", or a folder: either
        the corpus itself or one that holds it.
    scale : {"lab", "full"}
        Size of the synthetic one.

    Returns
    -------
    Corpus
    """
    entry = choose(name, CORPORA, "corpus")
    if data not in ("auto", "real", "synthetic"):
        folder = Path(data)
        if not folder.exists() and (data_folder() / folder).exists():  # "recordings" means data/recordings
            folder = data_folder() / folder
        inside = _inside(folder, entry)
        if inside != folder or not _is_data_folder(folder, entry):
            return entry.load(inside)
        data = "auto"
    places = [data_folder() / folder for folder in entry.folders]
    real = next((place for place in places if place.is_dir() and not (place / SYNTHETIC_MARKER).exists()), None)
    if data != "synthetic" and real is not None:
        return entry.load(real)
    if data == "real" or not entry.synthetic:
        get = f"run `python -m labkit download {entry.download}`" if entry.download else "put your recordings there"
        raise LabError(f"{entry.folders[0]} is not in {data_folder()}: {get}, or set LABKIT_DATA to its folder.")
    return entry.load(_synthesise(entry, scale))


def read(folder):
    """Open the corpus in a folder, of whatever kind it is: as the first of `CORPORA` that finds clips there."""
    problems = []
    for name, entry in CORPORA.items():
        try:
            return entry.load(Path(folder))
        except LabError as error:
            problems.append(f"As {name}: {error}")
    raise LabError(f"{folder} holds no corpus that the lab reads. " + " ".join(problems))


def _inside(folder, entry):
    """The folder itself, or the corpus' folder inside it."""
    return next((folder / name for name in entry.folders if (folder / name).is_dir()), folder)


def _is_data_folder(folder, entry):
    """Whether a folder is where corpora are kept and holds only a synthetic one of this kind."""
    if folder.absolute() != data_folder().absolute() or (folder / SYNTHETIC_MARKER).exists():
        return False
    return bool(entry.synthetic) and any(folder.glob(f"synthetic_{entry.synthetic}*/{SYNTHETIC_MARKER}"))


def _synthesise(entry, scale):
    make = getattr(import_module(f"..synthetic.{entry.maker}", __name__), entry.synthetic)
    folder = data_folder() / f"synthetic_{entry.synthetic}{'' if scale == 'lab' else f'_{scale}'}"
    return make(folder, scale)  # which leaves a complete one as it is


def make_synthetic(scale="lab"):
    """Make every synthetic corpus that is not there yet; return their folders."""
    return [_synthesise(entry, scale) for entry in CORPORA.values() if entry.synthetic]


def found(folder=None):
    """Names of the corpora present below `folder`, each with the folder it was found in."""
    folder = Path(folder or data_folder())
    names = []
    for name, entry in CORPORA.items():
        made = [f"synthetic_{entry.synthetic}", f"synthetic_{entry.synthetic}_full"] if entry.synthetic else []
        names += [f"{name} ({place})" for place in (*entry.folders, *made) if (folder / place).is_dir()]
    return names
