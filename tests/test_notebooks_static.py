"""What each notebook must be before anybody runs it.

Executing one cannot show these: an unknown magic or a failing `!command` passes there without a sound. The rules are
tested too, on small notebooks that each break one of them.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 1_000_000  # bytes of a notebook with its outputs
LONGEST = 25  # lines of a cell
MAGICS = {"timeit", "time", "matplotlib", "config"}  # what a notebook may ask of IPython; cd and pip only on Colab
OPENING = ("You will do", "You will learn", "You need")
CLOSING = ("What we saw", "Exercises", "Further reading")
WIDGET = "application/vnd.jupyter.widget-view+json"
PRIVATE = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|private|content)/|[A-Z]:\\Users\\|ipykernel_\d")


def problems(node):
    """All that is wrong with a notebook, each as one sentence."""
    found = []
    try:
        nbformat.validate(node)
    except nbformat.ValidationError as error:
        return [f"it is not a valid notebook: {error.message}"]
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    prose = [cell.source for cell in node.cells if cell.cell_type == "markdown"]
    found += whole_problems(node, code)
    found += prose_problems(node, prose)
    for number, cell in enumerate(code, start=1):
        for problem in [*source_problems(cell.source), *output_problems(cell)]:
            found.append(f"code cell {number}: {problem}")
    return found


def whole_problems(node, code):
    """What concerns the notebook as a whole."""
    if node.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not called python3"
    if "widgets" in node.metadata:
        yield "it stores the state of widgets"
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield f"its cells were not run once, in order: {counts}"
    if not any(cell.outputs for cell in code):
        yield "it stores no outputs"
    if not any("# NBVAL_CHECK_OUTPUT" in cell.source for cell in code):
        yield "no cell is marked # NBVAL_CHECK_OUTPUT"
    start = [number for number, cell in enumerate(code) if "labkit.start(" in cell.source]
    if not start or start[0] > 1:
        yield "neither of its first two code cells calls labkit.start(...)"
    elif start[0] == 1 and "google.colab" not in code[0].source:
        yield "its first code cell is neither the Colab bootstrap nor labkit.start(...)"
    if len(json.dumps(node)) > LARGEST:
        yield f"it is larger than {LARGEST / 1e6:.0f} MB"


def prose_problems(node, prose):
    """What concerns the template and the text around the code."""
    if not node.cells or node.cells[0].cell_type != "markdown" or not node.cells[0].source.startswith("# "):
        yield "its first cell is not a title"
    opening, text = "\n".join(prose[:3]), "\n".join(prose)
    yield from (f"its opening does not say {words!r}" for words in OPENING if words.lower() not in opening.lower())
    for words in CLOSING:
        if not re.search(rf"^#+ .*{words}", text, re.MULTILINE | re.IGNORECASE):
            yield f"it has no heading {words!r}"
    if "![](" in text or re.search(r"<img(?![^>]*\balt=.)", text):
        yield "a picture in its text has no description"


def source_problems(source):
    """What concerns the code of one cell."""
    if len(source.splitlines()) > LONGEST:
        yield f"it has {len(source.splitlines())} lines, more than {LONGEST}"
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        yield f"it is not Python ({error.msg})"
        return
    guarded = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "google.colab" in ast.unparse(node.test):
            guarded |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from attribute_problems(ast.unparse(node))
        if isinstance(node, ast.Call):
            yield from call_problems(node, id(node) in guarded)


def attribute_problems(name):
    if name == "sys.path":
        yield "it changes sys.path"
    if name in ("os.chdir", "drive.mount"):
        yield f"it calls {name}"


def call_problems(call, guarded):
    """Magics, shell commands and installations; `guarded`: only Colab gets there."""
    name = ast.unparse(call.func)
    words = [str(constant.value) for constant in ast.walk(call) if isinstance(constant, ast.Constant)]
    if name.startswith("get_ipython().") and name.endswith("_magic"):
        if words[0] not in MAGICS and not (words[0] in ("cd", "pip") and guarded):
            yield f"it uses the magic %{words[0]}"
    elif name in ("get_ipython().system", "get_ipython().getoutput", "os.system"):
        if not guarded:
            yield f"it runs the shell command {words[0]!r}"
    elif name.startswith("subprocess.") and "pip" in words and not guarded:
        yield "it installs packages outside Colab"


def output_problems(cell):
    """What concerns the stored outputs of one cell."""
    for output in cell.outputs:
        data = output.get("data", {})
        text = output.get("text", "") + "".join(str(data.get(kind, "")) for kind in ("text/plain", "text/html"))
        if output.output_type == "error" or "Traceback (most recent call last)" in text:
            yield "it stores an error"
        if WIDGET in data:
            yield "it stores a widget, which no reader on the web can see"
        for kind in data:
            if kind.startswith("image/") and not output.metadata.get(kind, {}).get("alt", "").strip():
                yield f"its picture ({kind}) has no description (alt)"
        if re.search(r"<img(?![^>]*\balt=.)", text):
            yield "its picture (HTML) has no description (alt)"
        if PRIVATE.search(text):
            yield f"it shows a path of one machine: {PRIVATE.search(text)[0]}"
        if re.search(r"\bat 0x[0-9a-fA-F]{6,}", text):
            yield "it shows a memory address"
        if re.search(r"\d%\|", text):
            yield "it stores a progress bar"


def good():
    """A small notebook with nothing wrong."""
    picture = new_output("display_data", data={"image/png": "aGk="}, metadata={"image/png": {"alt": "A line"}})
    sources = ["import labkit\n\nlab = labkit.start()", "# NBVAL_CHECK_OUTPUT\nprint('! and % in text')", "%timeit lab"]
    code = [new_code_cell(source, execution_count=count) for count, source in enumerate(sources, start=1)]
    code[1].outputs = [new_output("stream", name="stdout", text="! and % in text\n"), picture]
    opening = new_markdown_cell("# Title\n\n**You will do** this. **You will learn** that. **You need** ears.")
    closing = new_markdown_cell("## What we saw\n\n## Exercises\n\n## Further reading")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=[opening, *code, closing], metadata={"kernelspec": kernel})


COLAB = 'import sys\n\nif "google.colab" in sys.modules:\n    %pip install --quiet labkit'


def with_source(source, cell=2):
    """A change to the good notebook: other code in one cell."""
    return lambda node: node.cells[cell].update(source=source)


def with_output(**output):
    return lambda node: node.cells[2].outputs.append(new_output(**output))


def with_text(text):
    return with_output(output_type="stream", name="stdout", text=text)


BAD = {
    "not a valid notebook": lambda node: node.cells[1].update(outputs=[{"output_type": "cake"}]),
    "kernel is not called python3": lambda node: node.metadata.kernelspec.update(name="conda-env-speech"),
    "state of widgets": lambda node: node.metadata.update(widgets={"state": {}}),
    "not run once, in order": lambda node: node.cells[2].update(execution_count=7),
    "stores no outputs": lambda node: node.cells[2].update(outputs=[]),
    "NBVAL_CHECK_OUTPUT": with_source("print(1)"),
    "first two code cells": with_source("import labkit", cell=1),
    "neither the Colab bootstrap": lambda node: (
        with_source("x = 1", cell=1)(node),
        with_source("# NBVAL_CHECK_OUTPUT\nlab = labkit.start()")(node),
    ),
    "larger than": with_text("x" * LARGEST),
    "not a title": lambda node: node.cells.pop(0),
    "opening does not say 'You need'": with_source("# Title\n\nYou will do. You will learn.", cell=0),
    "no heading 'Exercises'": with_source("## What we saw\n\nNo Exercises.\n\n## Further reading", cell=-1),
    "picture in its text": with_source("![](figure.png)\n## What we saw\n## Exercises\n## Further reading", cell=-1),
    "more than 25": with_source("x = 1\n" * 26),
    "not Python": with_source("x = = 1"),
    "changes sys.path": with_source("import sys\nsys.path.insert(0, '..')"),
    "calls os.chdir": with_source("import os\nos.chdir('..')"),
    "calls drive.mount": with_source("from google.colab import drive\ndrive.mount('/content')"),
    "magic %pip": with_source("%pip install torch"),
    "magic %no_such_thing": with_source("%no_such_thing"),
    "magic %cd": with_source("%cd .."),
    "magic %bash": with_source("%%bash\nfalse"),
    "shell command 'pip install torch'": with_source("!pip install torch"),
    "shell command 'ls'": with_source("files = !ls"),
    "installs packages": with_source("import subprocess\nsubprocess.run(['python', '-m', 'pip', 'install', 'x'])"),
    "stores an error": with_output(output_type="error", ename="ValueError", evalue="", traceback=[]),
    "stores an error ": with_text("Traceback (most recent call last):"),
    "stores a widget": with_output(output_type="display_data", data={WIDGET: {}, "text/plain": "Panel()"}),
    "picture (image/png) has no": with_output(output_type="display_data", data={"image/png": "aGk="}),
    "picture (image/svg+xml) has no": with_output(output_type="display_data", data={"image/svg+xml": "<svg/>"}),
    "picture (HTML) has no": with_output(output_type="display_data", data={"text/html": "<img src='x'>"}),
    "path of one machine": with_text("saved to /home/ana/lab/x.png"),
    "path of one machine: C": with_text(r"saved to C:\Users\ana\x.png"),
    "memory address": with_text("<Thing object at 0x7f3a5c2b1d90>"),
    "progress bar": with_output(output_type="stream", name="stderr", text=" 50%|#####     | 1/2"),
}


def test_a_good_notebook_has_no_problems():
    assert problems(good()) == []


def test_the_bootstrap_may_install_on_colab_only():
    node = good()
    with_source(COLAB, cell=1)(node)
    with_source("# NBVAL_CHECK_OUTPUT\nimport labkit\n\nlab = labkit.start()")(node)
    assert problems(node) == []
    for magic in ("%pip", "%cd"):
        wrong = COLAB.replace("    %pip", f"    pass\n{magic}")
        with_source(wrong, cell=1)(node)
        assert problems(node) == [f"code cell 1: it uses the magic {magic}"]


@pytest.mark.parametrize("expected", BAD)
def test_each_rule_finds_the_notebook_that_breaks_it(expected):
    node = good()
    BAD[expected](node)
    found = problems(node)
    assert any(expected.strip() in problem for problem in found), found


def ruff(*paths):
    """Ruff's complaints about files, notebooks included; an empty text if there are none."""
    config = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", "--output-format", "concise", "--quiet")
    return subprocess.run(
        [sys.executable, "-m", "ruff", "check", *config, *map(str, paths)], capture_output=True, text=True, check=False
    ).stdout


def test_ruff_reads_notebooks(tmp_path):
    node = good()
    nbformat.write(node, tmp_path / "good.ipynb")
    assert ruff(tmp_path / "good.ipynb") == ""
    with_source("import os\nprint(undefined)")(node)
    nbformat.write(node, tmp_path / "bad.ipynb")
    complaints = ruff(tmp_path / "bad.ipynb")
    assert "F821" in complaints and "F401" in complaints


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_the_rules(path):
    found = problems(nbformat.read(path, as_version=4))
    assert not found, "\n".join(found)
    assert path.stat().st_size <= LARGEST, f"{path.stat().st_size:,} bytes"
    assert ruff(path) == ""


def test_notebooks_are_numbered():
    assert [path.stem for path in NOTEBOOKS if not re.fullmatch(r"\d\d_\w+", path.stem)] == []
