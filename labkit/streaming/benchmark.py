"""How well words are found in minutes of sound, and how often a word is reported that nobody said.

False alarms an hour are counted on sound that holds no word of the vocabulary: running speech, other words, and noise,
each apart. Where words of the vocabulary are said, reports of another one (confusions) and of one word twice (repeats)
are counted beside those found. All of it compares networks and settings; it promises nothing about a kitchen.
"""

import time
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from ..data.audio import SCALE, int16
from ..data.corpus import UNKNOWN
from ..evaluation.predictions import refuse_training_speakers
from ..experiments.run import about
from ..experiments.schema import origin
from ..files import home, read_json
from ..metrics import interval, poisson
from .decision import NEVER, Decision, decide
from .detector import Detector, detect, last_second
from .mixtures import CAUSES, ONCE, MixturePlan, background, mixture, pool, score, sentences, unknown

BUDGETS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # false alarms in an hour of running speech that may be allowed
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.997)
THRESHOLDS = (*THRESHOLDS, 0.998, 0.999, 0.9995, 0.9999, NEVER)
SPEECH = "running speech"  # the kind of sound that a budget is about


@dataclass
class Heard:
    """A long recording, and what a network made of it."""

    kind: str  # such as "running speech"
    truth: pd.DataFrame  # its clips, as from `mixture`
    samples: np.ndarray  # int16
    sample_rate: int
    times: np.ndarray  # seconds at which the rows below were known
    probabilities: np.ndarray  # (rows, classes)
    looks: dict = field(default_factory=dict)  # what a second network said, by its id and the sample it looked at

    @property
    def hours(self):
        return len(self.samples) / self.sample_rate / 3600

    def found(self, labels, decision, second=None):
        """Detections under a decision; `second` is the run of a second network."""

        def look(word, moment):
            key = second.id, round(moment * self.sample_rate)
            if key not in self.looks:
                sound = self.samples[max(0, key[1] - self.sample_rate) : key[1]].astype(np.float32) / SCALE
                self.looks[key] = last_second(second, sound, len(sound))
            return float(self.looks[key][labels.index(word)])

        return decide(labels, self.times, self.probabilities, decision, second=second and look)


def hear(run, kind, clips, noises, plan):
    """Run a network over a mixture of clips."""
    sample_rate = run.experiment.feature.sample_rate
    samples, truth = mixture(clips, noises, plan, sample_rate)
    return Heard(kind, truth, int16(samples), sample_rate, *detect(run, samples, sample_rate)[1:])


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


def measured(heard, labels, decision, second=None):
    """What is found and what is falsely reported in one kind of sound, a dict ready for JSON.

    `per_hour` with `low` and `high` is the rate of false reports and its 95% interval; of the words, `hits` is the
    fraction found with its interval over speakers, and half of the reports come `latency` seconds after a word's end.
    """
    words, alarms = score(heard.truth, heard.found(labels, decision, second))
    causes = list(alarms.cause)
    result = {"minutes": round(60 * heard.hours, 2), "speakers": int(heard.truth.speaker.nunique())}
    result |= poisson(len(alarms), heard.hours) | {"causes": {cause: causes.count(cause) for cause in CAUSES}}
    if len(words):
        hits, late = interval([words.assign(path=np.arange(len(words)))]), words.latency.dropna()
        result |= {"words": len(words), "hits": hits["mean"], "hits_low": hits["low"], "hits_high": hits["high"]}
        result |= {
            f"latency{end}": float(late.quantile(q)) if len(late) else None for end, q in (("", 0.5), ("_90", 0.9))
        }
    return result


def choose(heard, labels, decision, second=None, own=True):
    """For each of `BUDGETS`, the decision that finds most words within it; use sound of the validation part.

    `own` gives each word a threshold of its own: at one price for a false alarm, the same for all words, each takes the
    threshold that pays best; the lowest price that keeps the budget is taken. Else all words share one threshold.
    """
    words = [label for label in labels if label != UNKNOWN]
    hits, alarms = np.zeros((2, len(THRESHOLDS), len(words)), int)  # of each word at each threshold
    for row, threshold in enumerate(THRESHOLDS):
        shared = replace(decision, threshold=threshold, thresholds=())
        for one in heard:
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
        {"budget": budget, "decision": asdict(chosen)}
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


def committed():
    """The record of the shipped detector, a dict of its steps."""
    return read_json(home() / "results" / "live" / "eight-words.json", "Restore it: git checkout -- results/live.")


def table(steps, budget=2):
    """A row for each step of a record: what it finds and falsely reports at one budget, with 95% intervals."""
    rows = {}
    for name, step in steps.items():
        row = next(row for row in step["curve"] if row["budget"] == budget)
        quiet, rows[name] = row[SPEECH], {}
        rows[name]["false alarms an hour of speech"] = "{per_hour:.1f} [{low:.1f}, {high:.1f}]".format(**quiet)
        for kind in ("words, 20 dB", "words, 5 dB"):
            shares = [100 * row[kind][key] for key in ("hits", "hits_low", "hits_high")]
            rows[name][f"{kind}: found (%)"] = "{:.1f} [{:.1f}, {:.1f}]".format(*shares)
        rows[name]["taken for another word (%)"] = 100 * row[kind]["causes"]["confusion"] / row[kind]["words"]
        rows[name]["real-time factor"] = step["real_time_factor"]
    return pd.DataFrame(rows).T.rename_axis("step")
