"""Where the members of a sweep are trained: processes of this machine, Dask, or SLURM through submitit.

A member is handed over as plain values: the experiment as JSON, and where its corpus lies. The worker opens the corpus
there, chooses its own device and threads, trains, and leaves the run in the results folder, which all machines share.
"""

import importlib
import os
import shutil
import socket
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import torch

from ..data import CORPORA, join, read
from ..device import end_with_parent, settle
from ..errors import LabError
from ..models import MODELS
from .experiment import Experiment
from .run import place, train

FORMS = "local:N (N processes here), dask, dask://HOST:PORT, slurm or slurm:PARTITION"
MINUTES = 240  # that SLURM gives a member, unless SBATCH_TIMELIMIT says otherwise


@contextmanager
def engine(on, results):
    """What `--on` names, as something with `submit(call, *arguments)` whose answer has `done()` and `result()`."""
    kind, _, where = on.partition(":")
    if kind == "local" and where.isdecimal() and int(where) > 0:
        processes = Processes(int(where))
        try:
            yield processes
        finally:
            processes.shutdown(cancel_futures=True)
    elif on == "dask" or on.startswith("dask://"):
        import dask
        from distributed import Client

        # Several processes of one thread each: threads of one process would take turns. Dask gives a process that was
        # killed up after 15 seconds, in which a busy machine has not even loaded torch.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
        with Client(**{"address": f"tcp:{where}"} if where else {"threads_per_worker": 1}) as client:
            yield client.get_executor(pure=False)
    elif kind == "slurm":
        if not shutil.which("sbatch"):
            raise LabError("There is no SLURM here. Type this where the command `sbatch` works.")
        from submitit import SlurmExecutor

        executor = SlurmExecutor(Path(results).absolute() / ".slurm")
        executor.update_parameters(job_name="labkit", time=MINUTES, **({"partition": where} if where else {}))
        yield executor
    else:
        raise LabError(f"There is no engine {on!r}. Write --on {FORMS}.")


class Processes(ThreadPoolExecutor):
    """So many processes of this machine. Each has a pool and a thread of its own: if one is killed, the others go on.

    With several GPUs, the processes take them in turn.
    """

    def __init__(self, number):
        self.own, self.numbers = threading.local(), count()
        super().__init__(number)

    def submit(self, call, *arguments):
        return super().submit(self._ask, call, *arguments)

    def _ask(self, call, *arguments):
        own = vars(self.own)
        if "number" not in own:
            own["number"] = next(self.numbers)
        if "pool" not in own:  # spawn: a forked process inherits torch's threads in an unusable state
            own["pool"] = ProcessPoolExecutor(1, get_context("spawn"), _start_worker, (own["number"],))
        try:
            return own["pool"].submit(call, *arguments).result()
        except BrokenExecutor:
            del own["pool"]  # the next member gets a new process
            raise


def _start_worker(number):
    end_with_parent()
    os.environ["LABKIT_BARS"] = "off"
    settle("cpu")
    if torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())


def handed_over(experiments, corpus, results, device):
    """For each experiment the arguments of `train_member`; LabError if a worker could not build its model.

    What was chosen from a corpus by hand is not in its folder: an experiment chooses, by `corpus` and `split`.
    """
    results = Path(results).absolute()  # a worker may stand in another folder
    results.mkdir(parents=True, exist_ok=True)
    folders = tuple(str(part.root.absolute()) for part in (corpus, *corpus.more))
    sent = []
    for experiment in experiments:
        module = MODELS[experiment.model.name].__module__
        if module == "__main__":
            wrong = f"The model {experiment.model.name!r} was written in a notebook, where no worker can import it"
            raise LabError(f"{wrong}. Move its class into a .py file and import that, or sweep without workers.")
        address = experiment.corpus.name, corpus.name, folders, corpus.fingerprint
        run_id = place(experiment, corpus, results)[1]
        sent.append((experiment.to_dict(), module, address, str(results), str(device), run_id))
    return sent


@lru_cache(1)  # once in a process
def open_corpus(kind, name, folders, fingerprint):
    """The corpus (`kind`: a key of `data.CORPORA`) of a folder, joined with others; LabError if it is another one."""
    corpus = replace(CORPORA[kind].load(Path(folders[0])), name=name)
    corpus = join(corpus, [read(folder) for folder in folders[1:]]) if folders[1:] else corpus
    if corpus.fingerprint != fingerprint:
        wrong = f"{folders[0]} on {socket.gethostname()} holds another {name} than where the sweep was started"
        raise LabError(f"{wrong} (files, sizes or lengths differ). Copy it there again.")
    return corpus


def train_member(experiment, module, address, results, device, run_id):
    """Train one member, where it was sent; returns what went wrong in words, "" if nothing did."""
    try:
        for what, folder in (("results", results), *(("corpus", folder) for folder in address[2])):
            if not Path(folder).is_dir():
                mend = "All machines need it at the same place: put it on a drive that they share."
                raise LabError(f"The {what} folder {folder} is not on {socket.gethostname()}. {mend}")
        importlib.import_module(module)  # which registers the model here, too
        experiment, corpus = Experiment.from_dict(experiment), open_corpus(*address)
        if place(experiment, corpus, results)[1] != run_id:
            wrong = f"{socket.gethostname()} has another labkit, or other code of {experiment.model.name}, than here"
            raise LabError(f"{wrong}. Install the same there.")
        train(experiment, corpus, results, settle(device))
    except Exception as error:  # a student's model may fail in any way, a device may be full
        return str(error) if isinstance(error, LabError) else in_words(error)
    return ""


def in_words(error):
    """What a sweep says of an error that the lab did not expect."""
    mend = "Run the sweep again once that is mended: what is complete is loaded, the rest goes on."
    return f"{type(error).__name__}: {error}. {mend}"
