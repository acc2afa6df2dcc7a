"""Sound in blocks in, words out: the detector, and what it does when the stream misbehaves."""

import numpy as np
import torch

from ..data.audio import SCALE
from ..errors import LabError
from ..features import Spectral
from .decision import Decider, Decision
from .stream_features import StreamingFeature

FULL = 0.999  # of full scale: a sample there was probably cut
CLIPPED = 0.005  # share of such samples in a second that is worth saying
GAP = 0.1  # seconds of a stream that may be missing without a word
RATES = (1_000, 400_000)  # Hz: what a sound card can mean
AGAIN = 0.1  # seconds between two looks of a model that cannot stream


def streams(classifier):
    """Whether a network can go on from block to block; if not, it is run again on a sliding window."""
    feature, network = classifier.experiment.feature, classifier.network.network
    pictures = isinstance(feature, Spectral) and feature.time_axis == 3
    return (
        feature.streamable and isinstance(feature, Spectral) and not pictures and getattr(network, "streamable", False)
    )


class Detector:
    """Finds words in a stream of sound.

    Parameters
    ----------
    classifier : Run
        A trained network. One that can stream (`streams(classifier)`) keeps its state from block to block; any other
        is run again ten times a second on the last second, which gives similar answers for much more work.
    decision : Decision, optional
        When a word is reported; by default what the shipped network says, as chosen on validation data.

    Attributes
    ----------
    labels : tuple of str
        Classes, in the order of the columns of `probabilities`.
    rate : int
        The network's own sample rate in Hz; other rates are resampled.
    seconds : float
        Length of the stream so far.
    problems : list of str
        What was wrong with the stream, one sentence each, with its time.
    decision : Decision

    Notes
    -----
    The package's docstring shows it at work.
    """

    def __init__(self, classifier, decision=None):
        self.classifier = classifier
        self.labels = tuple(classifier.labels)
        self.rate = classifier.experiment.feature.sample_rate
        self.decision = decision or Decision.of(classifier) or Decision()
        self.listener = (Stateful if streams(classifier) else Sliding)(classifier)
        self.decider = Decider(self.labels, self.decision, self.listener.period, self.listener.span)
        self.reset()

    def reset(self):
        """Start anew at zero seconds, problems and history included."""
        self.problems, self._history = [], []
        self._samples, self._start = 0, 0.0  # samples since the last start, and its second in the stream
        self._from = self._resampler = None  # rate that comes in, and what turns it into ours
        self._cut, self._counted, self._was_cut = 0, 0, False
        self._restart(0.0)

    @property
    def seconds(self):
        return self._start + self._samples / self.rate

    @property
    def times(self):
        """When each row of `probabilities` was known, in seconds of the stream: shape (rows,)."""
        return self._joined()[0]

    @property
    def probabilities(self):
        """What the network thought, before smoothing: shape (rows, classes)."""
        return self._joined()[1]

    def push(self, samples, rate=None, at=None):
        """Hear the next block.

        Parameters
        ----------
        samples : array_like
            Shape (samples,), numpy or torch: floats between -1 and 1, or int16. Any number of them, none included.
        rate : int, optional
            Their rate in Hz; by default the network's. It may change from block to block.
        at : float, optional
            Second of the stream at which the block begins, if the sender knows: if that is later than expected, the
            stream had a gap, which is named, and the network starts anew behind it.

        Returns
        -------
        list of Detection
            Words that became known with this block.

        Raises
        ------
        LabError
            If this is no block of one channel, or the rate is none. The block is left out, and the next can come.
        """
        samples, rate = one_channel(samples), self._known_rate(rate)
        found = []
        if at is not None and at > self._expected + GAP:
            found += self.flush()
            self.problems.append(
                f"{self.seconds:.1f} s: the stream stopped for {at - self.seconds:.1f} s. Listening starts anew there."
            )
            self._restart(at)
        if rate != self._from:
            if self._from is not None:
                self.problems.append(
                    f"{self.seconds:.1f} s: the rate jumped from {self._from:,} to {rate:,} Hz. Both are resampled to "
                    f"{self.rate:,} Hz."
                )
                found += self._hear(self._end_of_rate())
            self._from = rate
            self._resampler = None if rate == self.rate else _resampler(rate, self.rate)
        for start in range(0, len(samples), rate):  # a second at a time: ten seconds at once need no more memory
            found += self._hear(self._resampled(self._inspected(samples[start : start + rate])))
        return found

    def flush(self):
        """The stream ends here: words that were still open. What comes after starts anew behind it.

        Returns
        -------
        list of Detection
        """
        found = self._hear(self._end_of_rate())
        found += self._decide(*self.listener.flush())
        self._restart(self.seconds)
        return found

    @property
    def _expected(self):
        """Second at which the next block should begin: what the resampler holds back has been heard, too."""
        waiting = self._resampler.delay() if self._resampler else 0
        return self.seconds + waiting / self.rate

    def _restart(self, at):
        self._start, self._samples = at, 0
        self._from = self._resampler = None
        self.listener.reset()
        self.decider.reset()

    def _known_rate(self, rate):
        rate = self.rate if rate is None else rate
        low, high = RATES
        if isinstance(rate, bool) or not low <= rate <= high or rate != int(rate):
            raise LabError(
                f"A stream of {rate!r} Hz cannot be: from {low:,} to {high:,} is possible. This block is left out; say "
                "the rate of the microphone, as in push(block, rate=48_000)."
            )
        return int(rate)

    def _inspected(self, samples):
        """The samples with what is no number set to zero; says so, and where the sound is clipped."""
        if (bad := ~np.isfinite(samples)).any():
            self.problems.append(
                f"{self.seconds:.1f} s: {bad.sum():,} samples are not finite numbers. They count as silence."
            )
            samples = np.where(bad, np.float32(0), samples)
        cut = np.abs(samples) >= FULL
        place = 0
        while place < len(samples):  # second by second of the stream, however the blocks fall
            many = min(len(samples) - place, self._from - self._counted)
            self._cut += int(cut[place : place + many].sum())
            self._counted, place = self._counted + many, place + many
            clipped = self._cut > CLIPPED * self._from
            if clipped and not self._was_cut:
                self.problems.append(
                    f"{self.seconds:.1f} s: the sound is too loud and cut off (clipped). Turn the microphone down."
                )
                self._was_cut = True
            if self._counted == self._from:
                self._cut, self._counted, self._was_cut = 0, 0, clipped
        return samples

    def _resampled(self, samples):
        return samples if self._resampler is None else self._resampler.resample_chunk(samples)

    def _end_of_rate(self):
        """What the resampler still holds."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._resampler is None else self._resampler.resample_chunk(nothing, last=True)

    def _hear(self, samples):
        """Samples at the network's own rate."""
        if not len(samples):
            return []
        self._samples += len(samples)
        return self._decide(*self.listener.push(torch.from_numpy(np.ascontiguousarray(samples))))

    def _decide(self, times, probabilities):
        if not len(times):
            return []
        times = times + self._start
        self._history.append((times, probabilities))
        return self.decider.push(times, probabilities)

    def _joined(self):
        if not self._history:
            return np.zeros(0), np.zeros((0, len(self.labels)), np.float32)
        self._history = [tuple(map(np.concatenate, zip(*self._history, strict=True)))]
        return self._history[0]


