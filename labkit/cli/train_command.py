"""`python -m labkit train FILE`: train one experiment; with `-` as the file, those that come in on standard input.

The panel that trains starts the second kind: torch draws dropout from one generator per process, so that a training in
the kernel would depend on the cells that are run meanwhile. Messages are lines of JSON. In: jobs, and {"stop": null}.
Out: {"batch": [epoch, done, total]}, {"epoch": the history so far}, {"note": a sentence}, and how a job ended: "done",
"stopped", "error" (with a sentence), or "foreign" (this process cannot build exactly that model).
"""

import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

from ..errors import LabError, LabWarning
from ..files import home, read_json

OFTEN = 0.1  # seconds between two messages about batches


def add_arguments(parser):
    parser.add_argument("experiment", metavar="FILE", help="JSON file as of Experiment.to_dict(), or -: standard input")
    data = os.environ.get("LABKIT_DATA") or "auto"
    parser.add_argument("--data", default=data, help="auto, real, synthetic or a folder")
    parser.add_argument("--scale", default=os.environ.get("LABKIT_SCALE") or "lab", choices=("lab", "full"))
    results = Path(os.environ.get("LABKIT_RESULTS") or home() / "results" / "local")
    parser.add_argument("--results", type=Path, default=results, help="where the record goes (default: results/local)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")


def main(args):
    if args.experiment == "-":
        return serve()
    from ..data import find
    from ..device import settle
    from ..experiments import run as runs
    from ..experiments.experiment import Experiment
    from ..training.progress import TrainingBar

    experiment = Experiment.from_dict(read_json(args.experiment, "Write one with Experiment.to_dict()."))
    corpus = find(experiment.corpus.name, args.data, args.scale)
    print(corpus)
    run = runs.train(experiment, corpus, args.results, settle(args.device), TrainingBar(str(experiment)))
    print(f"{run}\nIt is in {run.folder}.")
    return 0


def serve():
    """Do the jobs that come in, one after the other, until whoever sends them is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # "interrupt the kernel" means the cell that runs, not this training
    # The two pipes are ours alone: what a library reads comes from nowhere, what it prints goes to standard error.
    # (On Windows, loading a library would wait for a pipe that is standard input and is being read.)
    lines, out = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)

    def tell(kind, value=None):
        out.write(json.dumps({kind: value}) + "\n")

    def warned(message, category, *place):
        if issubclass(category, LabWarning):
            tell("note", str(message))

    def printed(text):
        if text.strip():
            tell("note", text.strip())

    sys.stdout = SimpleNamespace(write=printed, flush=out.flush)
    warnings.simplefilter("always", LabWarning)
    warnings.showwarning = warned
    jobs = queue.SimpleQueue()
    threading.Thread(target=listen, args=(lines, jobs, tell), daemon=True).start()
    importlib.import_module("labkit.experiments.run")  # takes seconds: now, while there is no job yet
    while True:
        try:
            kind, value = do(*jobs.get())
        except LabError as error:
            kind, value = "error", str(error)
        except Exception as error:  # a student's model may fail in any way, a device may be full
            kind, value = "error", f"{type(error).__name__}: {error}. Change a setting and press Train again."
        tell(kind, value)


class Relay:
    """The watch of a job, as training.loop.Watch; that module takes seconds to import, and a stop must not wait."""

    def __init__(self, tell):
        self.tell, self.told, self.stop = tell, 0.0, False

    def batch(self, epoch, done, total):
        if done == total or time.monotonic() - self.told > OFTEN:
            self.told = time.monotonic()
            self.tell("batch", [epoch, done, total])

    def epoch(self, history):
        self.tell("epoch", history)

    def close(self):
        """The end of the job is told by `serve`."""


def listen(lines, jobs, tell):
    """Queue the jobs that come in, each with its watch; a stop is for the latest."""
    watch = Relay(tell)
    for line in lines:
        message = json.loads(line)
        if "stop" in message:
            watch.stop = True
        else:
            watch = Relay(tell)
            jobs.put((message, watch))
    os._exit(0)  # at once: what was finished is kept, and nobody holds a lock


def do(job, watch):
    """Train what a job describes; how that ended."""
    import pandas as pd

    from ..data.corpus import Corpus
    from ..device import settle
    from ..experiments import run as runs
    from ..experiments.experiment import Experiment
    from ..settings import plain

    about = {name: plain(value) for name, value in job["corpus"].items()}  # lists become tuples again
    tables = {name: pd.DataFrame(about[name]) for name in ("clips", "whole")}
    device, corpus = settle(job["device"]), Corpus(**about | tables | {"root": Path(about["root"])})
    try:
        importlib.import_module(job["module"])  # which registers the model here, too
        experiment = Experiment.from_dict(job["experiment"])
    except (ImportError, LabError):
        return "foreign", None
    if runs.place(experiment, corpus, job["results"])[1] != job["id"]:  # a model of other code
        return "foreign", None
    run = runs.train(experiment, corpus, job["results"], device, watch)
    return ("stopped", None) if run is None else ("done", str(run.folder))
