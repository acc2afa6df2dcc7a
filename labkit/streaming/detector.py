"""Sound in blocks in, words out: the detector, and what it does when the stream misbehaves."""

import numpy as np
import soxr
import torch

from ..data.audio import SCALE
from ..errors import LabError
from ..features import Spectral
from .decision import Decider, Decision
from .stream_features import StreamingFeature

FULL = 0.999  # of full scale: a sample there was probably cut
CLIPPED = 0.005  # fraction of such samples in a second that is worth saying
GAP = 0.1  # seconds of a stream that may be missing without a word
NOTHING = np.zeros(0), None  # what a listener knows while the sound is too short: no times, no probabilities


def streams(run):
    """Whether a network can go on from block to block; if not, it is run again on a sliding window."""
    feature = run.experiment.feature
    has_frames = isinstance(feature, Spectral) and feature.time_axis != 3 and feature.streamable
    return has_frames and getattr(run.network.network, "streamable", False)


class Detector:
    """Finds words in a stream of sound; the package's docstring shows it at work.

    A network that can stream keeps its state from block to block, any other is run again ten times a second on the last
    second. Words are reported as `decision` says, by default that of the run's record.
    """

    def __init__(self, run, decision=None):
        self.labels = tuple(run.labels)
        self.rate = run.experiment.feature.sample_rate  # of the network, in Hz; other rates are resampled
        self.decision = decision or Decision.of(run) or Decision()
        self.listener = (Stateful if streams(run) else Sliding)(run)
        self.decider = Decider(self.labels, self.decision, self.listener.period, self.listener.span)
        self.reset()

    def reset(self):
        """Start anew at zero seconds, problems and history included."""
        self.problems = []  # what was wrong with the stream, one sentence each, with its time
        self.times = np.zeros(0)  # when each row below was known, in seconds of the stream
        self.probabilities = np.zeros((0, len(self.labels)), np.float32)
        self._cut, self._clipped = 0.0, False  # samples cut off of late; whether that was said
        self._restart(0.0)

    def _restart(self, at):  # forget the sound: what comes next begins at second `at` of the stream
        self._start, self._samples = at, 0  # samples heard since, at the network's rate
        self._incoming = self._resampler = None  # rate that comes in, and what turns it into the network's
        self.listener.reset()
        self.decider.reset()

    @property
    def seconds(self):  # length of the stream so far
        return self._start + self._samples / self.rate

    def push(self, samples, rate=None, at=None):
        """Hear the next block; returns a list of Detection: the words that became known with it.

        `samples`, shape (samples,), are floats between -1 and 1, or int16; their `rate` in Hz is by default the
        network's. `at` is the second of the stream at which the block begins, if the sender knows it. Where sound is
        missing, or the rate changes, `problems` says so and the network starts anew.
        """
        samples, rate, found = one_channel(samples), self.rate if rate is None else rate, []
        if not 1_000 <= rate <= 400_000 or rate % 1:
            raise LabError(
                f"A stream of {rate!r} Hz cannot be: 1,000 to 400,000 is possible. Say the microphone's rate."
            )
        rate, before = int(rate), self._incoming
        waiting = self._resampler.delay() if self._resampler else 0  # samples that the resampler holds back
        missing = 0 if at is None else at - self.seconds - waiting / self.rate
        stopped = missing > GAP
        if stopped or before not in (None, rate):
            found, why = self.flush(), f"the stream stopped for {missing:.1f} s"
            why = why if stopped else f"the rate jumped from {before:,} to {rate:,} Hz"
            self._note(f"{why}. Listening starts anew there.")
            self._restart(max(self.seconds, at or 0.0))
        if self._incoming is None and rate != self.rate:
            self._resampler = soxr.ResampleStream(rate, self.rate, 1, dtype="float32", quality="HQ")
        self._incoming = rate
        for start in range(0, len(samples), rate):  # a second at a time: ten seconds at once need no more memory
            found += self._hear(self._inspected(samples[start : start + rate]))
        return found

    def flush(self):
        """The stream ends here: returns words that were still open. What comes after starts anew behind it."""
        found = self._hear(np.zeros(0, np.float32), last=True) + self._decide(*self.listener.flush())
        self._restart(self.seconds)
        return found

    def _inspected(self, samples):
        """The samples, with zero for what is no number; notes that, and once that the sound is clipped."""
        if (bad := ~np.isfinite(samples)).any():
            self._note(f"{bad.sum():,} samples are not finite numbers. They count as silence.")
            samples = np.where(bad, np.float32(0), samples)
        # A bucket with a hole: single peaks run out of it, so it fills only while more than the fraction is cut.
        cut = np.count_nonzero(np.abs(samples) >= FULL)
        self._cut = max(0.0, self._cut + cut - CLIPPED * len(samples))
        if self._cut > CLIPPED * self._incoming and not self._clipped:
            self._clipped = True
            self._note("the sound is too loud and cut off (clipped). Turn the microphone down.")
        return samples

    def _note(self, problem):
        self.problems.append(f"{self.seconds:.1f} s: {problem}")

    def _hear(self, samples, last=False):
        if self._resampler:
            samples = self._resampler.resample_chunk(samples, last=last)
        self._samples += len(samples)
        return self._decide(*self.listener.push(torch.from_numpy(samples)))

    def _decide(self, times, probabilities):
        if not len(times):
            return []
        times = times + self._start
        self.times = np.concatenate([self.times, times])
        self.probabilities = np.concatenate([self.probabilities, probabilities])
        return self.decider.push(times, probabilities)


