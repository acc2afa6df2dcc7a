"""Long recordings made of clips, in which what was said when is known."""

import re

import numpy as np
import pandas as pd

from ..data.audio import read_audio
from ..data.corpus import UNKNOWN, parts_by_speaker
from ..errors import LabError
from ..evaluation.predictions import refuse_training_speakers
from ..files import digest
from ..settings import Fraction, NotNegative, Positive, settings

COMMANDS = ("yes", "no", "up", "down", "left", "right", "stop", "go")
LEVEL = 0.05  # rms of each word where it is spoken, against a full scale of 1
LATE = 1.0  # seconds after its end in which a word may still be reported
MISSED = "-"
CAUSES = ("unknown", "confusion", "repeat", "noise")  # said: an unknown word, another, this one again, nothing
SPEECH = {"validation": 0.2, "test": 0.5}  # fractions of the speakers of running speech; the rest may train


@settings
class MixturePlan:
    """How clips become a long recording."""

    seconds: Positive | None = 600.0  # length of the recording; None: every clip once, and as long as that takes
    snr: float = 20.0  # dB of each word, where it is spoken, over the noise behind it
    shortest_gap: NotNegative = 0.3  # seconds between two clips, drawn evenly between these
    longest_gap: NotNegative = 3.0
    unknown: Fraction = 0.25  # fraction of the clips that hold a word outside the vocabulary
    seed: int = 0  # of the order, the gaps and where the noise begins

    def __post_init__(self):
        if self.shortest_gap > self.longest_gap:
            raise LabError(f"shortest_gap={self.shortest_gap} is above longest_gap={self.longest_gap}. Change one.")


ONCE = MixturePlan(seconds=None, longest_gap=1.0)


def pool(run, corpus, part):
    """Clips of one part for a mixture: words of a run's vocabulary, and other words.

    Returns a table: `label`, `speaker`, `name` (the path in its corpus), `known` (in the vocabulary), `file` (a path).
    """
    clips = corpus.part(part)
    refuse_training_speakers(run, clips)
    words = [label for label in run.labels if label != UNKNOWN]
    if not clips.label.isin(words).any():
        raise LabError(f"{corpus.name} has no clip of {', '.join(words)} in its part {part!r}. Take another corpus.")
    return unknown(corpus, clips).assign(label=clips.label, known=clips.label.isin(words)).reset_index(drop=True)


def sentences(corpus, part, words=COMMANDS):
    """One part, by speaker, of a corpus of read sentences, as from `pool`: `known` are those with one of the words."""
    clips = corpus.clips[parts_by_speaker(corpus.clips.speaker, **SPEECH) == part]
    said = [re.findall(r"[a-z']+", sentence.lower()) for sentence in clips.sentence]
    first = [next((word for word in sentence if word in words), "") for sentence in said]
    return unknown(corpus, clips).assign(label=first, known=[word != "" for word in first])


def unknown(corpus, clips=None):
    """All clips of a corpus, or some of them, as from `pool`, for what holds no word of the vocabulary."""
    clips = corpus.clips if clips is None else clips
    files = [corpus.root / path for path in clips.path]
    return pd.DataFrame({"label": "", "speaker": clips.speaker, "known": False, "name": clips.path, "file": files})


