"""Points for many copies, each in a process with limits: what `python -m labkit grade` starts.

What counts is read from the lab's own notebooks: how the checks are called, and every cell that no student changes.
A copy gives its blanks, and what they need. Only those statements run, in `tools.sandbox`, so a copy takes seconds.
Here are the choice of statements, the walls around the process, and the tables: a teacher's, Moodle's and Canvas's.
"""

import argparse
import ast
import csv
import io
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from labkit.errors import LabError
from labkit.files import home, write_text

from .blanks import answers, code_cells, statements, with_answers
from .check import cores
from .execute import find
from .run_tests import set_environment

MEMORY, DISK = 3_000_000_000, 100_000_000  # bytes that one copy may take, and write into one file
PATIENCE, TOO_MUCH_TIME = 4, 24  # seconds on the clock for one of work; the signal of a process that worked too long
LARGEST, SAID = 20_000_000, 1_000_000  # bytes of a notebook that is handed in; letters that a process may write
KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "LABKIT_DATA")  # of the environment: no copy sees the rest
# Linux: a view of the machine without network, all disks read-only, one small folder in memory; locked by a second one.
WALL = """scratch=$1 warm=$2; shift 2
mount -t tmpfs -o size=100m tmpfs "$scratch" && cp -r "$warm"/. "$scratch" || exit 1
while read -r _ place _; do
  place=$(printf '%b' "$place")
  case $place in "$scratch"|/proc*) continue ;; esac
  mount -o remount,bind,ro "$place" 2>/dev/null
done < /proc/self/mounts
cd "$scratch" && unshare --user --map-root-user --mount "$@"
exit $?
"""
UNSHARE = [*"unshare --user --map-root-user --net --mount --pid --fork --kill-child sh -c".split(), WALL, "wall"]


def main(words=None):
    parser = argparse.ArgumentParser(prog="python -m labkit grade", description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="+", type=Path, metavar="WORK", help="a student's folder, or one notebook")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("grades.csv"), help="also .moodle.csv and .canvas.csv"
    )
    parser.add_argument("--notebooks", nargs="+", default=[], help="only these, by name or number; all without")
    parser.add_argument("--seconds", type=int, default=60, help="of work that one notebook of one copy may take (60)")
    args = parser.parse_args(words)
    set_environment(LABKIT_DATA="synthetic")
    labs = {path.stem: [one for cell in code_cells(path) for one in statements(cell)] for path in find(args.notebooks)}
    labs = {name: lab for name, lab in labs.items() if any(one.check for one in lab)}
    texts = {name: answers(name)[0] for name in labs}
    with tempfile.TemporaryDirectory(prefix="labkit-", ignore_cleanup_errors=True) as folder:
        grader = Grader(Path(folder), args.seconds, args.works)
        print(f"Walls: {grader.wall_in_words()}", flush=True)
        for name, lab in labs.items():
            rehearse(grader, name, lab)
        with ThreadPoolExecutor(cores()) as pool:
            jobs = {
                (work, name): pool.submit(grade, grader, work, name, lab, texts[name])
                for work in args.works
                for name, lab in labs.items()
            }
            found = {}
            for work in args.works:  # each row as soon as it is known
                found |= {(work, name): jobs[work, name].result() for name in labs}
                print_row(work, [found[work, name] for name in labs])
    write_grades(args.output, args.works, list(labs), found)
    return 0


def grade(grader, work, name, lab, text):
    """The verdicts on one notebook of a copy: {check: (points, reason)}; `text` is the file of the lab's answers."""
    places = [work, work / f"{name}.ipynb", work / "notebooks" / f"{name}.ipynb"]
    paths = [place for place in places if place.is_file() and place.stem == name][:1]
    translated = work / "notebooks" / "es" / f"{name}.ipynb"
    sources = {one.source for one in lab}
    copy, broken = [], "" if paths else "not handed in"
    for path in [*paths, *([translated] if translated.is_file() else [])]:
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("too large")
            cells = code_cells(path)
        except Exception as error:  # no notebook at all: nbformat raises many kinds
            broken, cells = f"{path.name} is no notebook: {type(error).__name__}", []
        for number, cell in enumerate(cells, 1):
            try:
                copy += [one for one in statements(cell) if path != translated or one.source not in sources]
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                broken = f"code cell {number} is not Python: {error}"
    try:
        found = grader.verdicts(lab, copy, text) if copy else {}
    except Exception as error:  # whatever a copy does costs its own row only
        found, broken = {}, f"it could not be graded: {printable(f'{type(error).__name__}: {error}')[:200]}"
    checks = [step["check"] for step in plan(lab, []) if "check" in step]
    told = {check: found.get(check, (0, broken)) for check in checks}
    return {
        check: (points, f"{why}; {broken}" if broken not in ("", why) and not points else why)
        for check, (points, why) in told.items()
    }


