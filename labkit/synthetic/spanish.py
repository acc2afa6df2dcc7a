"""# Synthetic stand-in for Common Voice in Spanish

{clips:,} clips by {speakers} synthetic people, each with a voice of their own, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of Common Voice (Ardila et al., arXiv 1912.06670), so that the same code reads both, and none of its
sounds.

- clips/common_voice_es_N.wav: 16 kHz, 16 bit, one channel, up to 6 seconds.
- validated.tsv: all of them. train.tsv, dev.tsv, test.tsv: parts. No person is in two parts.
- Nobody speaks like this: each person says the same sentences in all five accents, in one room, into one microphone. So
  a voice says nothing about an accent, and a known voice can be heard with another one.
- client_id is the person, accents what the rules did to their sounds. Ages are invented, and votes. Gender is what
  espeak-ng says of the voice.

The accents are made by rules (SYNTHETIC.txt lists them, each with its source): five ways to change single sounds. Some
people follow them often, some seldom. People who speak with these accents speak otherwise: melody, rhythm and vowels
are not in the rules.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

from ..errors import LabError, choose
from ..files import digest
from .acoustics import Conditions, stream
from .espeak import Engine, Voice, fresh, variants, voices
from .generate import Size, speaker

LANGUAGE = "es"
SENTENCES = tuple(Path(__file__).with_name("sentences_es.txt").read_text(encoding="utf-8").splitlines())
ACCENTS = {  # what Common Voice calls them
    "andaluz": "España: Sur peninsular (Andalucia, Extremadura, Murcia)",
    "andino": "Andino-Pacífico: Colombia, Perú, Ecuador, oeste de Bolivia y Venezuela andina",
    "caribeno": (
        "Caribe: Cuba, Venezuela, Puerto Rico, República Dominicana, Panamá, Colombia caribeña, México caribeño, "
        "Costa del golfo de México"
    ),
    "castellano": (
        "España: Norte peninsular (Asturias, Castilla y León, Cantabria, País Vasco, Navarra, Aragón, La Rioja, "
        "Guadalajara, Cuenca)"
    ),
    "rioplatense": "Rioplatense: Argentina, Uruguay, este de Bolivia, Paraguay",
}
# Where a sound stands, as a regular expression with the sound at %s. A stressed vowel has ' or , before it.
_MARK = "[',]*"
WHERE = {
    "": "%s",
    "before a consonant": f"%s(?= ?{_MARK}[ptkbdgfmnlrBDGQRxXhCSZTJN])",
    "before a word with a vowel": f"%s(?= +{_MARK}[aeiou])",
    "before a pause": "%s(?= *$)",
    "at the end of a word": "%s(?= |$)",
    "at the end of a syllable": f"%s(?= |$|{_MARK}[ptkbdgfmnlBDGQxXhCSTJNs])",
    "between vowels": f"(?<=[aeiou])%s(?={_MARK}[aeo])",
    "without stress, before s": "(?<![',])%s(?=s)",
}
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
class AccentSize(Size):
    """How much is said in a stand-in for Common Voice in Spanish: the same tables and names, but WAV."""

    voices: dict = field(default_factory=lambda: {"train": 45, "dev": 15, "test": 15})  # how many are in each part
    sentences: int = 8  # of each person, in each accent the same
    strength: tuple = (0.3, 1.0)  # of a person's accents, drawn between these two: see `pronounce`
    conditions: Conditions = QUIET

    corpus, seconds, margins = "common_voice", 6.0, (0.05, 0.35)

    @property
    def rules(self):
        return {"rules": [rule._asdict() for rule in rules()], "sentences": [self.sentences, *SENTENCES]}

    def plan(self):
        sounds, genders, clips, seed = spoken(SENTENCES), variants(), {}, self.conditions.seed
        tables = {name: ["\t".join(HEAD) + "\n"] for name in ("validated", "train", "dev", "test")}
        for person in speakers(self):
            rng, clips[person] = stream(seed, "sentences", person.name), []
            chosen, age = rng.permutation(len(SENTENCES))[: self.sentences], AGES[rng.integers(len(AGES))]
            strength = rng.uniform(*self.strength)
            for accent, place in product(ACCENTS, chosen):
                path = f"common_voice_es_{90_000_000 + len(tables['validated']) - 1}.wav"
                said = pronounce(sounds[place], accent, stream(seed, "rules", path), strength)
                clips[person].append((f"clips/{path}", f"[[{said}]]"))
                about = (age, genders[person.voice.variant], ACCENTS[accent], "", LANGUAGE, "")
                line = "\t".join((person.name, path, SENTENCES[place], "2", "0", *about)) + "\n"
                tables["validated"].append(line)
                tables[person.part].append(line)
        return clips, {f"{name}.tsv": "".join(lines) for name, lines in tables.items()}


SIZES = {"lab": AccentSize(), "full": AccentSize({"train": 47, "dev": 15, "test": 15}, len(SENTENCES))}


def speakers(size):
    """The synthetic people of a corpus, a list of Speakers: each has a voice variant to themselves."""
    pool, people, seed = voices(), [], size.conditions.seed
    if min(size.voices.values(), default=0) < 1 or sum(size.voices.values()) > len(pool):
        raise LabError(f"voices={size.voices}: each part needs one, and there are {len(pool)} in all. Change these.")
    for part, count in size.voices.items():
        own, pool = pool[:count], pool[count:]
        for variant in own:
            rng, name = stream(seed, "accents", variant), digest(f"accents/{seed}/{variant}".encode())
            people.append(speaker(rng, name, part, variant, size.conditions, languages=[LANGUAGE]))
    return people


@cache
def rules():
    """All rules, in the order in which they apply: what each changes, for whom, where, how often, and its source."""
    import pandas as pd  # late: `phonemes` does without

    table = pd.read_csv(Path(__file__).with_name("accent_rules.csv"), keep_default_na=False)
    return tuple(table.itertuples(index=False, name="Rule"))


def spoken(texts):
    """What espeak-ng would say of Spanish texts, in its letters for sounds: a list of str."""
    return fresh(phonemes, texts=texts)


def phonemes(texts):
    """What `spoken` returns, from this process."""
    engine = Engine(Voice(LANGUAGE))
    return [engine.phonemes(text) for text in texts]


def pronounce(sounds, accent, rng=None, strength=1.0, without=""):
    """Change sounds, in espeak-ng's letters, as an accent (a key of `ACCENTS`) does.

    `rng` decides where a rule applies; without one, everywhere. Above 1, `strength` raises the chance of each rule, and
    below it lowers it: chance ** (1 / strength), so that what everybody says stays so. `without` is how the
    `what` of rules that are left out begins.

    >>> pronounce("la l^'uBja en las k'al^es", "rioplatense")
    "la S'uBja en lah k'aSes"
    """
    choose(accent, ACCENTS, "accent")
    for rule in rules():
        if rule.accent == accent and not (without and rule.what.startswith(without)):

            def change(match, rule=rule):
                return rule.say if rng is None or rng.random() < rule.chance ** (1 / strength) else match[0]

            sounds = re.sub(WHERE[rule.where] % re.escape(rule.sound), change, sounds)
    return sounds
