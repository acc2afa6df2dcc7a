"""`python -m labkit grade`: starts `tools/grading.py`, which runs students' copies behind walls and gives points.

It stands there, since a teacher has the lab's folder, and students and their notebooks do not need it.
"""

import os
import subprocess
import sys

from ..files import home

PASSES_ON = True


def add_arguments(parser):
    parser.usage = "python -m labkit grade WORK ... [-o grades.csv] [--notebooks 00 01 ...] [--seconds 60]"


def main(args):
    path = os.pathsep.join(filter(None, (str(home()), os.environ.get("PYTHONPATH"))))
    program = [sys.executable, "-m", "tools.grading", *args.rest]
    return subprocess.run(program, env={**os.environ, "PYTHONPATH": path}).returncode
