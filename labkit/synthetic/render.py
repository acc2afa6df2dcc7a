"""What the process of one speaker does: say their clips, record each in the speaker's room, write WAV files.

It must stay quick to import, since it runs once for each speaker.
"""

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import LabError
from ..files import cannot_write
from . import espeak
from .acoustics import Conditions, Session, stream

RATE = 16_000  # Hz of every synthetic corpus


def work(job):
    """Make the clips of one speaker; `generate.corpus` writes the job."""
    conditions, person = Conditions(**job["conditions"]), espeak.Voice(**job["voice"])
    longest = round(job["seconds"] * RATE)
    engine = espeak.Engine()
    engine.use(person)
    session = Session(conditions, stream(conditions.seed, "session", job["name"]), RATE)
    for path, text in job["clips"]:
        rng = stream(conditions.seed, "clip", path)
        pitch = rng.normal(person.pitch, conditions.pitch_step)
        rate = person.rate * np.exp(rng.normal(0, conditions.rate_step))
        voice = replace(person, pitch=int(np.clip(pitch, 0, 99)), rate=int(np.clip(rate, 80, 400)))
        ending = conditions.endings[rng.integers(len(conditions.endings))]
        said = {"text": text, "ending": ending, "phonemes": job["phonemes"], "seed": int(rng.integers(1, 2**31 - 1))}
        speech = _speech(engine, voice, said, 0.97 * longest)
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
        clip = session.record(speech, samples, start, conditions, rng)
        try:
            write_wav(Path(job["folder"]) / path, clip)
        except OSError as error:
            raise cannot_write(job["folder"], error) from error
    return {}


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
