"""espeak-ng, a program that speaks, driven through ctypes.

The PyPI package espeakng-loader brings the library and its voices (GPL-3; the lab depends on it and does not ship it).
What espeak-ng says depends a little on what it said before. Whoever wants the same bytes each time therefore starts a
fresh process for each speaker (`fresh`), says things in a fixed order, and seeds every clip.
"""

import ctypes
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import LabError, choose

ENGLISH = "en-us en-us-nyc en en-gb-x-rp en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-029".split()
SYNCHRONOUS, DO_NOT_EXIT, TELL_PHONEMES, UTF8, PHONEMES = 2, 0x8000, 1, 1, 0x100  # of espeak-ng's speak_lib.h
PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}  # their numbers there
BEGINS = 7  # the type of event there that tells of a phoneme
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
MISSING = (
    "Synthetic speech needs espeak-ng, and it cannot be used here: {}. Everything else works with real recordings. "
    "Install it with `python -m pip install espeakng-loader` (there are wheels for Linux, macOS and Windows), or use "
    "real recordings: `python -m labkit download speech_commands` (2.4 GB)."
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


def version():
    """Version of espeak-ng, such as "1.52.0"; raises LabError where it cannot be used."""
    return load()[0].espeak_Info(None).decode()


def variants():
    """All voice variants, sorted, and the gender that espeak-ng gives each: "female", "male" or ""."""
    genders = {}
    for path in sorted((load()[1] / "espeak-ng-data" / "voices" / "!v").iterdir()):
        line = re.search(r"^gender +(\w+)", path.read_text("utf-8", errors="replace"), re.MULTILINE | re.IGNORECASE)
        genders[path.name] = line[1].lower() if line else ""
    return genders


class _Event(ctypes.Structure):
    """What is used of espeak_EVENT in speak_lib.h; a list of them ends with type 0."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("place", ctypes.c_int * 3),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


class Engine:
    """espeak-ng within this process, with one voice: say everything, and let the process end."""

    def __init__(self, voice):
        self._library, folder = load()
        # espeak-ng keeps at most 160 bytes of path and, on Windows, only some letters: so it gets "." from inside.
        os.chdir(folder)
        self.rate = self._library.espeak_Initialize(SYNCHRONOUS, 0, b".", DO_NOT_EXIT | TELL_PHONEMES)  # Hz
        if self.rate <= 0:
            raise LabError(MISSING.format(f"espeak-ng refuses to start (status {self.rate})"))
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
        while events and (event := _Event.from_address(events)).type:
            if event.type == BEGINS:
                self.times.append((event.name.decode(errors="replace"), event.milliseconds))
            events += ctypes.sizeof(_Event)
        return 0

    def phonemes(self, text):
        """What would be said, in espeak-ng's letters for sounds; several clauses have spaces between them."""
        rest, clauses = ctypes.c_char_p(text.encode()), []
        while rest.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, 0).decode())
        return " ".join(filter(None, clauses))

    def say(self, text, voice, seed=1):
        """Speak with the pitch, rate and range of `voice`; returns int16 samples as bytes.

        Between [[ and ]], a text is in espeak-ng's letters for sounds, such as ``[[h@l'oU]]``. `seed` is that of breath
        and flutter, from 1 to 2**31 - 1.
        """
        self._blocks = []
        self.times = []  # each phoneme, and the millisecond it begins at; "" is silence or the end
        for name, number in PARAMETERS.items():
            self._library.espeak_SetParameter(number, int(getattr(voice, name)), 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        encoded = text.encode() + b"\0"
        size, flags = ctypes.c_size_t(len(encoded)), UTF8 | PHONEMES
        # text, its size, first position, kind of position, last position (0: the end), flags, and two we do not need
        if self._library.espeak_Synth(encoded, size, 0, 1, 0, flags, None, None) != 0:
            raise LabError(f"espeak-ng could not say {text!r}. Try a shorter text.")
        return b"".join(self._blocks)


def fresh(module, job):
    """What `work(job)` of a module of this room returns, run in a process of its own. Both are dicts of JSON values."""
    version()  # raises here where espeak-ng cannot be used
    root = str(Path(__file__).resolve().parents[2])
    program = f"import json, sys; sys.path.insert(0, {root!r}); from labkit.synthetic.{module} import work; "
    done = subprocess.run(
        [sys.executable, "-P", "-X", "utf8", "-c", program + "json.dump(work(json.load(sys.stdin)), sys.stdout)"],
        input=json.dumps(job).encode(),
        capture_output=True,
        check=False,
        env=os.environ | ONE_THREAD,  # one speaker uses one core; several run beside each other
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip() or "no message").splitlines()[-1]
        early = f"A process that speaks ended early (status {done.returncode}: {last}). Run it again."
        raise LabError(last.partition("LabError: ")[2] or early)
    return json.loads(done.stdout)


def work(job):
    """Tell the phonemes of some texts, or say one."""
    voice = Voice(**job.pop("voice"))
    engine = Engine(voice)
    if "texts" in job:
        return {"phonemes": [engine.phonemes(text) for text in job["texts"]]}
    samples = engine.say(voice=voice, **job)
    return {"samples": samples.hex(), "rate": engine.rate, "times": engine.times}


def say(text, voice="en-us", variant="", pitch=50, rate=175, range=50, seed=1):
    """Speak one text, or sounds such as "[[h@l'oU]]"; the same seed gives the same samples.

    Returns float32 samples between -1 and 1, their sample rate in Hz, and a list of (sound, second at which it begins),
    where "" is silence or the end. `voice` is a language or accent; it and the others are those of `Voice`.

    >>> say("seven", variant="f2")[1]
    22050
    """
    import numpy as np

    voice = Voice(voice, variant, pitch, rate, range)
    told = fresh("espeak", {"voice": asdict(voice), "text": text, "seed": seed})
    samples = np.frombuffer(bytes.fromhex(told["samples"]), "<i2").astype(np.float32) / 32768
    return samples, told["rate"], [(sound, milliseconds / 1000) for sound, milliseconds in told["times"]]
