"""Sound in blocks in, words out: the detector, and what it does when the stream misbehaves."""

import math
from dataclasses import replace

import numpy as np
import soxr
import torch

from ..data.audio import SCALE
from ..errors import LabError
from .decision import Decider, Decision

FULL = 0.999  # of full scale: a sample there was probably cut
CLIPPED = 0.005  # fraction of such samples in a second that is worth saying
GAP = 0.1  # seconds of a stream that may be missing without a word


def streams(run):
    """Whether a network can go on from block to block; if not, it is run again on a sliding window."""
    feature = run.experiment.feature
    return getattr(run.network.network, "streamable", False) and feature.time_axis == 1 and feature.streamable


class Detector:
    """Finds words in a stream of sound; the package's docstring shows it at work.

    A network that can stream keeps its state from block to block, any other is run again ten times a second on the last
    second. Words are reported as `decision` says, by default that of the run's record. `second` is the run of a network
    for clips with the same classes: it looks at the last second before anything is reported, and both must agree.
    """

    def __init__(self, run, decision=None, second=None):
        self.run, self.labels, self.second = run, tuple(run.labels), second
        if second is not None and tuple(second.labels) != self.labels:
            raise LabError(f"{second.name} knows other words than {run.name}. Take one of the same classes.")
        self.sample_rate = run.experiment.feature.sample_rate  # of the network, in Hz; other rates are resampled
        self.decision = decision or Decision.of(run) or Decision()
        self.reset()

    def reset(self):
        """Start anew at zero seconds, problems and history included."""
        self.problems = []  # what was wrong with the stream, one sentence each, with its time
        self.times = np.zeros(0)  # when each row below was known, in seconds of the stream
        self.probabilities = np.zeros((0, len(self.labels)), np.float32)
        self._cut, self._clipped = 0.0, False  # samples cut off of late; whether that was said
        self._restart(0.0)

    def _restart(self, at):  # forget the sound: what comes next begins at second `at` of the stream
        self._start, self._samples, self._rows = at, 0, 0  # samples heard since, at the network's rate, and rows
        self._incoming = self._resampler = None  # rate that comes in, and what turns it into the network's
        self.listener = (Stateful if streams(self.run) else Sliding)(self.run)
        self._sound = np.zeros(0, np.float32)  # the latest sound, at the network's rate, that a second look may need
        look = None if self.second is None else self._look
        self.decider = Decider(self.labels, self.decision, self.listener.period, self.listener.span, look)

    @property
    def seconds(self):  # length of the stream so far
        return self._start + self._samples / self.sample_rate

    def push(self, samples, sample_rate=None, at=None):
        """Hear the next block; returns a list of Detection: the words that became known with it.

        `samples`, shape (samples,), are floats between -1 and 1, or int16; their `sample_rate` in Hz is by default the
        network's. `at` is the second of the stream at which the block begins, if the sender knows it. Where sound is
        missing, or the rate changes, `problems` says so and the network starts anew.
        """
        samples, sample_rate, found = one_channel(samples), self.sample_rate if sample_rate is None else sample_rate, []
        if not 1_000 <= sample_rate <= 400_000 or sample_rate % 1:
            raise LabError(
                f"A stream of {sample_rate} Hz cannot be heard, only 1,000 to 400,000. Give the microphone's rate."
            )
        sample_rate, wrong = int(sample_rate), ""
        if self._incoming not in (None, sample_rate):
            wrong = f"the rate jumped from {self._incoming:,} to {sample_rate:,} Hz"
        waiting = self._resampler.delay() if self._resampler else 0  # samples that the resampler holds back
        if at is not None and (missing := at - self.seconds - waiting / self.sample_rate) > GAP:
            wrong = f"the stream stopped for {missing:.1f} s"
        if wrong:
            found = self.flush()
            self._note(f"{wrong}. Listening starts anew there.")
            self._start = max(self._start, at or 0.0)
        if self._incoming is None and sample_rate != self.sample_rate:
            self._resampler = soxr.ResampleStream(sample_rate, self.sample_rate, 1, dtype="float32", quality="HQ")
        self._incoming = sample_rate
        for start in range(0, len(samples), sample_rate):  # a second at a time: ten seconds at once need no more memory
            found += self._hear(self._inspected(samples[start : start + sample_rate]))
        return found

    def flush(self):
        """The stream ends here: returns words that were still open. What comes after starts anew behind it."""
        found = self._hear(np.zeros(0, np.float32), last=True)
        self._restart(self.seconds)
        return found

    def _inspected(self, samples):
        """The samples, with zero for what is no number; notes that, and once that the sound is clipped."""
        if (bad := ~np.isfinite(samples)).any():
            self._note(f"{bad.sum():,} samples are not finite numbers. They count as silence.")
            samples = np.where(bad, np.float32(0), samples)
        # The sum falls by the fraction that is allowed: it grows only while more is cut, and forgets single peaks.
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
        self._sound = np.concatenate([self._sound, samples])[-3 * self.sample_rate :]
        probabilities = self.listener.push(torch.from_numpy(samples), last)
        if probabilities is None:
            return []
        times = np.arange(self._rows, self._rows + len(probabilities)) * self.listener.period
        times = times + self.listener.first + self._start
        self._rows += len(probabilities)
        self.times = np.concatenate([self.times, times])
        self.probabilities = np.concatenate([self.probabilities, probabilities])
        return self.decider.push(times, probabilities)

    def _look(self, word, time):
        """Probability that the second network gives a word at second `time` of the stream."""
        end = len(self._sound) - round((self.seconds - time) * self.sample_rate)
        return float(last_second(self.second, self._sound, end)[self.labels.index(word)])


