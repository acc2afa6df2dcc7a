"""`python -m labkit test`: units, contracts, examples in docstrings, and every notebook as a test, in one pytest."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from labkit.files import home

from .check import cores

PATHS = "notebooks tests labkit"  # what is longest comes first (notebooks/conftest.py sorts those)
WORKERS = 2
ENDLESS = 1800  # seconds of processor time: more than any notebook takes
DEFAULTS = {  # of the environment that kernels and tests inherit
    "LABKIT_DATA": "synthetic",
    "LABKIT_SCALE": "lab",
    "LABKIT_BARS": "off",
    "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, whatever else is called python3 on the machine
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger would warn into each notebook
}


def set_environment(**values):
    """Set what kernels and tests inherit; a value that the user set already stays."""
    for name, value in {**DEFAULTS, **values}.items():
        os.environ[name] = os.environ.get(name) or str(value)
    os.environ.pop("MPLBACKEND", None)  # a kernel draws into the notebook


def prepare(**values):
    """Set the environment, and make the synthetic corpora before any notebook runs, so that no cell waits for them."""
    set_environment(**values)
    if os.environ["LABKIT_DATA"] == "synthetic":
        from labkit.data import make_synthetic

        make_synthetic()


def command(rest, quick=False):
    """The pytest command line for the arguments `rest`; pytest takes `PATHS` if none of them is a path."""
    # a notebook's cells share a kernel and a module's tests its fixtures: each stays with one worker (loadscope)
    options = f"--doctest-modules --nbval-lax --nbval-current-env --nbval-cell-timeout={ENDLESS} "
    options += f"-n {WORKERS} --dist loadscope --no-loadscope-reorder"
    chosen = (
        ["-m", "not browser and not slow", "-o", "testpaths=tests labkit"] if quick else ["-o", f"testpaths={PATHS}"]
    )
    return [sys.executable, "-m", "pytest", *options.split(), *chosen, *rest]


def main(words=None):
    handed = "Everything else is handed to pytest: paths (all tests without one), -k NAME, -x, -n 0 ..."
    parser = argparse.ArgumentParser("python -m labkit test", epilog=handed, allow_abbrev=False)
    parser.add_argument(
        "--quick", action="store_true", help="leave out the notebooks, and what is slow or needs a browser"
    )
    args, rest = parser.parse_known_args(words)
    with tempfile.TemporaryDirectory(prefix="labkit-", ignore_cleanup_errors=True) as results:
        # a test means the same whatever the user works with: small, synthetic, and trained anew
        os.environ.update(LABKIT_DATA="synthetic", LABKIT_SCALE="lab", LABKIT_RESULTS=results)
        threads = max(1, cores() // WORKERS)  # so that all workers together do not ask for more cores than there are
        omp = os.environ.get("LABKIT_THREADS") or threads  # numpy, torch and their kernels read it when they start
        figures = Path(results) / "figures"
        prepare(LABKIT_THREADS=threads, OMP_NUM_THREADS=omp, LABKIT_FIGURES=figures)
        return subprocess.run(command(rest, args.quick), cwd=home()).returncode


if __name__ == "__main__":
    sys.exit(main())
