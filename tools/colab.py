"""Run notebooks with the packages of Google Colab: `python -m tools.colab [--env FOLDER] [NOTEBOOK ...]`.

Colab has its own, older IPython, ipywidgets, numpy and pandas. They are installed, as tools/colab.txt lists them, into
an environment of their own (build/colab/env, several gigabytes at the first call). Each notebook then runs in its
kernel, in a clone of the last commit, as the first cell of a notebook makes one there. Prints what each took.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from labkit.files import home

from . import execute


def make_environment(folder):
    """The Python of an environment with Colab's packages."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", Path(__file__).with_name("colab.txt")], check=True)
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="by name or number; all without")
    parser.add_argument("--env", type=Path, help="an environment that is there already")
    args = parser.parse_args()
    folder = home() / "build" / "colab"
    python = make_environment(args.env or folder / "env")
    clone = folder / "speech-lab"
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", "--depth", "1", home().as_uri(), clone], check=True)
    kernel = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "Colab"}
    place = folder / "jupyter" / "kernels" / "colab"
    place.mkdir(parents=True, exist_ok=True)
    (place / "kernel.json").write_text(json.dumps({**kernel, "language": "python"}))
    os.environ.update(JUPYTER_PATH=str(folder / "jupyter"), PYTHONPATH=str(clone))  # the cell's %cd does the latter
    os.environ.setdefault("LABKIT_RESULTS", str(folder / "results"))
    shutil.rmtree(os.environ["LABKIT_RESULTS"], ignore_errors=True)
    os.environ.setdefault("LABKIT_FIGURES", str(folder / "figures"))
    os.environ.setdefault("LABKIT_CACHE", str(home() / "data" / ".cache"))
    execute.KERNEL["name"] = "colab"
    data = clone / "data"
    for corpus in home().glob("data/synthetic_*"):  # made once is enough
        (data / corpus.name).symlink_to(corpus)
    paths = [clone / "notebooks" / path.name for path in execute.find(args.notebooks)]
    failed, _ = execute.run_all(paths, lambda path, node, error: None)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
