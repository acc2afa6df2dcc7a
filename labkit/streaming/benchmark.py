"""How well words are found in a long recording: hits, false alarms, latency.

Clips of people (or voices) that the network never heard are strung into minutes of sound (`mixtures`). What was said
when is known, so each report is a hit or a false alarm. The numbers depend on how often words come and how long the
gaps are: they compare networks and settings, and promise nothing about a kitchen.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..experiments.provenance import about, origin
from ..metrics.scores import speaker_interval
from .decision import Decision, decide
from .detector import detect
from .mixtures import LATE, Scene, background, pool, string

MISSED = "-"
CAUSES = ("stranger", "confusion", "repeat", "noise")
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


def score(truth, detections):
    """Which words were found, and what was reported that nobody said; `truth` as from `string`.

    A report is a hit if a word of that name, not yet found, began before and ended at most a second before it.

    Returns the words of the vocabulary with `predicted` (the label, or "-" where it was missed) and `latency` (seconds
    from the word's end to the report); and the false alarms with `word`, `reported` and `cause`: "stranger" (a word
    outside the vocabulary was said), "confusion" (another word of it), "repeat" (this word, reported before), "noise".
    """
    words, alarms = truth.assign(predicted=MISSED, latency=np.nan), []
    for detection in detections:
        word, now = detection.word, detection.reported
        around = words[(words.start <= now) & (now <= words.end + LATE)]
        right = around.index[around.known & (around.label == word) & (around.predicted == MISSED)]
        if len(right):
            words.loc[right[0], ["predicted", "latency"]] = word, now - words.end[right[0]]
        else:
            alarms.append((word, now, _cause(word, around)))
    return words[words.known].reset_index(drop=True), pd.DataFrame(alarms, columns=["word", "reported", "cause"])


def _cause(word, said):
    if said.empty:
        return "noise"
    if (said.known & (said.label == word)).any():
        return "repeat"
    return "confusion" if said.known.iloc[-1] else "stranger"


@dataclass(frozen=True, eq=False)
class Heard:
    """What a network thought of one long recording."""

    scene: Scene
    truth: pd.DataFrame  # what was said, as from `string`
    times: np.ndarray  # (rows,), seconds
    probabilities: np.ndarray  # (rows, classes)


def hear(run, clips, noises, scenes, say=None):
    """Run a network over a long recording for each scene; a list of Heard."""
    rate, heard = run.experiment.feature.sample_rate, []
    for scene in scenes:
        samples, truth = string(clips, noises, scene, rate)
        heard.append(Heard(scene, truth, *detect(run, samples, rate)[1:]))
        if say is not None:
            say(f"heard {scene.seconds / 60:g} minutes at {scene.snr:g} dB, seed {scene.seed}")
    return heard


def decided(heard, labels, decision):
    """Words and false alarms of all recordings together, as from `score`, and the hours that they last."""
    scored = [score(one.truth, decide(labels, one.times, one.probabilities, decision)) for one in heard]
    words, alarms = map(pd.concat, zip(*scored, strict=True))
    words = words.assign(path=np.arange(len(words)))  # a clip may be said twice
    return words, alarms, sum(each.scene.seconds for each in heard) / 3600


def figures(heard, labels, decision):
    """Words found, false alarms and latencies under one decision, as a dict ready for JSON.

    `hits` is the share of the words that were found, with its 95% interval over speakers; `latency` is the median in
    seconds, and nine of ten reports come within `latency_90`. Waiting for a block to be full adds its length at most.
    """
    words, alarms, hours = decided(heard, labels, decision)
    hits, causes, late = speaker_interval([words]), alarms.cause.value_counts(), words.latency.dropna()
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


def curve(heard, labels, decision, thresholds=THRESHOLDS):
    """A dict per threshold: `threshold`, `f1`, `hits`, `false_alarms_per_hour`, `latency`.

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
    """The decision whose threshold has the best F1 on what was heard; use clips of the validation part."""
    decision = decision or Decision()
    rows = curve(heard, labels, decision)
    return replace(decision, threshold=max(rows, key=lambda row: (round(row["f1"], 4), row["threshold"]))["threshold"])


def scenes(snrs=(20.0, 5.0), strings=3, seconds=600.0, seed=0):
    """So many scenes at each level of noise (dB)."""
    return [Scene(seconds=seconds, snr=float(snr), seed=seed + number) for snr in snrs for number in range(strings)]


def record(run, corpus, scenes, others=None, others_validation=None, noises=None, say=print):
    """All that a record says of how a network finds words, ready for JSON: the choice on validation, the test, once.

    `corpus` holds words of the vocabulary, `others` and `others_validation` words outside it (see `pool`), `noises` the
    background. A network without a decision gets one here, from the validation part.
    """
    decision, noises, result = Decision.of(run), noises or corpus, {}
    for part, strangers in (("validation", others_validation), ("test", others)):
        clips = pool(run, corpus, part, strangers)
        counts = {"words": int(clips.known.sum()), "strangers": int((~clips.known).sum())}
        say(f"{part}: {counts['words']:,} clips of words, {counts['strangers']:,} of other words")
        heard = hear(run, clips, background(noises, part, run.experiment.feature.sample_rate), scenes, say)
        if part == "validation":
            chosen = choose_decision(heard, run.labels, decision)
            decision = decision or chosen
        levels = report(heard, run.labels, decision)
        result[part] = {"clips": counts, "strangers_from": (strangers or corpus).name, "levels": levels}
        for level in levels:
            say(sentence(level, part))
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
    """`figures` and `curve` at each level of noise, as a record keeps them: a list of dicts."""
    rows = []
    for snr in dict.fromkeys(each.scene.snr for each in heard):
        some = [each for each in heard if each.scene.snr == snr]
        scene = {name: getattr(some[0].scene, name) for name in ("shortest_gap", "longest_gap", "strangers")}
        row = {"snr": snr, "strings": len(some), "seeds": [each.scene.seed for each in some], "scene": scene}
        rows.append(row | figures(some, labels, decision) | {"curve": curve(some, labels, decision)})
    return rows
