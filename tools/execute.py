"""Executing notebooks, and making what they leave behind the same on every machine."""

import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from textwrap import indent

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert.preprocessors import ClearOutputPreprocessor

from labkit.errors import LabError, choose
from labkit.files import digest, home, read_json, write_text

from .check import cores
from .run_tests import ENDLESS, prepare

STUCK = 300  # seconds without any work
TIMES = "notebooks/times.json"  # what each notebook took when its outputs were stored: seconds, processor seconds, MB
MEMORY = 3e9  # bytes that one notebook may need
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
VOLATILE = ("execution", "ExecuteTime", "collapsed", "scrolled", "trusted", "widgets")
WIDGET = "application/vnd.jupyter.widget-view+json"
NOISE = re.compile(  # in stderr
    r"^.*(\d+%\|.*\||\d+it \[).*\n?"  # what tqdm draws
    r"|^\S*ipykernel_\d+\S*?:\d+: ",  # where a warning came from: the file of a cell is new each time
    re.MULTILINE,
)


def find(wanted=()):
    """Paths of the notebooks whose names begin with one of the `wanted` ("03"); of all without."""
    known = {path.stem: path for path in sorted((home() / "notebooks").glob("*.ipynb"))}
    if not known:
        raise LabError(f"There are no notebooks in {home() / 'notebooks'}. Run this in the folder of the lab.")
    stems = tuple(os.path.basename(name).removesuffix(".ipynb") for name in wanted)
    for stem in stems:
        if not any(name.startswith(stem) for name in known):
            choose(stem, known, "notebook")
    return [path for name, path in known.items() if name.startswith(stems or "")]


