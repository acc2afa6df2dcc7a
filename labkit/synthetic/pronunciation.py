"""Spanish accents made by rule: which sounds a sentence has, and what an accent makes of them.

espeak-ng turns sentences into sounds with every distinction that Spanish makes. The rules of `accent_rules.csv` then
change sounds, one line for each rule, with its source. What they make are caricatures: accents in single sounds only,
without melody, and each as one although none is.
"""

import csv
import re
from dataclasses import asdict, dataclass
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
# Where a sound stands, as regular expressions before and after it. A stressed vowel has ' or , before it.
_MARK, _CONSONANT = "[',]*", "[ptkbdgfmnlrBDGQRxXhCSZTJN]"
WHERE = {
    "": ("", ""),
    "before a consonant": ("", f"(?= ?{_MARK}{_CONSONANT})"),
    "before a word with a vowel": ("", f"(?= +{_MARK}[aeiou])"),
    "before a pause": ("", "(?= *$)"),
    "at the end of a word": ("", "(?= |$)"),
    "at the end of a syllable": ("", f"(?= |$|{_MARK}[ptkbdgfmnlBDGQxXhCSTJNs])"),
    "between vowels": ("(?<=[aeiou])", f"(?={_MARK}[aeo])"),
    "before e or i": ("", f"(?={_MARK}[eij])"),
    "without stress, before s": ("(?<![',])", "(?=s)"),
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
        before, after = choose(self.where, WHERE, "place of a sound")
        return re.compile(before + re.escape(self.sound) + after)


@cache
def rules():
    """All rules, in the order in which they apply."""
    with open(Path(__file__).with_name("accent_rules.csv"), encoding="utf-8", newline="") as file:
        return tuple(Rule(**{**row, "chance": float(row["chance"])}) for row in csv.DictReader(file))


@cache
def sentences():
    """All sentences."""
    text = Path(__file__).with_name("sentences_es.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line)


def spoken(texts):
    """What espeak-ng would say of Spanish texts, in its letters for sounds: a tuple of str."""
    told = espeak.fresh("espeak", {"voice": asdict(espeak.Voice(LANGUAGE)), "texts": list(texts)})
    return tuple(told["phonemes"])


def pronounce(sounds, accent, rng=None, strength=1.0):
    """Change sounds, in espeak-ng's letters, as an accent (a key of `ACCENTS`) does.

    `rng` decides where a rule that does not hold always applies; without one it always does. `strength` is a factor on
    the chance of each rule.

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
    """Let one voice say sounds, in espeak-ng's letters, and hear when each of them begins; for listening and drawing.

    Returns float32 samples between -1 and 1, their sample rate in Hz, and a list of (sound, second at which it begins),
    where "" is silence or the end.
    """
    samples, rate, times = espeak.speak(sounds, espeak.Voice(LANGUAGE, variant), seed, phonemes=True)
    return samples, rate, [(sound, milliseconds / 1000) for sound, milliseconds in times]
