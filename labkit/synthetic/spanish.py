"""Synthetic Spanish in five accents, in the layout of Common Voice.

What espeak-ng says of Spanish sentences, changed by the rules of `pronunciation`. The accents are caricatures, good for
learning how an accent can be told from a voice, and for nothing else.

Voice, speed, pitch, room, noise and level are drawn the same way for all accents, and sentences from one list.
"""

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import product
from pathlib import Path

from ..data.dialects import classes
from ..errors import LabError, choose
from . import espeak
from .acoustics import Conditions, stream
from .pronunciation import ACCENTS, LANGUAGE, pronounce, rules, sentences, spoken
from .render import Speaker, new_corpus, speak, write_lines
from .words import LEFT_OUT

RATE = 16_000
# Variants that share most lines of their files with another one: no tested voice has a twin that was trained on.
TWINS = (
    "Gene2 Henrique Hugo RicishayMax RicishayMax3 Tweaky anikaRobot edward2 iven3 iven4 john michel miguel robosoft4 "
    "robosoft5 robosoft6 robosoft8 steph3"
).split()
WHISPERS = ("whisper", "whisperf")  # without a voice, half of the consonants are gone
AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties")
# Quieter rooms and better microphones than in the corpus of words: an accent is harder to hear.
QUIET = Conditions(
    rate=(150, 200),
    endings=(".",),
    room=(0.05, 0.2),
    echo=(-30.0, -15.0),
    tilt=(-0.5, 0.5),
    low_cut=(40, 80),
    high_cut=(7000, 7900),
    snr=(40.0, 4.0, 2.0),
    level=(-23.0, 3.0, 1.0),
)


@dataclass(frozen=True)
class AccentSize:
    """How much is said.

    Parameters
    ----------
    voices : dict
        How many voices are in each part.
    sentences : int
        Of each speaker.
    talkative : tuple of (str, int, int)
        Accents in which a few speakers say more, how many they are, and how much each of them says: volunteers do so.
    strength : float
        Factor on the chance of each rule: above 1, the accents are spoken more broadly.
    conditions : Conditions
        How it is spoken and recorded.
    """

    voices: dict = field(default_factory=lambda: {"train": 30, "dev": 7, "test": 8})
    sentences: int = 10
    talkative: tuple = (("castellano", 2, 100), ("rioplatense", 1, 50))
    strength: float = 1.0
    conditions: Conditions = QUIET


SIZES = {
    "lab": AccentSize(),
    "full": AccentSize({"train": 49, "dev": 14, "test": 14}, 24, (("castellano", 4, 240), ("rioplatense", 2, 120))),
}


def voices():
    """Variants of espeak-ng that may speak, no two of them near copies, in an order that says nothing."""
    known = [name for name in espeak.variants() if name not in (*LEFT_OUT, *TWINS, *WHISPERS)]
    return sorted(known, key=lambda name: sha256(name.encode()).digest())


def speakers(size):
    """The synthetic people of a corpus.

    Each voice speaks in every accent, each time as a speaker with a pitch, a speed and a room of their own. So a voice
    says nothing about an accent. No voice is in two parts.

    Parameters
    ----------
    size : AccentSize

    Returns
    -------
    dict of Speaker to str
        Their accents.
    """
    pool, people = voices(), {}
    if min(size.voices.values(), default=0) < 1 or sum(size.voices.values()) > len(pool):
        raise LabError(f"voices={size.voices}: each part needs one, and there are {len(pool)} in all. Change these.")
    for part, count in size.voices.items():
        share, pool = pool[:count], pool[count:]
        for variant, accent in product(share, ACCENTS):
            rng = stream(size.conditions.seed, "accents", variant, accent)
            voice = espeak.Voice(
                language=LANGUAGE,
                variant=variant,
                pitch=int(rng.integers(*size.conditions.pitch)),
                rate=int(rng.integers(*size.conditions.rate)),
                range=int(rng.integers(*size.conditions.range)),
            )
            name = sha256(f"accents/{size.conditions.seed}/{variant}/{accent}".encode()).hexdigest()[:16]
            people[Speaker(name, part, voice)] = accent
    return people


