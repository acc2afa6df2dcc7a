"""The commands of `python -m labkit`: each is a module with `main(args) -> int` and, if need be, `add_arguments`.

A module is imported only when its command is called, so that `check` starts fast, and runs where torch cannot.
"""

import argparse
import importlib
import os
import sys

from ..errors import LabError, choose

COMMANDS = {  # name: what it does; its module is NAME_command
    "check": "is everything a student needs here? Prints [ok] or what to do",
    "lab": "run every notebook into build/, as web pages too",
    "test": "run every test, notebooks included",
    "download": "fetch a corpus of real recordings, or cut one out of another",
    "train": "train one experiment, written as a JSON file",
    "sweep": "train what grids of settings describe, choose on validation, test the chosen",
    "results": "show the recorded results as a table, or write them as CSV",
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
        module = importlib.import_module(f".{name}_command", __name__)
        parser = argparse.ArgumentParser(prog=f"python -m labkit {name}", description=what, allow_abbrev=False)
        if hasattr(module, "add_arguments"):
            module.add_arguments(parser)
        if getattr(module, "PASSES_ON", False):  # what this command does not know is for the program that it starts
            args, args.rest = parser.parse_known_args(rest)
        else:
            args = parser.parse_args(rest)
        return module.main(args) or 0
    except ModuleNotFoundError as error:
        print(f"The package {error.name!r} is missing. `python -m labkit check` says what to do.", file=sys.stderr)
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
