"""`python -m labkit check`: is everything here that a student needs? Each line is [ok], or [mend] and what to do.

It has to work exactly where something is broken: each look is guarded, and nothing heavy is imported at the start.
"""

import argparse
import math
import os
import platform
import shutil
import sys
import time
from collections import deque
from contextlib import suppress
from functools import partial
from importlib import import_module, metadata
from pathlib import Path

import labkit as package
from labkit.errors import LabError
from labkit.files import commit, home

PYTHONS = ((3, 11), (3, 13))  # oldest and newest
DISK = MEMORY = 2e9  # bytes: synthetic corpora, stores and results; the largest notebook at scale "lab"
TRIED = 100  # clips that are decoded to find out how long all will take
INSTALL = "run `python -m pip install -r requirements.lock -e .` in the lab's folder"


def main(words=None):
    parser = argparse.ArgumentParser("python -m labkit check", description=__doc__.splitlines()[0])
    parser.add_argument("--data", metavar="FOLDER", help="say what a corpus needs instead, before anything is built")
    args = parser.parse_args(words)
    if args.data:
        return needs(Path(args.data))
    bad = 0
    for name, look, mend in LOOKS:
        try:
            print(f"[ok] {name}: {look()}", flush=True)
        except Exception as error:  # whatever it is, the student needs the mend and not a stack
            kind = "" if isinstance(error, LabError) else f"{type(error).__name__}: "
            print(f"[mend] {name}: {kind}{str(error).strip().partition(chr(10))[0]}: {mend}", flush=True)
            bad += 1
    done = "Everything is here. Next: `python -m jupyter lab notebooks`, and open 00_from_scratch."
    again = f"{bad} to mend, from the top: one often mends the next. Then run `python -m labkit check` again."
    print(f"\n{again if bad else done}")
    return int(bad > 0)


def python(version=sys.version_info[:3]):
    name = ".".join(map(str, version))
    if not PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        raise LabError(f"the lab does not run on {name}")
    return f"{name} on {platform.platform()}, at {sys.executable}"


def packages(folder=None):
    """Compare what is installed with each line of requirements.txt."""
    from packaging.requirements import Requirement

    path = (folder or home()) / "requirements.txt"
    if not path.exists():
        return "requirements.txt is not here, so their versions were not compared"
    fine, wrong = [], []
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    for wanted in map(Requirement, filter(None, lines)):
        installed = None
        with suppress(metadata.PackageNotFoundError):
            installed = metadata.version(wanted.name)
        if installed and wanted.specifier.contains(installed, prereleases=True):
            fine.append(f"{wanted.name} {installed}")
        elif not wanted.marker or wanted.marker.evaluate():
            wrong.append(f"{wanted} ({installed or 'none'} is here)")
    if wrong:
        raise LabError(f"the lab needs {', '.join(wrong)}")
    return ", ".join(fine)


def labkit():
    """Would a notebook import labkit from this folder?"""
    here, expected = Path(package.__file__).resolve().parent, home() / "labkit"
    if expected.is_dir() and here != expected.resolve():
        raise LabError(f"it is installed from {here}, not from this folder")
    return f"{package.__version__}, commit {commit() or 'not known'}"


def torch():
    """Which device does torch compute on?"""
    from labkit.device import device_name, settle

    device = settle()
    count = import_module("torch").get_num_threads()
    if count > cores():
        raise LabError(f"it uses {count} threads on {cores()} cores, which slows it down. Set LABKIT_THREADS to 1")
    unused = device.type == "cpu" and shutil.which("nvidia-smi")
    hint = ", although there seems to be an NVIDIA GPU: see the README, CPU-only and back" if unused else ""
    return f"{import_module('torch').__version__}, on {device_name(device)} with {cores()} cores{hint}"


def cores():
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def espeak():
    """Does espeak-ng, which speaks the synthetic corpora, find its voices and speak?"""
    from labkit.synthetic.espeak import say, variants

    say("seven")
    return f"it speaks, with {len(variants())} voice variants"


def enough(what, needed):
    """Is enough of the disk, or of the memory, free?"""
    free = shutil.disk_usage(home()).free if what == "disk" else import_module("psutil").virtual_memory().available
    if free < needed:
        raise LabError(f"{free / 1e9:.1f} GB free, {needed / 1e9:.0f} GB needed")
    return f"{free / 1e9:.1f} GB free"


