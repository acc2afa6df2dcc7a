"""Spanish accents made by rule: which sounds a sentence has, and what an accent makes of them.

espeak-ng turns sentences into sounds with every distinction that Spanish makes. The rules of `accent_rules.csv` then
change sounds, one line for each rule, with its source. What they make are caricatures: accents in single sounds only,
without melody, and each as one although none is.
"""

import csv
import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from ..errors import choose
from . import espeak

LANGUAGE = "es"
# How Common Voice calls them: the beginnings of its texts.
ACCENTS = {
    "andaluz": "España: Sur",
    "andino": "Andino-Pacífico",
    "caribeno": "Caribe",
    "castellano": "España: Norte",
    "rioplatense": "Rioplatense",
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
    """One line of `accent_rules.csv`.

    Parameters
    ----------
    accent : str
    what : str
        In words.
    sound, say : str
        What is replaced, and by what, in espeak-ng's letters for sounds.
    where : str
        A key of `WHERE`.
    chance : float
        How often it happens; nobody follows such a rule always.
    source : str
        Who describes it.
    """

    accent: str
    what: str
    sound: str
    where: str
    say: str
    chance: float
    source: str

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
    """What espeak-ng would say of Spanish texts, in its letters for sounds.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    tuple of str
    """
    espeak.version()  # complains here if there is no espeak-ng
    job = {"voice": asdict(espeak.Voice(LANGUAGE)), "texts": list(texts)}
    return tuple(json.loads(espeak.fresh("espeak", job)))


def pronounce(sounds, accent, rng=None, strength=1.0):
    """Change sounds as an accent does.

    Parameters
    ----------
    sounds : str
        In espeak-ng's letters.
    accent : str
        A key of `ACCENTS`.
    rng : numpy.random.Generator, optional
        Decides where a rule that does not hold always applies; without one it always does.
    strength : float
        As in `AccentSize`.

    Returns
    -------
    str

    Examples
    --------
    >>> pronounce("la l^'uBja en las k'al^es", "rioplatense")
    "la S'uBja en lah k'aSes"
    """
    choose(accent, ACCENTS, "accent")
    for rule in rules():
        if rule.accent == accent:
            chance = rule.chance * strength

            def change(match, rule=rule, chance=chance):
                return rule.say if rng is None or rng.random() < chance else match[0]

            sounds = rule.pattern.sub(change, sounds)
    return sounds


def listen(sounds, variant="", seed=1):
    """Let one voice say sounds, and hear when each of them begins; for listening and drawing.

    Parameters
    ----------
    sounds : str
        In espeak-ng's letters.
    variant : str
        One of `espeak.variants()`, empty for the plain voice.
    seed : int

    Returns
    -------
    tuple of (numpy.ndarray, int, list of (str, float))
        Samples between -1 and 1, float32 of shape (samples,); their rate in Hz; each sound and where it begins, in
        seconds ("" is silence, or the end).
    """
    import numpy as np

    espeak.version()
    voice = asdict(espeak.Voice(LANGUAGE, variant))
    job = {"voice": voice, "text": sounds, "seed": seed, "phonemes": True, "timed": True}
    told, samples = espeak.fresh("espeak", job).split(b"\n", 1)
    told = json.loads(told)
    times = [(sound, milliseconds / 1000) for sound, milliseconds in told["times"]]
    return np.frombuffer(samples, "<i2").astype(np.float32) / 32768, told["rate"], times
