"""# Synthetic stand-in for AudioMNIST

{clips:,} clips of the digits zero to nine by {speakers} synthetic speakers, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of AudioMNIST (Becker et al., arXiv 1807.03418), so that the same code reads both, and none of its
sounds.

- data/SPEAKER/DIGIT_SPEAKER_R.wav: 16 kHz, 16 bit, one channel, at most one second.
- data/audioMNIST_meta.txt: of each speaker, the gender of the voice, the accent that espeak-ng speaks, and an age,
  which is invented. Each speaker has a voice variant of their own, named there as their origin.
"""

import json
from dataclasses import dataclass

from .acoustics import Conditions, stream
from .espeak import variants, voices
from .generate import Size, speaker

META = "audioMNIST_meta.txt"  # AudioMNIST's table of its speakers
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
class DigitSize(Size):
    """How much is said in a stand-in for AudioMNIST: the same folders, names and metadata, at 16 kHz."""

    repetitions: int = 4  # of each digit by each speaker
    speakers: tuple = SPEAKERS  # names from 01 to 60
    conditions: Conditions = BOOTH

    corpus, margins = "audiomnist", (0.02, 0.12)

    def plan(self):
        genders, clips, rows = variants(), {}, {}
        pools = {kind: [name for name in voices() if genders[name] == kind] for kind in ("female", "male", "")}
        pools["male"] += pools[""]  # most variants say nothing
        takes = [(digit, word, take) for digit, word in enumerate(DIGITS) for take in range(self.repetitions)]
        for name in SPEAKERS:  # all of them, so that a smaller corpus has the same voices
            gender = "female" if name in WOMEN else "male"
            rng = stream(self.conditions.seed, "digits", name)
            person = speaker(rng, name, gender, pools[gender].pop(0), self.conditions)
            if name in self.speakers:
                clips[person] = [(f"data/{name}/{digit}_{name}_{take}.wav", word) for digit, word, take in takes]
                rows[name] = {
                    "accent": person.voice.language,
                    "age": str(rng.integers(20, 42)),
                    "gender": gender,
                    "native speaker": "no",
                    "origin": f"espeak-ng, {person.voice.variant}",
                    "recordingdate": "",
                    "recordingroom": f"room of {name}",
                }
        return clips, {f"data/{META}": json.dumps(rows, indent=4, sort_keys=True) + "\n"}


SIZES = {"lab": DigitSize(), "full": DigitSize(repetitions=50)}  # 2,400 clips, about 50 MB; and 30,000
