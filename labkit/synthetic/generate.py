"""How any synthetic corpus is made: each speaker by a fresh process, the folder whole or not at all.

`corpus` runs in the student's process, `work` in that of one speaker, where this module must be quick to import.
"""

import json
import os
import shutil
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..errors import LabError
from ..files import alone, atomic_folder, need_disk, writing
from . import MARKER, espeak
from .acoustics import Conditions, Session, stream

GENERATOR = 1  # raise it when the same settings give other bytes
RATE = 16_000  # Hz of every synthetic corpus


def corpus(
    folder,
    name,
    size,
    plan,
    *,
    seconds=1.0,  # longest clip, and the length of most
    margins=None,  # fewest and most seconds around the speech; clips are then as long as they need to be
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
            job = {"folder": str(draft.resolve()), "seconds": seconds, "margins": margins}
            _speak(clips, job | {"conditions": asdict(size.conditions)}, workers, progress)
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

    def speak(person):
        own_job = {**job, "name": person.name, "voice": asdict(person.voice), "clips": clips[person]}
        espeak.fresh("generate", own_job)
        return len(clips[person])

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    hidden = not progress or os.environ.get("LABKIT_BARS") == "off"
    with (
        tqdm(total=sum(map(len, clips.values())), unit="clip", desc="synthetic speech", disable=hidden) as bar,
        # Its threads only wait for processes. After an error or a stop, `map` cancels those that have not begun, and
        # the pool waits for the others: nobody may write when the draft is removed.
        ThreadPoolExecutor(workers or cores) as pool,
    ):
        for count in pool.map(speak, clips):
            bar.update(count)


def work(job):
    """Say the clips of one speaker and record each in the speaker's room; `_speak` writes the job."""
    conditions, person = Conditions(**job["conditions"]), espeak.Voice(**job["voice"])
    longest = round(job["seconds"] * RATE)
    engine = espeak.Engine(person)
    session = Session(conditions, stream(conditions.seed, "session", job["name"]), RATE)
    for path, text in job["clips"]:
        rng = stream(conditions.seed, "clip", path)
        pitch = rng.normal(person.pitch, conditions.pitch_step)
        rate = person.rate * np.exp(rng.normal(0, conditions.rate_step))
        voice = replace(person, pitch=int(np.clip(pitch, 0, 99)), rate=int(np.clip(rate, 80, 400)))
        text += conditions.endings[rng.integers(len(conditions.endings))]
        speech = _speech(engine, text, voice, int(rng.integers(1, 2**31 - 1)), 0.97 * longest)
        if job["margins"]:
            before, after = (int(rng.uniform(*job["margins"]) * RATE) for _ in range(2))
            samples = min(before + len(speech) + after, longest)
            samples += -samples % 160  # an FFT of a prime length takes long
            start = min(before, samples - len(speech))
        else:
            samples = longest
            if rng.random() < conditions.short:
                samples = round(max(rng.uniform(0.6, 1.0) * longest, min(len(speech) + 0.03 * longest, longest)))
            start = int((samples - len(speech)) * rng.beta(*conditions.onset))
        write_wav(Path(job["folder"]) / path, session.record(speech, samples, start, conditions, rng))
    return {}


def _speech(engine, text, voice, seed, longest):
    """Speech without silence around it, said faster where it would be longer than `longest`: float64 (samples,)."""
    import soxr

    for _ in range(6):
        raw = np.frombuffer(engine.say(text, voice, seed), "<i2").astype(np.float64) / 32768
        speech = soxr.resample(raw, engine.rate, RATE)
        loud = np.flatnonzero(np.abs(speech) > 0.003)
        if not len(loud):
            raise LabError(f"The voice {voice} says nothing for {text!r}. Leave it out.")
        speech = speech[loud[0] : loud[-1] + 1]
        if len(speech) <= longest:
            return speech
        voice = replace(voice, rate=min(400, 1 + int(voice.rate * 1.03 * len(speech) / longest)))
    raise LabError(f"{text!r} is too long for {longest / RATE:.2f} s. Choose a shorter text.")


def write_wav(path, samples):
    """Write int16 samples (samples,) as a WAV file of one channel."""
    with writing(path), wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


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
