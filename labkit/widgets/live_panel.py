"""Words as they are spoken: a microphone, or a file, and what a network reports."""

import math
import time
from collections import deque
from dataclasses import asdict, replace

import numpy as np

from .. import plots
from ..data.corpus import UNKNOWN
from ..experiments import pretrained
from ..streaming import Decider, Decision, Detector
from .listening import RATE, ListeningPanel
from .panel import empty_figure, empty_picture

BLOCK = 0.08  # seconds of sound that a file is cut into, as the browser does with the microphone
KEPT = 30.0  # seconds at the end that the picture shows
SHOWN = 8  # words that stay on the page
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # to choose from where false alarms were not measured


class LivePanel(ListeningPanel):
    """Listens to the microphone, or to a file, and shows the words that a network reports while they are said.

    Nothing is stored. The browser sends blocks of 80 ms, and the kernel answers each of them. While the kernel is busy,
    sound waits in the browser. What would wait more than ten seconds is left out, and the panel says so.

    Controls: `allowed` (false alarms in an hour of running speech that the decision was chosen for; where nobody
    measured them, a threshold), `upload` (a file of any format libsndfile reads).

    Parameters
    ----------
    detector : Detector, or what it takes (a run), or the name of a pretrained network (with its second one, if any)
    """

    def __init__(self, lab, detector="eight-words-live"):
        if isinstance(detector, str):
            run = pretrained.load(detector)
            second = run.record.get("second")
            detector = Detector(run, second=second and pretrained.load(second))
        self.detector = detector if isinstance(detector, Detector) else Detector(detector)
        decision, budgets = self.detector.decision, Decision.budgets(self.detector.run)
        super().__init__(lab, press="Start", longest=600.0, threshold=min(1.0, decision.threshold))
        label, options = "false alarms", [(f"{budget:g} an hour", each) for budget, each in budgets.items()]
        if decision not in budgets.values():  # one that nobody measured
            label, options = "threshold", [(f"{each:g}", replace(decision, threshold=each)) for each in THRESHOLDS]
            options += [(f"{decision.threshold:g} (given)", decision)]
        self.add("allowed", "SelectionSlider", self._new_decision, label, options=options, value=decision)
        self.begin()
        self.redraw()
        known = ", ".join(label for label in self.detector.labels if label != UNKNOWN)
        words = "Press Start and speak, or upload a file. Sound stays on this computer and is not kept."
        self.say(f"It knows: {known}. {words}")

    def play(self, samples, sample_rate, synthetic=False):
        """Hear a recording, samples of shape (samples,), block by block, as if it came from the microphone.

        The picture of a `synthetic` one is stamped so. Returns a list of Detection.
        """
        self.begin()
        self.synthetic = synthetic
        size = max(1, round(BLOCK * sample_rate))
        for start in range(0, len(samples), size):
            self.push(np.asarray(samples[start : start + size]), sample_rate, start)
        self.end()
        return self.words

    def push(self, samples, sample_rate, start):
        """Hear the next block, whose first sample has the number `start`; what is wrong with it becomes the message."""
        known = len(self.detector.problems)
        self.attempt(self._push, samples, sample_rate, start)
        for problem in self.detector.problems[known:]:
            self.say(problem, wrong=True)

    def draw(self):
        if not self._sound:
            return empty_picture(8.5, 0.5, "what was heard is drawn here in the end"), "Empty: nothing was heard yet"
        detector, sample_rate, figure = self.detector, self._sample_rate, empty_figure(9.5, 4.2)
        samples = np.concatenate(self._sound)[-round(KEPT * sample_rate) :]
        before = (self._next - len(samples)) / sample_rate  # second of the stream at which the picture begins
        shown = detector.times >= before
        times, probabilities = detector.times[shown] - before, detector.probabilities[shown]
        found = [
            replace(word, start=max(0.0, word.start - before), end=word.end - before, reported=word.reported - before)
            for word in self.words
            if word.reported > before
        ]
        labels, decision = detector.labels, detector.decision
        plots.timeline(samples, sample_rate, labels, times, probabilities, found, decision=decision, figure=figure)
        names = ", ".join(f"{word.word} at {word.reported:.1f} s" for word in found) or "no word"
        seconds = f"{len(samples) / sample_rate:.0f} s"
        return figure, f"Waveform of the last {seconds} and probabilities over time; reported: {names}"

    def rows(self):
        return ("allowed", "upload"), self.microphone, self.message, self.picture

    def begin(self):
        """Forget what was heard."""
        self.synthetic = False
        self.detector.reset()
        self._smoother = Decider(self.detector.labels, self.detector.decision, self.detector.decider.period)
        self._sound = deque(maxlen=round(KEPT / BLOCK) + 1)  # the latest blocks; only the last may be shorter
        self._sample_rate, self._next = None, 0  # theirs, in Hz; number of the sample that comes next
        self.costs = deque(maxlen=1000)  # seconds that the latest blocks took here
        self.words, self.microphone.heard = [], []
        self.microphone.send({"kind": "clear"})

    def block(self, samples, sample_rate, start):
        """Hear a block of the microphone; what the page draws of it."""
        began, rows = time.perf_counter(), len(self.detector.times)
        self.push(samples, sample_rate, start)
        self.costs.append(time.perf_counter() - began)
        times, probabilities, steps = self.detector.times[rows:], self.detector.probabilities[rows:], []
        if len(times):  # when, and the smoothed probability of the likeliest word
            surest = self._smoother.smooth(probabilities)[:, self._smoother.words].max(1)
            steps = np.stack([times, surest], axis=1).tolist()
        level = 20 * math.log10(np.abs(samples).max(initial=0.001))  # dB, at least -60
        return {"seconds": self.detector.seconds, "steps": steps, "level": level}

    def end(self):
        """The stream is over: the last words, the picture, a summary."""
        self._report(self.detector.flush())
        self.redraw()
        words = ", ".join(f"{word.word} ({word.reported:.1f} s, {word.confidence:.0%})" for word in self.words[-SHOWN:])
        words = f": {words}." if words else "."
        said = [f"{self.detector.seconds:.1f} s heard, {len(self.words)} words reported{words}"]
        if self.costs:
            usual, most = 1000 * float(np.median(self.costs)), 1000 * max(self.costs)
            said.append(f"A block took {usual:.1f} ms here, the slowest {most:.0f} ms.")
        self.say(" ".join([*said, *self.detector.problems[-3:]]), wrong=bool(self.detector.problems))

    def take(self, name, samples):
        self.play(samples, RATE)

    def _push(self, samples, sample_rate, start):
        self._report(self.detector.push(samples, sample_rate, at=start / sample_rate))
        missing = min(max(0, start - self._next), round(KEPT * sample_rate))
        self._sound.append(np.pad(samples, (missing, 0)))
        self._sample_rate, self._next = sample_rate, start + len(samples)

    def _report(self, found):
        """Show the latest words on the page, each with its number."""
        self.words += found
        latest = list(enumerate(self.words))[-SHOWN:]
        self.microphone.heard = [asdict(word) | {"number": number} for number, word in latest]

    def _new_decision(self):
        """For the words to come; of a recording that is over, the sound that was kept is heard again."""
        self.detector.decision = self.detector.decider.decision = self.controls["allowed"].value
        self.microphone.threshold = min(1.0, self.detector.decision.threshold)
        if self._session is None and self._sound:
            self.play(np.concatenate(self._sound), self._sample_rate, self.synthetic)
