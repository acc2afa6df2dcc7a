"""Spanish accents made by rule: which sounds a sentence has, and what an accent makes of them.

espeak-ng turns sentences into sounds with every distinction that Spanish makes. The rules of `accent_rules.csv` change
single sounds of these, each with its source. What they make are caricatures, without melody.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import choose
from . import espeak

LANGUAGE = "es"
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


@dataclass(frozen=True)
class Rule:
    """One line of `accent_rules.csv`."""

    accent: str
    what: str  # in words
    sound: str  # what is replaced, in espeak-ng's letters for sounds
    where: str  # a key of `WHERE`
    say: str  # what is said instead
    chance: float  # how often it happens; nobody follows such a rule always
    source: str  # who describes it

    @property
    def pattern(self):
        return re.compile(choose(self.where, WHERE, "place of a sound") % re.escape(self.sound))


@cache
def rules():
    """All rules, in the order in which they apply."""
    with open(Path(__file__).with_name("accent_rules.csv"), encoding="utf-8", newline="") as file:
        return tuple(Rule(**{**row, "chance": float(row["chance"])}) for row in csv.DictReader(file))


@cache
def sentences():
    """All sentences."""
    return tuple(Path(__file__).with_name("sentences_es.txt").read_text(encoding="utf-8").splitlines())


def spoken(texts):
    """What espeak-ng would say of Spanish texts, in its letters for sounds: a tuple of str."""
    return tuple(espeak.fresh("espeak", {"voice": {"language": LANGUAGE}, "texts": list(texts)})["phonemes"])


def pronounce(sounds, accent, rng=None, strength=1.0):
    """Change sounds, in espeak-ng's letters, as an accent (a key of `ACCENTS`) does.

    `rng` decides where a rule applies; without one, everywhere. `strength` is a factor on the chance of each rule.

    >>> pronounce("la l^'uBja en las k'al^es", "rioplatense")
    "la S'uBja en lah k'aSes"
    """
    choose(accent, ACCENTS, "accent")
    for rule in rules():
        if rule.accent == accent:

            def change(match, rule=rule):
                return rule.say if rng is None or rng.random() < rule.chance * strength else match[0]

            sounds = rule.pattern.sub(change, sounds)
    return sounds


def listen(sounds, variant="", seed=1):
    """Let one voice say sounds, in espeak-ng's letters, as `espeak.say` does a text."""
    return espeak.say(f"[[{sounds}]]", LANGUAGE, variant, seed=seed)
