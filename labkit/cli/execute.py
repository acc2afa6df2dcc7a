"""Executing notebooks, and making what they leave behind the same on every machine."""

import copy
import hashlib
import html
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from ..files import home, write_text

CELL_TIMEOUT = 600  # seconds
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
VOLATILE = ("execution", "ExecuteTime", "collapsed", "scrolled", "trusted", "widgets")
WIDGET = "application/vnd.jupyter.widget-view+json"

_BAR = re.compile(r"^.*(\d+%\|.*\||\d+it \[).*\n?", re.MULTILINE)  # what tqdm draws
_WARNED_FROM = re.compile(r"^\S*ipykernel_\d+\S*?:\d+: ", re.MULTILINE)  # the file of a cell is new each time


@dataclass(frozen=True)
class Outcome:
    """What came of executing one notebook.

    Parameters
    ----------
    name : str
    seconds : float
    memory : int or None
        Peak memory of its kernel in bytes; None where the system does not tell.
    error : str
        Empty if all cells ran, else the failing cell and the last line of its error.
    """

    name: str
    seconds: float
    memory: int | None
    error: str

    def __str__(self):
        memory = f"{self.memory / 1e6:7,.0f} MB" if self.memory else " " * 10
        return f"{self.name:<32} {'FAILED' if self.error else 'ok':<6} {self.seconds:6.1f} s {memory}"


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
        if not found:
            names = ", ".join(path.stem for path in known)
            raise LabError(f"There is no notebook called {name!r} in {folder}. Choose among: {names}.")
        paths += [path for path in found if path not in paths]
    return paths or known


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
        if not os.environ.get(name):
            os.environ[name] = str(value)
    os.environ.pop("MPLBACKEND", None)  # a kernel draws into the notebook


def _peak_memory(pid):
    """Largest memory that process `pid` has held so far, in bytes (its present memory on macOS), or None."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024
    except (OSError, TypeError):
        pass
    try:
        import psutil

        memory = psutil.Process(pid).memory_info()
        return getattr(memory, "peak_wset", memory.rss)
    except Exception:  # not installed, or the kernel is gone: a figure to show, nothing depends on it
        return None


def execute(path, *, progress=None):
    """Run all cells of a notebook in a fresh kernel, in the notebook's own folder.

    Parameters
    ----------
    path : Path
    progress : callable, optional
        Called with (cells done, cells in all) before each cell.

    Returns
    -------
    Outcome
    nbformat.NotebookNode
        With the outputs up to the end, or up to the cell that failed.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    start, error, peak = time.monotonic(), "", None
    node = nbformat.read(path, as_version=4)
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    current = 0

    def before(cell, cell_index):
        nonlocal current
        current = cell_index
        if progress:
            progress(cell_index, len(node.cells))

    def after(cell, cell_index, execute_reply):
        nonlocal peak
        process = getattr(client.km.provisioner, "pid", None)
        peak = max(filter(None, (peak, _peak_memory(process))), default=None)

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
    return Outcome(path.stem, time.monotonic() - start, peak, error), node


def normalise(node):
    """Take out of an executed notebook, in place, what differs between two runs or means nothing to a reader.

    Widgets (their state lives in a kernel that is gone), progress bars, times of execution, the kernel's version and
    where a warning's cell was stored. Identifiers of cells are made from their source, so that they stay.
    """
    node.metadata = type(node.metadata)(kernelspec=dict(KERNEL), language_info=dict(LANGUAGE))
    node.nbformat, node.nbformat_minor = 4, 5
    used = set()
    for cell in node.cells:
        for key in VOLATILE:
            cell.metadata.pop(key, None)
        text, number = f"{cell.cell_type} {cell.source}", 0
        while (name := hashlib.sha256(f"{text} {number}".encode()).hexdigest()[:8]) in used:
            number += 1
        used.add(name)
        cell["id"] = name
        if cell.cell_type == "code":
            cell.outputs = [output for output in _merged(cell.outputs) if _worth_keeping(output)]
    return node


def _merged(outputs):
    """Neighbouring pieces of one stream as one output: how a stream is cut into pieces depends on the clock."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output.output_type == "stream" and last.get("output_type") == "stream" and last.name == output.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _worth_keeping(output):
    """Clean one output in place; False if nothing is left of it."""
    if output.output_type == "stream":
        lines = output.text.replace("\r\n", "\n").split("\n")
        output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in lines)  # "\r" overwrites a line
        if output.name == "stderr":
            output.text = _WARNED_FROM.sub("", _BAR.sub("", output.text))
        return bool(output.text.strip())
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
        return any(kind != "text/plain" for kind in output.data)  # the rest is only the widget's repr
    return True


def write(node, path):
    """Write a notebook, whole or not at all."""
    import nbformat

    text = nbformat.writes(node, version=4)
    write_text(path, text if text.endswith("\n") else text + "\n")


def write_html(node, path):
    """Write a notebook as one web page, pictures and sounds inside; links to other notebooks lead to their pages."""
    from nbconvert import HTMLExporter

    page = copy.deepcopy(node)
    for output in (output for cell in page.cells for output in cell.get("outputs", ())):
        for kind in {"image/png", "image/jpeg"} & set(output.get("data", ())):
            output.data = {"text/html": _described(kind, output.data[kind], output.metadata.get(kind, {}))}
    body, _ = HTMLExporter().from_notebook_node(page, resources={"metadata": {"name": Path(path).stem}})
    write_text(path, re.sub(r'href="(\d\d_\w+)\.ipynb', r'href="\1.html', body))


def _described(kind, data, metadata):
    """A picture as HTML with its description for those who do not see it, which nbconvert's page would drop."""
    size = "".join(f' {side}="{metadata[side]}"' for side in ("width", "height") if side in metadata)
    alt = html.escape(metadata.get("alt", "A picture without a description"))
    return f'<img alt="{alt}"{size} src="data:{kind};base64,{"".join(data.split())}">'


def run_all(paths, done):
    """Execute notebooks one after the other, a line each; one that fails does not stop the others.

    Parameters
    ----------
    paths : list of Path
    done : callable
        Called with (path, node, outcome) after each; the node is normalised.

    Returns
    -------
    list of Outcome
    """
    outcomes = []
    for path in paths:

        def progress(cell, cells, name=path.stem):
            if sys.stdout.isatty():
                print(f"\r{name}: cell {cell + 1} of {cells}", end=" " * 20 + "\r", flush=True)
            elif cell == 0:
                print(f"{name} ...", flush=True)

        outcome, node = execute(path, progress=progress)
        done(path, normalise(node), outcome)
        print(outcome, flush=True)
        if outcome.error:
            print(f"  failed in {outcome.error}", flush=True)
        outcomes.append(outcome)
    return outcomes


def table(outcomes):
    """The outcomes as lines of text, with the sum."""
    failed = sum(bool(outcome.error) for outcome in outcomes)
    total = sum(outcome.seconds for outcome in outcomes)
    last = f"{len(outcomes) - failed} of {len(outcomes)} notebooks ran through, {total:.0f} s in all"
    return "\n".join(["", *map(str, outcomes), last])