def common_voice(folder, size="lab", workers=None, progress=True):
    """Write a stand-in for Common Voice in Spanish: the same tables and names, WAV instead of MP3.

    Parameters
    ----------
    folder : Path
        Becomes the corpus. If it already is this corpus, nothing is done.
    size : {"lab", "full"} or AccentSize
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
    size = size if isinstance(size, AccentSize) else choose(size, SIZES, "size of the synthetic corpus")
    people = speakers(size)
    settings = {"corpus": "common_voice", **asdict(size), "rules": [asdict(rule) for rule in rules()]}
    settings["sentences"] = [size.sentences, *sentences()]
    clips = sum(_clips(size, people).values())
    with new_corpus(folder, settings, clips * 3.0 * 2 * RATE) as draft:
        if draft is None:
            return Path(folder)
        jobs, lines = _jobs(size, people)
        (draft / "clips").mkdir()
        speak(
            *(draft, jobs, size.conditions),
            **{"rate": RATE, "seconds": 6.0, "margins": (0.05, 0.35), "phonemes": True},
            **{"workers": workers, "progress": progress},
        )
        head = "client_id path sentence up_votes down_votes age gender accents variant locale segment".split()
        for name in ("validated", "train", "dev", "test"):
            chosen = ["\t".join(line) for part, line in lines if name in ("validated", part)]
            write_lines(draft / f"{name}.tsv", "\n".join(["\t".join(head), *chosen]) + "\n")
        write_lines(draft / "README.md", _README.format(clips=clips, speakers=len(people)))
        write_lines(draft / "LICENSE", _LICENSE)
    return Path(folder)


def _clips(size, people):
    """Number of clips of each speaker; those in training are the talkative ones."""
    counts = dict.fromkeys(people, size.sentences)
    for accent, few, many in size.talkative:
        training = [person for person, own in people.items() if own == accent and person.part == "train"]
        counts |= dict.fromkeys(training[:few], many)
    return counts


def _jobs(size, people):
    """(clips and sounds of each speaker; part and line in the tables of each clip)."""
    texts, seed = sentences(), size.conditions.seed
    sounds = spoken(texts)
    texts_of = {
        accent: next(text for text in classes("es").texts if text.startswith(begins))
        for accent, begins in ACCENTS.items()
    }
    jobs, lines, number = {}, [], 0
    for person, count in _clips(size, people).items():
        accent = people[person]
        rng = stream(seed, "sentences", person.name)
        chosen = [int(place) for _ in range(-(-count // len(texts))) for place in rng.permutation(len(texts))][:count]
        # Nobody's age: invented, so that a table with ages can be looked at.
        age = "twenties" if count > size.sentences else AGES[rng.integers(len(AGES))]
        gender = espeak.gender(person.voice.variant)
        jobs[person] = []
        for place in chosen:
            path = f"common_voice_es_{90_000_000 + number}.wav"
            number += 1
            own = stream(seed, "rules", path)
            jobs[person].append((f"clips/{path}", pronounce(sounds[place], accent, own, size.strength)))
            line = (person.name, path, texts[place], "2", "0", age, gender, texts_of[accent], "", "es", "")
            lines.append((person.part, line))
    return jobs, lines


_README = """\
# Synthetic stand-in for Common Voice in Spanish

{clips:,} clips by {speakers} synthetic speakers in five accents, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of Common Voice (Ardila et al., arXiv 1912.06670), so that the same code reads both, and none of its
sounds.

- clips/common_voice_es_N.wav: 16 kHz, 16 bit, one channel, up to 6 seconds.
- validated.tsv: all of them. train.tsv, dev.tsv, test.tsv: parts. No speaker and no voice is in two parts.
- client_id is the speaker, accents what the rules did to their sounds. Ages are invented, and votes. Gender is what
  espeak-ng says of the voice.

The accents are caricatures made by rules (SYNTHETIC.txt lists them, each with its source): five ways to change single
sounds. People who speak with these accents speak otherwise, and not all alike.
"""

_LICENSE = """\
These sounds were made by labkit with espeak-ng and contain no recordings of people. espeak-ng is licensed under the
GNU GPL version 3; that covers the program, not what it says. The lab claims no rights in the sounds (CC0 1.0).
"""