class Stateful:
    """Runs a network that streams, every frame once; `period` and `span` as for `Decider`."""

    def __init__(self, run):
        self.network, self.device = run.network.eval(), run.device
        self.feature = StreamingFeature(run.experiment.feature)
        self.period = self.feature.period * getattr(self.network.network, "stride", 1)
        self.span = run.experiment.feature.seconds or 1.0
        self.reset()

    def reset(self):
        self.feature.reset()
        self.state, self.rows = None, 0

    def push(self, samples):
        """What the next samples make known: times, seconds since the last reset, and probabilities (rows, classes)."""
        return self._rows(self.feature.push(samples))

    def flush(self):
        return self._rows(self.feature.flush())

    @torch.inference_mode()
    def _rows(self, x):
        if not x.shape[1]:
            return NOTHING
        scores, self.state = self.network.step(x.to(self.device), self.state)  # (1, outputs, classes)
        probabilities = scores[0].softmax(1).cpu().numpy()
        times = np.arange(self.rows, self.rows + len(probabilities)) * self.period + self.feature.look_ahead
        self.rows += len(probabilities)
        return times, probabilities


class Sliding:
    """Runs any network again and again on the last second: what it heard before is computed anew each time."""

    def __init__(self, run, period=0.1):  # seconds between two looks
        feature = run.experiment.feature
        self.network, self.device, self.extract = run.network.eval(), run.device, feature.build()
        if isinstance(self.extract, torch.nn.Module):
            self.extract.to(self.device)
        self.span, self.period, self.rate = feature.seconds or 1.0, period, feature.sample_rate
        self.hop = round(period * self.rate)
        self.window = max(round(self.span * self.rate), self.hop)
        self.lengths = torch.tensor([self.window], device=self.device)
        self.reset()

    def reset(self):
        self.sound, self.rows = torch.zeros(self.window - self.hop), 0  # at first as if there had been silence

    @torch.inference_mode()
    def push(self, samples):
        self.sound = torch.cat([self.sound, samples])
        if len(self.sound) < self.window:
            return NOTHING
        windows = self.sound.unfold(0, self.window, self.hop).to(self.device)  # (looks, window)
        self.sound = self.sound[len(windows) * self.hop :]
        times = (self.rows + 1 + np.arange(len(windows))) * self.hop / self.rate
        self.rows += len(windows)
        scores = torch.cat([self.network(*self.extract(window[None], self.lengths)) for window in windows])
        return times, scores.softmax(1).cpu().numpy()

    def flush(self):
        return NOTHING


def one_channel(samples):
    """A block as float32 between -1 and 1, shape (samples,)."""
    samples = samples.detach().cpu().numpy() if isinstance(samples, torch.Tensor) else np.asarray(samples)
    if samples.ndim != 1:
        raise LabError(f"A block of sound is (samples,), not {samples.shape}. Of several channels take block[:, 0].")
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / SCALE
    if samples.dtype.kind not in "f" and len(samples):
        raise LabError(f"Samples are floats between -1 and 1, or int16, not {samples.dtype}. Convert them first.")
    return samples.astype(np.float32)


def detect(run, samples, rate, decision=None):
    """Find the words of a whole recording: samples of shape (samples,) at `rate` Hz.

    Returns a list of Detection, the times in seconds, (rows,), and the probabilities known then, (rows, classes).
    """
    detector = Detector(run, decision)
    found = detector.push(samples, rate) + detector.flush()
    return found, detector.times, detector.probabilities