def corpora():
    """Which corpora are there? None is fine: the synthetic ones are made when they are needed."""
    from labkit.data import data_folder, found

    folder = data_folder()
    if os.environ.get("LABKIT_DATA") and not folder.is_dir():
        raise LabError(f"LABKIT_DATA is {folder}, which is no folder")
    nothing = f"none in {folder} yet; synthetic speech is made when needed (real: `python -m labkit download`)"
    return ", ".join(found()) or nothing


def jupyter():
    """Would Jupyter start its "python3" kernel with this very Python?"""
    import_module("jupyterlab")
    program = import_module("jupyter_client.kernelspec").KernelSpecManager().get_kernel_spec("python3").argv[0]
    # Jupyter replaces a bare "python" by the Python that it runs with; python and python3 of one folder are one
    if os.path.isabs(program) and not os.path.samefile(os.path.dirname(program), os.path.dirname(sys.executable)):
        raise LabError(f"its kernel python3 is another Python ({program})")
    return "JupyterLab, and a kernel with this Python"


def needs(folder):
    """Print what a corpus needs of disk, time and memory, before its waveform store is built."""
    from labkit.data import read
    from labkit.data.audio import decode
    from labkit.data.store import store_folder
    from labkit.device import room, settle
    from labkit.features import MFCC

    corpus, limit = read(folder), room(settle()) / 1e9
    clips, rate, place = corpus.clips, corpus.sample_rate, store_folder(corpus, corpus.sample_rate)
    print(corpus, *(f"note: {note}" for note in corpus.skipped), sep="\n")
    some, began = clips.sample(min(len(clips), TRIED), random_state=0), time.perf_counter()
    deque(decode(corpus.root, list(some.path), rate), 0)
    minutes = (time.perf_counter() - began) * clips.seconds.sum() / some.seconds.sum() / 60
    store, there = 2e-9 * rate * clips.seconds.sum(), sum(file.stat().st_size for file in place.glob("*.int16")) / 1e9
    free = shutil.disk_usage(next(above for above in place.parents if above.exists())).free / 1e9
    table = clips.memory_usage(deep=True).sum() / 1e9
    features = 4e-9 * len(clips) * math.prod(MFCC(sample_rate=rate).shape)
    print(f"clips: {len(clips):,} of {clips.speaker.nunique():,} speakers, {clips.seconds.sum() / 3600:,.2f} hours")
    print(f"waveform store: {store:,.2f} GB of all, {there:,.2f} GB are there and {free:,.0f} GB free ({place})")
    print(f"time: {minutes:,.1f} minutes to build it here (as {len(some)} clips took that were decoded now)")
    print(f"memory: {table:,.2f} GB of table, {features:,.2f} GB of MFCCs of a second (in a file beyond {limit:,.1f})")
    print(f"A run builds only what it chooses: 1,000 clips are {1000 * store / len(clips):,.2f} GB.")
    if full := store - there > free / 1.1:
        print("[mend] disk: too full for all clips: train on fewer (clips_per_label), or set LABKIT_CACHE to another")
    return int(full)


LOOKS = (  # name, what is looked at, and the mend if that fails; cheap ones first
    ("Python", python, "install Python 3.11, 3.12 or 3.13 and make .venv anew with it"),
    ("packages", packages, INSTALL),
    ("labkit", labkit, "run `python -m pip install --no-deps -e .` in the lab's folder"),
    ("torch", torch, f"if it cannot be loaded, {INSTALL}"),
    ("torchaudio", lambda: import_module("torchaudio").__version__, f"it needs the torch it was built for: {INSTALL}"),
    ("soundfile", lambda: import_module("soundfile").__version__, INSTALL),
    ("espeak-ng", espeak, "run `python -m pip install --force-reinstall espeakng-loader`"),
    ("disk", partial(enough, "disk", DISK), "free some, or point LABKIT_CACHE to another disk"),
    ("memory", partial(enough, "memory", MEMORY), "close other programs and kernels"),
    ("corpora", corpora, "mend the packages above, and set LABKIT_DATA to a folder, or unset it"),
    ("Jupyter", jupyter, f"{INSTALL}, then `python -m ipykernel install --sys-prefix`"),
)


if __name__ == "__main__":
    sys.exit(main())