def rehearse(grader, name, lab):
    """Grade the lab's own answers: this machine must give them all points. What is read only once is then at hand."""
    text, known = answers(name)
    right = [
        one
        for cell in code_cells(home() / "notebooks" / f"{name}.ipynb")
        for one in statements(with_answers(cell, known))
    ]
    found = grader.verdicts(lab, right, text, trusted=True)
    if wrong := [f"{check}: {why}" for check, (points, why) in found.items() if text and not points]:
        raise LabError(f"The lab's own answers to {name} fail here ({wrong[0]}). Run `python -m labkit check` first.")


def plan(lab, copy):
    """What to run: the lab's statements, with a copy's own in the place of the blanks, as far as a check needs them."""
    asked = set().union(*(statements(ast.unparse(one.check))[0].uses for one in lab if one.check))
    blanks = {name: place for place, one in enumerate(lab) if one.blank for name in one.binds}
    given = needed([one for one in lab if not one.blank], asked - set(blanks))
    settled = set().union(*(one.binds for one in given)) - set(blanks)  # the lab's names: no copy changes them
    unchanged, own, waiting = {one.source for one in lab if not one.blank}, defaultdict(list), []
    for one in copy:
        if one.source not in unchanged and not one.binds & settled:
            waiting.append(one)
            if places := [blanks[name] for name in one.binds if name in blanks]:
                own[min(places)] += waiting
                waiting = []
    whole = [part for place, one in enumerate(lab) for part in (own[place] if one.blank else [one])]
    kept, steps = needed(whole, asked), []
    for one in whole:
        if one.check and one.source in unchanged:
            call, function, binds = one.check, ast.unparse(one.check.func), one.binds
            given, named = (
                list(map(ast.unparse, call.args)),
                {word.arg: ast.unparse(word.value) for word in call.keywords},
            )
            step = {"check": function.split(".")[-1], "function": function, "given": given, "named": named}
            steps.append({**step, "sets": given[0] if given[0] in binds else None})
        elif one in kept:
            steps.append({"source": one.source})
    return steps


def needed(program, names):
    """The statements that define `names`, and those that define what these use, and so on."""
    names, kept, before = set(names), [], None
    while kept != before:
        before, kept = kept, [one for one in program if one.binds & names and not one.check]
        names |= set().union(*(one.uses for one in kept))
    return kept


