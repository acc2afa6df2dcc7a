"""Training beside the kernel, in a process of its own.

torch draws dropout from one generator per process. A training in a thread of the kernel would share it with every cell
that is run meanwhile, and with the training of another panel: their numbers would depend on who came first. A process
of its own shares nothing but the run store, whose locks are made for that, and the kernel stays free for other cells.
"""

import atexit
import contextlib
import importlib
import io
import os
import signal
import threading
import time
import warnings
from multiprocessing import connection, get_context

from ..device import end_with_parent, settle
from ..errors import LabError, LabWarning
from ..experiments import run as runs
from ..experiments.experiment import Experiment
from ..models import MODELS
from ..training.loop import Watch

HERE = (
    "This model was written in the notebook, where another process cannot build it, so it is trained in the notebook's "
    "own process. If it uses dropout, run no cell that draws random numbers until it is done."
)
OFTEN = 0.1  # seconds between two looks at a pipe, and between two messages about batches
STOP = "stop"
_idle, _lock = [], threading.Lock()  # processes that wait for work: a new one takes seconds to start


class Listener(Watch):
    """A watch that is also told what was printed and warned of on the way, and that stops at once."""

    def __init__(self):
        super().__init__()
        self._lock, self._send = threading.Lock(), None

    def halt(self):
        """Stop the training after the batch under way."""
        with self._lock:
            self.stop = True
            self._tell()

    def follow(self, send):
        """Called when the process has its job (`send` reaches it), and with None when that is over."""
        with self._lock:
            self._send = send
            self._tell()

    def _tell(self):
        if self.stop and self._send:
            with contextlib.suppress(OSError):  # the process has ended, which whoever waits for it will see
                self._send(STOP)

    def note(self, text):
        """Called with a sentence."""


def train(experiment, corpus, results, device, watch):
    """As `runs.train`, but the work is done by another process, which `watch` sees and stops all the same.

    A model that the other process cannot build exactly so (one written in a cell of the notebook) is trained here.

    Parameters
    ----------
    experiment, corpus, results, device
        As for `runs.train`.
    watch : Listener

    Returns
    -------
    Run or None
        None if `watch` stopped it.
    """
    _, run_id, folder = runs.place(experiment, corpus, results)
    if not (folder / "run.json").exists():
        module = MODELS[experiment.model.name].__module__
        outcome = _elsewhere((run_id, module, experiment.to_dict(), corpus, results, str(device)), watch)
        if outcome == "stopped":
            return None
        if outcome == "foreign":
            watch.note(HERE)
    return runs.train(experiment, corpus, results, device, watch)


def end_idle():
    """End the processes that wait for work, so that their memory is free for something else."""
    with _lock:
        idle, _idle[:] = list(_idle), []
    for process, pipe in idle:
        pipe.close()  # upon which it ends by itself
        process.join(5)
        process.terminate()


atexit.register(end_idle)


def _elsewhere(job, watch):
    """Hand a job to a process and pass on what it tells; returns "trained", "stopped" or "foreign"."""
    with _lock:
        process, pipe = _idle.pop() if _idle else (None, None)
    if process is None or not process.is_alive():
        process, pipe = _start()
    try:
        pipe.send(job)
        outcome, words = _follow(process, pipe, watch)
    except (EOFError, OSError) as error:
        raise LabError(
            "The process that trained has ended (killed, or out of memory). The epochs that were finished are kept: "
            "press Resume to go on."
        ) from error
    except BaseException:
        process.terminate()  # nobody would listen to it any more
        raise
    finally:
        watch.follow(None)
    with _lock:
        _idle.append((process, pipe))
    if outcome == "error":
        raise LabError(words)
    return outcome


def _start():
    context = get_context("spawn")  # a forked process would inherit torch's threads in an unusable state
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name="labkit training", daemon=True)
    process.start()
    theirs.close()  # ours alone must keep the pipe open, or we would never learn that the process ended
    return process, ours


def _follow(process, pipe, watch):
    """Pass on what a process tells until its job is over; returns (how it ended, what it says of that)."""
    watch.follow(pipe.send)
    while True:
        if pipe not in connection.wait([pipe, process.sentinel], OFTEN):
            if not process.is_alive() and not pipe.poll():
                raise EOFError
            continue
        kind, *values = pipe.recv()
        if kind == "batch":
            watch.batch(*values)
        elif kind == "epoch":
            watch.epoch(*values)
        elif kind == "note":
            watch.note(*values)
        else:
            return kind, *values


class _Printed(io.TextIOBase):
    """Where the process prints: each line goes to the kernel."""

    def __init__(self, pipe):
        self.pipe = pipe

    def write(self, text):
        if text.strip():
            self.pipe.send(("note", text.strip()))
        return len(text)


class _Relay(Watch):
    """The watch of the training in its own process: tells the kernel, and listens for a stop."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe, self.told = pipe, 0.0

    def batch(self, epoch, done, total):
        if done == total or time.monotonic() - self.told > OFTEN:
            self.told = time.monotonic()
            self.pipe.send(("batch", epoch, done, total))
        if self.pipe.poll():
            self.stop = self.pipe.recv() == STOP

    def epoch(self, history):
        self.pipe.send(("epoch", history))


def _serve(pipe):
    """What the process does all its life: wait for a job, do it, say how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # "interrupt the kernel" means the cell that runs, not this training
    os.environ["LABKIT_BARS"] = "off"
    end_with_parent()  # what was finished is kept, and nobody holds a lock
    with contextlib.suppress(EOFError, ConnectionError):  # the kernel has gone
        while True:
            job = pipe.recv()
            if job == STOP:  # it came too late for the job before
                continue
            try:
                with warnings.catch_warnings(record=True) as notes, contextlib.redirect_stdout(_Printed(pipe)):
                    warnings.simplefilter("always", LabWarning)
                    outcome = _work(job, pipe)
                for note in notes:
                    if issubclass(note.category, LabWarning):
                        pipe.send(("note", str(note.message)))
                pipe.send((outcome, None))
            except LabError as error:
                pipe.send(("error", str(error)))
            except (EOFError, ConnectionError):
                raise
            except Exception as error:  # a student's model may fail in any way, a device may be full
                words = f"{type(error).__name__}: {error}. Change a setting and press Train again."
                pipe.send(("error", words))


def _work(job, pipe):
    run_id, module, settings, corpus, results, device = job
    device = settle(device)
    try:
        importlib.import_module(module)  # which registers the model here, too
        experiment = Experiment.from_dict(settings)
    except (ImportError, LabError):
        return "foreign"
    if runs.place(experiment, corpus, results)[1] != run_id:  # a model of this name, but of other code
        return "foreign"
    run = runs.train(experiment, corpus, results, device, _Relay(pipe))
    return "stopped" if run is None else "trained"
