"""Training beside the kernel: the panel's end of `python -m labkit train -`, and what was interrupted.

The process shares nothing with the kernel but the run folder, whose locks are made for that, so other cells can be run
meanwhile and change no number. It ends when the pipe to it closes, that is with the kernel, however that ends.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import fields

import numpy as np
import pandas as pd

from ..errors import LabError
from ..experiments import run as runs
from ..experiments.experiment import Experiment
from ..files import alone, read_json
from ..models import MODELS
from ..training.tensors import read_tensors

COMMAND = (sys.executable, "-m", "labkit", "train", "-")
ENDED = (
    "The process that trained has ended (killed, or out of memory). The epochs that were finished are kept: press "
    "Resume to go on."
)
_waiting = []  # a process without a job, at most one: the next training need not wait seconds for torch


class Process:
    """A process that trains."""

    def __init__(self):
        path = os.pathsep.join(filter(None, sys.path))  # a student's module is found there as here
        environment = {**os.environ, "PYTHONPATH": path, "LABKIT_BARS": "off"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        self.popen, self._sending = subprocess.Popen(COMMAND, env=environment, **pipes), threading.Lock()

    def send(self, message):
        with self._sending, contextlib.suppress(OSError, ValueError):  # it has ended: `follow` says so
            print(json.dumps(message, default=_as_json), file=self.popen.stdin, flush=True)

    def follow(self, watch):
        """Pass on what the process tells until its job is over; returns how: "done", "stopped" or "foreign"."""
        try:
            for line in self.popen.stdout:
                ((kind, value),) = json.loads(line).items()
                if kind == "batch":
                    watch.batch(*value)
                elif kind in ("epoch", "note"):
                    getattr(watch, kind)(value)
                else:
                    release(self)
                    break
            else:
                raise LabError(ENDED)
        except BaseException:
            self.popen.kill()  # nobody listens to it any more
            raise
        if kind == "error":
            raise LabError(value)
        return kind


def take():
    """The process that waits, or a new one."""
    process = _waiting.pop() if _waiting else Process()
    return process if process.popen.poll() is None else Process()


def release(process):
    """Keep a process for the next job; end it where one waits already."""
    if _waiting:
        process.popen.stdin.close()
    else:
        _waiting.append(process)


def end_waiting():
    """End the process that waits, so that its memory is free for something else."""
    while _waiting:
        with _waiting.pop().popen as popen:  # closes its pipes, upon which it ends, and waits for that
            popen.stdin.close()


def begin(experiment, corpus, results, device):
    """A process that trains this experiment from now on; None if the run exists."""
    _, run_id, folder = runs.place(experiment, corpus, results)
    if (folder / "run.json").exists():
        return None
    process = take()
    process.send(
        {
            "corpus": {field.name: getattr(corpus, field.name) for field in fields(corpus)},
            "experiment": experiment.to_dict(),
            "id": run_id,
            "module": MODELS[experiment.model.name].__module__,
            "results": results,
            "device": device,
        }
    )
    return process


def _as_json(value):
    """What JSON has no word for, as the process reads it."""
    if isinstance(value, pd.DataFrame):
        return value.to_dict("list")
    return value.item() if isinstance(value, np.generic) else str(value)


def interrupted(base, corpus, results):
    """The latest interrupted training of the task of `base` (its corpus, target and split): (Experiment, epochs kept).

    None if there is none. What another kernel or panel is training now is not interrupted.
    """
    corpus, _, folder = runs.place(base, corpus, results)
    begun = sorted(folder.parent.glob("*/experiment.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in begun:
        if (path.parent / "run.json").exists():
            continue
        try:
            experiment = Experiment.from_dict(read_json(path))
            run_id = experiment.id(corpus.fingerprint)
            task = (experiment.corpus, experiment.target, experiment.split) == (base.corpus, base.target, base.split)
            if task and path.parent.name.endswith(run_id):  # of this very corpus, not of one that was here before
                with alone(results / ".locks" / f"{run_id}.lock", refusal="It is under way."):
                    checkpoint = path.parent / "checkpoint.safetensors"
                    about = read_tensors(checkpoint, mend="")[1]["about"] if checkpoint.exists() else '{"history": []}'
                    return experiment, len(json.loads(about)["history"])
        except LabError:  # under way, of a model that this kernel lacks, or damaged: nothing to go on with
            continue
    return None
