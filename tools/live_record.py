"""Measure how a network listens to minutes of sound, and write it down as one step of a record.

    python -m tools.live_record NAME --data FOLDER --speech FOLDER [--choosing FOLDER ...] [--more FOLDER ...]
        [--second NAME] [--consecutive N] [--smoothing SECONDS] [--shared] [--record FILE --step STEP]

NAME is a pretrained network, or the folder of a run with its weights. Thresholds are chosen on the validation part, for
budgets of false alarms; everything is measured on the test part, once. `--choosing` and `--more` are folders of speech
without the words: for the choice, and for the test.
"""

import argparse
import os
import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from labkit.data import find, read
from labkit.data.corpus import UNKNOWN
from labkit.device import settle
from labkit.evaluation.predictions import refuse_training_speakers
from labkit.experiments.pretrained import load
from labkit.experiments.schema import about, origin
from labkit.files import read_json, write_json
from labkit.streaming import Decider, Decision, Detector
from labkit.streaming.benchmark import SPEECH, hear, measured
from labkit.streaming.decision import NEVER
from labkit.streaming.mixtures import ONCE, MixturePlan, background, pool, score, sentences, unknown

BUDGETS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # false alarms in an hour of running speech that may be allowed
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.985)
THRESHOLDS = (*THRESHOLDS, 0.99, 0.9925, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9999, NEVER)
LINE = "{budget:>5g} allowed: {per_hour:5.1f} [{low:.1f}, {high:.1f}] false alarms an hour of speech; found {found}"


def hear_all(run, words, speech, part, more=(), seconds=600.0):
    """Every kind of sound of one part: `words` is a corpus of clips with noises, `speech` one of read sentences.

    The corpora `more` hold speech without the words, all of which is heard. `seconds` is the length of what is strung.
    """
    noises = background(words, part, run.experiment.feature.sample_rate)
    clips, read = pool(run, words, part), sentences(speech, part, run.labels)
    refuse_training_speakers(run, read)
    plan = MixturePlan(seconds)
    kinds = {
        "words, 20 dB": (clips, plan),
        "words, 5 dB": (clips, replace(plan, snr=5.0)),
        SPEECH: (read[~read.known], ONCE),
        "words in sentences": (read[read.known], ONCE),
        "other words": (clips[~clips.known], ONCE),
        "noise": (clips[:0], plan),
        **{f"{SPEECH} of {corpus.name}": (unknown(corpus), ONCE) for corpus in more},
    }
    return [hear(run, kind, clips, noises, plan) for kind, (clips, plan) in kinds.items()]


def choose(heard, labels, decision, second=None, own=True):
    """For each of `BUDGETS`, the decision that finds most words within it; use sound of the validation part.

    `own` gives each word a threshold of its own: at one price for a false alarm, the same for all words, each takes the
    threshold that pays best; the lowest price that keeps the budget is taken. Else all words share one threshold.
    """
    words = [label for label in labels if label != UNKNOWN]
    hits, alarms = np.zeros((2, len(THRESHOLDS), len(words)), int)  # of each word at each threshold
    averaged = [replace(one, probabilities=smooth(one, labels, decision)) for one in heard]  # once for all thresholds
    for row, threshold in enumerate(THRESHOLDS):
        shared = replace(decision, threshold=threshold, thresholds=(), smoothing=0)
        for one in averaged:
            found = one.found(labels, shared, second)
            if one.kind.startswith(SPEECH):
                alarms[row] += [sum(report.word == word for report in found) for word in words]
            elif one.kind.startswith("words, "):
                said = score(one.truth, found)[0]
                hits[row] += [(said.predicted == word).sum() for word in words]
    hours = sum(one.hours for one in heard if one.kind.startswith(SPEECH))
    places = [np.full(len(words), row) for row in range(len(THRESHOLDS))]
    if own:
        worth = [hits - price * alarms for price in np.geomspace(0.01, 1000, 80)]
        places = [len(THRESHOLDS) - 1 - table[::-1].argmax(0) for table in worth]  # of equal ones the highest
    decisions = {}
    for budget in BUDGETS:
        place = next((p for p in places if alarms[p, range(len(words))].sum() <= budget * hours), places[-1])
        thresholds = tuple((word, THRESHOLDS[row]) for word, row in zip(words, place, strict=True))
        decisions[budget] = replace(decision, threshold=thresholds[0][1], thresholds=thresholds if own else ())
    return decisions


