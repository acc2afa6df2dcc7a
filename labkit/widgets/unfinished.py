"""Trainings that a panel began and that did not come to their end: what a restarted kernel has to know of them."""

import json
from pathlib import Path

from filelock import Timeout

from ..errors import LabError
from ..experiments import run as runs
from ..experiments.experiment import Experiment
from ..files import read_json, write_json
from ..training.tensors import read_tensors

BEGUN = "begun.json"  # in the run's folder, beside the checkpoint, which does not say what it is of


def begin(experiment, corpus, results):
    """Remember that a training begins; a later kernel can then offer to go on with it."""
    folder = runs.place(experiment, corpus, results)[2]
    if not (folder / "run.json").exists():
        write_json(folder / BEGUN, experiment.to_dict())


def end(experiment, corpus, results):
    """Forget it, if the run is complete."""
    folder = runs.place(experiment, corpus, results)[2]
    if (folder / "run.json").exists():
        (folder / BEGUN).unlink(missing_ok=True)


def latest(base, corpus, results):
    """The latest interrupted training of the task of `base` (its corpus, target and split).

    Returns
    -------
    tuple of (Experiment, int) or None
        With the number of epochs that are kept. What another kernel or panel is training now is not interrupted.
    """
    corpus, _, folder = runs.place(base, corpus, results)
    folder = folder.parent
    begun = sorted(folder.glob(f"*/{BEGUN}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in begun:
        try:
            experiment = Experiment.from_dict(read_json(path))
            if (base.corpus, base.target, base.split) != (experiment.corpus, experiment.target, experiment.split):
                continue
            run_id = experiment.id(corpus.fingerprint)
            same = path.parent.name.endswith(run_id)  # of this very corpus, not of one that was here before
            if same and not (path.parent / "run.json").exists() and not _under_way(run_id, results):
                return experiment, _epochs(path.parent / "checkpoint.safetensors")
        except LabError:  # of a model that this kernel lacks, or damaged: nothing that this panel could go on with
            continue
    return None


def _epochs(checkpoint):
    if not checkpoint.exists():
        return 0
    _, about = read_tensors(checkpoint, "Delete it, and training starts from the first epoch.")
    return len(json.loads(about["about"])["history"])


def _under_way(run_id, results):
    lock = runs.lock_of(run_id, results)
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
