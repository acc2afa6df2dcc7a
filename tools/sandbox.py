"""The process in which one copy's code runs: `python -m tools.sandbox`, started by `tools.grading`.

It reads a task on its input and writes a verdict for each check, marked with a word that only the grader knows. What a
copy meets here are walls of Python: they stop accidents and plain mischief (docs/TEACHING.md says what they do not).
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

REFUSED = "socket.connect socket.bind socket.sendto socket.getaddrinfo subprocess.Popen os.system os.exec os.fork"
REFUSED = {*REFUSED.split(), "os.forkpty", "os.posix_spawn", "os.spawn", "os.kill", "os.startfile"}
CHANGES = {f"os.{name}" for name in "remove rename rmdir mkdir truncate chmod chown link symlink utime".split()}
WATCHED = "builtins math numpy pandas scipy.fft torch torch.autograd torch.nn torch.nn.functional".split()


def main():
    task = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for stream in (0, 1, 2):  # what the copy prints goes nowhere
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    with suppress(ImportError):  # there is none on Windows
        import resource

        for name, most in task["limits"].items():
            last = most + 5 if name == "RLIMIT_CPU" else most  # of time: first a signal, then the end
            resource.setrlimit(getattr(resource, name), (most, last))
    checks, known = {}, {}
    exec(task["imports"], checks)  # both before any of the copy's code
    exec(task["answers"], known)
    guard(Path.cwd(), [Path(path) for path in task["hidden"]])
    for told in judge(task["steps"], checks, known):
        out.write(f"{task['word']} {json.dumps(told)}\n")
        out.flush()


def judge(steps, checks, known):
    """Run a copy's statements, and yield the verdict of each check: its name, the points, why."""
    before, names, failed = watched(), {"__name__": "__main__"}, ""
    for step in steps:
        if "source" in step:
            try:
                exec(step["source"], names)
            except BaseException as error:  # whatever it is: the next answer may be right
                failed = f"; {step['source'].splitlines()[0]} fails: {type(error).__name__}: {error}"
            continue
        points, why = verdict(step, checks, names, failed)
        if changed := [name for name, value in watched().items() if replaced(before.get(name, value), value)]:
            points, why = 0, f"the copy replaced {changed[0]}, which the checks rest on"
        if not points and step["sets"] in known:
            names[step["sets"]] = known[step["sets"]]  # a mistake costs one point: the next blank may need this one
        yield step["check"], points, why[:300]


def verdict(step, checks, names, failed):
    """Points and a reason: the lab's check, called as the lab's notebook calls it, on what the student made."""
    from labkit.checks import Wrong

    function = eval(step["function"], checks).__wrapped__  # it raises, where the check itself prints
    try:
        given = [eval(source, names) for source in step["given"]]
        function(*given, **{name: eval(source, names) for name, source in step["named"].items()})
    except Wrong as mistake:
        return 0, str(mistake)
    except BaseException as error:
        return 0, f"{type(error).__name__}: {error}{failed}"
    return 1, "right"


def guard(scratch, hidden):
    """From now on Python refuses the network, other programs, and files outside of `scratch` (but for reading)."""

    def inside(path, *folders):
        path = Path(os.path.realpath(os.fsdecode(path)))
        return path == Path(os.devnull) or any(path.is_relative_to(folder) for folder in folders)

    def hook(event, given):
        refused = event in REFUSED
        if event in CHANGES or event == "open" and not isinstance(given[0], int):  # an int: a file that is open
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
            reads = event == "open" and not given[2] & writes
            refused = inside(given[0], *hidden) if reads else not inside(given[0], scratch)
        if refused:
            raise PermissionError(f"a copy that is graded may not use {event} {given[0] if event in CHANGES else ''}")

    sys.addaudithook(hook)  # there is no way to take it off again


def watched():
    """What the checks rest on, of labkit, PyTorch, NumPy and Python: {name: a function and its code}."""
    found = {}
    for module in [name for name in sys.modules if name in WATCHED or name.startswith("labkit.")]:
        places = {module: vars(sys.modules[module])}
        places |= {f"{module}.{name}": vars(kind) for name, kind in places[module].items() if isinstance(kind, type)}
        for place, inside in places.items():
            functions = {name: value for name, value in inside.items() if callable(value)}
            found |= {f"{place}.{name}": (it, getattr(it, "__code__", None)) for name, it in functions.items()}
    return found


def replaced(before, after):
    """Is a function another one now, and not one of PyTorch's own files, which wraps some when it needs them?"""
    own = getattr(after[1], "co_filename", "").startswith(os.path.dirname(sys.modules["torch"].__file__))
    return not own and (before[0] is not after[0] or before[1] is not after[1])


if __name__ == "__main__":
    main()
