"""Synthetic words, in the layout of Speech Commands v0.02.

A speaker is a voice variant of espeak-ng with a pitch, a speed and an accent, in a room of their own. No variant
speaks in two parts, and variants that are near copies of each other stay together. Each speaker is made by one fresh
process, so the bytes are the same in every run, whatever the order of speakers (on one platform, with one version).
"""

from dataclasses import dataclass, field

from ..errors import LabError, choose
from . import espeak
from .acoustics import NOISES, Conditions, int16, noise, stream
from .generate import corpus
from .render import RATE
from .speakers import HELD_OUT, LEFT_OUT, digest, speaker, voices

HELD_FRACTION = 0.12  # of the speakers, for validation and again for testing
WORDS = tuple(
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero".split()
)


@dataclass(frozen=True)
class SyntheticSize:
    """How much is said."""

    speakers: int
    words: tuple = WORDS
    clips_per_word: tuple = (1, 2)  # fewest and most clips of a word by one speaker
    noise_seconds: float = 20.0  # length of each background noise
    conditions: Conditions = field(default_factory=Conditions)


SIZES = {
    "lab": SyntheticSize(speakers=100),
    "full": SyntheticSize(speakers=1200, clips_per_word=(1, 4), noise_seconds=60.0),
}


def speakers(count, conditions=None):
    """The first `count` synthetic people (at least 3: one for each part), as a tuple of Speaker."""
    conditions = conditions or Conditions()
    if count < 3:
        raise LabError(f"{count} speakers are too few: each of the three parts needs one. Ask for 3 or more.")
    known = voices(without=LEFT_OUT)
    pools = {part: [name for name in names if name in known] for part, names in HELD_OUT.items()}
    pools["training"] = [name for name in known if not any(name in names for names in HELD_OUT.values())]
    held = max(1, round(HELD_FRACTION * count))
    people = []
    for part, size in (("training", count - 2 * held), ("validation", held), ("testing", held)):
        for number in range(size):
            rng = stream(conditions.seed, "speaker", part, number)
            name = digest(f"{conditions.seed}/{part}/{number}")[:8]
            people.append(speaker(rng, name, part, pools[part][number % len(pools[part])], conditions))
    return tuple(people)


def speech_commands(folder, size="lab", **options):
    """Write a stand-in for Speech Commands v0.02: the same folders, names, lists and format; returns the folder.

    `size` is "lab" (about 5,000 clips, 160 MB), "full" (about 105,000, 3.4 GB) or a SyntheticSize; `options` are
    `workers` and `progress` of `generate.corpus`.
    """
    size = size if isinstance(size, SyntheticSize) else choose(size, SIZES, "size of the synthetic corpus")
    if not size.words:
        raise LabError("A synthetic corpus needs words. Give SyntheticSize some, such as ('yes', 'no').")
    return corpus(folder, "speech_commands", size, plan, **options)


def plan(size):
    """Clips of each speaker, and all other files; see `generate.corpus`."""
    seed, (few, many) = size.conditions.seed, size.clips_per_word
    clips = {person: [] for person in speakers(size.speakers, size.conditions)}
    for person, own in clips.items():
        for word in size.words:
            count = stream(seed, "count", person.name, word).integers(few, many + 1)
            own += [(f"{word}/{person.name}_nohash_{number}.wav", word) for number in range(count)]
    total = sum(map(len, clips.values()))
    files = {"README.md": README.format(clips=total, speakers=len(clips), words=len(size.words))}
    for part in HELD_OUT:
        paths = sorted(path for person, own in clips.items() if person.part == part for path, _ in own)
        files[f"{part}_list.txt"] = "\n".join(paths) + "\n"
    for kind in NOISES:
        sound = noise(kind, int(size.noise_seconds * RATE), RATE, stream(seed, "noise", kind))
        files[f"_background_noise_/{kind}_noise.wav"] = int16(0.1 * sound)
    return clips, files


def say(text, voice="en-us", variant="", pitch=50, rate=175, range=50, phonemes=False, seed=1):
    """Speak one text, for listening and drawing: (float32 samples between -1 and 1, sample rate in Hz).

    `voice` is a language or accent, such as "en-us", "en-gb-scotland", "es"; `variant`, `pitch`, `rate` and `range` are
    those of `espeak.Voice`. With `phonemes`, the text is in espeak-ng's letters for sounds, such as ``h@l'oU``. The
    same seed gives the same samples.

    >>> say("seven", variant="f2")[1]
    22050
    """
    return espeak.speak(text, espeak.Voice(voice, variant, pitch, rate, range), seed, phonemes)[:2]


README = """\
# Synthetic stand-in for Speech Commands v0.02

{clips:,} clips of {words} words by {speakers} synthetic speakers, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of Speech Commands (Warden, arXiv 1804.03209), so the same code reads both, and none of its sounds.

- WORD/HASH_nohash_N.wav: 16 kHz, 16 bit, one channel, at most one second. HASH is the speaker, N counts their clips.
- validation_list.txt and testing_list.txt: clips of those parts; the rest is for training. No speaker, and no voice
  variant of espeak-ng, is in two parts.
- _background_noise_: noise without speech.

Rooms, microphones, noise, loudness and onsets are drawn from the distributions in SYNTHETIC.txt.
"""
