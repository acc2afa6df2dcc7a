"""espeak-ng, a program that speaks, driven through ctypes.

The PyPI package espeakng-loader brings the library and its voices (GPL-3; the lab depends on it and does not ship it).
What espeak-ng says depends a little on what it said before. So whoever wants the same bytes each time starts a fresh
process for each speaker (`fresh`), says things in a fixed order, and seeds every clip.
"""

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError, choose

ENGLISH = (
    "en-us",
    "en-us-nyc",
    "en",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
_ALIASES = {"en-gb": "en"}  # espeak-ng 1.52 lists en-gb but opens it as "en" only
_SYNCHRONOUS, _DO_NOT_EXIT, _TELL_PHONEMES = 2, 0x8000, 1
_UTF8, _PHONEMES = 1, 0x100
_RATE, _PITCH, _RANGE = 1, 3, 4


@dataclass(frozen=True)
class Voice:
    """A way of speaking.

    Parameters
    ----------
    language : str
        A language or accent of espeak-ng, such as those in `ENGLISH`.
    variant : str
        A throat: one of `variants()`, empty for the plain voice.
    pitch : int
        0 to 99.
    rate : int
        Speed, in words a minute, 80 to 400.
    range : int
        How much the pitch moves, 0 (monotone) to 99.
    """

    language: str = "en-us"
    variant: str = ""
    pitch: int = 50
    rate: int = 175
    range: int = 50


def missing(reason):
    """The LabError for a machine on which espeak-ng cannot speak."""
    return LabError(
        f"Synthetic speech needs espeak-ng, and it cannot be used here: {reason}. Everything else works with real "
        "recordings. Install it with `python -m pip install espeakng-loader` (there are wheels for Linux, macOS and "
        "Windows), or use real recordings: `python -m labkit download speech_commands` (2.4 GB)."
    )


def _places():
    """(library, folder that holds espeak-ng-data)."""
    try:
        import espeakng_loader

        return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path()).parent
    except Exception as error:  # absent, or installed without its data: the loader raises what it likes
        raise missing(error) from error


def _library():
    try:
        library = ctypes.CDLL(str(_places()[0]))
        library.espeak_Info.restype = ctypes.c_char_p
        integer, text, anything = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
        library.espeak_Info.argtypes = [anything]
        library.espeak_Initialize.argtypes = [integer, integer, text, integer]
        library.espeak_SetSynthCallback.argtypes = [anything]
        library.espeak_SetVoiceByName.argtypes = [text]
        library.espeak_SetParameter.argtypes = [integer, integer, integer]
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        library.espeak_TextToPhonemes.restype = text
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(text), integer, integer]
        # text, its size, first position, kind of position, last position (0: the end), flags, and two we do not need
        unsigned = ctypes.c_uint
        library.espeak_Synth.argtypes = [
            *(text, ctypes.c_size_t, unsigned, integer, unsigned, unsigned, anything, anything)
        ]
        return library
    except (OSError, AttributeError) as error:
        raise missing(error) from error


def version():
    """Version of espeak-ng, such as "1.52.0"."""
    return _library().espeak_Info(None).decode()


def variants():
    """Names of all voice variants, sorted."""
    return tuple(sorted(path.name for path in (_places()[1] / "espeak-ng-data" / "voices" / "!v").iterdir()))


def gender(variant):
    """What espeak-ng says of a voice variant: "female", "male" or ""."""
    lines = (_places()[1] / "espeak-ng-data" / "voices" / "!v" / variant).read_text(errors="replace").splitlines()
    words = next((line.lower().split() for line in lines if line.lower().startswith("gender ")), ["", ""])
    return words[1] if len(words) > 1 else ""


