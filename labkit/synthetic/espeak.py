"""espeak-ng, a program that speaks, driven through ctypes.

The PyPI package espeakng-loader brings the library and its voices (GPL-3; the lab depends on it and does not ship it).
What espeak-ng says depends a little on what it said before. To get the same bytes each time, start a fresh process for
each speaker (`fresh`), say everything in a fixed order, and seed each clip.
"""

import ctypes
import json
import os
import re
import struct
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from ..errors import LabError, choose
from ..files import digest

ENGLISH = "en-us en-us-nyc en en-gb-x-rp en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-029".split()
SYNCHRONOUS, DO_NOT_EXIT, TELL_PHONEMES, UTF8, PHONEMES = 2, 0x8000, 1, 1, 0x100  # of espeak-ng's speak_lib.h
PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}  # their numbers there
# espeak_EVENT there: type, three numbers of the place in the text, millisecond, sample, pointer, name of the phoneme.
# A list of events ends with type 0; type 7 says that a phoneme begins.
EVENT, END, PHONEME = struct.Struct("6iP8s"), 0, 7
# Voice variants that are effects rather than people: a model trained on all others mistakes most of their words.
LEFT_OUT = "Alicia Demonic Lee kaukovalta norbert shelby zac".split()
# Variants that share most lines of their files with another one, so that no tested voice has a twin that was trained
# on; and two whispers: without a voice, half of the consonants are gone.
TWINS = (
    "Gene2 Henrique Hugo RicishayMax RicishayMax3 Tweaky anikaRobot edward2 iven3 iven4 john michel miguel robosoft4 "
    "robosoft5 robosoft6 robosoft8 steph3 whisper whisperf"
).split()
MISSING = (
    "Synthetic speech needs espeak-ng, and it cannot be used here: {}. Everything else works with real recordings. "
    "Run `python -m pip install espeakng-loader`, or `python -m labkit download speech_commands` (2.4 GB)."
)


@dataclass(frozen=True)
class Voice:
    """A way of speaking."""

    language: str = "en-us"  # language or accent of espeak-ng, such as those in `ENGLISH`
    variant: str = ""  # one of `variants()`; "" is the plain voice
    pitch: int = 50  # 0 to 99
    rate: int = 175  # words a minute, 80 to 400
    range: int = 50  # how much the pitch moves, from 0 (monotone) to 99


