"""Scores are scikit-learn's, and intervals are as wide as speakers are few."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs

from labkit.errors import LabError
from labkit.metrics import confusion, metrics_of, speaker_interval, verdict


def table(right, speakers):
    """Predictions with so many right answers, clip by clip."""
    return pd.DataFrame(
        {
            "path": [f"{number:04}.wav" for number in range(len(right))],
            "speaker": speakers,
            "label": "yes",
            "predicted": np.where(right, "yes", "no"),
        }
    )


# Scores


def answers(true, predicted):
    return pd.DataFrame({"label": list(true), "predicted": list(predicted)})


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    for classes in (2, 4, 9):
        labels = [f"word {number}" for number in range(classes)]
        true = np.r_[np.arange(classes), rng.integers(0, classes, 200) // rng.integers(1, 3, 200)]
        predicted = np.where(rng.random(len(true)) < 0.6, true, rng.integers(0, classes, len(true)))
        found = metrics_of(answers(np.array(labels)[true], np.array(labels)[predicted]), labels, majority="word 1")
        assert found == {
            "clips": len(true),
            "accuracy": pytest.approx(theirs.accuracy_score(true, predicted)),
            "balanced_accuracy": pytest.approx(theirs.balanced_accuracy_score(true, predicted)),
            "macro_f1": pytest.approx(theirs.f1_score(true, predicted, average="macro")),
            "classes_present": classes,
            "chance": 1 / classes,
            "majority": pytest.approx((true == 1).mean()),
        }


def test_scores_of_an_example_by_hand():
    found = metrics_of(answers("aaabbc", "aabbac"), ["a", "b", "c"], majority="a")
    assert found["accuracy"] == 4 / 6 and found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3) and found["majority"] == 0.5


def test_classes_that_are_absent_are_not_counted_as_failures():
    found = metrics_of(answers("aacc", "abcc"), ["a", "b", "c", "d"])
    assert found["classes_present"] == 2 and found["chance"] == 0.25 and found["majority"] is None
    assert found["balanced_accuracy"] == 0.75 and found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics_of(answers("d", "d"), ["a", "b", "c", "d"])["balanced_accuracy"] == 1


def test_scores_can_be_written_as_json():
    found = metrics_of(answers("ab", "aa"), ["a", "b"], "b")
    assert all(type(value) in (int, float) for value in found.values())


def test_no_clips_no_score():
    with pytest.raises(LabError, match="no clips to score. Choose a part"):
        metrics_of(answers("", ""), ["a"])


def test_confusion_counts_clips_and_keeps_classes_nobody_said():
    predictions = pd.DataFrame({"label": list("aaabb"), "predicted": list("aabbc")})
    found = confusion(predictions, ["c", "b", "a", "d"])
    assert found.values.tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]
    assert list(found.index) == list(found.columns) == ["c", "b", "a", "d"] and found.values.dtype.kind == "i"
    expected = theirs.confusion_matrix(predictions.label, predictions.predicted, labels=["c", "b", "a", "d"])
    assert (found.values == expected).all()


# Intervals


def clustered(rng, people=30, clips=8, std=0.18, truth=0.75):
    """Predictions of people who are understood better or worse: (table, clips right at each person)."""
    each = np.clip(rng.normal(truth, std, people), 0, 1)
    right = rng.random((people, clips)) < each[:, None]
    return table(right.ravel(), np.repeat([f"s{number}" for number in range(people)], clips))


def coverage(level, by_clip=False, times=300):
    rng = np.random.default_rng(1)
    truth = np.clip(rng.normal(0.75, 0.18, 200_000), 0, 1).mean()
    hits = 0
    for _ in range(times):
        predictions = clustered(rng)
        if by_clip:  # as if each clip were somebody else's
            predictions = predictions.assign(speaker=predictions.path)
        interval = speaker_interval([predictions], draws=300, level=level)
        hits += interval["low"] <= truth <= interval["high"]
    return hits / times


def test_the_interval_covers_the_truth_as_often_as_it_says():
    assert 0.90 <= coverage(0.95) <= 0.98
    assert 0.73 <= coverage(0.80) <= 0.86


def test_an_interval_over_clips_would_be_too_sure():
    assert coverage(0.95, by_clip=True) < 0.89


def test_an_interval_says_over_what_it_runs():
    rng = np.random.default_rng(0)
    tables = [clustered(rng) for _ in range(3)]
    found = speaker_interval(tables)
    accuracies = [(one.label == one.predicted).mean() for one in tables]
    assert found["mean"] == pytest.approx(np.mean(accuracies)) and found["low"] < found["mean"] < found["high"]
    assert found["speakers"] == 30 and found["seeds"] == 3 and all(type(found[key]) is float for key in ("low", "high"))
    assert speaker_interval(tables) == found and speaker_interval(tables, seed=1) != found
    narrow = speaker_interval(tables, level=0.5)
    assert found["low"] < narrow["low"] < narrow["high"] < found["high"]


def test_people_with_more_clips_weigh_more_as_they_do_in_accuracy():
    predictions = table([True] * 90 + [False] * 10, ["a"] * 90 + ["b"] * 10)
    found = speaker_interval([predictions])
    assert found["mean"] == pytest.approx(0.9) and (found["low"], found["high"]) == (0, 1)


def test_all_right_leaves_no_doubt_between_people():
    found = speaker_interval([table([True] * 8, list("aabbccdd"))])
    assert (found["mean"], found["low"], found["high"]) == (1, 1, 1)


def test_the_order_of_the_rows_plays_no_role():
    predictions = clustered(np.random.default_rng(2))
    mixed = predictions.sample(frac=1, random_state=0)
    assert speaker_interval([predictions, mixed]) == speaker_interval([predictions, predictions])
    assert speaker_interval([predictions], [mixed])["high"] == 0


def test_a_paired_comparison_sees_what_two_intervals_do_not():
    rng = np.random.default_rng(3)
    base = clustered(rng, people=60)
    wrong = np.flatnonzero(base.label != base.predicted)
    better = base.copy()
    better.loc[rng.choice(wrong, len(wrong) // 4, replace=False), "predicted"] = "yes"
    alone = [speaker_interval([one]) for one in (base, better)]
    assert alone[0]["high"] > alone[1]["low"], "the two intervals overlap"
    difference = speaker_interval([better], [base])
    assert difference["low"] > 0 and difference["mean"] == pytest.approx(alone[1]["mean"] - alone[0]["mean"])
    opposite = speaker_interval([base], [better])
    assert opposite["low"] == pytest.approx(-difference["high"]) and opposite["mean"] == pytest.approx(
        -difference["mean"]
    )


def test_a_paired_comparison_of_equals_shows_no_difference_as_often_as_it_says():
    rng = np.random.default_rng(4)
    shown = 0
    for _ in range(200):
        each = np.clip(rng.normal(0.75, 0.18, 30), 0, 1)[:, None]
        sides = [
            table((rng.random((30, 8)) < each).ravel(), np.repeat([f"s{number}" for number in range(30)], 8))
            for _ in range(2)
        ]
        interval = speaker_interval(sides[:1], sides[1:], draws=300)
        shown += not interval["low"] <= 0 <= interval["high"]
    assert shown / 200 <= 0.10


def test_sides_tested_on_different_clips_are_not_compared():
    one = clustered(np.random.default_rng(5))
    with pytest.raises(LabError, match="The two sides were tested on different clips. Test both"):
        speaker_interval([one], [one[1:]])
    with pytest.raises(LabError, match="The seeds were tested on different clips. Use the same split"):
        speaker_interval([one, one.assign(path="x" + one.path)])


def test_of_one_speaker_there_is_a_mean_and_no_interval():
    one = clustered(np.random.default_rng(5)).assign(speaker="ana")
    found = speaker_interval([one])
    assert found["mean"] == (one.label == one.predicted).mean() and (found["speakers"], found["seeds"]) == (1, 1)
    assert np.isnan(found["low"]) and np.isnan(found["high"])
    difference = speaker_interval([one.assign(predicted=one.label)], [one.assign(predicted="-")])
    assert verdict(difference, "GRU", "LSTM") == "GRU minus LSTM: +100.0 points for one speaker: no difference shown."


@pytest.mark.parametrize(
    ("low", "mean", "high", "words"),
    [
        (0.01, 0.02, 0.03, "GRU minus LSTM: +2.0 points [+1.0, +3.0] over 9 speakers and 3 seeds: GRU is ahead."),
        (-0.03, -0.02, -0.01, "GRU minus LSTM: -2.0 points [-3.0, -1.0] over 9 speakers and 3 seeds: LSTM is ahead."),
        (
            -0.01,
            0.02,
            0.05,
            "GRU minus LSTM: +2.0 points [-1.0, +5.0] over 9 speakers and 3 seeds: no difference shown.",
        ),
        (0.0, 0.02, 0.05, "GRU minus LSTM: +2.0 points [+0.0, +5.0] over 9 speakers and 3 seeds: no difference shown."),
    ],
)
def test_a_verdict_names_a_winner_only_where_the_interval_excludes_zero(low, mean, high, words):
    interval = {"low": low, "mean": mean, "high": high, "speakers": 9, "seeds": 3}
    assert verdict(interval, "GRU", "LSTM") == words
