"""From probabilities over time to reports of words.

A network that is asked fifty times a second says the same word many times. So its probabilities are smoothed, a word is
reported once its smoothed probability passes a threshold, and then nothing for a while (Chen et al., ICASSP 2014).
"""

import math
from dataclasses import dataclass

import numpy as np

from ..data.corpus import OTHER
from ..errors import LabError, check_types


@dataclass(frozen=True)
class Decision:
    """When a word is reported.

    Parameters
    ----------
    threshold : float
        Smoothed probability that a word needs, above 0 and at most 1. Below it, what was heard is rejected. Choose it
        on validation data.
    smoothing : float
        Seconds that probabilities are averaged over; 0 takes them as they are.
    hold : float
        Seconds after a report in which nothing else is reported. The same word is reported again only if its
        probability fell below the threshold in between.
    """

    threshold: float = 0.8
    smoothing: float = 0.2
    hold: float = 0.8

    @classmethod
    def of(cls, run):
        """The decision in a run's record, which was chosen on validation data; None where nobody chose."""
        chosen = run.record.get("decision")
        return cls(**chosen) if chosen else None

    def __post_init__(self):
        check_types(self)
        if not (0 < self.threshold <= 1 and 0 <= self.smoothing < math.inf and 0 <= self.hold < math.inf):
            raise LabError(
                f"{self}: the threshold is above 0 and at most 1; smoothing and hold are seconds, not below 0. "
                "Change these."
            )


@dataclass(frozen=True)
class Detection:
    """A word that was heard.

    Parameters
    ----------
    word : str
    start, end : float
        The stretch of sound that the report rests on, in seconds of the stream.
    reported : float
        Second of the stream at which it was known.
    confidence : float
        Smoothed probability at that moment.
    """

    word: str
    start: float
    end: float
    reported: float
    confidence: float


class Decider:
    """Applies a `Decision`, one row of probabilities after the other.

    Parameters
    ----------
    labels : sequence of str
        Classes of the rows; one called "other" is never reported.
    decision : Decision
    period : float
        Seconds between rows.
    span : float
        Seconds of sound that a row rests on.
    """

    def __init__(self, labels, decision, period, span=1.0):
        self.labels, self.decision, self.period, self.span = tuple(labels), decision, period, span
        self.words = np.array([label != OTHER for label in self.labels])
        self.reset()

    def reset(self):
        """Forget what was heard."""
        # While the average fills, what is not there yet counts as zero: nothing is said in haste.
        rows = max(1, round(self.decision.smoothing / self.period))
        self.recent = np.zeros((rows - 1, len(self.labels)))
        self.silent_until = -math.inf
        self.waits_for = None  # number of the class last reported, until it falls below the threshold

    def smooth(self, probabilities):
        """The mean over the last rows, after each of some more: shape (rows, classes)."""
        rows = len(self.recent) + 1
        x = np.concatenate([self.recent, probabilities])
        self.recent = x[len(x) - (rows - 1) :]
        return np.lib.stride_tricks.sliding_window_view(x, rows, axis=0).mean(-1)

    def push(self, times, probabilities):
        """Reports that follow from some more rows.

        Parameters
        ----------
        times : numpy.ndarray
            Shape (rows,), in seconds: when each row was known.
        probabilities : numpy.ndarray
            Shape (rows, classes).

        Returns
        -------
        list of Detection
        """
        if not len(times):
            return []
        smooth, found = self.smooth(probabilities), []
        best = np.where(self.words, smooth, -1).argmax(1)  # (rows,)
        for row, (time, word) in enumerate(zip(times.tolist(), best.tolist(), strict=True)):
            if self.waits_for is not None and smooth[row, self.waits_for] < self.decision.threshold:
                self.waits_for = None
            likely = smooth[row, word] >= self.decision.threshold
            if not likely or word == self.waits_for or time < self.silent_until:
                continue
            confidence = float(smooth[row, word])
            found.append(Detection(self.labels[word], max(0.0, time - self.span), time, time, confidence))
            self.silent_until, self.waits_for = time + self.decision.hold, word
        return found


def decide(labels, times, probabilities, decision, span=1.0):
    """Reports that a decision makes of the probabilities of a whole recording, computed before.

    Parameters
    ----------
    labels : sequence of str
    times : numpy.ndarray
        Shape (rows,), seconds, evenly spaced.
    probabilities : numpy.ndarray
        Shape (rows, classes).
    decision : Decision
    span : float
        Seconds of sound that a row rests on.

    Returns
    -------
    list of Detection
    """
    period = float(times[1] - times[0]) if len(times) > 1 else 1.0
    return Decider(labels, decision, period, span).push(times, probabilities)
