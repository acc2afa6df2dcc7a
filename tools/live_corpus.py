"""Make what the listening network of 08_live is trained on, and what its thresholds are chosen on.

    python -m tools.live_corpus corpus OUT --commands FOLDER --words FOLDER --english FOLDER --spanish FOLDER \\
        --digits FOLDER
    python -m tools.live_corpus speech OUT --english FOLDER --spanish FOLDER [--accents FOLDER]
    python -m tools.live_corpus mine OUT --run FOLDER --speech FOLDER [--most 800]
    python -m tools.live_corpus round OUT --corpus FOLDER --mined FOLDER [FOLDER ...] [--all]

`corpus` has the layout of Speech Commands. The eight commands and the digits keep their official parts. All else is the
class "unknown": other words, pieces of running speech and of sentences that programs read, and near-words ("note" for
"no"). The programs say the commands too, and some commands lose what lies above 4 kHz, as the digits of FSDD did: else
the network would learn that a program, or a telephone, says no commands.

`speech` writes whole sentences without commands: OUT/train for mining, OUT/choosing (people) and OUT/programs for the
choice of thresholds. With the Speech Accent Archive, all of whose speakers read one text, OUT/accents_choosing has half
of them and OUT/accents the others, for the test: its licence allows no training of weights that are shipped.
`mine` lets a trained network listen to the first, and writes the second of sound behind each false report: hard
negatives. `round` is a corpus for a short fine-tuning: these, the running speech, and a third of what else trains (with
`--all` everything). No speaker is in two parts.
"""

import argparse
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import soxr

from labkit.data import fsdd, read
from labkit.data.audio import read_audio
from labkit.data.speech_commands import published_part
from labkit.experiments.pretrained import load
from labkit.files import digest, home, write_text
from labkit.streaming import Decision, detect
from labkit.streaming.mixtures import COMMANDS, sentences
from labkit.synthetic.generate import Conditions, Size, make, write_wav
from labkit.synthetic.words import SyntheticSize, speakers

RATE = 16_000
NEAR = (  # words that share sounds with the commands
    "yet yell guess less note know-how nose snow nope so cup pup under top tub town dawn done found drown lift let "
    "lefty theft laughed write ride rice bright wrong stuff shop stock stove spot step gold goat grow girl ghost "
    "though okay hello please because people again also these about house water"
).split()


@dataclass(frozen=True)
class ReadAloud(Size):
    """Sentences that programs read: each voice says some of those of its part."""

    sentences: dict  # of each part, its texts
    count: int  # voices
    each: int = 3  # sentences of a voice
    conditions: Conditions = field(default_factory=lambda: Conditions(seed=8))

    corpus, seconds, margins = "read_aloud", 7.0, (0.1, 0.4)

    def plan(self):
        """The sentences of each voice, in turn from those of its part."""
        clips, given = {}, dict.fromkeys(self.sentences, 0)
        for person in speakers(self.count, self.conditions):
            texts = self.sentences.get(person.part)
            for _ in range(self.each if texts else 0):
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


def read_out(english, part):
    """Sentences without commands of one part of a corpus of English sentences."""
    quiet = sentences(english, part).query("not known")
    return sorted(set(english.clips.set_index("path").sentence.loc[quiet.name]))


def make_corpus(args):
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

    for prefix, folder in (("en", args.english), ("es", args.spanish)):
        speech = read(folder)
        for part in ("train", "validation"):
            quiet = sentences(speech, part).query("not known")
            for clip in quiet.itertuples():
                for piece in pieces(read_audio(clip.file, RATE)[0], args.hop if part == "train" else 0.7):
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
    english = read(args.english)
    texts = {"training": read_out(english, "train"), "validation": read_out(english, "validation")}
    aloud = make(made / "read_aloud", ReadAloud(texts, 200))
    for path in sorted(aloud.glob("*/*.wav")):
        part = "train" if path.parent.name == "training" else "validation"
        speaker = "voice" + re.match("[0-9a-f]+", path.name)[0]
        for number, piece in enumerate(pieces(read_audio(path, RATE)[0])):
            if number % 2:
                out.add("unknown", speaker, part, piece)

    out.close()
    print(read(args.out))


