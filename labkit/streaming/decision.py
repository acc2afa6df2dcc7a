"""From probabilities over time to reports of words.

A network that is asked fifty times a second says the same word many times. So its probabilities are averaged, a word is
reported once its average reaches a threshold, and then nothing for a while (Chen et al., ICASSP 2014). A second network
may look at the last second before each report: then both must agree.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ..data.corpus import UNKNOWN
from ..settings import Count, Fraction, NotNegative, settings

NEVER = 1.01  # a threshold that no probability reaches
Threshold = Annotated[float, Field(gt=0, le=NEVER)]
AGAIN = 0.1  # seconds until a second network, which did not agree, is asked again


@settings
class Decision:
    """When a word is reported. It is reported again only if its probability fell below the threshold in between."""

    threshold: Threshold = 0.8  # averaged probability that a word needs; chosen on validation data
    smoothing: NotNegative = 0.2  # seconds that probabilities are averaged over; 0 takes them as they are
    refractory: NotNegative = 1.2  # seconds after a report in which nothing else is reported
    thresholds: tuple[tuple[str, Threshold], ...] = ()  # words that have a threshold of their own: pairs of both
    consecutive: Count = 1  # answers in a row that must reach the threshold
    second: Fraction = 0.5  # probability that a second network must give the word, where there is one

    @classmethod
    def of(cls, run):
        """The decision in a run's record, which was chosen on validation data; None where nobody chose."""
        chosen = run.record.get("decision")
        return cls(**chosen) if chosen else None

    @classmethod
    def budgets(cls, run):
        """The decisions in a run's record by the false alarms that each allows in an hour of running speech."""
        return {row["budget"]: cls(**row["decision"]) for row in run.record.get("budgets", [])}

    def needs(self, labels):
        """The threshold of each label, (classes,); no sound reaches that of the class "unknown"."""
        own = dict(self.thresholds)
        return np.array([math.inf if label == UNKNOWN else own.get(label, self.threshold) for label in labels])


@dataclass(frozen=True)
class Detection:
    """A word that was heard; all times in seconds of the stream."""

    word: str
    start: float  # from `start` to `end`: the sound that the report rests on
    end: float
    reported: float  # when it was known
    confidence: float  # averaged probability at that moment


class Decider:
    """Applies a `Decision` to rows of probabilities, `period` seconds apart, each of which rests on `span` seconds.

    `second(label, time)`, if given, is the probability that a second network gives a word at that time.
    """

    def __init__(self, labels, decision, period, span=1.0, second=None):
        self.labels, self.decision, self.period, self.span = tuple(labels), decision, period, span
        self.second = second
        self.words = np.array([label != UNKNOWN for label in self.labels])  # classes that may be reported
        rows = max(1, round(decision.smoothing / period))
        self.recent = np.zeros((rows - 1, len(self.labels)))  # zeros: before the average is full, nothing is sure
        self.silent_until = -math.inf
        self.waits_for = None  # number of the class last reported, until it falls below its threshold
        self.likeliest, self.streak = None, 0  # class that reached its threshold, and in how many answers in a row

    def smooth(self, probabilities):
        """The mean over the last rows, after each of some more: shape (rows, classes)."""
        rows = len(self.recent) + 1
        x = np.concatenate([self.recent, probabilities])
        self.recent = x[len(x) - (rows - 1) :]
        return np.lib.stride_tricks.sliding_window_view(x, rows, axis=0).mean(-1)

    def push(self, times, probabilities):
        """Detections in some more rows of probabilities; `times` are the seconds at which they were known."""
        if not len(times):
            return []
        found, smooth, needs = [], self.smooth(probabilities), self.decision.needs(self.labels)
        words = np.where(self.words, smooth, -1).argmax(1)
        certain = smooth[np.arange(len(words)), words] >= needs[words]
        times, last = np.asarray(times, dtype=float), -1  # number of the last row that reached a threshold
        for number in np.flatnonzero(certain).tolist():
            self._wait_over(smooth[last + 1 : number + 1], needs)
            time, word = float(times[number]), int(words[number])
            self.streak = self.streak + 1 if number == last + 1 and word == self.likeliest else 1
            self.likeliest, last = word, number
            if self.streak < self.decision.consecutive or word == self.waits_for or time < self.silent_until:
                continue
            if self.second is not None and self.second(self.labels[word], time) < self.decision.second:
                self.silent_until = time + AGAIN
                continue
            sure = float(smooth[number, word])
            found.append(Detection(self.labels[word], max(0.0, time - self.span), time, time, sure))
            self.silent_until, self.waits_for = time + self.decision.refractory, word
        self._wait_over(smooth[last + 1 :], needs)
        if last + 1 < len(certain):
            self.likeliest = None
        return found

    def _wait_over(self, rows, needs):
        """After these rows: may the word that was reported last be reported again?"""
        if self.waits_for is not None and (rows[:, self.waits_for] < needs[self.waits_for]).any():
            self.waits_for = None


def decide(labels, times, probabilities, decision, span=1.0, second=None):
    """Detections in a whole recording, from evenly spaced times in seconds and probabilities, (rows, classes)."""
    period = float(times[1] - times[0]) if len(times) > 1 else 1.0
    return Decider(labels, decision, period, span, second).push(times, probabilities)
