"""How well words are found in a long recording: hits, false alarms, latency.

Clips of people (or voices) that the network never heard become minutes of sound (`mixtures`). What was said when is
known, so each report is a hit or a false alarm. The numbers depend on how often words come and how long the gaps are:
they compare networks and settings, and promise nothing about a kitchen.
"""

from collections import namedtuple
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from ..data.audio import read_audio
from ..data.corpus import UNKNOWN, parts_by_speaker
from ..errors import LabError
from ..evaluation.predictions import refuse_training_speakers
from ..experiments.run import about
from ..experiments.schema import origin
from ..files import digest
from ..metrics import interval
from ..settings import Fraction, NotNegative, Positive, settings
from .decision import Decision, decide
from .detector import detect

LEVEL = 0.05  # rms of each word where it is spoken, against a full scale of 1
LATE = 1.0  # seconds after its end in which a word may still be reported
Heard = namedtuple("Heard", "plan truth times probabilities")  # of a mixture: its plan and words; as from `detect`
MISSED = "-"
CAUSES = ("unknown", "confusion", "repeat", "noise")  # said: an unknown word, another, this one again, nothing
SUMMARY = (
    "{part}, {snr:g} dB, one seed: {hits:.1%} [{hits_low:.1%}, {hits_high:.1%}] of {words} words of {speakers} speakers"
    " found{late}; {false_alarms_per_hour:.1f} false alarms an hour in {minutes:g} minutes with {unknown} other words"
)
COMMANDS = ("yes", "no", "up", "down", "left", "right", "stop", "go")
SPEECH = {"validation": 0.2, "test": 0.5}  # fractions of the speakers of running speech; the rest may train
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


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
    mine, others = corpus.part(part), others or corpus
    refuse_training_speakers(run, mine)
    words = [label for label in run.labels if label != UNKNOWN]
    known = mine[mine.label.isin(words)].assign(root=corpus.root, known=True)
    if known.empty:
        raise LabError(f"{corpus.name} has no clip of {', '.join(words)} in its part {part!r}. Take another corpus.")
    unknown = others.clips[~others.clips.label.isin(words) & others.clips.speaker.isin(mine.speaker)]
    clips = pd.concat([known, unknown.assign(root=others.root, known=False)], ignore_index=True)
    files = [root / path for root, path in zip(clips.root, clips.path, strict=True)]
    return clips[["label", "speaker", "known"]].assign(name=clips.path, file=files)


