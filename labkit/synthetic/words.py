"""Synthetic speech: corpora that need no download, in the layout of the real ones they stand in for.

A speaker is a voice variant of espeak-ng with a pitch, a speed and an accent, in a room of its own. No variant speaks
in two parts, and variants that are near copies of each other stay together. Each speaker is made by one fresh
process, so the bytes are the same in every run, whatever the order of speakers (on one platform, with one version).
"""

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from ..errors import LabError, choose
from . import espeak
from .acoustics import NOISES, Conditions, int16, noise, stream
from .render import Speaker, new_corpus, speak, write_lines, write_wav

RATE = 16_000
SHARE = 0.12  # of the speakers, for validation and again for testing

# Whoever is not named here speaks in the training part. Variants whose files differ in a few lines only (Gene and
# Gene2, Mario and Michael ...) are on the same side, so that nobody in the test part has a twin in the training part.
HELD_OUT = {
    "validation": "Annie Mario f3 boris m1 whisper victor gustave rob m4 belinda Denis robert Michael".split(),
    "testing": "f1 m2 Andrea Reed steph Gene m5 quincy ed grandma mike2 announcer Gene2 steph2 steph3".split(),
}
# Effects rather than people: a model trained on all other variants takes most of their words for other words.
LEFT_OUT = "Alicia Demonic Lee kaukovalta norbert shelby zac".split()

WORDS = tuple(
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero".split()
)


@dataclass(frozen=True)
class SyntheticSize:
    """How much is said.

    Parameters
    ----------
    speakers : int
    words : tuple of str
    clips_per_word : tuple of (int, int)
        Fewest and most clips of a word by one speaker.
    noise_seconds : float
        Length of each background noise.
    conditions : Conditions
        How it is spoken and recorded.
    """

    speakers: int
    words: tuple = WORDS
    clips_per_word: tuple = (1, 2)
    noise_seconds: float = 20.0
    conditions: Conditions = field(default_factory=Conditions)


SIZES = {
    "lab": SyntheticSize(speakers=100),
    "full": SyntheticSize(speakers=1200, clips_per_word=(1, 4), noise_seconds=60.0),
}


def speakers(count, conditions=None, languages=espeak.ENGLISH):
    """The first `count` synthetic people.

    Parameters
    ----------
    count : int
        At least 3: one for each part.
    conditions : Conditions, optional
    languages : tuple of str
        Accents of espeak-ng to draw from.

    Returns
    -------
    tuple of Speaker
    """
    conditions = conditions or Conditions()
    if count < 3:
        raise LabError(f"{count} speakers are too few: each of the three parts needs one. Ask for 3 or more.")
    known = [name for name in espeak.variants() if name not in LEFT_OUT]
    pools = {part: [name for name in names if name in known] for part, names in HELD_OUT.items()}
    rest = [name for name in known if not any(name in names for names in HELD_OUT.values())]
    pools["training"] = sorted(rest, key=lambda name: sha256(name.encode()).digest())  # no two relatives in a row
    held = max(1, round(SHARE * count))
    people = []
    for part, size in (("training", count - 2 * held), ("validation", held), ("testing", held)):
        for number in range(size):
            rng = stream(conditions.seed, "speaker", part, number)
            voice = espeak.Voice(
                language=languages[rng.integers(len(languages))],
                variant=pools[part][number % len(pools[part])],
                pitch=int(rng.integers(*conditions.pitch)),
                rate=int(rng.integers(*conditions.rate)),
                range=int(rng.integers(*conditions.range)),
            )
            name = sha256(f"{conditions.seed}/{part}/{number}".encode()).hexdigest()[:8]
            people.append(Speaker(name, part, voice))
    return tuple(people)


