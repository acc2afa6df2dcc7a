"""How any synthetic corpus is made: each speaker by a fresh process, the folder whole or not at all."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from ..errors import LabError
from ..files import alone, atomic_folder, need_disk
from . import MARKER, espeak
from .render import RATE, write_wav

GENERATOR = 1  # raise it when the same settings give other bytes


def corpus(
    folder,
    name,
    size,
    plan,
    *,
    seconds=1.0,  # longest clip, and the length of most
    margins=None,  # fewest and most seconds around the speech; clips are then as long as they need to be
    phonemes=False,  # whether texts are in espeak-ng's letters for sounds
    also=None,  # what else decides the bytes, as JSON values by name
    workers=None,  # processes at a time, by default one per core
    progress=True,
):
    """Make a corpus in `folder`, unless it is there already; returns the folder.

    `size` is a dataclass of settings, kept in the marker. `plan(size)` is called only if there is something to make. It
    returns the clips of each speaker, {Speaker: [(path, text), ...]}, and the other files, {path: text or int16
    samples}. A clip depends on its path and on what its speaker said before, never on other speakers.
    """
    folder = Path(folder)
    stamp = json.dumps({"generator": GENERATOR, "corpus": name, **asdict(size), **(also or {})}, sort_keys=True)
    if _is_made(folder, stamp):  # asked before any lock, so that a read-only folder can be used
        return folder
    marker = MARKER_TEXT.format(espeak=espeak.version(), generator=GENERATOR, stamp=stamp)
    clips, files = plan(size)
    paths = [*files, *(path for own in clips.values() for path, _ in own)]
    need_disk(folder, len(paths) * seconds * 2 * RATE, f"The synthetic corpus {folder.name}")
    waiting = f"Another program is making {folder}; waiting until it is done."
    with alone(folder.parent / f".{folder.name}.lock", waiting=waiting):
        if _is_made(folder, stamp):
            return folder
        for stale in folder.parent.glob(f".{folder.name}.*.partial"):  # we hold the lock: nobody writes there
            shutil.rmtree(stale, ignore_errors=True)
        with atomic_folder(folder) as draft:
            for place in {(draft / path).parent for path in paths}:
                place.mkdir(parents=True, exist_ok=True)
            job = {"folder": str(draft.resolve()), "conditions": asdict(size.conditions)}
            job |= {"seconds": seconds, "margins": margins, "phonemes": phonemes}
            _speak(clips, job, workers, progress)
            for path, content in {**files, "LICENSE": LICENSE, MARKER: marker}.items():
                if isinstance(content, str):
                    (draft / path).write_text(content, encoding="utf-8", newline="\n")  # the same on every system
                else:
                    write_wav(draft / path, content)
    return folder


def _is_made(folder, stamp):
    """True if `folder` is this corpus, False if it is absent; anything else in its place is an error."""
    if not folder.exists():
        return False
    marker = folder / MARKER
    if marker.exists() and stamp in marker.read_text(encoding="utf-8").splitlines():
        return True
    what = "was made with other settings or by another version of the lab" if marker.exists() else "is something else"
    raise LabError(f"{folder} should hold synthetic speech, but {what}. Move it away or delete it, and run again.")


def _speak(clips, job, workers, progress):
    """Let every speaker say their clips, each speaker in a process of their own."""
    from tqdm.auto import tqdm

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool = ThreadPoolExecutor(workers or cores)  # its threads only wait for the processes
    hidden = not progress or os.environ.get("LABKIT_BARS") == "off"
    try:
        speaking = {}
        for person, own in clips.items():
            own_job = {**job, "name": person.name, "voice": asdict(person.voice), "clips": own}
            speaking[pool.submit(espeak.fresh, "render", own_job)] = len(own)
        with tqdm(total=sum(speaking.values()), unit="clip", desc="synthetic speech", disable=hidden) as bar:
            for done in as_completed(speaking):
                done.result()
                bar.update(speaking[done])
    finally:  # after an error or a stop, whoever speaks finishes: nobody may write when the draft is removed
        pool.shutdown(cancel_futures=True)


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
