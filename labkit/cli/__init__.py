"""The commands of `python -m labkit`: each is a module with `add_arguments(parser)` and `main(args) -> int`.

A module is imported only when its command is called, so that `check` starts fast, and runs where torch cannot.
"""

import argparse
import importlib
import os
import sys

from ..errors import LabError, choose
from ..files import home

COMMANDS = {  # name: what it does; its module is NAME_command, or the program in TOOLS
    "check": "is everything a student needs here? Prints [ok] or what to do",
    "lab": "run every notebook into build/, as web pages too",
    "test": "run the tests, notebooks included",
    "download": "fetch a corpus of real recordings, or cut one out of another",
    "sweep": "train what grids of settings describe, choose on validation, test the chosen",
    "results": "show the recorded results as a table, or write them as CSV",
    "students": "a copy of the notebooks to work in; run again after an update, it keeps what was written",
    "grade": "points for students' copies, each in a process with limits",
}
# Those that look at the lab's folder are programs of its tools/, with their first options.
TOOLS = {
    "check": ["check"],
    "lab": ["notebooks", "--build"],
    "test": ["run_tests"],
    "students": ["students"],
    "grade": ["grading"],
}


def main(argv=None):
    """Run one command; returns its exit status (2: a mistake that a student can mend, 130: interrupted)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may lack a letter
    if not argv or argv[0] in ("-h", "--help", "help"):
        print("python -m labkit COMMAND    (COMMAND --help tells more)\n")
        print("\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items()))
        return 0
    name, *rest = argv
    try:
        what = choose(name, COMMANDS, "command")
        if name in TOOLS:
            program, *options = TOOLS[name]
            return tool(program)([*options, *rest]) or 0
        module = importlib.import_module(f".{name}_command", __name__)
        parser = argparse.ArgumentParser(prog=f"python -m labkit {name}", description=what, allow_abbrev=False)
        module.add_arguments(parser)
        return module.main(parser.parse_args(rest)) or 0
    except ModuleNotFoundError as error:
        where = "docs/CLUSTER.md" if error.name in ("dask", "distributed", "submitit") else "`python -m labkit check`"
        print(f"The package {error.name!r} is missing. {where} says what to do.", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. What was complete is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `python -m labkit results | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def tool(name):
    """The main function of a program in `tools/`, which lies beside the notebooks and not in the package."""
    if not (home() / "tools").is_dir():
        raise LabError(f"There are no notebooks in {home() / 'notebooks'}. Run this in the folder of the lab.")
    sys.path.insert(0, str(home()))
    return importlib.import_module(f"tools.{name}").main
