"""Trained networks that come with the lab: run folders with weights and a card for people, results/pretrained/NAME/."""

from pathlib import Path

import torch

from ..errors import LabError, choose
from ..files import home
from ..training.tensors import read_tensors
from .experiment import SCHEMA
from .run import Run, read_record


def load(name, device="cpu", place=None):
    """The run of a network that comes with the lab, or of a folder; a damaged or outdated file is refused here."""
    files = sorted(Path(place or home() / "results" / "pretrained").glob("*/weights.safetensors"))
    named = {path.parent.name: path.parent for path in files}
    folder = Path(name) if (Path(name) / "run.json").exists() else choose(name, named, "pretrained network")
    mend = f"Fetch it again: git checkout -- results/pretrained/{name}."
    record = read_record(folder, mend)
    read_tensors(folder / "weights.safetensors", mend)
    try:
        run = Run(folder, record, device=torch.device(device))
        if record["schema"] != SCHEMA:
            raise LabError(f"schema {record['schema']}, not {SCHEMA}")
        run.network  # noqa: B018 (read now, not in the middle of a stream)
    except (LabError, KeyError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"{folder} does not fit this version of the lab ({reason}). Update it: git pull.") from error
    return run
