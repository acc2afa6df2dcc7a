"""Synthetic spoken digits, in the layout of AudioMNIST: sixty speakers with metadata.

Each speaker has a voice variant of espeak-ng of their own, no two of them near copies, with a pitch, a speed, an
English accent and a room. So no voice is in two folds, whichever folds are made. Speakers who are women in AudioMNIST
have variants that espeak-ng calls female: its published folds fit, those of the gender task too.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..data.audiomnist import META
from ..errors import LabError, choose
from . import espeak
from .acoustics import Conditions, stream
from .render import Speaker, new_corpus, speak, write_lines
from .spanish import voices

RATE = 16_000
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WOMEN = ("12", "26", "28", "36", "43", "47", "52", "56", "57", "58", "59", "60")
SPEAKERS = tuple(f"{number:02}" for number in range(1, 61))
# Quieter than the corpus of words, with narrower microphones: what is left at 8 kHz must say the digit.
BOOTH = Conditions(
    rate=(120, 230),
    rate_step=0.15,
    pitch=(15, 85),
    room=(0.1, 0.5),
    echo=(-20.0, -6.0),
    high_cut=(2200, 3900),
    snr=(12.0, 6.0, 4.0),
    level=(-26.0, 5.0, 2.0),
)


@dataclass(frozen=True)
class DigitSize:
    """How much is said.

    Parameters
    ----------
    repetitions : int
        Of each digit by each speaker.
    speakers : tuple of str
        Names from 01 to 60.
    conditions : Conditions
        How it is spoken and recorded.
    """

    repetitions: int = 4
    speakers: tuple = SPEAKERS
    conditions: Conditions = field(default_factory=lambda: BOOTH)


SIZES = {"lab": DigitSize(), "full": DigitSize(repetitions=50)}


def people(size):
    """The synthetic speakers of a corpus.

    Parameters
    ----------
    size : DigitSize

    Returns
    -------
    dict of Speaker to dict
        What the metadata says of each. Age is invented.
    """
    if unknown := sorted(set(size.speakers) - set(SPEAKERS)):
        raise LabError(f"There is no speaker {unknown[0]!r} in AudioMNIST. Take names from 01 to 60.")
    if size.repetitions < 1 or not size.speakers:
        raise LabError(f"{size.repetitions} repetitions by {len(size.speakers)} speakers are nothing. Ask for some.")
    pools = {"female": [], "male": [], "": []}
    for variant in voices():
        pools[espeak.gender(variant)].append(variant)
    pools = {"female": iter(pools["female"]), "male": iter(pools["male"] + pools[""])}  # most variants say nothing
    rows = {}
    for name in SPEAKERS:  # all of them, so that a smaller corpus has the same voices
        gender = "female" if name in WOMEN else "male"
        variant, rng = next(pools[gender]), stream(size.conditions.seed, "digits", name)
        voice = espeak.Voice(
            language=espeak.ENGLISH[rng.integers(len(espeak.ENGLISH))],
            variant=variant,
            pitch=int(rng.integers(*size.conditions.pitch)),
            rate=int(rng.integers(*size.conditions.rate)),
            range=int(rng.integers(*size.conditions.range)),
        )
        rows[Speaker(name, gender, voice)] = {
            "accent": voice.language,
            "age": str(rng.integers(20, 42)),
            "gender": gender,
            "native speaker": "no",
            "origin": f"espeak-ng, {variant}",
            "recordingdate": "",
            "recordingroom": f"room of {name}",
        }
    return {person: row for person, row in rows.items() if person.name in size.speakers}


def audiomnist(folder, size="lab", workers=None, progress=True):
    """Write a stand-in for AudioMNIST: the same folders, names and metadata, at 16 kHz.

    Parameters
    ----------
    folder : Path
        Becomes the corpus. If it already is this corpus, nothing is done.
    size : {"lab", "full"} or DigitSize
        lab is 2,400 clips (about 50 MB), full 30,000.
    workers, progress
        As in `synthetic.speech_commands`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    LabError
        If espeak-ng cannot be used here, or the folder cannot be written, or holds something else.
    """
    size = size if isinstance(size, DigitSize) else choose(size, SIZES, "size of the synthetic corpus")
    rows = people(size)
    clips = len(rows) * len(DIGITS) * size.repetitions
    with new_corpus(folder, {"corpus": "audiomnist", **asdict(size)}, clips * 0.8 * 2 * RATE) as draft:
        if draft is None:
            return Path(folder)
        jobs = {
            person: [
                (f"data/{person.name}/{digit}_{person.name}_{repetition}.wav", word)
                for digit, word in enumerate(DIGITS)
                for repetition in range(size.repetitions)
            ]
            for person in rows
        }
        for person in rows:
            (draft / "data" / person.name).mkdir(parents=True)
        speak(
            *(draft, jobs, size.conditions),
            **{"rate": RATE, "margins": (0.02, 0.12), "workers": workers, "progress": progress},
        )
        table = {person.name: row for person, row in rows.items()}
        write_lines(draft / "data" / META, json.dumps(table, indent=4, sort_keys=True) + "\n")
        write_lines(draft / "README.md", _README.format(clips=clips, speakers=len(rows)))
        write_lines(draft / "LICENSE", _LICENSE)
    return Path(folder)


_README = """\
# Synthetic stand-in for AudioMNIST

{clips:,} clips of the digits zero to nine by {speakers} synthetic speakers, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of AudioMNIST (Becker et al., arXiv 1807.03418), so that the same code reads both, and none of its
sounds.

- data/SPEAKER/DIGIT_SPEAKER_R.wav: 16 kHz, 16 bit, one channel, at most one second.
- data/audioMNIST_meta.txt: of each speaker, the gender of the voice, the accent that espeak-ng speaks, and an age,
  which is invented. Each speaker has a voice variant of their own, named there as their origin.
"""

_LICENSE = """\
These sounds were made by labkit with espeak-ng and contain no recordings of people. espeak-ng is licensed under the
GNU GPL version 3; that covers the program, not what it says. The lab claims no rights in the sounds (CC0 1.0).
"""
