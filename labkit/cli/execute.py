"""Executing notebooks, and making what they leave behind the same on every machine."""

import os
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError, choose
from ..files import digest, home, write_text

CELL_TIMEOUT = 600  # seconds
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
VOLATILE = ("execution", "ExecuteTime", "collapsed", "scrolled", "trusted", "widgets")
WIDGET = "application/vnd.jupyter.widget-view+json"
NOISE = re.compile(  # in stderr
    r"^.*(\d+%\|.*\||\d+it \[).*\n?"  # what tqdm draws
    r"|^\S*ipykernel_\d+\S*?:\d+: ",  # where a warning came from: the file of a cell is new each time
    re.MULTILINE,
)


@dataclass(frozen=True)
class Outcome:
    """What came of executing one notebook."""

    name: str
    seconds: float
    memory: int  # bytes: the most that its kernel held after a cell
    error: str  # empty if all cells ran, else the failing cell and the last line of its error

    def __str__(self):
        status = "FAILED" if self.error else "ok"
        return f"{self.name:<32} {status:<6} {self.seconds:6.1f} s {self.memory / 1e6:7,.0f} MB"


def find(wanted=(), folder=None):
    """Paths of the notebooks in `folder`; with `wanted`, of those so named or with names that start so ("03")."""
    folder = Path(folder or home() / "notebooks")
    known = sorted(folder.glob("*.ipynb"))
    if not known:
        raise LabError(f"There are no notebooks in {folder}. Run this in the folder of the lab.")
    paths = []
    for name in wanted:
        stem = Path(name).name.removesuffix(".ipynb")
        found = [path for path in known if path.stem == stem] or [p for p in known if p.stem.startswith(stem)]
        paths += found or [choose(name, {path.stem: path for path in known}, "notebook")]
    return list(dict.fromkeys(paths)) or known


def set_environment(**values):
    """Set what kernels and tests inherit; a value that the user set already stays."""
    defaults = {
        "LABKIT_DATA": "synthetic",
        "LABKIT_SCALE": "lab",
        "LABKIT_BARS": "off",
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, whatever else is called python3 on the machine
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger would warn into each notebook
    }
    for name, value in {**defaults, **values}.items():
        os.environ[name] = os.environ.get(name) or str(value)
    os.environ.pop("MPLBACKEND", None)  # a kernel draws into the notebook


def prepare(**values):
    """Set the environment, and make the synthetic corpora before any notebook runs, so that no cell waits for them."""
    set_environment(**values)
    if os.environ["LABKIT_DATA"] == "synthetic":
        from ..data import make_synthetic

        make_synthetic()


def execute(path):
    """Run all cells of a notebook in a fresh kernel, in the notebook's own folder.

    Returns the outcome, and the notebook with its outputs up to the end, or up to the cell that failed.
    """
    import nbformat
    import psutil
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbconvert.preprocessors import ClearOutputPreprocessor

    start, error, memory, current = time.monotonic(), "", 0, 0
    node, _ = ClearOutputPreprocessor().preprocess(nbformat.read(path, as_version=4), {})

    def before(cell, cell_index):
        nonlocal current
        current = cell_index
        if sys.stdout.isatty():
            print(f"\r{path.stem}: cell {cell_index + 1} of {len(node.cells)} ", end="\r", flush=True)

    def after(cell, cell_index, execute_reply):
        nonlocal memory
        with suppress(psutil.Error):  # of a kernel that has died, as the client will say
            memory = max(memory, psutil.Process(client.km.provisioner.pid).memory_info().rss)

    client = NotebookClient(
        node,
        timeout=CELL_TIMEOUT,
        kernel_name=KERNEL["name"],
        extra_arguments=["--log-level=ERROR"],  # new kernels warn that they talk over TCP, here to this machine only
        resources={"metadata": {"path": str(Path(path).parent)}},
        store_widget_state=False,
        record_timing=False,
        on_cell_start=before,
        on_cell_executed=after,
    )
    try:
        client.execute()
    except CellExecutionError as failure:
        error = f"{failure.ename}: {failure.evalue}"
    except CellTimeoutError:
        error = f"the cell took longer than {CELL_TIMEOUT} seconds"
    except (DeadKernelError, RuntimeError) as failure:
        error = f"the kernel died, perhaps for want of memory ({failure})"
    if error:
        source = "\n".join(f"    {line}" for line in node.cells[current].source.splitlines())
        error = f"cell {current + 1} of {path.name}:\n{source}\n{error}"
    return Outcome(path.stem, time.monotonic() - start, memory, error), node


def normalise(node):
    """Take out of an executed notebook, in place, what differs between two runs or means nothing to a reader.

    Widgets (their state was in the kernel), progress bars, times, the kernel's version, where a warning's cell was.
    """
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    CoalesceStreamsPreprocessor().preprocess(node, {})  # how a stream is cut into pieces depends on the clock
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
            cell.outputs = [output for output in cell.outputs if _worth_keeping(output)]
    return node


def _worth_keeping(output):
    """Clean one output in place; False if nothing is left of it."""
    if output.output_type == "stream":
        text = output.text.replace("\r\n", "\n")
        output.text = NOISE.sub("", text) if output.name == "stderr" else text
        return bool(output.text.strip())
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
        return any(kind != "text/plain" for kind in output.data)  # the rest is only the widget's repr
    return True


def write(node, path):
    import nbformat

    write_text(path, nbformat.writes(node, version=4).rstrip("\n") + "\n")


def write_html(node, path):
    """Write a notebook as one web page, pictures and sounds inside; links to other notebooks lead to their pages."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="classic")  # the template that gives each picture its description (alt)
    body, _ = exporter.from_notebook_node(node, resources={"metadata": {"name": Path(path).stem}})
    write_text(path, re.sub(r'href="(\d\d_\w+)\.ipynb', r'href="\1.html', body))


def run_all(paths, done):
    """Execute notebooks one after the other, a line each; one that fails does not stop the others.

    `done` is called with (path, normalised node, outcome) after each. Prints a table, and returns the outcomes.
    """
    outcomes = []
    for path in paths:
        print(f"{path.stem} ...", flush=True)
        outcome, node = execute(path)
        done(path, normalise(node), outcome)
        print(f"{outcome}\n  failed in {outcome.error}" if outcome.error else outcome, flush=True)
        outcomes.append(outcome)
    good = sum(not outcome.error for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    print("", *outcomes, f"{good} of {len(outcomes)} notebooks ran through, {seconds:.0f} s in all", sep="\n")
    return outcomes
