"""How any synthetic corpus is made: each speaker by a fresh process, the folder whole or not at all.

`make` runs in the student's process, `render` in that of one speaker, where this module must be quick to import.
"""

import inspect
import json
import os
import shutil
import wave
from collections import namedtuple
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import soxr

from ..errors import LabError
from ..files import alone, atomic_folder, need_disk, write_text, writing
from . import MARKER, espeak
from .acoustics import Conditions, Session, stream

GENERATOR = 1  # raise it when the same settings give other bytes
RATE = 16_000  # Hz of every synthetic corpus
# name: hexadecimal digits or a number, which says nothing; part: of the corpus, or the gender where it has no parts
Speaker = namedtuple("Speaker", "name part voice")


def speaker(rng, name, part, variant, conditions, languages=espeak.ENGLISH):
    """A synthetic person with this voice variant, and an accent, a pitch and a speed that `rng` draws."""
    language = languages[rng.integers(len(languages))]
    drawn = {name: int(rng.integers(*getattr(conditions, name))) for name in ("pitch", "rate", "range")}
    return Speaker(name, part, espeak.Voice(language, variant, **drawn))


class Size:
    """How much is said in a synthetic corpus: a frozen dataclass of settings, among them `conditions`.

    `plan()` gives the clips of each speaker, {Speaker: [(path, text), ...]}, and other files, {path: text or sound};
    the docstring of its module is a template for README.md.
    """

    corpus = ""  # name of the corpus whose layout it has
    seconds = 1.0  # longest clip, and the length of most
    margins = None  # fewest and most seconds around the speech; clips are then as long as they need to be
    rules = {}  # what else decides the bytes, as JSON values


def make(folder, size, workers=None, progress=True):
    """Make a corpus of a Size in `folder`, unless it is there already; returns the folder.

    A clip depends on its path and on what its speaker said before, never on other speakers. `workers` is the number of
    processes at a time, by default one per core.
    """
    from tqdm.contrib.concurrent import thread_map

    folder = Path(folder)
    stamp = json.dumps({"generator": GENERATOR, "corpus": size.corpus, **asdict(size), **size.rules}, sort_keys=True)
    if _is_made(folder, stamp):  # asked before any lock, so that a read-only folder can be used
        return folder
    version = espeak.load()[0].espeak_Info(None).decode()  # raises where espeak-ng cannot be used
    marker = MARKER_TEXT.format(espeak=version, generator=GENERATOR, stamp=stamp)
    clips, files = size.plan()
    if not clips or not all(clips.values()):
        raise LabError(f"In {folder.name} nobody speaks, or somebody says nothing. Ask for some words and speakers.")
    said = [text for own in clips.values() for _, text in own]
    readme = inspect.getmodule(size).__doc__.format(clips=len(said), speakers=len(clips), words=len(set(said)))
    need_disk(folder, len(said) * size.seconds * 2 * RATE, f"The synthetic corpus {folder.name}")
    with alone(folder.parent / f".{folder.name}.lock", waiting=f"Another program is making {folder}; waiting for it."):
        if _is_made(folder, stamp):
            return folder
        for stale in folder.parent.glob(f".{folder.name}.*.partial"):  # we hold the lock: nobody writes there
            shutil.rmtree(stale, ignore_errors=True)
        with atomic_folder(folder) as draft:
            alike = {"folder": str(draft.resolve()), "seconds": size.seconds, "margins": size.margins}
            alike["conditions"] = asdict(size.conditions)

            def speak(person):
                espeak.fresh(render, name=person.name, voice=asdict(person.voice), clips=clips[person], **alike)

            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            hidden = not progress or os.environ.get("LABKIT_BARS") == "off"
            # The threads only wait for processes. After an error or a stop nobody else begins, and those who speak are
            # waited for: nobody may write when the draft is removed.
            thread_map(speak, clips, max_workers=workers or cores, desc="voices", disable=hidden)
            for path, content in {**files, "README.md": readme, "LICENSE": LICENSE, MARKER: marker}.items():
                write = write_text if isinstance(content, str) else write_wav
                write(draft / path, content)
    return folder


def _is_made(folder, stamp):
    """True if `folder` is this corpus, False if it is absent; anything else in its place is an error."""
    if not folder.exists():
        return False
    if (folder / MARKER).exists() and stamp in (folder / MARKER).read_text(encoding="utf-8").splitlines():
        return True
    what = "is something else, or was made with other settings or by another version of the lab"
    raise LabError(f"{folder} should hold synthetic speech, but {what}. Move it away or delete it, and run again.")


def render(name, voice, clips, folder, seconds, margins, conditions):
    """Say the clips of one speaker, and record each in the speaker's room."""
    conditions, person, longest = Conditions(**conditions), espeak.Voice(**voice), round(seconds * RATE)
    engine = espeak.Engine(person)
    session = Session(conditions, stream(conditions.seed, "session", name), RATE)
    for path, text in clips:
        rng = stream(conditions.seed, "clip", path)
        pitch = rng.normal(person.pitch, conditions.pitch_step)
        rate = person.rate * np.exp(rng.normal(0, conditions.rate_step))
        voice = replace(person, pitch=int(np.clip(pitch, 0, 99)), rate=int(np.clip(rate, 80, 400)))
        text += conditions.endings[rng.integers(len(conditions.endings))]
        speech = _speech(engine, text, voice, int(rng.integers(1, 2**31 - 1)), 0.97 * longest)
        if margins:
            before, after = (int(rng.uniform(*margins) * RATE) for _ in range(2))
            samples = min(before + len(speech) + after, longest)
            samples += -samples % 160  # an FFT of a prime length takes long
            start = min(before, samples - len(speech))
        else:
            samples = longest
            if rng.random() < conditions.short:
                samples = round(max(rng.uniform(0.6, 1.0) * longest, min(len(speech) + 0.03 * longest, longest)))
            start = int((samples - len(speech)) * rng.beta(*conditions.onset))
        write_wav(Path(folder) / path, session.record(speech, samples, start, conditions, rng))


def _speech(engine, text, voice, seed, longest):
    """Speech without silence around it, said faster where it would be longer than `longest`: float64 (samples,)."""
    for _ in range(6):
        raw = np.frombuffer(engine.say(text, voice, seed), "<i2").astype(np.float64) / 32768
        speech = soxr.resample(raw, engine.sample_rate, RATE)
        loud = np.flatnonzero(np.abs(speech) > 0.003)
        if not len(loud):
            raise LabError(f"The voice {voice} says nothing for {text!r}. Leave it out.")
        speech = speech[loud[0] : loud[-1] + 1]
        if len(speech) <= longest:
            return speech
        voice = replace(voice, rate=min(400, 1 + int(voice.rate * 1.03 * len(speech) / longest)))
    raise LabError(f"{text!r} is too long for {longest / RATE:.2f} s. Choose a shorter text.")


def write_wav(path, sound):
    """Write samples between -1 and 1, (samples,), as a WAV file of one channel and 16 bits."""
    samples = np.clip(np.round(sound * 32768), -32768, 32767).astype("<i2")
    with writing(path), wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())


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
