"""Streams: the same numbers as for the whole recording, and reports of words whatever happens to the blocks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from streams import FEATURE, RATE, classifier, sound

from labkit.data.audio import resample
from labkit.errors import LabError
from labkit.features import MFCC, LogMel, MelFrames, Raw
from labkit.models import Model
from labkit.streaming import Decider, Decision, Detector, StreamingFeature, decide, detect, streams

BLOCKS = (1, 7, 160, 1280, 10 * RATE)
FEATURES = {
    "mel_frames": FEATURE,
    "natural logarithm": MelFrames(window_ms=25, hop_ms=10, n_mels=20, log="ln"),
    "mfcc": MFCC(deltas=0, n_fft=2048),
    "one slope": MFCC(deltas=1, delta_width=5),
    "two slopes": MFCC(deltas=2),
    "fitted to a length": MelFrames(padding="signal"),
    "window shorter than hop": MelFrames(window_ms=10, hop_ms=20, n_mels=8),
}


def near(one, other):
    """Equal to 1e-5 of the largest value: features in dB reach hundreds."""
    assert one.shape == other.shape
    assert (one - other).abs().max() <= 1e-5 * max(1.0, other.abs().max())


def whole(feature, samples):
    """The feature of a recording as a whole: (1, frames, features)."""
    x, _ = replace(feature, seconds=None, padding="masked").build()(samples[None], torch.tensor([len(samples)]))
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "block"),
    [
        (name, block)
        for number, name in enumerate(FEATURES)
        for block in BLOCKS
        if block > 7 or block == (1, 7)[number % 2]
    ],
)
def test_a_feature_in_blocks_is_the_feature_of_the_whole_recording(name, block):
    """Blocks of one sample and of seven take long: each feature gets one of them."""
    feature = FEATURES[name]
    samples = torch.from_numpy(sound({1: 0.2, 7: 0.4}.get(block, 1.03)))
    stream = StreamingFeature(feature)
    parts = [stream.push(some) for some in samples.split(block)] + [stream.push(torch.zeros(0), last=True)]
    near(torch.cat(parts, 1), whole(feature, samples))
    near(StreamingFeature(feature).push(samples, last=True), whole(feature, samples))


def test_a_frame_comes_as_soon_as_its_sound_is_there():
    for feature in FEATURES.values():
        stream = StreamingFeature(feature)
        needed = round(stream.look_ahead * RATE)
        assert stream.push(torch.zeros(needed - 1)).shape[1] == 0
        assert stream.push(torch.zeros(1)).shape[1] == 1


def test_a_stream_of_nothing_has_no_frames():
    stream = StreamingFeature(MFCC())
    assert stream.push(torch.zeros(0)).shape == stream.push(torch.zeros(0), last=True).shape == (1, 0, 39)


@pytest.mark.parametrize("feature", [Raw(), LogMel(), MFCC(top_db=80.0)])
def test_features_that_need_the_whole_clip_say_so(feature):
    with pytest.raises(LabError, match="block by block"):
        StreamingFeature(feature)


MODELS = {
    "stream_cnn": Model("stream_cnn", hidden=8, channels=4, blocks=2, window=12),
    "stream_cnn without blocks": Model("stream_cnn", hidden=8, channels=4, blocks=0, window=1),
    **{name: Model(name, hidden=8, readout="last") for name in ("rnn", "gru", "lstm", "peephole")},
    "two layers": Model("gru", hidden=8, layers=2, readout="last"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("block", (1, 2, 3, 8, 41))
def test_step_says_after_each_frame_what_forward_says_of_all_up_to_there(name, block):
    network = classifier(MODELS[name]).network
    x = torch.randn(1, 41, 16, generator=torch.Generator().manual_seed(1)) * 10 - 20
    stride = getattr(network.network, "stride", 1)
    lengths = torch.arange(1, 42, stride)
    with torch.no_grad():
        expected = network(x.expand(len(lengths), -1, -1), lengths)  # the model's own forward, on each beginning
        outputs, state = [], None
        for some in x.split(block, 1):
            scores, state = network.step(some, state)
            outputs.append(scores)
    assert torch.cat(outputs, 1).shape == (1, len(lengths), 3)
    assert (torch.cat(outputs, 1)[0] - expected).abs().max() < 1e-5


def test_what_the_network_keeps_does_not_grow():
    network, state = classifier().network, None
    sizes = []
    with torch.no_grad():
        for _ in range(30):
            _, state = network.step(torch.zeros(1, 8, 16), state)
            sizes.append(sum(rest.numel() for rest in state[0]) + state[1].numel())
    assert len(set(sizes[1:])) == 1


def test_padding_changes_nothing_and_only_the_last_second_counts():
    network = classifier(Model("stream_cnn", hidden=8, channels=4, blocks=1, kernel=3, window=10)).network
    x = torch.randn(1, 60, 16)
    with torch.no_grad():
        alone = network(x[:, :41], torch.tensor([41]))
        assert torch.allclose(alone, network(x, torch.tensor([41])), atol=1e-6)
        other = torch.cat([torch.randn(1, 9, 16), x[:, 9:41]], 1)  # before all that the last ten outputs see
        assert torch.allclose(alone, network(other, torch.tensor([41])), atol=1e-5)


def test_two_directions_cannot_stream():
    network = classifier(Model("gru", hidden=8, bidirectional=True))
    assert not streams(network)
    with pytest.raises(LabError, match="bidirectional=False"):
        network.network.step(torch.zeros(1, 5, 16))
    assert streams(classifier()) and streams(classifier(Model("lstm", readout="last")))
    assert not streams(classifier(Model("lstm"))), "a mean over all since the beginning hears no new word"


def test_a_normalisation_over_the_number_of_the_frame_cannot_stream():
    feature = MelFrames(n_mels=16)
    assert not streams(classifier(Model("r1_gru", hidden=8), feature)), "`step` would leave it out"
    assert streams(classifier(Model("gru", hidden=8, readout="last"), feature))


def test_wrong_settings_of_the_network_say_what_to_change():
    with pytest.raises(LabError, match="use the feature .*'mel_frames'"):
        Model("stream_cnn").build((1, 16, 50), 3)
    with pytest.raises(LabError, match="window .* 0"):
        Model("stream_cnn", window=0).build((50, 16), 3)


@pytest.mark.slow
@pytest.mark.parametrize("model", [None, Model("gru", hidden=8, readout="last"), Model("gru", hidden=8, layers=2)])
@pytest.mark.parametrize("block", (7, 1280, 10 * RATE))
def test_a_detector_thinks_what_its_network_thinks_of_the_whole_recording(model, block):
    network, samples = classifier(model), sound(0.6 if block == 7 else 1.3)
    if not streams(network):
        network = classifier(replace_readout(model))
    detector = Detector(network, Decision(threshold=0.36, smoothing=0.05, refractory=0.1))
    found = [each for start in range(0, len(samples), block) for each in detector.push(samples[start : start + block])]
    found += detector.flush()
    x = whole(FEATURE, torch.from_numpy(samples))
    lengths = torch.arange(1, x.shape[1] + 1, getattr(network.network.network, "stride", 1))
    with torch.no_grad():
        expected = network.network(x.expand(len(lengths), -1, -1), lengths).softmax(1).numpy()
    assert np.abs(detector.probabilities - expected).max() < 1e-5
    assert np.allclose(detector.times, (lengths.numpy() - 1) * 0.01 + 0.015)
    assert found == decide(detector.labels, detector.times, detector.probabilities, detector.decision)
    again, times, probabilities = detect(network, samples, RATE, detector.decision)
    assert [(each.word, each.reported) for each in again] == [(each.word, each.reported) for each in found]


def replace_readout(model):
    return Model(model.name, **{**dict(model.options), "readout": "last"})


def test_blocks_of_one_sample_give_the_same():
    network, samples = classifier(), sound(0.15)
    one = Detector(network)
    for sample in samples:
        one.push(sample[None])
    one.flush()
    _, times, probabilities = detect(network, samples, RATE)
    assert np.array_equal(one.times, times) and np.abs(one.probabilities - probabilities).max() < 1e-5


def test_a_network_that_cannot_stream_is_run_again_on_the_last_second():
    feature = LogMel(window_ms=30, hop_ms=10, n_mels=16)
    network = classifier(Model("word_cnn", hidden=8, channels=4, blocks=1), feature)
    samples = sound(2.25)
    for block in (333, 10 * RATE):
        detector = Detector(network)
        for start in range(0, len(samples), block):
            detector.push(samples[start : start + block])
        assert np.allclose(detector.times, np.arange(1, 23) * 0.1)
        x, lengths = feature.build()(torch.from_numpy(samples[None, 8000:24000]), torch.tensor([16000]))
        with torch.no_grad():
            expected = network.network(x, lengths).softmax(1)[0].numpy()
        assert np.abs(detector.probabilities[14] - expected).max() < 1e-5, "at 1.5 s, of the second before"


# --- decisions -----------------------------------------------------------------------------------------------------


def rows(*words, labels=("no", "yes", "unknown"), sure=0.9):
    """Probabilities of a network that is sure of these words, one row each."""
    table = np.full((len(words), len(labels)), (1 - sure) / (len(labels) - 1))
    for row, word in enumerate(words):
        table[row, labels.index(word)] = sure
    return table


def reports(words, decision, period=0.1):
    table = rows(*words)
    found = decide(("no", "yes", "unknown"), np.arange(len(words)) * period, table, decision)
    return [(each.word, round(each.reported, 3)) for each in found]


def test_a_word_is_reported_once_however_long_it_lasts():
    plain = Decision(threshold=0.8, smoothing=0, refractory=0.3)
    assert reports(["unknown"] * 3 + ["yes"] * 20, plain) == [("yes", 0.3)]
    assert reports(["yes", "unknown", "unknown", "unknown", "yes"], plain) == [("yes", 0.0), ("yes", 0.4)]


def test_nothing_is_reported_while_held_and_nothing_for_what_is_no_word():
    assert reports(["no", "yes", "yes", "yes", "yes"], Decision(0.8, 0, 0.3)) == [("no", 0.0), ("yes", 0.3)]
    assert reports(["unknown"] * 50, Decision(0.8, 0, 0)) == []


def test_what_is_below_the_threshold_is_rejected():
    assert reports(["yes"] * 20, Decision(0.95, 0, 0)) == []
    assert reports(["yes"] * 20, Decision(0.9, 0, 0)) == [("yes", 0.0)]


def test_smoothing_waits_until_it_is_sure():
    assert reports(["unknown"] * 5 + ["yes"] + ["unknown"] * 5, Decision(0.5, 0.3, 0)) == []
    assert reports(["unknown"] * 5 + ["yes"] * 3, Decision(0.8, 0.3, 0)) == [("yes", 0.7)]
    assert reports(["yes"] * 3, Decision(0.8, 0.3, 0)) == [("yes", 0.2)], "and says nothing in haste at the beginning"


def test_nothing_is_decided_of_no_rows():
    assert decide(("no", "yes"), np.zeros(0), np.zeros((0, 2)), Decision()) == []


def test_decisions_do_not_depend_on_the_blocks():
    table = np.random.default_rng(0).dirichlet((0.3, 0.3, 0.3), 200)
    times, decision = np.arange(200) * 0.02, Decision(0.6, 0.1, 0.2)
    expected = decide(("no", "yes", "unknown"), times, table, decision)
    assert len(expected) > 3
    for size in (1, 3, 64):
        decider = Decider(("no", "yes", "unknown"), decision, 0.02)
        found = [
            each for row in range(0, 200, size) for each in decider.push(times[row : row + size], table[row:][:size])
        ]
        assert found == expected


@pytest.mark.parametrize(
    "settings", [{"threshold": 0.0}, {"threshold": 1.1}, {"smoothing": -1.0}, {"refractory": np.inf}]
)
def test_impossible_decisions_are_refused(settings):
    with pytest.raises(LabError, match=f"Decision.{next(iter(settings))} cannot be"):
        Decision(**settings)


# --- streams that misbehave ----------------------------------------------------------------------------------------


def test_zero_seconds_hold_no_words():
    for network in (classifier(), classifier(Model("gru", hidden=8))):
        found, times, probabilities = detect(network, np.zeros(0, np.float32), RATE)
        assert found == [] and times.shape == (0,) and probabilities.shape == (0, 3)


def test_a_jump_in_rate_is_named_and_the_stream_starts_anew_behind_it():
    detector = Detector(classifier())
    first, second = sound(1.0), resample(sound(1.0, 1), RATE, 48_000)
    detector.push(first)
    detector.push(second, sample_rate=48_000)
    detector.push(second, sample_rate=48_000)  # no new jump
    detector.flush()
    assert detector.problems == ["1.0 s: the rate jumped from 16,000 to 48,000 Hz. Listening starts anew there."]
    assert abs(detector.seconds - 3.0) < 0.01 and (np.diff(detector.times) >= 0).all()
    expected = [
        detect(classifier(), samples, sample_rate)[2]
        for samples, sample_rate in ((first, RATE), (np.tile(second, 2), 48_000))
    ]
    assert np.abs(detector.probabilities - np.concatenate(expected)).max() < 1e-5


def test_another_rate_from_the_beginning_is_no_problem():
    samples = sound(1.5)
    detector = Detector(classifier())
    for block in np.array_split(resample(samples, RATE, 44_100), 20):
        detector.push(block, sample_rate=44_100)
    detector.flush()
    _, _, expected = detect(classifier(), samples, RATE)
    same = min(len(expected), len(detector.probabilities))
    assert detector.problems == [] and abs(len(expected) - same) <= 1
    assert np.abs(detector.probabilities[:same] - expected[:same]).max() < 0.05


def test_clipping_is_named_once_for_a_stream():
    for block in (400, 3 * RATE):
        detector = Detector(classifier())
        samples = np.concatenate([sound(1.0), 30 * sound(3.0, 1), sound(2.0, 2), 30 * sound(1.0, 3)])
        for start in range(0, len(samples), block):
            detector.push(samples[start : start + block])
        (problem,) = detector.problems
        assert "clipped" in problem and problem < "1.2 s" if block == 400 else "clipped" in problem
    loud = np.clip(0.9 * np.sign(sound(2.0)), -1, 1)
    quiet = Detector(classifier())
    quiet.push(loud)
    assert quiet.problems == []
    peaks = sound(20.0)
    peaks[::1000] = 1.0  # a click now and then is no clipping, however long the stream is
    quiet.push(peaks)
    assert quiet.problems == []


def test_a_gap_is_named_and_time_goes_on_behind_it():
    detector = Detector(classifier())
    detector.push(sound(1.0), at=0.0)
    detector.push(sound(0.5), at=1.02)  # a little late is no gap
    before = len(detector.times)
    detector.push(sound(1.0, 5), at=7.5)
    assert detector.problems == ["1.5 s: the stream stopped for 6.0 s. Listening starts anew there."]
    assert detector.seconds == 8.5 and detector.times[-1] > 8.4 and (np.diff(detector.times) > 0).all()
    after = detector.probabilities[detector.times > 7.5]
    _, _, expected = detect(classifier(), sound(1.0, 5), RATE)
    assert np.abs(after - expected[: len(after)]).max() < 1e-5, "nothing from before the gap is left in the network"
    assert before < len(detector.times)


def test_what_is_no_number_counts_as_silence():
    samples = sound(1.0)
    broken = samples.copy()
    broken[3000:3005] = (np.nan, np.inf, -np.inf, np.nan, np.nan)
    samples[3000:3005] = 0
    detector = Detector(classifier())
    detector.push(broken)
    _, _, expected = detect(classifier(), samples, RATE)
    assert detector.problems == ["0.0 s: 5 samples are not finite numbers. They count as silence."]
    assert np.abs(detector.probabilities - expected[: len(detector.probabilities)]).max() < 1e-5


@pytest.mark.parametrize(
    ("block", "sample_rate", "words"),
    [
        (np.zeros((100, 2), np.float32), RATE, r"is \(samples,\) .*not \(100, 2\)"),
        (np.zeros(100, np.int64), RATE, "floats between -1 and 1, or int16, not .*int64"),
        (np.zeros(100, np.float32), 0, "0 Hz cannot be"),
        (np.zeros(100, np.float32), 44_100.5, "cannot be"),
        (np.zeros(100, np.float32), float("nan"), "cannot be"),
    ],
)
def test_a_block_that_is_none_is_refused_and_the_next_one_heard(block, sample_rate, words):
    detector, samples = Detector(classifier()), sound(1.0)
    detector.push(samples[:8000])
    with pytest.raises(LabError, match=words):
        detector.push(block, sample_rate)
    detector.push(samples[8000:])
    _, _, expected = detect(classifier(), samples, RATE)
    assert detector.seconds == 1.0 and np.abs(detector.probabilities - expected[: len(detector.times)]).max() < 1e-5


def test_int16_and_tensors_are_heard_as_floats_are():
    samples = (sound(0.5) * 32768).astype(np.int16)
    expected = detect(classifier(), samples.astype(np.float32) / 32768, RATE)[2]
    assert np.array_equal(detect(classifier(), samples, RATE)[2], expected)
    assert np.array_equal(detect(classifier(), torch.from_numpy(samples), RATE)[2], expected)


def test_after_its_end_and_after_reset_a_stream_starts_anew():
    detector, samples = Detector(classifier()), sound(1.0)
    detector.push(samples)
    detector.flush()
    rows = len(detector.times)
    detector.push(samples)
    detector.flush()
    assert detector.seconds == 2.0 and len(detector.times) == 2 * rows
    assert np.abs(detector.probabilities[rows:] - detector.probabilities[:rows]).max() < 1e-5
    detector.reset()
    assert detector.seconds == 0 and len(detector.times) == 0 and detector.problems == []
    detector.push(samples)
    detector.flush()
    assert len(detector.times) == rows