class Stateful:
    """Runs a network that streams: every frame is computed once.

    Attributes
    ----------
    period : float
        Seconds between rows of probabilities.
    span : float
        Seconds of sound that a row is thought to rest on.
    """

    def __init__(self, classifier):
        self.network, self.device = classifier.network.eval(), classifier.device
        self.feature = StreamingFeature(classifier.experiment.feature)
        self.period = self.feature.period * getattr(self.network.network, "stride", 1)
        self.span = classifier.experiment.feature.seconds or 1.0
        self.reset()

    def reset(self):
        self.feature.reset()
        self.state, self.rows = None, 0

    def push(self, samples):
        """(times, probabilities) that the next samples, shape (samples,), make known; seconds since the last reset."""
        return self._rows(self.feature.push(samples))

    def flush(self):
        rows = self._rows(self.feature.flush())
        self.state, self.rows = None, 0
        return rows

    @torch.inference_mode()
    def _rows(self, x):
        if not x.shape[1]:
            return np.zeros(0), None
        scores, self.state = self.network.step(x.to(self.device), self.state)  # (1, outputs, classes)
        probabilities = scores[0].softmax(1).cpu().numpy()
        times = np.arange(self.rows, self.rows + len(probabilities)) * self.period + self.feature.look_ahead
        self.rows += len(probabilities)
        return times, probabilities


class Sliding:
    """Runs any network again and again on the last second: what it heard before is computed anew each time."""

    def __init__(self, classifier, period=AGAIN):
        feature = classifier.experiment.feature
        self.network, self.device = classifier.network.eval(), classifier.device
        self.extract = feature.build()
        if isinstance(self.extract, torch.nn.Module):
            self.extract.to(self.device)
        self.span, self.period = feature.seconds or 1.0, period
        self.window, self.hop = round(self.span * feature.sample_rate), round(period * feature.sample_rate)
        self.rate = feature.sample_rate
        self.reset()

    def reset(self):
        self.recent, self.rows = torch.zeros(self.window), 0
        self.until = self.hop  # samples until the next look

    def push(self, samples):
        times, rows = [], []
        for part in self._cut(samples):
            self.recent = torch.cat([self.recent, part])[-self.window :]
            self.until -= len(part)
            if not self.until:
                self.until, self.rows = self.hop, self.rows + 1
                times.append(self.rows * self.hop / self.rate)
                rows.append(self._look())
        return np.array(times), np.concatenate(rows) if rows else None

    def flush(self):
        self.reset()
        return np.zeros(0), None

    def _cut(self, samples):
        """Pieces that end where the network looks."""
        place, until = 0, self.until
        while place < len(samples):
            yield samples[place : place + until]
            place, until = place + until, self.hop

    @torch.inference_mode()
    def _look(self):
        lengths = torch.tensor([self.window], device=self.device)
        return self.network(*self.extract(self.recent[None].to(self.device), lengths)).softmax(1).cpu().numpy()


def one_channel(samples):
    """A block as float32 between -1 and 1, shape (samples,)."""
    if isinstance(samples, torch.Tensor):
        samples = samples.detach().cpu().numpy()
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise LabError(
            f"A block of sound is (samples,), not {samples.shape}. For one channel of several write block[:, 0]."
        )
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / SCALE
    if samples.dtype.kind not in "f" and len(samples):
        raise LabError(f"Samples are floats between -1 and 1, or int16, not {samples.dtype}. Convert them first.")
    return samples.astype(np.float32)


def _resampler(rate, target):
    import soxr

    return soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")


def detect(classifier, samples, rate, decision=None):
    """Find the words of a whole recording.

    Parameters
    ----------
    classifier : Run
    samples : array_like
        Shape (samples,).
    rate : int
        Hz.
    decision : Decision, optional

    Returns
    -------
    tuple of (list of Detection, numpy.ndarray, numpy.ndarray)
        What was found; when each row of probabilities was known, in seconds, shape (rows,); and the rows, shape
        (rows, classes). A recording of zero seconds has none of any.
    """
    detector = Detector(classifier, decision)
    found = detector.push(samples, rate) + detector.flush()
    return found, detector.times, detector.probabilities