def running_speech(corpus, part, words=COMMANDS):
    """One part, by speaker, of a corpus of sentences; its column `commands` has those of `words` in the sentence."""
    clips = corpus.clips.assign(split=parts_by_speaker(corpus.clips.speaker, **SPEECH))
    said = clips.sentence.str.lower().str.findall(r"[a-z']+")
    clips["commands"] = said.map(lambda sentence: " ".join(word for word in sentence if word in words))
    return corpus.with_clips(clips[clips.split == part])


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
    """
    generator = np.random.default_rng(int(digest([plan.seed, "string"], 12), 16))  # the old word for a mixture
    total = round(plan.seconds * sample_rate)
    out = _noise(noises, total, sample_rate, generator) * (LEVEL * 10 ** (-plan.snr / 20))
    unknown, known = (_shuffled(clips[clips.known == flag], generator) for flag in (False, True))
    place, rows, said = round(plan.shortest_gap * sample_rate), [], ["name", "label", "speaker", "known"]
    while True:
        from_known = generator.random() >= plan.unknown or clips.known.all()
        clip = next(known if from_known else unknown)
        gap = round(generator.uniform(plan.shortest_gap, plan.longest_gap) * sample_rate)
        samples = read_audio(clip.file, sample_rate)[0]
        if place + len(samples) + LATE * sample_rate > total:  # the last word has time to be reported
            break
        start, end = spoken(samples, sample_rate)
        loudness = np.sqrt(np.mean(samples[start:end] ** 2) + 1e-12)
        out[place : place + len(samples)] += _faded(samples, 0.02 * sample_rate) * (LEVEL / loudness)
        rows.append((*clip[said], (place + start) / sample_rate, (place + end) / sample_rate))
        place += len(samples) + gap
    return np.clip(out, -1, 1).astype(np.float32), pd.DataFrame(rows, columns=[*said, "start", "end"])


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


def detect_all(run, clips, noises, plans):
    """Run a network over a mixture for each plan; a list of Heard: what was said, and what the network made of it."""
    sample_rate, heard = run.experiment.feature.sample_rate, []
    for plan in plans:
        samples, truth = mixture(clips, noises, plan, sample_rate)
        heard.append(Heard(plan, truth, *detect(run, samples, sample_rate)[1:]))
    return heard


def decided(heard, labels, decision):
    """Words and false alarms of all mixtures together, as from `score`, and the rates that follow from them."""
    scored = [score(one.truth, decide(labels, one.times, one.probabilities, decision)) for one in heard]
    words, alarms = map(pd.concat, zip(*scored, strict=True))
    words = words.assign(path=np.arange(len(words)))  # a clip may be said twice
    late, hours = words.latency.dropna(), sum(one.plan.seconds for one in heard) / 3600
    rates = {
        "f1": 2 * len(late) / (len(late) + len(alarms) + len(words)),  # of words found and reports right
        "hits": len(late) / len(words),
        "false_alarms_per_hour": len(alarms) / hours,
        "latency": float(late.median()) if len(late) else None,  # seconds
    }
    return words, alarms, rates


def stream_metrics(heard, labels, decision):
    """What a record says of mixtures at one level of noise, a dict ready for JSON; the interval is over speakers.

    Half of the reports come within `latency` seconds of the word's end, nine of ten within `latency_90`.
    """
    words, alarms, rates = decided(heard, labels, decision)
    plan, hits, late, causes = heard[0].plan, interval([words]), words.latency.dropna(), list(alarms.cause)
    rates.pop("f1")  # the curve has it
    return rates | {
        "snr": plan.snr,
        "mixtures": len(heard),
        "seeds": [one.plan.seed for one in heard],
        "plan": {"shortest_gap": plan.shortest_gap, "longest_gap": plan.longest_gap, "unknown": plan.unknown},
        "minutes": round(sum(one.plan.seconds for one in heard) / 60, 2),
        "words": len(words),
        "unknown": int(sum((~one.truth.known).sum() for one in heard)),
        "speakers": hits["speakers"],
        "hits_low": hits["low"],
        "hits_high": hits["high"],
        "false_alarms": {cause: causes.count(cause) for cause in CAUSES},
        "latency_90": float(late.quantile(0.9)) if len(late) else None,
        "curve": curve(heard, labels, decision),
    }


def curve(heard, labels, decision, thresholds=THRESHOLDS):
    """The rates at each threshold, as from `decided`: a list of dicts."""
    rows = [{"threshold": threshold} for threshold in thresholds]
    return [row | decided(heard, labels, replace(decision, **row))[2] for row in rows]


def choose_decision(heard, labels, decision):
    """The decision with the threshold of the best F1 on what was heard; use clips of the validation part."""
    best = max(curve(heard, labels, decision), key=lambda row: (round(row["f1"], 4), row["threshold"]))
    return replace(decision, threshold=best["threshold"])


def plans(snrs=(20.0, 5.0), mixtures=3, seconds=600.0, seed=0):
    """Plans of so many mixtures at each level of noise (dB)."""
    return [MixturePlan(seconds, float(snr), seed=seed + number) for snr in snrs for number in range(mixtures)]


def record(run, corpus, plans, others=None, others_validation=None, noises=None):
    """All that a record says of how a network finds words, ready for JSON: the choice on validation, the test, once.

    The other corpora hold unknown words (see `pool`) and background noises; a run without a decision gets one here.
    """
    decision, noises, result = Decision.of(run), noises or corpus, {}
    for part, source in (("validation", others_validation), ("test", others)):
        clips = pool(run, corpus, part, source)
        counts = {"words": int(clips.known.sum()), "unknown": int((~clips.known).sum())}
        print(f"{part}: {counts['words']:,} clips of words, {counts['unknown']:,} of other words")
        heard = detect_all(run, clips, background(noises, part, run.experiment.feature.sample_rate), plans)
        if part == "validation":
            chosen = choose_decision(heard, run.labels, decision or Decision())
            decision = decision or chosen
        snrs = dict.fromkeys(plan.snr for plan in plans)
        levels = [stream_metrics([one for one in heard if one.plan.snr == snr], run.labels, decision) for snr in snrs]
        for level in levels:
            late = "" if level["latency"] is None else f", half of them within {level['latency']:.2f} s of their end"
            print(SUMMARY.format(part=part, late=late, **level))
        result[part] = {"clips": counts, "unknown_from": (source or corpus).name, "levels": levels}
    return {
        "model": run.name,
        "run": run.id,
        "labels": list(run.labels),
        "decision": asdict(decision),
        "chosen": asdict(chosen),
        "corpus": about(corpus),
        "noises": noises.name,
        **result,
        **origin(run.device),
    }
