"""The house rules that a program can check.

Who may import whom, how long a file may grow, what is never loaded, and that nothing in the repository speaks of the
machine it was written on. Each rule is tried on something that breaks it.
"""

import ast
import functools
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tools.rooms import COUNTED

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "labkit"
# A module imports only from its own room and the rooms before it.
ORDER = "errors files device settings synthetic data features models,published metrics training evaluation experiments"
ORDER += " streaming plots widgets lab,__init__ checks cli,__main__"
RANK = {name: rank for rank, names in enumerate(ORDER.split()) for name in names.split(",")}
LONGEST = 300  # lines of a file
MOST = 12_500
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"}
TEXT = {".py", ".md", ".toml", ".txt", ".lock", ".yml", ".yaml", ".json", ".ipynb", ".csv", ".js", ".css", ""}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def wrong_way(source, place):
    """Rooms later than its own that a module imports from; `place`: its path below labkit, as parts."""
    found = set()
    statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in statements:
        names = [alias.name for alias in node.names]
        if not getattr(node, "level", 0):  # by the package's own name
            names = [getattr(node, "module", None) or name for name in names]
            found |= {(name + ".__init__").split(".")[1] for name in names if name.split(".")[0] == "labkit"}
        elif node.level == len(place):  # from another room, or from the root
            found |= {node.module.split(".")[0]} if node.module else set(names)
    own = RANK[place[0].removesuffix(".py")]
    return sorted(room for room in found if RANK.get(room, RANK["__init__"]) > own)


def unsafe(source):
    """What in a program could run code out of a data file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None) or ""
            for name in [module, *(alias.name for alias in node.names)]:
                if name.split(".")[0] in UNSAFE:
                    yield f"line {node.lineno}: imports {name}"
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("torch.load", "torch.jit.load") or name.endswith(".read_pickle"):
                yield f"line {node.lineno}: calls {name}"
            if any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords):
                yield f"line {node.lineno}: allows pickle"


@functools.cache
def own_words():
    """What would give away this very machine, as patterns; the list is made here, so no file has to name anything."""
    words = {str(ROOT), str(Path.home()), os.path.join(tempfile.gettempdir(), "")}
    words |= {str(ROOT.parent) + os.sep} if len(ROOT.parent.parts) > 1 else set()
    if len(socket.gethostname()) > 7 and socket.gethostname() != "localhost":
        words.add(socket.gethostname())
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    sources = [
        settings.stdout,
        *(value for name, value in os.environ.items() if re.match("PIP_|UV_|HTTPS?_PROXY", name)),
    ]
    for host in re.findall(r"\w+://(?:[^/@\s]*@)?([\w.-]+)", " ".join(sources)):
        if not host.endswith(("pypi.org", "pythonhosted.org", "pytorch.org", "localhost", "127.0.0.1")):
            words.add(host)
    # a part of a longer path is not meant: "/lab/" in "build/lab/"
    return [re.compile(r"(?<![\w./-])" + re.escape(word)) for word in words if len(word) > 4]


def files():
    """All files that are, or would be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git does not list the files here (a copy without its history, or no git)")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_repository_is_small():
    """Few files, pictures and tests apart, and few bytes: records are packed (docs/CONTRIBUTING.md)."""
    counted = [path for path in files() if path.relative_to(ROOT).parts[0] not in ("figures", "tests")]
    assert len(counted) <= 400
    assert sum(path.stat().st_size for path in files()) <= 15e6


@pytest.mark.slow
def test_imports_run_one_way():
    found = {path: wrong_way(path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).parts) for path in modules()}
    assert {path.name: rooms for path, rooms in found.items() if rooms} == {}


@pytest.mark.parametrize(
    "source, place, expected",
    [
        ("from ..training import fit", ("features", "spectral.py"), ["training"]),
        ("def f():\n    from ..features import MFCC", ("data", "folder.py"), ["features"]),
        ("from .. import experiments, errors", ("metrics", "scores.py"), ["experiments"]),
        ("import labkit.widgets.panel", ("data", "audio.py"), ["widgets"]),
        ("from labkit import start", ("data", "audio.py"), ["__init__"]),
        ("from .. import lab", ("widgets", "panel.py"), ["lab"]),
        ("from . import base\nfrom .base import Corpus\nfrom ..errors import LabError", ("data", "a.py"), []),
        ("from ..experiments.run import Run\nimport json", ("streaming", "benchmark.py"), []),
    ],
)
def test_an_import_against_the_flow_is_found(source, place, expected):
    assert wrong_way(source, place) == expected


def test_no_two_files_of_the_package_share_a_name():
    names = [path.stem for path in PACKAGE.rglob("*.*") if "__pycache__" not in path.parts and path.stem != "__init__"]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_the_root_of_the_package_is_small():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_no_file_and_not_the_package_grows_too_long():
    lines = {path: path.read_bytes().count(b"\n") for path in PACKAGE.rglob("*.*") if path.suffix in COUNTED}
    assert {path.name: count for path, count in lines.items() if count > LONGEST} == {}, "it is asking to be two"
    assert sum(lines.values()) <= MOST


def test_nothing_loads_pickle():
    found = {path: list(unsafe(path.read_text(encoding="utf-8"))) for path in modules()}
    assert {path.name: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load('x.pt', weights_only=True)",
        "np.load('x.npy', allow_pickle=True)",
        "pandas.read_pickle('x')",
    ],
)
def test_a_line_that_loads_pickle_is_found(source):
    assert list(unsafe(source))


@pytest.mark.slow
def test_no_file_speaks_of_the_machine_it_was_written_on():
    patterns, found = own_words(), []
    for path in files():
        if path.suffix in TEXT and path.name != "LICENSE":
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in (p.search(text) for p in patterns) if hit]
    assert found == []


def test_the_words_of_a_machine_are_found_where_they_stand_alone():
    text = f"saved to {ROOT / 'build'} and {Path(tempfile.gettempdir()) / 'x'}"
    assert sum(bool(pattern.search(text)) for pattern in own_words()) >= 2
    assert not any(pattern.search(f"see build{ROOT}") for pattern in own_words())


def test_ruff_has_nothing_to_say():
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format", "concise", "labkit", "tests"]
    done = subprocess.run([*command, "notebooks"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_labkit_does_without_torchaudio():
    """Its features are written out, so that any torch will do: torchaudio fits only the one it was built for."""
    wrong = re.compile(r"^\s*(import|from) torchaudio", re.M)
    assert not [path for path in modules() if wrong.search(path.read_text(encoding="utf-8"))]
    assert wrong.search("if here:\n    from torchaudio.functional import create_dct")
