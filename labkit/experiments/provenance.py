"""Where a result comes from, as records say it: corpus, machine, date, command, versions."""

import platform
import sys
import time
from pathlib import Path

import torch

from ..data.corpus import PARTS
from ..device import device_name


def about(corpus):
    """What a record says of a corpus."""
    return {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "synthetic": corpus.synthetic,
        "licence": corpus.licence,
    }


def parts(corpus):
    """What a record says of a corpus that was split: how many of what are in each part, and who trains."""
    return {
        "corpus": about(corpus),
        "protocol": corpus.protocol,
        "clips": {part: len(corpus.part(part)) for part in PARTS},
        "speakers": {part: corpus.part(part).speaker.nunique() for part in PARTS},
        "labels": list(corpus.labels),
        "majority": corpus.part("train").label.mode()[0],
        "training_speakers": sorted(corpus.part("train").speaker.unique()),
    }


def origin(device):
    """What a record says of how it was made."""
    return {
        "device": device_name(device),
        "date": time.strftime("%Y-%m-%d"),
        "command": command(sys.argv),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def command(words):
    """The command that made a record, with folders by their names: where they lie concerns nobody else."""
    if not words or Path(words[0]).name != "__main__.py":
        return "labkit.train"
    words = [Path(word).name if Path(word).is_absolute() else word for word in words[1:]]
    return " ".join(["python -m labkit", *words])