def background(corpus, part, sample_rate):
    """Background noises with an rms of 1: for a test the second half of each file, else the first, which may train."""
    if not corpus.noises:
        raise LabError(f"{corpus.name} has no background noises. Name a corpus that has, such as Speech Commands.")
    rows = []
    for path in corpus.noises:
        row = read_audio(corpus.root / path, sample_rate)[0]
        row = row[len(row) // 2 :] if part == "test" else row[: len(row) // 2]
        rows.append(row / np.sqrt(np.mean(row**2) + 1e-12))
    return rows


def spoken(samples, sample_rate):
    """Where somebody speaks, as (start, end) in samples: the frames of 20 ms within 25 dB of the loudest."""
    step = sample_rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    if not len(frames):
        return 0, len(samples)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    loud = np.flatnonzero(level > level.max() - 25)
    return int(loud[0]) * step, int(loud[-1] + 1) * step


def mixture(clips, noises, plan, sample_rate):
    """One long recording: float32 samples and a table of its clips, with `start` and `end` in seconds.

    `clips` are as from `pool`, `noises` as from `background`; of each clip the table also has what `pool` says of it.
    Without clips it is noise alone, as loud as words would be.
    """
    generator = np.random.default_rng(int(digest([plan.seed, "string"], 12), 16))  # the old word for a mixture
    said, rows, sounds, place = list(clips.columns.drop("file")), [], [], round(plan.shortest_gap * sample_rate)
    for clip in _drawn(clips, plan, generator):
        gap = round(generator.uniform(plan.shortest_gap, plan.longest_gap) * sample_rate)
        samples = read_audio(clip.file, sample_rate)[0]
        if plan.seconds and place + len(samples) + LATE * sample_rate > plan.seconds * sample_rate:
            break  # the last word has time to be reported
        start, end = spoken(samples, sample_rate)
        loudness = np.sqrt(np.mean(samples[start:end] ** 2) + 1e-12)
        sounds.append((place, _faded(samples, 0.02 * sample_rate) * (LEVEL / loudness)))
        rows.append((*clip[said], (place + start) / sample_rate, (place + end) / sample_rate))
        place += len(samples) + gap
    total = round(plan.seconds * sample_rate) if plan.seconds else place + round(LATE * sample_rate)
    level = LEVEL * 10 ** (-plan.snr / 20) if len(clips) else LEVEL
    out = _noise(noises, total, sample_rate, generator) * level
    for first, sound in sounds:
        out[first : first + len(sound)] += sound
    table = pd.DataFrame(rows, columns=[*said, "start", "end"]).astype({"known": bool})
    return np.clip(out, -1, 1).astype(np.float32), table


def _drawn(clips, plan, generator):
    """Clips in random order: each once, or without end, so many of them unknown words as the plan says."""
    if not plan.seconds or clips.empty:
        yield from (clips.iloc[number] for number in generator.permutation(len(clips)).tolist())
        return
    unknown, known = (_shuffled(clips[clips.known == flag], generator) for flag in (False, True))
    while True:
        from_known = generator.random() >= plan.unknown or clips.known.all()
        yield next(known if from_known and clips.known.any() else unknown)


def _shuffled(clips, generator):
    """Clips in random order, shuffled again when all were drawn."""
    while len(clips):
        for number in reversed(generator.permutation(len(clips)).tolist()):
            yield clips.iloc[number]


def _noise(noises, total, sample_rate, generator):
    """Stretches of all noises, one after the other, each fading into the next."""
    out, place = np.zeros(total + 15 * sample_rate * len(noises)), 0
    while place < total:
        for noise in noises:
            length = min(len(noise), 15 * sample_rate)
            fade = min(sample_rate // 2, length // 4)
            first = int(generator.integers(len(noise) - length + 1))
            piece = _faded(noise[first : first + length].astype(float), fade, power=0.5)  # loudness stays even
            out[place : place + length] += piece
            place += length - fade
    return out[:total]


def _faded(samples, fade, power=1):
    """Sound that rises over its first `fade` samples and falls over its last, so that nothing clicks."""
    rise = np.minimum(1, np.arange(1, len(samples) + 1) / fade) ** power
    return samples * rise * rise[::-1]


def score(truth, detections):
    """Which words were found, and what was reported that nobody said; `truth` as from `mixture`.

    A report is a hit if a word of that name, not yet found, began before and ended at most a second before it. Returns
    the words of the vocabulary with `predicted` (the label, or "-") and `latency` (seconds from the word's end to the
    report); and the false alarms with `word`, `reported` and `cause`.
    """
    words, alarms = truth.assign(predicted=MISSED, latency=np.nan), []
    for detection in detections:
        word, now = detection.word, detection.reported
        around = words[(words.start <= now) & (now <= words.end + LATE)]
        same = around[around.known & (around.label == word)]
        open_ones = same.index[same.predicted == MISSED]
        if len(open_ones):
            words.loc[open_ones[0], ["predicted", "latency"]] = word, now - words.end[open_ones[0]]
        elif around.empty:
            alarms.append((word, now, "noise"))
        elif len(same):
            alarms.append((word, now, "repeat"))
        else:
            alarms.append((word, now, "confusion" if around.known.iloc[-1] else "unknown"))
    return words[words.known].reset_index(drop=True), pd.DataFrame(alarms, columns=["word", "reported", "cause"])