def load():
    """espeak-ng's library, and the folder that holds espeak-ng-data."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        library.espeak_Info.restype = library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        return library, Path(espeakng_loader.get_data_path()).parent
    except Exception as error:  # absent, without its data, made for another system: the loader raises what it likes
        raise LabError(MISSING.format(error)) from error


def variants():
    """All voice variants, sorted, and the gender that espeak-ng gives each: "female", "male" or ""."""
    genders = {}
    for path in sorted((load()[1] / "espeak-ng-data" / "voices" / "!v").iterdir()):
        line = re.search(r"^gender +(\w+)", path.read_text("utf-8", errors="replace"), re.MULTILINE | re.IGNORECASE)
        genders[path.name] = line[1].lower() if line else ""
    return genders


def voices(without=(*LEFT_OUT, *TWINS)):
    """Voice variants, by default no two of them near copies, in an order that says nothing."""
    return sorted(set(variants()) - set(without), key=lambda name: digest(name.encode()))


class Engine:
    """espeak-ng within this process, with one voice: say everything, and let the process end."""

    def __init__(self, voice):
        self._library, folder = load()
        # espeak-ng keeps at most 160 bytes of path and, on Windows, only some letters: so it gets "." from inside.
        os.chdir(folder)
        self.sample_rate = self._library.espeak_Initialize(SYNCHRONOUS, 0, b".", DO_NOT_EXIT | TELL_PHONEMES)  # Hz
        if self.sample_rate <= 0:
            raise LabError(MISSING.format(f"espeak-ng refuses to start (status {self.sample_rate})"))
        signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._callback = signature(self._receive)  # kept, or it would be collected while C still calls it
        self._library.espeak_SetSynthCallback(self._callback)
        if voice.variant:  # an unknown variant would silently be the plain voice
            choose(voice.variant, variants(), "voice variant")
        language = "en" if voice.language == "en-gb" else voice.language  # 1.52 lists en-gb but opens it as "en" only
        if self._library.espeak_SetVoiceByName(f"{language}+{voice.variant}".strip("+").encode()) != 0:
            raise LabError(f"espeak-ng has no voice {voice.language!r}. Try one of: {', '.join(ENGLISH)}, es, es-419.")

    def _receive(self, samples, count, events):
        if samples and count > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        while events:
            kind, _, _, _, milliseconds, _, _, name = EVENT.unpack(ctypes.string_at(events, EVENT.size))
            if kind == PHONEME:
                self.times.append((name.partition(b"\0")[0].decode(errors="replace"), milliseconds / 1000))
            events = None if kind == END else events + EVENT.size
        return 0

    def phonemes(self, text):
        """What would be said, in espeak-ng's letters for sounds, with spaces between words and clauses."""
        rest, clauses = ctypes.c_char_p(text.encode()), []
        while rest.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, 0).decode())
        return " ".join(filter(None, clauses))

    def say(self, text, voice, seed):
        """Speak with the pitch, rate and range of `voice`; returns int16 samples as bytes.

        Between [[ and ]], a text is in espeak-ng's letters for sounds, such as ``[[h@l'oU]]``. `seed` is that of breath
        and flutter, from 1 to 2**31 - 1.
        """
        self._blocks = []
        self.times = []  # each phoneme, and the second it begins at; "" is silence or the end
        for name, number in PARAMETERS.items():
            self._library.espeak_SetParameter(number, int(getattr(voice, name)), 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        encoded = text.encode() + b"\0"
        # text, its size, first position, kind of position, last position (0: the end), flags, and two we do not need
        size = ctypes.c_size_t(len(encoded))
        if self._library.espeak_Synth(encoded, size, 0, 1, 0, UTF8 | PHONEMES, None, None) != 0:
            raise LabError(f"espeak-ng could not say {text!r}. Try a shorter text.")
        return b"".join(self._blocks)


def fresh(function, **given):
    """What a function of this room returns, run in a process of its own; it takes and returns JSON values only."""
    load()  # raises here where espeak-ng cannot be used
    root = str(Path(__file__).resolve().parents[2])
    program = f"import json, sys; sys.path.insert(0, {root!r}); from {function.__module__} import {function.__name__}; "
    program += f"json.dump({function.__name__}(**json.load(sys.stdin)), sys.stdout)"
    done = subprocess.run(
        [sys.executable, "-P", "-X", "utf8", "-c", program],
        input=json.dumps(given),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # several run beside each other
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        early = f"A process that speaks ended early (status {done.returncode}: {last}). Run it again."
        raise LabError(last.partition("LabError: ")[2] or early)
    return json.loads(done.stdout)


def say_here(voice, texts, seed):
    """What `say_all` needs, said in this process."""
    voice = Voice(*voice)
    engine = Engine(voice)
    return [(engine.say(text, voice, seed).hex(), engine.sample_rate, engine.times) for text in texts]


def say(text, voice="en-us", variant="", pitch=50, rate=175, range=50, seed=1):
    """Speak one text, or sounds such as "[[h@l'oU]]"; the same seed gives the same samples.

    Returns float32 samples between -1 and 1, their sample rate in Hz, and a list of (sound, second at which it begins),
    where "" is silence or the end. `voice` is a language or an accent of it; for the others see `Voice`.

    >>> say("seven", variant="f2")[1]
    22050
    """
    return say_all([text], voice, variant, pitch, rate, range, seed=seed)[0]


def say_all(texts, *voice, seed=1):
    """What `say` returns of several texts, in a list: far faster, but each sounds a little of those before it."""
    said = fresh(say_here, voice=astuple(Voice(*voice)), texts=list(texts), seed=seed)
    levels = [np.frombuffer(bytes.fromhex(samples), "<i2").astype(np.float32) / 32768 for samples, _, _ in said]
    return [(level, sample_rate, times) for level, (_, sample_rate, times) in zip(levels, said, strict=True)]
