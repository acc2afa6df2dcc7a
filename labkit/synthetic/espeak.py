"""espeak-ng, a program that speaks, driven through ctypes.

The PyPI package espeakng-loader brings the library and its voices (GPL-3; the lab depends on it and does not ship it).
What espeak-ng says depends a little on what it said before. Whoever wants the same bytes each time therefore starts a
fresh process for each speaker (`fresh`), says things in a fixed order, and seeds every clip.
"""

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import LabError, choose

ENGLISH = "en-us en-us-nyc en en-gb-x-rp en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-029".split()
SYNCHRONOUS, DO_NOT_EXIT, TELL_PHONEMES, UTF8, PHONEMES = 2, 0x8000, 1, 1, 0x100  # of espeak-ng's speak_lib.h
RATE, PITCH, RANGE = 1, 3, 4


@dataclass(frozen=True)
class Voice:
    """A way of speaking."""

    language: str = "en-us"  # language or accent of espeak-ng, such as those in `ENGLISH`
    variant: str = ""  # one of `variants()`; "" is the plain voice
    pitch: int = 50  # 0 to 99
    rate: int = 175  # words a minute, 80 to 400
    range: int = 50  # how much the pitch moves, from 0 (monotone) to 99


def missing(reason):
    """The LabError for a machine on which espeak-ng cannot speak."""
    return LabError(
        f"Synthetic speech needs espeak-ng, and it cannot be used here: {reason}. Everything else works with real "
        "recordings. Install it with `python -m pip install espeakng-loader` (there are wheels for Linux, macOS and "
        "Windows), or use real recordings: `python -m labkit download speech_commands` (2.4 GB)."
    )


def places():
    """(library, folder that holds espeak-ng-data)."""
    try:
        import espeakng_loader

        return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path()).parent
    except Exception as error:  # absent, or installed without its data: the loader raises what it likes
        raise missing(error) from error


def _library():
    try:
        library = ctypes.CDLL(str(places()[0]))
        library.espeak_Info.restype = library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        return library
    except (OSError, AttributeError) as error:
        raise missing(error) from error


def version():
    """Version of espeak-ng, such as "1.52.0"; raises LabError where it cannot be used."""
    return _library().espeak_Info(None).decode()


def _variants():
    return places()[1] / "espeak-ng-data" / "voices" / "!v"


def variants():
    """Names of all voice variants, sorted."""
    return sorted(path.name for path in _variants().iterdir())


def gender(variant):
    """What espeak-ng says of a voice variant: "female", "male" or ""."""
    for line in (_variants() / variant).read_text(errors="replace").lower().splitlines():
        if line.startswith("gender ") and len(line.split()) > 1:
            return line.split()[1]
    return ""


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; type 0 ends a list of them, type 7 begins a phoneme."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("type", "identifier", "position", "length", "milliseconds", "sample")),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


