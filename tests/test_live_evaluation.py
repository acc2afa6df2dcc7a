"""Mixtures of clips whose words are known, and what counts as a hit."""

import json

import numpy as np
import pandas as pd
import pytest
from streams import FEATURE, classifier
from tiny import RATE, SPEAKERS, TEST, VALIDATION, WORDS

from labkit.cli import main as command
from labkit.errors import LabError
from labkit.files import home, read_json
from labkit.metrics import interval
from labkit.streaming import Decision, Detection
from labkit.streaming import benchmark as live
from labkit.streaming.benchmark import LATE, LEVEL, MixturePlan, background, mixture, pool, spoken

pytest_plugins = ["tiny"]
SHORT = MixturePlan(seconds=12.0, shortest_gap=0.2, longest_gap=0.6)


@pytest.fixture
def network():
    """Knows two of the three words of the tiny corpus."""
    return classifier(labels=("fall", "hold", "unknown"))


@pytest.fixture
def clips(network, corpus):
    return pool(network, corpus, "test")


@pytest.fixture
def noises(corpus):
    return background(corpus, "test", RATE)


def test_a_mixture_is_made_of_one_parts_speakers_with_unknown_words_among_the_known(network, corpus, clips):
    assert set(clips.speaker) == set(TEST) and set(clips.label[clips.known]) == {"fall", "hold"}
    assert set(clips.label[~clips.known]) == {"rise"}
    assert set(pool(network, corpus, "validation").speaker) == set(VALIDATION)
    others = corpus.with_clips(corpus.clips.assign(split="train"))  # another archive, split otherwise
    assert set(pool(network, corpus, "test", others).speaker) == set(TEST), "unknown words, too, by people of this part"


def test_voices_that_were_trained_on_are_refused(network, corpus):
    network.record["training_speakers"] = [SPEAKERS[9]]
    with pytest.raises(LabError, match="trained on by run untrained"):
        pool(network, corpus, "test")


def test_the_same_plan_is_the_same_mixture_and_another_seed_another(clips, noises):
    samples, truth = mixture(clips, noises, SHORT, RATE)
    again, same = mixture(clips, noises, SHORT, RATE)
    assert np.array_equal(samples, again) and truth.equals(same)
    other, truth_of_other = mixture(clips, noises, MixturePlan(**{**vars(SHORT), "seed": 1}), RATE)
    assert not np.array_equal(samples, other) and not truth_of_other.equals(truth)
    quieter, said = mixture(clips, noises, MixturePlan(**{**vars(SHORT), "snr": 5.0}), RATE)
    assert said.equals(truth), "levels of noise are compared on the same words"