def speech_commands(folder, size="lab", workers=None, progress=True):
    """Write a stand-in for Speech Commands v0.02: the same folders, names, lists and format.

    Parameters
    ----------
    folder : Path
        Becomes the corpus. If it already is this corpus, nothing is done.
    size : {"lab", "full"} or SyntheticSize
        lab is about 5,000 clips (160 MB), full about 105,000 (3.4 GB).
    workers : int, optional
        Processes at a time; by default one per core.
    progress : bool
        Show a bar (never with LABKIT_BARS=off).

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    LabError
        If espeak-ng cannot be used here, or the folder cannot be written, or holds something else.
    """
    size = size if isinstance(size, SyntheticSize) else choose(size, SIZES, "size of the synthetic corpus")
    if not size.words:
        raise LabError("A synthetic corpus needs words. Give SyntheticSize some, such as ('yes', 'no').")
    people = speakers(size.speakers, size.conditions)
    jobs = {}
    for person in people:
        jobs[person] = []
        for word in size.words:
            few, many = size.clips_per_word
            count = stream(size.conditions.seed, "count", person.name, word).integers(few, many + 1)
            jobs[person] += [(f"{word}/{person.name}_nohash_{number}.wav", word) for number in range(count)]
    settings = {"corpus": "speech_commands", **asdict(size)}
    clips = sum(map(len, jobs.values()))
    need = clips * 2 * RATE + len(NOISES) * size.noise_seconds * 2 * RATE
    with new_corpus(folder, settings, need) as draft:
        if draft is None:
            return Path(folder)
        for name in (*size.words, "_background_noise_"):
            (draft / name).mkdir()
        for kind in NOISES:
            rng = stream(size.conditions.seed, "noise", kind)
            sound = 0.1 * noise(kind, int(size.noise_seconds * RATE), RATE, rng)
            write_wav(draft / "_background_noise_" / f"{kind}_noise.wav", int16(sound), RATE)
        speak(draft, jobs, size.conditions, rate=RATE, workers=workers, progress=progress)
        for part in HELD_OUT:
            paths = sorted(path for person in people if person.part == part for path, _ in jobs[person])
            write_lines(draft / f"{part}_list.txt", "\n".join(paths) + "\n")
        write_lines(draft / "README.md", _README.format(clips=clips, speakers=len(people), words=len(size.words)))
        write_lines(draft / "LICENSE", _LICENSE)
    return Path(folder)


def say(text, voice="en-us", variant="", pitch=50, rate=175, range=50, phonemes=False, seed=1):
    """Speak one text, for listening and drawing.

    Parameters
    ----------
    text : str
        With `phonemes`, in espeak-ng's letters for sounds, such as ``h@l'oU``.
    voice : str
        Language or accent, such as "en-us", "en-gb-scotland", "es".
    variant : str
        One of `espeak.variants()`.
    pitch, rate, range : int
        As in `espeak.Voice`.
    phonemes : bool
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    tuple of (numpy.ndarray, int)
        Samples between -1 and 1, float32 of shape (samples,), and their rate in Hz.

    Examples
    --------
    >>> samples, rate = say("seven", variant="f2")
    >>> rate
    22050
    """
    import numpy as np

    manner = asdict(espeak.Voice(voice, variant, pitch, rate, range))
    espeak.version()  # complains here if there is no espeak-ng
    answer = espeak.fresh("espeak", {"voice": manner, "text": text, "seed": seed, "phonemes": phonemes})
    return np.frombuffer(answer, "<i2", offset=4).astype(np.float32) / 32768, int.from_bytes(answer[:4], "little")


_README = """\
# Synthetic stand-in for Speech Commands v0.02

{clips:,} clips of {words} words by {speakers} synthetic speakers, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of Speech Commands (Warden, arXiv 1804.03209), so the same code reads both, and none of its sounds.

- WORD/HASH_nohash_N.wav: 16 kHz, 16 bit, one channel, at most one second. HASH is the speaker, N counts their clips.
- validation_list.txt and testing_list.txt: clips of those parts; the rest is for training. No speaker, and no voice
  variant of espeak-ng, is in two parts.
- _background_noise_: noise without speech.

Rooms, microphones, noise, loudness and onsets are drawn from the distributions in SYNTHETIC.txt.
"""

_LICENSE = """\
These sounds were made by labkit with espeak-ng and contain no recordings of people. espeak-ng is licensed under the
GNU GPL version 3; that covers the program, not what it says. The lab claims no rights in the sounds (CC0 1.0).
"""
