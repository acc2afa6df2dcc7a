"""Break what the lab reads and what it does, in hundreds of ways that one seed decides, and see what it says.

Each fault happens in a process and a folder of its own. What the lab made of it has one of these names:

    named      LabError, or a counted warning, that names the thing
    correct    the result equals the unharmed one, or the documented one
    vague      LabError that does not name the thing
    silent     another result, and not a word
    raw        any other error, or the death of the process
    hang       no answer in time
    damage     once the fault is mended, a later clean run fails or differs
"""

import io
import itertools
import multiprocessing
import random
import resource
import shutil
import sys
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError, LabWarning

CLASSES = ("named", "correct", "vague", "silent", "raw", "hang", "damage")
BAD = CLASSES[3:]  # of these there may be none
LIMIT = 40  # seconds that a fault may take
MEMORY = 3_000_000_000  # bytes that a fault may take, beside what the program has
FORK = multiprocessing.get_context("fork")  # each fault starts with everything imported


@dataclass(frozen=True)
class Fault:
    """One way of breaking something."""

    family: str
    name: str
    act: object  # function of an empty folder and a random.Random: (class, what was said)


def judge(job, names, same=None, mended=None):
    """(class, what was said) of a job that meets a fault.

    `job()` gives its result and the notes it left as text; `names` are words of which one names the thing;
    `same(result)` says whether the result is right without a note; `mended()` takes the fault
    away, after which the job must be right.
    """
    outcome = _judged(job, names, same)
    if mended is not None and outcome[0] not in BAD:
        mended()
        again = _judged(job, names, same)
        if again[0] != "correct":
            return "damage", f"after mending, {again[0]}: {again[1]}; before: {outcome[1]}"
    return outcome


def _judged(job, names, same):
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", LabWarning)
            result, notes = job()
    except LabError as error:
        said = str(error)
        return ("named" if any(name in said for name in names) else "vague"), said
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = [entry for entry in traceback.extract_tb(error.__traceback__) if "labkit" in entry.filename] or [last]
        return "raw", f"{type(error).__name__}: {error} ({Path(where[-1].filename).name}:{where[-1].lineno})"
    said = " ".join([notes, *(str(warning.message) for warning in told if issubclass(warning.category, LabWarning))])
    if any(name in said for name in names):
        return "named", said
    return ("correct", said) if same(result) else ("silent", f"{said} {result}")


def run_all(faults, scratch, seed=0, workers=1, report=lambda line: None):
    """Let every fault happen; a list of (fault, class, what was said, seconds), in order."""
    global _FAULTS
    _FAULTS = faults
    done = []
    places = [Path(scratch) / "faults" / str(number) for number in range(len(faults))]
    with ProcessPoolExecutor(workers, FORK) as pool:
        for fault, outcome in zip(
            faults, pool.map(_guarded, range(len(faults)), places, itertools.repeat(seed)), strict=True
        ):
            done.append((fault, *outcome))
            if outcome[0] in BAD or outcome[0] == "vague":
                report(f"{outcome[0]:8} {fault.family}: {fault.name}: {outcome[1][:300]!r}")
    return done


def _guarded(number, folder, seed):
    """Let one fault happen in a process that may take neither too long nor too much memory."""
    begin, (receive, send) = time.monotonic(), FORK.Pipe(duplex=False)
    folder.mkdir(parents=True)
    process = FORK.Process(target=_child, args=(number, folder, seed, send))
    process.start()
    send.close()
    try:
        outcome = receive.recv() if receive.poll(LIMIT) else ("hang", f"no answer in {LIMIT} s")
    except EOFError:
        process.join()
        outcome = "raw", f"the process died with status {process.exitcode}"
    process.join(5)
    process.kill()
    shutil.rmtree(folder, ignore_errors=True)
    return *outcome, time.monotonic() - begin


def _child(number, folder, seed, send):
    fault = _FAULTS[number]
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            outcome = fault.act(folder, random.Random(f"{seed} {fault.family} {fault.name}"))
        except BaseException as error:
            outcome = (
                "raw",
                f"the campaign itself failed: {type(error).__name__}: {error} {traceback.format_exc()[-400:]}",
            )
    send.send(outcome)


def table(done):
    """A line per family, a column per class, as Markdown."""
    counts = Counter((fault.family, kind) for fault, kind, *_ in done)
    families = list(dict.fromkeys(fault.family for fault, *_ in done))
    lines = ["| family | " + " | ".join(CLASSES) + " | all |", "|---|" + "---:|" * (len(CLASSES) + 1)]
    for family in [*families, None]:
        row = [sum(n for (own, k), n in counts.items() if k == kind and family in (own, None)) for kind in CLASSES]
        lines.append(f"| {family or '**all**'} | " + " | ".join(map(str, [*row, sum(row)])) + " |")
    return "\n".join(lines)


def missed(done):
    """Whether a mark is missed: nothing silent, raw, hanging or damaged."""
    return any(kind in BAD for _, kind, *_ in done)


if sys.platform == "win32":
    raise SystemExit("The campaign forks and kills processes: run it on Linux.")
