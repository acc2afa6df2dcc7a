"""How well words are found in a long recording: hits, false alarms, latency.

Clips of people (or voices) that the network never heard become minutes of sound (`mixtures`). What was said when is
known, so each report is a hit or a false alarm. The numbers depend on how often words come and how long the gaps are:
they compare networks and settings, and promise nothing about a kitchen.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..experiments.run import about, origin
from ..metrics import speaker_interval
from .decision import Decision, decide
from .detector import detect
from .mixtures import LATE, MixturePlan, background, mixture, pool

MISSED = "-"
CAUSES = ("stranger", "confusion", "repeat", "noise")  # said: an unknown word, another, this one again, nothing
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


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
            alarms.append((word, now, "confusion" if around.known.iloc[-1] else "stranger"))
    return words[words.known].reset_index(drop=True), pd.DataFrame(alarms, columns=["word", "reported", "cause"])


@dataclass(frozen=True, eq=False)
class Heard:
    """What a network thought of one mixture."""

    plan: MixturePlan
    truth: pd.DataFrame  # what was said, as from `mixture`
    times: np.ndarray  # (rows,), seconds
    probabilities: np.ndarray  # (rows, classes)


def hear(run, clips, noises, plans, say=None):
    """Run a network over a mixture for each plan; a list of Heard."""
    rate, heard = run.experiment.feature.sample_rate, []
    for plan in plans:
        samples, truth = mixture(clips, noises, plan, rate)
        heard.append(Heard(plan, truth, *detect(run, samples, rate)[1:]))
        if say is not None:
            say(f"heard {plan.seconds / 60:g} minutes at {plan.snr:g} dB, seed {plan.seed}")
    return heard


def decided(heard, labels, decision):
    """Words and false alarms of all mixtures together, as from `score`, and the rates that follow from them."""
    scored = [score(one.truth, decide(labels, one.times, one.probabilities, decision)) for one in heard]
    words, alarms = map(pd.concat, zip(*scored, strict=True))
    words = words.assign(path=np.arange(len(words)))  # a clip may be said twice
    late, hours = words.latency.dropna(), sum(one.plan.seconds for one in heard) / 3600
    rates = {
        "hits": len(late) / len(words),
        "false_alarms_per_hour": len(alarms) / hours,
        "latency": float(late.median()) if len(late) else None,
    }
    return words, alarms, rates


def figures(heard, labels, decision):
    """Words found (a share with its 95% interval over speakers), false alarms and latencies, as a dict ready for JSON.

    `latency` is the median in seconds, nine of ten reports come within `latency_90`; a block adds its length at most.
    """
    words, alarms, rates = decided(heard, labels, decision)
    hits, causes, late = speaker_interval([words]), alarms.cause.value_counts(), words.latency.dropna()
    return rates | {
        "minutes": round(sum(one.plan.seconds for one in heard) / 60, 2),
        "words": len(words),
        "strangers": int(sum((~one.truth.known).sum() for one in heard)),
        "speakers": int(words.speaker.nunique()),
        "hits": hits["mean"],
        "hits_low": hits["low"],
        "hits_high": hits["high"],
        "false_alarms": {cause: int(causes.get(cause, 0)) for cause in CAUSES},
        "latency_90": float(late.quantile(0.9)) if len(late) else None,
    }


def curve(heard, labels, decision, thresholds=THRESHOLDS):
    """A dict per threshold; `f1` joins (harmonic mean) the shares of words found and of reports that were right."""
    rows = []
    for threshold in thresholds:
        words, alarms, rates = decided(heard, labels, replace(decision, threshold=threshold))
        found = words.latency.count()
        rows.append({"threshold": threshold, "f1": float(2 * found / (found + len(alarms) + len(words))), **rates})
    return rows


def choose_decision(heard, labels, decision=None):
    """The decision whose threshold has the best F1 on what was heard; use clips of the validation part."""
    decision = decision or Decision()
    best = max(curve(heard, labels, decision), key=lambda row: (round(row["f1"], 4), row["threshold"]))
    return replace(decision, threshold=best["threshold"])


def plans(snrs=(20.0, 5.0), mixtures=3, seconds=600.0, seed=0):
    """Plans of so many mixtures at each level of noise (dB)."""
    return [MixturePlan(seconds, float(snr), seed=seed + number) for snr in snrs for number in range(mixtures)]


def record(run, corpus, plans, others=None, others_validation=None, noises=None, say=print):
    """All that a record says of how a network finds words, ready for JSON: the choice on validation, the test, once.

    The other corpora hold unknown words (see `pool`) and background noises; a run without a decision gets one here.
    """
    decision, noises, result = Decision.of(run), noises or corpus, {}
    for part, source in (("validation", others_validation), ("test", others)):
        clips = pool(run, corpus, part, source)
        counts = {"words": int(clips.known.sum()), "strangers": int((~clips.known).sum())}
        say(f"{part}: {counts['words']:,} clips of words, {counts['strangers']:,} of other words")
        heard = hear(run, clips, background(noises, part, run.experiment.feature.sample_rate), plans, say)
        if part == "validation":
            chosen = choose_decision(heard, run.labels, decision)
            decision = decision or chosen
        levels = report(heard, run.labels, decision)
        result[part] = {"clips": counts, "strangers_from": (source or corpus).name, "levels": levels}
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


def report(heard, labels, decision):
    """`figures` and `curve` at each level of noise, as a record keeps them: a list of dicts."""
    rows = []
    for snr in dict.fromkeys(one.plan.snr for one in heard):
        some = [one for one in heard if one.plan.snr == snr]
        plan = some[0].plan
        gaps = {"shortest_gap": plan.shortest_gap, "longest_gap": plan.longest_gap, "strangers": plan.unknown}
        row = {"snr": snr, "strings": len(some), "seeds": [one.plan.seed for one in some], "scene": gaps}
        rows.append(row | figures(some, labels, decision) | {"curve": curve(some, labels, decision)})
    return rows


def sentence(level, part):
    """What was measured at one level of noise, in words."""
    late = "" if level["latency"] is None else f", {level['latency']:.2f} s after the word's end (median)"
    hits, low, high = (100 * level[name] for name in ("hits", "hits_low", "hits_high"))
    return (
        f"{part}, {level['snr']:g} dB: {hits:.1f}% [{low:.1f}, {high:.1f}] of {level['words']} words of "
        f"{level['speakers']} speakers found{late}; {level['false_alarms_per_hour']:.1f} false alarms an hour in "
        f"{level['minutes']:g} minutes with {level['strangers']} other words"
    )
