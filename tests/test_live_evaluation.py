"""Mixtures of clips whose words are known, and what counts as a hit."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from streams import FEATURE, classifier
from tiny import RATE, SPEAKERS, TEST, VALIDATION, WORDS

from labkit.errors import LabError
from labkit.files import home, read_json
from labkit.metrics import poisson
from labkit.streaming import Decision, Detection, Detector, decide, mixtures
from labkit.streaming import benchmark as live
from labkit.streaming.mixtures import LATE, LEVEL, MixturePlan, background, mixture, pool, score, sentences, spoken
from tools import live_record as recording

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
    words, alarms = score(TRUTH, reported(("yes", 1.2), ("no", 10.4), ("yes", 16.7)))
    assert words.predicted.tolist() == ["yes", "no", mixtures.MISSED]
    assert np.allclose(words.latency[:2], (-0.3, 0.9)) and np.isnan(words.latency[2])
    assert alarms.values.tolist() == [["yes", 16.7, "noise"]]


def test_false_alarms_are_told_by_their_cause():
    alarms = score(TRUTH, reported(("no", 1.4), ("yes", 1.6), ("yes", 2.0), ("no", 5.5), ("yes", 7.5), ("yes", 14.9)))[
        1
    ]
    assert alarms.cause.tolist() == ["confusion", "repeat", "unknown", "noise", "noise"]


def test_a_word_is_found_once_and_words_outside_the_vocabulary_never():
    words, alarms = score(TRUTH, reported(("bed", 5.2)))
    assert len(words) == 3 and (words.predicted == mixtures.MISSED).all() and alarms.cause.tolist() == ["unknown"]


LABELS = ("no", "yes", "unknown")
PLAIN = Decision(threshold=0.5, smoothing=0, refractory=0.5)
NOTHING = TRUTH[:0]


def heard(rows, truth=TRUTH, seconds=60.0, kind="words, 20 dB"):
    """A network that is sure of these words for half a second each, with these probabilities."""
    times = np.arange(0, seconds, 0.1)
    table = np.tile([0.0, 0.0, 1.0], (len(times), 1))
    for word, start, sure in rows:
        table[(times >= start) & (times < start + 0.5)] = [
            sure if label == word else (1 - sure) if label == "unknown" else 0 for label in LABELS
        ]
    return live.Heard(kind, truth, np.zeros(round(seconds * RATE), np.int16), RATE, times, table)


def test_each_clip_of_a_plan_without_a_length_is_heard_once(clips, noises):
    samples, truth = mixture(clips, noises, mixtures.ONCE, RATE)
    assert sorted(truth.name) == sorted(clips.name) and len(samples) / RATE > truth.end.max() + LATE - 0.1
    noise, nobody = mixture(clips[:0], noises, MixturePlan(seconds=5.0), RATE)
    assert nobody.empty and len(noise) == 5 * RATE
    assert abs(20 * np.log10(np.sqrt(np.mean(noise**2)) / LEVEL)) < 1, "noise alone is as loud as words would be"


def test_sentences_are_parted_by_speaker_and_those_with_a_word_are_told_apart(corpus):
    texts = ["Go on, she said.", "A cargo of gold.", "Nobody knows.", "Stop! No, go."]
    clips = corpus.clips.assign(sentence=[texts[number % 4] for number in range(len(corpus.clips))])
    parts = {part: sentences(corpus.with_clips(clips), part) for part in ("train", "validation", "test")}
    people = [set(table.speaker) for table in parts.values()]
    assert not people[0] & people[1] and not people[1] & people[2] and not people[0] & people[2]
    assert sum(map(len, parts.values())) == len(clips) and len(parts["test"])
    both = pd.concat(parts.values())
    assert sorted(both.label[both.known].unique()) == ["go", "stop"], "the first command in it, and only whole words"
    assert (both.known.sum(), (~both.known).sum()) == (len(clips) // 2, len(clips) // 2)


def test_what_is_measured_counts_words_found_and_false_reports_with_their_causes():
    one = heard([("yes", 1.3, 0.9), ("yes", 5.3, 0.7), ("no", 9.2, 0.75), ("yes", 30.0, 0.6)])
    got = live.measured(one, LABELS, PLAIN)
    assert (got["words"], got["minutes"], got["count"]) == (3, 1, 2) and abs(got["hits"] - 2 / 3) < 1e-9
    assert got["causes"] == {"unknown": 1, "confusion": 0, "repeat": 0, "noise": 1} and got["per_hour"] == 120
    assert got["low"] < 120 < got["high"] and got["hits_low"] <= got["hits"] <= got["hits_high"]
    assert abs(got["latency"] - (-0.25)) < 0.06
    silent = live.measured(heard([]), LABELS, PLAIN)
    assert silent["hits"] == 0 and silent["latency"] is None and silent["per_hour"] == 0 and silent["high"] > 100
    assert "hits" not in live.measured(heard([], NOTHING), LABELS, PLAIN), "nobody says a word there"


def test_the_interval_of_a_rate_is_that_of_a_poisson_count():
    assert poisson(0, 2.0)["high"] == pytest.approx(3.689 / 2, abs=1e-3) and poisson(0, 2.0)["low"] == 0
    ten = poisson(10, 1.0)  # Garwood's table
    assert (round(ten["low"], 2), round(ten["high"], 2)) == (4.80, 18.39)
    rng, right = np.random.default_rng(0), 0
    for count in rng.poisson(4.0, 2000):
        right += poisson(int(count), 2.0)["low"] <= 2.0 <= poisson(int(count), 2.0)["high"]
    assert right / 2000 >= 0.95, "exact intervals cover at least as often as they say"


def test_each_word_gets_the_threshold_that_its_false_alarms_need():
    said = heard([("yes", 1.3, 0.6), ("no", 9.2, 0.95), ("yes", 15.3, 0.62)])
    speech = heard([("no", 5.0, 0.9), ("no", 15.0, 0.9), ("yes", 30.0, 0.3)], NOTHING, 3600.0, live.SPEECH)
    own = recording.choose([said, speech], LABELS, PLAIN)
    shared = recording.choose([said, speech], LABELS, PLAIN, own=False)
    assert dict(own[0.5].thresholds)["no"] > 0.9 and dict(own[0.5].thresholds)["yes"] <= 0.6
    assert shared[0.5].threshold > 0.9 and not shared[0.5].thresholds
    assert live.measured(said, LABELS, own[0.5])["hits"] == 1
    assert live.measured(said, LABELS, shared[0.5])["hits"] == pytest.approx(1 / 3)
    for budget, decision in own.items():
        assert live.measured(speech, LABELS, decision)["per_hour"] <= budget
    other = heard([("no", 5.0, 0.9)], NOTHING, 3600.0, "noise")
    assert recording.choose([said, other], LABELS, PLAIN) == recording.choose([said], LABELS, PLAIN), (
        "a budget is about speech"
    )


class Second:
    """A second network that believes in one word only; it keeps what it was asked to look at."""

    id, labels, name = "second", LABELS, "second"

    def __init__(self, word):
        self.word, self.asked = word, []
        self.experiment = classifier(labels=LABELS).experiment

    def probabilities(self, waveforms):
        self.asked.append(np.asarray(waveforms[0]))
        return torch.tensor([[float(label == self.word) for label in LABELS]])


def test_a_second_network_must_agree_before_a_word_is_reported():
    one = heard([("yes", 1.3, 0.9), ("no", 9.2, 0.9)])
    one.samples[:] = np.arange(len(one.samples)) % 1000
    second = Second("no")
    assert [word.word for word in one.found(LABELS, PLAIN, second)] == ["no"]
    assert all(len(sound) == RATE for sound in second.asked), "it looks at the last second"
    known = len(second.asked)
    one.found(LABELS, PLAIN, second)
    assert len(second.asked) == known, "and at each second once"
    end = round(9.2 * RATE)
    assert any(np.allclose(sound, one.samples[end - RATE : end] / 32768) for sound in second.asked)


def test_a_detector_asks_the_second_network_about_the_same_sound_however_it_comes():
    run = classifier(labels=LABELS)
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal(4 * RATE).astype(np.float32)
    asked = []
    for size in (1280, 4 * RATE):
        second = Second("nothing")
        detector = Detector(run, Decision(threshold=0.01, smoothing=0.0), second)
        for first in range(0, len(sound), size):
            assert detector.push(sound[first : first + size]) == []
        asked.append(second.asked)
    assert len(asked[0]) == len(asked[1]) > 10
    for one, other in zip(*asked, strict=True):
        assert np.allclose(one, other, atol=1e-6)
    assert any(np.allclose(asked[0][-1], sound[end - RATE : end]) for end in range(3 * RATE, 4 * RATE + 1, 80))
    with pytest.raises(LabError, match="knows other words"):
        Detector(run, second=classifier(labels=("a", "b", "c")))


def test_answers_in_a_row_and_a_threshold_for_each_word_are_asked_for():
    times = np.arange(0, 2, 0.1)
    table = np.tile([0.0, 0.0, 1.0], (20, 1))
    table[3], table[8:10] = [0.9, 0, 0.1], [0, 0.9, 0.1]
    asked = [decide(LABELS, times, table, Decision(threshold=0.5, smoothing=0, consecutive=n)) for n in (1, 2, 3)]
    assert [[word.word for word in found] for found in asked] == [["no"], ["yes"], []]
    own = Decision(threshold=0.5, smoothing=0, refractory=0.1, thresholds=(("no", 0.95),))
    assert [word.word for word in decide(LABELS, times, table, own)] == ["yes"]


@pytest.fixture
def speech(corpus):
    texts = ["Nobody knows.", "They hold on.", "A long road."]
    rows = [texts[number % 3] for number in range(len(corpus.clips))]
    return corpus.with_clips(corpus.clips.assign(sentence=rows))


def test_a_record_says_on_what_the_decisions_were_chosen_and_measured(network, corpus, speech):
    record = recording.record(network, corpus, speech, seconds=8.0)
    assert json.loads(json.dumps(record)) == record
    assert [row["budget"] for row in record["curve"]] == list(recording.BUDGETS)
    kinds = {"words, 20 dB", "words, 5 dB", "running speech", "words in sentences", "other words", "noise"}
    assert kinds <= set(record["curve"][0]) and Decision(**record["curve"][0]["decision"])
    for key in ("date", "device", "command", "versions", "model", "real_time_factor"):
        assert record[key]
    assert record["corpora"][0]["fingerprint"] == corpus.fingerprint
    table = live.table({"first": record, "second": record})
    assert list(table.index) == ["first", "second"]
    assert table.drop(columns="latency at 20 dB (s)").notna().all(axis=None)  # what found nothing has no latency


def test_voices_that_were_trained_on_are_refused_as_speech(network, corpus, speech):
    network.record["training_speakers"] = sorted(set(sentences(speech, "test").speaker))[:1]
    with pytest.raises(LabError, match="trained on by run untrained"):
        recording.record(network, corpus.only(speakers=set(corpus.clips.speaker)), speech, seconds=8.0)


@pytest.mark.slow
def test_the_command_adds_a_step_to_a_record(network, made, corpus, speech, own_folders, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("tools.live_record.load", lambda name: network)
    monkeypatch.setattr("tools.live_record.read", lambda folder: speech)
    path = tmp_path / "live" / "tiny.json"
    for step in ("first", "second"):
        asked = ["tiny", "--data", str(made), "--speech", str(made), "--seconds", "8", "--step", step]
        recording.main([*asked, "--record", str(path)])
    assert "false alarms an hour of speech" in capsys.readouterr().out
    assert list(read_json(path)) == ["first", "second"]
    assert read_json(path)["second"]["command"].startswith("python -m tools.live_record tiny --data ")


RECORD = home() / "results" / "live" / "eight-words.json.xz"


def test_the_committed_record_belongs_to_the_shipped_network():
    from labkit.experiments import pretrained as shipped

    steps = read_json(RECORD)
    last, network = list(steps.values())[-1], shipped.load("eight-words-live")
    assert last["run"] == network.id and last["labels"] == list(network.labels)
    assert last["second"] is None and "second" not in network.record, "it listens as it was measured"
    chosen = {row["budget"]: Decision(**row["decision"]) for row in last["curve"]}
    assert Decision.budgets(network) == chosen and Decision.of(network) == chosen[2]
    for name, step in steps.items():
        speech = step["curve"][0]["running speech"]
        assert speech["minutes"] > 15 and speech["speakers"] >= 10, name
    assert max(path.stat().st_size for path in network.folder.iterdir()) < 1_000_000


def test_the_words_of_the_tiny_corpus_are_what_these_tests_think():
    assert set(WORDS) == {"fall", "hold", "rise"} and FEATURE.sample_rate == RATE
