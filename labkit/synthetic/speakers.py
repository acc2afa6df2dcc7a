"""Who speaks: voice variants of espeak-ng, each with a pitch, a speed and an accent."""

from dataclasses import dataclass

from ..files import digest
from . import espeak

# Whoever is not named here speaks in the training part. Variants whose files differ in a few lines only (Gene and
# Gene2, Mario and Michael ...) are on the same side, so that nobody in the test part has a twin in the training part.
HELD_OUT = {
    "validation": "Annie Mario f3 boris m1 whisper victor gustave rob m4 belinda Denis robert Michael".split(),
    "testing": "f1 m2 Andrea Reed steph Gene m5 quincy ed grandma mike2 announcer Gene2 steph2 steph3".split(),
}
# Effects rather than people: a model trained on all other variants takes most of their words for other words.
LEFT_OUT = "Alicia Demonic Lee kaukovalta norbert shelby zac".split()
# Variants that share most lines of their files with another one: no tested voice has a twin that was trained on.
TWINS = (
    "Gene2 Henrique Hugo RicishayMax RicishayMax3 Tweaky anikaRobot edward2 iven3 iven4 john michel miguel robosoft4 "
    "robosoft5 robosoft6 robosoft8 steph3"
).split()
WHISPERS = ["whisper", "whisperf"]  # without a voice, half of the consonants are gone


@dataclass(frozen=True)
class Speaker:
    """One synthetic person."""

    name: str  # hexadecimal digits or a number: says nothing
    part: str  # of the corpus; where it has none, their gender
    voice: espeak.Voice


def speaker(rng, name, part, variant, conditions, languages=espeak.ENGLISH):
    """A person with this voice variant, and an accent, a pitch and a speed that `rng` draws."""
    language = languages[rng.integers(len(languages))]
    drawn = {name: int(rng.integers(*getattr(conditions, name))) for name in ("pitch", "rate", "range")}
    return Speaker(name, part, espeak.Voice(language, variant, **drawn))


def voices(without=(*LEFT_OUT, *TWINS, *WHISPERS)):
    """Variants of espeak-ng, by default no two of them near copies, in an order that says nothing."""
    return sorted(set(espeak.variants()) - set(without), key=lambda name: digest(name.encode()))
