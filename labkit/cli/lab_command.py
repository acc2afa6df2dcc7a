"""`python -m labkit lab`: run every notebook into build/, as web pages too, and say where to look."""

import subprocess
import sys

from ..errors import LabError
from ..files import home


def add_arguments(parser):
    parser.add_argument("notebooks", nargs="*", help="only these, by name or number (03); all without")


def main(args):
    if not (home() / "tools").is_dir():  # what executes notebooks lies beside them, not in the package
        raise LabError(f"There are no notebooks in {home() / 'notebooks'}. Run this in the folder of the lab.")
    return subprocess.run([sys.executable, "-m", "tools.notebooks", "--build", *args.notebooks], cwd=home()).returncode
