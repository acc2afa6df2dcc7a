"""# Synthetic stand-in for Speech Commands v0.02

{clips:,} clips of {words} words by {speakers} synthetic speakers, made with espeak-ng; see SYNTHETIC.txt.
It has the layout of Speech Commands (Warden, arXiv 1804.03209), so the same code reads both, and none of its sounds.

- WORD/HASH_nohash_N.wav: 16 kHz, 16 bit, one channel, at most one second. HASH is the speaker, N counts their clips.
- validation_list.txt and testing_list.txt: clips of those parts; the rest is for training. No speaker, and no voice
  variant of espeak-ng, is in two parts.
- _background_noise_: noise without speech.

Rooms, microphones, noise, loudness and onsets are drawn from the distributions in SYNTHETIC.txt.
"""

from dataclasses import dataclass, field

from ..files import digest
from .acoustics import NOISES, Conditions, noise, stream
from .espeak import LEFT_OUT, voices
from .generate import RATE, Size, speaker

# Whoever is not named here speaks in the training part. Variants whose files differ in a few lines only (Gene and
# Gene2, Mario and Michael ...) are on the same side, so that nobody in the test part has a twin in the training part.
HELD_OUT = {
    "validation": "Annie Mario f3 boris m1 whisper victor gustave rob m4 belinda Denis robert Michael".split(),
    "testing": "f1 m2 Andrea Reed steph Gene m5 quincy ed grandma mike2 announcer Gene2 steph2 steph3".split(),
}
HELD_FRACTION = 0.12  # of the speakers, for validation and again for testing
WORDS = tuple(
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero".split()
)


@dataclass(frozen=True)
class SyntheticSize(Size):
    """How much is said in a stand-in for Speech Commands: the same folders, names, lists and format."""

    speakers: int  # 100 say about 5,000 clips, 160 MB; the 1,200 of "full" about 105,000, 3.4 GB
    words: tuple = WORDS
    clips_per_word: tuple = (1, 2)  # fewest and most clips of a word by one speaker
    noise_seconds: float = 20.0  # length of each background noise
    conditions: Conditions = field(default_factory=Conditions)

    corpus = "speech_commands"

    def plan(self):
        seed, (few, many) = self.conditions.seed, self.clips_per_word
        clips, files = {person: [] for person in speakers(self.speakers, self.conditions)}, {}
        for person, own in clips.items():
            for word in self.words:
                count = stream(seed, "count", person.name, word).integers(few, many + 1)
                own += [(f"{word}/{person.name}_nohash_{number}.wav", word) for number in range(count)]
        for part in HELD_OUT:
            paths = sorted(path for person, own in clips.items() if person.part == part for path, _ in own)
            files[f"{part}_list.txt"] = "\n".join(paths) + "\n"
        for kind in NOISES:
            sound = noise(kind, int(self.noise_seconds * RATE), RATE, stream(seed, "noise", kind))
            files[f"_background_noise_/{kind}_noise.wav"] = 0.1 * sound
        return clips, files


SIZES = {"lab": SyntheticSize(100), "full": SyntheticSize(1200, clips_per_word=(1, 4), noise_seconds=60.0)}


def speakers(count, conditions=SIZES["lab"].conditions):
    """The first `count` synthetic people."""
    pools = HELD_OUT | {"training": voices(without=[*LEFT_OUT, *HELD_OUT["validation"], *HELD_OUT["testing"]])}
    held, people = max(1, round(HELD_FRACTION * count)), []
    for part, size in (("training", count - 2 * held), ("validation", held), ("testing", held)):
        for number in range(size):
            rng = stream(conditions.seed, "speaker", part, number)
            name = digest(f"{conditions.seed}/{part}/{number}".encode(), 8)
            people.append(speaker(rng, name, part, pools[part][number % len(pools[part])], conditions))
    return people
