"""How any synthetic corpus is made: each speaker by one fresh process, the folder whole or not at all.

A corpus says who speaks which texts into which files (`speak`) and adds its own lists (`new_corpus`); see `synthetic`.
The process of a speaker imports this module: it must stay quick to import.
"""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import LabError
from ..files import atomic_folder, cannot_write, need_disk
from . import espeak
from .acoustics import Conditions, Session, stream

GENERATOR = 1  # raise it when the same settings give other bytes
MARKER = "SYNTHETIC.txt"  # base.SYNTHETIC_MARKER, which this module cannot import: it would bring pandas


@dataclass(frozen=True)
class Speaker:
    """One synthetic person: an 8-digit hexadecimal name, a part, and a voice."""

    name: str
    part: str
    voice: espeak.Voice


@contextmanager
def new_corpus(folder, settings, need):
    """Yield a draft folder that becomes `folder`, or None if `folder` already is the corpus of these settings.

    Only one process at a time writes a folder; another waits and then finds it done. What a killed one left is removed.

    Parameters
    ----------
    folder : Path
    settings : dict
        JSON values that decide the bytes; kept in the marker.
    need : float
        Bytes that will be written.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    stamp = json.dumps({"generator": GENERATOR, **settings}, sort_keys=True)
    version = espeak.version()
    if _is_made(folder, stamp):  # no lock, so that a read-only folder can be used
        yield None
        return
    need_disk(folder, need, f"The synthetic corpus {folder.name}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.parent / f".{folder.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"Another program is making {folder}; waiting until it is done.")
            lock.acquire()
    except OSError as error:
        raise cannot_write(folder, error) from error
    with lock:
        lock.release()  # `with` has acquired it a second time
        if _is_made(folder, stamp):
            yield None
            return
        from shutil import rmtree

        for stale in folder.parent.glob(f".{folder.name}.*.partial"):  # we hold the lock: nobody is writing there
            rmtree(stale, ignore_errors=True)
        with atomic_folder(folder) as draft:
            yield draft
            _write(draft / MARKER, _MARKER.format(espeak=version, generator=GENERATOR, stamp=stamp))


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


def speak(folder, jobs, conditions, workers=None, progress=True):
    """Let every speaker say their clips, each speaker in a process of their own.

    Parameters
    ----------
    folder : Path
        Holds the folders that the paths need.
    jobs : dict of Speaker to list of (str, str)
        The path below `folder` and the text of each clip. A clip depends on its path, and on its speaker's clips
        before it, never on other speakers.
    conditions : Conditions
    workers : int, optional
    progress : bool
    """
    from tqdm.auto import tqdm

    running = []
    shown = progress and os.environ.get("LABKIT_BARS") != "off"

    def run(person, clips):
        job = {"folder": str(Path(folder).resolve()), "speaker": asdict(person), "clips": clips}
        espeak.fresh("synthetic", {**job, "conditions": asdict(conditions)}, running.append)
        return len(clips)

    pool = ThreadPoolExecutor(workers or _cores())  # threads only wait; the work is done by the processes
    try:
        with tqdm(total=sum(map(len, jobs.values())), unit="clip", desc="synthetic speech", disable=not shown) as bar:
            for done in as_completed([pool.submit(run, person, clips) for person, clips in jobs.items()]):
                bar.update(done.result())
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:  # after an error or a stop; they may not write any more when the draft is removed
            if process.poll() is None:
                process.kill()
        pool.shutdown()


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main():
    """What the process of one speaker runs."""
    espeak.serve(_record)


def _record(job):
    import numpy as np

    job["speaker"]["voice"] = espeak.Voice(**job["speaker"]["voice"])
    person, conditions = Speaker(**job["speaker"]), Conditions(**job["conditions"])
    folder = Path(job["folder"])
    engine = espeak.Engine()
    engine.use(person.voice)
    session = Session(conditions, stream(conditions.seed, "session", person.name), RATE)
    for path, text in job["clips"]:
        rng = stream(conditions.seed, "clip", path)
        voice = replace(
            person.voice,
            pitch=int(np.clip(rng.normal(person.voice.pitch, conditions.pitch_step), 0, 99)),
            rate=int(np.clip(person.voice.rate * np.exp(rng.normal(0, conditions.rate_step)), 80, 400)),
        )
        text += conditions.endings[rng.integers(len(conditions.endings))]
        speech = _fitting(engine, voice, text, int(rng.integers(1, 2**31 - 1)))
        samples = RATE
        if rng.random() < conditions.short:
            samples = int(max(rng.uniform(0.6, 1.0) * RATE, min(len(speech) + 0.05 * RATE, RATE)))
        start = int((samples - len(speech)) * rng.beta(*conditions.onset))
        write_wav(folder / path, session.record(speech, samples, start, conditions, rng), RATE)
    return b""


def _fitting(engine, voice, text, seed):
    """Speech at `RATE`, said faster where it would last longer than 0.97 s: float64 of shape (samples,)."""
    import numpy as np
    import soxr

    for _ in range(5):
        engine.adjust(voice)
        raw = np.frombuffer(engine.say(text, seed), "<i2").astype(np.float64) / 32768
        speech = soxr.resample(raw, engine.rate, RATE)
        loud = np.flatnonzero(np.abs(speech) > 0.003)
        speech = speech[loud[0] : loud[-1] + 1] if len(loud) else speech[:0]
        if len(speech) <= 0.97 * RATE:
            break
        voice = replace(voice, rate=int(np.ceil(voice.rate * len(speech) / (0.95 * RATE))))
    if not len(speech):
        raise LabError(f"The voice {voice.variant!r} said nothing for {text!r}. Report it: the lab should leave it out.")
    return speech[: int(0.97 * RATE)]


def _int16(sound):
    import numpy as np

    return np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)


def write_wav(path, samples, rate):
    """Write int16 samples (samples,) as a one-channel WAV file."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def _write(path, text):
    Path(path).write_text(text, encoding="utf-8", newline="\n")


_MARKER = """\
These voices are made by a program. Nobody recorded them.
Numbers measured on them show that the code works, not how well it recognises people.

espeak-ng: {espeak}
generator: {generator}
The next line holds the settings; delete this folder to have it made anew.
{stamp}
"""
