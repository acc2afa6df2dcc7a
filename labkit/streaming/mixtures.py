"""Long recordings made of short clips: what is said in them, and when, is known.

Clips of some speakers follow one another with random gaps, over background noise; words outside the vocabulary are
among them. The same scene of the same clips gives the same samples.
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
class Scene:
    """How clips are strung together to a long recording."""

    seconds: Positive = 600.0  # length of the recording
    snr: float = 20.0  # dB of each word, where it is spoken, over the noise behind it
    shortest_gap: NotNegative = 0.3  # seconds between two clips, drawn evenly between these
    longest_gap: NotNegative = 3.0
    strangers: Fraction = 0.25  # fraction of the clips that hold a word outside the vocabulary
    seed: int = 0  # of the order, the gaps and where the noise begins

    def __post_init__(self):
        if self.shortest_gap > self.longest_gap:
            raise LabError(f"shortest_gap={self.shortest_gap} is above longest_gap={self.longest_gap}. Change one.")


def pool(run, corpus, part, others=None):
    """Clips that a long recording may be made of: words of a run's vocabulary, and strangers to it by the same people.

    Strangers come from `others` (by default from the corpus itself), but only those that people of this part say.
    Returns a table: `file` (a path), `name` (the path in its corpus), `label`, `speaker`, `known` (in the vocabulary).
    """
    need_clips(corpus, part)
    mine, others = corpus.part(part), others or corpus
    refuse_training_speakers(run, mine)
    words = [label for label in run.labels if label != OTHER]
    known = mine[mine.label.isin(words)]
    if known.empty:
        raise LabError(f"{corpus.name} has no clip of {', '.join(words)} in its part {part!r}. Take another corpus.")
    strangers = others.clips[~others.clips.label.isin(words) & others.clips.speaker.isin(set(mine.speaker))]
    tables = []
    for source, clips, is_known in ((corpus, known, True), (others, strangers, False)):
        files = [source.root / path for path in clips.path]
        tables.append(clips[["label", "speaker"]].assign(file=files, name=clips.path, known=is_known))
    return pd.concat(tables, ignore_index=True)


def background(corpus, part, rate):
    """Background noises of a corpus, each with an rms of 1: for the test the second half of each file, else the first.

    Training may have heard the first halves (`Augmentation.noise_share`), and nothing is chosen on the second ones.
    """
    if not corpus.noises:
        raise LabError(f"{corpus.name} has no background noises. Name a corpus that has, such as Speech Commands.")
    rows = []
    for path in corpus.noises:
        row = read_audio(corpus.root / path, rate)[0]
        rows.append(row[len(row) // 2 :] if part == "test" else row[: len(row) // 2])
    return [row / np.sqrt(np.mean(row**2) + 1e-12) for row in rows]


def spoken(samples, rate, drop=25.0):
    """Where somebody speaks in a clip, as (start, end) in samples.

    From the first to the last frame of 20 ms that lies less than `drop` dB below the loudest.
    """
    step = rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    if not len(frames):
        return 0, len(samples)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    loud = np.flatnonzero(level > level.max() - drop)
    return int(loud[0]) * step, int(loud[-1] + 1) * step


def string(clips, noises, scene, rate):
    """One long recording at `rate` Hz, of clips as from `pool` and noises as from `background`.

    Returns its samples, float32, shape (samples,); and a table with a row per clip: `name`, `label`, `speaker`,
    `known`, `start` and `end` (of what is spoken, in seconds).
    """
    generator = np.random.default_rng(int(digest([scene.seed, "string"], 12), 16))
    total = round(scene.seconds * rate)
    out = _noise(noises, total, rate, generator) * (LEVEL * 10 ** (-scene.snr / 20))
    strangers, known = (_shuffled(clips[clips.known == flag], generator) for flag in (False, True))
    place, rows = round(scene.shortest_gap * rate), []
    while True:
        from_known = generator.random() >= scene.strangers or clips.known.all()
        clip = next(known if from_known else strangers)
        gap = round(generator.uniform(scene.shortest_gap, scene.longest_gap) * rate)
        samples = read_audio(clip.file, rate)[0]
        if place + len(samples) + LATE * rate > total:  # the last word has time to be reported
            break
        start, end = spoken(samples, rate)
        rise = _rise(len(samples), 0.02 * rate)  # no click where the clip begins and ends
        loudness = np.sqrt(np.mean(samples[start:end] ** 2) + 1e-12)
        out[place : place + len(samples)] += samples * rise * rise[::-1] * (LEVEL / loudness)
        rows.append((*clip[["name", "label", "speaker", "known"]], (place + start) / rate, (place + end) / rate))
        place += len(samples) + gap
    names = ["name", "label", "speaker", "known", "start", "end"]
    return np.clip(out, -1, 1).astype(np.float32), pd.DataFrame(rows, columns=names)


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
            rise = np.sqrt(_rise(length, fade))
            piece = (noise[first : first + length].astype(float) * rise * rise[::-1])[: max(0, len(out) - place)]
            out[place : place + len(piece)] += piece
            place += length - fade
    return out[:total]


def _rise(length, fade):
    """From 0 to 1 over `fade` samples, then 1: shape (length,)."""
    return np.minimum(1, np.arange(1, length + 1) / fade)
