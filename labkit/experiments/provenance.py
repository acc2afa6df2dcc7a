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
    return {key: getattr(corpus, key) for key in ("name", "fingerprint", "synthetic", "licence")}


def parts(corpus):
    """What a record says of a corpus that was split: how many of what are in each part, and who trains."""
    train = corpus.part("train")
    return {
        "corpus": about(corpus),
        "protocol": corpus.protocol,
        "clips": {part: len(corpus.part(part)) for part in PARTS},
        "speakers": {part: corpus.part(part).speaker.nunique() for part in PARTS},
        "labels": list(corpus.labels),
        "majority": train.label.mode()[0],
        "training_speakers": sorted(train.speaker.unique()),
    }


def origin(device):
    """What a record says of how it was made. Folders are named without where they lie: that concerns nobody else."""
    program, *words = sys.argv or [""]
    words = ["python -m labkit", *(Path(word).name if Path(word).is_absolute() else word for word in words)]
    return {
        "device": device_name(device),
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(words) if Path(program).name == "__main__.py" else "labkit.train",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