def test_words_lie_where_the_truth_says_at_the_level_that_was_asked_for(clips, noises):
    plan = MixturePlan(seconds=12.0, snr=20.0, shortest_gap=0.3, longest_gap=0.5)
    samples, truth = mixture(clips, noises, plan, RATE)
    assert len(samples) == 12 * RATE and samples.dtype == np.float32 and np.abs(samples).max() <= 1
    assert len(truth) > 8 and (truth.end.values[:-1] < truth.start.values[1:]).all()
    assert truth.end.max() + LATE <= 12
    quiet = np.ones(len(samples), bool)
    for row in truth.itertuples():
        inside = samples[round(row.start * RATE) : round(row.end * RATE)]
        assert abs(20 * np.log10(np.sqrt(np.mean(inside**2)) / LEVEL)) < 1
        quiet[round(row.start * RATE) - RATE // 20 : round(row.end * RATE) + RATE // 20] = False
    noise = np.sqrt(np.mean(samples[quiet] ** 2))
    assert abs(20 * np.log10(LEVEL / noise) - 20) < 1.5


def test_unknown_words_come_as_often_as_asked(clips, noises):
    gaps = {"seconds": 60.0, "shortest_gap": 0.0, "longest_gap": 0.1}
    assert mixture(clips, noises, MixturePlan(**gaps, unknown=0.0), RATE)[1].known.all()
    share = 1 - mixture(clips, noises, MixturePlan(**gaps, unknown=0.5), RATE)[1].known.mean()
    assert 0.35 < share < 0.65


def test_noise_of_the_test_is_the_half_that_training_may_not_hear(corpus):
    import soundfile

    path = corpus.root / corpus.noises[0]
    row = soundfile.read(path)[0]
    half = len(row) // 2
    for part, expected in (("validation", row[:half]), ("test", row[half:])):
        (got,) = background(corpus, part, RATE)
        assert np.allclose(got, expected / np.sqrt(np.mean(expected**2)), atol=1e-4)
    with pytest.raises(LabError, match="no background noises"):
        background(corpus.with_clips(corpus.clips, noises=()), "test", RATE)


def test_where_a_clip_is_spoken_is_found():
    samples = np.zeros(RATE)
    samples[4800:8000] = np.sin(np.arange(3200))
    start, end = spoken(samples + 1e-4, RATE)
    assert abs(start - 4800) <= 320 and abs(end - 8000) <= 320


def test_impossible_plans_are_refused():
    with pytest.raises(LabError, match="shortest_gap=2.0"):
        MixturePlan(shortest_gap=2.0, longest_gap=1.0)


# --- what counts ---------------------------------------------------------------------------------------------------


def said(*rows):
    table = pd.DataFrame(rows, columns=["label", "start", "end", "known"])
    return table.assign(
        name=[f"{number}.wav" for number in range(len(table))], speaker=["a", "b", "c", "d"][: len(table)]
    )


def reported(*rows):
    return [Detection(word, time - 1, time, time, 0.9) for word, time in rows]


TRUTH = said(("yes", 1.0, 1.5, True), ("bed", 5.0, 5.4, False), ("no", 9.0, 9.5, True), ("yes", 15.0, 15.6, True))


def test_a_report_during_the_word_or_a_second_after_is_a_hit():
    words, alarms = live.score(TRUTH, reported(("yes", 1.2), ("no", 10.4), ("yes", 16.7)))
    assert words.predicted.tolist() == ["yes", "no", live.MISSED]
    assert np.allclose(words.latency[:2], (-0.3, 0.9)) and np.isnan(words.latency[2])
    assert alarms.values.tolist() == [["yes", 16.7, "noise"]]


def test_false_alarms_are_told_by_their_cause():
    alarms = live.score(
        TRUTH, reported(("no", 1.4), ("yes", 1.6), ("yes", 2.0), ("no", 5.5), ("yes", 7.5), ("yes", 14.9))
    )[1]
    assert alarms.cause.tolist() == ["confusion", "repeat", "unknown", "noise", "noise"]


def test_a_word_is_found_once_and_words_outside_the_vocabulary_never():
    words, alarms = live.score(TRUTH, reported(("bed", 5.2)))
    assert len(words) == 3 and (words.predicted == live.MISSED).all() and alarms.cause.tolist() == ["unknown"]


def heard(labels, rows, truth=TRUTH, seconds=60.0):
    """A network that is sure of these words for half a second each, with these probabilities."""
    times = np.arange(0, seconds, 0.1)
    table = np.tile([0.0, 0.0, 1.0], (len(times), 1))
    for word, start, sure in rows:
        table[(times >= start) & (times < start + 0.5)] = [
            sure if label == word else (1 - sure) if label == "unknown" else 0 for label in labels
        ]
    return live.Heard(MixturePlan(seconds=seconds), truth, times, table)


def test_figures_and_curve_count_words_found_and_alarms_per_hour():
    labels = ("no", "yes", "unknown")
    some = [heard(labels, [("yes", 1.3, 0.9), ("yes", 5.3, 0.7), ("no", 9.2, 0.75), ("yes", 30.0, 0.6)])]
    plain = Decision(threshold=0.5, smoothing=0, refractory=0.5)
    stream_metrics = live.stream_metrics(some, labels, plain)
    assert (
        stream_metrics["words"] == 3 and stream_metrics["unknown"] == 1 and abs(stream_metrics["hits"] - 2 / 3) < 1e-9
    )
    assert stream_metrics["false_alarms"] == {"unknown": 1, "confusion": 0, "repeat": 0, "noise": 1}
    assert (
        stream_metrics["false_alarms_per_hour"] == 120
        and stream_metrics["hits_low"] <= stream_metrics["hits"] <= stream_metrics["hits_high"]
    )
    assert abs(stream_metrics["latency"] - (-0.25)) < 0.06 and stream_metrics["minutes"] == 1
    rows = live.curve(some, labels, plain, (0.5, 0.65, 0.72, 0.8))
    assert [row["false_alarms_per_hour"] for row in rows] == [120, 60, 0, 0]
    assert [round(row["hits"], 2) for row in rows] == [0.67, 0.67, 0.67, 0.33]
    assert live.choose_decision(some, labels, plain).threshold in (0.7, 0.75), "the best of its own thresholds"
    assert live.choose_decision(some, labels, plain).refractory == plain.refractory


def test_a_network_that_says_nothing_has_no_latency():
    stream_metrics = live.stream_metrics([heard(("no", "yes", "unknown"), [])], ("no", "yes", "unknown"), Decision())
    assert (
        stream_metrics["hits"] == 0
        and stream_metrics["latency"] is None
        and stream_metrics["false_alarms_per_hour"] == 0
    )


def test_the_interval_is_over_speakers():
    some = [heard(("no", "yes", "unknown"), [("yes", 1.3, 0.9)])]
    stream_metrics = live.stream_metrics(some, ("no", "yes", "unknown"), Decision(0.5, 0, 0))
    words = live.decided(some, ("no", "yes", "unknown"), Decision(0.5, 0, 0))[0]
    assert stream_metrics["hits_high"] == interval([words])["high"]


def test_a_record_says_on_whom_and_what_the_threshold_was_chosen(network, corpus, capsys):
    record = live.record(network, corpus, live.plans(snrs=(20.0,), mixtures=1, seconds=8.0))
    lines = capsys.readouterr().out.splitlines()
    again = live.record(network, corpus, live.plans(snrs=(20.0,), mixtures=1, seconds=8.0))
    assert record["validation"] == again["validation"] and record["test"] == again["test"]
    assert json.loads(json.dumps(record)) == record
    assert record["decision"] == record["chosen"] and record["corpus"]["fingerprint"] == corpus.fingerprint
    (level,) = record["test"]["levels"]
    assert level["snr"] == 20 and level["minutes"] == round(8 / 60, 2) and len(level["curve"]) == len(live.THRESHOLDS)
    assert level["speakers"] <= len(TEST) and record["corpus"]["synthetic"] is False
    for key in ("date", "device", "command", "versions", "model"):
        assert record[key]
    assert any("false alarms an hour" in line and "test, 20 dB" in line for line in lines)


def test_a_network_with_a_decision_keeps_it(network, corpus):
    network.record["decision"] = {"threshold": 0.42}
    record = live.record(network, corpus, live.plans(snrs=(20.0,), mixtures=1, seconds=8.0))
    assert record["decision"]["threshold"] == 0.42 and "threshold" in record["chosen"]


def test_the_command_writes_a_record_and_says_what_it_measured(
    network, made, own_folders, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr("labkit.cli.live_command.load", lambda name: network)
    path = tmp_path / "live" / "tiny.json"
    asked = ["live", "tiny", "--data", str(made), "--mixtures", "1", "--seconds", "8", "--snr", "10"]
    assert command([*asked, "--record", str(path)]) == 0
    out = capsys.readouterr().out
    assert "of words, " in out and "validation, 10 dB" in out and "test, 10 dB" in out
    assert read_json(path)["test"]["levels"][0]["snr"] == 10


RECORDS = sorted((home() / "results" / "live").glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_each_committed_record_belongs_to_the_shipped_network(path):
    from dataclasses import asdict

    from labkit.experiments import pretrained as shipped

    record = read_json(path)
    network = shipped.load(record["model"])
    assert record["run"] == network.id and record["labels"] == list(network.labels)
    assert record["decision"] == asdict(Decision.of(network))
    assert record["corpus"]["synthetic"] == ("synthetic" in path.stem)
    if not record["corpus"]["synthetic"]:
        assert record["chosen"] == record["decision"], "the shipped threshold is what these validation mixtures choose"
    assert {level["snr"] for level in record["test"]["levels"]} == {20.0, 5.0}
    assert all(level["minutes"] >= 10 and level["unknown"] > 0 for level in record["test"]["levels"])


def test_the_words_of_the_tiny_corpus_are_what_these_tests_think():
    assert set(WORDS) == {"fall", "hold", "rise"} and FEATURE.sample_rate == RATE
