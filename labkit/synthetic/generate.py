"""How any synthetic corpus is made: each speaker by a fresh process, the folder whole or not at all."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from ..errors import LabError
from ..files import alone, atomic_folder, cannot_write, need_disk
from . import MARKER, espeak
from .render import RATE, Manner, render, write_wav

GENERATOR = 1  # raise it when the same settings give other bytes


def corpus(folder, settings, plan, conditions, manner=None, workers=None, progress=True):
    """Make a corpus in `folder`, unless it is there already; returns the folder.

    `settings` are JSON values that decide the bytes; they are kept in the marker. `plan()` is called only if there is
    something to make. It returns the clips of each speaker, {Speaker: [(path, text), ...]}, and the other files,
    {path: text or int16 samples}. A clip depends on its path and on what its speaker said before, never on others.
    `workers` processes run at a time (by default one per core); `progress` shows a bar, unless LABKIT_BARS=off.
    """
    folder, manner = Path(folder), manner or Manner()
    stamp = json.dumps({"generator": GENERATOR, **settings}, sort_keys=True)
    if _is_made(folder, stamp):  # asked before any lock, so that a read-only folder can be used
        return folder
    version = espeak.version()
    clips, files = plan()
    files["LICENSE"] = LICENSE
    most = sum(map(len, clips.values())) * manner.seconds * 2 * RATE  # bytes
    need_disk(folder, most, f"The synthetic corpus {folder.name}")
    waiting = f"Another program is making {folder}; waiting until it is done."
    with alone(folder.parent / f".{folder.name}.lock", waiting=waiting):
        if _is_made(folder, stamp):
            return folder
        for stale in folder.parent.glob(f".{folder.name}.*.partial"):  # we hold the lock: nobody writes there
            shutil.rmtree(stale, ignore_errors=True)
        with atomic_folder(folder) as draft:
            for path in [*files, *(path for own in clips.values() for path, _ in own)]:
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
            for path, content in files.items():
                if isinstance(content, str):
                    _write_lines(draft / path, content)
                else:
                    write_wav(draft / path, content)
            _speak(draft, clips, conditions, manner, workers, progress)
            _write_lines(draft / MARKER, MARKER_TEXT.format(espeak=version, generator=GENERATOR, stamp=stamp))
    return folder


def _is_made(folder, stamp):
    """True if `folder` is this corpus, False if it is absent; anything else in its place is an error."""
    if not folder.exists():
        return False
    try:
        text = (folder / MARKER).read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"{folder} exists and is no synthetic corpus. Move it away, or choose another folder with LABKIT_DATA."
        ) from error
    if stamp in text.splitlines():
        return True
    raise LabError(
        f"{folder} was made with other settings or by another version of the lab. Delete that folder and run again: "
        "it is made anew in less than a minute at scale lab."
    )


def _speak(folder, clips, conditions, manner, workers, progress):
    """Let every speaker say their clips, each speaker in a process of their own."""
    from tqdm.auto import tqdm

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool = ThreadPoolExecutor(workers or cores or 1)  # its threads only wait for the processes
    hidden = not progress or os.environ.get("LABKIT_BARS") == "off"
    common = {"folder": str(folder.resolve()), "conditions": asdict(conditions), "manner": asdict(manner)}
    try:
        jobs = {pool.submit(render, person, own, common): len(own) for person, own in clips.items()}
        with tqdm(total=sum(jobs.values()), unit="clip", desc="synthetic speech", disable=hidden) as bar:
            for job in as_completed(jobs):
                job.result()
                bar.update(jobs[job])
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:  # after an error or a stop, whoever speaks finishes: nobody may write when the draft is removed
        pool.shutdown(cancel_futures=True)


def _write_lines(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")  # the same on every system


MARKER_TEXT = """\
These voices are made by a program. Nobody recorded them.
Numbers measured on them show that the code works, not how well it recognises people.

espeak-ng: {espeak}
generator: {generator}
The next line holds the settings; delete this folder to have it made anew.
{stamp}
"""
LICENSE = """\
These sounds were made by labkit with espeak-ng and contain no recordings of people. espeak-ng is licensed under the
GNU GPL version 3; that covers the program, not what it says. The lab claims no rights in the sounds (CC0 1.0).
"""
