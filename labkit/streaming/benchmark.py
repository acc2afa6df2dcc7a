"""How well words are found in a long recording: hits, false alarms, latency.

Clips of people (or voices) that the network never heard are strung into minutes of sound, with gaps between them and
noise behind all, and words that it was not taught are among them. What was said when is known, so each report is a hit
or a false alarm. Figures depend on how often the words come and how long the gaps are: they compare networks and
settings, and promise nothing about a kitchen.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..experiments.provenance import about, origin
from ..metrics.scores import speaker_interval
from . import Decision, decide, detect
from .mixtures import LATE, Scene, background, pool, string

MISSED = "-"
CAUSES = ("stranger", "confusion", "repeat", "noise")
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


def listen(classifier, samples, rate):
    """Probabilities over a long recording: (times, probabilities), as `Detector` has them, whatever the blocks."""
    _, times, probabilities = detect(classifier, samples, rate)
    return times, probabilities


def score(truth, detections):
    """Which words were found, and what was reported that nobody said.

    A report is a hit if a word of that name, not yet found, began before and ended at most a second before it.

    Parameters
    ----------
    truth : pandas.DataFrame
        As from `string`.
    detections : list of Detection

    Returns
    -------
    tuple of (pandas.DataFrame, pandas.DataFrame)
        Words of the vocabulary with `predicted` (the label, or "-" where it was missed) and `latency` (seconds from the
        word's end to the report); and false alarms with `word`, `reported` and `cause`: "stranger" (a word outside the
        vocabulary was said), "confusion" (another word of it), "repeat" (this word, reported before) or "noise".
    """
    starts, ends = truth.start.to_numpy(), truth.end.to_numpy()
    found, alarms = {}, []
    for detection in detections:
        around = np.flatnonzero((starts <= detection.reported) & (detection.reported <= ends + LATE))
        right = [row for row in around if truth.known[row] and truth.label[row] == detection.word and row not in found]
        if right:
            found[right[0]] = detection.reported - ends[right[0]]
            continue
        alarms.append((detection.word, detection.reported, _cause(detection.word, truth.iloc[around])))
    words = truth.assign(
        predicted=[truth.label[row] if row in found else MISSED for row in range(len(truth))],
        latency=[found.get(row, np.nan) for row in range(len(truth))],
    )
    return words[words.known].reset_index(drop=True), pd.DataFrame(alarms, columns=["word", "reported", "cause"])


def _cause(word, said):
    if said.empty:
        return "noise"
    if (said.known & (said.label == word)).any():
        return "repeat"
    return "confusion" if said.known.iloc[-1] else "stranger"


@dataclass(frozen=True, eq=False)
class Heard:
    """What a network thought of one string."""

    scene: Scene
    truth: pd.DataFrame
    times: np.ndarray
    probabilities: np.ndarray

    def decide(self, labels, decision):
        """(words, false alarms) under a decision; see `score`."""
        return score(self.truth, decide(labels, self.times, self.probabilities, decision))


def hear(classifier, clips, noises, scenes, say=None):
    """Let a network listen to a string for each scene; a list of Heard."""
    rate = classifier.experiment.feature.sample_rate
    heard = []
    for scene in scenes:
        samples, truth = string(clips, noises, scene, rate)
        heard.append(Heard(scene, truth, *listen(classifier, samples, rate)))
        if say is not None:
            say(f"heard {scene.seconds / 60:g} minutes at {scene.snr:g} dB, seed {scene.seed}")
    return heard


def figures(heard, labels, decision):
    """What comes of some strings under one decision.

    Returns
    -------
    dict
        `words`, `strangers`, `hits` (share of the words of the vocabulary), `hits_low` and `hits_high` (95%, bootstrap
        over speakers), `false_alarms_per_hour`, `false_alarms` (counts by cause), `latency` (median, s), `latency_90`
        (nine of ten reports come sooner), `minutes`. Waiting for a block to be full adds its length at most.
    """
    words, alarms, hours = decided(heard, labels, decision)
    hits = speaker_interval([words])
    causes = alarms.cause.value_counts()
    late = words.latency.dropna()
    return {
        "minutes": round(60 * hours, 2),
        "words": len(words),
        "strangers": int(sum((~each.truth.known).sum() for each in heard)),
        "speakers": int(words.speaker.nunique()),
        "hits": hits["mean"],
        "hits_low": hits["low"],
        "hits_high": hits["high"],
        "false_alarms_per_hour": len(alarms) / hours,
        "false_alarms": {cause: int(causes.get(cause, 0)) for cause in CAUSES},
        "latency": None if late.empty else float(late.median()),
        "latency_90": None if late.empty else float(late.quantile(0.9)),
    }


def decided(heard, labels, decision):
    """Words and false alarms of all strings together, as from `score`, and the hours that they last."""
    words, alarms = map(pd.concat, zip(*(each.decide(labels, decision) for each in heard), strict=True))
    words = words.assign(path=np.arange(len(words)))  # a clip may be said twice
    return words, alarms, sum(each.scene.seconds for each in heard) / 3600


def curve(heard, labels, decision, thresholds=THRESHOLDS):
    """`figures` over thresholds: a list of dicts with `threshold`, `hits`, `false_alarms_per_hour`, `f1`, `latency`.

    `f1` is the harmonic mean of the share of words that were found and the share of reports that were right.
    """
    rows = []
    for threshold in thresholds:
        words, alarms, hours = decided(heard, labels, replace(decision, threshold=threshold))
        late = words.latency.dropna()
        rows.append(
            {
                "threshold": threshold,
                "f1": 2 * len(late) / (len(late) + len(alarms) + len(words)),
                "hits": len(late) / len(words),
                "false_alarms_per_hour": len(alarms) / hours,
                "latency": None if late.empty else float(late.median()),
            }
        )
    return rows


def choose_decision(heard, labels, decision=None):
    """The decision whose threshold has the best F1 on what was heard; use strings of the validation part."""
    decision = decision or Decision()
    rows = curve(heard, labels, decision)
    return replace(decision, threshold=max(rows, key=lambda row: (round(row["f1"], 4), row["threshold"]))["threshold"])


def scenes(snrs=(20.0, 5.0), strings=3, seconds=600.0, seed=0):
    """Scenes to listen to: so many strings at each level of noise."""
    return [Scene(seconds=seconds, snr=float(snr), seed=seed + number) for snr in snrs for number in range(strings)]


def record(
    classifier,
    corpus,
    others=None,
    others_validation=None,
    noises=None,
    snrs=(20.0, 5.0),
    strings=3,
    seconds=600.0,
    decision=None,
    say=None,
):
    """All that a record says of how a network listens: the choice on validation, the test, once.

    Parameters
    ----------
    classifier : Run
    corpus : Corpus
        Words of the vocabulary, split.
    others, others_validation : Corpus, optional
        Where words outside the vocabulary come from in the two parts; see `pool`.
    noises : Corpus, optional
        Whose background noises are heard; by default those of `corpus`.
    snrs : sequence of float
    strings : int
        At each of them.
    seconds : float
        Of each string.
    decision : Decision, optional
        By default the shipped one; a network that has none gets it here, from the validation part.
    say : callable, optional
        Called with a sentence for each step.

    Returns
    -------
    dict
        Ready for JSON.
    """
    say = say or (lambda sentence: None)
    decision = decision or Decision.of(classifier)
    rate, result = classifier.experiment.feature.sample_rate, {}
    for part, strangers in (("validation", others_validation), ("test", others)):
        clips = pool(classifier, corpus, part, strangers)
        say(f"{part}: {clips.known.sum():,} clips of words, {(~clips.known).sum():,} of other words")
        heard = hear(
            classifier, clips, background(noises or corpus, part, rate), scenes(snrs, strings, seconds), say=say
        )
        if part == "validation":
            chosen = choose_decision(heard, classifier.labels, decision)
            decision = decision or chosen
        result[part] = {
            "clips": {"words": int(clips.known.sum()), "strangers": int((~clips.known).sum())},
            "strangers_from": (strangers or corpus).name,
            "levels": report(heard, classifier.labels, decision),
        }
        for level in result[part]["levels"]:
            say(sentence(level, part))
    return {
        "model": classifier.name,
        "run": classifier.id,
        "labels": list(classifier.labels),
        "decision": asdict(decision),
        "chosen": asdict(chosen),
        "corpus": about(corpus),
        "noises": (noises or corpus).name,
        "validation": result["validation"],
        "test": result["test"],
        **origin(classifier.device),
    }


def sentence(level, part):
    """What was measured at one level of noise, in words."""
    late = "" if level["latency"] is None else f", {level['latency']:.2f} s after the word's end (median)"
    return (
        f"{part}, {level['snr']:g} dB: {100 * level['hits']:.1f}% [{100 * level['hits_low']:.1f}, "
        f"{100 * level['hits_high']:.1f}] of {level['words']} words of {level['speakers']} speakers found{late}; "
        f"{level['false_alarms_per_hour']:.1f} false alarms an hour in {level['minutes']:g} minutes with "
        f"{level['strangers']} other words"
    )


def report(heard, labels, decision):
    """Figures and curve at each level of noise, as a record keeps them: a list of dicts."""
    rows = []
    for snr in dict.fromkeys(each.scene.snr for each in heard):
        some = [each for each in heard if each.scene.snr == snr]
        settings = {key: value for key, value in asdict(some[0].scene).items() if key not in ("seconds", "snr", "seed")}
        row = {"snr": snr, "strings": len(some), "seeds": [each.scene.seed for each in some], "scene": settings}
        rows.append({**row, **figures(some, labels, decision), "curve": curve(some, labels, decision)})
    return rows
