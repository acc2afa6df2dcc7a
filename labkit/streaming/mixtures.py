"""Long recordings made of short clips: what is said in them, and when, is known.

Clips of some speakers follow one another with random gaps, over background noise; words outside the vocabulary are
among them. Whoever asks for the same scene of the same clips gets the same samples.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..data.audio import read_audio
from ..data.corpus import OTHER
from ..errors import LabError, check_types
from ..evaluation.predictions import need_clips, refuse_training_speakers
from ..files import digest

LEVEL = 0.05  # rms of each word where it is spoken, against a full scale of 1
LATE = 1.0  # seconds after its end in which a word may still be reported


@dataclass(frozen=True)
class Scene:
    """How clips are strung together.

    Parameters
    ----------
    seconds : float
        Length of the string.
    snr : float
        dB of each word, where it is spoken, over the noise behind it.
    shortest_gap, longest_gap : float
        Seconds between two clips, drawn evenly between these.
    strangers : float
        Share of the clips that hold a word outside the vocabulary.
    seed : int
        Of the order, the gaps and where the noise begins.
    """

    seconds: float = 600.0
    snr: float = 20.0
    shortest_gap: float = 0.3
    longest_gap: float = 3.0
    strangers: float = 0.25
    seed: int = 0

    def __post_init__(self):
        check_types(self)
        if self.seconds <= 0 or not 0 <= self.shortest_gap <= self.longest_gap or not 0 <= self.strangers <= 1:
            raise LabError(
                f"{self}: seconds is above zero, the shortest gap not below zero nor above the longest, and strangers "
                "is a share. Change these."
            )


def pool(classifier, corpus, part, others=None):
    """Clips that a string may be made of: words of the vocabulary, and strangers to it by the same people.

    Parameters
    ----------
    classifier : Run
    corpus : Corpus
        Opened whole.
    part : str
    others : Corpus, optional
        Where strangers come from; by default the corpus itself. Only what people of this part say is taken.

    Returns
    -------
    pandas.DataFrame
        `file` (a path), `name` (the path in its corpus), `label`, `speaker`, `known` (in the vocabulary).

    Raises
    ------
    LabError
        If there are no such clips, or the network was trained on one of the speakers.
    """
    words = [label for label in classifier.labels if label != OTHER]
    need_clips(corpus, part)
    refuse_training_speakers(classifier, corpus.part(part))
    speakers = set(corpus.part(part).speaker)
    others = others or corpus
    known = corpus.part(part)
    known = known[known.label.isin(words)]
    strangers = others.clips[~others.clips.label.isin(words) & others.clips.speaker.isin(speakers)]
    tables = [
        pd.DataFrame(
            {
                "file": [source.root / path for path in clips.path],
                "name": clips.path.to_numpy(),
                "label": clips.label.to_numpy(),
                "speaker": clips.speaker.to_numpy(),
                "known": flag,
            }
        )
        for source, clips, flag in ((corpus, known, True), (others, strangers, False))
    ]
    if tables[0].empty:
        raise LabError(f"{corpus.name} has no clip of {', '.join(words)} in its part {part!r}. Take another corpus.")
    return pd.concat(tables, ignore_index=True)


def background(corpus, part, rate):
    """Background noise of a corpus in one row: for the test the second half of each file, else the first.

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
    """Where somebody speaks in a clip: (start, end) in samples.

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
    """One long recording and what is said in it.

    Parameters
    ----------
    clips : pandas.DataFrame
        As from `pool`.
    noises : list of numpy.ndarray
        As from `background`; each has an rms of 1. They follow one another, crossfaded.
    scene : Scene
    rate : int
        Hz.

    Returns
    -------
    tuple of (numpy.ndarray, pandas.DataFrame)
        Samples, float32, shape (samples,); and a row per clip: `name`, `label`, `speaker`, `known`, `start`, `end` (of
        what is spoken, in seconds).
    """
    dice = np.random.default_rng(int(digest([scene.seed, "string"], 12), 16))
    total = round(scene.seconds * rate)
    out = _noise(noises, total, rate, dice) * (LEVEL * 10 ** (-scene.snr / 20))
    decks = {flag: _Deck(clips[clips.known == flag], dice) for flag in (True, False)}
    place, rows = round(scene.shortest_gap * rate), []
    while True:
        clip = decks[bool(dice.random() >= scene.strangers) or not len(decks[False].clips)].draw()
        gap = round(dice.uniform(scene.shortest_gap, scene.longest_gap) * rate)
        samples = read_audio(clip.file, rate)[0]
        if place + len(samples) + LATE * rate > total:  # the last word has time to be reported
            break
        start, end = spoken(samples, rate)
        samples = _faded(samples, rate) * (LEVEL / np.sqrt(np.mean(samples[start:end] ** 2) + 1e-12))
        out[place : place + len(samples)] += samples
        rows.append((*clip[["name", "label", "speaker", "known"]], (place + start) / rate, (place + end) / rate))
        place += len(samples) + gap
    names = ["name", "label", "speaker", "known", "start", "end"]
    return np.clip(out, -1, 1).astype(np.float32), pd.DataFrame(rows, columns=names)


class _Deck:
    """Clips in random order; shuffled again when all were drawn."""

    def __init__(self, clips, dice):
        self.clips, self.dice, self.order = clips, dice, []

    def draw(self):
        if not self.order:
            self.order = self.dice.permutation(len(self.clips)).tolist()
        return self.clips.iloc[self.order.pop()]


def _noise(noises, total, rate, dice):
    """Stretches of all noises, one after the other, each fading into the next."""
    out = np.zeros(total + rate)
    place = 0
    while place < total:
        for noise in noises:
            long = min(len(noise), 15 * rate)
            fade = min(rate // 2, long // 4)
            first = int(dice.integers(len(noise) - long + 1))
            piece = noise[first : first + long].astype(float)
            ramp = np.sqrt(np.minimum(1, np.arange(1, long + 1) / fade))
            piece = (piece * ramp * ramp[::-1])[: max(0, len(out) - place)]
            out[place : place + len(piece)] += piece
            place += long - fade
    return out[:total]


def _faded(samples, rate):
    """Without a click where the clip begins and ends."""
    ramp = np.minimum(1, np.arange(1, len(samples) + 1) / (0.02 * rate))
    return samples * ramp * ramp[::-1]
