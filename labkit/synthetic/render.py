"""The process of one speaker: it says their clips, records each in the speaker's room, and writes WAV files.

It must stay quick to import, since it runs once for each speaker.
"""

import json
import sys
import wave
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import LabError
from ..files import cannot_write
from . import espeak
from .acoustics import Conditions, Session, stream

RATE = 16_000  # Hz of every synthetic corpus


@dataclass(frozen=True)
class Speaker:
    """One synthetic person: a name that says nothing, a part or a gender, and a voice."""

    name: str
    part: str
    voice: espeak.Voice


@dataclass(frozen=True)
class Manner:
    """How long the clips of a corpus are, and what its texts are written in."""

    seconds: float = 1.0  # longest clip, and the length of most
    margins: tuple = ()  # fewest and most seconds around the speech; clips are then as long as they need to be
    phonemes: bool = False  # whether texts are written in espeak-ng's letters for sounds


def render(person, clips, common):
    """Let one speaker say their clips, (path, text) each, in a process of their own.

    `common` holds what all speakers share: the folder that the paths lie below, Conditions and Manner as dicts.
    """
    espeak.fresh("render", {**common, "speaker": asdict(person), "clips": clips})


def main():
    """The other end of `render`."""
    job = json.load(sys.stdin)
    person = Speaker(**job["speaker"] | {"voice": espeak.Voice(**job["speaker"]["voice"])})
    try:
        _record(Path(job["folder"]), person, job["clips"], Conditions(**job["conditions"]), Manner(**job["manner"]))
    except OSError as error:
        espeak.fail(cannot_write(job["folder"], error))
    except LabError as error:
        espeak.fail(error)


def _record(folder, person, clips, conditions, manner):
    longest = round(manner.seconds * RATE)
    engine = espeak.Engine()
    engine.use(person.voice)
    session = Session(conditions, stream(conditions.seed, "session", person.name), RATE)
    for path, text in clips:
        rng = stream(conditions.seed, "clip", path)
        pitch = rng.normal(person.voice.pitch, conditions.pitch_step)
        rate = person.voice.rate * np.exp(rng.normal(0, conditions.rate_step))
        voice = replace(person.voice, pitch=int(np.clip(pitch, 0, 99)), rate=int(np.clip(rate, 80, 400)))
        ending = conditions.endings[rng.integers(len(conditions.endings))]
        said = {"text": text, "ending": ending, "phonemes": manner.phonemes, "seed": int(rng.integers(1, 2**31 - 1))}
        speech = _speech(engine, voice, said, 0.97 * longest)
        if manner.margins:
            before, after = (int(rng.uniform(*manner.margins) * RATE) for _ in range(2))
            samples = min(before + len(speech) + after, longest)
            samples += -samples % 160  # an FFT of a prime length takes long
            start = min(before, samples - len(speech))
        else:
            samples = longest
            if rng.random() < conditions.short:
                samples = round(max(rng.uniform(0.6, 1.0) * longest, min(len(speech) + 0.03 * longest, longest)))
            start = int((samples - len(speech)) * rng.beta(*conditions.onset))
        write_wav(folder / path, session.record(speech, samples, start, conditions, rng))


def _speech(engine, voice, said, longest):
    """Speech without silence around it, said faster where it would be longer than `longest`: float64 (samples,)."""
    import soxr

    for _ in range(6):
        engine.adjust(voice)
        raw = np.frombuffer(engine.say(**said), "<i2").astype(np.float64) / 32768
        speech = soxr.resample(raw, engine.rate, RATE)
        loud = np.flatnonzero(np.abs(speech) > 0.003)
        if not len(loud):
            raise LabError(f"The voice {voice} says nothing for {said['text']!r}. Leave it out.")
        speech = speech[loud[0] : loud[-1] + 1]
        if len(speech) <= longest:
            return speech
        voice = replace(voice, rate=min(400, 1 + int(voice.rate * 1.03 * len(speech) / longest)))
    raise LabError(f"{said['text']!r} is too long for {longest / RATE:.2f} s. Choose a shorter text.")


def write_wav(path, samples):
    """Write int16 samples (samples,) as a WAV file of one channel."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
