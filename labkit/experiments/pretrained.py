"""Trained networks that come with the lab: run folders with weights and a card for people, results/shipped/NAME/."""

from pathlib import Path

import torch

from ..errors import LabError, choose
from ..files import home
from ..training.tensors import read_tensors
from .experiment import SCHEMA
from .run import Run, read_record

WEIGHTS = "weights.safetensors"


def names(place=None):
    """Names of the networks that come with the lab."""
    return sorted(path.parent.name for path in _folder(place).glob(f"*/{WEIGHTS}"))


def load(name, device="cpu", place=None):
    """The run of a network that comes with the lab; a damaged file, or one of another version, is refused here.

    Parameters
    ----------
    name : str
    device : str or torch.device
    place : Path, optional
        By default `results/shipped`.

    Returns
    -------
    Run
    """
    folder = choose(name, {each: _folder(place) / each for each in names(place)}, "shipped network")
    mend = f"Fetch it again: git checkout -- results/shipped/{name}."
    record = read_record(folder, mend)
    read_tensors(folder / WEIGHTS, mend)
    run = Run(folder, record, device=torch.device(device))
    try:
        if record["schema"] != SCHEMA:
            raise LabError(f"schema {record['schema']}, not {SCHEMA}")
        run.network  # noqa: B018 (read now, not in the middle of a stream)
    except (LabError, KeyError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"{folder} does not fit this version of the lab ({reason}). Update it: git pull.") from error
    return run


def _folder(place):
    return Path(place or home() / "results" / "shipped")
