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
from ..files import alone, atomic_folder, cannot_write, need_disk
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
    folder = Path(folder)
    stamp = json.dumps({"generator": GENERATOR, **settings}, sort_keys=True)
    if _is_made(folder, stamp):  # asked before any lock, so that a read-only folder can be used
        yield None
        return
    version = espeak.version()
    need_disk(folder, need, f"The synthetic corpus {folder.name}")
    waiting = f"Another program is making {folder}; waiting until it is done."
    with alone(folder.parent / f".{folder.name}.lock", waiting=waiting):
        if _is_made(folder, stamp):
            yield None
            return
        for stale in folder.parent.glob(f".{folder.name}.*.partial"):  # we hold the lock: nobody writes there
            shutil.rmtree(stale, ignore_errors=True)
        with atomic_folder(folder) as draft:
            yield draft
            write_lines(draft / MARKER, _MARKER.format(espeak=version, generator=GENERATOR, stamp=stamp))


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


def speak(
    folder, jobs, conditions, *, rate=16_000, seconds=1.0, margins=None, phonemes=False, workers=None, progress=True
):
    """Let every speaker say their clips, each speaker in a process of their own.

    Parameters
    ----------
    folder : Path
        Holds the folders that the paths need.
    jobs : dict of Speaker to list of (str, str)
        The path below `folder` and the text of each clip. A clip depends on its path and on what its speaker said
        before, never on other speakers.
    conditions : Conditions
    rate : int
        Sample rate of the clips, in Hz.
    seconds : float
        Longest clip, and the length of most.
    margins : tuple of (float, float), optional
        Fewest and most seconds before and after the speech; clips are then as long as they need to be.
    phonemes : bool
        Whether texts are written in espeak-ng's letters for sounds.
    workers : int, optional
        Processes at a time; by default one per core.
    progress : bool
        Show a bar (never with LABKIT_BARS=off).
    """
    from tqdm.auto import tqdm

    running = []
    shared = {"folder": str(Path(folder).resolve()), "rate": rate, "seconds": seconds, "conditions": asdict(conditions)}
    shared |= {"margins": margins, "phonemes": phonemes}
    hidden = not progress or os.environ.get("LABKIT_BARS") == "off"

    def run(person, clips):
        espeak.fresh("render", {**shared, "speaker": asdict(person), "clips": clips}, running.append)
        return len(clips)

    pool = ThreadPoolExecutor(workers or _cores())  # threads only wait; the work is done by the processes
    try:
        with tqdm(total=sum(map(len, jobs.values())), unit="clip", desc="synthetic speech", disable=hidden) as bar:
            for done in as_completed([pool.submit(run, person, clips) for person, clips in jobs.items()]):
                bar.update(done.result())
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:  # after an error or a stop: nobody may write when the draft is removed
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

    person = Speaker(**{**job["speaker"], "voice": espeak.Voice(**job["speaker"]["voice"])})
    conditions, rate, longest = Conditions(**job["conditions"]), job["rate"], round(job["seconds"] * job["rate"])
    engine = espeak.Engine()
    engine.use(person.voice)
    session = Session(conditions, stream(conditions.seed, "session", person.name), rate)
    for path, text in job["clips"]:
        rng = stream(conditions.seed, "clip", path)
        voice = replace(
            person.voice,
            pitch=int(np.clip(rng.normal(person.voice.pitch, conditions.pitch_step), 0, 99)),
            rate=int(np.clip(person.voice.rate * np.exp(rng.normal(0, conditions.rate_step)), 80, 400)),
        )
        ending = conditions.endings[rng.integers(len(conditions.endings))]
        said = {"text": text, "ending": ending, "phonemes": job["phonemes"], "seed": int(rng.integers(1, 2**31 - 1))}
        speech = _fitting(engine, voice, said, rate, 0.97 * longest)
        if job["margins"]:
            before, after = (int(rng.uniform(*job["margins"]) * rate) for _ in range(2))
            samples = min(before + len(speech) + after, longest)
            samples += -samples % 160  # an FFT of a prime length takes long
            start = min(before, samples - len(speech))
        else:
            samples = longest
            if rng.random() < conditions.short:
                samples = round(max(rng.uniform(0.6, 1.0) * longest, min(len(speech) + 0.03 * longest, longest)))
            start = int((samples - len(speech)) * rng.beta(*conditions.onset))
        write_wav(Path(job["folder"]) / path, session.record(speech, samples, start, conditions, rng), rate)
    return b""


def _fitting(engine, voice, said, rate, longest):
    """Speech without silence around it, said faster where it would be longer than `longest`: float64 (samples,)."""
    import numpy as np
    import soxr

    for _ in range(6):
        engine.adjust(voice)
        raw = np.frombuffer(engine.say(**said), "<i2").astype(np.float64) / 32768
        speech = soxr.resample(raw, engine.rate, rate)
        loud = np.flatnonzero(np.abs(speech) > 0.003)
        if not len(loud):
            raise LabError(f"The voice {voice} says nothing for {said['text']!r}. Leave it out.")
        speech = speech[loud[0] : loud[-1] + 1]
        if len(speech) <= longest:
            return speech
        voice = replace(voice, rate=min(400, 1 + int(voice.rate * 1.03 * len(speech) / longest)))
    raise LabError(f"{said['text']!r} is too long for {longest / rate:.2f} s. Choose a shorter text.")


def write_wav(path, samples, rate):
    """Write int16 samples (samples,) as a WAV file of one channel."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def write_lines(path, text):
    """Write a text the same way on every system."""
    Path(path).write_text(text, encoding="utf-8", newline="\n")


_MARKER = """\
These voices are made by a program. Nobody recorded them.
Numbers measured on them show that the code works, not how well it recognises people.

espeak-ng: {espeak}
generator: {generator}
The next line holds the settings; delete this folder to have it made anew.
{stamp}
"""