class _Event(ctypes.Structure):
    """espeak_EVENT of espeak-ng's speak_lib.h; type 0 ends a list of them, type 7 begins a phoneme."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("type", "identifier", "position", "length", "milliseconds", "sample")),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


class Engine:
    """espeak-ng within this process; open one, say everything, and let the process end.

    Parameters
    ----------
    timed : bool
        Note when each phoneme begins.

    Attributes
    ----------
    rate : int
        Sample rate of what it says, in Hz.
    times : list of (str, int)
        If `timed`: each phoneme of what was said last, and where it begins, in milliseconds; "" is silence or the end.
    """

    def __init__(self, timed=False):
        self._library = _library()
        self._blocks, self.times, self._timed = [], [], timed
        # espeak-ng keeps at most 160 bytes of path and, on Windows, only some letters: so it gets "." from inside.
        os.chdir(_places()[1])
        options = _DO_NOT_EXIT | (_TELL_PHONEMES if timed else 0)
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, b".", options)
        if self.rate <= 0:
            raise missing(f"espeak-ng refuses to start (status {self.rate})")
        signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._callback = signature(self._receive)  # kept, or it would be collected while C still calls it
        self._library.espeak_SetSynthCallback(ctypes.cast(self._callback, ctypes.c_void_p))

    def _receive(self, samples, count, events):
        if samples and count > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        place = events if self._timed else None
        while place and (event := _Event.from_address(place)).type:
            if event.type == 7:
                self.times.append((event.name.decode(errors="replace"), event.milliseconds))
            place += ctypes.sizeof(_Event)
        return 0

    def use(self, voice):
        """Speak as `voice` from now on."""
        if voice.variant:  # an unknown variant would silently be the plain voice
            choose(voice.variant, dict.fromkeys(variants()), "voice variant")
        name = _ALIASES.get(voice.language, voice.language) + (f"+{voice.variant}" if voice.variant else "")
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise LabError(f"espeak-ng has no voice {voice.language!r}. Try one of: {', '.join(ENGLISH)}, es, es-419.")
        self.adjust(voice)

    def adjust(self, voice):
        """Take pitch, rate and range of `voice`, staying with the variant in use."""
        for parameter, value in ((_RATE, voice.rate), (_PITCH, voice.pitch), (_RANGE, voice.range)):
            self._library.espeak_SetParameter(parameter, int(value), 0)

    def phonemes(self, text):
        """What would be said, in espeak-ng's letters for sounds; of several clauses, with spaces between them."""
        rest, clauses = ctypes.c_char_p(text.encode()), []
        while rest.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, 0).decode())
        return " ".join(clause for clause in clauses if clause)

    def say(self, text, seed=1, phonemes=False, ending=""):
        """Speak.

        Parameters
        ----------
        text : str
            With `phonemes`, in espeak-ng's letters for sounds, such as ``h@l'oU``.
        seed : int
            Of breath and flutter, 1 to 2**31 - 1.
        phonemes : bool
        ending : str
            Such as "?": changes the melody.

        Returns
        -------
        bytes
            Samples, int16, at `rate`.
        """
        self._blocks, self.times = [], []
        encoded = (f"[[{text}]]{ending}" if phonemes else text + ending).encode() + b"\0"
        self._library.espeak_ng_SetRandSeed(seed)
        flags = _UTF8 | (_PHONEMES if phonemes else 0)
        if self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, flags, None, None) != 0:
            raise LabError(f"espeak-ng could not say {text!r}. Try a shorter text.")
        return b"".join(self._blocks)


# This room imports nothing heavy: pandas or torch would take longer to import than a speaker takes to speak.
_PROGRAM = "import importlib, sys; sys.path.insert(0, sys.argv[2]); importlib.import_module(sys.argv[1]).main()"


def fresh(module, job, started=None):
    """Run `main()` of a module of this package in a process of its own.

    Parameters
    ----------
    module : str
        Such as "espeak"; its `main` calls `serve`.
    job : dict
        What to do, as JSON.
    started : callable, optional
        Is given the process as soon as it runs, so that somebody may stop it.

    Returns
    -------
    bytes
        What it answered.

    Raises
    ------
    LabError, OSError
        What went wrong in it.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, f"labkit.synthetic.{module}", str(Path(__file__).resolve().parents[2])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # one speaker uses one core; several run beside each other
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if started is not None:
        started(process)
    answer, complaint = process.communicate(json.dumps(job).encode())
    if process.returncode == 0 and answer[:1] == b"+":
        return answer[1:]
    if process.returncode == 0 and answer[:1] == b"!":
        told = json.loads(answer[1:])
        raise OSError(*told["os"]) if "os" in told else LabError(told["lab"])
    last = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
    raise LabError(f"A process that speaks ended early (status {process.returncode}: {last[0]}). Run it again.")


def serve(work):
    """The other end of `fresh`: answer with what `work(job)` returns as bytes, or with its error."""
    job = json.loads(sys.stdin.buffer.read())
    try:
        answer = b"+" + work(job)
    except LabError as error:
        answer = b"!" + json.dumps({"lab": str(error)}).encode()
    except OSError as error:
        answer = b"!" + json.dumps({"os": [error.errno, error.strerror or str(error)]}).encode()
    sys.stdout.buffer.write(answer)


def _say(job):
    engine = Engine(job.get("timed", False))
    engine.use(Voice(**job["voice"]))
    if "texts" in job:
        return json.dumps([engine.phonemes(text) for text in job["texts"]]).encode()
    if job.get("timed"):
        samples = engine.say(job["text"], job["seed"], job["phonemes"])
        return json.dumps({"rate": engine.rate, "times": engine.times}).encode() + b"\n" + samples
    return engine.rate.to_bytes(4, "little") + engine.say(job["text"], job["seed"], job["phonemes"])


def main():
    serve(_say)
