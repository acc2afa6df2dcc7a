"""The commands of `python -m labkit`: each is a module with `add_arguments(parser)` and `main(args) -> int`.

A module is imported only when its command is called, so that `check` starts fast, and runs where torch cannot.
"""

import argparse
import importlib
import os
import sys

from ..errors import LabError, choose

COMMANDS = {  # name: (module, what it does)
    "check": ("labkit.cli.check_command", "is everything a student needs here? Prints [ok] or what to do"),
    "lab": ("labkit.cli.lab_command", "run every notebook into build/, as web pages too"),
    "test": ("labkit.cli.test_command", "run every test, notebooks included"),
    "notebooks": ("labkit.cli.notebooks_command", "refresh the outputs stored in notebooks/"),
    "download": ("labkit.cli.download_command", "fetch a corpus of real recordings"),
    "sweep": (
        "labkit.cli.sweep_command",
        "train what grids of settings describe, choose on validation, test the chosen",
    ),
    "results": ("labkit.cli.results_command", "show the recorded results as a table, or write them as CSV"),
    "live": (
        "labkit.cli.live_command",
        "how many words a shipped network finds in minutes of sound, and how many nobody said",
    ),
}


def overview():
    """The list of commands, as text."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["python -m labkit COMMAND    (COMMAND --help tells more)", "", *lines])


def load(name):
    """Import the module of one command; LabError if there is none.

    Examples
    --------
    >>> load("chekc")
    Traceback (most recent call last):
    labkit.errors.LabError: There is no command called 'chekc'. Did you mean 'check'? Choose one of: ...
    """
    module, _ = choose(name, COMMANDS, "command")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise LabError(f"{name!r} is not part of this version of the lab. Fetch a newer one (git pull).") from error
        raise LabError(
            f"{name!r} needs the package {error.name!r}, which is not installed. "
            "Run `python -m pip install -r requirements.lock -e .` in the lab's folder."
        ) from error


def main(argv=None):
    """Run one command; returns its exit status (2: a mistake that a student can mend, 130: interrupted)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may lack a letter
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    name, *rest = argv
    try:
        module = load(name)
        parser = argparse.ArgumentParser(
            prog=f"python -m labkit {name}", description=COMMANDS[name][1], allow_abbrev=False
        )
        module.add_arguments(parser)
        if getattr(module, "PASSES_ON", False):  # what this command does not know is for the program that it starts
            args, args.rest = parser.parse_known_args(rest)
        else:
            args = parser.parse_args(rest)
        return module.main(args) or 0
    except LabError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. What was complete is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `python -m labkit results | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