def last_second(run, samples, end):
    """Class probabilities of the second that ends at sample `end` of float samples, (samples,), silence before them."""
    window = run.experiment.feature.sample_rate
    sound = samples[max(0, end - window) : max(0, end)]
    return run.probabilities(torch.from_numpy(np.pad(sound, (window - len(sound), 0)))[None])[0]


class StreamingFeature:
    """Frames of an MFCC or mel feature, each as soon as its sound is there; settings of length do not apply.

    A frame is centred on its time, so it needs `look_ahead` seconds of sound that comes after: half a window, and for
    deltas the frames that a slope is fitted over.
    """

    def __init__(self, feature):
        if feature.time_axis != 1 or not feature.streamable:
            mend = "Use mel_frames or mfcc, without top_db, clip_mean and trim."
            raise LabError(f"{feature} cannot be computed block by block. {mend}")
        self.feature, self.extract = feature, replace(feature, seconds=None, padding="masked").build()
        # frames before and after its own that the slopes of a frame need
        self.slopes = getattr(feature, "deltas", 0) * (getattr(feature, "delta_width", 0) // 2)
        self.after = feature.window - self.extract.before  # samples of a frame's window that come after its time
        self.period = feature.hop / feature.sample_rate  # seconds from frame to frame
        self.look_ahead = self.after / feature.sample_rate + self.slopes * self.period
        self.samples, self.given = torch.zeros(0), 0  # the latest sound; how many of its frames came out already

    @torch.no_grad()
    def push(self, samples, last=False):
        """Frames, shape (1, frames, features), that the next samples, shape (samples,), complete; often none.

        With the `last` samples of a stream come all frames that were due, computed as if silence followed.
        """
        self.samples = torch.cat([self.samples, samples])
        count, hop = len(self.samples), self.feature.hop
        padded = torch.nn.functional.pad(self.samples, (0, max(0, self.feature.window - count)))
        x, _ = self.extract(padded[None], torch.tensor([count]))  # (1, frames, features)
        ready = (count - self.after) // hop + 1 - self.slopes  # what comes will not change these frames
        if last and count:
            ready = self.feature.steps(count)
        out = x[:, self.given : max(self.given, ready)]
        self.given += out.shape[1]
        # Keep the sound before the next frame that its window and its slopes need, and forget what is older.
        past = max(0, self.given - self.slopes - math.ceil(self.extract.before / hop))  # frames
        self.samples, self.given = self.samples[past * hop :], self.given - past
        return out


class Stateful:
    """Runs a network that streams. Its first row is known at second `first`; `period` and `span` as for `Decider`."""

    def __init__(self, run):
        self.network, self.device = run.network.eval(), run.device
        self.feature = StreamingFeature(run.experiment.feature)
        self.period = self.feature.period * getattr(self.network.network, "stride", 1)
        self.first, self.span = self.feature.look_ahead, run.experiment.feature.seconds or 1.0
        self.state = None

    @torch.inference_mode()
    def push(self, samples, last=False):
        """The probabilities, (rows, classes), that the next samples make known; None if there are none."""
        x = self.feature.push(samples, last)  # (1, frames, features)
        if not x.shape[1]:
            return None
        logits, self.state = self.network.step(x.to(self.device), self.state)  # (1, rows, classes)
        return logits[0].softmax(1).cpu().numpy()


class Sliding:
    """As `Stateful`, for any network: it is run again and again on the last second, all of it computed anew."""

    def __init__(self, run, period=0.1):  # seconds between two looks
        feature = run.experiment.feature
        self.network, self.device, self.extract = run.network.eval(), run.device, feature.build()
        if isinstance(self.extract, torch.nn.Module):
            self.extract.to(self.device)
        self.first = self.period = period
        self.span, self.hop = feature.seconds or 1.0, round(period * feature.sample_rate)
        self.window = max(round(self.span * feature.sample_rate), self.hop)
        self.sound = torch.zeros(self.window - self.hop)  # at first as if there had been silence

    @torch.inference_mode()
    def push(self, samples, last=False):
        self.sound = torch.cat([self.sound, samples])
        if len(self.sound) < self.window:  # of the last samples, too
            return None
        windows = self.sound.unfold(0, self.window, self.hop).to(self.device)  # (looks, window)
        self.sound = self.sound[len(windows) * self.hop :]
        lengths = torch.tensor([self.window], device=self.device)
        logits = torch.cat([self.network(*self.extract(window[None], lengths)) for window in windows])
        return logits.softmax(1).cpu().numpy()


def one_channel(samples):
    """A block as float32 between -1 and 1, shape (samples,)."""
    samples = np.asarray(samples)
    if samples.ndim != 1 or (samples.dtype != np.int16 and samples.dtype.kind != "f"):
        wrong = f"{samples.shape} of {samples.dtype}. Convert it, or take block[:, 0]."
        raise LabError(f"A block of sound is (samples,) of floats between -1 and 1, or int16, not {wrong}")
    return samples.astype(np.float32) / (SCALE if samples.dtype == np.int16 else 1)


def detect(run, samples, sample_rate, decision=None, second=None):
    """Find the words of a whole recording: samples of shape (samples,) at `sample_rate` Hz.

    Returns a list of Detection, the times in seconds, (rows,), and the probabilities known then, (rows, classes).
    """
    detector = Detector(run, decision, second)
    found = detector.push(samples, sample_rate) + detector.flush()
    return found, detector.times, detector.probabilities
