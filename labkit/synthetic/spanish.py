"""# Synthetic stand-in for Common Voice in Spanish

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

from dataclasses import asdict, dataclass, field
from itertools import product

from ..errors import LabError, choose
from ..files import digest
from . import espeak
from .acoustics import Conditions, stream
from .generate import corpus
from .pronunciation import ACCENTS, LANGUAGE, pronounce, rules, sentences, spoken
from .speakers import speaker, voices

AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties")
HEAD = "client_id path sentence up_votes down_votes age gender accents variant locale segment".split()
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
    """How much is said."""

    voices: dict = field(default_factory=lambda: {"train": 30, "dev": 7, "test": 8})  # how many are in each part
    sentences: int = 10  # of each speaker
    # Accents in which a few speakers say more, how many do, and how much each of them says: volunteers are like that.
    talkative: tuple = (("castellano", 2, 100), ("rioplatense", 1, 50))
    strength: float = 1.0  # factor on the chance of each rule: above 1, the accents are broader
    conditions: Conditions = QUIET


SIZES = {
    "lab": AccentSize(),
    "full": AccentSize({"train": 49, "dev": 14, "test": 14}, 24, (("castellano", 4, 240), ("rioplatense", 2, 120))),
}


def common_voice(folder, size="lab", **options):
    """Write a stand-in for Common Voice in Spanish: the same tables and names, but WAV; see `generate.corpus`."""
    size = size if isinstance(size, AccentSize) else choose(size, SIZES, "size of the synthetic corpus")
    also = {"rules": [asdict(rule) for rule in rules()], "sentences": [size.sentences, *sentences()]}
    return corpus(folder, "common_voice", size, plan, seconds=6.0, margins=(0.05, 0.35), also=also, **options)


def plan(size):
    """Clips of each speaker, and all other files; see `generate.corpus`."""
    people = speakers(size)
    clips, lines = script(size, people)
    files = {"README.md": __doc__.format(clips=len(lines), speakers=len(people))}
    for name in ("validated", "train", "dev", "test"):
        chosen = [HEAD, *(line for part, line in lines if name in ("validated", part))]
        files[f"{name}.tsv"] = "".join("\t".join(line) + "\n" for line in chosen)
    return clips, files


def speakers(size):
    """The synthetic people of a corpus, {Speaker: accent}: each voice in every accent, so that it tells nothing."""
    pool, people, seed = voices(), {}, size.conditions.seed
    if min(size.voices.values(), default=0) < 1 or sum(size.voices.values()) > len(pool):
        raise LabError(f"voices={size.voices}: each part needs one, and there are {len(pool)} in all. Change these.")
    for part, count in size.voices.items():
        own, pool = pool[:count], pool[count:]
        for variant, accent in product(own, ACCENTS):
            rng, name = stream(seed, "accents", variant, accent), digest(f"accents/{seed}/{variant}/{accent}".encode())
            people[speaker(rng, name, part, variant, size.conditions, languages=[LANGUAGE])] = accent
    return people


def script(size, people):
    """Who says what: (clips and sounds of each speaker; part and line in the tables of each clip)."""
    counts = dict.fromkeys(people, size.sentences)
    for accent, few, many in size.talkative:
        training = [person for person, own in people.items() if own == accent and person.part == "train"]
        counts |= dict.fromkeys(training[:few], many)
    seed, texts, sounds, genders = size.conditions.seed, sentences(), spoken(sentences()), espeak.variants()
    clips, lines = {}, []
    for person, count in counts.items():
        accent, clips[person] = people[person], []
        rng = stream(seed, "sentences", person.name)
        rounds = -(-count // len(texts))  # nobody says a sentence again before having said all
        chosen = [place for _ in range(rounds) for place in rng.permutation(len(texts))][:count]
        # Nobody's age: invented, so that a table with ages can be looked at.
        age = "twenties" if count > size.sentences else AGES[rng.integers(len(AGES))]
        for place in chosen:
            path = f"common_voice_es_{90_000_000 + len(lines)}.wav"
            said = pronounce(sounds[place], accent, stream(seed, "rules", path), size.strength)
            clips[person].append((f"clips/{path}", f"[[{said}]]"))
            about = (age, genders[person.voice.variant], ACCENTS[accent], "", "es", "")
            lines.append((person.part, (person.name, path, texts[place], "2", "0", *about)))
    return clips, lines