def make_speech(args):
    """Whole sentences, one file each, SPEAKER_NUMBER.wav: for mining and for the choice of thresholds."""
    english, spanish = read(args.english), read(args.spanish)
    parts = {"train": [(english, ["train"]), (spanish, ["train"])], "choosing": [(spanish, ["validation", "test"])]}
    for name, sources in parts.items():  # the English validation part is heard by `tools.live_record` itself
        for corpus, some in sources:
            clips = pd.concat([sentences(corpus, part) for part in some]).query("not known")
            for number, clip in enumerate(clips.itertuples()):
                place = args.out / name / "people" / f"{keyed('p', clip.speaker)}_{number}.wav"
                write_wav(place, read_audio(clip.file, RATE)[0])
    accents = read(args.accents).clips if args.accents else pd.DataFrame(columns=["speaker", "path"])
    for clip in accents.itertuples():
        half = "accents_choosing" if digest(f"half{clip.speaker}".encode(), 8) < "8" else "accents"
        number = Path(clip.path).stem.rsplit("_", 1)[1]
        place = args.out / half / "people" / f"{clip.speaker}_{number}.wav"
        write_wav(place, read_audio(args.accents / clip.path, RATE)[0])
    for name, part, voices, each in (("train", "training", 200, 8), ("choosing", "validation", 200, 20)):
        said = {part: read_out(english, "train" if part == "training" else part)}
        aloud = make(args.out / f"read_{part}", ReadAloud(said, voices, each))
        for path in sorted(aloud.glob("*/*.wav")):
            folder = name if part == "training" else "programs"  # thresholds chosen on programs are too low for people
            place = args.out / folder / "voices" / f"voice{path.name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def mine(args):
    """Seconds of sound behind the false reports of a network in speech that it may train on; the surest first."""
    run, found = load(args.run), []
    hasty = Decision(threshold=args.threshold, refractory=0.3)
    for path in sorted(args.speech.glob("*/*.wav")):
        samples = read_audio(path, RATE)[0]
        padded = np.concatenate([np.zeros(RATE // 2, np.float32), 0.05 / np.sqrt(np.mean(samples**2)) * samples])
        for report in detect(run, padded, RATE, hasty)[0]:
            end = round(report.end * RATE)
            second = padded[max(0, end - RATE) : end]
            if np.sqrt(np.mean(second**2)) > 0.01:  # not the silence before somebody speaks
                found.append((report.confidence, report.word, path.stem.split("_")[0], second))
    found.sort(key=lambda one: -one[0])
    for number, (_, _, speaker, sound) in enumerate(found[: args.most]):
        for copy in range(3):  # heard three times an epoch, varied anew each time
            write_wav(args.out / f"{speaker}_{number}_{copy}.wav", np.clip(sound, -1, 1))
    words = pd.Series([word for _, word, _, _ in found]).value_counts().to_dict()
    print(f"{len(found):,} false reports in {args.speech}: {words}; {min(len(found), args.most):,} kept")


def make_round(args):
    """All running speech, a third of what else trains, the other parts as they are, and the mined sounds."""
    corpus = read(args.corpus)
    lucky = corpus.clips.path.map(lambda path: digest(path.encode(), 8) < "55")  # one in three
    people = corpus.clips.speaker.str.match("en|es")  # running speech: what the detector must learn to hear past
    kept = corpus.clips[args.all | lucky | people | (corpus.clips.split != "train")]
    for path in [*kept.path, *corpus.noises, "validation_list.txt", "testing_list.txt"]:
        (args.out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(corpus.root / path, args.out / path)
    for number, folder in enumerate(args.mined):
        for path in sorted(folder.glob("*.wav")):
            speaker, which, copy = path.stem.split("_")
            shutil.copyfile(path, args.out / "unknown" / f"{speaker}_nohash_{number + 1}{int(which):05d}{copy}.wav")
    print(read(args.out))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(required=True)
    for task, folders in (
        (make_corpus, ("commands", "words", "english", "spanish", "digits")),
        (make_speech, ("english", "spanish")),
        (mine, ("run", "speech")),
        (make_round, ("corpus",)),
    ):
        one = tasks.add_parser(task.__name__.removeprefix("make_"))
        one.set_defaults(task=task)
        one.add_argument("out", type=Path)
        for name in folders:
            one.add_argument(f"--{name}", type=Path, required=True)
        if task is make_corpus:
            one.add_argument("--hop", type=float, default=0.7, help="seconds from piece to piece of people who train")
        if task is make_speech:
            one.add_argument("--accents", type=Path, help="native_language of the Speech Accent Archive")
        if task is make_round:
            one.add_argument("--all", action="store_true", help="everything that trains, not a third of it")
            one.add_argument("--mined", type=Path, nargs="+", required=True)
        if task is mine:
            one.add_argument("--most", type=int, default=800, help="reports that are kept")
            one.add_argument("--threshold", type=float, default=0.5)
    args = parser.parse_args()
    args.task(args)


if __name__ == "__main__":
    main()