def execute(path):
    """Run all cells of a notebook in a fresh kernel, in the notebook's own folder.

    Prints what it took. Returns the notebook, with outputs up to the cell that failed; that cell with the last line of
    its error, or "" if all cells ran; and what it took: seconds, processor seconds, the most memory after a cell in MB.
    """
    start, error, number, memory = time.monotonic(), "", 1, 0
    node, _ = ClearOutputPreprocessor().preprocess(nbformat.read(path, as_version=4), {})
    client = NotebookClient(
        node,
        timeout=None,  # a slow machine may take its time: `Watch` ends a kernel that does not work any more
        kernel_name=KERNEL["name"],
        extra_arguments=["--log-level=ERROR"],  # new kernels warn that they talk over TCP, here to this machine only
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    watch = Watch()
    try:
        with client.setup_kernel(), watch.over(psutil.Process(client.km.provisioner.pid)):
            for number, cell in enumerate(node.cells, 1):
                if sys.stdout.isatty():
                    print(f"\r{path.stem}: cell {number} of {len(node.cells)} ", end="\r", flush=True)
                client.execute_cell(cell, number - 1)
                memory = max(memory, watch.kernel.memory_info().rss)
    except CellExecutionError as failure:
        error = f"{failure.ename}: {failure.evalue}"
    except (DeadKernelError, RuntimeError, psutil.Error) as failure:
        error = watch.ended or f"the kernel died, perhaps for want of memory ({failure})"
    if error:
        error = f"cell {number} of {path.name}:\n{indent(node.cells[number - 1].source, '    ')}\n{error}"
    took = {"seconds": time.monotonic() - start, "processor": watch.used, "memory": memory / 1e6}
    took, status = {key: round(value) for key, value in took.items()}, f"FAILED in {error}" if error else "ok"
    figures = "{seconds:5} s, {processor:5} s of processor time, {memory:6,} MB".format(**took)
    print(f"{path.stem:<28}{figures}  {status}", flush=True)
    return node, error, took


class Watch:
    """Follows the processor time of a kernel, and kills it when a cell does nothing, or works without end."""

    used, ended = 0.0, ""  # seconds so far; why it was killed

    @contextmanager
    def over(self, kernel):
        """Watch the process of a kernel inside this block."""
        self.kernel, self.done = kernel, threading.Event()
        thread = threading.Thread(target=self.watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.done.set()
            thread.join()

    def watch(self):
        before, since = 0.0, time.monotonic()
        with suppress(psutil.Error):  # it has ended by itself
            while True:
                processes = [self.kernel, *self.kernel.children(recursive=True)]
                self.used = max(self.used, sum(sum(process.cpu_times()[:4]) for process in processes))
                if self.used - before > 0.02 * STUCK:
                    before, since = self.used, time.monotonic()
                if time.monotonic() - since > STUCK:
                    self.ended = f"the cell did nothing for {STUCK} seconds"
                if self.used > ENDLESS:
                    self.ended = f"the notebook used more than {ENDLESS} seconds of processor time"
                if self.ended:
                    self.kernel.kill()
                if self.ended or self.done.wait(1):
                    return


def normalise(node):
    """Take out of an executed notebook, in place, what differs between two runs or means nothing to a reader.

    Widgets (their state was in the kernel), progress bars, times, the kernel's version, where a warning's cell was.
    """
    node.metadata = type(node.metadata)(kernelspec=dict(KERNEL), language_info=dict(LANGUAGE))
    node.nbformat, node.nbformat_minor = 4, 5
    seen = Counter()  # cells with the same text
    for cell in node.cells:
        for key in VOLATILE:
            cell.metadata.pop(key, None)
        text = f"{cell.cell_type} {cell.source}"
        cell["id"] = digest(f"{text} {seen[text]}".encode(), 8)
        seen[text] += 1
        if cell.cell_type == "code":
            cell.outputs = [output for output in _joined(cell.outputs) if _worth_keeping(output)]
    return node


def _joined(outputs):
    """All in their order, but a stream between two pictures as one: how it is cut depends on the clock."""
    whole, streams = [], {}
    for output in outputs:
        if output.output_type != "stream":
            streams = {}
        elif output.name in streams:
            streams[output.name].text += output.text
            continue
        else:
            streams[output.name] = output
        whole.append(output)
    return whole


def _worth_keeping(output):
    """Clean one output in place; False if nothing is left of it."""
    if output.output_type == "stream":
        text = output.text.replace("\r\n", "\n")
        output.text = NOISE.sub("", text) if output.name == "stderr" else text
        return bool(output.text.strip())
    data = output.get("data", {})
    return data.pop(WIDGET, None) is None or data.keys() != {"text/plain"}  # the rest is only the widget's repr


def write(node, path):
    write_text(path, nbformat.writes(node, version=4).rstrip("\n") + "\n")


def run_all(paths, keep, **folders):
    """Execute notebooks, the longest first, as many at a time as there are cores and memory for.

    One that fails does not stop the others. `keep` is called with (path, normalised notebook, error) after each.
    Returns the names of those that failed, and what each took: {name: seconds, processor seconds, MB}.
    """
    results, failed, took = home() / "build" / "results", [], {}
    if not os.environ.get("LABKIT_RESULTS"):
        shutil.rmtree(results, ignore_errors=True)  # training really happens, each time
    prepare(LABKIT_RESULTS=results, **folders)
    start = time.monotonic()
    before = read_json(home() / TIMES) if (home() / TIMES).exists() else {}
    order = sorted(paths, key=lambda path: -before.get(path.stem, {"seconds": 0})["seconds"])
    at_once = max(1, min(cores(), len(paths), int(psutil.virtual_memory().available / MEMORY)))
    print(f"{len(paths)} notebooks, {at_once} at a time", flush=True)
    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(execute, path): path for path in order}
        for future in as_completed(running):
            path, (node, error, took[path.stem]) = running[future], future.result()
            keep(path, normalise(node), error)
            failed += [path.stem] if error else []
    seconds = time.monotonic() - start
    processor = sum(each["processor"] for each in took.values())
    good = f"{len(paths) - len(failed)} of {len(paths)} notebooks ran through"
    print(f"\n{good} in {seconds:.0f} s ({processor:,} s of processor time).")
    return sorted(failed), took
