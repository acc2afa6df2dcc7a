"""Make the corpus that the listening network of 08_live is trained on: commands, and thousands of other sounds.

    python -m tools.live_corpus OUT --commands FOLDER --words FOLDER --english FOLDER --spanish FOLDER --digits FOLDER

OUT gets the layout of Speech Commands. The eight commands and the digits keep their official parts. Everything else is
the class "unknown": other words, pieces of running speech and of sentences that a program reads, and near-words ("note",
"stuff"). A program's voices say the commands too, and some commands lose what lies above 4 kHz as the digits of FSDD
did: else the network would learn that a program, or a telephone, says no commands.

`--mined FOLDER ...` adds the sounds that `python -m tools.mine_alarms` found. No speaker is in two parts.
"""

import argparse
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr

from labkit.data import fsdd, read
from labkit.data.audio import read_audio
from labkit.data.speech_commands import published_part
from labkit.files import digest, home, write_text
from labkit.streaming.benchmark import COMMANDS, running_speech
from labkit.synthetic.generate import Conditions, Size, make, write_wav
from labkit.synthetic.words import SyntheticSize, speakers

RATE = 16_000
NEAR = (  # words that share sounds with the commands
    "yet yell guess less note know-how nose snow nope so cup pup under top tub town dawn done found drown lift let lefty "
    "theft laughed write ride rice bright wrong stuff shop stock stove spot step gold goat grow girl ghost though okay "
    "hello please because people again also these about house water"
).split()


@dataclass(frozen=True)
class ReadAloud(Size):
    """Sentences that programs read: each voice says its share of them."""

    sentences: dict  # of each part, its texts
    count: int  # voices
    conditions: Conditions = field(default_factory=lambda: Conditions(seed=8))

    corpus, seconds, margins = "read_aloud", 7.0, (0.1, 0.4)

    def plan(self):
        """Three sentences a voice, in turn, from the sentences of its part."""
        clips, given = {}, dict.fromkeys(self.sentences, 0)
        for person in speakers(self.count, self.conditions):
            texts = self.sentences.get(person.part, [])
            for _ in range(3 if texts else 0):
                number = given[person.part]
                given[person.part] += 1
                path = f"{person.part}/{person.name}_{number}.wav"
                clips.setdefault(person, []).append((path, texts[number % len(texts)]))
        return clips, {}


class Writer:
    """Writes clips of one second in the layout of Speech Commands, and the lists of their parts."""

    def __init__(self, folder):
        self.folder, self.lists, self.counts = folder, {"validation": [], "test": []}, {}

    def add(self, label, speaker, part, samples):
        """Write one clip; `speaker` is letters and digits."""
        number = self.counts.setdefault((label, speaker), 0)
        self.counts[label, speaker] += 1
        path = f"{label}/{speaker}_nohash_{number}.wav"
        write_wav(self.folder / path, samples)
        if part in self.lists:
            self.lists[part].append(path)

    def close(self):
        for part, paths in self.lists.items():
            name = {"validation": "validation_list.txt", "test": "testing_list.txt"}[part]
            write_text(self.folder / name, "".join(f"{path}\n" for path in sorted(paths)))


def pieces(samples, hop=0.7):
    """Seconds of a recording, one beginning every `hop` seconds, without those that are nearly silent."""
    loud = np.sqrt(np.mean(samples**2))
    for start in range(0, len(samples) - RATE, round(hop * RATE)):
        piece = samples[start : start + RATE]
        if np.sqrt(np.mean(piece**2)) > 0.3 * loud:
            yield piece


def narrow(samples):
    """Sound without what lies above 4 kHz, as over a telephone."""
    return soxr.resample(soxr.resample(samples, RATE, RATE // 2), RATE // 2, RATE)


def keyed(prefix, name):
    """A short name for a speaker of another corpus."""
    return prefix + digest(str(name).encode(), 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    for name in ("commands", "words", "english", "spanish", "digits"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mined", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    out = Writer(args.out)

    corpus = read(args.commands)
    for clip in corpus.clips.itertuples():
        samples = read_audio(corpus.root / clip.path, RATE)[0]
        label = clip.label if clip.label in COMMANDS else "unknown"
        out.add(label, clip.speaker, clip.split, samples)
        if clip.split == "train" and label != "unknown" and digest(clip.path.encode(), 8) < "1":  # one in 16
            out.add(label, clip.speaker, clip.split, narrow(samples))
    (args.out / "_background_noise_").mkdir(exist_ok=True)
    for path in corpus.noises:
        shutil.copyfile(corpus.root / path, args.out / path)

    others = read(args.words)
    for clip in others.clips[~others.clips.label.isin(COMMANDS)].itertuples():
        part = published_part(clip.speaker)  # the lists of this corpus name absent files
        if part != "test" and clip.label not in corpus.labels:
            out.add("unknown", clip.speaker, part, read_audio(others.root / clip.path, RATE)[0])

    sentences = {}
    for part in ("train", "validation"):
        for prefix, folder in (("en", args.english), ("es", args.spanish)):
            speech = running_speech(read(folder), part)
            quiet = speech.clips[~speech.clips.commands.astype(bool)]
            if prefix == "en":
                sentences["training" if part == "train" else part] = sorted(set(quiet.sentence))
            for clip in quiet.itertuples():
                for piece in pieces(read_audio(speech.root / clip.path, RATE)[0]):
                    out.add("unknown", keyed(prefix, clip.speaker), part, piece)

    spoken = fsdd.load(args.digits)
    for clip in spoken.clips[spoken.clips.path.map(lambda path: digest(path.encode(), 8) < "2")].itertuples():
        part = "validation" if clip.speaker == "theo" else "train"
        out.add("unknown", keyed("fs", clip.speaker), part, read_audio(spoken.root / clip.path, RATE)[0][:RATE])

    made = args.out.parent
    near = make(made / "near_words", SyntheticSize(50, words=tuple(NEAR), clips_per_word=(1, 1), noise_seconds=2.0))
    for source in (home() / "data" / "synthetic_speech_commands", near):
        voices = read(source)
        for clip in voices.clips[voices.clips.split != "test"].itertuples():
            known = clip.label in COMMANDS
            if known or source == near or digest(clip.path.encode(), 8) < "2":
                samples = read_audio(voices.root / clip.path, RATE)[0]
                out.add(clip.label if known else "unknown", f"voice{clip.speaker}", clip.split, samples)
    aloud = make(made / "read_aloud", ReadAloud(sentences, 200))
    for path in sorted(aloud.glob("*/*.wav")):
        part = "train" if path.parent.name == "training" else "validation"
        speaker = "voice" + re.match("[0-9a-f]+", path.name)[0]
        for number, piece in enumerate(pieces(read_audio(path, RATE)[0])):
            if number % 2:
                out.add("unknown", speaker, part, piece)

    for folder in args.mined:
        for path in sorted(folder.glob("*.wav")):
            out.add("unknown", path.stem.split("_")[0], "train", read_audio(path, RATE)[0])
    out.close()
    print(read(args.out))


if __name__ == "__main__":
    main()
