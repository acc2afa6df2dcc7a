"""Words as they are spoken: a microphone, or a file, and what a network reports."""

import time
from collections import deque
from dataclasses import asdict, replace

import numpy as np

from .. import plots
from ..data.audio import SCALE
from ..data.corpus import OTHER
from ..experiments import pretrained
from ..streaming import Decider, Detector, decide
from .browser import ACCEPTED, LiveMicrophone
from .microphone_help import RATE, from_file, what_to_do
from .panel import Panel, empty_figure, empty_picture

BLOCK = 0.08  # seconds of sound that a file is cut into, as the browser does with the microphone
KEPT = 30.0  # seconds at the end that the picture shows
LONGEST = 600.0  # seconds of an upload
SHOWN = 8  # words that stay on the page
QUIET_DB = -60.0
HIDDEN = "This page is in the background now. Recognition goes on; the browser may give it less time."
IDLE = "Press Start and speak, or upload a file. Sound stays on this computer; nothing is kept."


class LivePanel(Panel):
    """Listens to the microphone, or to a file, and shows the words that a network reports while they are said.

    Nothing is stored. Sound goes in blocks of 80 ms from the browser to the kernel, which answers each of them. While
    the kernel is busy, sound waits in the browser; what would wait more than ten seconds is left out, and said so.

    Controls: `threshold` (what a word's probability needs), `upload` (a file of any format libsndfile reads).

    Parameters
    ----------
    lab : Lab
    detector : Detector, or what it takes (a run), or the name of a pretrained network
    """

    synthetic = False  # until a recording is heard that says otherwise

    def __init__(self, lab, detector="ten-words"):
        super().__init__(lab)
        detector = pretrained.load(detector) if isinstance(detector, str) else detector
        self.detector = detector if isinstance(detector, Detector) else Detector(detector)
        threshold = {"value": self.detector.decision.threshold, "min": 0.05, "max": 1.0, "step": 0.01}
        self.add("threshold", "FloatSlider", self._new_threshold, readout_format=".2f", **threshold)
        self.add("upload", "FileUpload", self._uploaded, "Upload", **ACCEPTED)
        self.microphone = LiveMicrophone(threshold=self.detector.decision.threshold)
        self.costs = deque(maxlen=1000)  # seconds that the latest blocks took here
        self._session = None
        self._begin()
        self.microphone.on_msg(lambda widget, content, buffers: self.receive(content, buffers))
        self.redraw()
        known = ", ".join(label for label in self.detector.labels if label != OTHER)
        self.say(f"It knows: {known}. {IDLE}")

    def receive(self, content, buffers=()):
        """What the browser sends: see `LiveMicrophone`."""
        kind, session = content.get("kind"), content.get("session")
        if kind == "problem":
            self.say(what_to_do(content, "Start"), wrong=True)
        elif kind == "start":
            if self._session:  # the panel is shown twice: the newer one speaks
                self.microphone.send({"kind": "end", "session": self._session})
            self._begin()
            self._session = session
            self.say("Listening.")
        elif session != self._session:
            self.microphone.send({"kind": "end", "session": session})
        elif kind == "block" and buffers:
            self._block(np.frombuffer(buffers[0], "<i2"), content["rate"], content["start"])
        elif kind == "stop":
            self._session = None
            self._end()
        elif kind in ("hidden", "visible", "resumed"):
            self.say(HIDDEN if kind == "hidden" else "Listening.")

    def listen(self, samples, rate, synthetic=False):
        """Hear a recording, samples of shape (samples,), block by block, as if it came from the microphone.

        The picture of a `synthetic` one is stamped so. Returns a list of Detection.
        """
        self._begin()
        self.synthetic = synthetic
        size = max(1, round(BLOCK * rate))
        for start in range(0, len(samples), size):
            self.hear(np.asarray(samples[start : start + size]), rate, start)
        self._end()
        return self.words

    def hear(self, samples, rate, start):
        """Hear the next block, whose first sample has the number `start`; what is wrong with it becomes the message."""
        self.attempt(self._push, samples, rate, start)
        while sum(len(part) / its_rate for part, its_rate, _ in self._sound) > KEPT + 1:
            self._sound.popleft()
        for problem in self.detector.problems[self._named :]:
            self.say(problem, wrong=True)
        self._named = len(self.detector.problems)

    def _push(self, samples, rate, start):
        self._report(self.detector.push(samples, rate, at=start / rate))
        self._sound.append((samples, rate, start))

    def draw(self):
        if not self._sound:
            return empty_picture(8.5, 0.5, "what was heard is drawn here in the end"), "Empty: nothing was heard yet"
        samples, rate, before = self._heard()
        times = self.detector.times - before
        shown = times >= 0
        found = [
            replace(word, start=max(0.0, word.start - before), end=word.end - before, reported=word.reported - before)
            for word in self.words
            if word.reported > before
        ]
        figure = plots.timeline(
            samples,
            rate,
            self.detector.labels,
            times[shown],
            self.detector.probabilities[shown],
            found,
            decision=self.detector.decision,
            figure=empty_figure(9.5, 4.2),
        )
        names = ", ".join(f"{word.word} at {word.reported:.1f} s" for word in found) or "no word"
        seconds = f"{len(samples) / rate:.0f} s"
        return figure, f"Waveform of the last {seconds} and probabilities over time; reported: {names}"

    def rows(self):
        return ("threshold", "upload"), self.microphone, self.message, self.picture

    def _heard(self):
        """The latest sound, gaps included: samples, their rate, and the second of the stream at which they begin."""
        rate = self._sound[-1][1]
        parts = [(part, start) for part, its_rate, start in self._sound if its_rate == rate]
        end = parts[-1][1] + len(parts[-1][0])
        first = max(0, end - round(KEPT * rate))
        samples = np.zeros(end - first, np.float32)
        for part, start in parts:
            part = part[max(0, first - start) :]
            place = max(0, start - first)
            samples[place : place + len(part)] = part
        return samples, rate, first / rate

    def _begin(self):
        """Forget what was heard."""
        self.synthetic = False
        self.detector.reset()
        self._smoother = Decider(self.detector.labels, self.detector.decision, self.detector.decider.period)
        self.words, self._sound = [], deque()  # Detections; (samples, rate, number of the first) of the last seconds
        self._named = self._sent = 0  # problems that were said, and rows of probabilities that were sent
        self.costs.clear()
        self.microphone.heard = []
        self.microphone.send({"kind": "clear"})

    def _block(self, samples, rate, start):
        """A block of the microphone: heard, and answered."""
        began = time.perf_counter()
        self.hear(samples.astype(np.float32) / SCALE, rate, start)
        self.costs.append(time.perf_counter() - began)
        loudest = np.abs(samples.astype(np.int32)).max(initial=1) / SCALE
        # [second, smoothed probability of the likeliest word] for each row that is new since the last block
        times, probabilities = self.detector.times[self._sent :], self.detector.probabilities[self._sent :]
        self._sent += len(times)
        surest = times  # (rows,)
        if len(times):
            surest = self._smoother.smooth(probabilities)[:, self._smoother.words].max(1)
        answer = {
            "kind": "heard",
            "session": self._session,
            "upto": start + len(samples),
            "seconds": self.detector.seconds,
            "steps": np.stack([times, surest], axis=1).tolist(),
            "level": max(QUIET_DB, 20 * float(np.log10(loudest))),
        }
        self.microphone.send(answer)

    def _report(self, found):
        fresh = [
            {**asdict(word), "number": number, "time": word.reported}
            for number, word in enumerate(found, start=len(self.words))
        ]
        self.words += found
        if fresh:
            self.microphone.heard = [*self.microphone.heard, *fresh][-SHOWN:]

    def _end(self, last=None):
        """The stream is over: the last words, the picture, a summary."""
        self._report(self.detector.flush() if last is None else last)
        self.redraw()
        words = ", ".join(f"{word.word} ({word.reported:.1f} s, {word.confidence:.0%})" for word in self.words[-SHOWN:])
        words = f": {words}" if words else ""
        said = [f"{self.detector.seconds:.1f} s heard, {len(self.words)} words reported{words}."]
        if self.costs:
            usual, most = 1000 * float(np.median(self.costs)), 1000 * max(self.costs)
            said.append(f"A block took {usual:.1f} ms here, the slowest {most:.0f} ms.")
        problems = self.detector.problems
        self.say(" ".join([*said, *problems[-3:]]), wrong=bool(problems))

    def _new_threshold(self):
        """For the words to come; a recording that is over is judged again."""
        detector = self.detector
        decision = replace(detector.decision, threshold=self.controls["threshold"].value)
        detector.decision = detector.decider.decision = decision
        self.microphone.threshold = decision.threshold
        if self._session is None and self._sound:
            found = decide(detector.labels, detector.times, detector.probabilities, decision, detector.decider.span)
            self.words, self.microphone.heard = [], []
            self._end(found)

    def _uploaded(self):
        if not self.controls["upload"].value:
            return
        file = self.controls["upload"].value[0]
        self.controls["upload"].value = ()  # so that the same file can be uploaded again
        self.listen(from_file(bytes(file["content"]), file["name"], LONGEST), RATE)
