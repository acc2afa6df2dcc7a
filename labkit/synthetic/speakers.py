"""Who speaks: voice variants of espeak-ng, each with a pitch, a speed and an accent."""

from hashlib import sha256

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


def shuffled(names):
    """Names in an order that says nothing, the same each time: no two relatives in a row."""
    return sorted(names, key=lambda name: sha256(name.encode()).digest())


def voices():
    """Variants of espeak-ng that may speak, no two of them near copies."""
    return shuffled(set(espeak.variants()) - {*LEFT_OUT, *TWINS, *WHISPERS})


def draw(rng, variant, conditions, languages=espeak.ENGLISH):
    """A voice of this variant, with what else makes a speaker."""
    return espeak.Voice(
        language=languages[rng.integers(len(languages))],
        variant=variant,
        pitch=int(rng.integers(*conditions.pitch)),
        rate=int(rng.integers(*conditions.rate)),
        range=int(rng.integers(*conditions.range)),
    )


def name_of(*key, digits=8):
    """A speaker's name: hexadecimal digits that depend on `key` and say nothing."""
    return sha256("/".join(map(str, key)).encode()).hexdigest()[:digits]
