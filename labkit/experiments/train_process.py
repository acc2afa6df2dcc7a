"""Training in a process beside the kernel, so that other cells can run meanwhile and change no number.

(Torch draws dropout from one generator per process.) The process shares nothing with the kernel but the run folder,
whose locks are made for that, and a pipe. It ends with the kernel, however that ends.
"""

import importlib
import os
import signal
import sys
import time
import warnings
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import get_context, resource_tracker
from types import SimpleNamespace

from ..device import end_with_parent, settle
from ..errors import LabError, LabWarning
from ..files import alone, read_json
from ..models import MODELS
from ..training.loop import Callback
from ..training.tensors import read_tensors
from .experiment import Experiment
from .run import place, train

OFTEN = 0.1  # seconds between two messages about batches
HERE = (
    "This model was written in the notebook, where another process cannot build it, so it is trained in the notebook's "
    "own process. If it uses dropout, run no cell that draws random numbers until it is done."
)
SPAWN = get_context("spawn")  # a forked process would inherit torch's threads in an unusable state
waiting = []  # processes without a job: the next training need not wait seconds for torch


class TrainProcess:
    """A process that trains one experiment after the other; setting `stop.value` ends the one under way."""

    def __init__(self):
        self.pipe, theirs = SPAWN.Pipe()
        self.stop = SPAWN.Value("b", lock=False)  # a byte that both see
        self.process = SPAWN.Process(target=_serve, args=(theirs, self.stop), daemon=True)
        with _uninterrupted() if os.name == "posix" else nullcontext():  # Windows has no such mask
            self.process.start()
        theirs.close()  # so that `pipe` ends when the process does

    def train(self, experiment, corpus, results, device, callback):
        """As `run.train`, but in the process, unless the run exists or the process cannot build its model."""
        record, message = place(experiment, corpus, results)[2] / "run.json", ("ended", None)
        if not record.exists():
            module = MODELS[experiment.model.name].__module__
            try:
                self.pipe.send((module, experiment.to_dict(), corpus, results, device, record.parent))
                while (message := self.pipe.recv())[0] != "ended":
                    getattr(callback, message[0])(*message[1:])
                    self.stop.value = self.stop.value or callback.stop
            except (EOFError, OSError):
                self.process.join(10)  # its locks are free when it is gone, which is a moment after its pipe
                raise LabError(
                    "The process that trained has ended (killed, or out of memory). The epochs that were finished are "
                    "kept: press Resume to go on."
                ) from None
        try:
            if message[1] is not None:
                raise LabError(message[1])
            if self.stop.value and not record.exists():
                return None
            return train(experiment, corpus, results, device, callback)
        finally:
            waiting.append(self)


@contextmanager
def _uninterrupted():
    """A process that is started here never sees "interrupt the kernel": not even while it imports torch."""
    resource_tracker.ensure_running()  # first: it unblocks the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take():
    """A process that waits for a job, or a new one."""
    process = waiting.pop() if waiting else TrainProcess()
    process = process if process.process.is_alive() else TrainProcess()
    process.stop.value = False
    return process


def in_words(error):
    """What a panel says of an error."""
    name = f"{type(error).__name__}: {error}. Change a setting and press Train again."
    return str(error) if isinstance(error, LabError) else name


class _Relay(Callback):
    """The callback in the process: it tells the kernel which method of its callback to call, and with what."""

    def __init__(self, pipe, asked):
        super().__init__()
        self.pipe, self.asked, self.told = pipe, asked, 0.0

    def batch(self, epoch, done, total):
        self.stop = bool(self.asked.value)
        if done == total or time.monotonic() - self.told > OFTEN:
            self.told = time.monotonic()
            self.pipe.send(("batch", epoch, done, total))

    def epoch(self, history):
        self.pipe.send(("epoch", history))

    def note(self, text, *place):  # what is printed, or warned of
        if str(text).strip():
            self.pipe.send(("note", str(text).strip()))


def _serve(pipe, stop):
    """What the process does: one job after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # "interrupt the kernel" means the cell that runs, not this training
    end_with_parent()
    os.environ["LABKIT_BARS"] = "off"
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", LabWarning)
    with suppress(EOFError, OSError):  # the kernel has gone
        while True:
            job, callback = pipe.recv(), _Relay(pipe, stop)
            sys.stdout, warnings.showwarning = SimpleNamespace(write=callback.note, flush=callback.close), callback.note
            try:
                error = _do(*job, callback)
            except Exception as failure:  # a student's model may fail in any way, a device may be full
                error = in_words(failure)
            pipe.send(("ended", error))


def _do(module, experiment, corpus, results, device, folder, callback):
    """Train, if this process can build exactly the model whose run belongs in the folder."""
    try:
        importlib.import_module(module)  # which registers the model here, too
        experiment = Experiment.from_dict(experiment)
        same = place(experiment, corpus, results)[2] == folder  # else its code has changed
    except (ImportError, LabError):
        same = False
    if same:
        train(experiment, corpus, results, settle(device), callback)
    else:
        callback.note(HERE)


def interrupted(base, corpus, results):
    """The latest interrupted training with corpus, target and split of `base`: (Experiment, epochs kept), or None."""
    corpus, _, folder = place(base, corpus, results)
    begun = []
    for path in folder.parent.glob("*/experiment.json"):
        with suppress(OSError):  # another kernel has just finished it
            begun.append((path.stat().st_mtime, path))
    for _, path in sorted(begun, reverse=True):
        with suppress(LabError):  # under way, of a model that this kernel lacks, or damaged: nothing to go on with
            found, folder = Experiment.from_dict(read_json(path)), path.parent
            run_id = found.change(corpus=base.corpus, target=base.target, split=base.split).id(corpus.fingerprint)
            if (folder / "run.json").exists() or not folder.name.endswith(run_id):
                continue
            with alone(results / ".locks" / f"{run_id}.lock", refusal="It is under way."):
                checkpoint = folder / "checkpoint.safetensors"
                about = read_tensors(checkpoint, mend="")[1] if checkpoint.exists() else {"history": []}
                return found, len(about["history"])
    return None