class Grader:
    """Runs copies, each in a process with walls around it."""

    def __init__(self, folder, seconds, works):
        self.folder, self.warm, self.seconds = folder, folder / "warm", seconds
        self.warm.mkdir()
        self.hidden = [str(path.resolve()) for path in (home() / "notebooks" / "solutions", home() / ".git", *works)]
        trial = f"! touch {folder}/x && ! touch '{home()}/labkit' && ! mount -o remount,bind,rw / && touch here"
        with suppress(OSError, subprocess.SubprocessError), tempfile.TemporaryDirectory(dir=folder) as scratch:
            command = [*UNSHARE, scratch, self.warm, "sh", "-c", trial]
            self.wall = subprocess.run(command, capture_output=True, timeout=60).returncode == 0

    wall = False  # whether this system lets us build one: many containers do not, nor do macOS and Windows

    def wall_in_words(self):
        if self.wall:
            return "no network and read-only disks (Linux), limits of memory, files and time."
        if sys.platform == "win32":
            return "of Python only: no network, files or programs by their usual names; a limit of time, by the clock."
        return "of Python only: no network, files or programs by their usual names; limits of memory, files and time."

    def verdicts(self, lab, copy, answers, trusted=False):
        """What the checks say of a copy's statements: {check: (points, reason)}. `trusted`: the lab's own answers."""
        word = secrets.token_hex(16)
        limits = {"RLIMIT_DATA": MEMORY, "RLIMIT_FSIZE": DISK, "RLIMIT_CPU": self.seconds, "RLIMIT_CORE": 0}
        imports = "\n".join(one.source for one in lab if "labkit.checks" in one.source and not one.check)
        task = {"word": word, "limits": limits, "imports": imports, "answers": answers, "steps": plan(lab, copy)}
        task["hidden"] = [] if trusted else self.hidden
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as scratch:
            scratch = str(self.warm) if trusted else scratch
            command = [sys.executable, "-m", "tools.sandbox"]
            if self.wall and not trusted:
                command = [*UNSHARE, scratch, str(self.warm), *command]
            elif not trusted:
                shutil.copytree(self.warm, scratch, dirs_exist_ok=True)
            said, ended = self.run(command, scratch, json.dumps(task))
        lines = [json.loads(line.removeprefix(word)) for line in said.splitlines() if line.startswith(word)]
        found = {
            name: (int(points == 1), printable(why)) for name, points, why in reversed(lines)
        }  # the first one counts
        return {step["check"]: found.get(step["check"], (0, ended)) for step in task["steps"] if "check" in step}

    def run(self, command, scratch, task):
        """What a process writes, and how it ended; after its time it is killed with all that it started."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        ones = dict.fromkeys(("LABKIT_THREADS", "OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"), "1")
        folders = dict.fromkeys(
            ("HOME", "USERPROFILE", "TMPDIR", "LABKIT_RESULTS", "LABKIT_FIGURES", "LABKIT_CACHE", "MPLCONFIGDIR"),
            scratch,
        )
        fixed = {"PYTHONPATH": str(home()), "LABKIT_DEVICE": "cpu", "LABKIT_SCALE": "lab", "MPLBACKEND": "agg"}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command,
            cwd=scratch,
            env={**kept, **ones, **folders, **fixed},
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",  # a copy may write anything
            start_new_session=True,
        ) as process:
            start, timer = time.monotonic(), threading.Timer(PATIENCE * self.seconds, kill, [process])
            timer.start()
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(task)
            said = process.stdout.read(SAID)
            if len(said) == SAID:
                kill(process)
            status = process.wait()
            timer.cancel()
        if len(said) == SAID:
            return said, "stopped: it wrote without end"
        if abs(status) % 128 == TOO_MUCH_TIME:
            return said, f"not reached within {self.seconds} seconds of work"
        if time.monotonic() - start >= PATIENCE * self.seconds:
            return said, f"not reached within {PATIENCE * self.seconds} seconds"
        return said, f"the process ended first (status {status})"


def kill(process):
    """End a process, and those of its session."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()


def print_row(work, verdicts):
    """A line of a copy: its points, and the first reason for a lost one."""
    points = [one for each in verdicts for one, _ in each.values()]
    first = next(filter(None, map(reasons, verdicts)), "")[:90]
    print(f"{student(work):<24}{sum(points):>3} of {len(points)}  {first}", flush=True)


def reasons(verdicts):
    """Why points were lost, of the verdicts {check: (points, reason)} on one notebook."""
    return " | ".join(f"{check}: {said}" for check, (points, said) in verdicts.items() if not points)


def write_grades(path, works, notebooks, found):
    """The table, and the same for Moodle (Grades, Import) and Canvas (Gradebook, Import): their columns."""
    most = {name: len(found[works[0], name]) for name in notebooks}
    points = {work: [sum(one for one, _ in found[work, name].values()) for name in notebooks] for work in works}
    why = {work: [reasons(found[work, name]) for name in notebooks] for work in works}
    comments = [f"{name} feedback" for name in notebooks]
    tables = {
        "": [
            ["copy", *notebooks, "points", "of", *comments],
            *([student(work), *points[work], sum(points[work]), sum(most.values()), *why[work]] for work in works),
        ],
        ".moodle": [
            ["Username", *notebooks, *comments],
            *([student(work), *points[work], *why[work]] for work in works),
        ],
        ".canvas": [
            ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *notebooks],
            ["    Points Possible", "", "", "", "", *most.values()],
            *([student(work), "", "", student(work), "", *points[work]] for work in works),
        ],
    }
    for kind, rows in tables.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([[harmless(value) for value in row] for row in rows])
        write_text(path.with_suffix(f"{kind}.csv"), text.getvalue())


def student(work):
    """Who handed in a folder, or one notebook in a folder of theirs: the folder's name."""
    work = work.resolve()
    return work.parent.name if work.is_file() else work.name


def printable(text):
    """A text without what moves a terminal's cursor, or cannot be written."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def harmless(value):
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"{type(error).__name__}: {error}")