def smooth(heard, labels, decision):
    """The averaged probabilities of a recording, (rows, classes)."""
    return Decider(labels, decision, heard.times[1] - heard.times[0]).smooth(heard.probabilities)


def real_time_factor(run, heard, decision, second=None):
    """Seconds of processor time for a second of sound, in blocks of 80 ms as a microphone sends them."""
    detector, size = Detector(run, decision, second), round(0.08 * heard.sample_rate)
    minute = heard.samples[: 60 * heard.sample_rate]
    started = time.process_time()
    for first in range(0, len(minute), size):
        detector.push(minute[first : first + size])
    return (time.process_time() - started) * heard.sample_rate / len(minute)


def record(run, words, speech, choosing=(), more=(), decision=None, second=None, own=True, seconds=600.0):
    """All that a record says of how a network listens, ready for JSON: the choice on validation, the test, once.

    `choosing` are corpora of speech without the words that are heard for the choice only, `more` for the test only.
    """
    decision, labels = decision or Decision(), list(run.labels)
    heard = hear_all(run, words, speech, "validation", choosing, seconds)
    decisions = choose(heard, labels, decision, second, own)
    minutes = sum(60 * one.hours for one in heard if one.kind.startswith(SPEECH))
    heard = hear_all(run, words, speech, "test", more, seconds)
    curve = [
        {"budget": budget, "decision": asdict(chosen) | {"thresholds": [list(pair) for pair in chosen.thresholds]}}
        | {one.kind: measured(one, labels, chosen, second) for one in heard}
        for budget, chosen in decisions.items()
    ]
    return {
        "model": run.name,
        "run": run.id,
        "second": second and second.id,
        "labels": labels,
        "chosen_on_minutes": round(minutes, 1),
        "real_time_factor": round(real_time_factor(run, heard[0], decisions[2], second), 4),
        "corpora": [about(corpus) for corpus in (words, speech, *choosing, *more)],
        "curve": curve,
        **origin(run.device),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("name", help="a pretrained network, as in results/pretrained/, or the folder of a run with its weights")
    add("--data", default=os.environ.get("LABKIT_DATA") or "auto", help="corpus of the words")
    add("--speech", type=Path, required=True, help="corpus of read sentences, such as Common Voice in English")
    add("--choosing", type=Path, nargs="*", default=[], help="more speech to choose thresholds on")
    add("--more", type=Path, nargs="*", default=[], help="more speech to test on")
    add("--second", help="a network for clips that must agree before a word is reported")
    add("--consecutive", type=int, default=1, help="answers in a row that must reach the threshold")
    add("--smoothing", type=float, default=Decision().smoothing, help="seconds that probabilities are averaged over")
    add("--agree", type=float, default=Decision().second, help="probability that the second network must give the word")
    add("--refractory", type=float, default=Decision().refractory, help="seconds of silence after a report")
    add("--shared", action="store_true", help="one threshold for all words, not one for each")
    add("--seconds", type=float, default=600.0, help="length of each recording of strung words, and of noise")
    add("--record", type=Path, help="a JSON file of steps, to which this one is added")
    add("--step", default="", help="what this step is called there")
    args = parser.parse_args(argv)
    settle("cpu")
    words, speech = find("speech_commands", args.data), read(args.speech)
    decision = Decision(
        smoothing=args.smoothing, refractory=args.refractory, consecutive=args.consecutive, second=args.agree
    )
    run, second = load(args.name), args.second and load(args.second)
    choosing, more = ([read(folder) for folder in folders] for folders in (args.choosing, args.more))
    result = record(run, words, speech, choosing, more, decision, second, not args.shared, args.seconds)
    asked = [Path(word).name if Path(word).is_absolute() else word for word in argv or sys.argv[1:]]
    result["command"] = shlex.join(["python", "-m", "tools.live_record", *asked])
    for row in result["curve"]:
        found = ", ".join(
            f"{100 * said['hits']:.1f}% of {kind}" for kind, said in row.items() if kind.startswith("words")
        )
        print(LINE.format(budget=row["budget"], found=found, **row[SPEECH]))
    if args.record:
        steps = read_json(args.record) if args.record.exists() else {}
        write_json(args.record, steps | {args.step or args.name: result})
        print(f"Written to {args.record}.")


if __name__ == "__main__":
    main()