class Engine:
    """espeak-ng within this process: open one, say everything, and let the process end."""

    def __init__(self):
        self._library = _library()
        # espeak-ng keeps at most 160 bytes of path and, on Windows, only some letters: so it gets "." from inside.
        os.chdir(places()[1])
        self.rate = self._library.espeak_Initialize(SYNCHRONOUS, 0, b".", DO_NOT_EXIT | TELL_PHONEMES)  # Hz
        if self.rate <= 0:
            raise missing(f"espeak-ng refuses to start (status {self.rate})")
        signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._callback = signature(self._receive)  # kept, or it would be collected while C still calls it
        self._library.espeak_SetSynthCallback(self._callback)
        self._blocks = []
        self.times = []  # each phoneme said last, and the millisecond it begins at; "" is silence or the end

    def _receive(self, samples, count, events):
        if samples and count > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        while events and (event := _Event.from_address(events)).type:
            if event.type == 7:
                self.times.append((event.name.decode(errors="replace"), event.milliseconds))
            events += ctypes.sizeof(_Event)
        return 0

    def use(self, voice):
        """Speak as `voice` from now on."""
        if voice.variant:  # an unknown variant would silently be the plain voice
            choose(voice.variant, dict.fromkeys(variants()), "voice variant")
        language = "en" if voice.language == "en-gb" else voice.language  # 1.52 lists en-gb but opens it as "en" only
        if self._library.espeak_SetVoiceByName(f"{language}+{voice.variant}".strip("+").encode()) != 0:
            raise LabError(f"espeak-ng has no voice {voice.language!r}. Try one of: {', '.join(ENGLISH)}, es, es-419.")
        self.adjust(voice)

    def adjust(self, voice):
        """Take pitch, rate and range of `voice`, staying with the variant in use."""
        for parameter, value in ((RATE, voice.rate), (PITCH, voice.pitch), (RANGE, voice.range)):
            self._library.espeak_SetParameter(parameter, int(value), 0)

    def phonemes(self, text):
        """What would be said, in espeak-ng's letters for sounds; several clauses have spaces between them."""
        rest, clauses = ctypes.c_char_p(text.encode()), []
        while rest.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, 0).decode())
        return " ".join(filter(None, clauses))

    def say(self, text, seed=1, phonemes=False, ending=""):
        """Speak, and return int16 samples as bytes.

        With `phonemes`, the text is in espeak-ng's letters for sounds, such as ``h@l'oU``. `seed` (1 to 2**31 - 1) is
        that of breath and flutter. `ending`, such as "?", changes the melody.
        """
        self._blocks, self.times = [], []
        encoded = (f"[[{text}]]{ending}" if phonemes else text + ending).encode() + b"\0"
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        flags = UTF8 | PHONEMES if phonemes else UTF8
        # text, its size, first position, kind of position, last position (0: the end), flags, and two we do not need
        if self._library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, flags, None, None) != 0:
            raise LabError(f"espeak-ng could not say {text!r}. Try a shorter text.")
        return b"".join(self._blocks)


def fresh(module, job):
    """What `work(job)` of a module of this room returns, run in a process of its own. Both are dicts of JSON values."""
    version()  # raises here where espeak-ng cannot be used
    root = str(Path(__file__).resolve().parents[2])
    program = f"import sys; sys.path.insert(0, {root!r}); from labkit.synthetic import espeak, {module}; "
    done = subprocess.run(
        [sys.executable, "-P", "-c", program + f"espeak.answer({module}.work)"],
        input=json.dumps(job).encode(),
        capture_output=True,
        check=False,
        # one speaker uses one core; several run beside each other
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip() or "no message").splitlines()[-1]
        raise LabError(f"A process that speaks ended early (status {done.returncode}: {last}). Run it again.")
    told = json.loads(done.stdout)
    if "problem" in told:
        raise LabError(told["problem"])
    return told


def answer(work):
    """The other end of `fresh`."""
    try:
        told = work(json.load(sys.stdin))
    except LabError as error:
        told = {"problem": str(error)}
    json.dump(told, sys.stdout)


def work(job):
    """Say a text, or tell the phonemes of several."""
    engine = Engine()
    engine.use(Voice(**job["voice"]))
    if "texts" in job:
        return {"phonemes": [engine.phonemes(text) for text in job["texts"]]}
    samples = engine.say(job["text"], job["seed"], job["phonemes"])
    return {"samples": samples.hex(), "rate": engine.rate, "times": engine.times}


def speak(text, voice, seed=1, phonemes=False):
    """Say one text: (float32 samples between -1 and 1 of shape (samples,), sample rate in Hz, phonemes and times)."""
    import numpy as np

    told = fresh("espeak", {"voice": asdict(voice), "text": text, "seed": seed, "phonemes": phonemes})
    samples = np.frombuffer(bytes.fromhex(told["samples"]), "<i2")
    return samples.astype(np.float32) / 32768, told["rate"], told["times"]
