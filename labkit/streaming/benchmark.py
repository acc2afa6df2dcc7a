"""How well words are found in minutes of sound, and how often a word is reported that nobody said.

False alarms an hour are counted on sound that holds no word of the vocabulary: running speech, other words, and noise,
each apart. Where words of the vocabulary are said, reports of another one (confusions) and of one word twice (repeats)
are counted beside those found. All of it compares networks and settings; it promises nothing about a kitchen.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..data.audio import SCALE, int16
from ..files import home, read_json
from ..metrics import interval, poisson
from .decision import decide
from .detector import detect, last_second
from .mixtures import CAUSES, mixture, score

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


def committed():
    """The record of the shipped detector, a dict of its steps."""
    return read_json(home() / "results" / "live" / "eight-words.json.xz", "Restore it: git checkout -- results/live.")


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
        rows[name]["taken for another word (%)"] = f"{100 * row[kind]['causes']['confusion'] / row[kind]['words']:.1f}"
        rows[name]["latency at 20 dB (s)"] = round(row["words, 20 dB"]["latency"] or np.nan, 2)
    return pd.DataFrame(rows).T.rename_axis("step")
