"""Kill a program at random moments, start it again, and compare every byte it made with an undisturbed run's.

    python -m tools.kill generation --times 20      making a synthetic corpus
    python -m tools.kill store --times 20           packing its waveforms
    python -m tools.kill sweep --times 20           training a grid of experiments
    python -m tools.kill workers --times 20         the same in two worker processes

Works where processes can be killed with SIGKILL (Linux, macOS). Even rounds kill the program with all its children;
odd rounds kill the program alone, as a kernel dies that was out of memory, and its children end by themselves.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GENERATE = """
import json, sys
from labkit.synthetic.generate import make
from labkit.synthetic.words import SyntheticSize
make(sys.argv[1], SyntheticSize(**json.loads(sys.argv[2])), workers=2, progress=False)
"""
SMALL = {"speakers": 8, "words": ["yes", "no", "seven"], "noise_seconds": 1.0}
PACK = """
import os, sys
from pathlib import Path
os.environ["LABKIT_CACHE"] = sys.argv[1]
from labkit.data import pieces
from labkit.data.store import open_store
from labkit.data.speech_commands import load
made = Path(sys.argv[1]).parent / "made"  # many short clips, so that there is a middle to be killed in
if not made.exists():
    import numpy, soundfile
    for part in ("validation_list.txt", "testing_list.txt"):
        Path(made.with_suffix(".new")).mkdir(exist_ok=True)
        (made.with_suffix(".new") / part).write_text("")
    (made.with_suffix(".new") / "yes").mkdir()
    for number in range(3000):
        samples = numpy.random.default_rng(number).normal(0, 0.1, 16_000)
        soundfile.write(made.with_suffix(".new") / "yes" / f"{number:08x}_nohash_0.wav", samples, 16_000)
    made.with_suffix(".new").rename(made)
corpus = load(made)
print("ready", flush=True)
pieces.PIECE = 500
open_store(corpus, 8_000, progress=False)
"""
PIECES = 6  # of 3000 clips
SWEEP = """
import json, os, sys
from pathlib import Path
scratch = Path(sys.argv[1]).parent
os.environ |= {"LABKIT_CACHE": str(scratch / "cache"), "LABKIT_THREADS": "1", "LABKIT_BARS": "off"}
import tiny
from labkit.data.store import open_store
from labkit.cli import main
from labkit.data.speech_commands import load
if not (scratch / "tiny").exists():
    tiny.make(scratch / "new" / "tiny").rename(scratch / "tiny")
    open_store(load(scratch / "tiny"), 16_000)
grid = {"base": tiny.quick().to_dict(), "axes": {"recipe.epochs": [4], "recipe.lr": [0.01, 0.003]}, "seeds": [0]}
settings = scratch / f"grid{os.getpid()}.json"
settings.write_text(json.dumps(grid))
print("ready", flush=True)
where = ["--data", str(scratch / "tiny"), "--results", sys.argv[1], "--device", "cpu"]
sys.exit(main(["sweep", str(settings), *where, "--test", "all", *WORKERS]))
"""
MEMBERS = 2
JOBS = {"generation": GENERATE, "store": PACK}
JOBS |= {"sweep": SWEEP.replace("WORKERS", "[]"), "workers": SWEEP.replace("WORKERS", "['--on', 'local:2']")}
FLEETING = ("seconds_per_epoch", "date", "command", "commit", "hash")
SWEEPS = ("sweep", "workers")


def start(folder, size=None, job="generation"):
    """Begin a job in a process (and process group) of its own; returns once it is at work."""
    command = [sys.executable, "-c", JOBS[job], str(folder), json.dumps(size or SMALL)]
    path = os.pathsep.join(
        [str(Path(__file__).resolve().parents[1] / "tests"), os.environ.get("PYTHONPATH", "")]
    )  # the job imports tiny
    environment = os.environ | {"PYTHONPATH": path}
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True, env=environment)
    if job != "generation":
        process.stdout.readline()  # "ready": what comes before is not what is tested
    return process


def finish(folder, size=None, job="generation"):
    """Do a job undisturbed; seconds that it took."""
    process, begin = start(folder, size, job), time.monotonic()
    process.stdout.read()
    assert process.wait() == 0, f"it ended with status {process.returncode}"
    return time.monotonic() - begin


def drafts(folder):
    """What a killed job may leave, and the next one removes."""
    half = ("stores/*/.*.partial", "*/*/.*.partial", "*/*/checkpoint.safetensors")
    return [*folder.parent.glob(f".{folder.name}.*.partial"), *(path for some in half for path in folder.glob(some))]


def looks_finished(folder, job):
    """Whether what a job makes is there, as far as labkit can tell."""
    if job in SWEEPS:
        return len(list(folder.glob("*/*/test.json"))) == MEMBERS
    return folder.exists() if job == "generation" else len(list(folder.glob("stores/*/[!.]*.csv.gz"))) == PIECES


def fingerprint(folder):
    """Hash of all names and bytes below a folder, hidden files and locks apart."""
    whole = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if not path.name.endswith(".lock") and ".partial" not in name and not name.startswith("headers-"):
            content = _lasting(path.read_bytes()) if path.name == "run.json" else path.read_bytes()
            whole.update(f"{name} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]


def _lasting(record):
    """A run's record without what two equal trainings may differ in: when, how fast, and by which command."""
    record = {key: value for key, value in json.loads(record).items() if key not in FLEETING}
    for epoch in record["history"]:
        del epoch["seconds"]
    return json.dumps(record).encode()


def survive_kills(folder, times, seed=0, report=lambda line: None, job="generation"):
    """Kill and restart `times` times; raise AssertionError if a byte differs.

    Returns
    -------
    int
        How many of the kills left a half-made draft behind (which the next start removed).
    """
    folder, rng = Path(folder), random.Random(seed)
    seconds = finish(folder / "reference", job=job)
    expected = fingerprint(folder / "reference")
    made, done, left_drafts = folder / "product", 0, 0
    while done < times:
        process, alone = start(made, job=job), done % 2 == 1
        moment = rng.uniform(0, seconds)
        time.sleep(moment)
        if process.poll() is None:
            (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
            process.wait()
            left = drafts(made)
            found = "a draft" if left else "nothing"
            if looks_finished(made, job):  # it was killed between the last step and its end
                found = "the whole"
                assert fingerprint(made) == expected, "something that looks finished is not"
            finish(made, job=job)
            assert fingerprint(made) == expected, f"other bytes after a kill at {moment:.2f} s"
            assert alone or not drafts(made), "a draft was left behind"
            left_drafts, done = left_drafts + bool(left), done + 1
            report(f"{done:3d}  killed {'alone' if alone else 'all  '} at {moment:5.2f} s, left {found}; same bytes")
        else:
            assert process.returncode == 0, f"it ended by itself with status {process.returncode}"
        shutil.rmtree(made, ignore_errors=True)
    report(f"{times} kills, {left_drafts} left a draft, one fingerprint: {expected} (undisturbed: {seconds:.1f} s)")
    return left_drafts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the moments")
    options = parser.parse_args()
    if not hasattr(os, "killpg"):
        sys.exit("This system has no SIGKILL: run it on Linux or macOS.")
    with tempfile.TemporaryDirectory() as scratch:
        survive_kills(scratch, options.times, options.seed, report=print, job=options.job)
