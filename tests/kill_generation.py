"""Kill the generation of a synthetic corpus at random moments, start it again, and compare every byte.

    python tests/kill_generation.py --times 20

Works where processes can be killed with SIGKILL (Linux, macOS). Even rounds kill the program with all its speakers;
odd rounds kill the program alone, as a kernel dies that was out of memory, and its speakers end by themselves.
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
from labkit.corpora import synthetic
from labkit.corpora.acoustics import Conditions
size = synthetic.SyntheticSize(**json.loads(sys.argv[2]))
synthetic.speech_commands(sys.argv[1], size, workers=2, progress=False)
"""
SMALL = {"speakers": 8, "words": ["yes", "no", "seven"], "noise_seconds": 1.0}


def start(folder, size=None):
    """Begin to make a corpus in a process (and process group) of its own."""
    command = [sys.executable, "-c", GENERATE, str(folder), json.dumps(size or SMALL)]
    return subprocess.Popen(command, start_new_session=True)


def generate(folder, size=None):
    """Make a corpus; seconds that it took."""
    begin = time.monotonic()
    status = start(folder, size).wait()
    assert status == 0, f"the generation ended with status {status}"
    return time.monotonic() - begin


def fingerprint(folder):
    """Hash of all names and bytes below a folder."""
    whole = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]


def survive_kills(folder, times, seed=0, report=lambda line: None):
    """Kill and restart `times` times; raise AssertionError if a byte differs.

    Returns
    -------
    int
        How many of the kills left a half-made draft behind (which the next generation removed).
    """
    folder, rng = Path(folder), random.Random(seed)
    seconds = generate(folder / "reference")
    expected = fingerprint(folder / "reference")
    corpus, round_, drafts = folder / "corpus", 0, 0
    while round_ < times:
        process, alone = start(corpus), round_ % 2 == 1
        moment = rng.uniform(0, seconds)
        time.sleep(moment)
        if process.poll() is None:
            (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
            process.wait()
            left = list(folder.glob(".corpus.*.partial"))
            found = "a draft" if left else "nothing"
            if corpus.exists():  # it was killed between the last step and its end
                found = "the whole corpus"
                assert fingerprint(corpus) == expected, "a corpus that looks finished is not"
            generate(corpus)
            assert fingerprint(corpus) == expected, f"other bytes after a kill at {moment:.2f} s"
            assert alone or not list(folder.glob(".corpus.*.partial")), "a draft was left behind"
            drafts, round_ = drafts + bool(left), round_ + 1
            report(f"{round_:3d}  killed {'alone' if alone else 'all  '} at {moment:5.2f} s, left {found}; same bytes")
        else:
            assert process.returncode == 0, f"the generation ended by itself with status {process.returncode}"
        shutil.rmtree(corpus, ignore_errors=True)
    report(f"{times} kills, {drafts} left a draft, one fingerprint: {expected} (a whole generation: {seconds:.1f} s)")
    return drafts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the moments")
    options = parser.parse_args()
    if not hasattr(os, "killpg"):
        sys.exit("This system has no SIGKILL: run it on Linux or macOS.")
    with tempfile.TemporaryDirectory() as scratch:
        survive_kills(scratch, options.times, options.seed, report=print)
