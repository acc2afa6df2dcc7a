"""Mixtures: long recordings made of short clips, where it is known what is said, and when.

Clips of some speakers follow one another with random gaps, over background noise; words outside the vocabulary are
among them. The same plan of the same clips gives the same samples.
"""

import numpy as np
import pandas as pd

from ..data.audio import read_audio
from ..data.corpus import OTHER
from ..errors import LabError
from ..evaluation.predictions import need_clips, refuse_training_speakers
from ..files import digest
from ..settings import Fraction, NotNegative, Positive, settings

LEVEL = 0.05  # rms of each word where it is spoken, against a full scale of 1
LATE = 1.0  # seconds after its end in which a word may still be reported


@settings
class MixturePlan:
    """How clips become a long recording."""

    seconds: Positive = 600.0  # length of the recording
    snr: float = 20.0  # dB of each word, where it is spoken, over the noise behind it
    shortest_gap: NotNegative = 0.3  # seconds between two clips, drawn evenly between these
    longest_gap: NotNegative = 3.0
    unknown: Fraction = 0.25  # fraction of the clips that hold a word outside the vocabulary
    seed: int = 0  # of the order, the gaps and where the noise begins

    def __post_init__(self):
        if self.shortest_gap > self.longest_gap:
            raise LabError(f"shortest_gap={self.shortest_gap} is above longest_gap={self.longest_gap}. Change one.")


def pool(run, corpus, part, others=None):
    """Clips for a mixture: words of a run's vocabulary, and unknown words by the same people, from `others` if given.

    Returns a table: `label`, `speaker`, `name` (the path in its corpus), `known` (in the vocabulary), `file` (a path).
    """
    need_clips(corpus, part)
    mine, others = corpus.part(part), others or corpus
    refuse_training_speakers(run, mine)
    words = [label for label in run.labels if label != OTHER]
    known = mine[mine.label.isin(words)]
    if known.empty:
        raise LabError(f"{corpus.name} has no clip of {', '.join(words)} in its part {part!r}. Take another corpus.")
    unknown = others.clips[~others.clips.label.isin(words) & others.clips.speaker.isin(set(mine.speaker))]
    both = [known.assign(root=corpus.root, known=True), unknown.assign(root=others.root, known=False)]
    clips = pd.concat(both, ignore_index=True).rename(columns={"path": "name"})
    files = [root / name for root, name in zip(clips.root, clips.name, strict=True)]
    return clips[["label", "speaker", "name", "known"]].assign(file=files)


def background(corpus, part, rate):
    """Background noises with an rms of 1: the second half of each file for the test, for training may use the first."""
    if not corpus.noises:
        raise LabError(f"{corpus.name} has no background noises. Name a corpus that has, such as Speech Commands.")
    rows = []
    for path in corpus.noises:
        row = read_audio(corpus.root / path, rate)[0]
        row = row[len(row) // 2 :] if part == "test" else row[: len(row) // 2]
        rows.append(row / np.sqrt(np.mean(row**2) + 1e-12))
    return rows


def spoken(samples, rate):
    """Where somebody speaks, as (start, end) in samples: the frames of 20 ms within 25 dB of the loudest."""
    step = rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    if not len(frames):
        return 0, len(samples)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    loud = np.flatnonzero(level > level.max() - 25)
    return int(loud[0]) * step, int(loud[-1] + 1) * step


def mixture(clips, noises, plan, rate):
    """One long recording: samples at `rate` Hz, float32, and a table of its clips, with `start` and `end` in seconds.

    `clips` are as from `pool`, `noises` as from `background`; of each clip the table also has what `pool` says of it.
    """
    generator = np.random.default_rng(int(digest([plan.seed, "string"], 12), 16))
    total = round(plan.seconds * rate)
    out = _noise(noises, total, rate, generator) * (LEVEL * 10 ** (-plan.snr / 20))
    unknown, known = (_shuffled(clips[clips.known == flag], generator) for flag in (False, True))
    place, rows, said = round(plan.shortest_gap * rate), [], ["name", "label", "speaker", "known"]
    while True:
        from_known = generator.random() >= plan.unknown or clips.known.all()
        clip = next(known if from_known else unknown)
        gap = round(generator.uniform(plan.shortest_gap, plan.longest_gap) * rate)
        samples = read_audio(clip.file, rate)[0]
        if place + len(samples) + LATE * rate > total:  # the last word has time to be reported
            break
        start, end = spoken(samples, rate)
        loudness = np.sqrt(np.mean(samples[start:end] ** 2) + 1e-12)
        out[place : place + len(samples)] += _faded(samples, 0.02 * rate) * (LEVEL / loudness)
        rows.append((*clip[said], (place + start) / rate, (place + end) / rate))
        place += len(samples) + gap
    return np.clip(out, -1, 1).astype(np.float32), pd.DataFrame(rows, columns=[*said, "start", "end"])


def _shuffled(clips, generator):
    """Clips in random order, shuffled again when all were drawn."""
    while len(clips):
        for number in reversed(generator.permutation(len(clips)).tolist()):
            yield clips.iloc[number]


def _noise(noises, total, rate, generator):
    """Stretches of all noises, one after the other, each fading into the next."""
    out, place = np.zeros(total + rate), 0
    while place < total:
        for noise in noises:
            length = min(len(noise), 15 * rate)
            fade = min(rate // 2, length // 4)
            first = int(generator.integers(len(noise) - length + 1))
            piece = _faded(noise[first : first + length].astype(float), fade, power=0.5)  # loudness stays even
            piece = piece[: max(0, len(out) - place)]
            out[place : place + len(piece)] += piece
            place += length - fade
    return out[:total]


def _faded(samples, fade, power=1):
    """Sound that rises over its first `fade` samples and falls over its last, so that nothing clicks."""
    rise = np.minimum(1, np.arange(1, len(samples) + 1) / fade) ** power
    return samples * rise * rise[::-1]
